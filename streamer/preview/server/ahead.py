"""How long the light will last, as a page is told."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from streamer.preview.recorded_snapshot import known
from streamer.preview.server.pictures import seconds
from streamer.reading import View, WatchedRun

if TYPE_CHECKING:
    from streamer.metrics.decay import Forecast

#: Points of a forecast.
FORECAST_POINTS_MAX = 100

#: Name of the guard whose curve is forecast.
_PHOTONS = "photons"


def warm_up() -> None:
    """Load what a forecast is made with; it takes half a second, and much more on a busy machine."""
    import streamer.metrics.decay  # noqa: F401


def photons_of(view: View | None, keys: Collection[str]) -> str | None:
    """Key of the curve of photons of what is looked at; of anything where that has none."""
    exact = f"{_PHOTONS} [{view.words}]" if view and view.words else _PHOTONS
    if exact in keys:
        return exact
    return min((key for key in keys if key == _PHOTONS or key.startswith(f"{_PHOTONS} [")), default=None)


def forecast(run: WatchedRun, key: str) -> Forecast | None:
    """The forecast of a curve of photons; None where nobody can tell yet."""
    return run.forecast(key.removeprefix(_PHOTONS).removeprefix(" [").removesuffix("]"))


def left(run: WatchedRun, found: Forecast) -> dict[str, Any]:
    """What is left, in frames and seconds."""
    newest, frames = run.index.newest(run.index.views()[0]), found.frames_left
    elapsed_s = 0.0 if newest is None else seconds(newest, run.series.first_wall_s) or 0.0
    spacing_s = elapsed_s / max(1, newest.seq) if newest else 0.0
    return {
        "frames": frames,
        "low": found.frames_left_low,
        "high": found.frames_left_high,
        "seconds": None if frames is None or not spacing_s else round(frames * spacing_s, 1),
        "words": found.words,
    }


def curve(key: str, found: Forecast) -> dict[str, Any]:
    """Band and floor, as they are drawn."""
    step = -(-len(found.seq) // FORECAST_POINTS_MAX)
    curves = {"median": found.median, "low": found.low, "high": found.high}
    return {
        "key": key,
        "seq": [round(float(value)) for value in found.seq[::step]],
        **{
            name: [known(float(f"{value:.6g}")) for value in values[::step]]
            for name, values in curves.items()
        },
        "floor": found.floor,
    }
