"""`streamer report`: what became of a run, as one HTML file."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a recording.")],
    out: Annotated[Path | None, typer.Option(help="File to write; default report.html in RUN.")] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
) -> None:
    """Write what became of a run into one HTML file that needs nothing else and prints well.

    What happened and whether to trust it in words, curves with their limits, decisions with their evidence,
    sample frames, dose, latency, provenance. A run that still goes on is reported as far as it has come.

    Examples:
      streamer report runs/demo
      streamer report runs/demo --out demo.html --open
    """
    from streamer.report import write_report

    written = write_report(run, out)
    typer.echo(f"report: {written}")
    if open_it:
        webbrowser.open(written.resolve().as_uri())
