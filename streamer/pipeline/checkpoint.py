"""All that a run remembers, as plain arrays, so that it can go on after its process died."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.errors import SourceError
from streamer.guards import Guard, from_arrays, to_arrays
from streamer.pipeline.carried import LabelsState, LabelsView
from streamer.pipeline.halves import HalvesState
from streamer.pipeline.past import PastState, PastView
from streamer.pipeline.policy import PolicyState
from streamer.pipeline.views import ViewsState, ViewState

#: A checkpoint is taken after so many processed frames, and no sooner than after so many per image that it
#: holds: each is about as large as a denoised one, so that it adds at most a quarter to what results write.
EVERY_FRAMES, FRAMES_PER_IMAGE = 50, 4

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """What a run remembers after a frame: what its guards do, its networks, its halves, its policy."""

    views: ViewsState = field(default_factory=ViewsState)
    past: PastState = field(default_factory=PastState)
    labels: LabelsState = field(default_factory=LabelsState)
    halves: HalvesState = field(default_factory=HalvesState)
    policy: PolicyState = field(default_factory=PolicyState)


class Checkpoints:
    """Gives a checkpoint now and then; call it after every processed frame.

    Args:
        state: tells it as it is.
        guards: in the order of their states.
    """

    def __init__(self, state: Callable[[], RunState], guards: Sequence[Guard[Any]]) -> None:
        self._state, self._guards = state, guards
        self._frames = 0

    def __call__(self) -> Arrays | None:
        """The checkpoint after this frame, if one is due."""
        self._frames += 1
        state = self._state()
        images = len(state.views.views) + sum(len(view.photons) for view in state.past.views.values())
        images += len(state.labels.views)
        if self._frames < max(EVERY_FRAMES, FRAMES_PER_IMAGE * images):
            return None
        self._frames = 0
        return stored(state, self._guards)


def stored(state: RunState, guards: Sequence[Guard[Any]]) -> Arrays:
    """The states as arrays by flat names; `seq` is the newest frame that they know.

    The arrays are those of the states, which nobody changes, and not copies.
    """
    arrays = _with_seq(state.views) | _under("policy", to_arrays(state.policy))
    for number, (key, view) in enumerate(state.views.views.items()):
        place = f"views/{number}"
        arrays |= _under(place, _with_key(key, view))
        for guard, of_guard in zip(guards, view.states, strict=True):
            arrays |= _under(f"{place}/{guard.name}", to_arrays(of_guard))
    arrays |= _under("past", _with_seq(state.past))
    for number, (key, past) in enumerate(state.past.views.items()):
        photons = {f"photons/{before}": image for before, image in enumerate(past.photons)}
        of_view = _with_key(key, past) | {"place": np.asarray(past.place)}
        arrays |= _under(f"past/views/{number}", of_view | photons)
    for number, (key, drawn) in enumerate(state.labels.views.items()):
        numbers = {"seq": np.asarray(drawn.seq), "since": np.asarray(drawn.since)}
        arrays |= _under(f"labels/{number}", {"key": np.asarray(key), "labels": drawn.labels} | numbers)
    for number, (key, frames) in enumerate(state.halves.seen.items()):
        arrays |= _under(f"halves/{number}", {"key": np.asarray(key), "frames": np.asarray(frames)})
    return arrays


def restored(arrays: Arrays, guards: Sequence[Guard[Any]], policy: PolicyState) -> RunState:
    """What `stored` took apart; `policy` is a fresh state.

    Raises:
        SourceError: the arrays are not those of a run with these guards.
    """
    try:
        views = {
            str(of_view["key"]): ViewState(
                seq=int(of_view["seq"]),
                pixels=int(of_view["pixels"]),
                states=tuple(from_arrays(g.start(), _of(g.name, of_view)) for g in guards),
            )
            for of_view in _numbered("views", arrays)
        }
        past = _of("past", arrays)
        return RunState(
            views=ViewsState(**_seq_of(arrays), views=views),
            past=PastState(**_seq_of(past), views=dict(map(_past_view, _numbered("views", past)))),
            labels=LabelsState(views=dict(map(_labels_view, _numbered("labels", arrays)))),
            halves=HalvesState(
                seen={str(of["key"]): int(of["frames"]) for of in _numbered("halves", arrays)}
            ),
            policy=from_arrays(policy, _of("policy", arrays)),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise SourceError(
            f"checkpoint: {error}; it is not of a run with these guards, judge its frames from the first on"
        ) from None


def _past_view(arrays: Arrays) -> tuple[str, PastView]:
    """The past of one view, by its key."""
    images = _of("photons", arrays)
    photons = tuple(images[str(before)] for before in range(len(images)))
    if any(image.ndim != 2 or image.dtype != np.float32 for image in photons):
        raise ValueError("a past frame is no image")
    view = PastView(
        seq=int(arrays["seq"]),
        pixels=int(arrays["pixels"]),
        photons=photons,
        place=str(arrays["place"]),
    )
    return str(arrays["key"]), view


def _labels_view(arrays: Arrays) -> tuple[str, LabelsView]:
    """What was last drawn in one view, by its key."""
    labels = arrays["labels"]
    if labels.ndim != 2 or labels.dtype != np.uint8:
        raise ValueError("what was drawn is no image of classes")
    view = LabelsView(seq=int(arrays["seq"]), since=int(arrays["since"]), labels=labels)
    return str(arrays["key"]), view


def _with_seq(state: ViewsState | PastState) -> dict[str, NDArray[Any]]:
    return {"seq": np.asarray(state.seq), "unbroken_since": np.asarray(state.unbroken_since)}


def _seq_of(arrays: Arrays) -> dict[str, int]:
    return {name: int(arrays[name]) for name in ("seq", "unbroken_since")}


def _with_key(key: str, view: ViewState | PastView) -> dict[str, NDArray[Any]]:
    return {"key": np.asarray(key), "seq": np.asarray(view.seq), "pixels": np.asarray(view.pixels)}


def _numbered(place: str, arrays: Arrays) -> list[dict[str, NDArray[Any]]]:
    """The arrays under `place`/0, `place`/1, ..."""
    found: list[dict[str, NDArray[Any]]] = []
    while of_next := _of(f"{place}/{len(found)}", arrays):
        found.append(of_next)
    return found


def _under(place: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {f"{place}/{name}": array for name, array in arrays.items()}


def _of(place: str, arrays: Arrays) -> dict[str, NDArray[Any]]:
    """The arrays under a place, by their names there."""
    head = f"{place}/"
    return {name[len(head) :]: array for name, array in arrays.items() if name.startswith(head)}
