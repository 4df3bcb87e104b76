"""How each kind of image of a run looks in napari."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Several channels lie above each other in these; one channel is grey.
CHANNEL_COLOURS = ("green", "magenta", "cyan", "yellow", "red", "blue")
#: Class of each label and its colour, red, green, blue and opacity: told apart by every eye.
SEGMENTATION: Mapping[int | None, Any] = {
    1: (0.34, 0.71, 0.91, 1.0),
    2: (0.80, 0.47, 0.65, 1.0),
}  # tubule, sheet
TRUST: Mapping[int | None, Any] = {
    1: (0.94, 0.89, 0.26, 1.0),
    2: (0.0, 0.62, 0.45, 0.35),
    3: (1.0, 0.55, 0.0, 1.0),
}
CLASSES: Mapping[str, Mapping[int | None, Any]] = {"segmentation": SEGMENTATION, "trust": TRUST}
#: What the classes mean, for who looks at a layer's metadata.
MEANINGS = {
    "segmentation": {1: "tubule", 2: "sheet"},
    "trust": {1: "uncertain", 2: "supported", 3: "unsupported"},
}
#: Parts of the pixels, in per cent, that are shown black and white.
BLACK_PERCENT, WHITE_PERCENT = 0.5, 99.8


def image_look(kind: str, number: int, channels: int) -> dict[str, Any]:
    """Arguments of an image layer of channel `number` of `channels`: raw, denoised or uncertainty."""
    colour = "gray" if channels == 1 else CHANNEL_COLOURS[number % len(CHANNEL_COLOURS)]
    if kind == "uncertainty":
        colour = "inferno"
    blending = "translucent_no_depth" if number == 0 else "additive"
    return {"colormap": colour, "blending": blending, "visible": kind == "denoised"}


def labels_look(kind: str) -> dict[str, Any]:
    """Arguments of a layer of classes."""
    from napari.utils import DirectLabelColormap

    colours: dict[int | None, Any] = dict.fromkeys((None, 0), (0.0, 0.0, 0.0, 0.0))
    colours.update(CLASSES[kind])
    return {
        "colormap": DirectLabelColormap(color_dict=colours),
        "opacity": 0.6,
        "visible": kind == "trust",
        "metadata": {"classes": MEANINGS[kind]},
    }


def contrast(plane: NDArray[Any]) -> tuple[float, float]:
    """Values of [y, x] `plane` that are shown black and white; always a range."""
    finite = plane[np.isfinite(plane)]
    if not finite.size:
        return 0.0, 1.0
    black, white = (float(value) for value in np.percentile(finite, (BLACK_PERCENT, WHITE_PERCENT)))
    return (black, white) if white > black else (black, black + 1.0)


def in_words(kind: str, part: Mapping[str, object]) -> str:
    """Name of a layer: the kind, then what tells it from others, as in `denoised, channel red`."""
    stated = ", ".join(f"{key} {value}" for key, value in part.items() if value not in (None, ""))
    return f"{kind}, {stated}" if stated else kind
