"""What large two-channel frames cost when both channels are denoised at once and every k-th is segmented.

    python -m bench.joint --model er-joint --single er-denoise-live --json bench/results/joint.json

Time: ms per frame of two channels of `--shape`, of the stages denoise and segment as the pipeline runs them,
by turns for every way; a round is as many frames as the largest k, so that every way segments as often as its
k says. `worst_ms` is of the slowest frame of a round, which is one that is segmented.

Quality: simulated movies of moving specimens of the test range at the low dose, each channel with photons of
its own. PSNR and SSIM of each channel against its truth under one linear fit, for the joint network and for
two passes of the single one; k changes no image. Labels: intersection over union of what a frame shows with
what it would show if it were segmented itself, over the drawn classes together, mean over the frames of k.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console

from bench.frames_page import SINGLE, joint_sheet
from bench.measure import begun
from streamer.core import Calibration, Frame, Result
from streamer.engines import Precision
from streamer.metrics import ssim
from streamer.metrics.quality import linear_fit_psnr
from streamer.package import ModelPackage, load_package
from streamer.pipeline import Compiled, Denoised, Running, denoise, denoise_together, segment
from streamer.pipeline.carried import LabelsState, step
from streamer.simulation import Scene, foreground_box_sum, sample_settings

CONSOLE = Console(stderr=True)
EVERY = (1, 2, 4, 8)
LOW_DOSE_BOX_SUM = 28.0
SEED = 4243
#: Less than this shows that it works and measures nothing.
FULL_ROUNDS, FULL_MOVIES, FULL_PX, FULL_SHAPE = 5, 4, 600, (1200, 1200)

Image = NDArray[np.float32]
Parts = tuple[Frame, ...]
#: All channels of a frame to their results.
Way = Callable[[Parts], list[Result]]


def way_of(denoiser: Compiled, segmenter: Compiled, every: int) -> Way:
    """Denoise and segment as the pipeline does, with labels carried between segmented frames."""
    settings: dict[str, Any] = {
        "calibration": Calibration(),
        "network_for": denoiser,
        "size_multiple": denoiser.package.size_multiple,
    }
    draw = partial(segment, network_for=segmenter, size_multiple=segmenter.package.size_multiple)
    drawn: Running[LabelsState, [Denoised], Result] = Running(
        partial(step, every=every, segment=draw), LabelsState()
    )

    def run(parts: Parts) -> list[Result]:
        if denoiser.package.channels > 1:
            images: Sequence[Denoised] = denoise_together(parts, **settings)
        else:
            images = [denoise(part, **settings) for part in parts]
        return [drawn(image) for image in images]

    return run


def frame_of(counts: Image, seq: int) -> Parts:
    """[channels, y, x] counts as the parts of one sensor frame."""
    return tuple(
        Frame(pixels=each.astype(np.uint16), seq=seq, axes={"channel": f"{number}"})
        for number, each in enumerate(counts)
    )


def timed(ways: dict[str, Way], shape_yx: tuple[int, int], rounds: int) -> dict[str, Any]:
    """ms per frame of each way: median of the means of rounds, and of the segmented frames."""
    rng = np.random.default_rng(SEED)
    counts = rng.poisson(0.3, (2, *shape_yx)).astype(np.float32)
    taken: dict[str, list[list[float]]] = {name: [] for name in ways}
    for name, way in ways.items():
        for seq in range(max(EVERY)):
            way(frame_of(counts, seq))  # compile and warm up, and end where the next frame is segmented
        CONSOLE.print(f"warm: {name}")
    for number in range(1, rounds + 1):
        for name, way in ways.items():
            each = []
            for seq in range(max(EVERY)):
                parts = frame_of(counts, number * max(EVERY) + seq)
                begun = time.perf_counter()
                way(parts)
                each.append((time.perf_counter() - begun) * 1e3)
            taken[name].append(each)
    return {
        name: {
            "ms": float(np.median([np.mean(each) for each in rounds_of])),
            "worst_ms": float(np.median([np.max(each) for each in rounds_of])),
            "rounds": len(rounds_of),
        }
        for name, rounds_of in taken.items()
    }


def movie(
    structures: Sequence[str], number: int, size_px: int, frames: int, interval_s: float
) -> tuple[Image, Image]:
    """Counts and truth [frames, channels, y, x] of a moving specimen; equal structures show the same one."""
    channels = []
    for channel, structure in enumerate(structures):
        seed = SEED * 1_000_000 + 1000 * structures.index(structure) + number
        settings, light, start_s = sample_settings("test", seed, (size_px, size_px), structure)
        scene = Scene(settings)
        looks = [scene.expected(start_s + interval_s * moment, light) for moment in range(frames)]
        found = foreground_box_sum(looks[0][0] + looks[0][1], looks[0][2])
        scale = np.float32(1.0 if np.isnan(found) else LOW_DOSE_BOX_SUM / found)
        rng = np.random.default_rng((seed, channel))
        counts = [rng.poisson((signal + haze) * scale).astype(np.float32) for signal, haze, _ in looks]
        channels.append((np.stack(counts), np.stack([signal * scale for signal, _, _ in looks])))
    counts, truth = (np.stack(each, axis=1) for each in zip(*channels, strict=True))
    return counts, truth


def shown(way: Way, counts: Image) -> list[list[Result]]:
    """[frame][channel] what a movie becomes."""
    return [way(frame_of(each, seq)) for seq, each in enumerate(counts)]


def overlap(found: NDArray[np.uint8], own: NDArray[np.uint8]) -> tuple[int, int]:
    """Pixels of the drawn classes in which both agree, and in which either draws."""
    drawn = (found != 0) | (own != 0)
    return int(np.count_nonzero(drawn & (found == own))), int(np.count_nonzero(drawn))


def image_quality(results: Sequence[list[Result]], truths: Sequence[Image]) -> list[dict[str, float]]:
    """PSNR in dB and SSIM of each channel over all frames."""
    rows = []
    for channel in range(truths[0].shape[0]):
        predicted = [each[channel].denoised for each in results]
        truth = [each[channel] for each in truths]
        fit = linear_fit_psnr(predicted, truth)
        fitted = [np.float32(fit.gain) * image + np.float32(fit.offset) for image in predicted]
        similar = [ssim(a, b, data_range=fit.peak) for a, b in zip(fitted, truth, strict=True)]
        rows.append({"psnr_db": round(fit.psnr_db, 3), "ssim": round(float(np.mean(similar)), 4)})
    return rows


def label_agreement(fresh: Sequence[list[Result]], carried: Sequence[list[Result]]) -> float:
    """Intersection over union of shown and own labels, over all frames and channels."""
    pairs = [
        overlap(other.labels, own.labels)
        for each, others in zip(fresh, carried, strict=True)
        for own, other in zip(each, others, strict=True)
    ]
    both, either = (sum(column) for column in zip(*pairs, strict=True))
    return both / either if either else 1.0


def quality(
    ways: dict[str, Way], movies: Sequence[tuple[Image, Image]], fresh: str
) -> dict[str, dict[str, Any]]:
    """Of each way: its images against the truth, and its labels against those of `fresh`, joint at k = 1."""
    truths = [truth for _, each in movies for truth in each]
    made = {
        name: [frame for counts, _ in movies for frame in shown(way, counts)] for name, way in ways.items()
    }
    return {
        name: {
            "channels": image_quality(results, truths),
            "label_iou": round(label_agreement(made[fresh if "single" not in name else name], results), 4),
        }
        for name, results in made.items()
    }


def ways_of(
    joint: ModelPackage, single: ModelPackage, segmenter: ModelPackage, precision: Precision, threads: int
) -> dict[str, Way]:
    """The joint network at each k, and two passes of the single one at k = 1; engines are shared."""
    both, one, draws = (
        Compiled(package, engine="openvino", precision=precision, threads=threads)
        for package in (joint, single, segmenter)
    )
    ways = {f"joint, k = {every}": way_of(both, draws, every) for every in EVERY}
    return {SINGLE: way_of(one, draws, 1), **ways}


def main(
    model: Annotated[str, typer.Option(help="Joint denoiser of two channels: an id or a folder.")],
    json_: Annotated[Path, typer.Option("--json", help="JSON to write.")],
    single: Annotated[str, typer.Option(help="Denoiser of single channels.")] = "er-denoise-live",
    segmenter: Annotated[str, typer.Option(help="Segmenter.")] = "er-segment-live",
    structures: Annotated[str, typer.Option(help="Of the two channels, with a comma.")] = "er,er",
    shape: Annotated[tuple[int, int], typer.Option(help="Of one channel, for the times.")] = FULL_SHAPE,
    size: Annotated[int, typer.Option(min=96, help="Pixels a side, for the quality.")] = FULL_PX,
    movies: Annotated[int, typer.Option(min=1, help="Specimens.")] = FULL_MOVIES,
    interval_s: Annotated[float, typer.Option(min=0.001, help="Seconds from frame to frame.")] = 0.1,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of eight frames.")] = FULL_ROUNDS,
    precision: Annotated[str, typer.Option(help="f32 or bf16.")] = "bf16",
    threads: Annotated[int, typer.Option(min=1)] = 2,
) -> None:
    """Measure and print the table."""
    started = begun()
    packages = [load_package(name) for name in (model, single, segmenter)]
    chosen: Precision = "bf16" if precision == "bf16" else "f32"
    kinds = structures.split(",")
    seen = [movie(kinds, number, size, max(EVERY), interval_s) for number in range(movies)]
    judged = quality(ways_of(*packages, chosen, threads), seen, "joint, k = 1")
    times = timed(ways_of(*packages, chosen, threads), shape, rounds)
    smaller = size < FULL_PX or min(shape) < min(FULL_SHAPE)
    report = started | {
        "quick": rounds < FULL_ROUNDS or movies < FULL_MOVIES or smaller,
        "packages": [package.id for package in packages],
        "settings": {
            "structures": kinds,
            "shape": shape,
            "size_px": size,
            "movies": movies,
            "frames": max(EVERY),
            "interval_s": interval_s,
            "precision": chosen,
            "threads": threads,
        },
        "times": times,
        "quality": judged,
    }
    json_.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    joint_sheet(report).show("two channels of large frames")


if __name__ == "__main__":
    typer.run(main)
