"""One number over a run, kept within bounds without losing its peaks and dips."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.reading.grown import Grown

#: Most points of a curve; a multiple of 4, so that bins of two pair up.
POINTS_MAX = 4000
#: Most means that are remembered for a fit; even, so that they pair up.
MEANS_MAX = 4096

_POINT = np.dtype([("seq", np.int64), ("time_s", np.float64), ("value", np.float64), ("limit", np.float64)])
_MEAN = np.dtype([("seq", np.float64), ("value", np.float64)])


@dataclass(slots=True, kw_only=True)
class Curve:
    """A number over the frames of a run.

    Attributes:
        key: tells it from all others of the run.
        name: what it is, as in `photons`, `lag`, `dose excitation 640 nm`.
        group: "guard", "resolution", "latency", "queue" or "dose".
        view: of which view of the specimen; empty where there is only one.
        unit: of `value` and `limit`.
        seq, time_s: frame, and seconds since the first frame of the run.
        value: None where nothing could be measured.
        limit: what it was judged against; None where there is none.
    """

    key: str
    name: str
    group: str
    view: str
    unit: str
    seq: list[int] = field(default_factory=list)
    time_s: list[float] = field(default_factory=list)
    value: list[float | None] = field(default_factory=list)
    limit: list[float | None] = field(default_factory=list)


class Thinned:
    """Points of one curve: all of them at first, then of each bin of neighbours the lowest and the highest.

    When `POINTS_MAX` is reached, neighbouring bins are joined, so that the resolution is the same all over
    the run. The points of the bin that is not full yet are there one by one.
    """

    def __init__(self) -> None:
        self._kept = Grown(_POINT)
        self._open: list[tuple[int, float, float, float]] = []
        self.per_bin = 1

    def __len__(self) -> int:
        return len(self._kept) + len(self._open)

    def add(self, point: tuple[int, float, float, float]) -> bool:
        """Add seq, time_s, value, limit (nan where there is none); whether older points were thinned."""
        self._open.append(point)
        if len(self._open) < self.per_bin:
            return False
        for kept in _ends(np.array(self._open, _POINT)[None])[0] if self.per_bin > 1 else self._open:
            self._kept.append(kept)
        self._open.clear()
        if len(self._kept) < POINTS_MAX:
            return False
        self._kept = Grown(_POINT, _ends(self._kept.values.reshape(-1, 4)).ravel())
        self.per_bin *= 2 if self.per_bin > 1 else 4
        return True

    @property
    def points(self) -> NDArray[Any]:
        """[point] seq, time_s, value, limit, in order."""
        return np.concatenate([self._kept.values, np.array(self._open, _POINT)])


class Means:
    """Means of equally many neighbours, all over a run: for a fit, as `Thinned` favours extremes."""

    def __init__(self) -> None:
        self._kept = Grown(_MEAN)
        self._sums = (0.0, 0.0)
        self._open = 0
        self._per_mean = 1

    def add(self, seq: int, value: float) -> None:
        """Add a value; nan is passed over."""
        if value != value:
            return
        self._sums = self._sums[0] + seq, self._sums[1] + value
        self._open += 1
        if self._open < self._per_mean:
            return
        self._kept.append((self._sums[0] / self._open, self._sums[1] / self._open))
        self._sums, self._open = (0.0, 0.0), 0
        if len(self._kept) >= MEANS_MAX:
            kept = self._kept.values.reshape(-1, 2)
            joined = np.empty(len(kept), _MEAN)
            for key in ("seq", "value"):
                joined[key] = kept[key].mean(axis=1)
            self._kept = Grown(_MEAN, joined)
            self._per_mean *= 2

    @property
    def values(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """[mean] frame and value; copies."""
        kept = self._kept.values
        return kept["seq"].copy(), kept["value"].copy()


def _ends(bins: NDArray[Any]) -> NDArray[Any]:
    """[bin, 2] the lowest and the highest point of each bin [bin, point], in the order of time."""
    value = bins["value"]
    known = np.isfinite(value)
    lowest = np.where(known, value, np.inf).argmin(axis=1)
    highest = np.where(known, value, -np.inf).argmax(axis=1)
    last = bins.shape[1] - 1
    highest = np.where(highest == lowest, np.where(lowest == last, 0, last), highest)
    both = np.sort(np.stack([lowest, highest], axis=1), axis=1)
    return np.take_along_axis(bins, both, axis=1)
