"""Which image of a recording a frame belongs to.

Positions are recorded apart, because nothing aligns them; so are camera modes, because an image has one size,
one pixel type and one exposure for each of its channels. A frame goes into the segment of its position that
was used last and can take it, otherwise into a new one: a change of exposure takes all channels of a position
along, a return to an earlier mode goes on in its segment, and two cameras of different size that take turns
need two images, not one a frame.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection
from dataclasses import dataclass, field

from streamer.core import CameraMode
from streamer.errors import SourceError

#: Position or channel as the engine names it; None where it names none.
Name = int | str | None

_SAFE_LENGTH = 40
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
_IMAGE = re.compile(r"raw(?:\.p-(?P<slug>[A-Za-z0-9_~-]+))?(?:\.s(?P<segment>[1-9][0-9]{0,8}))?\.ome\.zarr")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The frames of one position in one segment: one raw image, and the annotated image made of it."""

    position: Name = None
    slug: str = ""
    segment: int = 0

    @property
    def raw(self) -> str:
        """Name of its raw image."""
        return f"raw{self._tag}"

    @property
    def annotated(self) -> str:
        """Name of its annotated image."""
        return f"annotated{self._tag}"

    @property
    def _tag(self) -> str:
        position = f".p-{self.slug}" if self.slug else ""
        segment = f".s{self.segment}" if self.segment else ""
        return f"{position}{segment}.ome.zarr"


def part_named(image: str, position: Name = None) -> Part:
    """The part whose raw image is called `image`.

    Raises:
        SourceError: a name that no recording gives, such as one that leads out of its folder.
    """
    match = _IMAGE.fullmatch(image)
    if match is None:
        raise SourceError(f"{image[:80]!r}: no raw image is called so; restore frames.jsonl from a copy")
    return Part(position=position, slug=match["slug"] or "", segment=int(match["segment"] or 0))


@dataclass(slots=True)
class _Segment:
    part: Part
    modes: dict[Name, CameraMode] = field(default_factory=dict)  # by channel

    def takes(self, channel: Name, mode: CameraMode) -> bool:
        held = next(iter(self.modes.values()))
        fits = (held.shape_yx, held.dtype) == (mode.shape_yx, mode.dtype)
        return fits and self.modes.get(channel, mode) == mode


class Parts:
    """Tells the part of each frame, in the order of their arrival."""

    def __init__(self) -> None:
        self._slugs: dict[Name, str] = {None: ""}
        self._segments: dict[Name, list[_Segment]] = {}  # by position, the one used last first

    def part_of(self, position: Name, channel: Name, mode: CameraMode) -> Part:
        """The part that a frame of this position, channel and mode belongs to; made if there is none yet."""
        segments = self._segments.setdefault(position, [])
        for number, segment in enumerate(segments):
            if segment.takes(channel, mode):
                segments.insert(0, segments.pop(number))
                break
        else:
            part = Part(position=position, slug=self._slug(position), segment=len(segments))
            segments.insert(0, _Segment(part))
        segments[0].modes[channel] = mode
        return segments[0].part

    def _slug(self, position: Name) -> str:
        if position not in self._slugs:
            self._slugs[position] = slug(position, {known.casefold() for known in self._slugs.values()})
        return self._slugs[position]


def slug(position: Name, taken: Collection[str]) -> str:
    """A stranger's name for a position as a part of a file name, unlike all those `taken` (in lower case).

    What is not plain or was taken, on some disks `A1` by `a1`, gets a digest behind a `~`.
    """
    text = str(position)
    safe = _UNSAFE.sub("_", text[:_SAFE_LENGTH])
    if safe and safe == text and safe.casefold() not in taken:
        return safe
    digest = hashlib.sha256(json.dumps(position).encode()).hexdigest()
    return f"{safe}~{digest[:16]}"
