"""What a run says of itself, checked: the preview believes nothing that comes over a socket."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

from streamer.core import Action, Decision, Status, Verdict

#: "paused" until somebody resumes the run or the pause is over.
RunState = Literal["waiting", "running", "paused", "stopping", "stopped", "finished", "failed"]

#: Longest text and most entries that are shown; anything beyond is cut off.
TEXT_MAX, ENTRIES_MAX = 400, 64
#: Numbers reach up to here; infinities and what is not a number do not.
NUMBER_MAX = 1e300

Part = TypeVar("Part")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A run at its newest frame.

    Attributes:
        run: name of the recording.
        state: what the run is doing.
        seq: newest frame; -1 before the first.
        planned: frames planned; None for an open end.
        received, recorded, processed, dropped, waiting: frames so far.
        lag_ms: of the newest frame.
        fps: frames per second.
        timings_ms: of the newest frame, by stage.
        dose: so far, by laser line with unit.
        verdicts: of the newest frame.
        decision: the last that was not "continue".
        elapsed_s: since the run began.
    """

    run: str
    state: RunState
    seq: int
    planned: int | None
    received: int
    recorded: int
    processed: int
    dropped: int
    waiting: int
    lag_ms: float
    fps: float
    timings_ms: Mapping[str, float]
    dose: Mapping[str, float]
    verdicts: tuple[Verdict, ...]
    decision: Decision
    elapsed_s: float


def parse_snapshot(message: bytes) -> Snapshot:
    """One message to a snapshot; keys that are not known are left out.

    Raises:
        ValueError: it is not a JSON object in UTF-8 with every key of a snapshot, each of its type.
    """
    try:
        fields = json.loads(message.decode("utf-8"), parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("snapshot: nested too deeply") from None
    return _snapshot(fields)


def _snapshot(fields: object) -> Snapshot:
    table = _table(fields, "snapshot")
    planned = table.get("planned")
    return Snapshot(
        run=_text(table, "run"),
        state=_word(table, "state", get_args(RunState)),
        seq=_whole(table, "seq", least=-1),
        planned=None if planned is None else _whole(table, "planned"),
        received=_whole(table, "received"),
        recorded=_whole(table, "recorded"),
        processed=_whole(table, "processed"),
        dropped=_whole(table, "dropped"),
        waiting=_whole(table, "waiting"),
        lag_ms=_number(table, "lag_ms"),
        fps=_number(table, "fps"),
        timings_ms=_numbers(table, "timings_ms"),
        dose=_numbers(table, "dose"),
        verdicts=tuple(_each(table, "verdicts", _verdict)),
        decision=_decision(table.get("decision")),
        elapsed_s=_number(table, "elapsed_s"),
    )


def _verdict(fields: object) -> Verdict:
    table = _table(fields, "verdict")
    measured, limit = (
        None if table.get(key) is None else _number(table, key) for key in ("measured", "limit")
    )
    return Verdict(
        guard=_text(table, "guard"),
        status=_word(table, "status", get_args(Status)),
        measured=measured,
        limit=limit,
        meaning=_text(table, "meaning"),
        values=_numbers(table, "values"),
        view=_text(table, "view"),
    )


def _decision(fields: object) -> Decision:
    table = _table(fields, "decision")
    return Decision(action=_word(table, "action", get_args(Action)), reason=_text(table, "reason"))


def _table(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name}: not an object")
    return value


def _each(table: Mapping[str, Any], key: str, part: Callable[[object], Part]) -> list[Part]:
    values = table.get(key)
    if not isinstance(values, list):
        raise ValueError(f"{key}: not a list")
    return [part(value) for value in values[:ENTRIES_MAX]]


def _text(table: Mapping[str, Any], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str):
        raise ValueError(f"{key}: not a text")
    return printable(value)


def printable(text: str) -> str:
    """The text without what could steer a terminal, cut to a length that can be shown."""
    return "".join(c if c.isprintable() else " " for c in text[:TEXT_MAX])


def _word(table: Mapping[str, Any], key: str, words: tuple[Any, ...]) -> Any:
    value = table.get(key)
    if value not in words:
        raise ValueError(f"{key}: not one of {', '.join(words)}")
    return value


def _whole(table: Mapping[str, Any], key: str, least: int = 0) -> int:
    value = table.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**63:
        raise ValueError(f"{key}: not a whole number from {least}")
    return value


def _number(table: Mapping[str, Any], key: str) -> float:
    value = table.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < NUMBER_MAX:
        raise ValueError(f"{key}: not a finite number")
    return float(value)


def _numbers(table: Mapping[str, Any], key: str) -> Mapping[str, float]:
    numbers = _table(table.get(key), key)
    return {printable(name): _number(numbers, name) for name in list(numbers)[:ENTRIES_MAX]}


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
