"""What is done about verdicts: pure, with hysteresis, and never in a hurry."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from streamer.core import Action, Decision, Verdict
from streamer.pipeline.knobs import turn
from streamer.pipeline.views import VIEWS_MAX
from streamer.profile import Knob

#: What a profile may ask for when a guard flags or rejects.
Response = Literal["ignore", "note", "pause", "stop", "adjust"]
#: By guard, then by status; a guard or status that is not named is ignored.
Responses = Mapping[str, Mapping[Literal["flag", "reject"], Response]]

#: Graver responses first: where several are due, the gravest is decided.
_BY_GRAVITY: tuple[Action, ...] = ("stop", "pause", "adjust")
#: Guards that say why light is lost: their notes stand beside what asked for a stop or a pause. What they say
#: last, behind a semicolon, is the cause.
_EXPLAIN = ("bleaching",)
#: What they explain.
_HELD_UP = ("stop", "pause")
_PAST_TENSE: Mapping[Action, str] = {"stop": "stopped", "pause": "paused", "adjust": "adjusted"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyState:
    """What the policy remembers.

    Attributes:
        frames: frames judged so far.
        views: view of each of the last results, oldest first.
        recent: responses that each of them asked for, in words.
        stopped: the one stop of this run has been decided.
        asked: last value that was asked of each knob, nan before the first.
    """

    frames: int = 0
    views: tuple[str, ...] = ()
    recent: tuple[str, ...] = ()
    stopped: bool = False
    asked: tuple[float, ...] = ()


def start(knobs: Sequence[Knob] = ()) -> PolicyState:
    """The state before the first result of a run."""
    return PolicyState(asked=(math.nan,) * len(knobs))


def step(
    state: PolicyState,
    verdicts: Sequence[Verdict],
    *,
    responses: Responses,
    minimum_frames: int,
    sustained_frames: int,
    window_frames: int,
    dry_run: bool,
    pause_s: float = 0.0,
    knobs: Sequence[Knob] = (),
    present: Mapping[str, float] = {},
) -> tuple[PolicyState, Decision]:
    """Decide after a frame; the evidence is the verdicts that asked for the decision, and what explains them.

    A response is decided when a view asks for it now, and so did `sustained_frames` of its last
    `window_frames` results, and the same share of all results meanwhile: what is gone from one view of many
    is no reason to stop the others. It does not matter which guard asked. Then the count starts anew. Nothing
    is decided in the first `minimum_frames` frames. There is one stop per run: who goes on after it has
    reasons to.

    "adjust" turns the first knob that is not at its limit by its factor, from the value that was last asked
    for, else from `present`; where nothing can be turned it becomes a note.

    Args:
        state: from the frame before.
        verdicts: of this frame, of all its views.
        responses: what each guard's flag and reject ask for.
        minimum_frames: frames before the first decision.
        sustained_frames: results that must ask for a response.
        window_frames: among so many last ones.
        dry_run: decide "continue" throughout, and only say what would have been done.
        pause_s: how long a pause lasts.
        knobs: what may be adjusted, within which limits.
        present: what their quantities are, as far as known.
    """
    asked = [(_response(verdict, responses), verdict) for verdict in verdicts]
    state = _remember(state, asked, window_frames)
    due = _due(state, {verdict.view for verdict in verdicts}, sustained_frames, window_frames)
    action = due if state.frames > minimum_frames else None
    asking = tuple(verdict for response, verdict in asked if response == (action or "note"))
    causes = _causes(asked, asking) if action in _HELD_UP else ()
    evidence = asking + causes
    reason, change = _words(asking, causes), _Change(asked=state.asked)
    if action == "adjust":
        change = _next(state, knobs, present)
        if not change.values:
            action, reason = None, f"nothing left to adjust: {reason}"
    if action is None:
        return state, Decision(action="continue", reason=reason, evidence=evidence)
    reason = f"{_PAST_TENSE[action]}{change.words}: {reason}"
    state = replace(state, views=(), recent=(), stopped=state.stopped or action == "stop")
    if dry_run:
        reason = f"dry run: would have {reason}"
        return state, Decision(action="continue", reason=reason, evidence=evidence, withheld=action)
    return replace(state, asked=change.asked), Decision(
        action=action,
        reason=reason,
        evidence=evidence,
        change=change.values,
        pause_s=pause_s if action == "pause" else 0.0,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """What an adjustment sets: the values, the same in words, and what has then been asked of each knob."""

    values: Mapping[str, float] = field(default_factory=dict)
    words: str = ""
    asked: tuple[float, ...]


def _next(state: PolicyState, knobs: Sequence[Knob], present: Mapping[str, float]) -> _Change:
    """The next adjustment; without values where nothing can be turned any further."""
    values = [
        present.get(knob.quantity, math.nan) if math.isnan(asked) else asked
        for knob, asked in zip(knobs, state.asked, strict=True)
    ]
    turned = turn(knobs, values)
    if turned is None:
        return _Change(asked=state.asked)
    number, new = turned
    quantity = knobs[number].quantity
    return _Change(
        values={quantity: new},
        words=f" {quantity} from {values[number]:.4g} to {new:.4g}",
        asked=(*state.asked[:number], new, *state.asked[number + 1 :]),
    )


def _response(verdict: Verdict, responses: Responses) -> Response:
    if verdict.status == "pass":
        return "ignore"
    return responses.get(verdict.guard, {}).get(verdict.status, "ignore")


def _causes(asked: Sequence[tuple[Response, Verdict]], asking: Sequence[Verdict]) -> tuple[Verdict, ...]:
    """Notes that explain the verdicts that are asking, of their views; without a measurement none does."""
    views = {verdict.view for verdict in asking}
    notes = (verdict for response, verdict in asked if response == "note" and verdict.measured is not None)
    return tuple(verdict for verdict in notes if verdict.guard in _EXPLAIN and verdict.view in views)


def _remember(
    state: PolicyState, asked: Sequence[tuple[Response, Verdict]], window_frames: int
) -> PolicyState:
    """Add what each view asks for, and forget what no window reaches back to."""
    by_view: dict[str, set[str]] = {}
    for response, verdict in asked:
        by_view.setdefault(verdict.view, set()).add(response)
    views = (*state.views, *by_view)
    recent = (*state.recent, *(" ".join(sorted(responses)) for responses in by_view.values()))
    kept = window_frames * min(len(set(views)), VIEWS_MAX)
    return replace(state, frames=state.frames + 1, views=views[-kept:], recent=recent[-kept:])


def _due(
    state: PolicyState, views: Iterable[str], sustained_frames: int, window_frames: int
) -> Action | None:
    """The gravest response that is asked for now and has been for long enough."""
    for action in _BY_GRAVITY:
        asks = [action in responses.split() for responses in state.recent]
        if any(_lasts(asks, state.views, view, sustained_frames, window_frames) for view in views):
            return None if action == "stop" and state.stopped else action
    return None


def _lasts(asks: Sequence[bool], views: Sequence[str], view: str, sustained: int, window: int) -> bool:
    """Whether `view` asks for it now and lastingly, and with it a like share of all results meanwhile."""
    own = [number for number, of in enumerate(views) if of == view][-window:]
    meanwhile = asks[own[0] :]
    return (
        asks[own[-1]]
        and sum(asks[number] for number in own) >= sustained
        and sum(meanwhile) * window >= sustained * len(meanwhile)
    )


def _words(verdicts: Sequence[Verdict], causes: Sequence[Verdict] = ()) -> str:
    said = [(v.view, v.meaning) for v in verdicts]
    said += [(v.view, v.meaning.rpartition("; ")[2]) for v in causes]
    return "; ".join(f"{view}: {meaning}" if view else meaning for view, meaning in said)
