"""What the frames before are worth, and whether a network that sees them smears what moves.

    python -m bench.context --causal er-denoise-causal --out bench/results/context.json

Specimens of the test range at the low dose, seen at three moments: at 0.6 s and 4.6 s between frames (a
demo's pace and that of Rahm et al.), and drifting by four pixels a frame. The single-frame model is shown the
newest frame, the causal one all three, and once more the newest alone, as at the first frame of a run.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console

from bench.measure import machine
from streamer.metrics.quality import gain_interval_db, linear_fit_psnr
from streamer.package import load_package
from streamer.simulation.series import ContextExposure, smear, time_exposures
from streamer.training import load_network
from streamer.training.tasks import expected

CONSOLE = Console(stderr=True)
#: Name, seconds between frames, drift in pixels a frame.
SCENES = (("0.6 s", 0.6, 0.0), ("4.6 s", 4.6, 0.0), ("4 px a frame", 0.6, 4.0))
FRAMES = 3
#: Fewer specimens or smaller ones show that it works and measure nothing.
FULL_FRAMES, FULL_PX = 12, 600

Image = NDArray[np.float32]


def compare(
    single: Sequence[Image], causal: Sequence[Image], exposures: Sequence[ContextExposure], seed: int
) -> dict[str, Any]:
    """Gain of the causal predictions over the single-frame ones in dB (95 % over frames), and both smears."""
    truths = [exposure.truth for exposure in exposures]
    alone, together = (linear_fit_psnr(images, truths) for images in (single, causal))
    low, high = gain_interval_db(together, alone, np.random.default_rng(seed))
    return {
        "gain_db": round(together.psnr_db - alone.psnr_db, 3),
        "gain_db_interval_95": [round(low, 3), round(high, 3)],
        "share_before": {
            "single": round(smear(single, exposures).share_before, 4),
            "causal": round(smear(causal, exposures).share_before, 4),
        },
    }


def main(
    causal: Annotated[str, typer.Option(help="Package that is shown three frames: an id or a folder.")],
    out: Annotated[Path, typer.Option(help="JSON to write.")],
    single: Annotated[str, typer.Option(help="Package that is shown one.")] = "er-denoise-live",
    frames: Annotated[int, typer.Option(min=2, help="Specimens.")] = FULL_FRAMES,
    size: Annotated[int, typer.Option(min=64, help="Pixels a side.")] = FULL_PX,
    box_sum: Annotated[float, typer.Option(min=0.1, help="Median photons of foreground boxes.")] = 28.0,
    seed: Annotated[int, typer.Option(min=0, help="Of specimens and photons.")] = 4242,
) -> None:
    """Judge both on the same frames, still and moving."""
    networks = {"single": load_network(load_package(single)), "causal": load_network(load_package(causal))}
    rows = {}
    for name, interval_s, shift_px in SCENES:
        exposures = time_exposures(frames, seed, size, FRAMES, box_sum, interval_s, shift_px=shift_px)
        alone = [expected(networks["single"], exposure.counts[:1]) for exposure in exposures]
        together = [expected(networks["causal"], exposure.counts) for exposure in exposures]
        first = [
            expected(networks["causal"], np.repeat(exposure.counts[:1], FRAMES, axis=0))
            for exposure in exposures
        ]
        rows[name] = {
            "with past": compare(alone, together, exposures, seed),
            "without past": compare(alone, first, exposures, seed),
        }
        CONSOLE.print(name, rows[name])
    report = {
        "single": Path(single).name,
        "causal": Path(causal).name,
        "quick": frames < FULL_FRAMES or size < FULL_PX,
        "frames": frames,
        "size_px": size,
        "box_sum": box_sum,
        "seed": seed,
        "machine": machine(),
        "scenes": rows,
    }
    out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
