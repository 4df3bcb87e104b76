"""One network under each engine in one interleaved run: time per frame, and agreement with PyTorch eager.

    python -m bench.engines --model er-denoise-live --shape 608 608 --json engines.json

Each contender lives in a process of its own, so that no runtime inherits another's threads or memory
settings, and all take turns frame by frame, so that a busy moment of the machine hits all of them.
Plain eager runs twice: as installed, and with an allocator that keeps large buffers (glibc only).
"""

from __future__ import annotations

import ctypes
import json
import multiprocessing
import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from streamer.engines import Precision, compile_engine, relative_rms
from streamer.engines.cpu import AMX, cpu_name, instruction_set, usable_cores
from streamer.errors import EngineError, StreamerError
from streamer.package import load_package

#: Terminal and progress go to stderr, so that JSON on stdout stays clean.
CONSOLE = Console(stderr=True)
#: Photons per pixel of the frame: the order of a low-dose foreground.
MEAN_PHOTONS = 0.3
#: Percentiles of the two tails need so many frames.
FRAMES_FOR_TAILS = 10
TOO_SMALL = "n too small"
TABLE_WIDTH = 124
#: mallopt(3): keep every buffer in one heap that is never given back.
MALLOC_SETTINGS = {"M_MMAP_MAX": (-4, 0), "M_TRIM_THRESHOLD": (-1, 2**31 - 1), "M_ARENA_MAX": (-8, 1)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """An engine, its precision, and whether glibc is told to keep large buffers."""

    name: str
    engine: str
    precision: Precision
    keep_buffers: bool = False


ORACLE = Contender(name="torch eager f32", engine="torch", precision="f32")
CONTENDERS = (
    ORACLE,
    Contender(name="torch eager f32, malloc settings", engine="torch", precision="f32", keep_buffers=True),
    Contender(name="openvino f32", engine="openvino", precision="f32"),
    Contender(name="openvino bf16", engine="openvino", precision="bf16"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What came of one contender; a percentile that the sample cannot carry says so."""

    contender: str
    threads: int
    compile_s: float
    median_ms: float
    p10_ms: float | str
    p90_ms: float | str
    times_faster: float
    relative_rms: float
    tolerance: float
    key: Mapping[str, object]


class Runner:
    """The parent's end of one contender's process."""

    def __init__(self, pipe: Connection, name: str) -> None:
        self._pipe, self._name = pipe, name
        self.key, self.compile_s, self.tolerance = self._ask(None)
        self.times_ms: list[float] = []

    def frame(self) -> float:
        """Milliseconds of one frame."""
        return float(self._ask("frame"))

    def output(self) -> NDArray[np.float32]:
        """The output for the common frame."""
        output: NDArray[np.float32] = self._ask("output")
        return output

    def _ask(self, question: str | None) -> Any:
        if question:
            self._pipe.send(question)
        try:
            kind, answer = self._pipe.recv()
        except EOFError:
            raise EngineError(f"{self._name}: its process ended; look above for the reason") from None
        if kind == "error":
            raise EngineError(f"{self._name}: {answer}")
        return answer


@contextmanager
def running(contender: Contender, model: str, shape: tuple[int, int], threads: int) -> Iterator[Runner]:
    """A contender in its own process, compiled and warm."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=serve, args=(theirs, contender, model, shape, threads), daemon=True
    )
    process.start()
    theirs.close()
    try:
        yield Runner(ours, contender.name)
    finally:
        ours.close()
        process.join(timeout=10)
        process.terminate()


def serve(pipe: Connection, contender: Contender, model: str, shape: tuple[int, int], threads: int) -> None:
    """Compile, warm up, then answer questions until the pipe closes (runs in the contender's process)."""
    try:
        if contender.keep_buffers:
            keep_buffers()
        package = load_package(model)
        begun = time.perf_counter()
        engine = compile_engine(
            package, shape, engine=contender.engine, precision=contender.precision, threads=threads
        )
        compile_s = time.perf_counter() - begun
        frame = np.random.default_rng(0).poisson(MEAN_PHOTONS, engine.key.shape).astype(np.float32)
        for _ in range(3):  # warm-up: first touches, thread pools
            output = engine(frame)
    except StreamerError as error:
        pipe.send(("error", str(error)))
        return
    allowed = package.config.tolerance
    tolerance = allowed.relative_rms_bf16 if contender.precision == "bf16" else allowed.relative_rms_f32
    pipe.send(("ready", (engine.key.to_dict(), compile_s, tolerance)))
    while True:
        try:
            question = pipe.recv()
        except EOFError:
            return
        begun = time.perf_counter()
        output = engine(frame)
        taken_ms = 1e3 * (time.perf_counter() - begun)
        pipe.send(("answer", output if question == "output" else taken_ms))


def keep_buffers() -> None:
    """Tell glibc to keep what is freed.

    Raises:
        EngineError: another C library.
    """
    if platform.libc_ver()[0] != "glibc":
        raise EngineError("malloc settings need glibc; leave this contender out")
    mallopt = ctypes.CDLL(None).mallopt
    for name, (number, value) in MALLOC_SETTINGS.items():
        if not mallopt(number, value):
            raise EngineError(f"mallopt({name}, {value}) was refused; leave this contender out")


def compare(model: str, shape: tuple[int, int], threads: int, repeats: int) -> list[Row]:
    """Rows of every contender that runs here; one that cannot is named on stderr.

    Raises:
        EngineError: the oracle cannot run.
    """
    with ExitStack() as stack:
        runners: dict[Contender, Runner] = {}
        for contender in CONTENDERS:
            try:
                runners[contender] = stack.enter_context(running(contender, model, shape, threads))
            except EngineError as error:
                if contender is ORACLE:
                    raise
                CONSOLE.print(f"left out: {error}")
        for _ in track(range(repeats), f"{repeats} rounds", console=CONSOLE):
            for runner in runners.values():
                runner.times_ms.append(runner.frame())
        expected = runners[ORACLE].output()
        base_ms = float(np.median(runners[ORACLE].times_ms))
        return [_row(contender.name, runner, expected, base_ms) for contender, runner in runners.items()]


def _row(name: str, runner: Runner, expected: NDArray[np.float32], base_ms: float) -> Row:
    times = np.array(runner.times_ms)
    low, high = np.percentile(times, [10, 90]) if len(times) >= FRAMES_FOR_TAILS else (TOO_SMALL, TOO_SMALL)
    return Row(
        contender=name,
        threads=int(runner.key["threads"]),
        compile_s=runner.compile_s,
        median_ms=float(np.median(times)),
        p10_ms=low,
        p90_ms=high,
        times_faster=base_ms / float(np.median(times)),
        relative_rms=relative_rms(runner.output(), expected),
        tolerance=runner.tolerance,
        key=runner.key,
    )


def _table(rows: Sequence[Row], title: str) -> Table:
    table = Table(title=title, caption=f"faster: median of {ORACLE.name} over the contender's")
    table.add_column("contender")
    for heading in ("threads", "compile s", "median ms", "p10", "p90", "faster", "relative RMS", "tolerance"):
        table.add_column(heading, justify="right")
    for row in rows:
        tails = (tail if isinstance(tail, str) else f"{tail:.1f}" for tail in (row.p10_ms, row.p90_ms))
        table.add_row(
            row.contender,
            str(row.threads),
            f"{row.compile_s:.2f}",
            f"{row.median_ms:.1f}",
            *tails,
            f"{row.times_faster:.2f}x",
            f"{row.relative_rms:.1e}",
            f"{row.tolerance:.0e}",
        )
    return table


def main(
    model: Annotated[str, typer.Option(help="Id or folder of a package with both kinds of weights.")],
    shape: Annotated[tuple[int, int], typer.Option(help="Height and width.")] = (608, 608),
    repeats: Annotated[int, typer.Option(help="Frames per contender.", min=1)] = 30,
    threads: Annotated[int, typer.Option(help="0 takes the physical cores of this process.")] = 0,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write the numbers here, too.")] = None,
) -> None:
    """Print the table of engines; exit 1 where one strays from the oracle beyond the package's tolerance."""
    machine: dict[str, Any] = {
        "cpu": cpu_name(),
        "instruction_set": instruction_set(),
        "amx": instruction_set() == AMX,
        "usable_cores": usable_cores(),
        "load_before": os.getloadavg() if hasattr(os, "getloadavg") else None,
    }
    try:
        rows = compare(model, shape, threads or usable_cores(), repeats)
    except StreamerError as error:
        CONSOLE.print(f"error: {error}", style="red")
        raise typer.Exit(error.exit_code) from None
    if machine["load_before"] and machine["load_before"][0] > usable_cores() / 2:
        CONSOLE.print(f"the machine was busy (load {machine['load_before'][0]:.1f}): read ratios, not times")
    amx = "with" if machine["amx"] else "without"
    Console(width=max(Console().width, TABLE_WIDTH)).print(
        _table(
            rows,
            f"{model} {shape[0]}x{shape[1]}, n = {repeats}, {cpu_name()} ({instruction_set()}), {amx} AMX",
        )
    )
    if json_path is not None:
        report = {
            "model": model,
            "shape_yx": shape,
            "repeats": repeats,
            "machine": machine,
            "rows": [asdict(row) for row in rows],
        }
        json_path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    strays = [row.contender for row in rows if not row.relative_rms <= row.tolerance]
    if strays:
        CONSOLE.print(f"error: {', '.join(strays)} strays from {ORACLE.name}", style="red")
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
