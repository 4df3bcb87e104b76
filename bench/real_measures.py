"""The table of real images: each measure by image, its mean with an interval, and the paired difference."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.real_counts import SHOWN, Image, Split, deviance, mean_resolution_px, squared_error
from streamer.analysis.measures import number
from streamer.metrics.fourier import Rings, fourier_rings
from streamer.metrics.statistics import Floats, interval_95, picks, standing

#: Method, kind, setting, predictions.
Entry = tuple[str, str, str, Sequence[Image]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """`aggregate` takes records [image, part] to one value; `sign` +1 where more is better, else -1."""

    aggregate: Callable[[Floats], float]
    sign: int


def table(entries: Sequence[Entry], parts: Sequence[Split], ours: str, seed: int) -> list[dict[str, Any]]:
    """Rows with value and 95 % interval of every measure, and the paired difference to `ours`.

    Bootstrap over images. gain_db: mean over images of 10 log10(error of the raw tenth / error), both
    estimated without bias from the photons held out. deviance: mean Poisson deviance of these photons, per
    pixel. frc_px: where the mean FRC of predictions and photons held out falls below 1/7, pixels.
    """
    raw = [squared_error(part.shown, part.held_out, SHOWN) for part in parts]
    rings = fourier_rings(parts[0].shown, parts[0].held_out)
    measures = _measures(rings)
    records = {name: _records(images, parts, raw) for name, _, _, images in entries}
    return [
        {
            "method": name,
            "kind": kind,
            "setting": setting,
            **{key: _summary(measure, records[name][key], seed) for key, measure in measures.items()},
            "against": {
                key: _difference(measure, records[name][key], records[ours][key], seed)
                for key, measure in measures.items()
            },
        }
        for name, kind, setting, _ in entries
    ]


def _measures(rings: Rings) -> Mapping[str, Measure]:
    return {
        "gain_db": Measure(aggregate=lambda found: float(np.mean(found)), sign=1),
        "deviance": Measure(aggregate=lambda found: float(np.mean(found)), sign=-1),
        "frc_px": Measure(aggregate=lambda found: mean_resolution_px(found, rings), sign=-1),
    }


def _records(images: Sequence[Image], parts: Sequence[Split], raw: Sequence[float]) -> dict[str, Floats]:
    """[image, part] of every measure; an error estimated at or below 0 has no decibels."""
    gains, deviances, curves = [], [], []
    for image, part, raw_error in zip(images, parts, raw, strict=True):
        error = squared_error(image, part.held_out, SHOWN)
        gains.append(10.0 * np.log10(raw_error / error) if error > 0 else float("nan"))
        deviances.append(deviance(image, part.held_out, SHOWN))
        curves.append(fourier_rings(image, part.held_out).correlation)
    return {
        "gain_db": np.array(gains)[:, None],
        "deviance": np.array(deviances)[:, None],
        "frc_px": np.array(curves),
    }


def _summary(measure: Measure, records: Floats, seed: int) -> dict[str, Any]:
    drawn = np.array([measure.aggregate(records[chosen]) for chosen in picks(len(records), seed)])
    interval = interval_95(drawn)
    return {
        "value": number(measure.aggregate(records)),
        "interval_95": None if interval is None else [number(end) for end in interval],
    }


def _difference(measure: Measure, records: Floats, ours: Floats, seed: int) -> dict[str, Any]:
    """A method less ours, on the same images."""
    drawn = np.array(
        [
            measure.aggregate(records[chosen]) - measure.aggregate(ours[chosen])
            for chosen in picks(len(records), seed)
        ]
    )
    interval = interval_95(drawn)
    return {
        "difference": number(measure.aggregate(records) - measure.aggregate(ours)),
        "interval_95": None if interval is None else [number(end) for end in interval],
        "standing": standing(interval_95(measure.sign * drawn)),
    }
