"""An evaluation in pictures; colours are those of Okabe and Ito, and maps of lightness that rises evenly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from streamer.metrics.errormap import error_map
from streamer.metrics.fourier import SMALLEST_PX, fourier_rings, smoothed, thresholds
from streamer.metrics.rolling import BLOCK_PX, RollingMap, foreground_blocks, rolling_frc

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Image = NDArray[np.float32]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
#: Side of the crop that sample pictures show.
CROP_PX = 200


def draw_frame(
    folder: Path,
    stem: str,
    predictions: Mapping[str, Image],
    truth: Image,
    references: tuple[Image, Image] | None,
    pixel_nm: float,
    called: str = "truth",
) -> None:
    """Every picture of one frame: samples, error maps, FRC curves, rolling FRC maps.

    Args:
        folder, stem: where, and the end of the file names.
        predictions: [y, x] by method.
        truth: [y, x], or the image that stands for it.
        references: two independent exposures; None holds the predictions against `truth`.
        pixel_nm: pixel size.
        called: what `truth` is.
    """
    reference, other = references or (truth, None)
    draw_samples(predictions, truth, folder / f"samples-{stem}.png", called)
    draw_error_maps(predictions, reference, folder / f"error-map-{stem}.png")
    draw_frc(predictions, reference, other, pixel_nm, folder / f"frc-{stem}.png")
    draw_rolling(predictions, reference, other, pixel_nm, folder / f"rolling-frc-{stem}.png")


def draw_samples(predictions: Mapping[str, Image], truth: Image, path: Path, called: str = "truth") -> None:
    """The middle of one frame by every method, and the truth; each from 0 to its own 99.8th percentile."""
    shown = {**predictions, called: truth}
    figure = _figure(2.6 * len(shown), 2.8)
    for axes, (name, image) in zip(_row(figure, len(shown)), shown.items(), strict=True):
        middle = _middle(image)
        highest = max(float(np.quantile(middle, 0.998)), 1e-6)
        axes.imshow(middle, vmin=0, vmax=highest, cmap="gray", interpolation="nearest")
        axes.set_title(f"{name}\n0 - {highest:.2g} photons", fontsize=8)
        axes.set_axis_off()
    _save(figure, path)


def draw_error_maps(predictions: Mapping[str, Image], reference: Image, path: Path) -> None:
    """Absolute difference from the reference after blur, gain and offset (see `error_map`), on one scale."""
    maps = {name: error_map(image, reference) for name, image in predictions.items()}
    highest = max(float(np.quantile(each.error, 0.995)) for each in maps.values())
    figure = _figure(3.2 * len(maps), 3.0)
    for axes, (name, each) in zip(_row(figure, len(maps)), maps.items(), strict=True):
        picture = axes.imshow(each.error, vmin=0, vmax=max(highest, 1e-9), cmap="inferno")
        axes.set_title(f"{name}: RSP {each.rsp:.3f}, RSE {each.rse:.3g}", fontsize=8)
        axes.set_axis_off()
    figure.colorbar(picture, ax=figure.axes, label="error, photons of the reference", shrink=0.8)
    _save(figure, path)


def draw_frc(
    predictions: Mapping[str, Image], reference: Image, other: Image | None, pixel_nm: float, path: Path
) -> None:
    """FRC curves of one frame against the reference, and of the two references, with both thresholds."""
    if min(reference.shape) < SMALLEST_PX:
        return
    figure = _figure(5.5, 3.6)
    axes = figure.subplots()
    curves = {name: fourier_rings(image, reference) for name, image in predictions.items()}
    if other is not None:
        curves["two references"] = fourier_rings(reference, other)
    for (name, rings), colour in zip(curves.items(), _colours(len(curves)), strict=True):
        per_um = rings.frequency / pixel_nm * 1000
        axes.plot(per_um, smoothed(rings.correlation), color=colour, label=name, linewidth=1.3)
    axes.axhline(1 / 7, color="grey", linewidth=0.8, label="1/7")
    axes.plot(
        per_um, np.minimum(thresholds(rings, "3-sigma"), 1), "--", color="grey", lw=0.8, label="3 sigma"
    )
    axes.set(xlabel="spatial frequency, 1/um", ylabel="Fourier ring correlation", ylim=(-0.2, 1.05))
    axes.legend(fontsize=7)
    _save(figure, path)


def draw_rolling(
    predictions: Mapping[str, Image], reference: Image, other: Image | None, pixel_nm: float, path: Path
) -> None:
    """Maps of the rolling FRC on one scale; blocks of background, or without a crossing, stay empty."""
    if min(reference.shape) < BLOCK_PX:
        return
    blocks = foreground_blocks(reference, reference if other is None else other)
    maps: dict[str, RollingMap] = {
        name: rolling_frc(image, reference, pixel_nm, foreground=blocks)
        for name, image in predictions.items()
    }
    if other is not None:
        maps["two references"] = rolling_frc(reference, other, pixel_nm, foreground=blocks)
    known = np.concatenate([each.nm[np.isfinite(each.nm)] for each in maps.values()])
    if known.size == 0:
        return
    low, high = np.quantile(known, [0.02, 0.98])
    figure = _figure(3.0 * len(maps), 3.0)
    for axes, (name, each) in zip(_row(figure, len(maps)), maps.items(), strict=True):
        picture = axes.imshow(each.nm, vmin=low, vmax=max(high, low + 1), cmap="cividis_r")
        axes.set_title(f"{name}: mean {each.mean_nm:.0f} nm", fontsize=8)
        axes.set_axis_off()
    figure.colorbar(picture, ax=figure.axes, label="rolling FRC, nm", shrink=0.8)
    _save(figure, path)


def draw_reliability(
    predicted: Mapping[str, Sequence[tuple[Image, Image]]], truths: Sequence[Image], path: Path
) -> None:
    """Share of pixels whose truth lies in the stated interval, over the share that should; by method."""
    figure = _figure(3.8, 3.6)
    axes = figure.subplots()
    stated = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99])
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    for (name, pairs), colour in zip(predicted.items(), _colours(len(predicted)), strict=True):
        distances = np.concatenate(
            [
                np.ravel(np.abs(prediction - truth) / np.maximum(deviation, 1e-9))
                for (prediction, deviation), truth in zip(pairs, truths, strict=True)
            ]
        )
        measured = [float(np.mean(distances <= width)) for width in ndtri(0.5 + stated / 2)]
        axes.plot(stated, measured, marker=".", color=colour, label=name)
    axes.set(xlabel="stated coverage", ylabel="measured coverage, all pixels", xlim=(0, 1), ylim=(0, 1))
    axes.legend(fontsize=7)
    _save(figure, path)


def draw_faint(reports: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Faint structure kept over empty field drawn on, threshold by threshold; by method."""
    figure = _figure(4.4, 3.6)
    axes = figure.subplots()
    for (name, report), colour in zip(reports.items(), _colours(len(reports)), strict=True):
        points = [point for point in report["empty"]["curve"] if point["kept"] is not None]
        false = [max(point["false"], 1e-6) for point in points]
        axes.plot(false, [point["kept"] for point in points], marker=".", color=colour, label=name)
    axes.axvline(0.01, color="grey", linewidth=0.8)
    axes.set(xscale="log", xlabel="empty field drawn on, share of pixels")
    axes.set(ylabel="faint structure kept, share")
    axes.legend(fontsize=7)
    _save(figure, path)


def _middle(image: Image) -> Image:
    top, left = (max(0, (length - CROP_PX) // 2) for length in image.shape)
    return image[top : top + CROP_PX, left : left + CROP_PX]


def _colours(count: int) -> list[str]:
    return [COLOURS[number % len(COLOURS)] for number in range(count)]


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure  # needs the extra `train`, which judging does not

    return Figure(figsize=(width, height), dpi=130, layout="constrained")


def _row(figure: Figure, count: int) -> list[Axes]:
    return list(figure.subplots(1, count, squeeze=False)[0])


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, metadata={"Software": None})
