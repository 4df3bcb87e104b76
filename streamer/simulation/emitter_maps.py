"""Given maps of emitters, such as the published ones of real structures, on the simulated microscope."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.errors import UsageError
from streamer.simulation.brightness import at_box_sum
from streamer.simulation.scene import Scene
from streamer.simulation.settings import LOW_DOSE, Light, SceneSettings
from streamer.simulation.structures import EmitterMap


def emitter_map_scene(
    emitters: NDArray[np.floating],
    *,
    seed: int,
    box_sum: float,
    pixel_nm: float = 20.0,
    light: Light = LOW_DOSE,
) -> Scene:
    """A scene that shows a map [y, x] of relative emitter densities, still and without bleaching.

    Args:
        emitters: not negative; mirrored beyond its borders.
        seed: of the photons.
        box_sum: expected photons of the median foreground box under `light` (`foreground_box_sum`).
        pixel_nm: of the map; a map does not say it.
        light: on the specimen.

    Errors: UsageError for a map that is not [y, x], or holds NaN, infinite, negative or only zero values.
    """
    if emitters.ndim != 2 or min(emitters.shape) < 2:
        raise UsageError(f"emitter map of shape {emitters.shape}; give one image [y, x]")
    if not np.isfinite(emitters).all() or emitters.min() < 0 or emitters.max() == 0:
        low, high = emitters.min(), emitters.max()
        raise UsageError(f"emitter map with values {low:g} to {high:g}; give densities from 0 up, not all 0")
    density = (emitters / emitters.max()).astype(np.float32)
    height, width = density.shape
    settings = SceneSettings(
        seed=seed,
        shape_yx=(height, width),
        pixel_nm=pixel_nm,
        bleaching=0.0,
        structure=EmitterMap(emitters=density),
    )
    return Scene(at_box_sum(settings, light, 0.0, box_sum))
