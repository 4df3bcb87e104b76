"""Where a prediction disagrees with a reference image: the error map of NanoJ-SQUIRREL."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.optimize import minimize_scalar

from streamer.metrics.quality import pearson

Image = NDArray[np.generic]
Floats = NDArray[np.float64]

#: Widest resolution-scaling function tried, pixels.
WIDEST_PX = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorMap:
    """A prediction, brought to the resolution and the scale of the reference, against it.

    Attributes:
        error: [y, x] absolute difference, in the unit of the reference.
        rse: resolution-scaled error: root of the mean squared difference, in the unit of the reference.
        rsp: resolution-scaled Pearson correlation of the two; nan where one is constant.
        gain, offset: reference is about gain x blurred prediction + offset.
        sigma_px: of the Gaussian resolution-scaling function.
    """

    error: NDArray[np.float32]
    rse: float
    rsp: float
    gain: float
    offset: float
    sigma_px: float


def error_map(prediction: Image, reference: Image) -> ErrorMap:
    """Culley et al., Nature Methods 15, 263 (2018), for two images [y, x] of one pixel size.

    The width of a Gaussian, a gain and an offset are chosen so that gain x (prediction * Gaussian) + offset
    comes closest to the reference in the least-squares sense. Blurs are reflected at the borders; all widths
    are tried in the cosine domain, where a blur is a product and errors keep their sums.

    Raises:
        ValueError: different shapes, or values that are not finite.
    """
    if prediction.shape != reference.shape:
        raise ValueError(f"images of different shapes: {prediction.shape} and {reference.shape}")
    p, r = (fft.dctn(image.astype(np.float64), norm="ortho") for image in (prediction, reference))
    if not (np.isfinite(p[0, 0]) and np.isfinite(r[0, 0])):
        raise ValueError("an image holds values that are not finite; take them out first")
    height, width = prediction.shape
    squared = (np.arange(height)[:, None] / (2 * height)) ** 2 + (np.arange(width)[None] / (2 * width)) ** 2
    power, product = np.ravel(p * p)[1:], np.ravel(p * r)[1:]  # the first is the mean: the offset takes it
    rings = np.ravel(squared)[1:]

    def explained(sigma_px: float) -> float:
        """How much of the reference's sum of squares the best gain explains, negative."""
        blur = np.exp(-2.0 * (np.pi * sigma_px) ** 2 * rings)
        blurred_power = float(power @ (blur * blur))
        return -(max(float(product @ blur), 0.0) ** 2) / blurred_power if blurred_power > 0 else 0.0

    found = minimize_scalar(explained, bounds=(0.0, WIDEST_PX), method="bounded", options={"xatol": 1e-3})
    sigma_px = float(found.x) if explained(float(found.x)) < explained(0.0) else 0.0
    blur = np.exp(-2.0 * (np.pi * sigma_px) ** 2 * squared)
    blurred = np.asarray(fft.idctn(p * blur, norm="ortho"))
    return _against(blurred, reference.astype(np.float64), sigma_px)


def _against(blurred: Floats, reference: Floats, sigma_px: float) -> ErrorMap:
    centred = blurred - blurred.mean()
    variance = float(np.sum(centred * centred))
    constant = np.ptp(blurred) <= 1e-9 * max(float(np.abs(blurred).max()), 1e-30)
    gain = 0.0 if constant else float(np.sum(centred * reference)) / variance
    offset = float(reference.mean() - gain * blurred.mean())
    difference = gain * blurred + offset - reference
    return ErrorMap(
        error=np.abs(difference).astype(np.float32),
        rse=float(np.sqrt(np.mean(difference * difference))),
        rsp=float("nan") if constant else pearson(blurred, reference),
        gain=gain,
        offset=offset,
        sigma_px=sigma_px,
    )
