"""One network under each engine in one interleaved run: time per frame, and agreement with PyTorch eager.

    python -m bench.engines --model er-denoise-live --json bench/results/engines-er-denoise-live.json
    python -m bench.engines --published --shape 600 600 --repeats 10 --json engines-unet-rcan.json

All contenders take turns frame by frame, each in a process of its own (`bench.turns`). Plain eager runs
twice: as installed, and with an allocator that keeps large buffers (glibc only). OpenVINO runs in each
precision, and once more in the one that a trial chooses. ONNX Runtime takes part where it is installed
(`pip install onnxruntime`).
"""

from __future__ import annotations

import importlib
import json
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from bench.engines_page import BF16, CHOSEN, EAGER, engines_limits, engines_sheet, engines_title
from bench.measure import begun
from bench.turns import Image, Ready, Runner, running
from streamer.engines import Precision, relative_rms
from streamer.engines.choice import choose
from streamer.engines.cpu import usable_cores
from streamer.engines.memory import keep_buffers
from streamer.engines.select import compile_one
from streamer.errors import EngineError, StreamerError
from streamer.package import ModelPackage, load_package

#: Terminal and progress go to stderr, so that JSON on stdout stays clean.
CONSOLE = Console(stderr=True)
#: Photons per pixel of the frame: the order of a low-dose foreground.
MEAN_PHOTONS = 0.3
ONNX_RUNTIME = "onnxruntime"
#: Fewer frames, or smaller ones, show that it works and measure nothing.
FULL_REPEATS, FULL_PX = 10, 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """An engine of ours or "onnxruntime", its precision, and whether glibc is told to keep large buffers."""

    name: str
    engine: str
    precision: Precision | Literal["auto"]
    keep_buffers: bool = False


ORACLE = Contender(name=EAGER, engine="torch", precision="f32")
CONTENDERS = (
    ORACLE,
    Contender(name="torch eager f32, malloc settings", engine="torch", precision="f32", keep_buffers=True),
    Contender(name="onnxruntime f32", engine=ONNX_RUNTIME, precision="f32"),
    Contender(name="openvino f32", engine="openvino", precision="f32"),
    Contender(name=BF16, engine="openvino", precision="bf16"),
    Contender(name=CHOSEN, engine="openvino", precision="auto"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What came of one contender."""

    contender: str
    threads: int
    compile_s: float
    times_ms: list[float]
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
    frame_shape = (1, package.test_input().shape[1], *shape)
    frame = np.random.default_rng(0).poisson(MEAN_PHOTONS, frame_shape).astype(np.float32)
    allowed = package.config.tolerance
    if contender.engine == ONNX_RUNTIME:
        run, key = onnx_runtime(package, threads)
        return Ready(run=run, frame=frame, threads=threads, tolerance=allowed.relative_rms_f32, key=key)
    if contender.precision == "auto":
        engine = choose(package, shape, engine=contender.engine, threads=threads).engine
    else:
        engine = compile_one(package, shape, contender.engine, contender.precision, threads)
    tolerance = allowed.relative_rms_bf16 if engine.key.precision == "bf16" else allowed.relative_rms_f32
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
    runtime.disable_telemetry_events()
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
        return [_row(contender.name, runner, expected) for contender, runner in runners.items()]


def _row(name: str, runner: Runner, expected: Image) -> Row:
    return Row(
        contender=name,
        threads=runner.threads,
        compile_s=runner.compile_s,
        times_ms=[round(ms, 3) for ms in runner.times_ms],
        relative_rms=relative_rms(runner.output(), expected),
        tolerance=runner.tolerance,
        key=runner.key,
    )


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
    report: dict[str, Any] = {
        **begun(),
        "model": "unet-rcan as published, random weights" if published else model,
        "published": published,
        "shape_yx": shape,
        "repeats": repeats,
        "quick": repeats < FULL_REPEATS or min(shape) < FULL_PX,
    }
    try:
        with tempfile.TemporaryDirectory() as scratch:
            folder = str(_published(Path(scratch))) if published else model
            rows = compare(folder, shape, threads or usable_cores(), repeats)
    except StreamerError as error:
        CONSOLE.print(f"error: {error}", style="red")
        raise typer.Exit(error.exit_code) from None
    report["rows"] = [asdict(row) for row in rows]
    if report["load_before"] and report["load_before"] > usable_cores() / 2:
        CONSOLE.print(f"the machine was busy (load {report['load_before']:.1f}): read ratios, not times")
    engines_sheet(report).show(engines_title(report))
    engines_limits(report).show("asked")
    if json_path is not None:
        json_path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    strays = [row.contender for row in rows if not row.relative_rms <= row.tolerance]
    if strays:
        CONSOLE.print(f"error: {', '.join(strays)} strays from {ORACLE.name}", style="red")
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
