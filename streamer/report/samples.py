"""Which frames a report shows, and what stands beside each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from streamer.errors import SourceError
from streamer.reading.index import Entry, FrameIndex, View
from streamer.reading.planes import Planes, read_planes
from streamer.recording import RunFolder
from streamer.report import units
from streamer.report.pictures import (
    Contrast,
    contrast_of,
    grey_picture,
    label_picture,
    scale_bar,
    unsupported_share,
)

#: Views whose frames are shown; each costs nine pictures.
VIEWS_SHOWN = 4
_SPREAD = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One picture: the data, what it shows to who cannot see it, and the words below."""

    uri: str
    alt: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One frame: counts, denoised, what was drawn."""

    title: str
    when: str
    note: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewSamples:
    """The frames of one view; the name is empty where the run has only one."""

    name: str
    samples: tuple[Sample, ...]


class Sampler:
    """Takes pictures of the frames of a run, those of one view all in the contrast of its first.

    Args:
        run: the recording.
        index: where its frames lie.
        first_wall_s: Unix time of the first frame.
        unit: of what was denoised.
    """

    def __init__(
        self, run: RunFolder, index: FrameIndex, first_wall_s: float, unit: str = "photons a pixel"
    ) -> None:
        self._run, self._index, self._first_wall_s, self._unit = run, index, first_wall_s, unit
        self._contrasts: dict[View, Contrast] = {}
        #: What could not be read, in words.
        self.problems: list[str] = []

    def overview(self) -> tuple[ViewSamples, ...]:
        """Start, middle and end of the first `VIEWS_SHOWN` views."""
        views = self._index.views()
        several = len(views) > 1
        shown = (
            ViewSamples(name=words_of(view) if several else "", samples=tuple(self._of_view(view)))
            for view in views[:VIEWS_SHOWN]
        )
        return tuple(view for view in shown if view.samples)

    def at(self, seq: int, view_words: str, title: str) -> Sample | None:
        """The frame `seq` as the view called `view_words` has it; None where it cannot be shown."""
        views = self._index.views()
        named = [view for view in views if words_of(view) == view_words] or list(views)
        entries = (self._index.at(view, seq) for view in named)
        entry = next((entry for entry in entries if entry is not None and entry.seq == seq), None)
        return self._sample(entry, title) if entry is not None else None

    def _of_view(self, view: View) -> Iterator[Sample]:
        spread, newest = self._index.spread(view, _SPREAD), self._index.newest(view)
        chosen: dict[int, tuple[str, Entry]] = {}
        if spread:
            chosen[spread[0].seq] = "Start", spread[0]
            chosen.setdefault(spread[len(spread) // 2].seq, ("Middle", spread[len(spread) // 2]))
        if newest is not None:
            chosen.setdefault(newest.seq, ("End", newest))
        for title, entry in chosen.values():
            sample = self._sample(entry, title)
            if sample is not None:
                yield sample

    def _sample(self, entry: Entry, title: str) -> Sample | None:
        try:
            planes = read_planes(self._run, entry, entry.view.channel)
        except SourceError as error:
            self.problems.append(str(error))
            return None
        contrast = self._contrasts.setdefault(entry.view, contrast_of(planes.raw, planes.denoised))
        when = (
            f"frame {entry.seq:,}, {units.duration(entry.wall_time_s - self._first_wall_s)} after the first"
        )
        return Sample(
            title=title,
            when=when,
            note=_note(planes, entry.labels_seq),
            pictures=tuple(_pictures(planes, contrast, entry.seq, self._unit)),
        )


def words_of(view: View) -> str:
    """A view as verdicts name it: `position 2, z 1, channel red`."""
    named = (("position", view.position), ("z", view.z), ("channel", view.channel or None))
    return ", ".join(f"{axis} {name}" for axis, name in named if name is not None)


def _note(planes: Planes, labels_seq: int | None) -> str:
    drawn = "" if labels_seq is None else f"structure as drawn in frame {labels_seq:,}"
    return "; ".join(filter(None, (drawn, _support(planes))))


def _support(planes: Planes) -> str:
    if planes.segmentation is None or planes.trust is None:
        return ""
    share = unsupported_share(planes.segmentation, planes.trust)
    if share is None:
        return "nothing was drawn"
    return f"{units.share(share, 1.0)} of what was drawn is unsupported"


def _pictures(planes: Planes, contrast: Contrast, seq: int, unit: str) -> Iterator[Picture]:
    length_um, bar_px = scale_bar(planes.pixel_um, planes.raw.shape)
    bar = f"; bar {length_um:g} µm" if bar_px else ""
    yield Picture(
        uri=grey_picture(planes.raw, contrast.raw_high, bar_px),
        alt=f"counts of frame {seq}",
        label=f"counts, 0–{units.number(contrast.raw_high)} a pixel{bar}",
    )
    if planes.denoised is None:
        return
    yield Picture(
        uri=grey_picture(planes.denoised, contrast.denoised_high),
        alt=f"denoised frame {seq}",
        label=f"denoised, 0–{units.number(contrast.denoised_high)} {unit}",
    )
    if planes.segmentation is not None:
        yield Picture(
            uri=label_picture(planes.denoised, contrast.denoised_high, planes.segmentation, planes.trust),
            alt=f"what was drawn in frame {seq}",
            label="tubules orange, sheets blue"
            + ("; white line: around what no signal supports" if planes.trust is not None else ""),
        )
