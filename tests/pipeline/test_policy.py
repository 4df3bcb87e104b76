"""Verdicts become decisions only when they last, and a stop comes once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from streamer.core import Decision, Status, Verdict
from streamer.guards import from_arrays, to_arrays
from streamer.pipeline import policy
from streamer.pipeline.views import VIEWS_MAX
from streamer.profile import Knob

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


@pytest.mark.parametrize("noted", ["flag", "reject"])
def test_a_stop_says_what_takes_the_light_and_another_views_cause_is_not_told(noted: Status) -> None:
    responses = {**RESPONSES, "bleaching": {"flag": "note", "reject": "note"}}
    state = policy.start()
    for frame in range(10):
        seen = [
            *([replace(verdict("bleaching", noted), view="left")] if frame == 5 else []),
            replace(verdict("photons", "reject"), view="right"),
            replace(verdict("bleaching", noted), view="right", meaning="28 % left; shutter"),
            replace(verdict("similarity", "flag"), view="right"),
        ]
        state, decision = policy.step(state, seen, **{**SETTINGS, "responses": responses})
        if decision.action == "stop":
            break
    assert [(each.guard, each.view) for each in decision.evidence] == [
        ("photons", "right"),
        ("bleaching", "right"),
    ]
    assert decision.reason == "stopped: right: photons says reject; right: shutter"


def test_what_explains_is_no_reason_to_stop() -> None:
    responses = {"bleaching": {"flag": "note", "reject": "note"}}
    (*_, decision) = decided([{"bleaching": "reject"}] * 10, responses=responses)
    assert decision.action == "continue"


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


def test_a_pause_counts_anew_after_each_decision() -> None:
    actions = [decision.action for decision in decided([FINE] * 10 + [{"similarity": "reject"}] * 6)]
    assert actions[10:] == ["continue", "continue", "pause"] * 2


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


def seen(places: Sequence[tuple[str, bool]], **changes: Any) -> list[str]:
    """Actions on results that are each given as a view, and whether its signal is gone."""
    step = partial(policy.step, **{**SETTINGS, "minimum_frames": 1, **changes})
    state, actions = policy.start(), []
    for view, gone in places:
        state, decision = step(state, [replace(verdict("photons", "reject" if gone else "pass"), view=view)])
        actions.append(decision.action)
    return actions


def rounds(views: Sequence[str], gone: str, count: int) -> list[tuple[str, bool]]:
    return [(view, view in gone) for _ in range(count) for view in views]


ZIGZAG = ["abcdefgh", "hgfedcba"] * 6


@pytest.mark.parametrize(
    ("places", "stop_at"),
    [
        (rounds("ab", "ab", 10), 4),
        (rounds("abcd", "abcd", 10), 8),
        (rounds("abcd", "d", 50), None),
        (rounds("abcd", "bcd", 10), 9),
        (rounds("abcdefgh", "fgh", 50), None),
        ([(view, view in "fgh") for views in ZIGZAG for view in views], None),
        ([(view, view in "c") for view in "abcd" for _ in range(20)], 42),
        (rounds("ab", "", 10) + rounds("ab", "ab", 4), 25),
        ([(str(number), True) for number in range(3000)], None),
    ],
    ids=[
        "two views, both gone",
        "four views, all gone",
        "one of four positions",
        "three of four positions",
        "the empty end of a stack",
        "the empty end of a stack, scanned to and fro",
        "one position after the other",
        "later",
        "never the same view twice",
    ],
)
def test_a_run_stops_when_most_of_what_it_looks_at_is_gone(
    places: list[tuple[str, bool]], stop_at: int | None
) -> None:
    stops = [number for number, action in enumerate(seen(places)) if action == "stop"]
    assert stops == ([] if stop_at is None else [stop_at])


def test_views_that_are_never_seen_again_are_forgotten() -> None:
    state = policy.start()
    for number in range(5000):
        one = replace(verdict("photons", "pass"), view=f"position {number}")
        state, _ = policy.step(state, [one], **SETTINGS)
    assert len(state.views) == len(state.recent) == SETTINGS["window_frames"] * VIEWS_MAX


def test_the_channels_of_one_frame_are_views_and_the_reason_names_them() -> None:
    state = policy.start()
    both = [replace(verdict("photons", "reject"), view=f"channel {name}") for name in ("red", "green")]
    for _ in range(6):
        state, decision = policy.step(state, both, **SETTINGS)
    assert decision.action == "stop"
    assert decision.reason == "stopped: channel red: photons says reject; channel green: photons says reject"


POWER = Knob(quantity="excitation_uw", set_by=("Laser", "Power"), minimum=2.0, maximum=10.0, factor=0.5)
INTERVAL = Knob(quantity="interval_s", minimum=1.0, maximum=30.0, factor=4.0)
FADING: dict[str, Status] = {"range": "flag"}


def adjusted(frames: int, present: dict[str, float], **changes: Any) -> list[Decision]:
    knobs = (POWER, INTERVAL)
    step = partial(policy.step, **{**SETTINGS, "knobs": knobs, "present": present, **changes})
    state, decisions = policy.start(knobs), []
    for _ in range(frames):
        state, decision = step(state, [verdict("range", "flag")])
        decisions.append(decision)
    return decisions


def test_adjusting_turns_knob_after_knob_to_its_limit_and_then_says_that_nothing_is_left() -> None:
    decisions = adjusted(24, {"excitation_uw": 9.0, "interval_s": 2.0})
    changes = {seq: dict(d.change) for seq, d in enumerate(decisions) if d.action == "adjust"}
    assert changes == {
        5: {"excitation_uw": 4.5},
        8: {"excitation_uw": 2.25},
        11: {"excitation_uw": 2.0},
        14: {"interval_s": 8.0},
        17: {"interval_s": 30.0},
    }
    assert decisions[5].reason == "adjusted excitation_uw from 9 to 4.5: range says flag"
    assert (decisions[20].action, decisions[20].change) == ("continue", {})
    assert decisions[20].reason == "nothing left to adjust: range says flag"


def test_a_quantity_of_unknown_value_is_not_touched() -> None:
    (decision,) = [d for d in adjusted(6, {"interval_s": 2.0}) if d.action == "adjust"]
    assert decision.change == {"interval_s": 8.0}


def test_nothing_is_adjusted_without_knobs() -> None:
    decisions = decided([FADING] * 20)
    assert {decision.action for decision in decisions} == {"continue"}
    assert decisions[-1].reason == "nothing left to adjust: range says flag"


def test_a_dry_run_says_the_change_and_asks_for_none() -> None:
    decisions = adjusted(12, {"excitation_uw": 9.0}, dry_run=True)
    withheld = [decision for decision in decisions if decision.withheld]
    assert {(d.action, d.withheld) for d in withheld} == {("continue", "adjust")}
    words = "dry run: would have adjusted excitation_uw from 9 to 4.5: range says flag"
    assert [(d.reason, d.change) for d in withheld] == [(words, {})] * 3


def test_a_pause_lasts_as_long_as_the_profile_says() -> None:
    decisions = decided([FINE] * 10 + [{"similarity": "reject"}] * 3, pause_s=30.0)
    assert [decision.pause_s for decision in decisions] == [0.0] * 12 + [30.0]


@pytest.mark.parametrize("cut", [0, 3, 6, 9, 13])
def test_a_run_goes_on_from_a_stored_state_with_the_same_decisions(cut: int) -> None:
    knobs = (POWER, INTERVAL)
    step = partial(policy.step, **{**SETTINGS, "knobs": knobs, "present": {"excitation_uw": 9.0}})
    frames: list[dict[str, Status]] = (
        [FADING] * 8 + [{"range": "flag", "photons": "reject"}] * 6 + [FADING] * 8
    )
    whole, resumed = [], []
    state = policy.start(knobs)
    for number, frame in enumerate(frames):
        verdicts = [replace(verdict(guard, status), view="position 1") for guard, status in frame.items()]
        if number == cut:
            back = from_arrays(policy.start(knobs), to_arrays(state))
        state, decision = step(state, verdicts)
        whole.append(decision)
        if number >= cut:
            back, decision = step(back, verdicts)
            resumed.append(decision)
    assert resumed == whole[cut:]
    assert {decision.action for decision in whole} == {"continue", "adjust", "stop"}
