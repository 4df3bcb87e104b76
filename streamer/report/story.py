"""A run in words: what happened, can it be trusted, what did it cost in light, did the machine keep up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from streamer.recording import Row, RunInfo
from streamer.report import units
from streamer.report.counted import Counted
from streamer.report.missing import damaged

Tone = Literal["good", "warning", "alarm", "quiet"]
#: States of a run that is not over, in words.
GOING_ON = {
    "waiting": "Waiting for frames",
    "running": "Still running",
    "paused": "Paused",
    "stopping": "Stopping",
}
#: Queue from which a reader should know that the processor was behind.
_BEHIND_FRAMES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the words rest on.

    Attributes:
        info: the run's provenance.
        numbers: `WatchedRun.summary()`.
        counted: what the guards said, and gaps.
        decisions: rows of decisions.jsonl.
        damaged: lines of the rows that cannot be read.
        unknown: why it cannot be known what was recorded: its rows are gone; empty where they are there.
        decisions_kept: whether decisions.jsonl is there and whole.
    """

    info: RunInfo
    numbers: Mapping[str, Any]
    counted: Counted
    decisions: Sequence[Row]
    damaged: int = 0
    unknown: str = ""
    decisions_kept: bool = True

    @property
    def state(self) -> str:
        """As `WatchedRun.state` names it."""
        return str(self.numbers["state"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """A question and its answer."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """The outcome in two or three words, its colour, and one sentence."""

    words: str
    tone: Tone
    sentence: str


def headline(told: Told) -> Headline:
    """What became of the run at a glance."""
    stop, request = stop_of(told.decisions), request_of(told.decisions, "stop")
    if request is not None and (stop is None or request.get("seq", 0) <= stop["seq"]):
        note = _sentence(str(request.get("reason") or request.get("note") or "no reason was given"))
        return Headline(words="Stopped by hand", tone="warning", sentence=note)
    if stop is not None:
        return Headline(
            words="Stopped by a guard",
            tone="alarm",
            sentence=_sentence(_reason(stop).removeprefix("stopped: ")),
        )
    if told.state in GOING_ON:
        return Headline(
            words=GOING_ON[told.state], tone="quiet", sentence="This report is of the run so far."
        )
    if told.unknown:
        return Headline(words="Rows missing", tone="alarm", sentence=_sentence(told.unknown))
    if told.state == "left":
        cure = "It was never closed: its processor was killed, or its machine switched off."
        return Headline(words="Left unfinished", tone="warning", sentence=cure)
    if not told.numbers["frames"]:
        return Headline(words="No frames", tone="warning", sentence="Nothing was recorded.")
    content = "No guard asked for the run to be stopped"
    if told.damaged:
        content += ", as far as its rows can be read"
    if rejected := told.counted.rejected.count:
        part = units.share(rejected, told.counted.judged)
        return Headline(
            words="Finished", tone="warning", sentence=f"{content}, but {part} of the frames were rejected."
        )
    return Headline(words="Finished", tone="warning" if told.damaged else "good", sentence=f"{content}.")


def paragraphs(told: Told) -> tuple[Paragraph, ...]:
    """The summary of the run."""
    if not told.numbers["frames"]:
        return (Paragraph(question="What happened", answer=" ".join(_happened(told))),)
    answers = {
        "What happened": _happened(told),
        "Can it be trusted?": _trusted(told),
        "What did it cost in light?": _cost(told),
        "Did the machine keep up?": _kept_up(told),
    }
    return tuple(Paragraph(question=words, answer=" ".join(said)) for words, said in answers.items())


def stop_of(decisions: Sequence[Row]) -> Row | None:
    """The decision that stopped the run, if one did."""
    stops = (
        row for row in decisions if row.get("kind", "decision") == "decision" and row.get("action") == "stop"
    )
    return next((row for row in stops if isinstance(row.get("seq"), int)), None)


def request_of(decisions: Sequence[Row], action: str) -> Row | None:
    """The last request of a person for `action`."""
    asked = [row for row in decisions if row.get("kind") == "request" and row.get("action") == action]
    return asked[-1] if asked else None


def planned_of(told: Told) -> int | None:
    """Frames that the engine planned, or the run that was replayed; None for an open end."""
    planned = told.numbers["planned"] or told.info.source.get("planned")
    return planned if isinstance(planned, int) and not isinstance(planned, bool) and planned > 0 else None


def is_replay(info: RunInfo) -> bool:
    """Whether the frames came from files."""
    return str(info.source.get("kind", "")).startswith("replay")


def unhindered(told: Told) -> str:
    """What is said where no decision, request or mark is stored."""
    if told.unknown or not told.decisions_kept:
        return (
            "None can be read; whether there were any this report cannot know: rows are missing or damaged."
        )
    if told.damaged or told.state == "left":
        return "None is stored."
    return "None: the run went on unhindered from its first frame to its last, and nobody asked for anything."


def _happened(told: Told) -> Iterator[str]:
    info, numbers = told.info, told.numbers
    recorded, processed = numbers["frames"], numbers["processed"]
    began = f"The {'replay' if is_replay(info) else 'run'} began on {units.moment(info.started_wall_s)}"
    if told.unknown:
        yield f"{began}. This report cannot know what was recorded, judged or lost: {told.unknown}."
        return
    if not recorded:
        yield f"{began}. No frame was recorded."
        return
    yield f"{began}; its frames span {units.duration(numbers['elapsed_s'])}."
    planned = planned_of(told)
    of = f" of {planned:,} planned" if planned else ""
    did = "all of them processed" if processed == recorded else f"{processed:,} processed"
    yield f"{units.frames(recorded)}{of} {'was' if recorded == 1 else 'were'} recorded, {did}."
    if told.damaged:
        yield f"{_sentence(damaged(told.damaged))} Restore frames.jsonl from a copy."
    yield from _stopped(told)
    if info.sessions:
        firsts = ", ".join(f"{session.first_seq:,}" for session in info.sessions)
        yield f"The processor was started again and went on in the same recording at frame {firsts}."


def _stopped(told: Told) -> Iterator[str]:
    stop = stop_of(told.decisions)
    if stop is None:
        return
    yield f"On frame {stop['seq']:,} the run was {_reason(stop)}."
    if is_replay(told.info):
        yield "In a replay there is no light to switch off: the frames after it were exposed long ago."
        return
    done = next((row for row in told.decisions if _carries_out(row, stop)), None)
    if done is None:
        yield "Nothing says that the microscope carried this out."
    elif not done.get("ok"):
        yield f"The microscope could not carry this out: {done.get('detail') or 'no reason was given'}."
    elif isinstance(safe_ms := done.get("safe_ms"), int | float):
        yield f"The light was safe {units.milliseconds(safe_ms)} after the decision reached the microscope."
    if (after := told.numbers["last_seq"] - stop["seq"]) > 0:
        behind = "It was decided" if after <= _BEHIND_FRAMES else "The processor was behind: it was decided"
        were = "was" if after == 1 else "were"
        yield f"{behind} when {units.frames(after)} after that one had been exposed or {were} about to be."


def _carries_out(row: Row, decision: Row) -> bool:
    same = row.get("seq") == decision.get("seq") and row.get("action") == decision.get("action")
    return row.get("kind") == "carried out" and same


def _trusted(told: Told) -> Iterator[str]:
    counted = told.counted
    rejected, flagged, judged = counted.rejected, counted.flagged, counted.judged
    if "simulated" in told.info.notes:
        yield "The specimen was simulated: nothing here is a measurement of a cell."
    if told.info.calibration.get("provisional"):
        yield (
            "The camera was not calibrated: what is drawn is a preview, no measurement, and the guards that "
            "need photons were off."
        )
    if not judged:
        yield "No guard has judged any frame."
        return
    if not rejected.count and not flagged.count:
        yield f"No guard objected to any of the {units.frames(judged)} judged."
    if rejected.count:
        where, part = units.ranges(rejected.held, rejected.left_out), units.share(rejected.count, judged)
        yield (
            f"Guards rejected {units.frames(rejected.count)}, {part} of those judged: {where}. "
            "Leave them out of measurements."
        )
        yield from (f"{_titled(name)} rejected {n:,}." for name, n in _by_guard(told, "rejected"))
    if flagged.count:
        where, part = units.ranges(flagged.held, flagged.left_out), units.share(flagged.count, judged)
        was = "was" if flagged.count == 1 else "were"
        yield f"{units.frames(flagged.count)} ({part}) {was} flagged as worth a look: {where}."
    if missing := counted.missing.count:
        where = units.ranges(counted.missing.held, counted.missing.left_out)
        if told.damaged:
            has, more = "has" if missing == 1 else "have", missing - told.damaged
            others = f"; at least {more:,} of them never arrived" if more > 0 else ""
            yield (
                f"{units.frames(missing)} of the numbering {has} no row that can be read ({where}): "
                f"{damaged(told.damaged)}{others}."
            )
        else:
            yield (
                f"{units.frames(missing)} of the numbering never arrived ({where}); what compares "
                "neighbouring frames begins anew there."
            )
    yield "A frame that passed gave no cause for doubt; that is no proof of every structure in it."


def _by_guard(told: Told, what: str) -> list[tuple[str, int]]:
    sums: dict[str, int] = {}
    for (guard, _), found in told.counted.guards.items():
        sums[guard] = sums.get(guard, 0) + getattr(found, what)
    several = {guard: n for guard, n in sums.items() if n}
    return sorted(several.items(), key=lambda item: -item[1]) if len(several) > 1 else []


def _cost(told: Told) -> Iterator[str]:
    dose, notes = told.numbers["dose"], told.info.notes.get("dose")
    given = [
        f"{units.energy(value)} from {_named(line)}"
        for line, value in dose.items()
        if line.endswith(" uJ/px")
    ]
    sample = [
        f"{value:.3g} J/cm² from {_named(line)}" for line, value in dose.items() if line.endswith(" J/cm2")
    ]
    if not given and not sample:
        yield "Unknown: neither profile nor engine states the power of a laser."
        return
    if given:
        yield f"Every pixel of the field was given {_listed(given)}."
    if sample:
        yield f"The specimen received {_listed(sample)}."
    else:
        yield "What reached the specimen in J/cm² is unknown: the profile does not state the transmission."
    noted = notes if isinstance(notes, dict) else {}
    assumed = noted.get("assumed")
    if isinstance(assumed, dict) and assumed:
        yield "The powers are those of the profile; the engine did not state what was really set."
    planned, stop = planned_of(told), stop_of(told.decisions) or request_of(told.decisions, "stop")
    spared = (planned or 0) - told.numbers["last_seq"] - 1
    if stop is not None and planned and spared > 0 and told.state not in GOING_ON:
        part = units.share(spared, planned)
        yield f"By the stop, {spared:,} of {planned:,} planned frames ({part}) were spared."


def _kept_up(told: Told) -> Iterator[str]:
    numbers, replayed = told.numbers, is_replay(told.info)
    lag = numbers["lag_ms"]
    if lag["n"]:
        half = (
            f"half of the verdicts came within {units.milliseconds(lag['p50'])} of"
            if lag["p50"] is not None
            else ""
        )
        rare = f"99 of 100 within {units.milliseconds(lag['p99'])}" if lag["p99"] is not None else ""
        frame = "the reading of their frame" if replayed else "their frame"
        slowest = f"the slowest of {lag['n']:,} after {units.milliseconds(lag['max'])}"
        yield _sentence(
            _listed([f"{half} {frame}", rare, slowest] if rare else [f"{half} {frame}", slowest])
            if half
            else f"{slowest}"
        )
    else:
        yield "No frame was processed, so there is no latency to state."
    waiting, at = told.counted.longest_queue
    if replayed:
        yield "Frames were read as fast as they could be processed, so none waited."
    elif waiting > _BEHIND_FRAMES:
        yield f"The processor fell behind the camera: up to {units.frames(waiting)} waited (at frame {at:,})."
    elif lag["n"]:
        yield f"The processor kept up: never more than {units.frames(waiting)} waited."
    if skipped := numbers["frames"] - numbers["processed"]:
        was = "was" if skipped == 1 else "were"
        part = units.share(skipped, numbers["frames"])
        yield f"{units.frames(skipped)} ({part}) {was} recorded but not processed."
    if not told.counted.missing.count:
        yield f"No frame number between {numbers['first_seq']:,} and {numbers['last_seq']:,} is missing."


def _titled(guard: str) -> str:
    return f"The guard {guard.replace('_', ' ')}"


def _named(line: str) -> str:
    return units.line_name(line)


def _listed(said: Sequence[str]) -> str:
    return " and ".join([", ".join(said[:-1]), said[-1]]) if len(said) > 1 else said[0]


def _reason(decision: Row) -> str:
    return str(decision.get("reason") or "stopped without a reason").rstrip(".")


def _sentence(text: str) -> str:
    words = text.strip().rstrip(".") or "no reason was given"
    return f"{words[:1].upper()}{words[1:]}."
