"""One model that learned several structures, beside the one that learned the ER alone.

    python -m bench.several --data PATH --out bench/results/several.json

Every structure of the simulator and every kind of real emitter map, at the low dose: raw frames, the filter
that stands for all of them, tuned on the ER as a user would have it, and both models. The range guard is that
of a run of the model that learned several.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track

from bench.classical import GRIDS
from bench.measure import machine
from bench.models import compact
from bench.models_methods import Method, Packaged, raw_and_filters, tuning_frames
from bench.models_structures import FILTER, Guard, structures
from streamer.errors import StreamerError
from streamer.package import load_package

CONSOLE = Console(stderr=True)
BOX_SUM = 28.0
#: The segmenter beside which its guard looks: none was trained for the other structures.
SEGMENTER = "er-segment-live"
#: Fewer or smaller specimens show that it works and measure nothing.
FULL_FRAMES, FULL_PX = 12, 600


def measure(
    several: str, single: str, *, frames: int, size_px: int, seed: int, data: Path | None
) -> list[dict[str, Any]]:
    """Rows of every structure.

    Raises:
        StreamerError: a package cannot be used.
    """
    tuning = tuning_frames(BOX_SUM, 4, seed, min(size_px, 300))
    methods = [
        *raw_and_filters(tuning, {FILTER: GRIDS[FILTER]}),
        Method(name=Path(single).name, kind="other", setting="", denoise=Packaged(single)),
        Method(name=Path(several).name, kind="ours", setting="", denoise=Packaged(several)),
    ]
    guard = Guard(several, SEGMENTER)
    found = structures(methods, guard, BOX_SUM, seed, frames, size_px, data)
    return list(track(found, "structures", console=CONSOLE))


def main(
    out: Annotated[Path, typer.Option(help="JSON to write.")],
    several: Annotated[str, typer.Option(help="Package that learned several.")] = "cell-denoise-live",
    single: Annotated[str, typer.Option(help="Package that learned one.")] = "er-denoise-live",
    frames: Annotated[int, typer.Option(min=2, help="Specimens of each structure.")] = FULL_FRAMES,
    size: Annotated[int, typer.Option(min=96, help="Pixels a side.")] = FULL_PX,
    seed: Annotated[int, typer.Option(min=0, help="Of specimens and intervals.")] = 6,
    data: Annotated[Path | None, typer.Option(help="Folder of real emitter maps.")] = None,
) -> None:
    """Judge both models on the same specimens; `python -m bench.models_page` makes the page."""
    try:
        found = measure(several, single, frames=frames, size_px=size, seed=seed, data=data)
        training = load_package(several).config.training or {}
    except StreamerError as error:
        CONSOLE.print(f"error: {error}", style="red")
        raise typer.Exit(error.exit_code) from None
    report = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "quick": frames < FULL_FRAMES or size < FULL_PX,
        "box_sum": BOX_SUM,
        "size_px": size,
        "seed": seed,
        "several": Path(several).name,
        "single": Path(single).name,
        "learned": training["recipe"]["structures"],
        "structures": found,
    }
    out.write_text(compact(report), encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
