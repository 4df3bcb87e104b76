"""The noisy frames that the Noise2Void baseline learns from: specimens of the training, without their truth.

    python -m bench.models_noisy --out noisy --count 500
    streamer train --noisy noisy --method noise2void --steps 7000 --out noise2void

Specimens, seeds and photon levels are those of `streamer train --simulate er --seed 1`; each is exposed once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import tifffile
import typer
from rich.progress import track

from streamer.training import Recipe, make_field


def write_noisy(out: Path, count: int, recipe: Recipe) -> None:
    """Write `count` TIFFs of uint16 counts [y, x], field by field of the recipe."""
    out.mkdir(parents=True, exist_ok=True)
    low, high = recipe.box_sum
    for index in track(range(count), "noisy frames"):
        field = make_field("train", recipe.seed * 1_000_000 + index, recipe.field_px)
        rng = np.random.default_rng((recipe.seed, 45, index))
        level = low * (high / low) ** rng.random() / 100.0
        expected = (field.signal.astype(np.float64) + field.background) * level
        counts = rng.poisson(expected).astype(np.uint16)
        tifffile.imwrite(out / f"{index:04}.tif", counts, photometric="minisblack")


def main(
    out: Annotated[Path, typer.Option(help="Folder of the frames.")],
    count: Annotated[int, typer.Option(min=2)] = Recipe().fields,
    seed: Annotated[int, typer.Option(min=0, help="Of the training.")] = Recipe().seed,
    field_px: Annotated[int, typer.Option(min=64)] = Recipe().field_px,
) -> None:
    """Simulate and expose."""
    write_noisy(out, count, Recipe(seed=seed, field_px=field_px))


if __name__ == "__main__":
    typer.run(main)
