"""Where the planes of every frame lie, by what can be looked at: position, channel, z."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.reading.grown import Grown
from streamer.reading.names import name, number, several, table, text, whole
from streamer.recording import Name, Row

#: Most views that are told apart: names on axes come from outside and must not fill the memory.
VIEWS_MAX = 4096
#: Most channels of one frame, with their uncertainties, and most distinct words that are kept.
CHANNELS_MAX, WORDS_MAX = 64, 1 << 16
#: Channels of which it is known from how many frames before their labels are carried, and the most of those.
CARRIED_MAX, AGE_MAX = 4, (1 << 16) - 1

_PLACE_MAX = 1 << 31
_SHOWN_MAX = 60  # of a name, as in verdicts
_DENOISED = "denoised"
_FRAME = np.dtype(
    [
        ("seq", np.int64),
        ("wall_time_s", np.float64),
        ("raw_index", np.int32),
        ("place", np.int32, 3),
        ("image", np.uint16),
        ("annotated", np.uint16),
        ("channels", np.uint16),
        ("axes", np.uint16),
        ("ages", np.uint16, CARRIED_MAX),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What can be looked at.

    Attributes:
        position: as the engine names it, None where it names none.
        channel: empty where there is only one; of an image splitter the detection channel.
        z: as the engine names it.
    """

    position: Name = None
    channel: str = ""
    z: Name = None

    @property
    def words(self) -> str:
        """How the guards call it in their verdicts, as in `position 2, channel red`; empty if it is alone."""
        axes = {"position": self.position, "z": self.z, "channel": self.channel or None}
        return ", ".join(f"{axis} {_shown(name)}" for axis, name in axes.items() if name is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Where a frame lies.

    Attributes:
        seq: its number in the run.
        wall_time_s: Unix time of the hook; 0 where the row has none.
        view: the one it was looked up for.
        image, raw_index: its raw image, and its place on the t axis there.
        annotated_image: None where it was not processed.
        place: [t, c, z] of its first plane in the annotated image.
        channels: of its planes in the annotated image, in their order, as in `denoised red`.
        processed: whether it was denoised and judged.
        labels_seq: the earlier frame that its labels are carried from; None where they were drawn in it.
    """

    seq: int
    wall_time_s: float
    view: View
    image: str
    raw_index: int
    annotated_image: str | None
    place: tuple[int, int, int] | None
    channels: tuple[str, ...]
    processed: bool
    labels_seq: int | None = None


class _Words:
    """Small numbers for things that come again and again."""

    def __init__(self) -> None:
        self._known: dict[Any, int] = {}
        self.words: list[Any] = []

    def number(self, word: Any) -> int | None:
        """Its number; None when there are too many."""
        known = self._known.get(word)
        if known is None:
            if len(self.words) == WORDS_MAX:
                return None
            known = self._known[word] = len(self.words)
            self.words.append(word)
        return known


class _Frames:
    """The frames of one view, in the order of their numbers: rows of the index."""

    def __init__(self) -> None:
        self.seqs, self.rows = Grown(np.int64), Grown(np.int32)
        self.done = Grown(np.int32)  # rows of processed frames, in the order in which they came

    def add(self, seq: int, row: int, *, processed: bool) -> None:
        if len(self.seqs) and seq < self.seqs[-1]:
            at = int(np.searchsorted(self.seqs.values, seq, side="right"))
            self.seqs.insert(at, seq)
            self.rows.insert(at, row)
        else:
            self.seqs.append(seq)
            self.rows.append(row)
        if processed:
            self.done.append(row)


class FrameIndex:
    """The frames of a run by view; about 70 bytes a frame and 16 more for each view that shows it.

    Args:
        splitter: names of the detection channels that an image splitter puts on one sensor; frames that were
            not processed belong to all of them.
    """

    def __init__(self, splitter: Sequence[str] = ()) -> None:
        self._splitter = tuple(splitter)
        self._frames = Grown(_FRAME)
        self._words = _Words()
        self._views: dict[View, _Frames] = {}
        #: Rows that say too little to find a frame by, or that name more views than can be told apart.
        self.left_out = 0

    def __len__(self) -> int:
        return len(self._frames)

    def add(self, row: Row) -> None:
        """Take the row of a frame, of the present layout; one that cannot be understood is counted."""
        seq, raw_index = whole(row.get("seq")), whole(row.get("raw_index"), below=_PLACE_MAX)
        image = text(row.get("image"), 200)
        if seq is None or raw_index is None or not image:
            self.left_out += 1
            return
        axes = table(row.get("axes"))
        wall_s = number(row.get("wall_time_s"))
        place = _place(row.get("annotated_place"))
        annotated = text(row.get("annotated_image"), 200) if place else ""
        named = several(row.get("annotated_channels"), CHANNELS_MAX) if annotated else []
        channels = tuple(text(each, 200) for each in named)
        where = name(axes.get("position")), name(axes.get("channel")), name(axes.get("z"))
        numbers = [self._words.number(word) for word in (image, annotated, channels, where)]
        if None in numbers:
            self.left_out += 1
            return
        ages = _ages(seq, row.get("labels_seq"))
        wall_s = 0.0 if math.isnan(wall_s) else wall_s
        shown = (seq, wall_s, raw_index, place or (-1, -1, -1), *numbers, ages)
        self._frames.append(shown)
        self._sort(seq, where, channels, processed=bool(annotated))

    def _sort(
        self, seq: int, where: tuple[Name, Name, Name], channels: tuple[str, ...], *, processed: bool
    ) -> None:
        position, channel, z = where
        for shown in self._shown(channel, channels):
            view = View(position=position, channel=shown, z=z)
            frames = self._views.get(view)
            if frames is None:
                if len(self._views) == VIEWS_MAX:
                    self.left_out += 1
                    return
                frames = self._views[view] = _Frames()
            frames.add(seq, len(self._frames) - 1, processed=processed)

    def _shown(self, channel: Name, channels: tuple[str, ...]) -> tuple[str, ...]:
        """The channels that a frame can be looked at in."""
        drawn = tuple(dict.fromkeys(c for c in map(channel_of, channels) if c is not None))
        if drawn:
            return drawn
        stated = "" if channel is None else str(channel)
        return tuple(f"{stated} / {part}" if stated else part for part in self._splitter) or (stated,)

    def views(self) -> tuple[View, ...]:
        """Everything that can be looked at, in the order of its appearance."""
        return tuple(self._views)

    def newest(self, view: View) -> Entry | None:
        """The newest processed frame of a view; the newest of all where none was processed."""
        frames = self._views.get(view)
        if frames is None:
            return None
        rows = frames.done if len(frames.done) else frames.rows
        return self._entry(view, int(rows[-1]))

    def at(self, view: View, seq: int) -> Entry | None:
        """The frame of a view with that number, else the one before, else its first."""
        frames = self._views.get(view)
        if frames is None:
            return None
        found = int(np.searchsorted(frames.seqs.values, seq, side="right")) - 1
        return self._entry(view, int(frames.rows[max(found, 0)]))

    def spread(self, view: View, count: int) -> list[Entry]:
        """At most `count` frames evenly over the run so far, at least half as many where there are so many.

        They are every 2nd, 4th, 8th ... processed frame from the first one on (of all frames where none was
        processed), so that most of them stay the same while the run grows.
        """
        frames = self._views.get(view)
        if frames is None or count < 1:
            return []
        rows: NDArray[Any] = (frames.done if len(frames.done) else frames.rows).values
        stride = 1
        while -(-rows.size // stride) > count:
            stride *= 2
        return [self._entry(view, int(row)) for row in rows[::stride]]

    def _entry(self, view: View, row: int) -> Entry:
        at, words = self._frames[row], self._words.words
        annotated = words[at["annotated"]] or None
        t, c, z = (int(index) for index in at["place"])
        drawn = [channel_of(plane) for plane in words[at["channels"]] if channel_of(plane) is not None]
        place = drawn.index(view.channel) if view.channel in drawn else CARRIED_MAX
        age = int(at["ages"][place]) if place < CARRIED_MAX else 0
        return Entry(
            seq=int(at["seq"]),
            wall_time_s=float(at["wall_time_s"]),
            view=view,
            image=words[at["image"]],
            raw_index=int(at["raw_index"]),
            annotated_image=annotated,
            place=(t, c, z) if annotated else None,
            channels=words[at["channels"]],
            processed=annotated is not None,
            labels_seq=int(at["seq"]) - age if age else None,
        )


def channel_of(plane: str) -> str | None:
    """The channel whose denoised image a plane is: `red` of `denoised red`, "" of `denoised`; else None."""
    if plane == _DENOISED:
        return ""
    return plane.removeprefix(f"{_DENOISED} ") if plane.startswith(f"{_DENOISED} ") else None


def _shown(name: object) -> str:
    return "".join(c if c.isprintable() else " " for c in str(name)[:_SHOWN_MAX])


def _ages(seq: int, value: object) -> list[int]:
    """From how many frames before the labels of the first channels are carried; 0 where they are not."""
    known = (whole(each) for each in several(value, CARRIED_MAX))
    ages = [0 if each is None else min(max(seq - each, 0), AGE_MAX) for each in known]
    return ages + [0] * (CARRIED_MAX - len(ages))


def _place(value: object) -> tuple[int, int, int] | None:
    numbers = [whole(index, below=_PLACE_MAX) for index in several(value)]
    match numbers:
        case [int(t), int(c), int(z)]:
            return t, c, z
    return None
