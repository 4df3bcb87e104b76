"""ERnet as published against ours, on the same processor, frame by frame in turns, with equal labels.

    python -m bench.ernet --shape 600 600 --repeats 12 --json bench/results/ernet.json

Published: PyTorch eager, the formulation of the published code (`bench.ernet_published`), once as it stands
and once without its mask of zeros. Ours: the same weights through `streamer.engines`. The weights are random,
since the published ones are not ours to ship; times do not depend on them, and labels are compared on a frame
in which all four classes occur.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import track

from bench.engines_page import ROUNDING, ernet_limits, ernet_sheet
from bench.measure import begun, percentiles, ratio
from bench.turns import Image, Ready, Runner, running
from streamer.engines import Precision
from streamer.engines.cpu import usable_cores
from streamer.errors import EngineError, StreamerError
from streamer.networks.ernet_input import ernet_input

CONSOLE = Console(stderr=True)
#: Fewer frames, or smaller ones, show that it works and measure nothing.
FULL_REPEATS, FULL_PX = 10, 600
SEED = 0
PUBLISHED = "published, torch eager"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What came of one contender.

    Attributes:
        ms: n, percentiles as far as n carries them, and the largest.
        faster: published over this, with its 95 % interval over rounds.
        labels_differ: pixels with another label than that of the published formulation.
        closest: distance of the two best probabilities in the worst of them; up to `ROUNDING` it is a tie.
        largest_difference: of probabilities, from the published formulation's.
    """

    contender: str
    threads: int
    ms: dict[str, float]
    faster: dict[str, float]
    pixels: int
    labels_differ: int
    closest: float
    largest_difference: float


def frame(shape: tuple[int, int]) -> Image:
    """[1, 1, y, x]: crossing tubules, a sheet, and the noise of few photons, as ERnet takes them."""
    y, x = np.indices(shape)
    tubules = np.exp(-((((x + y) % 43) - 21.0) ** 2) / 9) + np.exp(-((((x - 2 * y) % 71) - 35.0) ** 2) / 9)
    sheet = 0.6 * (np.hypot(y - shape[0] / 2, x - shape[1] / 3) < min(shape) / 5)
    photons = np.random.default_rng(SEED).poisson(6 * (0.05 + np.maximum(tubules, sheet)))
    return ernet_input(photons)[None, None]


def published(shape: tuple[int, int], threads: int, with_mask: bool) -> Ready:
    """The published formulation in PyTorch eager (runs in its own process)."""
    import torch

    from bench.ernet_published import Published, telling

    torch.set_num_threads(threads)
    network = Published(telling(SEED), with_mask=with_mask).eval()

    def run(image: Image) -> Image:
        with torch.inference_mode():
            found: Image = torch.softmax(network(torch.from_numpy(image)), 1).numpy()
        return found

    return Ready(run=run, frame=frame(shape), threads=threads, tolerance=0.0, warm_up=1)


def ours(folder: str, shape: tuple[int, int], threads: int, engine: str, precision: Precision) -> Ready:
    """One of our engines on the package in `folder` (runs in its own process)."""
    from streamer.engines.select import compile_one
    from streamer.package import load_package

    compiled = compile_one(load_package(folder), shape, engine, precision, threads)
    key = dict(compiled.key.to_dict())
    return Ready(
        run=compiled, frame=frame(shape), threads=compiled.key.threads, tolerance=0.0, warm_up=1, key=key
    )


def contenders(folder: str, shape: tuple[int, int], threads: int) -> dict[str, Callable[[], Ready]]:
    """Names, and how each is made; the first is the published formulation."""
    return {
        PUBLISHED: partial(published, shape, threads, True),
        "published without its mask of zeros": partial(published, shape, threads, False),
        "ours, torch eager f32": partial(ours, folder, shape, threads, "torch", "f32"),
        "ours, openvino f32": partial(ours, folder, shape, threads, "openvino", "f32"),
        "ours, openvino bf16": partial(ours, folder, shape, threads, "openvino", "bf16"),
    }


def compare(folder: Path, shape: tuple[int, int], threads: int, repeats: int) -> list[Row]:
    """Rows of every contender that runs here, ours on the package in `folder`; the others on stderr."""
    with ExitStack() as stack:
        runners: dict[str, Runner] = {}
        for name, make in contenders(str(folder), shape, threads).items():
            try:
                runners[name] = stack.enter_context(running(name, make))
            except EngineError as error:
                if name == PUBLISHED:
                    raise
                CONSOLE.print(f"left out: {error}")
        for _ in track(range(repeats), f"{repeats} rounds", console=CONSOLE):
            for runner in runners.values():
                runner.times_ms.append(runner.frame())
        expected = runners[PUBLISHED].output()
        base = runners[PUBLISHED].times_ms
        return [_row(name, runner, expected, base) for name, runner in runners.items()]


def write_random(folder: Path) -> Path:
    """The package of the network that is timed, in `folder`."""
    from bench.ernet_published import telling
    from streamer.training.ernet import write_package

    folder.mkdir(parents=True)
    write_package(folder, telling(SEED, probabilities=True))
    return folder


def _row(name: str, runner: Runner, expected: Image, base: Sequence[float]) -> Row:
    import torch

    from bench.ernet_published import labels_that_differ

    found = runner.output()
    differ, closest = labels_that_differ(torch.from_numpy(found), torch.from_numpy(expected))
    return Row(
        contender=name,
        threads=runner.threads,
        ms=percentiles(runner.times_ms),
        faster=ratio(base, runner.times_ms),
        pixels=found.shape[2] * found.shape[3],
        labels_differ=differ,
        closest=closest,
        largest_difference=float(np.abs(found - expected).max()),
    )


def main(
    shape: Annotated[tuple[int, int], typer.Option(help="Height and width, even.")] = (600, 600),
    repeats: Annotated[int, typer.Option(help="Frames per contender.", min=1)] = 12,
    threads: Annotated[int, typer.Option(help="0 takes the physical cores of this process.")] = 0,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write the numbers here, too.")] = None,
) -> None:
    """Print the table; exit 1 where an f32 engine of ours draws another label than by a tie."""
    report: dict[str, Any] = {
        **begun(),
        "shape_yx": shape,
        "repeats": repeats,
        "quick": repeats < FULL_REPEATS or min(shape) < FULL_PX,
        "weights": "random",
    }
    try:
        with tempfile.TemporaryDirectory() as scratch:
            package = write_random(Path(scratch) / "ernet")
            rows = compare(package, shape, threads or usable_cores(), repeats)
    except StreamerError as error:
        CONSOLE.print(f"error: {error}", style="red")
        raise typer.Exit(error.exit_code) from None
    report["rows"] = [asdict(row) for row in rows]
    ernet_sheet(report).show("ERnet")
    ernet_limits(report).show("asked")
    if json_path is not None:
        json_path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    strays = [row.contender for row in rows if row.contender.endswith("f32") and row.closest > ROUNDING]
    if strays:
        CONSOLE.print(
            f"error: {', '.join(strays)}: labels differ from the published formulation", style="red"
        )
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
