"""What happened in a run, in the order in which it happened and in words for who sits at the microscope."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from streamer.reading.names import NAME_MAX, number, several, table, text, whole
from streamer.reading.words import carried_out, decided, judged, notified, requested
from streamer.recording import Row

Kind = Literal["begun", "verdict", "decision", "carried out", "mark", "request", "notice", "ended"]
Gravity = Literal["info", "warning", "alarm"]

#: Newest entries that are kept, and guards and views whose status is remembered.
ENTRIES_MAX, JUDGES_MAX = 2000, 4096
#: Results after which a guard that is content again is believed: near a limit its status changes to and fro.
CALM = 10

_GRAVITY: Mapping[object, Gravity] = {"pass": "info", "flag": "warning", "reject": "alarm"}
_RANK = {"pass": 0, "flag": 1, "reject": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One entry of the log.

    Attributes:
        seq: the newest frame at that moment; -1 before the first.
        wall_time_s: Unix time of that frame, or of what is told; 0 where nobody knows.
        kind: what it is.
        gravity: "info" for the record, "warning" worth a look, "alarm" to act on.
        text: in words.
    """

    seq: int
    wall_time_s: float
    kind: Kind
    gravity: Gravity
    text: str


@dataclass(slots=True)
class _Judge:
    """What the log last said of a guard in a view, and for how many results it has been better."""

    status: str = "pass"
    calm: int = 0
    calm_since: int = 0


class Log:
    """Entries from the rows of frames and decisions.

    A verdict is said when it gets graver, and when it has been better for `CALM` results. Gaps in the numbers
    of the frames, and the first frame that was not processed, are said too.

    Attributes:
        has_damage: a line of the rows cannot be read, so that a frame without row may well have had one.
        total: entries said so far.
        stop: the decision or request that stopped the run first.
    """

    def __init__(self) -> None:
        self.total = 0
        self.has_damage = False
        self.stop: Said | None = None
        self._entries: deque[Said] = deque(maxlen=ENTRIES_MAX)
        self._judges: dict[tuple[str, str], _Judge] = {}
        self._seq, self._wall_s = -1, 0.0
        self._passed_over = False

    @property
    def entries(self) -> list[Said]:
        """The newest `ENTRIES_MAX`, oldest first."""
        return list(self._entries)

    @property
    def left_out(self) -> int:
        """Older entries that are no longer kept."""
        return self.total - len(self._entries)

    def since(self, total: int) -> list[Said]:
        """Entries said after the first `total`, as far as they are kept."""
        count = min(max(self.total - total, 0), len(self._entries))
        return list(self._entries)[len(self._entries) - count :]

    def say(
        self, kind: Kind, gravity: Gravity, words: str, *, seq: int | None = None, wall_s: float = math.nan
    ) -> Said:
        """Add an entry, by default of the newest frame."""
        said = Said(
            seq=self._seq if seq is None else seq,
            wall_time_s=wall_s if math.isfinite(wall_s) else self._wall_s,
            kind=kind,
            gravity=gravity,
            text=text(words),
        )
        self._entries.append(said)
        self.total += 1
        return said

    def add_frame(self, row: Row) -> None:
        """Take the row of a frame."""
        seq, wall_s = whole(row.get("seq")), number(row.get("wall_time_s"))
        if seq is None:
            return
        gap = seq - self._seq - 1
        if gap > 0 and self._seq >= 0:
            missing = f"frame {seq - 1} is" if gap == 1 else f"frames {self._seq + 1}-{seq - 1} are"
            why = "acquired, but not in this recording"
            if self.has_damage:
                why = "not recorded, or in a damaged line of the rows"
            self.say("notice", "warning", f"{missing} missing: {why}", seq=seq, wall_s=wall_s)
        self._seq = max(self._seq, seq)
        self._wall_s = wall_s if math.isfinite(wall_s) else self._wall_s
        if row.get("processed") is False and not self._passed_over:
            self._passed_over = True
            self.say(
                "notice", "warning", "recorded without being denoised or judged, to keep up with newer frames"
            )
        for verdict in several(row.get("verdicts"), 256):
            self._judge(table(verdict), seq)

    def _judge(self, said: Mapping[str, Any], seq: int) -> None:
        guard, view = text(said.get("guard"), NAME_MAX), text(said.get("view"), NAME_MAX)
        status, seen = text(said.get("status"), NAME_MAX), text(said.get("meaning"))
        was_judged = math.isfinite(number(said.get("measured")))
        if status not in _RANK or not guard:
            return
        if (guard, view) not in self._judges and len(self._judges) == JUDGES_MAX:
            return
        judge = self._judges.setdefault((guard, view), _Judge())
        if _RANK[status] >= _RANK[judge.status]:
            judge.calm = 0
            if status == judge.status:
                return
            words = judged(guard, view, status, seen, explain=was_judged)
        else:
            judge.calm_since = judge.calm_since if judge.calm else seq
            judge.calm += 1
            if judge.calm < CALM:
                return
            judge.calm = 0
            words = judged(guard, view, status, seen, explain=was_judged, since=judge.calm_since)
        judge.status = status
        self.say("verdict", _GRAVITY[status], words, seq=seq)

    def add_decision(self, row: Row) -> None:
        """Take a row of `decisions.jsonl`, of whatever kind; one of a kind that is not known is left out."""
        seq = whole(row.get("seq"))
        wall_s = number(row.get("decided_wall_s", row.get("wall_time_s")))  # a frame's own time is earlier
        place: dict[str, Any] = {"seq": seq, "wall_s": wall_s}
        match row.get("kind"):
            case "decision":
                gravity: Gravity = "alarm" if row.get("action") == "stop" else "warning"
                self._stop_at(row, self.say("decision", gravity, decided(row), **place))
            case "carried out":
                ok = row.get("ok") is not False
                self.say("carried out", "info" if ok else "alarm", carried_out(row), **place)
            case "mark":
                self.say("mark", "info", f"marked: {text(row.get('note')) or '(no note)'}", **place)
            case "request":
                gravity = "warning" if row.get("action") in ("stop", "pause") else "info"
                self._stop_at(row, self.say("request", gravity, requested(row), **place))
            case "notified":
                gravity = "warning" if row.get("ok") is False else "info"
                self.say("notice", gravity, notified(row), **place)

    def _stop_at(self, row: Row, said: Said) -> None:
        if row.get("action") == "stop" and row.get("ok") is not False and self.stop is None:
            self.stop = said
