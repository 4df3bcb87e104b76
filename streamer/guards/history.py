"""The course of one number over a run of any length, in bounded memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Bins that a history has at most; when it is full, neighbours are merged.
BINS_MAX = 128

#: [bin, 3] frames in the bin, and sums of frame number and level over them. All but the last are full.
History = NDArray[np.float64]


def nothing() -> History:
    """No frame yet."""
    return np.zeros((0, 3))


def added(history: History, seq: int, level: float) -> History:
    """The history with one frame more.

    Bins hold 1, 2, 4, ... frames, the same number each, so that from `BINS_MAX` frames on there are between
    64 and 128 of them.
    """
    frame = np.array([[1.0, float(seq), level]])
    width = history[0, 0] if len(history) else 1.0
    if len(history) and history[-1, 0] < width:
        return np.concatenate([history[:-1], history[-1:] + frame])
    if len(history) == BINS_MAX:
        history = history.reshape(-1, 2, 3).sum(axis=1)
    return np.concatenate([history, frame])


def points(history: History) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """[bin] mean frame numbers and [bin] mean levels of the full bins."""
    full = history[history[:, 0] == history[0, 0]] if len(history) else history
    return full[:, 1] / full[:, 0], full[:, 2] / full[:, 0]
