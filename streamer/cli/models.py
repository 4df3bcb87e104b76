"""`streamer models`: the networks and whether they compute here what they promise."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from streamer.cli.import_ernet import import_ernet
from streamer.engines import LADDER, Precision, Row, absence, absences, auto_of, choose, survey
from streamer.engines.cpu import cpu_name, instruction_set, usable_cores
from streamer.engines.nvidia import nvidia
from streamer.engines.trial import in_ms
from streamer.errors import EngineError, PackageError
from streamer.package import ModelPackage, install_package, list_packages, load_package

app = typer.Typer(no_args_is_help=True, help="Model packages: bioimage.io folders.")

app.command()(import_ernet)

_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
#: Frames that packages of ours are timed on, padded to what the network takes.
FRAME_YX = (600, 600)


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
    models: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL]...", help="Ids or folders; all without.")
    ] = None,
    engine: Annotated[
        str | None, typer.Option(metavar="ENGINE", help=f"Only this one: {', '.join(LADDER)}.")
    ] = None,
    precision: Annotated[Precision | None, typer.Option(help="Only this one.")] = None,
    shape: Annotated[
        tuple[int, int] | None,
        typer.Option(metavar="Y X", help="Frames to time; default 600 600, or a foreign test input."),
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Default physical cores.")] = None,
    as_json: _Json = False,
) -> None:
    """Check every file's sha256, then hold every engine that is here against the test output.

    Each row: an engine at one of its precisions, largest error, relative RMS by channel and how much of it is
    tolerated, and the time for a frame. Engines that are not here are listed with what they lack. Exit code 1
    says that an engine strays, or that a package runs on none.

    Examples:
      streamer models check
      streamer models check er-denoise-live er-segment-live --shape 1200 1200
      streamer models check path/to/bioimageio-package --json
    """
    if engine and (absent := absence(engine)):
        raise EngineError(f"engine {engine}: {absent.words}")
    named = models or list(list_packages())
    packages = {name: load_package(name) for name in named}
    engines = (engine,) if engine else LADDER
    if not as_json:
        typer.echo(f"{_machine_words()}\n")
    found: dict[str, list[Row]] = {}
    for name, package in packages.items():
        frame = _frame_of(package, shape)
        found[name] = survey(package, engines=engines, precision=precision, shape_yx=frame, threads=threads)
        if not as_json:
            typer.echo(_table(name, found[name]))
    if as_json:
        typer.echo(json.dumps(_as_json(found), indent=2))
    elif not engine:
        typer.echo("\n".join(f"{name:14} not here: {why.words}" for name, why in absences().items()))
    _complain(found)


@app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(metavar="PATH", help="Folder or .zip of a bioimage.io package.")],
    name: Annotated[str | None, typer.Option("--as", metavar="NAME", help="How it shall be called.")] = None,
) -> None:
    """Take a bioimage.io package into your own models, if an engine here gives its test output.

    Examples:
      streamer models import path/to/package
      streamer models import package.zip --as my-denoiser
    """

    def accept(package: ModelPackage) -> None:
        height, width = package.test_input().shape[-2:]
        typer.echo(choose(package, (height, width)).words)

    package = install_package(source, name, accept=accept)
    typer.echo(f"{package.id}: in {package.folder}")
    if package.kind is None:
        typer.echo(
            "a run takes it once its bioimageio.yaml says what it is for (config.streamer.kind)",
            err=True,
        )


def _frame_of(package: ModelPackage, shape: tuple[int, int] | None) -> tuple[int, int] | None:
    """Height and width of the frames to time; None for those of the test input."""
    if shape is None and package.kind is None:
        return None
    height, width = (size + -size % package.size_multiple for size in shape or FRAME_YX)
    return height, width


def _complain(found: Mapping[str, Sequence[Row]]) -> None:
    """Exit code 1 for what strays or does not run at all."""
    strays = [
        f"{name}: {row.engine} {row.precision}"
        for name, rows in found.items()
        for row in rows
        if row.verdict == "strays"
    ]
    if strays:
        raise EngineError(f"{', '.join(strays)} strays from the test output; use another engine or precision")
    for name, rows in found.items():
        if not any(row.verdict == "sound" for row in rows):
            why = next((row.words for row in rows), "see `streamer doctor` for what to install")
            raise EngineError(f"{name} runs on no engine here: {why}")


def _table(name: str, rows: Sequence[Row]) -> str:
    lines = [f"{name}"]
    for row in rows:
        head = f"  {row.engine:12} {row.precision:5} {row.verdict:7}"
        if row.agreement is None:
            lines.append(f"{head} {row.words}")
            continue
        took = row.words if row.ms is None or row.shape_yx is None else _took(row.ms, row.n, row.shape_yx)
        lines.append(
            f"{head} max error {row.agreement.max_error:.2g}, relative RMS {row.agreement.words} "
            f"(tolerance {row.agreement.tolerance:.2g}), {took}"
        )
    auto = auto_of(rows)
    return "\n".join([*lines, f"  auto: {auto}\n" if auto else ""])


def _took(ms: float, n: int, shape_yx: tuple[int, int]) -> str:
    return f"{in_ms(ms)} at {shape_yx[0]}x{shape_yx[1]} (n = {n})"


def _machine() -> dict[str, Any]:
    return {
        "cpu": cpu_name(),
        "instruction_set": instruction_set(),
        "usable_cores": usable_cores(),
        "gpus": [gpu.words for gpu in nvidia().gpus],
        "driver": nvidia().driver,
    }


def _machine_words() -> str:
    machine = _machine()
    gpus = ", ".join(machine["gpus"]) or nvidia().problem
    return f"{machine['cpu']} ({machine['instruction_set']}, {machine['usable_cores']} cores); {gpus}"


def _as_json(found: Mapping[str, Sequence[Row]]) -> dict[str, Any]:
    return {
        "machine": _machine(),
        "absent": {name: asdict(why) for name, why in absences().items()},
        "packages": {
            name: {"auto": auto_of(rows), "rows": [_row_as_json(row) for row in rows]}
            for name, rows in found.items()
        },
    }


def _row_as_json(row: Row) -> dict[str, Any]:
    """A row without nesting; nothing that is not JSON (a NaN) is written."""
    told = {name: value for name, value in asdict(row).items() if name != "agreement"}
    if (found := row.agreement) is None:
        return told
    numbers = {"max_error": found.max_error, "relative_rms": found.relative_rms}
    return told | {
        "tolerance": found.tolerance,
        "channels": {name: _finite(rms) for name, rms in found.channels.items()},
        **{name: _finite(value) for name, value in numbers.items()},
    }


def _finite(value: float) -> float | None:
    return value if value == value and abs(value) != float("inf") else None


def _summary(name: str) -> dict[str, str]:
    """Kind and title; of a broken package, what is wrong with it."""
    try:
        package = load_package(name)
    except PackageError as error:
        return {"kind": "broken", "name": str(error).splitlines()[0]}
    return {"kind": package.kind or "other", "name": package.description.name}
