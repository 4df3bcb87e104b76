"""The views of a run: like frames, which guards may compare with each other."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from streamer.core import Frame, Result, Verdict
from streamer.guards import Guard, judge

#: Axes that tell one view from another, in the order in which a view is named.
AXES = ("position", "z", "channel")
#: Most views that are judged, and most pixels that may be kept of them together: guards keep an image of
#: each, a denoiser with context its past frames, 0.94 GiB of float32 in all; a checkpoint holds all of them.
VIEWS_MAX, PIXELS_MAX = 1000, 15 << 24
#: Longest name on an axis that is shown.
NAME_MAX = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewState:
    """What is remembered of one view.

    Attributes:
        seq: its newest frame.
        pixels: that guards and past hold of it.
        states: of the guards, in their order.
    """

    seq: int
    pixels: int
    states: tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewsState:
    """What is remembered of a run.

    Attributes:
        seq: its newest judged frame.
        unbroken_since: frame since which none was lost or passed over.
        views: by `key_of`.
    """

    seq: int = -1
    unbroken_since: int = 0
    views: Mapping[str, ViewState] = field(default_factory=dict)


def key_of(frame: Frame) -> str:
    """The view a frame belongs to: position, z, channel and camera mode, as JSON."""
    mode = frame.mode
    place = [frame.axes.get(axis) for axis in AXES]
    return json.dumps([*place, *mode.shape_yx, mode.dtype, mode.exposure_ms, mode.bit_depth])


def words_of(frame: Frame) -> str:
    """The view in words, as in `position 2, channel red`; empty where the frame states only its time.

    Only the frame itself decides, not what else the run holds, so that a replay gives the same words.
    """
    return ", ".join(f"{axis} {_printable(frame.axes[axis])}" for axis in AXES if axis in frame.axes)


def _printable(name: object) -> str:
    return "".join(c if c.isprintable() else " " for c in str(name)[:NAME_MAX])


def unbroken(seq: int, last_seq: int, since: int) -> int:
    """Frame since which none was lost or passed over, now that `seq` follows `last_seq`; `since` till then.

    Channels of one sensor frame have the same number.
    """
    return since if seq - last_seq in (0, 1) else seq


def has_room(held: Collection[int], pixels: int) -> bool:
    """Whether a view of so many pixels may be remembered beside those that are; the first always is."""
    return not held or (len(held) < VIEWS_MAX and sum(held) + pixels <= PIXELS_MAX)


def step(
    state: ViewsState, result: Result, *, guards: Sequence[Guard[Any]], images: int = 1
) -> tuple[ViewsState, tuple[Verdict, ...]]:
    """Let the guards judge a result beside what they know of its own view.

    A frame that is missing in the numbers, lost or passed over, breaks the sequence of every view: nobody
    knows which view it belonged to. Views beyond `VIEWS_MAX` or `PIXELS_MAX` are not judged, and the verdict
    says so: names on axes come from outside and must not fill the memory. `images` are kept of a view, by
    guards and as past frames together.
    """
    seq, words, key = result.frame.seq, words_of(result.frame), key_of(result.frame)
    unbroken_since = unbroken(seq, state.seq, state.unbroken_since)
    state = replace(state, seq=seq, unbroken_since=unbroken_since)
    view = state.views.get(key)
    if view is None:
        pixels = images * result.frame.pixels.size
        if not has_room([known.pixels for known in state.views.values()], pixels):
            return state, (_not_judged(words, len(state.views)),)
        view = ViewState(seq=-1, pixels=pixels, states=tuple(g.start() for g in guards))
    states, verdicts = judge(guards, view.states, replace(result, follows=view.seq >= unbroken_since))
    views = {**state.views, key: replace(view, seq=seq, states=states)}
    return replace(state, views=views), tuple(replace(verdict, view=words) for verdict in verdicts)


def _not_judged(words: str, views: int) -> Verdict:
    meaning = f"not judged: the guards already follow {views} views, which is as many as they can remember"
    return Verdict(guard="views", status="flag", measured=None, limit=None, meaning=meaning, view=words)
