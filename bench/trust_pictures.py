"""Pictures of docs/guards.md: is trust as right as it says, and one field with what was invented in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bench.models_picture import DARK, save
from streamer.analysis.mixed_fields import MixedField, hallucinated
from streamer.core import Result
from streamer.guards.belief import trust_probability

RED, BLUE = "#d55e00", "#0072b2"


def draw_reliability(pixels: Mapping[str, Any], frames: Mapping[str, Any], path: Path) -> None:
    """Share that was true over the probability stated, of pixels with intervals and counts, and of frames."""
    figure = Figure(figsize=(8.6, 3.9), dpi=90, layout="constrained")
    left, right = figure.subplots(1, 2)
    for axis in (left, right):
        axis.plot([0, 1], [0, 1], color="#888888", linewidth=0.8)
        axis.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
    bins = [each for each in pixels["bins"] if each["found"] is not None]
    for each in bins:
        low, high = each["interval_95"]
        if low is not None and high is not None:
            left.plot([each["stated"]] * 2, [low, high], color=RED, linewidth=1.4)
    left.plot(
        [each["stated"] for each in bins], [each["found"] for each in bins], "o", color=RED, markersize=4
    )
    counts = left.twinx()
    counts.bar(
        [each["from"] for each in bins],
        [each["pixels"] for each in bins],
        width=[each["to"] - each["from"] for each in bins],
        align="edge",
        color="#dddddd",
        edgecolor="white",
        zorder=0,
    )
    counts.set_yscale("log")
    counts.set_ylabel("drawn pixels", fontsize=8, color="#888888")
    counts.tick_params(labelsize=7, colors="#888888")
    counts.spines[["top"]].set_visible(False)
    left.set_zorder(counts.get_zorder() + 1)
    left.patch.set_visible(False)
    left.set(xlabel="probability stated for a pixel", ylabel="share that was true, 95 % intervals")
    right.plot(*zip(*frames["pairs"], strict=True), ".", color=BLUE, markersize=4, alpha=0.7)
    right.set(xlabel="share of the drawn area expected to be true", ylabel="share that was true, by field")
    save(figure, path)


def draw_field(field: MixedField, result: Result, path: Path) -> None:
    """Photons, truth, prediction, trust and what was hallucinated, side by side."""
    top = float(np.percentile(field.signal, 99.8))
    wrong = hallucinated(result.labels, field.structure, field.resolution_px)
    truth = {"cmap": "gray", "vmin": 0, "vmax": top}
    panels: list[tuple[str, NDArray[Any], dict[str, Any]]] = [
        (f"photons, {field.box_sum:g} a box", result.photons, {"cmap": "gray", "vmin": 0, "vmax": 2}),
        ("truth in focus", field.signal, truth),
        ("drawn: prediction", result.denoised, truth),
        ("trust in what is drawn", trust_probability(result), {"cmap": "viridis", "vmin": 0, "vmax": 1}),
        ("hallucinated (orange)", _found(result.labels != 0, wrong), {}),
    ]
    figure = Figure(figsize=(15, 3.45), dpi=80, facecolor=DARK)
    axes = figure.subplots(1, len(panels))
    for axis, (title, image, how) in zip(axes, panels, strict=True):
        shown = axis.imshow(image, interpolation="nearest", **how)
        axis.set_title(title, color="white", fontsize=10)
        axis.set_facecolor(DARK)
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
        if title.startswith("trust"):
            inset = axis.inset_axes((0.62, 0.03, 0.35, 0.03))
            bar = figure.colorbar(shown, cax=inset, orientation="horizontal", ticks=[0, 1])
            bar.ax.xaxis.set_ticks_position("top")
            bar.ax.tick_params(colors="white", labelsize=7, length=0, pad=1)
    figure.subplots_adjust(left=0.004, right=0.996, top=0.91, bottom=0.01, wspace=0.02)
    save(figure, path)


def _found(drawn: NDArray[np.bool_], wrong: NDArray[np.bool_]) -> NDArray[np.float32]:
    """[y, x, colour] grey where what is drawn is true, orange where it is not."""
    image = np.zeros((*drawn.shape, 3), np.float32) + 0.07
    image[drawn] = 0.6
    image[wrong] = (0.84, 0.37, 0.0)
    return image
