"""States as plain arrays, for storage, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

State = TypeVar("State", bound="DataclassInstance")


def to_arrays(state: DataclassInstance) -> dict[str, NDArray[Any]]:
    """The fields of a state by name: arrays, numbers, texts, and tuples of numbers or of texts.

    The fields of a state within the state are named `outer.inner`. A text must not end in a NUL, which numpy
    does not keep.
    """
    arrays: dict[str, NDArray[Any]] = {}
    for field in fields(state):
        value = getattr(state, field.name)
        if is_dataclass(value) and not isinstance(value, type):
            arrays |= {f"{field.name}.{name}": array for name, array in to_arrays(value).items()}
        else:
            arrays[field.name] = np.asarray(value)
    return arrays


def from_arrays(like: State, arrays: Mapping[str, NDArray[Any]]) -> State:
    """The state that `to_arrays` took apart; `like` is a fresh state of the same kind.

    Raises:
        ValueError: the arrays are not those of this kind of state.
    """
    names = set(to_arrays(like))
    if names != set(arrays):
        raise ValueError(f"stored state has {sorted(arrays)}; a {type(like).__name__} has {sorted(names)}")
    return type(like)(
        **{field.name: _field(field.name, getattr(like, field.name), arrays) for field in fields(like)}
    )


def _field(name: str, like: Any, arrays: Mapping[str, NDArray[Any]]) -> object:
    if is_dataclass(like) and not isinstance(like, type):
        of = f"{name}."
        return from_arrays(like, {key[len(of) :]: each for key, each in arrays.items() if key.startswith(of)})
    return _alike(like, arrays[name])


def _alike(like: object, array: NDArray[Any]) -> object:
    if isinstance(like, tuple):
        return tuple(array.tolist())
    return array.item() if np.isscalar(like) else array
