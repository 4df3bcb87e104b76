"""Arrays that grow by a value at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_FIRST = 256


class Grown:
    """A one-dimensional array that doubles its room when it is full.

    Args:
        dtype: of a value.
        first: values to begin with.
    """

    def __init__(self, dtype: Any, first: NDArray[Any] | None = None) -> None:
        self._length = 0 if first is None else len(first)
        self._room: NDArray[Any] = np.empty(max(_FIRST, self._length), dtype)
        if first is not None:
            self._room[: self._length] = first

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Any:
        return self._room[: self._length][index]

    def append(self, value: Any) -> None:
        """Add a value at the end."""
        if self._length == self._room.size:
            self._room = np.concatenate([self._room, np.empty_like(self._room)])
        self._room[self._length] = value
        self._length += 1

    def insert(self, index: int, value: Any) -> None:
        """Add a value before `index`."""
        self.append(value)
        room = self._room
        room[index + 1 : self._length] = room[index : self._length - 1].copy()
        room[index] = value

    @property
    def values(self) -> NDArray[Any]:
        """What was added, without a copy; valid until the next addition."""
        return self._room[: self._length]
