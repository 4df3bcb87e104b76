"""What the guards said of every frame, and which numbers never came, counted in one pass over the rows.

Nothing is smoothed or thinned here: what the report states is what `frames.parquet` holds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from streamer.reading.names import NAME_MAX, number, several, table, text, whole
from streamer.recording import Row

#: Ranges of frames that are kept; a badly broken run may have thousands.
RANGES_MAX = 200
#: Pairs of guard and view that are counted: their names come from the rows.
JUDGES_MAX = 4096


@dataclass(slots=True, kw_only=True)
class GuardCount:
    """What one guard said of one view.

    Attributes:
        guard, view: which; view is empty where the run has only one.
        passed, flagged, rejected: frames.
        first, last: first and last (seq, measured) with a number.
        limit: the last one.
        said: its words on the last frame that it did not pass; of the last of all where it passed them.
    """

    guard: str
    view: str
    passed: int = 0
    flagged: int = 0
    rejected: int = 0
    first: tuple[int, float] | None = None
    last: tuple[int, float] | None = None
    limit: float | None = None
    said: str = ""
    _was_grave: bool = False

    @property
    def judged(self) -> int:
        """Frames that it spoke of."""
        return self.passed + self.flagged + self.rejected

    def add(self, seq: int, verdict: Mapping[str, Any]) -> None:
        """Count one verdict."""
        status, measured, limit = (
            verdict.get("status"),
            number(verdict.get("measured")),
            number(verdict.get("limit")),
        )
        self.passed += status == "pass"
        self.flagged += status == "flag"
        self.rejected += status == "reject"
        if not math.isnan(measured):
            self.first, self.last = self.first or (seq, measured), (seq, measured)
        self.limit = self.limit if math.isnan(limit) else limit
        grave = status != "pass"
        if grave or not self._was_grave:
            self.said, self._was_grave = text(verdict.get("meaning")), grave


@dataclass(slots=True, kw_only=True)
class Ranges:
    """Ranges of frame numbers, both ends included.

    Attributes:
        held: the first `RANGES_MAX`.
        count: frames in all of them.
        left_out: ranges beyond those that are held.
    """

    held: list[tuple[int, int]] = field(default_factory=list)
    count: int = 0
    left_out: int = 0

    def add(self, first: int, last: int, *, joined: bool = False) -> None:
        """Add a range; one that is `joined` to the last makes that longer."""
        self.count += last - first + 1
        if joined and self.held and not self.left_out:
            self.held[-1] = (self.held[-1][0], last)
        elif len(self.held) < RANGES_MAX:
            self.held.append((first, last))
        else:
            self.left_out += not joined


@dataclass(slots=True, kw_only=True)
class Counted:
    """Guards and gaps of a run.

    Attributes:
        judged: frames that any guard spoke of.
        missing: numbers that never came.
        rejected, flagged: frames that a guard rejected, or at worst flagged; a range goes on over frames that
            were not processed.
        guards: by guard and view, in order of appearance.
        longest_queue: (frames that waited, at which frame) where most did.
    """

    judged: int = 0
    missing: Ranges = field(default_factory=Ranges)
    rejected: Ranges = field(default_factory=Ranges)
    flagged: Ranges = field(default_factory=Ranges)
    guards: dict[tuple[str, str], GuardCount] = field(default_factory=dict)
    longest_queue: tuple[int, int] = (0, -1)
    _seq: int = -1
    _worst: str = ""

    def add(self, row: Row) -> None:
        """Count one row; what it should hold and does not is passed over."""
        seq = whole(row.get("seq"))
        if seq is None:
            return
        if 0 <= self._seq < seq - 1:
            self.missing.add(self._seq + 1, seq - 1)
        self._seq = max(self._seq, seq)
        waiting = whole(row.get("waiting")) or 0
        if row.get("processed") is True and waiting > self.longest_queue[0]:
            self.longest_queue = waiting, seq
        if verdicts := [table(verdict) for verdict in several(row.get("verdicts"))]:
            self._add_verdicts(seq, verdicts)

    def _add_verdicts(self, seq: int, verdicts: Sequence[Mapping[str, Any]]) -> None:
        self.judged += 1
        for verdict in verdicts:
            key = text(verdict.get("guard"), NAME_MAX), text(verdict.get("view"), NAME_MAX)
            if key not in self.guards and len(self.guards) < JUDGES_MAX:
                self.guards[key] = GuardCount(guard=key[0], view=key[1])
            if key in self.guards:
                self.guards[key].add(seq, verdict)
        statuses = {verdict.get("status") for verdict in verdicts}
        worst = "reject" if "reject" in statuses else "flag" if "flag" in statuses else ""
        for status, ranges in (("reject", self.rejected), ("flag", self.flagged)):
            if worst == status:
                ranges.add(seq, seq, joined=self._worst == status)
        self._worst = worst

    @property
    def views(self) -> tuple[str, ...]:
        """Names of the views in order of appearance; "" where the run has only one."""
        return tuple(dict.fromkeys(view for _, view in self.guards))


def count(rows: Iterable[Row]) -> Counted:
    """Count the rows of a run."""
    counted = Counted()
    for row in rows:
        counted.add(row)
    return counted
