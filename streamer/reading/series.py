"""Every number of a run over its frames, as curves of bounded length."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping
from itertools import takewhile
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.reading.curve import Curve, Means, Thinned
from streamer.reading.names import NAME_MAX, number, several, table, text, whole
from streamer.recording import Row

#: Most curves: names of guards, views, stages and laser lines come from the rows.
CURVES_MAX = 256
#: Newest points that can be asked for one by one.
NEWEST_MAX = 20_000
#: Units of what guards measure, where the number itself has one.
UNITS = {
    "photons": "photons per box",
    "range": "photons per box",
    "bleaching": "photons per box",
    "consistency": "standard deviations",
}

_Key = tuple[str, str, str, str]  # group, name, view, unit


class _Point(NamedTuple):
    number: int  # of the row, from 1
    key: _Key
    point: tuple[int, float, float, float]  # seq, time_s, value, limit


class _Line:
    """One curve while it grows."""

    def __init__(self, key: str, found: _Key) -> None:
        self.key = key
        self.group, self.name, self.view, self.unit = found
        self.points, self.means = Thinned(), Means()

    def curve(self, points: NDArray[Any] | None = None) -> Curve:
        """All its points, or only `points`."""
        shown = self.points.points if points is None else points
        return Curve(
            key=self.key,
            name=self.name,
            group=self.group,
            view=self.view,
            unit=self.unit,
            seq=shown["seq"].tolist(),
            time_s=shown["time_s"].tolist(),
            value=_known(shown["value"]),
            limit=_known(shown["limit"]),
        )


class Series:
    """Curves of what guards measured and judged it against, resolution, latency by stage, queue, and dose.

    Attributes:
        rows: rows taken so far.
        thinned: how often points of a curve were joined; who has drawn the curves before that asks for all
            of them again.
        left_out: curves beyond `CURVES_MAX`.
        first_wall_s: Unix time of the first frame; nan before it.
    """

    def __init__(self) -> None:
        self.rows = self.thinned = self.left_out = 0
        self.first_wall_s = math.nan
        self._lines: dict[_Key, _Line] = {}
        self._keys: set[str] = set()
        self._newest: deque[_Point] = deque(maxlen=NEWEST_MAX)

    def add(self, row: Row) -> None:
        """Take the row of a frame; what it should hold and does not is passed over."""
        seq, wall_s = whole(row.get("seq")), number(row.get("wall_time_s"))
        if seq is None:
            return
        self.rows += 1
        if math.isnan(self.first_wall_s):
            self.first_wall_s = wall_s
        time_s = wall_s - self.first_wall_s
        for key, value, limit in _numbers_of(row):
            line = self._lines.get(key) or self._begin(key)
            if line is None:
                continue
            point = (seq, time_s if time_s == time_s else 0.0, value, limit)
            self.thinned += line.points.add(point)
            self._newest.append(_Point(self.rows, key, point))
            if line.group == "guard":
                line.means.add(seq, value)

    def _begin(self, found: _Key) -> _Line | None:
        if len(self._lines) == CURVES_MAX:
            self.left_out += 1
            return None
        group, name, view, unit = found
        shown = f"{name} [{view}]" if view else name
        keys = (shown, f"{shown} {unit}", f"{group} {shown}", " ".join(found))
        key = next((key for key in keys if key not in self._keys), f"{group} {shown} {len(self._keys)}")
        line = self._lines[found] = _Line(key, found)
        self._keys.add(key)
        return line

    def curves(self) -> Mapping[str, Curve]:
        """All curves by key, in the order of their appearance; at most `POINTS_MAX` points each."""
        return {line.key: line.curve() for line in self._lines.values()}

    def views_of(self, guard: str) -> tuple[str, ...]:
        """The views that a guard has judged, as verdicts name them, in the order of their appearance."""
        return tuple(view for group, name, view, _ in self._lines if (group, name) == ("guard", guard))

    def since(self, rows: int) -> Mapping[str, Curve] | None:
        """The points that rows after the first `rows` brought, by key; None where they are no longer held."""
        if rows >= self.rows:
            return {}
        if len(self._newest) == NEWEST_MAX and self._newest[0].number > rows:
            return None
        found: dict[_Key, list[tuple[int, float, float, float]]] = {}
        for point in takewhile(lambda each: each.number > rows, reversed(self._newest)):
            found.setdefault(point.key, []).append(point.point)
        dtype = Thinned().points.dtype
        return {
            line.key: line.curve(np.array(found[key][::-1], dtype))
            for key, line in self._lines.items()
            if key in found
        }

    def history(self, key: str) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        """[mean] frames and measured values of a guard's curve over the whole run, and its newest limit.

        Of a long run they are means of neighbours. The limit is nan where there is none.

        Raises:
            KeyError: no guard's curve of this key.
        """
        line = next((each for each in self._lines.values() if (each.key, each.group) == (key, "guard")), None)
        if line is None:
            raise KeyError(key)
        limits = line.points.points["limit"]
        known = limits[np.isfinite(limits)]
        return *line.means.values, float(known[-1]) if known.size else math.nan


def _numbers_of(row: Row) -> Iterator[tuple[_Key, float, float]]:
    """Group, name, view and unit of each number of a row, its value and limit."""
    for verdict in several(row.get("verdicts"), 256):
        yield from _judged(table(verdict))
    if row.get("processed") is True:
        yield ("latency", "lag", "", "ms"), number(row.get("lag_ms")), math.nan
        for stage, ms in table(row.get("timings_ms")).items():
            yield ("latency", text(stage, NAME_MAX), "", "ms"), number(ms), math.nan
        yield ("queue", "waiting", "", "frames"), number(row.get("waiting")), math.nan
    for line, dose in table(row.get("dose")).items():
        name, _, unit = text(line, NAME_MAX).rpartition(" ")
        name, unit = (name, unit) if "/" in unit else (text(line, NAME_MAX), "")
        yield ("dose", f"dose {name}", "", unit), number(dose), math.nan


def _judged(said: Mapping[str, Any]) -> Iterator[tuple[_Key, float, float]]:
    guard, view = text(said.get("guard"), NAME_MAX), text(said.get("view"), NAME_MAX)
    if not guard:
        return
    yield (
        ("guard", guard, view, UNITS.get(guard, "")),
        number(said.get("measured")),
        number(said.get("limit")),
    )
    for name, value in table(said.get("values")).items():
        if name.endswith("resolution_nm"):
            words = text(name, NAME_MAX).removesuffix("_nm").replace("_", " ")
            yield ("resolution", words, view, "nm"), number(value), math.nan


def _known(values: NDArray[np.float64]) -> list[float | None]:
    return [value if value == value else None for value in values.tolist()]
