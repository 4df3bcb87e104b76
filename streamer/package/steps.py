"""The pre- and postprocessing steps of bioimage.io that foreign packages use most; our own need none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.errors import PackageError
from streamer.package.description import Step

_Array = NDArray[np.float32]
_Over = tuple[int, ...] | None


def apply_steps(steps: Sequence[Step], tensor: _Array, axes: Sequence[str]) -> _Array:
    """`tensor`, whose axes are called `axes`, after every step in order, float32.

    Raises:
        PackageError: a step that we do not know, or whose settings make no sense.
    """
    for step in steps:
        if step.id not in _STEPS:
            raise PackageError(
                f"processing step {step.id}: not supported (known: {', '.join(_STEPS)}); export the network "
                "with this step inside"
            )
        try:
            named = step.kwargs.get("axes")
            over = None if named is None else tuple(list(axes).index(name) for name in named)
            tensor = _STEPS[step.id](tensor, over, step.kwargs).astype(np.float32, copy=False)
        except (KeyError, TypeError, ValueError) as error:
            raise PackageError(
                f"processing step {step.id}: kwargs = {str(step.kwargs)[:80]} make no sense "
                f"({type(error).__name__}: {error}); correct them in bioimageio.yaml"
            ) from None
    return tensor


def _dtype(x: _Array, _over: _Over, kwargs: Mapping[str, Any]) -> NDArray[np.generic]:
    return x.astype(kwargs["dtype"])


def _z_score(x: _Array, over: _Over, kwargs: Mapping[str, Any]) -> _Array:
    mean, deviation = x.mean(over, keepdims=True), x.std(over, keepdims=True)
    return np.asarray((x - mean) / (deviation + kwargs.get("eps", 1e-6)), dtype=np.float32)


def _sigmoid(x: _Array, _over: _Over, _kwargs: Mapping[str, Any]) -> _Array:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)), dtype=np.float32)  # tanh never overflows


_STEPS: Mapping[str, Callable[[_Array, _Over, Mapping[str, Any]], NDArray[np.generic]]] = {
    "ensure_dtype": _dtype,
    "zero_mean_unit_variance": _z_score,
    "sigmoid": _sigmoid,
}
