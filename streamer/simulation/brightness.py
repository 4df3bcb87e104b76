"""How bright a specimen is, as users know it: photons in the 10x10 boxes of the foreground."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from streamer.metrics import tile_sums
from streamer.metrics.quality import median_box_sum
from streamer.simulation.scene import Scene
from streamer.simulation.settings import Light, SceneSettings

BOX_PX = 10
#: Half-covered tiles that a median needs.
LEAST_TILES = 5


def foreground_box_sum(photons: NDArray[np.generic], labels: NDArray[np.uint8]) -> float:
    """Median photon sum of foreground boxes [y, x]; NaN where nothing is labelled.

    Foreground boxes are the tiles of which at least half of the pixels have a label
    (`streamer.metrics.quality.median_box_sum`). Thin or scattered structures may fill fewer than
    `LEAST_TILES` tiles to the half: then the boxes centred on each labelled pixel are taken instead, which is
    what a signal map shows on the structure.
    """
    if np.count_nonzero(tile_sums(labels != 0, BOX_PX) >= BOX_PX**2 / 2) >= LEAST_TILES:
        return median_box_sum(photons, labels, BOX_PX)
    if not labels.any():
        return float("nan")
    sums = ndimage.uniform_filter(photons.astype(np.float64), BOX_PX, mode="reflect") * BOX_PX**2
    return float(np.median(sums[labels != 0]))


def at_box_sum(settings: SceneSettings, light: Light, time_s: float, box_sum: float) -> SceneSettings:
    """The same scene, so bright that its expected foreground box sum at `time_s` is `box_sum`.

    A scene without structure, or one asked to be dimmer than the detector's dark counts, stays as it is.
    """
    signal, background, labels = Scene(settings).expected(time_s, light)
    return brightened(settings, light, foreground_box_sum(signal + background, labels), box_sum)


def brightened(settings: SceneSettings, light: Light, found: float, box_sum: float) -> SceneSettings:
    """The settings that give a box sum of `box_sum` where these give `found`; unchanged where none can."""
    dark = settings.dark_counts_per_s * 1e-6 * light.exposure_us * BOX_PX**2
    if not (found > dark and box_sum > dark):
        return settings
    rate = settings.photons_per_uw_us * (box_sum - dark) / (found - dark)
    return replace(settings, photons_per_uw_us=rate)
