"""One recording, growing or closed: everything that can be said of it, kept up to date."""

from __future__ import annotations

import json
import math
import os
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from streamer.errors import SourceError, UsageError
from streamer.reading.index import FrameIndex
from streamer.reading.log import Log, Said
from streamer.reading.names import number, table, text, whole
from streamer.reading.planes import regions_of
from streamer.reading.series import Series
from streamer.reading.tail import Tail
from streamer.reading.tally import Tally
from streamer.reading.writer import is_locked
from streamer.recording import Row, RunFolder, RunInfo, read_info
from streamer.recording.frames import as_now
from streamer.recording.run import FORMAT_VERSION

if TYPE_CHECKING:
    from streamer.metrics.decay import Forecast

State = Literal["waiting", "running", "paused", "stopping", "stopped", "finished", "left"]

#: Rows parsed before they are taken: what is held of a long recording at once.
_BATCH = 500
#: Decisions remembered, so that none is told twice after a recording was cut back.
_DECISIONS_MAX = 10_000
#: A run whose lock nobody holds here, or where nobody can tell, is taken for left after so long without a
#: frame, and after several times what its frames usually take: over a network its lock is not seen.
UNLOCKED_S, UNKNOWN_S, STILL_FRAMES = 5.0, 30.0, 5.0
#: Frames that are under way when a pause is decided may come for so long.
_UNDER_WAY_S = 10.0
#: Frames to look ahead where nobody planned the run, in units of those so far.
_AHEAD = 10
#: A forecast is made anew when the history has grown by one of so many parts or by so many frames, and not
#: before so long.
_RENEWED, _RENEWED_FRAMES, RENEWED_S = 50, 20, 10.0


class _Foreseen(NamedTuple):
    """A forecast, of how many rows, made when on a monotonic clock."""

    rows: int
    made_s: float
    forecast: Forecast | None

    def is_old(self) -> bool:
        return time.monotonic() - self.made_s >= RENEWED_S


class WatchedRun:
    """A recording that is looked at, by whoever and however often; nothing of it is written.

    Args:
        path: its folder.
        clock: Unix time in seconds.

    Attributes:
        folder: names of what lies in it.
        info: provenance, as it was at the last `update`.
        index: where the planes of each frame lie.
        series: curves.
        log: what happened.
        newest: the row of the newest frame, None before the first.

    Raises:
        UsageError: no recording, or one that this version cannot read.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self.folder = RunFolder(path)
        self._clock = clock
        self._stamp = _stamp(self.folder.info)
        self.info = _read_info(self.folder)
        self.index = FrameIndex(splitter=tuple(regions_of(self.info.profile)))
        self.series, self.log, self._tally = Series(), Log(), Tally()
        self._frames, self._decisions = Tail(self.folder.frames), Tail(self.folder.decisions)
        self._known: set[str] = set()
        self.newest: Row | None = None
        self._hold: Row | None = None
        self._sessions = self._damaged = self._said_damaged = 0
        self._ended = self._broke_off = False
        self._forecasts: dict[tuple[str, int | None], _Foreseen] = {}
        self._begun = False

    def update(self) -> int:
        """Take what was written since; gives the number of new frames. Never raises."""
        self._reread_info()  # first: when it says that all is written, all rows are there
        decisions = deque(sorted(filter(self._is_new, self._decisions.new(_DECISIONS_MAX)), key=_seq))
        taken = 0
        while rows := self._frames.new(_BATCH):
            self.log.has_damage = self.damaged_rows > 0
            for row in rows:
                taken += self._take(row, decisions)
        while decisions:
            self._decide(decisions.popleft())
        self._say_damaged()
        self._say_ended()
        self._say_broke_off()
        return taken

    def _take(self, row: Row, decisions: deque[Row]) -> bool:
        """Take the row of a frame, and decisions on frames before it; whether it was new."""
        try:
            row = as_now(row)
        except TypeError:  # a verdict of an old layout that is none
            row = {**row, "verdicts": []}
        seq = whole(row.get("seq"))
        newest = self._tally.last_seq
        if seq is None:
            self._damaged += 1
            self.log.has_damage = True
            return False
        if self._frames.restarts and newest is not None and seq <= newest:
            return False  # read before the file was cut back
        self._say_begun()
        while decisions and _seq(decisions[0]) < seq:
            self._decide(decisions.popleft())
        for taker in (self.index.add, self.series.add, self._tally.add, self.log.add_frame):
            taker(row)
        self.newest = row
        return True

    def _is_new(self, row: Row) -> bool:
        """Whether a decision has not been told; a recording that is cut back gives them again."""
        # Decided anew for the same frame it is the same decision, only later.
        words = json.dumps({**row, "decided_wall_s": None}, sort_keys=True)
        if words in self._known or len(self._known) >= _DECISIONS_MAX:
            return False
        self._known.add(words)
        return True

    def _decide(self, row: Row) -> None:
        self._say_begun()
        self.log.add_decision(row)
        if row.get("kind") == "carried out":
            if row.get("action") == "pause" and row.get("ok") is False:
                self._hold = None
        elif row.get("action") in ("pause", "resume", "stop") and row.get("ok") is not False:
            self._hold = row

    def _say_begun(self) -> None:
        """With the first row: only then the provenance knows what the microscope has planned."""
        if not self._begun:
            self._begun = True
            self.log.say("begun", "info", _begun(self.info), wall_s=self.info.started_wall_s)

    def _say_damaged(self) -> None:
        damaged = self.damaged_rows + self._decisions.damaged
        if damaged > self._said_damaged:
            self._said_damaged = damaged
            lines = "1 line of the record is" if damaged == 1 else f"{damaged} lines of the record are"
            self.log.say("notice", "warning", f"{lines} damaged and left out; restore it from a copy")

    def _reread_info(self) -> None:
        """Provenance as it is now; what cannot be read keeps the old one."""
        stamp = _stamp(self.folder.info)
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self.info = _read_info(self.folder)
            except UsageError as error:
                self.log.say("notice", "warning", f"the provenance cannot be read any more: {error}")
        for session in self.info.sessions[self._sessions :]:
            words = f"a new processor went on from frame {session.first_seq} on"
            self.log.say("notice", "warning", words, wall_s=session.started_wall_s)
        self._sessions = len(self.info.sessions)

    def _say_ended(self) -> None:
        if self.info.state == "closed" and not self._ended:
            self._say_begun()
            words = f"{self.state}: {self._tally.frames} frames recorded, {self._tally.processed} processed"
            self.log.say("ended", "info", words, wall_s=self.info.ended_wall_s or math.nan)
        self._ended = self.info.state == "closed"

    def _say_broke_off(self) -> None:
        """Where it is open and nobody writes it; another processor may go on, here or elsewhere."""
        is_left = self.info.state != "closed" and not self._is_written()
        if is_left and not self._broke_off:
            self._say_begun()
            last = self._tally.last_seq
            where = "before its first frame" if last is None else f"after frame {last}"
            words = f"the recording broke off {where}: it was not closed, and nobody writes it here"
            self.log.say("ended", "alarm", f"{words}; what was sent and not recorded is not known here")
        elif self._broke_off and not is_left and not self._ended:
            self.log.say("notice", "info", "the recording goes on")
        self._broke_off = is_left

    @property
    def state(self) -> State:
        """What the recording says that the run is doing: "left" where it is open and nobody writes it."""
        if self.info.state == "closed":
            return "stopped" if self.stop else "finished"
        if not self._is_written():
            return "left"
        if self.stop:
            return "stopping"
        if self._is_paused():
            return "paused"
        return "running" if self._tally.frames else "waiting"

    @property
    def damaged_rows(self) -> int:
        """Lines of `frames.jsonl` that are no row of a frame; a last one without an end is none of them."""
        return self._damaged + self._frames.damaged

    @property
    def stop(self) -> Said | None:
        """The decision or request that stopped the run."""
        return self.log.stop

    def summary(self) -> dict[str, Any]:
        """The run in plain numbers, as `Tally.summary` says, with "state" and "planned" frames or None."""
        return {"state": self.state, "planned": self.planned, **self._tally.summary()}

    @property
    def planned(self) -> int | None:
        """Frames that the microscope has planned; None for an open end."""
        return whole(table(self.info.source.get("hook")).get("planned"))

    def photon_views(self) -> tuple[str, ...]:
        """The views whose photons are judged, as `forecast` takes them."""
        return self.series.views_of("photons")

    def forecast(self, view: str = "", horizon: int | None = None) -> Forecast | None:
        """How long the photons of a view of the guards will last; None where nobody can tell yet.

        It is made anew when the history has grown by a fiftieth or by 20 frames, but not more often than
        every 10 s while the run goes on. Frames are those of the run, of all its views together.

        Args:
            view: as in `Curve.view`; of the curve `photons`.
            horizon: frames to look ahead; by default to the planned end, else ten times what was seen.
        """
        try:
            seq, level, floor = self.series.history(f"photons [{view}]" if view else "photons")
        except KeyError:
            return None
        if not seq.size or not floor > 0:
            return None
        known = self._forecasts.get((view, horizon))
        if known is not None and not self._is_outgrown(known):
            return known.forecast
        planned = (self.planned or 0) - 1 - int(seq[-1])
        ahead = horizon or (planned if planned > 0 else _AHEAD * max(int(seq[-1] - seq[0]), 1))
        from streamer.metrics.decay import forecast  # with scipy: half a second, that not all need

        made = forecast(seq, level, floor, ahead)
        self._forecasts[view, horizon] = _Foreseen(self.series.rows, time.monotonic(), made)
        return made

    def _is_outgrown(self, known: _Foreseen) -> bool:
        more = self.series.rows - known.rows
        if self.info.state == "closed":
            return more > 0
        return more >= max(1, min(known.rows // _RENEWED, _RENEWED_FRAMES)) and known.is_old()

    def _is_written(self) -> bool:
        still_s = self._clock() - self._changed_s()
        if still_s < UNLOCKED_S:  # whoever holds the lock: asking that takes longer
            return True
        locked = is_locked(self.folder.path)
        if locked:
            return True
        wait_s = UNKNOWN_S if locked is None else UNLOCKED_S
        elapsed_s = self._tally.last_wall_s - self._tally.first_wall_s
        if elapsed_s > 0:
            wait_s = max(wait_s, STILL_FRAMES * elapsed_s / max(self._tally.frames - 1, 1))
        return still_s < wait_s

    def _changed_s(self) -> float:
        """Unix time of the last change of rows or provenance."""
        stamps = [_stamp(path)[2] for path in (self.folder.frames, self.folder.info)]
        return max(stamps) / 1e9

    def _is_paused(self) -> bool:
        """Whether the last word was an open-ended pause, and no frame has been exposed since."""
        hold = self._hold
        if hold is None or hold.get("action") != "pause" or number(hold.get("pause_s")) > 0:
            return False
        paused_s = number(hold.get("wall_time_s"))
        return not paused_s + _UNDER_WAY_S < self._tally.last_wall_s


def _read_info(folder: RunFolder) -> RunInfo:
    """The run's provenance.

    Raises:
        UsageError: no recording, or one of another version.
    """
    path = folder.path
    if not folder.info.is_file():
        raise UsageError(f"{path}: holds no recording; give the folder of a recording, with its run.json")
    try:
        version = whole(table(json.loads(folder.info.read_bytes())).get("format_version"))
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"{folder.info}: damaged ({error}); restore it from a copy") from error
    if version is not None and version > FORMAT_VERSION:
        raise UsageError(
            f"{path}: recorded by a newer streamer (layout {version}); this one reads up to layout "
            f"{FORMAT_VERSION}: update it"
        )
    return read_info(folder)


def _begun(info: RunInfo) -> str:
    profile = text(table(info.profile.get("profile")).get("name"))
    planned = whole(table(info.source.get("hook")).get("planned"))
    facts = [f"profile {profile}"] if profile else []
    facts += [f"models {', '.join(package.id for package in info.packages)}"] if info.packages else []
    facts += [f"{planned} frames planned"] if planned else []
    return "run begun" + (f": {'; '.join(facts)}" if facts else "")


def _seq(row: Row) -> int:
    found = whole(row.get("seq"))
    return -1 if found is None else found


def _stamp(path: Path) -> tuple[int, int, int]:
    """Number, size and time [ns] of a file; another one whenever it was replaced."""
    try:
        state = os.stat(path)  # noqa: PTH116 - asked for several times a second
    except OSError:
        return (0, 0, 0)
    return state.st_ino, state.st_size, state.st_mtime_ns
