"""All commands under one name. Each imports what it needs when it runs: the base install has not all."""

from __future__ import annotations

import sys
from typing import Annotated, NoReturn

import typer

import streamer
from streamer.cli import (
    attach,
    bench,
    calibrate,
    compile_models,
    demo,
    doctor,
    evaluate,
    keys,
    live,
    models,
    profiles,
    replay,
    report,
    train,
    view,
)
from streamer.errors import StreamerError

#: Packages of the extras, and the extra that brings them.
_EXTRAS = {
    "openvino": "processor",
    "tensorrt_rtx": "rtx",
    "zarr": "processor",
    "numba": "processor",
    "scipy": "processor",
    "skimage": "processor",
    "tifffile": "processor",
    "pyarrow": "processor",
    "ndstorage": "processor",
    "numcodecs": "processor",
    "starlette": "processor",
    "uvicorn": "processor",
    "websockets": "processor",
    "jinja2": "processor",
    "matplotlib": "processor",
    "pycromanager": "demo",
    "mmpycorex": "demo",
    "pymmcore": "demo",
    "pymmcore_plus": "demo",
    "napari": "napari",
    "torch": "train",
    "onnx": "train",
    "onnxscript": "train",
}

app = typer.Typer(
    name="streamer",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Live denoising, segmentation and guards beside a super-resolution microscope.",
)
app.command()(demo.demo)
app.command()(live.live)
app.command()(attach.attach)
app.command()(replay.replay)
app.command()(report.report)
app.command()(view.view)
app.command()(train.train)
app.command()(evaluate.evaluate)
app.command()(calibrate.calibrate)
app.command()(doctor.doctor)
app.add_typer(bench.app, name="bench")
app.add_typer(profiles.app, name="profiles")
models.app.command("compile")(compile_models.compile_)
app.add_typer(models.app, name="models")
app.add_typer(keys.app, name="keys")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(streamer.__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run a command; an error of ours is one line on stderr and its exit code."""
    try:
        app()
    except StreamerError as error:
        _fail(str(error), error.exit_code)
    except ModuleNotFoundError as error:
        package = (error.name or "").split(".")[0]
        if package not in _EXTRAS:
            raise
        command = sys.argv[1] if len(sys.argv) > 1 else ""
        extra = command if command in ("demo", "train") else _EXTRAS[package]
        cure = f"pip install 'scope-streamer[{extra}]', or in a checkout pip install '.[{extra}]'"
        _fail(f"{package} is not installed; {cure}", 1)


def _fail(message: str, exit_code: int) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    sys.exit(exit_code)
