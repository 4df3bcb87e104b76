"""Is this a new, whole image? Lines, pixels and frames that no specimen and no chance explain."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from streamer.core import Frame, Result, Status, Verdict
from streamer.guards.base import not_judged
from streamer.guards.shared import BOX, photons_are_finite, photons_in_tiles
from streamer.metrics.faults import HotPixels, Rows, hot_pixels, rows_of
from streamer.metrics.lines import BAND, departure, dropped_rows, line_sums, odd_lines, steps

Floats = NDArray[np.float64]

#: Kinds of faults that share the false-alarm rate, and frames before that a frame may be a copy of.
FAMILIES, REMEMBERED = 8, 8
#: A line, or a pixel, may be so many times as bright as its neighbours, or darker by as much.
LINE_CONTRAST, PIXEL_CONTRAST = 1.5, 3.0
#: A step: from one row to the next the light falls below this share.
STEP = 0.25
#: Frames with which saturation is compared.
START = 5
#: Constant frames of fewer pixels may be chance.
PIXELS_MIN = 64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HealthState:
    """What the guard remembers.

    Attributes:
        checksums: [y] of the rows of the frame before.
        frames: checksums of the last frames, newest last.
        rows: [y] photons of the rows of the frame before.
        photons: of the newest frame that was not blank.
        saturated: pixels, one number per frame at the start.
    """

    checksums: NDArray[np.uint64]
    frames: NDArray[np.uint64]
    rows: Floats
    photons: float
    saturated: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fault:
    """One thing that is wrong: in words, and the share of the frame that is lost by it."""

    words: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Looks for copied, torn and blank frames, dropped and faulty lines, hot pixels, saturation, dead time.

    Null hypothesis: each pixel is counted afresh, with Poisson noise (and read noise), from a specimen that
    the pixels sample: no line is more than 1.5 times as bright, or as dark, as the two on either side of it;
    no pixel is more than 3 times as bright as its eight neighbours; and nowhere does the light fall to a
    quarter, from 16 rows to the next 16 and from all rows above to all below, where it did not in the frame
    before. A run of `planned_frames` frames in which that holds is flagged at all with a probability of at
    most `false_alarm_rate`, which is divided among the kinds of faults, the frames, and the lines or pixels
    of a frame (union bound).

    - *Repeated and torn frames*: rows that equal those of the frame before, bit for bit, from the top or the
      bottom on; the chance that n lit pixels come out the same is at most 2^-n (`streamer.metrics.faults`).
      Whole frames are compared with the last eight. Rows that equal the row above: copied lines.
    - *Blank*: all pixels alike. Without any photon it is a fault only where the frame before held so many
      that chance is ruled out; else that is flagged as darkness.
    - *Dropped lines*: rows without light between rows with light; *hot and dead lines*: rows and columns
      against the two on either side; *light lost within a frame*: rows above against rows below, and both
      against the frame before; *hot pixels* against their eight neighbours. Each by Chernoff's bound for a
      binomial share, with the contrast granted above (`streamer.metrics.lines`).
    - *Saturation*: more saturated pixels than in the first frames.
    - *Dead time*: where `dead_time_ns` and `exposure_us` are known, the share of the photons lost in the
      brightest box, n t / T (non-paralysable counter, to first order; Knoll, Radiation Detection and
      Measurement, chapter 4). Without them it is not judged, and no value is given.

    `measured` is the share of the rows that cannot be believed: above `share_max` the frame is rejected,
    below it is flagged. *Cannot see:* pixels that are a little too bright in every frame, or dead, at few
    photons; lines at the border; copies of frames older than eight; a tear between images of equal
    brightness, neither of which was seen before; dead rows and dark gaps of a specimen that end within a row.

    Attributes:
        share_max: share of faulty rows from which a frame is rejected.
        planned_frames: frames of the run, of all its views together.
        false_alarm_rate: probability of any flag in a healthy run.
        loss_max: share of the photons that may be lost to dead time before it is flagged.
        dead_time_ns: of the counter after each photon; None where unknown.
        exposure_us: of a pixel; None where unknown.
        bit_depth: of the detector, for frames that do not state it; None takes that of the pixel type.
        read_noise_e: of the camera, photo-electrons per pixel; 0 for a counting detector.
    """

    name: ClassVar[str] = "health"
    share_max: float
    planned_frames: int
    false_alarm_rate: float
    loss_max: float
    dead_time_ns: float | None
    exposure_us: float | None
    bit_depth: int | None
    read_noise_e: float

    def start(self) -> HealthState:
        """Nothing seen yet."""
        return HealthState(
            checksums=np.zeros(0, np.uint64),
            frames=np.zeros(0, np.uint64),
            rows=np.zeros(0),
            photons=0.0,
            saturated=np.zeros(0, np.int64),
        )

    def step(self, state: HealthState, result: Result) -> tuple[HealthState, Verdict]:
        """Judge one result; `measured` is the share of its rows that cannot be believed."""
        rows = rows_of(result.frame.pixels, self._full_scale(result.frame))
        before = state
        state = _remember(before, rows)
        if not photons_are_finite(result):
            return state, not_judged(self.name)
        sums = line_sums(result.photons)
        hot = hot_pixels(result.photons, PIXEL_CONTRAST, self._nats(result.photons.size), self.read_noise_e)
        blank = result.frame.pixels.size >= PIXELS_MIN and not rows.lit.any()
        total = max(float(sums[0].sum()), 0.0)
        state = replace(state, rows=sums[0], photons=before.photons if blank else total)
        if blank:
            faults = [self._blank(before, rows)]
        else:  # where the light goes out in mid-frame, odd lines say nothing more
            faults = [*self._copies(before, rows)]
            faults += list(self._step(before, sums[0])) or list(self._lines(rows, *sums))
        faults += [*_hot(hot), *self._saturation(before, rows)]
        loss = self._loss(result)
        if loss is not None and loss > self.loss_max:
            words = f"the detector's dead time loses {loss:.0%} of the photons where it is brightest"
            faults.append(_Fault(words=words, share=0.0))
        values = {"saturated_px": float(rows.saturated), "hot_px": float(hot.count)}
        return state, self._verdict(faults, values if loss is None else values | {"dead_time_loss": loss})

    def _full_scale(self, frame: Frame) -> int:
        return int(2 ** (frame.bit_depth or self.bit_depth or 8 * frame.pixels.dtype.itemsize) - 1)

    def _nats(self, tests: int = 1) -> float:
        """Evidence, in natural units, that chance gives in one of all tests of the run at the stated rate."""
        return math.log(FAMILIES * self.planned_frames * max(tests, 1) / self.false_alarm_rate)

    def _bits(self, tests: int = 1) -> float:
        return self._nats(tests) / math.log(2.0)

    def _blank(self, before: HealthState, rows: Rows) -> _Fault:
        words = f"the frame is blank: every pixel has the value {rows.common}"
        # One frame of two equally lit ones holds all n photons of both with a chance of 2^-n.
        chance = rows.common == 0 and before.photons < self._bits()
        return _Fault(
            words=f"{words}, which darkness alone may give" if chance else words, share=0.0 if chance else 1.0
        )

    def _copies(self, before: HealthState, rows: Rows) -> Iterator[_Fault]:
        """Copies of earlier frames, of parts of the frame before, and of lines."""
        height, lit = rows.lit.size, int(rows.lit.sum())
        earlier = np.flatnonzero(before.frames == _of_frame(rows))
        if earlier.size and lit >= self._bits(2 * REMEMBERED):
            ago = before.frames.size - int(earlier[-1])
            yield _Fault(words=f"the frame is a copy of {_ago(ago)}", share=1.0)
            return
        if before.checksums.size == height:
            alike = rows.checksums == before.checksums
            top, bottom = _leading(alike), _leading(alike[::-1])
            if rows.lit[:top].sum() >= self._bits(4):
                words = f"the frame is torn: rows 0 to {top - 1} are those of the frame before"
                yield _Fault(words=words, share=top / height)
            if rows.lit[height - bottom :].sum() >= self._bits(4):
                words = f"the frame is torn: from row {height - bottom} on it is the frame before"
                yield _Fault(words=words, share=bottom / height)
        same = (rows.checksums[1:] == rows.checksums[:-1]) & (rows.lit[1:] >= self._bits(2 * height))
        if same.any():
            copied = np.flatnonzero(same) + 1
            words = f"{_named('row', copied)} {_is(copied)} a copy of the row above"
            yield _Fault(words=words, share=copied.size / height)

    def _lines(self, rows: Rows, along_y: Floats, along_x: Floats) -> Iterator[_Fault]:
        """Dropped lines, and lines that are too bright or too dark."""
        height = along_y.size
        dropped = dropped_rows(rows.lit == 0, along_y, LINE_CONTRAST, self._nats(height))
        if dropped.size:
            words = f"{_named('row', dropped)} {_is(dropped)} empty between rows with light"
            yield _Fault(words=words, share=dropped.size / height)
        nats = self._nats(2 * (along_y.size + along_x.size))
        for kind, sums, across in (("row", along_y, along_x.size), ("column", along_x, along_y.size)):
            odd = odd_lines(sums, LINE_CONTRAST, nats, across * self.read_noise_e**2)
            for word, lines in zip(("brighter", "darker"), odd, strict=True):
                left = np.setdiff1d(lines, dropped) if kind == "row" else lines
                if left.size:
                    words = f"{_named(kind, left)} {_is(left)} {word} than the {kind}s beside"
                    yield _Fault(words=words, share=left.size / sums.size)

    def _step(self, before: HealthState, sums: Floats) -> Iterator[_Fault]:
        """Light that goes out, or comes on, from one row to the next, and stays so to the end."""
        height = sums.size
        if before.rows.size != height:
            return
        evidence = steps(sums, before.rows, STEP)
        if not evidence.size or evidence.max() < self._nats(evidence.size):
            return
        side, place = np.unravel_index(int(evidence.argmax()), evidence.shape)
        row = int(place) + BAND
        where, part = (f"before row {row}", row) if side else (f"from row {row} on", height - row)
        words = f"the light changes within the frame: it is missing {where}"
        yield _Fault(words=words, share=part / height)

    def _saturation(self, before: HealthState, rows: Rows) -> Iterator[_Fault]:
        frames = before.saturated.size
        if frames < START:
            return
        start = int(before.saturated.sum())
        evidence = departure(np.array([rows.saturated]), np.array([start]), 1.0 / (1.0 + frames))
        if evidence[0] >= self._nats():
            words = f"{rows.saturated} pixels are saturated, {start / frames:.3g} in the first frames"
            yield _Fault(words=words, share=0.0)

    def _loss(self, result: Result) -> float | None:
        """Share of the photons that dead time loses in the brightest box; None where nothing is known."""
        if self.dead_time_ns is None or self.exposure_us is None:
            return None
        tiles = photons_in_tiles(result)
        brightest = max(float(tiles.max()), 0.0) / BOX**2 if tiles.size else 0.0
        return min(brightest * self.dead_time_ns / (1000.0 * self.exposure_us), 1.0)

    def _verdict(self, faults: list[_Fault], values: dict[str, float]) -> Verdict:
        share = min(sum(fault.share for fault in faults), 1.0)
        status: Status = "flag" if faults else "pass"
        if share > self.share_max:
            status = "reject"
        return Verdict(
            guard=self.name,
            status=status,
            measured=share,
            limit=self.share_max,
            meaning="; ".join(fault.words for fault in faults) or "a new and whole image",
            values=values,
        )


def _remember(state: HealthState, rows: Rows) -> HealthState:
    room = state.saturated.size < START
    return replace(
        state,
        checksums=rows.checksums,
        frames=np.append(state.frames, _of_frame(rows))[-REMEMBERED:],
        saturated=np.append(state.saturated, rows.saturated) if room else state.saturated,
    )


def _of_frame(rows: Rows) -> np.uint64:
    """A checksum of all rows in their order."""
    turned = rows.checksums * (2 * np.arange(rows.checksums.size, dtype=np.uint64) + np.uint64(1))
    return np.uint64(turned.sum(dtype=np.uint64))


def _leading(alike: NDArray[np.bool_]) -> int:
    """How many at the beginning are true."""
    return int(alike.size if alike.all() else alike.argmin())


def _hot(hot: HotPixels) -> Iterator[_Fault]:
    if hot.count:
        others = f" ({hot.count} in all)" if hot.count > 1 else ""
        words = f"the pixel at row {hot.row}, column {hot.column} is hot: {hot.photons:.0f} photons{others}"
        yield _Fault(words=words, share=0.0)


def _ago(frames: int) -> str:
    return "the frame before" if frames == 1 else f"that {frames} frames before"


def _named(kind: str, lines: NDArray[np.intp]) -> str:
    """`row 7`, `rows 3 to 9`, or `rows 3, 8, 20 and 4 more`."""
    if lines.size == 1:
        return f"{kind} {lines[0]}"
    if lines[-1] - lines[0] == lines.size - 1:
        return f"{kind}s {lines[0]} to {lines[-1]}"
    more = f" and {lines.size - 3} more" if lines.size > 3 else ""
    return f"{kind}s {', '.join(map(str, lines[:3]))}{more}"


def _is(lines: NDArray[np.intp]) -> str:
    return "is" if lines.size == 1 else "are"
