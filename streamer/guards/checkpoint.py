"""States as plain arrays, for storage, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

State = TypeVar("State", bound="DataclassInstance")


def to_arrays(state: DataclassInstance) -> dict[str, NDArray[Any]]:
    """The fields of a state by name: arrays, numbers, texts, and tuples of numbers or of texts.

    A text must not end in a NUL, which numpy does not keep.
    """
    return {field.name: np.asarray(getattr(state, field.name)) for field in fields(state)}


def from_arrays(like: State, arrays: Mapping[str, NDArray[Any]]) -> State:
    """The state that `to_arrays` took apart; `like` is a fresh state of the same kind.

    Raises:
        ValueError: the arrays are not those of this kind of state.
    """
    names = {field.name for field in fields(like)}
    if names != set(arrays):
        raise ValueError(f"stored state has {sorted(arrays)}; a {type(like).__name__} has {sorted(names)}")
    return type(like)(**{name: _alike(getattr(like, name), array) for name, array in arrays.items()})


def _alike(like: object, array: NDArray[Any]) -> object:
    if isinstance(like, tuple):
        return tuple(array.tolist())
    return array.item() if np.isscalar(like) else array
