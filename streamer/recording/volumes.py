"""Where planes belong in an annotated image [t, c, z, y, x], whatever order they come in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from streamer.recording.array import Place

#: Time points that late planes still find: what a run of days must remember has an end.
OPEN_TIMES = 16

#: A z beyond this is no place in a stack but a name for one.
MAX_Z = 4096

Axis = int | str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the planes of one frame go: the same t and z for all, c by channel name."""

    t: int
    z: int
    c: Mapping[str, int]

    @property
    def first(self) -> Place:
        """Place of the frame's first plane."""
        return self.t, next(iter(self.c.values())), self.z


class Volumes:
    """Gives every frame its place in one image.

    - t counts time points in the order in which they appeared, whatever the engine calls them. A frame of one
      of the last `OPEN_TIMES` joins it; a place that is taken, as by every next frame of a run without time
      axis, opens a new one.
    - c counts channels in the order in which they appeared.
    - z is the engine's own index, so that a missing plane leaves a hole; what cannot be an index (negative,
      a word) takes the next place that is free.
    """

    def __init__(self) -> None:
        self.channels: list[str] = []
        self._z: dict[Axis, int] = {}
        self._open: dict[Axis, tuple[int, set[tuple[int, int]]]] = {}
        self._length = self._depth = 0

    def place(self, time: Axis, z: Axis, channels: Sequence[str]) -> Places:
        """The places of a frame's planes, one for each of `channels`; they are taken afterwards."""
        self.channels += [name for name in channels if name not in self.channels]
        c = {name: self.channels.index(name) for name in channels}
        depth = self._place_z(z)
        wanted = {(channel, depth) for channel in c.values()}
        if time not in self._open or self._open[time][1] & wanted:
            self._open.pop(time, None)  # so that it becomes the newest
            self._open[time] = (self._length, set())
            self._length += 1
            if len(self._open) > OPEN_TIMES:
                del self._open[next(iter(self._open))]
        t, taken = self._open[time]
        taken |= wanted
        return Places(t=t, z=depth, c=c)

    @property
    def extent(self) -> Place:
        """Places along t, c, z so far."""
        return self._length, len(self.channels), self._depth

    @property
    def taken(self) -> dict[int, set[tuple[int, int]]]:
        """The (c, z) that are taken in each time point that is still open."""
        return dict(self._open.values())

    def _place_z(self, z: Axis) -> int:
        if z not in self._z:
            known = self._z.values()
            index = 0 if z is None else z if isinstance(z, int) else -1
            self._z[z] = index if 0 <= index < MAX_Z and index not in known else max(known, default=-1) + 1
            self._depth = max(self._depth, self._z[z] + 1)
        return self._z[z]
