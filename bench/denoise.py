"""PSNR of a denoiser package against tuned classical filters on held-out simulated low-dose frames.

    python -m bench.denoise --frames 12 --json denoise.json

Specimens come from `sample_settings("test", seed)`; the truth is the noise-free in-focus image. Each method
gets one gain and one offset over all frames; peak is the data range of the truths. Every filter takes the
setting of its grid that is best on these very test frames: its best case, which the model is not given.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.classical import GRIDS, Denoiser, Image
from bench.models_methods import Packaged
from streamer.errors import StreamerError
from streamer.metrics.quality import Quality, gain_interval_db, linear_fit_psnr, median_box_sum
from streamer.simulation import Scene, sample_settings

#: Terminal and progress go to stderr, so that JSON on stdout stays clean.
CONSOLE = Console(stderr=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """One held-out frame: [y, x] photons and truth, and its median photon sum in foreground boxes."""

    seed: int
    photons: Image
    truth: Image
    median_box_sum: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One row of the table; gains are over the raw frames, with a 95 % bootstrap interval over frames."""

    method: str
    setting: str
    psnr_db: float
    gain_db: float
    gain_low_db: float
    gain_high_db: float


def held_out_frames(seeds: Sequence[int], shape_yx: tuple[int, int] = (600, 600)) -> list[HeldOut]:
    """One frame of each held-out specimen at the low dose."""
    frames = []
    for seed in seeds:
        settings, light, time_s = sample_settings("test", seed, shape_yx)
        exposure = Scene(settings).expose(0, time_s, light)
        frames.append(
            HeldOut(
                seed=seed,
                photons=exposure.counts.astype(np.float32),
                truth=exposure.signal,
                median_box_sum=median_box_sum(exposure.counts, exposure.labels),
            )
        )
    return frames


def packaged_denoiser(model: str) -> Denoiser:
    """A model package as a function of [y, x] photons, run as the product runs it.

    Raises:
        StreamerError: the package or its engine cannot be used.
    """
    packaged = Packaged(model)
    return lambda photons: packaged(photons)[0]


def compare(frames: Sequence[HeldOut], model: tuple[str, Denoiser] | None, seed: int) -> list[Score]:
    """Scores of the raw frames, each tuned filter and the model; `seed` is of the bootstrap."""
    raw = _quality(lambda photons: photons, frames)
    rows: list[tuple[str, str, Quality]] = [("raw", "", raw)]
    for method, grid in GRIDS.items():
        tried = [
            (setting, _quality(filtered, frames))
            for setting, filtered in track(grid, method, console=CONSOLE)
        ]
        setting, quality = max(tried, key=lambda found: found[1].psnr_db)
        rows.append((method, setting, quality))
    if model is not None:
        rows.append((model[0], "", _quality(model[1], frames)))
    return [_score(method, setting, quality, raw, seed) for method, setting, quality in rows]


def _quality(method: Denoiser, frames: Sequence[HeldOut]) -> Quality:
    return linear_fit_psnr([method(frame.photons) for frame in frames], [frame.truth for frame in frames])


def _score(method: str, setting: str, quality: Quality, raw: Quality, seed: int) -> Score:
    low, high = gain_interval_db(quality, raw, np.random.default_rng(seed))
    return Score(
        method=method,
        setting=setting,
        psnr_db=quality.psnr_db,
        gain_db=quality.psnr_db - raw.psnr_db,
        gain_low_db=low,
        gain_high_db=high,
    )


def _table(scores: Sequence[Score], box_sums: NDArray[np.float64]) -> Table:
    table = Table(
        title=f"{len(box_sums)} frames, median box sum {box_sums.min():.0f}-{box_sums.max():.0f} photons",
        caption="filters tuned on these frames; one linear fit per method; 95 % interval over frames",
    )
    for heading in ("method", "best setting", "PSNR dB", "gain dB", "95 %"):
        table.add_column(heading, justify="left" if heading in ("method", "best setting") else "right")
    for score in scores:
        table.add_row(
            score.method,
            score.setting,
            f"{score.psnr_db:.2f}",
            f"{score.gain_db:+.2f}",
            f"{score.gain_low_db:+.2f} to {score.gain_high_db:+.2f}",
        )
    return table


def main(
    model: Annotated[
        str, typer.Option(help="Denoiser package; '' compares the filters only.")
    ] = "er-denoise-live",
    seeds: Annotated[str, typer.Option(help="Specimens, e.g. 3,17,40; drawn anew where empty.")] = "",
    frames: Annotated[int, typer.Option(help="Specimens to draw where no seeds are given.", min=2)] = 12,
    size: Annotated[int, typer.Option(help="Pixels a side.", min=96)] = 600,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write the numbers here, too.")] = None,
) -> None:
    """Print the table of PSNR: raw, tuned filters and a model on the same held-out frames."""
    chosen = [int(seed) for seed in seeds.split(",")] if seeds else draw_seeds(frames)
    CONSOLE.print("seeds", ",".join(map(str, chosen)))
    try:
        packaged = (Path(model).name, packaged_denoiser(model)) if model else None
        held_out = held_out_frames(chosen, (size, size))
        scores = compare(held_out, packaged, seed=chosen[0])
    except StreamerError as error:
        CONSOLE.print(f"error: {error}", style="red")
        raise typer.Exit(error.exit_code) from None
    box_sums = np.array([frame.median_box_sum for frame in held_out])
    Console().print(_table(scores, box_sums))
    if json_path is not None:
        report = {
            "seeds": chosen,
            "shape_yx": [size, size],
            "median_box_sums": box_sums.tolist(),
            "scores": [asdict(score) for score in scores],
        }
        json_path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def draw_seeds(count: int) -> list[int]:
    """Seeds that nobody has chosen."""
    return [int(seed) for seed in np.random.default_rng().integers(2**31, size=count)]


if __name__ == "__main__":
    typer.run(main)
