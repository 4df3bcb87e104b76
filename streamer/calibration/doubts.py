"""What may be wrong with a flat and a dark series: warnings, each with its cure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from streamer.calibration.series import Floats, Series

if TYPE_CHECKING:
    from streamer.calibration.photon_transfer import PhotonTransfer

#: Fewer frames make wide intervals and hide drift.
FRAMES_WANTED = 20


def of_series(flat: Series, dark: Series) -> Iterator[str]:
    """What may be wrong with two series as they are."""
    for one in (flat, dark):
        if one.frames < FRAMES_WANTED:
            yield f"{one.name}: {one.frames} frames; intervals are wide below {FRAMES_WANTED}, record 100"
        if one.repeats:
            yield (
                f"{one.name}: {one.repeats} frames are copies of the one before, which lowers the noise; "
                "record again"
            )
    change = float(np.ptp(flat.light))
    if change > 0.02:
        yield (
            f"{flat.name}: its light changes by {change:.1%} over the series; that is taken out, but use a "
            "steady lamp (LED, warmed up)"
        )
    drift, error = _drift(dark.means)
    if abs(drift) > max(4 * error, 0.5):
        yield (
            f"{dark.name}: the offset drifts by {drift:+.2g} grey levels over the series; let the camera "
            "reach its temperature and record again"
        )
    if dark.blackest > 1e-4:
        yield (
            f"{dark.name}: {dark.blackest:.1%} of the values are 0, so that noise below is cut off; raise "
            "the camera's offset"
        )


def _drift(means: Floats) -> tuple[float, float]:
    """Change of a straight line over the series, and its standard error."""
    if means.size < 5:
        return 0.0, 0.0
    line, cover = np.polyfit(np.linspace(0, 1, means.size), means, 1, cov=True)
    return float(line[0]), float(cover[0, 0]) ** 0.5


def of_noise(
    flat: Series, dark: Series, found: PhotonTransfer, used: NDArray[np.bool_], odd: float
) -> Iterator[str]:
    """What speaks against the noise being that of photons.

    Args:
        flat, dark: the series.
        found: what was measured of them.
        used: [y, x] pixels that were used.
        odd: share of pixels that were left out since chance does not explain their noise.
    """
    if found.saturated > 0:
        yield f"{flat.name}: {found.saturated:.2%} of the pixels are saturated and left out; lower the lamp"
    if abs(flat.neighbours) > max(0.03, 5.0 / (flat.level.size * (flat.frames - 1)) ** 0.5):
        yield (
            f"{flat.name}: the noise of neighbouring pixels is correlated ({flat.neighbours:+.2f}), as after "
            "interpolation, filtering or lossy compression; the gain is then wrong, record raw frames"
        )
    if odd > 0.01:
        yield (
            f"{flat.name}: {odd:.1%} of the pixels are noisier or quieter than their light explains and left "
            "out; is the flat really still and even, without structure that moves?"
        )
    bend, error = _bend(flat, dark, used)
    if abs(bend) > max(4 * error, 0.05):
        yield (
            f"{flat.name}: variance over mean differs by {bend:+.0%} between its bright and dim parts, which "
            "photons do not do; expose to less than half of the scale, and look for stray flicker"
        )
    if (found.read_noise_e.value**2) > 0.25 * found.flat_photons:
        yield (
            f"{dark.name}: nearly as noisy as {flat.name}; does light reach the dark series, or is the flat "
            "too dim? close every shutter, or light the flat with 100 photons a pixel or more"
        )
    if _is_lit(dark, found, used):
        yield (
            f"{dark.name}: brighter pixels are noisier as if by photons; does light reach the camera? close "
            "every shutter and switch the room light off"
        )
    if found.read_noise_e.value < 0.5 * found.gain_e_per_adu.value:
        yield (
            f"{dark.name}: noise of less than half a grey level, most of which is rounding; "
            "read noise below that cannot be seen at this gain"
        )


def _bend(flat: Series, dark: Series, used: NDArray[np.bool_]) -> tuple[float, float]:
    """Relative difference of variance over mean between the brighter and the dimmer half; its error."""
    if np.count_nonzero(used) < 200:
        return 0.0, 0.0
    level, noise = flat.level[used], (flat.variance - dark.variance)[used]
    low, high = np.quantile(level, [0.25, 0.75])
    if high < 1.1 * low or low <= 0:  # an even flat has no dim part
        return 0.0, 0.0
    ratios, errors = np.zeros(2), np.zeros(2)
    for number, part in enumerate((level >= high, level <= low)):
        ratios[number] = noise[part].sum() / level[part].sum()
        errors[number] = noise[part].std() * np.count_nonzero(part) ** 0.5 / level[part].sum()
    middle = float(ratios.mean())
    return float(ratios[0] - ratios[1]) / middle, float(np.hypot(errors[0], errors[1])) / middle


def _is_lit(dark: Series, found: PhotonTransfer, used: NDArray[np.bool_]) -> bool:
    """Whether dark variance rises with the dark level as photon noise would."""
    level, noise = dark.level[used], dark.variance[used]
    gain, usual = found.gain_e_per_adu.value, float(np.median(noise))
    low, high = np.quantile(level, [0.1, 0.9])
    if (high - low) / gain < 0.2 * usual:  # photons of that range would hardly show in the noise
        return False
    rise = float(noise[level >= high].mean() - noise[level <= low].mean())
    return rise > 0.5 * float(high - low) / gain
