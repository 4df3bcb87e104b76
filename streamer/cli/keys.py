"""Keys for a link between two machines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streamer.shell import quoted

app = typer.Typer(no_args_is_help=True, help="Keys for a microscope and a processor on two machines.")


@app.callback()
def _keys() -> None:
    pass


@app.command()
def new(
    out: Annotated[Path, typer.Option("--out", help="Folder for the two files.")] = Path(),
) -> None:
    """Make a pair of key files; existing ones are never overwritten.

    Example: streamer keys new --out ~/streamer-keys
    """
    from streamer.wire import new_keys

    processor, hook = new_keys(out)
    typer.echo(f"{processor}  stays with the processor: streamer live --keys {quoted(processor)}")
    typer.echo(f"{hook}  goes to the microscope, by a safe way: Hook(..., keys={str(hook)!r})")
