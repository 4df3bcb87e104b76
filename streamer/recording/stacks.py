"""Which slices of a z-stack are supported by signal.

Beyond the specimen a network may draw what no photon supports; Rahm et al. crop such peripheral slices from
their stacks before they render them. Here nothing is cropped: the range that would stay is written beside the
pixels when a run is closed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from streamer.recording.frames import iter_frames
from streamer.recording.image import describe_image
from streamer.recording.lines import Row
from streamer.recording.ngff import SUPPORTED_Z
from streamer.recording.read import parts
from streamer.recording.run import RunFolder, Stacks, read_info

#: First and last z that signal supports, both included; None where no slice is.
Range = tuple[int, int] | None

#: The guard that says whether a slice holds a specimen, and the one that speaks where none could be asked.
_GUARD, _UNASKED = "signal_map", "views"
_DENOISED = "denoised"


@dataclass(slots=True)
class _Slices:
    """The z of one channel at one time, each as the bit of that number."""

    present: int = 0
    supported: int = 0

    @property
    def range(self) -> Range:
        held = self.supported
        return ((held & -held).bit_length() - 1, held.bit_length() - 1) if held else None

    @property
    def border(self) -> int:
        """Slices outside the range."""
        if self.range is None:
            return self.present.bit_count()
        first, last = self.range
        return (self.present & ((1 << first) - 1)).bit_count() + (self.present >> (last + 1)).bit_count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """The stacks of one annotated image.

    Attributes:
        ranges: by channel, for every t.
        slices: processed slices of all of them.
        border: those before the first and behind the last one that signal supports.
    """

    ranges: Mapping[str, tuple[Range, ...]]
    slices: int
    border: int


def supported_slices(rows: Iterable[Row]) -> dict[str, Support]:
    """The stacks of every annotated image in which more than one z was processed, by the image's name.

    A slice is supported where the signal map's guard passed it: its photons vary more from tile to tile than
    chance allows. What that guard could not judge is not supported. Slices between two supported ones belong
    to the range, whatever the guard says of them: only borders are left out. An image whose z are no numbers
    from 0 up has places in the order of their appearance, and no borders.
    """
    seen: dict[str, dict[str, dict[int, _Slices]]] = {}
    unordered = set()
    for row in rows:
        if row["annotated_place"] is None:
            continue
        t, _, z = row["annotated_place"]
        if row["axes"].get("z") != z:
            unordered.add(row["annotated_image"])
        for channel, supported in zip(_channels(row), _supported(row), strict=False):
            of_channel = seen.setdefault(row["annotated_image"], {}).setdefault(channel, {})
            slices = of_channel.setdefault(t, _Slices())
            slices.present |= 1 << z
            slices.supported |= supported << z
    return {
        image: _support(channels)
        for image, channels in seen.items()
        if image not in unordered and _is_stack(channels)
    }


def mark_supported(run: RunFolder) -> Stacks | None:
    """Write the supported z of every stack into its image's attributes; the sums, None without stacks.

    Nothing is said of stacks of a camera without calibration: its guards cannot tell signal.

    Raises:
        RecordingError: the disk will not have it.
        SourceError: the rows are damaged.
    """
    deep = {part.part.annotated for part in parts(run) if part.extent[2] > 1}
    if not deep or read_info(run).calibration.get("provisional"):
        return None
    support = supported_slices(row for row in iter_frames(run) if row["annotated_image"] in deep)
    for image, stacks in support.items():
        if (run.path / image).is_dir():  # a copy may have been made without it
            describe_image(run.path / image, {SUPPORTED_Z: stacks.ranges})
    if not support:
        return None
    return Stacks(
        slices=sum(stacks.slices for stacks in support.values()),
        border=sum(stacks.border for stacks in support.values()),
    )


def _channels(row: Row) -> list[str]:
    """The denoised channels of a frame, one for each of its results, in their order."""
    return [name for name in row["annotated_channels"] if name.split(" ", 1)[0] == _DENOISED]


def _supported(row: Row) -> list[bool]:
    """Whether signal supports each result of a frame, in their order: one of the two guards spoke of each."""
    asked = (verdict for verdict in row["verdicts"] if verdict["guard"] in (_GUARD, _UNASKED))
    return [verdict["guard"] == _GUARD and verdict["status"] == "pass" for verdict in asked]


def _is_stack(channels: Mapping[str, Mapping[int, _Slices]]) -> bool:
    present = 0
    for slices in (each for times in channels.values() for each in times.values()):
        present |= slices.present
    return present.bit_count() > 1


def _support(channels: Mapping[str, Mapping[int, _Slices]]) -> Support:
    length = 1 + max(t for times in channels.values() for t in times)
    every = [slices for times in channels.values() for slices in times.values()]
    return Support(
        ranges={
            channel: tuple(times[t].range if t in times else None for t in range(length))
            for channel, times in channels.items()
        },
        slices=sum(slices.present.bit_count() for slices in every),
        border=sum(slices.border for slices in every),
    )
