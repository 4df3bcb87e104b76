"""What a denoiser with context is shown beside a frame: the frames before it in the same view.

Only frames of the same position, z, channel and camera mode are a past, in the order of their acquisition. A
frame that is missing in the numbers, lost or passed over, ends the past of every view: nobody knows which
view it belonged to, nor how far the specimen moved meanwhile, and a network that was trained on steps of one
frame would smear a longer one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from streamer.core import Frame
from streamer.pipeline.views import has_room, key_of, unbroken


@dataclass(frozen=True, slots=True, kw_only=True)
class PastView:
    """The past of one view.

    Attributes:
        seq: its newest frame.
        pixels: that guards and past hold of it.
        photons: [y, x] of its last frames, newest first.
        place: of the newest in a stack, where the view is one of stacks.
    """

    seq: int
    pixels: int
    photons: tuple[NDArray[np.float32], ...]
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastState:
    """The past of a run.

    Attributes:
        seq: its newest frame.
        unbroken_since: frame since which none was lost or passed over.
        views: by `key_of`.
    """

    seq: int = -1
    unbroken_since: int = 0
    views: Mapping[str, PastView] = field(default_factory=dict)


def step(
    state: PastState, frame: Frame, photons: NDArray[np.float32], *, frames: int
) -> tuple[PastState, NDArray[np.float32]]:
    """[frames, y, x] photons: the frame itself, then those before it, newest first.

    Where there are fewer, the oldest one is repeated. Views beyond those that the guards can follow have no
    past; the guards' verdict says of them that there are too many.
    """
    if frames == 1:
        return state, photons[None]
    key = key_of(frame)
    since = unbroken(frame.seq, state.seq, state.unbroken_since)
    state = replace(state, seq=frame.seq, unbroken_since=since)
    view, pixels = state.views.get(key), frames * photons.size
    shown = (photons, *(view.photons[: frames - 1] if view and view.seq >= since else ()))
    if view or has_room([known.pixels for known in state.views.values()], pixels):
        view = PastView(seq=frame.seq, pixels=pixels, photons=shown[: frames - 1])
        state = replace(state, views={**state.views, key: view})
    return state, np.stack([*shown, *shown[-1:] * (frames - len(shown))])
