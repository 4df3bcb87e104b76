"""Why the light changes: bleaching, lost focus, a cell that leaves, dye that comes, or all at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from streamer.guards.shared import BOX
from streamer.metrics.sharpness import neighbour_products

Cause = Literal["steady", "bleaching", "focus", "leaving", "rising", "sudden"]

#: Light within this share of the start is called steady.
STEADY = 0.15
#: Share of the fall of the light (of its logarithm) that the fall of the area must make up to be its cause.
#: Sharpness falls about half as much as the light when focus is lost: measured on the simulated microscope.
AREA_SHARE, SHARPNESS_SHARE = 0.4, 0.2

#: A fall of sharpness so large is lost focus even where no light is lost with it, as in a wide-field image.
BLURRED = 0.4

#: [3] of a frame, or their mean over frames, each over the squared light, so that every frame counts alike:
#: squares of tiles, products of near and of far pixels, all above background.
Shape = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What has become of the light, each relative to the start; nan where it cannot be measured.

    Attributes:
        level: photons per foreground tile.
        area: how much of the field gives light.
        sharpness: how fine its structure is.
    """

    level: float
    area: float = float("nan")
    sharpness: float = float("nan")


def shape_of(
    photons: NDArray[np.float32], tiles: NDArray[np.float64], background: float, read_noise_e: float
) -> Shape:
    """What area and sharpness are made of; free of the bias of photon counting and read noise.

    Args:
        photons: [y, x] of the frame.
        tiles: [tile y, tile x] their sums, some of them above background.
        background: photons per tile.
        read_noise_e: of the camera, per pixel.
    """
    near, far, mean = neighbour_products(photons)
    pixel = background / BOX**2
    pedestal = pixel * (2.0 * mean - pixel)
    above = tiles - background
    noise = float(tiles.sum()) + tiles.size * (BOX * read_noise_e) ** 2
    squares = float(np.square(above).sum()) - noise
    light = float(above.sum())
    return np.array([squares, near - pedestal, far - pedestal]) / light**2


def area_of(shape: Shape) -> float:
    """Tiles that would give this light if all lit ones were alike: (sum x)^2 / sum x^2; nan without light."""
    return 1.0 / float(shape[0]) if shape[0] > 0 else float("nan")


def sharpness_of(shape: Shape) -> float:
    """Share of the neighbours' correlation that is lost over 8 pixels; nan without light.

    1 for isolated points, 0 for what is smooth over the size of a box. The same for any brightness.
    """
    _, near, far = shape
    return float(1.0 - far / near) if near > 0 else float("nan")


def change_since(start: Shape, now: Shape, level: float) -> Change:
    """Area and sharpness now over those at the start, beside the level that was found."""
    return Change(
        level=level,
        area=_ratio(area_of(now), area_of(start)),
        sharpness=_ratio(sharpness_of(now), sharpness_of(start)),
    )


def cause_of(change: Change, *, rise: float, area_loss: float, sharpness_loss: float) -> Cause:
    """What explains the change best.

    Bleaching takes light from all structure alike: area and sharpness stay. A cell that leaves takes area.
    Lost focus takes sharpness, and light with it.

    Args:
        change: since the start.
        rise: of the light, relative, that is no bleaching.
        area_loss, sharpness_loss: relative, from which on they count; less is the specimen's own change.
    """
    fall = max(-_log(change.level), 0.0)
    area, sharpness = max(-_log(change.area), 0.0), max(-_log(change.sharpness), 0.0)
    if change.level > 1.0 + rise:
        return "rising"
    if area > -math.log1p(-area_loss) and area >= AREA_SHARE * fall:
        return "leaving"
    fades = change.level < 1.0 - STEADY
    blurs = sharpness > -math.log1p(-sharpness_loss) and sharpness >= SHARPNESS_SHARE * fall
    if (blurs and fades) or sharpness > -math.log1p(-BLURRED):
        return "focus"
    return "bleaching" if fades else "steady"


def _ratio(now: float, start: float) -> float:
    return now / start if start > 0 and np.isfinite(now) else float("nan")


def _log(ratio: float) -> float:
    """Of a ratio; 0, no change, where it could not be measured."""
    return math.log(max(ratio, 1e-6)) if math.isfinite(ratio) else 0.0
