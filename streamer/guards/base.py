"""What every guard is, and how several judge one result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

from streamer.core import Frame, Result, Verdict
from streamer.core.result import Halves

State = TypeVar("State")


class Guard(Protocol[State]):
    """A judge of results; its settings are bound when it is made.

    `step` changes neither its state nor the result, reads no clock and draws no random number, so that
    replaying a run from any stored state gives the same verdicts. A state is a frozen dataclass of what
    `streamer.guards.checkpoint` can store. The results that one state meets are of one view: same place, same
    channel, same size.
    """

    @property
    def name(self) -> str:
        """As in verdicts, the profile and the report; mostly a class variable."""
        ...

    def start(self) -> State:
        """The state before the first result of a run."""
        ...

    def step(self, state: State, result: Result) -> tuple[State, Verdict]:
        """Judge one result."""
        ...


@dataclass(frozen=True, slots=True)
class Stateless:
    """The state of a guard that judges each result by itself."""


def judge(
    guards: Sequence[Guard[Any]], states: Sequence[Any], result: Result
) -> tuple[tuple[Any, ...], tuple[Verdict, ...]]:
    """Let every guard judge one result; `states` and the verdicts are in the order of `guards`."""
    judged = [guard.step(state, result) for guard, state in zip(guards, states, strict=True)]
    return tuple(state for state, _ in judged), tuple(verdict for _, verdict in judged)


def warm_up(guards: Sequence[Guard[Any]], shape_yx: tuple[int, int], *, halved: bool = False) -> None:
    """Compile what the guards use, before the first real result; their states are not touched.

    `halved`: results will have halves.
    """
    lit = np.ones(shape_yx, np.float32)
    drawn = lit.astype(np.uint8)
    halves = Halves(photons_a=lit, photons_b=lit, denoised_a=lit, denoised_b=lit, labels_a=drawn)
    states: Sequence[Any] = [guard.start() for guard in guards]
    for seq in range(2):
        result = Result(
            frame=Frame(pixels=drawn, seq=seq),
            photons=lit,
            denoised=lit,
            labels=drawn,
            halves=halves if halved else None,
        )
        states, _ = judge(guards, states, result)


def waits_for_labels(result: Result) -> str:
    """What a guard says that takes its baseline from drawn frames only, of one whose labels are carried."""
    return f"not taken for the baseline: the labels are those of frame {result.labels_seq}"


def not_judged(guard: str) -> Verdict:
    """What a guard says of a result that is not finite; the range guard is the one that rejects it."""
    meaning = "not judged: the image holds values that are not finite"
    return Verdict(guard=guard, status="flag", measured=None, limit=None, meaning=meaning)
