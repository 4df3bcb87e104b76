"""Which curves a report shows, under which headings, and what is said of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from streamer.reading import Curve
from streamer.report import units
from streamer.report.charts import COLOURS, LIMIT, NARROW, WIDE, Band, Line, Setting, draw, thinned

#: Curves in one chart; those of further views are in the table of guards.
LINES_MAX = len(COLOURS)
#: Charts of one heading.
CHARTS_MAX = 12
#: The guard whose curve stands on the first page.
FIRST = "photons"
#: A limit so many times as high as anything measured is said and not drawn: it would flatten the curve.
_FAR = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One colour and what it stands for."""

    colour: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One chart: heading, colours, drawing, the same for who cannot see it, and words below."""

    title: str
    keys: tuple[Key, ...]
    svg: str
    spoken: str
    words: str
    wide: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Charts:
    """The charts of a run: the one of most consequence, and the others by what they are about."""

    first: tuple[Chart, ...]
    guards: tuple[Chart, ...]
    light: tuple[Chart, ...]
    speed: tuple[Chart, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """How a quantity is shown: title, unit above its axis, what its limit is called, and further words."""

    title: str
    unit: str = ""
    limit: str = "limit"
    words: str = ""
    wide: bool = False
    from_zero: bool = False
    whole: bool = False


_GUARDS = {
    "photons": _Kind(
        title="Light that is left",
        unit="photons in a bright box of 10×10 pixels",
        limit="floor of the model",
        wide=True,
        from_zero=True,
    ),
    "similarity": _Kind(
        title="Likeness of neighbouring pictures",
        unit="1 is alike",
        words="Judged as a sum over frames against the start of this run; single frames may cross the limit.",
    ),
    "signal_map": _Kind(
        title="Structure in the field",
        unit="1 is what chance gives an empty field",
        from_zero=True,
    ),
    "range": _Kind(
        title="Brightness beside the training data",
        unit="photons in a box of 10×10 pixels",
        limit="nearer end of what the model was trained on",
        from_zero=True,
    ),
    "evidence": _Kind(
        title="Drawn area that photons support",
        unit="share, on frames whose photons were dealt into halves",
        from_zero=True,
    ),
    "agreement": _Kind(
        title="Agreement of two halves of the photons",
        unit="1 is the same picture from both",
        words="Judged as a sum over comparisons against the start of this run.",
    ),
    "bleaching": _Kind(
        title="Light that the forecast is made of",
        unit="photons in a bright box of 10×10 pixels",
        limit="floor of the model",
        from_zero=True,
    ),
    "consistency": _Kind(
        title="Where photons support the picture least",
        unit="standard deviations in the worst window",
    ),
    "health": _Kind(title="Rows that cannot be believed", unit="share of a frame", from_zero=True),
    "trust": _Kind(
        title="Expected to be there, of what is drawn",
        unit="share of the drawn area",
        from_zero=True,
    ),
    "scene": _Kind(title="Sharpness of the photons", unit="higher is finer", limit="least that is tolerated"),
}
_LATENCY = {"lag": _Kind(title="From frame to verdict", unit="milliseconds", wide=True, from_zero=True)}


def charts_of(curves: Sequence[Curve], setting: Setting, forecast: tuple[str, Band, str] | None) -> Charts:
    """All curves of a run.

    Args:
        curves: as `Series.curves` gives them.
        setting: what stands behind them.
        forecast: key of the curve that it belongs to, the band, and what it says.
    """
    by_group: dict[str, list[Curve]] = {}
    for curve in curves:
        by_group.setdefault(curve.group, []).append(curve)
    judged = [*by_group.get("guard", []), *by_group.get("resolution", [])]
    first = [curve for curve in judged if curve.name == FIRST]
    others = [curve for curve in judged if curve.name != FIRST]
    return Charts(
        first=tuple(_guard_charts(first, setting, forecast)),
        guards=tuple(_guard_charts(others, setting, None))[:CHARTS_MAX],
        light=tuple(_dose_charts(by_group.get("dose", []), setting))[:CHARTS_MAX],
        speed=tuple(_speed_charts(by_group, setting)),
    )


def _guard_charts(
    curves: Sequence[Curve], setting: Setting, forecast: tuple[str, Band, str] | None
) -> Iterator[Chart]:
    """One chart a guard."""
    for name in dict.fromkeys(curve.name for curve in curves):
        own = [curve for curve in curves if curve.name == name]
        kind = _GUARDS.get(name) or _Kind(title=name.replace("_", " ").capitalize(), unit=own[0].unit)
        chart = _chart(
            kind, own, setting, forecast if forecast and forecast[0] in {c.key for c in own} else None
        )
        if chart is not None:
            yield chart


def _dose_charts(curves: Sequence[Curve], setting: Setting) -> Iterator[Chart]:
    for curve in curves:
        line = units.line_name(curve.name.removeprefix("dose "))
        last = next((value for value in reversed(curve.value) if value is not None), 0.0)
        factor, unit = 1.0, {"J/cm2": "J/cm² at the sample"}.get(curve.unit, curve.unit)
        if curve.unit == "uJ/px":
            factor, unit = units.energy_unit(last)
            unit = f"{unit} a pixel"
        scaled = replace(curve, value=[None if value is None else value * factor for value in curve.value])
        words = f"{units.number(last * factor, 4)} {unit} in all."
        chart = _chart(_Kind(title=line, unit=unit, from_zero=True, words=words), [scaled], setting)
        if chart is not None:
            yield chart


def _speed_charts(by_group: dict[str, list[Curve]], setting: Setting) -> Iterator[Chart]:
    latency = by_group.get("latency", [])
    stages = [curve for curve in latency if curve.name not in _LATENCY]
    charts = [
        *(_chart(_LATENCY[curve.name], [curve], setting) for curve in latency if curve.name in _LATENCY),
        _chart(_Kind(title="Stages", unit="milliseconds", from_zero=True), stages, setting, named=True),
        _chart(
            _Kind(title="Frames waiting", unit="frames", from_zero=True, whole=True),
            by_group.get("queue", []),
            setting,
        ),
    ]
    yield from (chart for chart in charts if chart is not None)


def _chart(
    kind: _Kind,
    curves: Sequence[Curve],
    setting: Setting,
    forecast: tuple[str, Band, str] | None = None,
    *,
    named: bool = False,
) -> Chart | None:
    """A chart of curves of one quantity; None where nothing of it was measured."""
    held = [line for line in map(_line, curves) if np.isfinite(line.value).any()]
    if not held:
        return None
    lines = held[:LINES_MAX]
    labels = [line.label.partition("|")[0 if named else 2] for line in lines]
    keys = [Key(colour=colour, label=label) for colour, label in zip(COLOURS, labels, strict=False) if label]
    if any(np.isfinite(line.limit).any() for line in lines):
        keys.append(Key(colour=LIMIT, label=kind.limit))
    further = len(held) - len(lines)
    words = [
        kind.words,
        forecast[2] if forecast else "",
        f"{further} further views: see the table." if further else "",
    ]
    svg = draw(
        [thinned(line) for line in lines],
        kind.unit,
        setting,
        size=WIDE if kind.wide else NARROW,
        from_zero=kind.from_zero,
        whole=kind.whole,
        band=forecast[1] if forecast else None,
    )
    return Chart(
        title=kind.title,
        keys=tuple(keys),
        svg=svg,
        spoken=f"{kind.title}: {'; '.join(map(_spoken, lines))}",
        words=" ".join(filter(None, words)),
        wide=kind.wide,
    )


def _line(curve: Curve) -> Line:
    value, limit = (
        np.array([np.nan if v is None else v for v in values], dtype=float)
        for values in (curve.value, curve.limit)
    )
    seq = np.array(curve.seq, dtype=float)
    if np.isfinite(value).any():
        limit[limit > _FAR * np.nanmax(np.abs(value))] = np.nan
    return Line(label=f"{curve.name}|{curve.view}", seq=seq, value=value, limit=limit)


def _spoken(line: Line) -> str:
    known = line.value[np.isfinite(line.value)]
    first, last, low, high = (units.number(float(v)) for v in (known[0], known[-1], known.min(), known.max()))
    name = line.label.partition("|")[2]
    return f"{name + ': ' if name else ''}from {first} to {last}, between {low} and {high}"
