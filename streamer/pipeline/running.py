"""Pure steps turned into callables that carry their state through a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, Generic, ParamSpec, TypeVar

State = TypeVar("State")
Seen = ParamSpec("Seen")
Said = TypeVar("Said")


class Running(Generic[State, Seen, Said]):
    """`step` as a function of what it sees alone, from a state on; `state` is open to be stored."""

    def __init__(self, step: Callable[Concatenate[State, Seen], tuple[State, Said]], state: State) -> None:
        self._step = step
        self.state = state

    def __call__(self, *seen: Seen.args, **further: Seen.kwargs) -> Said:
        """One step."""
        self.state, said = self._step(self.state, *seen, **further)
        return said
