"""What is done about verdicts: pure, with hysteresis, and never in a hurry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from streamer.core import Action, Decision, Verdict

#: What a profile may ask for when a guard flags or rejects.
Response = Literal["ignore", "note", "pause", "stop", "adjust"]
#: By guard, then by status; a guard or status that is not named is ignored.
Responses = Mapping[str, Mapping[Literal["flag", "reject"], Response]]

#: Graver responses first: where several are due, the gravest is decided.
_BY_GRAVITY: tuple[Action, ...] = ("stop", "pause", "adjust")
_PAST_TENSE: Mapping[Action, str] = {"stop": "stopped", "pause": "paused", "adjust": "adjusted"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyState:
    """What the policy remembers.

    Attributes:
        frames: results judged so far.
        recent: responses that the last results asked for, oldest first.
        stopped: the one stop of this run has been decided.
    """

    frames: int = 0
    recent: tuple[frozenset[Response], ...] = ()
    stopped: bool = False


def start() -> PolicyState:
    """The state before the first result of a run."""
    return PolicyState()


def step(
    state: PolicyState,
    verdicts: Sequence[Verdict],
    *,
    responses: Responses,
    minimum_frames: int,
    sustained_frames: int,
    window_frames: int,
    dry_run: bool,
) -> tuple[PolicyState, Decision]:
    """Decide after a result; the evidence is the verdicts that asked for the decision.

    A response is decided when this result asks for it, and so did `sustained_frames` of the last
    `window_frames` results, whichever guard it was; then the count starts anew. Nothing is decided in the
    first `minimum_frames` results. There is one stop per run: who goes on after it has reasons to.

    Args:
        state: from the result before.
        verdicts: of this result.
        responses: what each guard's flag and reject ask for.
        minimum_frames: results before the first decision.
        sustained_frames: results that must ask for a response.
        window_frames: among so many last results.
        dry_run: decide "continue" throughout, and only say what would have been done.
    """
    asked = [(_response(verdict, responses), verdict) for verdict in verdicts]
    recent = (*state.recent, frozenset(response for response, _ in asked))[-window_frames:]
    state = replace(state, frames=state.frames + 1, recent=recent)
    action = _due(state, sustained_frames) if state.frames > minimum_frames else None
    if action is None:
        notes = tuple(verdict for response, verdict in asked if response == "note")
        return state, Decision(action="continue", reason=_words(notes), evidence=notes)
    evidence = tuple(verdict for response, verdict in asked if response == action)
    done = f"{_PAST_TENSE[action]}: {_words(evidence)}"
    state = replace(state, recent=(), stopped=state.stopped or action == "stop")
    if dry_run:
        reason = f"dry run: would have {done}"
        return state, Decision(action="continue", reason=reason, evidence=evidence, withheld=action)
    return state, Decision(action=action, reason=done, evidence=evidence)


def _response(verdict: Verdict, responses: Responses) -> Response:
    if verdict.status == "pass":
        return "ignore"
    return responses.get(verdict.guard, {}).get(verdict.status, "ignore")


def _due(state: PolicyState, sustained_frames: int) -> Action | None:
    """The gravest response that is asked for now and has been for long enough."""
    for action in _BY_GRAVITY:
        asked = sum(action in responses for responses in state.recent)
        if action in state.recent[-1] and asked >= sustained_frames:
            return None if action == "stop" and state.stopped else action
    return None


def _words(verdicts: Sequence[Verdict]) -> str:
    return "; ".join(verdict.meaning for verdict in verdicts)
