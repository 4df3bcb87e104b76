"""How wide thin things are labelled.

A filament of 25 nm fills no pixel of 20 nm to the half, and no image shows it that thin. The truth of thin
structures is therefore what a perfect image would show: all pixels within half of the nominal resolution.
"""

from __future__ import annotations

import numpy as np

from streamer.simulation.canvas import Canvas, Points

#: Half of the 70 nm that `sted_fwhm_nm` gives at Rahm's depletion power.
SEEN_UM = 0.035
#: How much wider than what they fill are the pixels that points touch, on each side.
TOUCHED_PX = 0.4


def bands(points: Points, across: Points, half_um: Points | float, canvas: Canvas) -> Points:
    """[m, 2] points that fill a band of half width `half_um` (one, or [n]) around [n, 2] points."""
    if len(points) == 0:
        return points
    # A pixel counts when its centre lies within, but points mark every pixel that they touch.
    half = np.maximum(np.broadcast_to(half_um, (len(points),)) - TOUCHED_PX * canvas.pixel_um, 0.0)
    count = int(np.ceil(2 * half.max() / (0.6 * canvas.pixel_um))) + 1
    asides = np.linspace(-1.0, 1.0, count)[:, None, None] * (half[:, None] * across)
    filled: Points = (points + asides).reshape(-1, 2)
    return filled
