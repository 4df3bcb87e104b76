"""What a denoiser of slices is shown beside each: the slice below it and the one above it.

The one above does not exist yet when a slice comes, so that the slice waits for it, or until it is known that
none will come. All of this follows from the frames and their order alone, never from how fast they came, and
a replay decides alike; what only a clock could decide is written on the frame, `not_awaited`.

Neighbours are frames of the same position, channel, camera mode and time, one z apart, the lower one first.
Where there is none, the slice itself stands in, as in training. A frame that is missing in the numbers, lost
or passed over, parts what lies before it from what lies behind: nobody knows what it showed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streamer.core import Frame, Status, Verdict
from streamer.pipeline.past import PastState, PastView
from streamer.pipeline.views import has_room, key_of, unbroken, words_of

#: Input channels of a denoiser of slices, in the order in which `step` shows them.
SLICES = ("photons", "photons below", "photons above")
#: A slice waits for so many further frames at most, as long as all of them fit into so many bytes: the link
#: lets no more than that come before the first of them is recorded. It is enough for 12 views by turns.
FURTHER_MAX, HELD_BYTES = 12, 1 << 28
#: Written on a frame for which the slice above was not waited any longer: a replay must not wait either.
_MARK, _MARKED = "streamer_slice_above", "not waited for"
_GUARD = "neighbours"
_SILENT = "denoised without a slice above: none had come by the time it was judged"
_CROWDED = "denoised without a slice above: none was among the next {further} frames, no more are waited for"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A frame of the sensor, cut into the parts that are its detection channels.

    Attributes:
        frame: the frame.
        parts: its channels; none where it cannot be cut, or the frame itself where it need not be.
        misfits: what could not be cut.
    """

    frame: Frame
    parts: tuple[Frame, ...]
    misfits: tuple[Verdict, ...] = ()

    @property
    def is_processed(self) -> bool:
        """Whether networks and guards see anything of it; a replay passes the others over."""
        return bool(self.parts) and not self.frame.superseded


@dataclass(frozen=True, slots=True, kw_only=True)
class Above:
    """What is known of the slice above one.

    Attributes:
        cut: the slice; None where there is none.
        told: what there is to say of one that may be missing, by part of the lower slice.
    """

    cut: Cut | None = None
    told: tuple[Verdict, ...] = ()


NONE = Above()


def nothing_above(cut: Cut, further: Sequence[Cut]) -> Above:
    """For denoisers of single frames: nobody waits for anything."""
    return NONE


def above(cut: Cut, further: Sequence[Cut]) -> Above | None:
    """The slice above `cut`, as soon as it is known; None as long as it may yet be among those to come.

    The next frame of the same view decides. So does any other one at another time or z, when the focus has
    moved on: only what is seen at this z or the next one leaves room for the slice above to come.

    Args:
        cut: a frame.
        further: all that have come after it, in their order.
    """
    z = _z(cut.frame)
    if z is None or not cut.is_processed:
        return NONE
    if cut.frame.metadata.get(_MARK) == _MARKED:
        return Above(told=_told(cut, "pass", _SILENT))
    for seq, other in enumerate(further, start=cut.frame.seq + 1):
        if other.frame.seq != seq or not other.is_processed:
            return NONE
        moved_on = _time(other.frame) != _time(cut.frame) or _z(other.frame) not in (None, z, z + 1)
        if moved_on or _stack_of(other.frame) == _stack_of(cut.frame):
            return NONE if moved_on or _z(other.frame) != z + 1 else Above(cut=other)
    if len(further) >= most_further(cut.frame):
        return Above(told=_told(cut, "flag", _CROWDED.format(further=len(further))))
    return None


def most_further(frame: Frame) -> int:
    """For how many further frames a frame waits at most."""
    return max(1, min(FURTHER_MAX, HELD_BYTES // max(1, frame.pixels.nbytes) - 1))


def not_awaited(cut: Cut) -> Cut:
    """`cut` with the note on its frame that the slice above was not waited for, here and in any replay."""
    return replace(cut, frame=replace(cut.frame, metadata={**cut.frame.metadata, _MARK: _MARKED}))


def step(
    state: PastState, frame: Frame, photons: NDArray[np.float32], above: NDArray[np.float32] | None = None
) -> tuple[PastState, NDArray[np.float32]]:
    """[3, y, x] photons: the slice itself, the one below, the one above.

    Of each stack the newest slice is remembered, by view without z. As in `streamer.pipeline.past`, views
    beyond those that the guards can follow are not, and the guards' verdict says of them that there are too
    many.

    Args:
        state: what is remembered.
        frame: the slice.
        photons: [y, x] its own.
        above: [y, x] those of the slice above; None where there is none.
    """
    key, z = _stack_of(frame), _z(frame)
    since = unbroken(frame.seq, state.seq, state.unbroken_since)
    state = replace(state, seq=frame.seq, unbroken_since=since)
    view, pixels = state.views.get(key), 2 * photons.size
    follows = view is not None and view.seq >= since and z is not None and view.place == _place(frame, z - 1)
    shown = np.stack([photons, view.photons[0] if view and follows else photons, photons])
    if above is not None:
        shown[2] = above
    if view or has_room([known.pixels for known in state.views.values()], pixels):
        view = PastView(seq=frame.seq, pixels=pixels, photons=(photons,), place=_place(frame, z))
        state = replace(state, views={**state.views, key: view})
    return state, shown


def _told(cut: Cut, status: Status, words: str) -> tuple[Verdict, ...]:
    return tuple(
        Verdict(guard=_GUARD, status=status, measured=None, limit=None, meaning=words, view=words_of(part))
        for part in cut.parts
    )


def _z(frame: Frame) -> int | None:
    """Its place in a stack; None of a frame that is of none."""
    z = frame.axes.get("z")
    return z if isinstance(z, int) else None


def _time(frame: Frame) -> int | str | None:
    return frame.axes.get("time")


def _place(frame: Frame, z: int | None) -> str:
    """Which slice of which stack of a view."""
    return json.dumps([_time(frame), z])


def _stack_of(frame: Frame) -> str:
    """The view a frame belongs to, whatever its z."""
    return key_of(replace(frame, axes={axis: at for axis, at in frame.axes.items() if axis != "z"}))
