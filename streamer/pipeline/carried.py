"""Every so many frames of a view are segmented; those in between carry the labels of the last one that was.

Whose turn it is follows from the frames alone: each view counts its processed frames. Views that come one
after the other begin at other places of the count, so that two channels of a sensor take turns. So a replay,
or a run that goes on after a crash, segments the same frames. A result says from which frame its labels are
carried; lost frames do not end that, they only make the labels older, and the number tells how much.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from streamer.core import Result
from streamer.pipeline.stages import Denoised
from streamer.pipeline.views import has_room, key_of

#: Where the first views begin in the count, in quarters of it; further ones by turns as these.
_QUARTERS = (0, 2, 1, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelsView:
    """What was last drawn in one view.

    Attributes:
        seq: the frame that it was drawn in.
        since: frames of the view that were processed since, and this one; at the start of a view some more.
        labels: [y, x] uint8 classes.
    """

    seq: int
    since: int
    labels: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelsState:
    """What was last drawn in each view, by `key_of`; empty where every frame is segmented."""

    views: Mapping[str, LabelsView] = field(default_factory=dict)


def step(
    state: LabelsState,
    denoised: Denoised,
    *,
    every: int,
    segment: Callable[[Denoised], Result],
    images: int = 1,
) -> tuple[LabelsState, Result]:
    """The result of a denoised frame, segmented if it is one of every so many of its view.

    The first frame of a view is. Views beyond those that the guards can follow are segmented in every frame:
    nothing is kept of them that could be carried. `images` are kept of a view, by guards, as past frames and
    here together.
    """
    if every == 1:
        return state, segment(denoised)
    key = key_of(denoised.frame)
    view = state.views.get(key)
    if view is not None and view.since < every:
        state = LabelsState(views={**state.views, key: replace(view, since=view.since + 1)})
        return state, _carrying(denoised, view)
    result = segment(denoised)
    held = [images * known.labels.size for known in state.views.values()]
    if view is None and not has_room(held, images * result.labels.size):
        return state, result
    begun = 0 if view else _QUARTERS[len(state.views) % len(_QUARTERS)] * every // len(_QUARTERS)
    view = LabelsView(seq=result.frame.seq, since=1 + begun, labels=result.labels)
    return LabelsState(views={**state.views, key: view}), result


def _carrying(denoised: Denoised, view: LabelsView) -> Result:
    """A frame's own photons and prediction with the labels of an earlier one."""
    return Result(
        frame=denoised.frame,
        photons=denoised.photons,
        denoised=denoised.image,
        labels=view.labels,
        uncertainty=denoised.uncertainty,
        labels_seq=view.seq,
    )
