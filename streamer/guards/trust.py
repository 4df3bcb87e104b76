"""How well the counts support what was drawn, pixel by pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.core import Result
from streamer.metrics import signal_map

#: Values of the trust image.
NOTHING_DRAWN, UNCERTAIN, SUPPORTED, UNSUPPORTED = 0, 1, 2, 3
_BY_CLASS = np.array([UNSUPPORTED, UNCERTAIN, SUPPORTED], np.uint8)  # background, uncertain, signal


def trust(result: Result, *, background_max: float, signal_min: float) -> NDArray[np.uint8]:
    """[y, x] trust in each drawn pixel: 0 nothing drawn, 1 uncertain, 2 supported, 3 unsupported.

    A drawn pixel (`labels` not 0) is as good as the class of its box in the signal map.
    """
    supported = _BY_CLASS[signal_map(result.photons, background_max, signal_min)]
    return np.where(result.labels != 0, supported, np.uint8(NOTHING_DRAWN))
