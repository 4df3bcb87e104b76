"""The image that ERnet was made for, from a frame: the published steps, and what they come to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Percentiles of a frame that become 0 and 1.
LOW, HIGH = 1.0, 99.0
#: Grey levels of the 8-bit image that the network was trained on.
LEVELS = 255


def ernet_input(frame: NDArray[np.generic]) -> NDArray[np.float32]:
    """A frame [y, x] of any scale to the image [y, x] from 0 to 1 that ERnet takes.

    As published: (1) minimum and maximum of the *stack* to 0 and 1; (2) of each frame the 1st and 99th
    percentile to 0 and 1, clipped; (3) 8 bits, rounded down; (4) over 255. Step 2 undoes step 1, whatever the
    stack held, so a live frame needs no stack and step 1 is left out. A frame whose percentiles are equal
    has no structure and gives zeros (the published code divides by zero there). Rolling-ball subtraction
    (radius 15 px), which Rahm et al. put before ERnet, is the caller's.
    """
    values = np.asarray(frame, dtype=np.float64)
    low, high = np.percentile(values, [LOW, HIGH])
    if not high > low:
        return np.zeros(values.shape, dtype=np.float32)
    scaled = np.clip((values - low) / (high - low), 0.0, 1.0)
    return np.asarray(np.floor(scaled * LEVELS) / LEVELS, dtype=np.float32)
