"""Sample frames of a run as small PNG pictures that stand inside the page."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from streamer.guards.trust import UNSUPPORTED

#: Longer side of a picture: 5.5 cm in print at about 200 dots an inch.
SIDE_PX = 440
#: Share of the pixels below the upper end of a contrast.
SHARE_SHOWN = 0.998
#: Lengths of scale bars, in micrometre.
_BARS_UM = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)
#: By label: tubule orange, sheet blue (Okabe and Ito); others grey.
_CLASS_RGB = {1: (230, 159, 0), 2: (86, 180, 233)}
_OTHER_RGB = (200, 200, 200)
_BACKDROP, _COVER = 0.55, 0.62

Plane = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """What white means: counts of the raw frame, photons of the denoised one. Black is 0."""

    raw_high: float
    denoised_high: float


def contrast_of(raw: NDArray[np.generic], denoised: Plane | None) -> Contrast:
    """The contrast in which a frame [y, x] shows all but its brightest pixels."""
    return Contrast(raw_high=_high(_scaled(raw)), denoised_high=1.0 if denoised is None else _high(denoised))


def grey_picture(plane: NDArray[np.generic], high: float, bar_px: int = 0) -> str:
    """A plane [y, x] as a data URI, by the square root of its values, in which shot noise is even."""
    shade = _shade(_scaled(plane), high)
    rgb = _palette()[np.rint(255 * shade).astype(np.uint8)]
    return _png(_with_bar(rgb, bar_px))


def label_picture(
    denoised: Plane,
    high: float,
    segmentation: NDArray[np.uint8],
    trust: NDArray[np.uint8] | None,
    bar_px: int = 0,
) -> str:
    """What was drawn over the denoised plane in grey, and around unsupported structure a white line."""
    backdrop = 255 * _BACKDROP * _shade(_scaled(denoised), high)
    rgb = np.repeat(backdrop[:, :, np.newaxis], 3, axis=2)
    classes = _nearest(segmentation, rgb.shape[:2])
    for label in np.unique(classes[classes > 0]):
        colour = np.array(_CLASS_RGB.get(int(label), _OTHER_RGB), dtype=float)
        chosen = classes == label
        rgb[chosen] = (1 - _COVER) * rgb[chosen] * 1.6 + _COVER * colour
    if trust is not None:
        rgb[_outline(_any_of(trust == UNSUPPORTED, rgb.shape[:2]))] = 255
    return _png(_with_bar(np.clip(rgb, 0, 255).astype(np.uint8), bar_px))


def scale_bar(pixel_um: float | None, shape: tuple[int, int]) -> tuple[float, int]:
    """Length in micrometre and in pixels of the picture of a frame [y, x]; 0, 0 without a pixel size."""
    if not pixel_um or pixel_um <= 0:
        return 0.0, 0
    shown_um = pixel_um * shape[1]
    fitting = [length for length in _BARS_UM if length <= 0.3 * shown_um]
    if not fitting:
        return 0.0, 0
    return fitting[-1], max(1, round(fitting[-1] / shown_um * _shown(shape)[1]))


def unsupported_share(segmentation: NDArray[np.uint8], trust: NDArray[np.uint8]) -> float | None:
    """Share of the drawn pixels that no signal supports; None where nothing is drawn."""
    drawn = int(np.count_nonzero(segmentation))
    return int(np.count_nonzero(trust == UNSUPPORTED)) / drawn if drawn else None


def _high(plane: NDArray[np.generic]) -> float:
    seen = np.asarray(plane, dtype=np.float32)
    seen = seen[np.isfinite(seen)]
    return max(float(np.quantile(seen, SHARE_SHOWN)), 1e-6) if seen.size else 1.0


def _shade(plane: Plane, high: float) -> Plane:
    """0 to 1; what is not a number is black."""
    shade: Plane = np.sqrt(np.clip(np.nan_to_num(plane) / high, 0.0, 1.0))
    return shade


def _shown(shape: tuple[int, int]) -> tuple[int, int]:
    """Height and width of the picture: never more pixels than the frame has."""
    factor = min(1.0, SIDE_PX / max(shape))
    return max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))


def _scaled(plane: NDArray[np.generic]) -> Plane:
    """The plane at the size of its picture; each pixel is the mean of what it covers."""
    values = np.nan_to_num(np.asarray(plane, dtype=np.float32))
    height, width = _shown((values.shape[0], values.shape[1]))
    if (height, width) == values.shape:
        return values
    return np.asarray(Image.fromarray(values).resize((width, height), Image.Resampling.BOX))


def _nearest(labels: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    image = Image.fromarray(np.ascontiguousarray(labels)).resize(shape[::-1], Image.Resampling.NEAREST)
    return np.asarray(image)


def _any_of(mask: NDArray[np.bool_], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """The mask at the size of a picture; a pixel is set where any is that it covers."""
    held = np.asarray(Image.fromarray(mask.astype(np.float32)).resize(shape[::-1], Image.Resampling.BOX))
    return held > 0


def _outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels just outside the mask."""
    padded = np.pad(mask, 1)
    around = padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
    edge: NDArray[np.bool_] = around & ~mask
    return edge


def _with_bar(rgb: NDArray[np.uint8], bar_px: int) -> NDArray[np.uint8]:
    height, width = rgb.shape[:2]
    thick, edge = max(1, math.ceil(height / 90)), math.ceil(height / 28)
    if bar_px and bar_px + 2 * edge < width:
        rgb[height - edge - thick : height - edge, width - edge - bar_px : width - edge] = 255
    return rgb


def _palette() -> NDArray[np.uint8]:
    """256 colours from black to light yellow whose lightness rises evenly, also in grey print."""
    from matplotlib import colormaps

    return np.asarray(np.rint(255 * colormaps["inferno"](np.arange(256))[:, :3]), dtype=np.uint8)


def _png(rgb: NDArray[np.uint8]) -> str:
    held = io.BytesIO()
    Image.fromarray(rgb).save(held, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(held.getvalue()).decode("ascii")
