"""What a view shows beside the snapshots, from the recording itself: growing or closed."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from streamer.errors import StreamerError
from streamer.metrics.decay import Forecast
from streamer.preview.blocks import Picture
from streamer.preview.glance import SHOWN, Glance, Line, Trace, left_in_words
from streamer.reading import Curve, Entry, Planes, View, WatchedRun, read_planes
from streamer.recording import is_run

#: Lines of the log that are handed out.
LINES = 40
#: Class of `labels/trust` for what is drawn without support.
UNSUPPORTED = 3

_log = logging.getLogger(__name__)


class RecordedGlances:
    """Glances at one recording; it need not be there yet.

    Whatever goes wrong becomes a notice: a view must not hurt the run that it shows.

    Args:
        path: folder of the run.
        with_pictures: whether images can be shown.
    """

    def __init__(self, path: Path, *, with_pictures: bool = True) -> None:
        self._path, self._with_pictures = path, with_pictures
        self._run: WatchedRun | None = None
        self._shown: tuple[Entry | None, tuple[Picture, ...]] = (None, ())

    def glance(self) -> Glance | None:
        """The newest; None where nothing was recorded yet."""
        if self._run is None and not is_run(self._path):
            return None
        try:
            self._run = self._run or WatchedRun(self._path)
            self._run.update()
            return self._glance(self._run)
        except Exception as error:  # also what codecs and numbers from outside may raise
            _log.info("%s: %s", self._path, error, exc_info=not isinstance(error, StreamerError))
            return Glance(notice=f"pictures and log cannot be read: {error}")

    def _glance(self, run: WatchedRun) -> Glance:
        view = next(iter(run.index.views()), None)
        curves = _by_name(run)
        traces = {name: _trace(curve) for name, curve in curves.items()}
        photons = curves.get("photons")
        expected = None if photons is None else run.forecast(photons.view)
        if expected is not None:
            traces["photons"] = _with_ahead(traces["photons"], expected)
        pictures, notice = self._pictures(run, view)
        said = [
            Line(wall_time_s=each.wall_time_s, gravity=each.gravity, text=each.text)
            for each in run.log.entries
        ]
        return Glance(
            traces=traces,
            log=said[-LINES:],
            left=_left(expected, photons),
            pictures=pictures,
            notice=notice,
        )

    def _pictures(self, run: WatchedRun, view: View | None) -> tuple[tuple[Picture, ...], str]:
        entry = run.index.newest(view) if view is not None else None
        if entry is None or view is None or not self._with_pictures:
            return (), ""
        if entry != self._shown[0]:
            try:
                planes = read_planes(run.folder, entry, view.channel)
            except StreamerError as error:
                return self._shown[1], str(error)
            self._shown = (entry, pictures_of(planes, in_words(view)))
        return self._shown[1], ""


def pictures_of(planes: Planes, view: str) -> tuple[Picture, ...]:
    """The denoised image with what is doubtful in it, then the raw one; only that without a denoised one."""
    width = planes.raw.shape[-1]
    width_um = None if planes.pixel_um is None else planes.pixel_um * width
    raw = Picture(
        name="camera, frame",
        seq=planes.seq,
        values=planes.raw.astype(np.float32),
        width_um=width_um,
        view=view,
    )
    if planes.denoised is None:
        return (raw,)
    doubtful = None if planes.trust is None else (planes.trust == UNSUPPORTED).astype(np.float32)
    denoised = Picture(
        name="denoised, frame",
        seq=planes.seq,
        values=planes.denoised,
        doubtful=doubtful,
        width_um=width_um,
        view=view,
    )
    return denoised, raw


def in_words(view: View) -> str:
    """A view as it is called in verdicts: `position 2, channel red, z 3`; empty where there is only one."""
    stated = (("position", view.position), ("channel", view.channel or None), ("z", view.z))
    return ", ".join(f"{axis} {name}" for axis, name in stated if name is not None)


def _by_name(run: WatchedRun) -> dict[str, Curve]:
    """The curves that are shown, each of the view that was judged first."""
    found: dict[str, Curve] = {}
    for curve in run.series.curves().values():
        name = "resolution" if curve.group == "resolution" else curve.name
        if name in SHOWN:
            found.setdefault(name, curve)
    return found


def _trace(curve: Curve) -> Trace:
    return Trace(unit=curve.unit, seq=curve.seq, values=curve.value, limits=curve.limit)


def _with_ahead(trace: Trace, expected: Forecast) -> Trace:
    last = trace.seq[-1] if trace.seq else 0
    coming = expected.seq > last
    ahead = expected.median[coming]
    below = np.flatnonzero(ahead < expected.floor)
    if below.size:
        ahead = ahead[: below[0] + 1]  # what comes after the floor would only press the curve together
    frames = float(expected.seq[coming][len(ahead) - 1] - last) if ahead.size else 0.0
    return Trace(
        unit=trace.unit,
        seq=trace.seq,
        values=trace.values,
        limits=trace.limits,
        ahead=[float(value) for value in ahead],
        ahead_frames=frames,
    )


def _left(expected: Forecast | None, photons: Curve | None) -> str:
    if expected is None or photons is None:
        return ""
    span_s = photons.time_s[-1] - photons.time_s[0]
    per_s = (photons.seq[-1] - photons.seq[0]) / span_s if span_s > 0 else 0.0
    band = expected.frames_left_low, expected.frames_left_high
    return left_in_words(expected.frames_left, *band, per_s=per_s, otherwise=expected.words)
