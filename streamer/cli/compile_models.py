"""`streamer models compile`: engines built before they are needed, for this machine or for others."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from streamer.engines import Precision, choose
from streamer.errors import EngineError, StreamerError, UsageError
from streamer.package import ModelPackage, list_packages, load_package

#: Frames that engines are built for, padded to what the network takes.
FRAME_YX = (600, 600)
_AHEAD_ONLY = "belongs to --ahead-of-time; add it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One engine asked for.

    Attributes:
        package, engine, precision, shape_yx: what it is of.
        device: the card or processor, or the compute capability that it is for.
        seconds: it took; almost none for one that was there.
        bytes, path: of the file, where there is one.
        words: why it is this one; or why there is none, then `failed`.
    """

    package: str
    engine: str
    precision: str
    shape_yx: tuple[int, int]
    device: str
    seconds: float = 0.0
    bytes: int | None = None
    path: str = ""
    words: str = ""
    failed: bool = False


def compile_(
    models: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL]...", help="Ids or folders; all without.")
    ] = None,
    ahead_of_time: Annotated[
        bool,
        typer.Option("--ahead-of-time", help="For NVIDIA cards that need not be here, by TensorRT-RTX."),
    ] = False,
    capability: Annotated[
        list[str] | None,
        typer.Option(help="Compute capability, again for more; default 8.6 8.9 12.0 (RTX 30, 40, 50)."),
    ] = None,
    shape: Annotated[
        tuple[int, int], typer.Option(metavar="Y X", help="Frames, padded to what the network takes.")
    ] = FRAME_YX,
    precision: Annotated[
        Precision | None,
        typer.Option(help="Only this one; default f32, f16 and bf16, or what is fastest here."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder instead of this user's engine cache.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Build engines now, so that no run waits for them.

    Without --ahead-of-time: what `auto` takes on this machine, kept where building it takes long. With it:
    TensorRT-RTX plans for kinds of cards, with or without a card here. Their folder serves as the engine
    cache of the machine with the card: set STREAMER_ENGINE_CACHE to it, or copy its files there.

    Examples:
      streamer models compile er-denoise-live er-segment-live
      streamer models compile --ahead-of-time --capability 8.9 --out engines
    """
    for option, value in (("--capability", capability), ("--out", out)):
        if value and not ahead_of_time:
            raise UsageError(f"{option}: {_AHEAD_ONLY}")
    packages = [load_package(name) for name in models or list_packages()]
    jobs = (
        _ahead(packages, capability or [], shape, precision, out)
        if ahead_of_time
        else _here(packages, shape, precision or "auto")
    )
    rows, begun = [], time.perf_counter()
    with _progress(len(jobs), quiet=as_json) as tell:
        for words, job in jobs:
            tell(words)
            rows.append(job())
            if not as_json:
                typer.echo(_in_words(rows[-1]))
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        sound = sum(not row.failed for row in rows)
        typer.echo(f"{sound} of {len(rows)} engines in {time.perf_counter() - begun:.1f} s")
    if failed := [row for row in rows if row.failed]:
        raise EngineError(f"{len(failed)} of {len(rows)} engines cannot be had: {failed[0].words}")


Job = tuple[str, Callable[[], Row]]


def _ahead(
    packages: Sequence[ModelPackage],
    capabilities: Sequence[str],
    shape: tuple[int, int],
    precision: Precision | None,
    out: Path | None,
) -> list[Job]:
    """A job for every package, capability and precision.

    Raises:
        EngineError: TensorRT-RTX is not here, or does not build for a capability: one line in all.
    """
    from streamer.engines.tensorrt_rtx import USUAL_CAPABILITIES, precisions_for

    wanted = [capability_of(text) for text in capabilities] or USUAL_CAPABILITIES
    possible = {capability: precisions_for(capability) for capability in wanted}
    return [
        (
            "{} {} for {}.{}".format(package.id, each, *capability),
            partial(_plan, package, _padded(package, shape), each, capability, out),
        )
        for package, capability in product(packages, possible)
        for each in ((precision,) if precision else possible[capability])
    ]


def _plan(
    package: ModelPackage,
    frame: tuple[int, int],
    precision: Precision,
    capability: tuple[int, int],
    out: Path | None,
) -> Row:
    from streamer.engines.tensorrt_rtx import NAME, build_ahead

    row = Row(
        package=package.id,
        engine=NAME,
        precision=precision,
        shape_yx=frame,
        device="compute capability {}.{}".format(*capability),
    )
    shape = (1, package.test_input().shape[1], *frame)
    try:
        made = build_ahead(package, shape, precision=precision, capability=capability, folder=out)
    except StreamerError as error:
        return replace(row, failed=True, words=str(error))
    return replace(row, seconds=made.seconds, bytes=made.bytes, path=str(made.path))


def _here(
    packages: Sequence[ModelPackage], shape: tuple[int, int], precision: Precision | Literal["auto"]
) -> list[Job]:
    return [
        (f"{package.id} {precision}", partial(_chosen, package, _padded(package, shape), precision))
        for package in packages
    ]


def _chosen(package: ModelPackage, frame: tuple[int, int], precision: Precision | Literal["auto"]) -> Row:
    begun = time.perf_counter()
    row = Row(package=package.id, engine="auto", precision=precision, shape_yx=frame, device="")
    try:
        choice = choose(package, frame, precision=precision)
    except StreamerError as error:
        return replace(row, failed=True, words=str(error))
    key = choice.engine.key
    return replace(
        row,
        engine=key.runtime,
        precision=key.precision,
        device=key.device,
        seconds=time.perf_counter() - begun,
        words=choice.words,
    )


def capability_of(text: str) -> tuple[int, int]:
    """(8, 9) of "8.9".

    Raises:
        UsageError: it is none.
    """
    if not (found := re.fullmatch(r"(\d{1,2})\.(\d)", text)):
        raise UsageError(f"--capability {text}: not a compute capability; give one like 8.9")
    return int(found[1]), int(found[2])


def _padded(package: ModelPackage, shape: tuple[int, int]) -> tuple[int, int]:
    """What the network gets for a frame of that shape."""
    height, width = (size + -size % package.size_multiple for size in shape)
    return height, width


def _in_words(row: Row) -> str:
    size = "{}x{}".format(*row.shape_yx)
    head = f"{row.package:20} {row.engine:12} {row.precision:5} {size:10}"
    if row.failed:
        return f"{head} failed: {row.words}"
    if row.bytes is None:
        return f"{head} {row.words}"
    return f"{head} {row.device}, {row.bytes / 1e6:.1f} MB in {row.seconds:.1f} s: {row.path}"


@contextmanager
def _progress(jobs: int, quiet: bool) -> Iterator[Callable[[str], None]]:
    """A bar with the time left on standard error; what to tell it is what comes next."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True) as bar:
        task, told = bar.add_task("", total=jobs), 0

        def tell(words: str) -> None:
            nonlocal told
            bar.update(task, completed=told, description=words)
            told += 1

        yield tell
