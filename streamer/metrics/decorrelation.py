"""Decorrelation analysis: the resolution of a single image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Image = NDArray[np.generic]
Floats = NDArray[np.float64]

#: Radii at which a curve is taken, high-pass filters of each of the two rounds.
RADII, FILTERS = 50, 10
#: Finest high-pass filter, pixels.
FINEST_PX = 0.15
#: A peak counts when it is so high, by so much higher than what follows, and so far out, of the Nyquist
#: frequency: further in lies the shape of the whole image, not its detail.
PEAK_MIN, PROMINENCE, INNERMOST = 0.05, 5e-4, 0.1
#: Reach around the best peak that the second round looks at, of the Nyquist frequency.
BELOW, ABOVE = 0.05, 0.3
#: Pixels over which the edges fade.
FADE_PX = 20
SMALLEST_PX = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Decorrelation:
    """What the analysis found.

    Attributes:
        nm: two pixels over the highest peak's frequency; None where no curve has a peak (noise alone, a
            constant image, or detail beyond the pixels).
        contrast: height of the peak of the unfiltered curve: how much of the image's power is signal, 0-1.
    """

    nm: float | None
    contrast: float


def decorrelation(image: Image, pixel_nm: float) -> Decorrelation:
    """Resolution of one image [y, x]: Descloux, Grussmayer and Radenovic, Nature Methods 16, 918 (2019).

    The image is correlated with itself after its Fourier amplitudes are set to 1 inside a radius r (of the
    Nyquist frequency). Signal within r adds correlation, noise takes it away: over r the curve peaks where
    the signal ends. High-pass filters from coarse to fine move the peak outwards; the highest
    frequency of all peaks above 0.05 is the resolution. Filters and radii are refined once around the
    best. The correlation at r is sum |I| (1 - G) over sqrt(sum |I|^2 (1 - G)^2 x pixels within r), with the
    Gaussian G of the filter: phases cancel, so that sorted amplitudes suffice.

    It needs no second image, and so cannot tell invented detail from true detail.

    Raises:
        ValueError: smaller than 32 pixels, or values that are not finite.
    """
    if min(image.shape) < SMALLEST_PX:
        raise ValueError(
            f"an image of {image.shape} pixels; decorrelation analysis needs {SMALLEST_PX} a side"
        )
    if not np.isfinite(image.sum(dtype=np.float64)):
        raise ValueError("the image holds values that are not finite; take them out first")
    radius, amplitude, weight = _sorted_spectrum(image)
    if not amplitude.any():
        return Decorrelation(nm=None, contrast=0.0)
    radii = np.linspace(0.0, 1.0, RADII)
    first, height = _peak(_curve(radius, amplitude, weight, radii), radii)
    coarsest = 2.0 / first if first > 0 else max(image.shape) / 2
    widths = np.geomspace(coarsest, FINEST_PX, FILTERS)
    peaks = _peaks(radius, amplitude, weight, widths, radii)
    radii, widths = _refined(peaks, widths)
    finer = _peaks(radius, amplitude, weight, widths, radii)
    found = [place for place, high in [(first, height), *peaks, *finer] if high >= PEAK_MIN]
    highest = max(found, default=0.0)
    return Decorrelation(nm=2.0 * pixel_nm / highest if highest > 0 else None, contrast=float(height))


def _sorted_spectrum(image: Image) -> tuple[Floats, Floats, Floats]:
    """Radius (of Nyquist), amplitude and weight of the half Fourier plane within the circle, by radius."""
    values = image.astype(np.float64)
    window = np.outer(*(_fade(length) for length in values.shape))
    centred = (values - values.mean()) * window
    if np.ptp(values) <= 1e-9 * np.abs(values).max():
        centred[:] = 0.0  # what is left of a constant image is rounding
    amplitude = np.abs(fft.rfft2(centred))
    height, width = values.shape
    radius = 2.0 * np.hypot(fft.fftfreq(height)[:, None], fft.rfftfreq(width)[None])
    weight = np.full(radius.shape, 2.0)
    weight[:, 0] = 1.0
    if width % 2 == 0:
        weight[:, -1] = 1.0
    order = np.argsort(radius, axis=None, kind="stable")[1:]  # without the mean
    order = order[: np.searchsorted(radius.ravel()[order], 1.0)]
    return radius.ravel()[order], amplitude.ravel()[order], weight.ravel()[order]


def _fade(length: int) -> Floats:
    fade = min(FADE_PX, length // 4)
    ramp = np.sin(np.pi / 2 * (np.arange(fade) + 0.5) / fade) ** 2
    return np.concatenate([ramp, np.ones(length - 2 * fade), ramp[::-1]])


def _curve(radius: Floats, amplitude: Floats, weight: Floats, radii: Floats) -> Floats:
    """[radius] correlation with the image whose amplitudes are 1 within each of `radii`."""
    inside = np.searchsorted(radius, radii)
    gathered = np.concatenate([[0.0], np.cumsum(amplitude * weight)])[inside]
    pixels = np.concatenate([[0.0], np.cumsum(weight)])[inside]
    power = float((amplitude * amplitude) @ weight)
    norm = np.sqrt(power * pixels)
    curve: Floats = np.divide(gathered, norm, out=np.zeros_like(norm), where=norm > 0)
    return curve


def _peaks(
    radius: Floats, amplitude: Floats, weight: Floats, widths_px: Floats, radii: Floats
) -> list[tuple[float, float]]:
    """Peak of the curve behind each high-pass filter; (0, 0) where it is too low."""
    peaks = []
    for width in widths_px:
        # Frequency in cycles per pixel is half the radius.
        passed = amplitude * (1.0 - np.exp(-0.5 * (np.pi * width * radius) ** 2))
        place, height = _peak(_curve(radius, passed, weight, radii), radii)
        peaks.append((place, height) if height >= PEAK_MIN else (0.0, 0.0))
    return peaks


def _peak(curve: Floats, radii: Floats) -> tuple[float, float]:
    """Place and height of the maximum that the curve falls from again; (0, 0) where it never does."""
    end = len(curve)
    while end > 1:
        highest = int(np.argmax(curve[:end]))
        if radii[highest] < INNERMOST:
            break
        if highest < end - 1 and curve[highest] - curve[highest:end].min() >= PROMINENCE:
            return float(radii[highest]), float(curve[highest])
        end = min(highest, end - 1)
    return 0.0, 0.0


def _refined(peaks: list[tuple[float, float]], widths_px: Floats) -> tuple[Floats, Floats]:
    """Radii and filters of the second round: between the peak of best mean of place and height and the
    peak of highest place."""
    place, height = np.array(peaks).T
    balanced, outermost = int(np.argmax(place * height)), int(np.argmax(place))
    first = max(min(balanced, outermost) - 1, 0)
    last = min(max(balanced, outermost) + 1, len(widths_px) - 1)
    low = max(place[balanced] - BELOW, 0.0)
    high = min(place[outermost] + ABOVE, 1.0)
    return np.linspace(low, high, RADII), np.geomspace(widths_px[first], widths_px[last], FILTERS)
