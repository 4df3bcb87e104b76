"""Pure steps turned into callables that carry their state through a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

State = TypeVar("State")
Seen = TypeVar("Seen")
Said = TypeVar("Said")


def running(step: Callable[[State, Seen], tuple[State, Said]], start: State) -> Callable[[Seen], Said]:
    """`step` as a function of its input alone, from the state `start` on."""
    state = start

    def advance(seen: Seen) -> Said:
        nonlocal state
        state, said = step(state, seen)
        return said

    return advance
