"""`streamer models`: the networks and whether they compute here what they promise."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Literal

import typer

from streamer.engines import check as check_engine
from streamer.engines.cpu import cpu_name, instruction_set
from streamer.errors import EngineError, PackageError
from streamer.package import list_packages, load_package

app = typer.Typer(no_args_is_help=True, help="Model packages: bioimage.io folders.")

_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_(as_json: _Json = False) -> None:
    """The model packages that can be named, your own first.

    Example: streamer models list
    """
    rows = [{"id": name, **_summary(name), "folder": str(path)} for name, path in list_packages().items()]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        typer.echo(f"{row['id']:24} {row['kind']:10} {row['name']}")


@app.command()
def check(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help="Ids or folders.")],
    engine: Annotated[
        str, typer.Option(help="openvino, torch, or auto: the first that is installed.")
    ] = "auto",
    precision: Annotated[Literal["f32", "bf16"], typer.Option(help="Of the arithmetic.")] = "f32",
    as_json: _Json = False,
) -> None:
    """Check every file's sha256, then run the test input and compare with the test output, by channel.

    Examples:
      streamer models check er-denoise-live er-segment-live
      streamer models check er-denoise-live --engine torch
    """
    found = {name: check_engine(load_package(name), engine=engine, precision=precision) for name in models}
    if as_json:
        rows = {
            name: {"relative_rms": agreement.relative_rms, **asdict(agreement), "holds": agreement.holds}
            for name, agreement in found.items()
        }
        typer.echo(json.dumps(rows, indent=2))
    else:
        typer.echo(f"{cpu_name()} ({instruction_set()}), {precision}")
        for name, agreement in found.items():
            typer.echo(
                f"{name}: files sound, test output within {agreement.words} "
                f"(tolerance {agreement.tolerance:.2g})"
            )
    strays = [name for name, agreement in found.items() if not agreement.holds]
    if strays:
        raise EngineError(
            f"{', '.join(strays)}: strays from the test output; use another engine or precision"
        )


def _summary(name: str) -> dict[str, str]:
    """Kind and title; of a broken package, what is wrong with it."""
    try:
        package = load_package(name)
    except PackageError as error:
        return {"kind": "broken", "name": str(error).splitlines()[0]}
    return {"kind": package.kind or "other", "name": package.description.name}
