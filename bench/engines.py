"""One network under each engine in one interleaved run: time per frame, and agreement with PyTorch eager.

    python -m bench.engines --model er-denoise-live --shape 608 608 --json engines.json
    python -m bench.engines --published --shape 600 600 --repeats 10

All contenders take turns frame by frame, each in a process of its own (`bench.turns`). Plain eager runs
twice: as installed, and with an allocator that keeps large buffers (glibc only). ONNX Runtime takes part
where it is installed (`pip install onnxruntime`).
"""

from __future__ import annotations

import importlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.turns import Image, Ready, Runner, running, tails
from streamer.engines import Precision, relative_rms
from streamer.engines.cpu import AMX, cpu_name, instruction_set, usable_cores
from streamer.engines.memory import keep_buffers
from streamer.engines.select import compile_one
from streamer.errors import EngineError, StreamerError
from streamer.package import ModelPackage, load_package

#: Terminal and progress go to stderr, so that JSON on stdout stays clean.
CONSOLE = Console(stderr=True)
#: Photons per pixel of the frame: the order of a low-dose foreground.
MEAN_PHOTONS = 0.3
TABLE_WIDTH = 124
ONNX_RUNTIME = "onnxruntime"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """An engine of ours or "onnxruntime", its precision, and whether glibc is told to keep large buffers."""

    name: str
    engine: str
    precision: Precision
    keep_buffers: bool = False


ORACLE = Contender(name="torch eager f32", engine="torch", precision="f32")
CONTENDERS = (
    ORACLE,
    Contender(name="torch eager f32, malloc settings", engine="torch", precision="f32", keep_buffers=True),
    Contender(name="onnxruntime f32", engine=ONNX_RUNTIME, precision="f32"),
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
    key: Any


def make(contender: Contender, model: str, shape: tuple[int, int], threads: int) -> Ready:
    """The contender, compiled (runs in its own process).

    Raises:
        StreamerError: it is not here, or cannot compute this model.
    """
    if contender.keep_buffers and not keep_buffers():
        raise EngineError("malloc settings need glibc; leave this contender out")
    package = load_package(model)
    if any(size % package.size_multiple for size in shape):
        raise EngineError(f"shape {list(shape)}: {package.id} needs multiples of {package.size_multiple}")
    allowed = package.config.tolerance
    tolerance = allowed.relative_rms_bf16 if contender.precision == "bf16" else allowed.relative_rms_f32
    frame_shape = (1, package.test_input().shape[1], *shape)
    frame = np.random.default_rng(0).poisson(MEAN_PHOTONS, frame_shape).astype(np.float32)
    if contender.engine == ONNX_RUNTIME:
        run, key = onnx_runtime(package, threads)
        return Ready(run=run, frame=frame, threads=threads, tolerance=tolerance, key=key)
    engine = compile_one(package, shape, contender.engine, contender.precision, threads)
    key = dict(engine.key.to_dict())
    return Ready(run=engine, frame=frame, threads=engine.key.threads, tolerance=tolerance, key=key)


def onnx_runtime(package: ModelPackage, threads: int) -> tuple[Callable[[Image], Image], dict[str, object]]:
    """The package's ONNX weights under ONNX Runtime on the CPU, and its version.

    Raises:
        EngineError: it is not installed, or the package holds no ONNX weights.
    """
    try:
        runtime: Any = importlib.import_module(ONNX_RUNTIME)
    except ImportError:
        raise EngineError("onnxruntime is not installed; pip install onnxruntime") from None
    if package.description.weights.onnx is None:
        raise EngineError(f"{package.id}: holds no ONNX weights; export them")
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = runtime.InferenceSession(
        package.read(package.description.weights.onnx), options, providers=["CPUExecutionProvider"]
    )
    (given,) = session.get_inputs()

    def run(frame: Image) -> Image:
        output: NDArray[np.float32] = session.run(None, {given.name: frame})[0]
        return output

    return run, {"runtime": ONNX_RUNTIME, "runtime_version": runtime.__version__, "threads": threads}


def compare(model: str, shape: tuple[int, int], threads: int, repeats: int) -> list[Row]:
    """Rows of every contender that runs here; one that cannot is named on stderr.

    Raises:
        EngineError: the oracle cannot run.
    """
    with ExitStack() as stack:
        runners: dict[Contender, Runner] = {}
        for contender in CONTENDERS:
            try:
                made = running(contender.name, partial(make, contender, model, shape, threads))
                runners[contender] = stack.enter_context(made)
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


def _row(name: str, runner: Runner, expected: Image, base_ms: float) -> Row:
    median_ms = float(np.median(runner.times_ms))
    low, high = tails(runner.times_ms)
    return Row(
        contender=name,
        threads=runner.threads,
        compile_s=runner.compile_s,
        median_ms=median_ms,
        p10_ms=low,
        p90_ms=high,
        times_faster=base_ms / median_ms,
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


def _published(folder: Path) -> Path:
    from bench.published import write_published

    return write_published(folder / "unet-rcan-published")


def main(
    model: Annotated[
        str, typer.Option(help="Id or folder of a package with both kinds of weights.")
    ] = "er-denoise-live",
    published: Annotated[
        bool, typer.Option("--published", help="UNet-RCAN at its published size, random weights, instead.")
    ] = False,
    shape: Annotated[tuple[int, int], typer.Option(help="Height and width.")] = (608, 608),
    repeats: Annotated[int, typer.Option(help="Frames per contender.", min=1)] = 30,
    threads: Annotated[int, typer.Option(help="0 takes the physical cores of this process.")] = 0,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write the numbers here, too.")] = None,
) -> None:
    """Print the table of engines; exit 1 where one strays from the oracle beyond the package's tolerance."""
    title = "unet-rcan as published, random weights," if published else model
    machine: dict[str, Any] = {
        "cpu": cpu_name(),
        "instruction_set": instruction_set(),
        "amx": instruction_set() == AMX,
        "usable_cores": usable_cores(),
        "load_before": os.getloadavg() if hasattr(os, "getloadavg") else None,
    }
    try:
        with tempfile.TemporaryDirectory() as scratch:
            folder = str(_published(Path(scratch))) if published else model
            rows = compare(folder, shape, threads or usable_cores(), repeats)
    except StreamerError as error:
        CONSOLE.print(f"error: {error}", style="red")
        raise typer.Exit(error.exit_code) from None
    if machine["load_before"] and machine["load_before"][0] > usable_cores() / 2:
        CONSOLE.print(f"the machine was busy (load {machine['load_before'][0]:.1f}): read ratios, not times")
    amx = "with" if machine["amx"] else "without"
    Console(width=max(Console().width, TABLE_WIDTH)).print(
        _table(
            rows,
            f"{title} {shape[0]}x{shape[1]}, n = {repeats}, {cpu_name()} ({instruction_set()}), {amx} AMX",
        )
    )
    if json_path is not None:
        report = {
            "model": title,
            "date": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()),
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
