"""What a page is told, as JSON: once everything so far, then what is new to it.

Used by the thread that owns the recording.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from streamer.preview.server import ahead
from streamer.preview.server.pictures import Pictures, seconds, strip
from streamer.reading import Curve, Entry, View, WatchedRun
from streamer.wire.requests import REQUEST_ACTIONS

if TYPE_CHECKING:
    from streamer.metrics.decay import Forecast

PROTOCOL = 1
#: Points of one curve, and of all together, that a page gets at first.
CURVE_POINTS_MAX, POINTS_MAX = 800, 60_000
#: Positions, channels and z that are offered.
NAMES_MAX = 1000
LEGEND = {
    "segmentation": {"1": "tubule", "2": "sheet"},
    "trust": {"1": "uncertain", "2": "supported", "3": "unsupported"},
}


@dataclass(slots=True)
class Told:
    """What one page knows already.

    Attributes:
        rows: of the curves.
        keys: curves that it has heard of.
        log: entries said.
        views: how many there were.
        forecast: that it has.
    """

    rows: int = 0
    keys: set[str] = field(default_factory=set)
    log: int = 0
    views: int = 0
    forecast: Forecast | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """The run at this moment, the same for all pages.

    Attributes:
        snapshot: fields of the newest snapshot, None before there is one.
        link: "live", "lost" or "closed".
        control: whether the page may ask for anything, and why not.
        foresees: whether forecasts can be made by now.
        report: whether the run is over and its report is there.
    """

    snapshot: Mapping[str, Any] | None
    link: str
    control: Mapping[str, Any]
    foresees: bool
    report: bool = False


def hello(run: WatchedRun | None, name: str, now: Now, told: Told, why_none: str) -> str:
    """Everything so far; `told` is up to date afterwards. `why_none`: why a recording cannot be read."""
    told.rows, told.keys, told.log, told.views, told.forecast = 0, set(), 0, 0, None
    message: dict[str, Any] = {
        "type": "hello",
        "protocol": PROTOCOL,
        "run": {**_facts(run), "name": _name(name, now), "path_name": name},
        "views": _views(run.index.views() if run else ()),
        "control": now.control,
        "legend": LEGEND,
        "curves": [],
        "log": [],
        "log_left_out": 0,
    }
    if why_none:
        notice = {"seq": -1, "wall_time_s": time.time(), "kind": "notice", "gravity": "alarm"}
        message["log"] = [notice | {"text": why_none}]
    if run is not None:
        message["curves"] = _all_curves(run, told)
        message["log"] = [asdict(said) for said in run.log.entries]
        message["log_left_out"] = run.log.left_out
        told.log, told.views = run.log.total, len(run.index.views())
    return _text(message)


def state(run: WatchedRun | None, view: View | None, now: Now, told: Told) -> list[str]:
    """What is new since `told`, which is up to date afterwards: a state, after whole curves where needed."""
    message: dict[str, Any] = {"type": "state", "snapshot": now.snapshot, "link": now.link}
    message |= {"report": now.report, "left": None, "points": [], "log": [], "now_wall_s": time.time()}
    messages: list[str] = []
    if run is not None:
        points = run.series.since(told.rows)
        if points is None or not points.keys() <= told.keys:
            messages.append(_text({"type": "curves", "curves": _all_curves(run, told)}))
        else:
            message["points"] = [_points(curve) for curve in points.values()]
            told.rows = run.series.rows
        message["log"] = [asdict(said) for said in run.log.since(told.log)]
        told.log = run.log.total
        if len(views := run.index.views()) != told.views:
            message["views"], told.views = _views(views), len(views)
        if now.foresees:
            message |= _ahead(run, view, told)
    return [*messages, _text(message)]


def strip_of(
    entries: Sequence[Entry], pictures: Pictures, width: int, first_wall_s: float
) -> tuple[str, bytes]:
    """The two messages of a strip; the thumbnails have been asked for before, so that this takes no time."""
    made = [(entry.seq, pictures.thumbnail(entry, width)) for entry in entries]
    (height, width), message = strip(made)
    named = [{"seq": entry.seq, "time_s": seconds(entry, first_wall_s)} for entry in entries]
    return _text({"type": "strip", "entries": named, "width": width, "height": height}), message


def answer(number: int, ok: bool, words: str) -> str:
    """What became of something that a page asked for."""
    return _text({"type": "answer", "id": number, "ok": ok, "text": words})


def error(words: str) -> str:
    """A message that was not understood, or an image that cannot be shown."""
    return _text({"type": "error", "text": words})


def control(requests: str | None, is_over: bool) -> Mapping[str, Any]:
    """What a page may ask of the run."""
    why_not = ""
    if is_over:
        why_not = "This run is over."
    elif requests is None:
        why_not = "This page only watches. Start the run with --control to stop, pause or mark from here."
    actions = list(REQUEST_ACTIONS) if not why_not else []
    return {"allowed": not why_not, "actions": actions, "why_not": why_not}


def _name(name: str, now: Now) -> str:
    return str(now.snapshot["run"]) if now.snapshot else name


def _facts(run: WatchedRun | None) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "state": "waiting",
        "profile": "",
        "pixel_um": None,
        "planned": None,
        "started_wall_s": None,
        "model": "",
        "guards": [],
        "version": "",
        "simulated": False,
    }
    if run is None:
        return facts
    info = run.info
    guards = _table(info.profile.get("guards"))
    return facts | {
        "state": run.state,
        "profile": str(_table(info.profile.get("profile")).get("name", "")),
        "pixel_um": info.pixel_nm / 1e3 if info.pixel_nm else None,
        "planned": run.planned,
        "started_wall_s": info.started_wall_s,
        "model": ", ".join(package.id for package in info.packages),
        "guards": [name for name in guards if name != "actions"],
        "version": info.versions.get("streamer", ""),
        "simulated": "simulated" in info.notes,
    }


def _views(views: Sequence[View]) -> dict[str, list[Any]]:
    axes = {"positions": "position", "channels": "channel", "z": "z"}
    return {
        key: list(dict.fromkeys(getattr(view, axis) for view in views))[:NAMES_MAX]
        for key, axis in axes.items()
    }


def _all_curves(run: WatchedRun, told: Told) -> list[dict[str, Any]]:
    curves = run.series.curves()
    most = min(CURVE_POINTS_MAX, max(200, POINTS_MAX // max(1, len(curves))))
    told.rows, told.keys = run.series.rows, set(curves)
    return [_whole(curve, most) for curve in curves.values()]


def _whole(curve: Curve, most: int) -> dict[str, Any]:
    names = {
        "key": curve.key,
        "name": curve.name,
        "group": curve.group,
        "view": curve.view,
        "unit": curve.unit,
    }
    chosen = extremes(curve.value, most)
    parts = _parts(curve)
    if chosen is None:
        return {**names, **_rounded(parts)}
    return {**names, **_rounded({key: [values[at] for at in chosen] for key, values in parts.items()})}


def extremes(values: Sequence[float | None], most: int) -> list[int] | None:
    """Indices of at most `most` values, in order: of each bin the lowest and the highest; None for all."""
    count = len(values)
    if count <= most:
        return None
    numbers = np.array([np.nan if value is None else value for value in values])
    chosen: list[int] = []
    for part in np.array_split(np.arange(count), max(1, most // 2)):
        known_part = part[np.isfinite(numbers[part])]
        ends = known_part if known_part.size else part[:1]
        low, high = ends[np.argmin(numbers[ends])], ends[np.argmax(numbers[ends])]
        chosen.extend(sorted({int(low), int(high)}))
    return chosen


def _parts(curve: Curve) -> dict[str, Sequence[Any]]:
    return {"seq": curve.seq, "time_s": curve.time_s, "value": curve.value, "limit": curve.limit}


def _points(curve: Curve) -> dict[str, Any]:
    return {"key": curve.key, **_rounded(_parts(curve))}


def _rounded(parts: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    """As many digits as a chart can show: half the bytes."""
    return {
        key: list(values) if key == "seq" else [None if v is None else float(f"{v:.6g}") for v in values]
        for key, values in parts.items()
    }


def _ahead(run: WatchedRun, view: View | None, told: Told) -> dict[str, Any]:
    """How long the light will last, of what is looked at; the curve only where it is new."""
    key = ahead.photons_of(view, told.keys)
    if key is None:
        return {}
    found = ahead.forecast(run, key)
    message: dict[str, Any] = {"left": None if found is None else ahead.left(run, found)}
    if found is not told.forecast:
        told.forecast = found
        message["forecast"] = None if found is None else ahead.curve(key, found)
    return message


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(message: Mapping[str, Any]) -> str:
    return json.dumps(message, separators=(",", ":"), allow_nan=False)
