"""Verdicts become decisions only when they last, and a stop comes once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from streamer.core import Decision, Status, Verdict
from streamer.pipeline import policy

RESPONSES: policy.Responses = {
    "photons": {"flag": "note", "reject": "stop"},
    "signal_map": {"reject": "stop"},
    "similarity": {"flag": "note", "reject": "pause"},
    "range": {"flag": "adjust", "reject": "ignore"},
}
SETTINGS: dict[str, Any] = {
    "responses": RESPONSES,
    "minimum_frames": 5,
    "sustained_frames": 3,
    "window_frames": 4,
    "dry_run": False,
}


def verdict(guard: str, status: Status) -> Verdict:
    return Verdict(guard=guard, status=status, measured=1.0, limit=2.0, meaning=f"{guard} says {status}")


def decided(frames: Sequence[dict[str, Status]], **changes: Any) -> list[Decision]:
    """Decisions on frames that are each given as verdicts by guard; guards not named pass."""
    step = partial(policy.step, **{**SETTINGS, **changes})
    state, decisions = policy.start(), []
    for frame in frames:
        verdicts = [verdict(guard, frame.get(guard, "pass")) for guard in (*RESPONSES, "unheard of")]
        state, decision = step(state, verdicts)
        decisions.append(decision)
    return decisions


FINE: dict[str, Status] = {}
GONE: dict[str, Status] = {"photons": "reject"}
EMPTY: dict[str, Status] = {"signal_map": "reject"}


@pytest.mark.parametrize(
    ("frames", "stop_at"),
    [
        ([FINE] * 20, None),
        ([FINE] * 10 + [GONE] * 10, 12),
        ([FINE] * 10 + [GONE, EMPTY, GONE], 12),
        ([FINE] * 10 + [GONE, FINE, GONE, GONE], 13),
        ([FINE] * 10 + [GONE, FINE, FINE] * 5, None),
        ([FINE] * 10 + [GONE, GONE, FINE, FINE, FINE, GONE], None),
        ([GONE] * 20, 5),
        ([FINE, GONE, GONE, GONE, FINE, FINE, FINE], None),
        ([FINE] * 10 + [{"photons": "flag"}] * 10, None),
        ([FINE] * 10 + [{"unheard of": "reject"}] * 10, None),
        ([FINE] * 10 + [{"range": "reject"}] * 10, None),
    ],
    ids=[
        "healthy",
        "lasting",
        "two guards taking turns",
        "three of four",
        "now and then",
        "not lasting",
        "from the start: not before the minimum",
        "over before the minimum",
        "flags do not stop",
        "a guard without a response",
        "a response of ignore",
    ],
)
def test_a_stop_needs_rejects_that_last(frames: list[dict[str, Status]], stop_at: int | None) -> None:
    stops = [number for number, decision in enumerate(decided(frames)) if decision.action == "stop"]
    assert stops == ([] if stop_at is None else [stop_at])


def test_a_stop_says_when_and_why_and_on_what_evidence() -> None:
    decision = decided([FINE] * 10 + [GONE, GONE, {"photons": "reject", "signal_map": "reject"}])[-1]
    assert decision.reason == "stopped: photons says reject; signal_map says reject"
    assert [verdict.guard for verdict in decision.evidence] == ["photons", "signal_map"]


def test_there_is_one_stop_per_run() -> None:
    actions = [decision.action for decision in decided([FINE] * 10 + [GONE] * 50)]
    assert actions.count("stop") == 1
    assert set(actions[13:]) == {"continue"}


@pytest.mark.parametrize(
    ("status", "action"),
    [({"similarity": "reject"}, "pause"), ({"range": "flag"}, "adjust")],
    ids=["pause", "adjust"],
)
def test_other_actions_count_anew_after_each_decision(status: dict[str, Status], action: str) -> None:
    actions = [decision.action for decision in decided([FINE] * 10 + [status] * 6)]
    assert actions[10:] == ["continue", "continue", action] * 2


def test_the_gravest_of_several_is_decided() -> None:
    frame: dict[str, Status] = {"range": "flag", "similarity": "reject", "photons": "reject"}
    assert decided([FINE] * 10 + [frame] * 3)[-1].action == "stop"


def test_a_note_is_passed_on_and_changes_nothing() -> None:
    decision = decided([FINE, {"similarity": "flag"}])[-1]
    assert (decision.action, decision.reason) == ("continue", "similarity says flag")


def test_a_dry_run_only_says_what_it_would_do() -> None:
    decisions = decided([FINE] * 10 + [GONE] * 10, dry_run=True)
    assert {decision.action for decision in decisions} == {"continue"}
    said = [decision.reason for decision in decisions if decision.reason]
    assert said == ["dry run: would have stopped: photons says reject"]
