"""A run in plain numbers, from its rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.reading.grown import Grown
from streamer.reading.names import NAME_MAX, number, table, text, whole
from streamer.recording import Row

#: Most stages and laser lines.
STAGES_MAX, LINES_MAX = 16, 64
#: A percentile p is stated from 10 / (1 - p) values on: ten of them lie beyond it.
_PERCENTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
_BEYOND = 10


class Tally:
    """Counts, latencies and dose of the frames so far; 8 bytes a frame and stage."""

    def __init__(self) -> None:
        self.frames = self.processed = self.missing = self.waiting_max = 0
        self.first_seq: int | None = None
        self.last_seq: int | None = None
        self.first_wall_s = self.last_wall_s = math.nan
        self.dose: dict[str, float] = {}
        self._lag_ms = Grown(np.float64)
        self._stage_ms: dict[str, Grown] = {}

    def add(self, row: Row) -> None:
        """Take the row of a frame."""
        seq, wall_s = whole(row.get("seq")), number(row.get("wall_time_s"))
        if seq is None:
            return
        self.frames += 1
        if self.last_seq is not None and seq > self.last_seq:
            self.missing += seq - self.last_seq - 1
        self.first_seq = seq if self.first_seq is None else self.first_seq
        self.last_seq = max(seq, seq if self.last_seq is None else self.last_seq)
        self.first_wall_s = wall_s if math.isnan(self.first_wall_s) else self.first_wall_s
        self.last_wall_s = self.last_wall_s if math.isnan(wall_s) else wall_s
        if isinstance(row.get("dose"), dict):
            given = list(row["dose"].items())[:LINES_MAX]
            self.dose = {
                text(line, NAME_MAX): number(dose) for line, dose in given if number(dose) == number(dose)
            }
        if row.get("processed") is True:
            self._add_times(row)

    def _add_times(self, row: Row) -> None:
        self.processed += 1
        self.waiting_max = max(self.waiting_max, whole(row.get("waiting")) or 0)
        self._lag_ms.append(number(row.get("lag_ms")))
        for stage, ms in table(row.get("timings_ms")).items():
            times = self._stage_ms.get(stage)
            if times is None:
                if len(self._stage_ms) == STAGES_MAX:
                    continue
                times = self._stage_ms[stage] = Grown(np.float64)
            times.append(number(ms))

    def summary(self) -> dict[str, Any]:
        """Plain numbers: counts, "lag_ms", "stage_ms" by stage, "dose" by line with unit, "elapsed_s".

        A percentile is None where too few frames carry it. `missing` are numbers between the first and the
        last frame that no row has. `elapsed_s` is from the first to the last frame.
        """
        elapsed_s = self.last_wall_s - self.first_wall_s
        return {
            "frames": self.frames,
            "processed": self.processed,
            "not_processed": self.frames - self.processed,
            "missing": self.missing,
            "first_seq": self.first_seq,
            "last_seq": self.last_seq,
            "waiting_max": self.waiting_max,
            "lag_ms": percentiles(self._lag_ms.values),
            "stage_ms": {text(name, NAME_MAX): percentiles(ms.values) for name, ms in self._stage_ms.items()},
            "dose": dict(self.dose),
            "elapsed_s": elapsed_s if math.isfinite(elapsed_s) else 0.0,
        }


def percentiles(values: NDArray[np.float64]) -> Mapping[str, float | int | None]:
    """n, p50, p95, p99, max of what is a number; a percentile with fewer than ten values beyond is None."""
    known = values[np.isfinite(values)]
    found: dict[str, float | int | None] = {"n": int(known.size)}
    for name, share in _PERCENTILES.items():
        enough = known.size * (1.0 - share) >= _BEYOND * (1.0 - 1e-9)
        found[name] = float(np.quantile(known, share)) if enough else None
    return {**found, "max": float(known.max()) if known.size else None}
