"""`streamer doctor`: what works on this machine."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

EXIT_FAILED = 1


def doctor(
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of recordings, whose disk is tried.")
    ] = Path("runs"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """What works on this machine and what to do about the rest; a few seconds.

    Exit code 1 says that something is missing without which nothing works.

    Examples:
      streamer doctor
      streamer doctor --out /data/runs --json
    """
    from streamer.apps.doctor import doctor as look
    from streamer.apps.doctor import works

    findings = []
    for finding in look(out):
        findings.append(finding)
        if not as_json:
            typer.echo(f"{finding.status:8} {finding.part:20} {finding.words}")
            if finding.cure and finding.status != "ok":
                typer.echo(f"{'':29} {finding.cure}")
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    if not works(findings):
        raise typer.Exit(EXIT_FAILED)
