"""Random numbers that are a pure function of where they belong.

A specimen without borders, at any time, in any order of frames, needs draws that do not depend on how many
were made before: a hash of (seed, place, purpose) instead of a generator's stream.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.metrics.compiled import compiled

Keys = NDArray[np.uint64]
Floats = NDArray[np.float64]


@compiled
def mix(keys: Keys) -> Keys:
    """Finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection that leaves no visible pattern."""
    keys = keys + np.uint64(0x9E3779B97F4A7C15)
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return keys ^ (keys >> np.uint64(31))


def lattice_keys(seed: int, row: NDArray[np.int64], column: NDArray[np.int64]) -> Keys:
    """One key for each place of an endless lattice."""
    start = mix(np.array([seed & 0xFFFFFFFFFFFFFFFF], dtype=np.uint64))
    return mix(mix(start + row.astype(np.uint64)) + column.astype(np.uint64))


@compiled
def uniform(keys: Keys, purpose: int) -> Floats:
    """Draws from [0, 1), one per key; another purpose gives another, independent draw."""
    draws: Floats = mix(keys ^ mix(np.array([purpose], dtype=np.uint64))) / np.float64(2.0**64)
    return draws


def normal(keys: Keys, purpose: int) -> Floats:
    """Standard normal draws, one per key, by Box and Muller."""
    radius = np.sqrt(-2.0 * np.log1p(-uniform(keys, 2 * purpose + 1_000)))
    angles: Floats = 2.0 * np.pi * uniform(keys, 2 * purpose + 1_001)
    draws: Floats = radius * np.cos(angles)
    return draws
