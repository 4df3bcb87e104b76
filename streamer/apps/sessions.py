"""One processor's part in a recording: a new one, or one that goes on where another was cut off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamer.apps import compose
from streamer.apps.compose import Composer, Stages
from streamer.apps.recorded import recorded_plan
from streamer.errors import SourceError
from streamer.recording import (
    Resumed,
    RunFolder,
    RunInfo,
    create_run,
    read_checkpoint,
    read_decisions,
    resume_run,
)
from streamer.sources.live import Recorded
from streamer.sources.run import raw_images, run_frames
from streamer.wire import Order, Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What a processor begins with.

    Attributes:
        run: the folder, locked for writing.
        info: its provenance.
        resumed: what the writers must know of the frames before; None in a new recording.
        recorded: what the link must know of them; None in a new recording, or where no hook had come yet.
        stop: the stop that was decided or asked for before, with its evidence; None without one.
    """

    run: RunFolder
    info: RunInfo
    resumed: Resumed | None = None
    recorded: Recorded | None = None
    stop: Mapping[str, Any] | None = None

    @property
    def before(self) -> tuple[int, int]:
        """Frames that earlier sessions have recorded and processed."""
        return (self.resumed.frames, self.resumed.processed) if self.resumed else (0, 0)

    @property
    def dose(self) -> Mapping[str, float] | None:
        """Light so far by laser line; None where there is no frame yet."""
        row = self.resumed.last_row if self.resumed else None
        return row["dose"] if row else None

    def stages(self, composer: Composer, *, planned: int) -> Stages:
        """The stages of the run, with guards and policy where its last frame left them."""
        if self.resumed is None or not self.resumed.frames:
            return composer.stages(planned=planned, live=True)
        planned = recorded_plan(self.info)
        found = read_checkpoint(self.run)
        if found and found[0] >= self.resumed.next_seq:  # a power cut took rows that it knows
            found = None
        seq, arrays = found if found else (-1, None)
        try:
            stages = composer.stages(planned=planned, checkpoint=arrays, live=True)
        except SourceError:  # of other guards: judge from the first frame on
            seq, stages = -1, composer.stages(planned=planned, live=True)
        compose.catch_up(stages, run_frames(self.run, raw_images(self.run), after=seq))
        return stages


def begin(path: Path, info: RunInfo) -> Session:
    """A new recording.

    Raises:
        UsageError: the folder holds something already.
        RecordingError: it cannot be written.
    """
    return Session(run=create_run(path, info), info=info)


def resume(path: Path, composer: Composer, notes: Mapping[str, Any]) -> Session:
    """Go on in a recording; the networks are compiled. `notes` are added to its own.

    Raises:
        UsageError: no recording, or one of an older layout.
        RecordingError: somebody writes it at this moment.
        SourceError: it is damaged.
    """
    resumed = resume_run(path, engine_keys=composer.engine_keys, versions=compose.versions())
    rows = read_decisions(resumed.run) if resumed.run.decisions.exists() else []
    stops = (row for row in rows if row.get("kind") in ("decision", "request") and row["action"] == "stop")
    return Session(
        run=resumed.run,
        info=resumed.info.model_copy(update={"notes": {**resumed.info.notes, **notes}}),
        resumed=resumed,
        recorded=_recorded(resumed, rows),
        stop=_stop(next(stops, None)),
    )


def _recorded(resumed: Resumed, rows: list[dict[str, Any]]) -> Recorded | None:
    hook: Any = resumed.info.source.get("hook")
    if hook is None:
        return None
    first_seq = int(hook["first_seq"])
    next_seq = max(resumed.next_seq, first_seq)
    done = [row for row in rows if row.get("kind") == "carried out"]
    obeyed = {(row["seq"], row["action"]) for row in done if not row.get("order")}
    answered = {row.get("order") for row in done}
    decided = (row for row in rows if row.get("kind") == "decision" and row["action"] != "continue")
    asked = [row for row in rows if row.get("kind") == "request"]
    return Recorded(
        run=hook["run"],
        first_seq=first_seq,
        next_seq=next_seq,
        missing=next_seq - first_seq - resumed.frames,
        done=len(done),
        # Nobody knows whether the hook has heard of what it has not answered: it is told again.
        unanswered=tuple(_report(row) for row in decided if (row["seq"], row["action"]) not in obeyed),
        orders=tuple(_order(row) for row in asked if row["order"] not in answered),
        last_order=max((row["order"] for row in asked), default=0),
    )


def _stop(row: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """A row about a stop as `Summary.stop` has it: without `by` it was a guard's."""
    if row is None:
        return None
    stop = {"frame": row["seq"], "reason": row["reason"], "evidence": row.get("evidence", [])}
    return {**stop, "by": row["by"]} if row["kind"] == "request" else stop


def _order(row: Mapping[str, Any]) -> Order:
    return Order(number=row["order"], action=row["action"], seq=row["seq"], reason=row["reason"])


def _report(row: Mapping[str, Any]) -> Report:
    return Report(
        seq=row["seq"],
        processed=True,
        action=row["action"],
        reason=row["reason"],
        verdicts=row["evidence"],
        change=row["change"],
        pause_s=row["pause_s"],
    )
