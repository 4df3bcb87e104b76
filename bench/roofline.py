"""How much of what this device can do each model uses: FLOP and bytes per frame, measured peaks, the share.

    python -m bench.roofline --published --ernet --json bench/results/roofline.json

Counts come from the network (`bench.work`), peaks from matrix products, convolutions and copies in the same
process and the same rounds (`bench.peaks`), in turns with the models. A peak is its best round, a model its
median. Run it on a quiet machine.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import track

from bench.engines_page import roofline_limits, roofline_sheet
from bench.measure import begun, percentiles
from bench.peaks import Peak, peaks
from bench.work import Work, work_of
from streamer.engines import Engine, Precision
from streamer.engines.cpu import usable_cores
from streamer.engines.select import compile_one
from streamer.errors import StreamerError
from streamer.package import ModelPackage, list_packages, load_package

CONSOLE = Console(stderr=True)
MEAN_PHOTONS = 0.3
PRECISIONS: tuple[Precision, ...] = ("f32", "bf16")
BYTES: Mapping[Precision, int] = {"f32": 4, "bf16": 2}
COPY = "copy"
#: Fewer rounds, or smaller frames, show that it works and measure nothing.
FULL_REPEATS, FULL_PX = 10, 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A model at one precision under OpenVINO.

    Attributes:
        kind: "denoiser" or "segmenter", None where the package does not tell.
        channels: that its first convolution makes.
        ms: n, percentiles as far as n carries them, and the largest.
        gflop, megabytes: of one frame, as `bench.work` counts them.
        gflop_per_s: reached at the median.
        share_of_matmul: of the best matrix product at this precision.
        share_of_peak: of the best matrix product or convolution at this precision.
        attainable_gflop_per_s: the lower of that peak and what memory allows if every layer's values pass
            through it; a model that is above has its values in the cache.
        bound: "compute" or "memory", whichever is lower.
    """

    model: str
    kind: str | None
    channels: int
    precision: Precision
    threads: int
    parameters: int
    shape_yx: tuple[int, int]
    ms: dict[str, float]
    gflop: float
    megabytes: float
    gflop_per_s: float
    share_of_matmul: float
    share_of_peak: float
    attainable_gflop_per_s: float
    bound: str


def row(
    model: str,
    kind: str | None,
    work: Work,
    engine: Engine,
    times_ms: Sequence[float],
    best: Mapping[str, float],
) -> Row:
    """What a model reached against the best of each peak, FLOP or bytes per second by name."""
    precision = engine.key.precision
    matmul = max(rate for name, rate in best.items() if name.endswith(f"matmul {precision}"))
    peak = max(rate for name, rate in best.items() if name.endswith(precision))
    memory = best[COPY] * work.intensity(BYTES[precision])
    reached = work.flop / (float(np.median(times_ms)) / 1e3)
    return Row(
        model=model,
        kind=kind,
        channels=work.channels,
        precision=precision,
        threads=engine.key.threads,
        parameters=work.parameters,
        shape_yx=engine.key.shape[2:],
        ms=percentiles(times_ms),
        gflop=work.flop / 1e9,
        megabytes=work.values * BYTES[precision] / 1e6,
        gflop_per_s=reached / 1e9,
        share_of_matmul=reached / matmul,
        share_of_peak=reached / peak,
        attainable_gflop_per_s=min(peak, memory) / 1e9,
        bound="compute" if peak <= memory else "memory",
    )


def measure(
    packages: Mapping[str, ModelPackage],
    shape: tuple[int, int],
    threads: int,
    repeats: int,
    *,
    small: bool = False,
) -> tuple[dict[str, float], list[Row]]:
    """The best of every peak (FLOP or bytes per second), and the rows."""
    runnable: list[Peak] = peaks(threads, small=small)
    engines = list(_engines(packages, shape, threads))
    best: dict[str, float] = {}
    times: list[list[float]] = [[] for _ in engines]
    for _ in track(range(repeats), f"{repeats} rounds", console=CONSOLE):
        for peak in runnable:
            best[peak.name] = max(best.get(peak.name, 0.0), peak.per_second())
        for (_, engine, frame), taken in zip(engines, times, strict=True):
            begun = time.perf_counter()
            engine(frame)
            taken.append(1e3 * (time.perf_counter() - begun))
    works = {name: _work(package, shape) for name, package in packages.items()}
    found = zip(engines, times, strict=True)
    return best, [
        row(name, packages[name].kind, works[name], engine, taken, best) for (name, engine, _), taken in found
    ]


def _engines(
    packages: Mapping[str, ModelPackage], shape: tuple[int, int], threads: int
) -> Iterator[tuple[str, Engine, Any]]:
    """Every package at every precision that is possible here, warm, with a frame for it."""
    for name, package in packages.items():
        for precision in PRECISIONS:
            padded = _padded(shape, package)
            try:
                engine = compile_one(package, padded, "openvino", precision, threads)
            except StreamerError as error:
                CONSOLE.print(f"left out: {error}")
                continue
            frame = np.random.default_rng(0).poisson(MEAN_PHOTONS, engine.key.shape).astype(np.float32)
            engine(frame)
            yield name, engine, frame


def _padded(shape: tuple[int, int], package: ModelPackage) -> tuple[int, int]:
    height, width = (size + -size % package.size_multiple for size in shape)
    return height, width


def _work(package: ModelPackage, shape: tuple[int, int]) -> Work:
    channels = package.test_input().shape[1]
    return work_of(package.config.architecture, channels, _padded(shape, package))


@contextmanager
def chosen(models: Sequence[str], published: bool, ernet: bool) -> Iterator[dict[str, ModelPackage]]:
    """The packages to measure by name: those named or all shipped, and those made for the occasion."""
    with tempfile.TemporaryDirectory() as scratch:
        named = {name: load_package(name) for name in models or list_packages()}
        if published:
            from bench.published import write_published

            named["unet-rcan-published"] = load_package(write_published(Path(scratch) / "published"))
        if ernet:
            from bench.ernet import write_random

            named["ernet"] = load_package(write_random(Path(scratch) / "ernet"))
        yield named


def main(
    model: Annotated[list[str] | None, typer.Option(help="Id or folder; all shipped ones without.")] = None,
    published: Annotated[
        bool, typer.Option("--published", help="UNet-RCAN at its published size, too.")
    ] = False,
    ernet: Annotated[bool, typer.Option("--ernet", help="ERnet, too (random weights).")] = False,
    shape: Annotated[tuple[int, int], typer.Option(help="Height and width.")] = (600, 600),
    repeats: Annotated[int, typer.Option(help="Rounds.", min=1)] = 30,
    threads: Annotated[int, typer.Option(help="0 takes the physical cores of this process.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="Tiny peaks, to see that it works.")] = False,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write the numbers here, too.")] = None,
) -> None:
    """Print the table."""
    report: dict[str, Any] = {
        **begun(),
        "shape_yx": shape,
        "repeats": repeats,
        "quick": quick or repeats < FULL_REPEATS or min(shape) < FULL_PX,
        "threads": threads or usable_cores(),
    }
    try:
        with chosen(model or [], published, ernet) as packages:
            best, rows = measure(packages, shape, report["threads"], repeats, small=quick)
    except StreamerError as error:
        CONSOLE.print(f"error: {error}", style="red")
        raise typer.Exit(error.exit_code) from None
    report |= {"peaks_per_s": best, "rows": [asdict(found) for found in rows]}
    roofline_sheet(report).show("roofline")
    roofline_limits(report).show("asked")
    if json_path is not None:
        json_path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
