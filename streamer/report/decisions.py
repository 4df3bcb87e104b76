"""Decisions, requests and marks of a run, each with its evidence and with what became of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from streamer.reading.names import number, several, table, text, whole
from streamer.reading.words import carried_out, notified, requested
from streamer.recording import Row
from streamer.report import units
from streamer.report.samples import Sample

#: Decisions that are shown in full, and those of them with pictures.
SHOWN_MAX, PICTURES_MAX = 40, 8

_TITLES = {"stop": "The run was stopped", "pause": "The run was paused", "adjust": "The run was adjusted"}
_ASKED = {
    "stop": "Somebody stopped the run",
    "pause": "Somebody paused the run",
    "resume": "Somebody let the run go on",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One verdict that a decision rests on."""

    guard: str
    view: str
    status: str
    measured: str
    limit: str
    values: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """One decision, request or mark as it is shown.

    Attributes:
        title, when, reason: in words.
        tone: "alarm", "warning" or "quiet".
        evidence: the verdicts it rests on.
        then: what became of it, a line each.
        sample: its frame.
    """

    title: str
    when: str
    reason: str
    tone: Literal["alarm", "warning", "quiet"]
    evidence: tuple[Evidence, ...] = ()
    then: tuple[str, ...] = ()
    sample: Sample | None = None


def decided(
    rows: Sequence[Row], first_wall_s: float, picture: Callable[[int, str, str], Sample | None]
) -> tuple[tuple[Decided, ...], int]:
    """The first `SHOWN_MAX` of them, and how many more there are.

    Args:
        rows: of decisions.jsonl.
        first_wall_s: Unix time of the first frame.
        picture: gives the frame of a number, a view in words and a title.
    """
    heads = [row for row in rows if row.get("kind") in ("decision", "request", "mark")]
    shown, pictured = [], 0
    for row in heads[:SHOWN_MAX]:
        then = tuple(_then(row, rows))
        one = _decided(row, first_wall_s, then, picture if pictured < PICTURES_MAX else _no_picture)
        pictured += one.sample is not None
        shown.append(one)
    return tuple(shown), len(heads) - len(shown)


def _no_picture(seq: int, view: str, title: str) -> Sample | None:
    return None


def _decided(
    row: Row, first_wall_s: float, then: tuple[str, ...], picture: Callable[[int, str, str], Sample | None]
) -> Decided:
    seq, kind, action = whole(row.get("seq")), row.get("kind"), text(row.get("action"), 60)
    evidence = [table(verdict) for verdict in several(row.get("evidence"), 64)]
    view = text(evidence[0].get("view")) if evidence else ""
    when = _when(seq, number(row.get("wall_time_s")), first_wall_s)
    if kind == "mark":
        by = text(row.get("by"), 120)
        title = f"A moment was marked{' by ' + by if by else ''}"
        said = text(row.get("note")) or "without a note"
    elif kind == "request":
        title, said = _ASKED.get(action, f"Somebody asked for: {action}"), f"{requested(row)}."
    else:
        withheld = text(row.get("withheld"), 60)
        title = _TITLES.get(action, action)
        title = f"Dry run: {withheld} would have been decided" if withheld else title
        said = _sentence(text(row.get("reason"))) + _changed(row)
    sample = picture(seq, view, "The frame") if seq is not None else None
    return Decided(
        title=title,
        when=when,
        reason=said,
        tone="quiet" if kind == "mark" or row.get("withheld") else "alarm" if action == "stop" else "warning",
        evidence=tuple(map(_evidence, evidence)),
        then=then,
        sample=sample,
    )


def _then(head: Row, rows: Sequence[Row]) -> Iterator[str]:
    """What the microscope did, and who was told."""
    for row in rows:
        if row.get("seq") != head.get("seq"):
            continue
        if row.get("kind") == "carried out" and row.get("action") == head.get("action"):
            yield f"At the microscope: {carried_out(row)}."
        elif row.get("kind") == "notified" and row.get("action") in (None, head.get("action")):
            yield _sentence(notified(row))


def _evidence(verdict: Mapping[str, Any]) -> Evidence:
    values = (
        (text(name, 80).replace("_", " "), number(value))
        for name, value in table(verdict.get("values")).items()
    )
    said = [f"{name} {units.number(value, 4)}" for name, value in values if not math.isnan(value)]
    return Evidence(
        guard=text(verdict.get("guard"), 80).replace("_", " "),
        view=text(verdict.get("view"), 120),
        status={"pass": "passed", "flag": "flagged", "reject": "rejected"}.get(
            str(verdict.get("status")), ""
        ),
        measured=units.number(number(verdict.get("measured")), 4),
        limit=units.number(number(verdict.get("limit")), 4),
        values=", ".join(said),
    )


def _changed(row: Row) -> str:
    changes = {text(name, 80): number(value) for name, value in table(row.get("change")).items()}
    said = ", ".join(f"{name} = {units.number(value, 4)}" for name, value in changes.items())
    return f" New: {said}." if said else ""


def _when(seq: int | None, wall_s: float, first_wall_s: float) -> str:
    frame = f"frame {seq:,}" if seq is not None else "before the first frame"
    after_s = wall_s - first_wall_s
    after = f", {units.duration(after_s)} after the first" if math.isfinite(after_s) and after_s >= 0 else ""
    return f"{frame}{after}"


def _sentence(words: str) -> str:
    words = words.strip().rstrip(".")
    return f"{words[:1].upper()}{words[1:]}." if words else "No reason was given."
