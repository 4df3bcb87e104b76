"""All that a run remembers, as plain arrays, so that it can go on after its process died."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.errors import SourceError
from streamer.guards import Guard, from_arrays, to_arrays
from streamer.pipeline.policy import PolicyState
from streamer.pipeline.views import ViewsState, ViewState

#: A checkpoint is taken after so many processed frames, and no sooner than after so many per view: what it
#: holds of a view is about one denoised image, so that it adds at most a quarter to what results write.
EVERY_FRAMES, FRAMES_PER_VIEW = 50, 4

Arrays = Mapping[str, NDArray[Any]]


class Checkpoints:
    """Gives a checkpoint now and then; call it after every processed frame.

    Args:
        views, policy: tell the state as it is.
        guards: in the order of their states.
    """

    def __init__(
        self,
        views: Callable[[], ViewsState],
        policy: Callable[[], PolicyState],
        guards: Sequence[Guard[Any]],
    ) -> None:
        self._views, self._policy, self._guards = views, policy, guards
        self._frames = 0

    def __call__(self) -> Arrays | None:
        """The checkpoint after this frame, if one is due."""
        self._frames += 1
        views = self._views()
        if self._frames < max(EVERY_FRAMES, FRAMES_PER_VIEW * len(views.views)):
            return None
        self._frames = 0
        return stored(views, self._policy(), self._guards)


def stored(views: ViewsState, policy: PolicyState, guards: Sequence[Guard[Any]]) -> Arrays:
    """The states as arrays by flat names; `seq` is the newest frame that they know.

    The arrays are those of the states, which nobody changes, and not copies.
    """
    arrays = {"seq": np.asarray(views.seq), "unbroken_since": np.asarray(views.unbroken_since)}
    arrays |= _under("policy", to_arrays(policy))
    for number, (key, view) in enumerate(views.views.items()):
        place = f"views/{number}"
        arrays[f"{place}/key"] = np.asarray(key)
        arrays[f"{place}/seq"] = np.asarray(view.seq)
        arrays[f"{place}/pixels"] = np.asarray(view.pixels)
        for guard, state in zip(guards, view.states, strict=True):
            arrays |= _under(f"{place}/{guard.name}", to_arrays(state))
    return arrays


def restored(
    arrays: Arrays, guards: Sequence[Guard[Any]], policy: PolicyState
) -> tuple[ViewsState, PolicyState]:
    """What `stored` took apart; `policy` is a fresh state.

    Raises:
        SourceError: the arrays are not those of a run with these guards.
    """
    try:
        views: dict[str, ViewState] = {}
        while (place := f"views/{len(views)}") + "/key" in arrays:
            of_view = _of(place, arrays)
            views[str(of_view["key"])] = ViewState(
                seq=int(of_view["seq"]),
                pixels=int(of_view["pixels"]),
                states=tuple(from_arrays(g.start(), _of(g.name, of_view)) for g in guards),
            )
        seq, unbroken_since = int(arrays["seq"]), int(arrays["unbroken_since"])
        return (
            ViewsState(seq=seq, unbroken_since=unbroken_since, views=views),
            from_arrays(policy, _of("policy", arrays)),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise SourceError(
            f"checkpoint: {error}; it is not of a run with these guards, judge its frames from the first on"
        ) from None


def _under(place: str, arrays: Arrays) -> dict[str, NDArray[Any]]:
    return {f"{place}/{name}": array for name, array in arrays.items()}


def _of(place: str, arrays: Arrays) -> dict[str, NDArray[Any]]:
    """The arrays under a place, by their names there."""
    head = f"{place}/"
    return {name[len(head) :]: array for name, array in arrays.items() if name.startswith(head)}
