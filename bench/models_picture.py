"""Pictures of docs/models.md: crops at each level, dark fields, resolution, coverage, real images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image as Pillow

Image = NDArray[np.float32]
#: Median box sum -> what one frame shows: predictions by method, "counts" and "truth".
Crops = dict[float, dict[str, Image]]

CROP_PX = 160
DARK = "#101418"
#: Colours of a palette picture: enough for grey levels and text, and a third of the bytes.
COLOURS = 96
#: Methods whose predictions are shown beside raw, ours and truth, where they took part.
SHOWN = ("Anscombe + NLM", "Noise2Void", "CARE U-Net")
#: Okabe and Ito's colours, which colour-blind eyes tell apart.
PALETTE = ("#000000", "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#888888")


#: Lowest share of faint structure lost that the picture shows.
LEAST_LOST = 1e-4


def draw_results(results: Mapping[str, Any], crops: Crops, folder: Path) -> None:
    """Write models-crops.png, models-curves.png and, where an error was stated, models-coverage.png."""
    folder.mkdir(parents=True, exist_ok=True)
    ours = next(row["method"] for row in results["levels"][0]["rows"] if row["kind"] == "ours")
    save(crops_figure(crops, ours), folder / "models-crops.png")
    save(curves_figure(results["levels"][0]), folder / "models-curves.png")
    if covered := coverage_rows(results):
        save(coverage_figure(covered), folder / "models-coverage.png")


def crops_figure(crops: Crops, ours: str) -> Figure:
    """Raw, NLM, baselines, ours and truth side by side; one row for each level, the fewest photons first."""
    rows = []
    for level, images in sorted(crops.items()):
        window = busiest(images["truth"], CROP_PX)
        top = float(np.percentile(images["truth"][window], 99.8))
        titles = [name for name in (*SHOWN, ours) if name in images]
        panels = [(name, images[name][window], top) for name in titles]
        counts = images["counts"][window]
        raw = (f"raw, {level:g} photons", counts, max(2.0, float(np.percentile(counts, 99.5))))
        rows.append([raw, *panels, ("truth", images["truth"][window], top)])
    return panels_figure(rows)


def panels_figure(rows: Sequence[Sequence[tuple[str, NDArray[Any], float]]]) -> Figure:
    """Rows of images, each (title, image [y, x], value shown white)."""
    columns = len(rows[0])
    figure = Figure(figsize=(2.0 * columns, 2.16 * len(rows)), dpi=80, facecolor=DARK)
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for line, panels in zip(axes, rows, strict=True):
        for axis, (title, image, top) in zip(line, panels, strict=True):
            axis.imshow(image, cmap="gray", vmin=0.0, vmax=top, interpolation="nearest")
            axis.set_title(title, color="white", fontsize=8, pad=2)
            axis.axis("off")
    figure.subplots_adjust(left=0.003, right=0.997, top=0.965, bottom=0.003, wspace=0.015, hspace=0.1)
    return figure


def curves_figure(level: Mapping[str, Any]) -> Figure:
    """Faint structure lost against empty field drawn, and FRC against a reference frame, of one level."""
    figure = Figure(figsize=(9.5, 3.8), dpi=80, layout="constrained")
    left, right = figure.subplots(1, 2)
    for index, (row, colour) in enumerate(zip(level["rows"], _colours(level["rows"]), strict=True)):
        style = {"color": colour, "label": row["method"], "linewidth": 2.4 if row["kind"] == "ours" else 1.2}
        # Beyond the palette colours come again, as broken lines.
        style["linestyle"] = "-" if index < len(PALETTE) else "--"
        false, kept = zip(*row["pixel_curve"], strict=True)
        # On a logarithmic axis nothing lost has no place: it is drawn at the bottom.
        left.plot(false, [max(1.0 - share, LEAST_LOST) for share in kept if share is not None], **style)
        right.plot(*zip(*row["frc_curve"], strict=True), **style)
    left.axvline(0.01, color="#888888", linewidth=0.8, linestyle=":")
    left.set(xscale="log", yscale="log", ylim=(LEAST_LOST, 1.2))
    left.set(xlabel="pixels of an empty field drawn, share", ylabel="faint structure lost, share")
    right.axhline(1 / 7, color="#888888", linewidth=0.8, linestyle=":")
    right.set(xlabel="cycles per pixel", ylabel="FRC against a reference frame", ylim=(-0.05, 1.02))
    for axis in (left, right):
        _plain(axis)
    right.legend(fontsize="x-small", frameon=False)
    figure.suptitle(f"median box sum {level['box_sum']:g} photons", fontsize=9)
    return figure


def _colours(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Ours is red; the others take what the palette holds."""
    others = [colour for colour in PALETTE if colour != "#d55e00"]
    return [
        "#d55e00" if row["kind"] == "ours" else others[index % len(others)] for index, row in enumerate(rows)
    ]


def coverage_rows(results: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """(where, metrics of ours) for every level and structure where ours states its error."""
    found = [(f"ER, {level['box_sum']:g} photons", level["rows"]) for level in results["levels"]]
    found += [(part["structure"], part["rows"]) for part in results["structures"]]
    ours = [(where, row["metrics"]) for where, rows in found for row in rows if row["kind"] == "ours"]
    return [(where, metrics) for where, metrics in ours if "coverage_all" in metrics]


def coverage_figure(rows: Sequence[tuple[str, Mapping[str, Any]]]) -> Figure:
    """How much of foreground and background the 90 % intervals of ours cover, level by level."""
    figure = Figure(figsize=(7.5, 1.1 + 0.3 * len(rows)), dpi=80, layout="constrained")
    axis = figure.subplots()
    axis.axvspan(0.85, 0.95, color="#dddddd", zorder=0)
    for shift, (part, colour) in enumerate((("foreground", "#d55e00"), ("background", "#0072b2"))):
        for place, (_, metrics) in enumerate(rows):
            found = metrics[f"coverage_{part}"]
            low, high = found["interval_95"] or (found["value"],) * 2
            height = place + 0.12 * (2 * shift - 1)
            axis.plot([low, high], [height, height], color=colour, linewidth=1.5)
            axis.plot(
                found["value"], height, "o", color=colour, markersize=4, label=part if not place else None
            )
    axis.set(xlabel="truth within the 90 % interval, share of pixels", xlim=(0, 1))
    axis.set_yticks(range(len(rows)), [where for where, _ in rows], fontsize=8)
    axis.invert_yaxis()
    figure.legend(fontsize="x-small", frameon=False, loc="outside lower center", ncols=2)
    _plain(axis)
    return figure


def busiest(truth: Image, size_px: int) -> tuple[slice, slice]:
    """The window of [y, x] in which brightness varies most."""
    side = min(size_px, *truth.shape)
    corners = [
        (y, x)
        for y in range(0, truth.shape[0] - side + 1, max(1, side // 4))
        for x in range(0, truth.shape[1] - side + 1, max(1, side // 4))
    ]
    y, x = max(corners, key=lambda c: float(truth[c[0] : c[0] + side, c[1] : c[1] + side].std()))
    return slice(y, y + side), slice(x, x + side)


def save(figure: Figure, path: Path) -> None:
    """Write a PNG with a small palette and nothing about the machine."""
    drawn = BytesIO()
    figure.savefig(drawn, format="png", metadata={"Software": None})
    with Pillow.open(drawn) as picture:
        picture.convert("RGB").quantize(COLOURS, dither=Pillow.Dither.NONE).save(path, optimize=True)


def _plain(axis: Axes) -> None:
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(labelsize=8)
