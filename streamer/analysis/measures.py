"""The measures a method is judged by: how frames add up to one value, and which values are good."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.metrics.statistics import (
    Aggregate,
    Standing,
    holm,
    interval_95,
    mann_whitney,
    picks,
    standing,
)

Floats = NDArray[np.float64]

#: From so many frames the bootstrap decides; below, every swap of the two methods is tried (2,048 at most).
FRAMES_TO_BOOTSTRAP = 12
#: Below so many no difference can be shown at 5 %: even when all frames agree, p is 2 / 2^n.
FRAMES_TO_SHOW = 6


def mean(records: Floats) -> Floats:
    """Of the frames where it is defined."""
    values = records[..., 0]
    known = np.isfinite(values)
    return _over(np.where(known, values, 0.0).sum(axis=-1), np.asarray(known.sum(axis=-1), np.float64))


def decibel(records: Floats) -> Floats:
    """PSNR of all frames together: the mean of the squared errors, not of their logarithms."""
    with np.errstate(divide="ignore"):  # infinite where nothing is wrong anywhere
        return np.asarray(-10.0 * np.log10(np.mean(10.0 ** (-records[..., 0] / 10.0), axis=-1)))


def share(records: Floats) -> Floats:
    """Sum over sum of the frames where both are defined; records are (how many, of how many)."""
    known = np.isfinite(records).all(axis=-1, keepdims=True)
    totals = np.where(known, records, 0.0).sum(axis=-2)
    return _over(totals[..., 0], totals[..., 1])


def slope(records: Floats) -> Floats:
    """Of y on x over all frames together; records are sums (1, x, y, xx, xy, yy)."""
    _, spread_x, together, _ = _moments(records)
    return _over(together, spread_x)


def correlation(records: Floats) -> Floats:
    """Pearson's, over all frames together; records as for `slope`."""
    _, spread_x, together, spread_y = _moments(records)
    return _over(together, np.sqrt(np.maximum(spread_x * spread_y, 0.0)))


def _moments(records: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    n, x, y, xx, xy, yy = np.moveaxis(records.sum(axis=-2), -1, 0)
    number = np.maximum(n, 1)
    return n, xx - x * x / number, xy - x * y / number, yy - y * y / number


def _over(part: Floats, whole: Floats) -> Floats:
    ratio: Floats = np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole > 0))
    return ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One row of the table.

    Attributes:
        name: key in reports.
        title: heading, with the unit.
        aggregate: from records of frames to one value.
        best: +inf, the more the better; -inf, the less; a number, the nearer to it; nan, it says something of
            the frames, nothing of the method.
    """

    name: str
    title: str
    aggregate: Aggregate
    best: float

    def goodness(self, value: Floats) -> Floats:
        """Higher is better."""
        if np.isinf(self.best):
            return np.asarray(np.sign(self.best) * value)
        return np.asarray(-np.abs(value - self.best))


_HIGH, _LOW, _NONE = float("inf"), float("-inf"), float("nan")

#: Every measure by name, in the order of tables. What each means: docs/evaluating.md.
MEASURES: Mapping[str, Measure] = {
    measure.name: measure
    for measure in (
        Measure(name="psnr", title="PSNR, dB", aggregate=decibel, best=_HIGH),
        Measure(name="ssim", title="SSIM", aggregate=mean, best=_HIGH),
        Measure(name="ms_ssim", title="MS-SSIM", aggregate=mean, best=_HIGH),
        Measure(name="mae", title="MAE, photons", aggregate=mean, best=_LOW),
        Measure(name="nrmse", title="NRMSE", aggregate=mean, best=_LOW),
        Measure(name="pearson", title="r of pixels", aggregate=mean, best=_HIGH),
        Measure(name="lpips", title="LPIPS", aggregate=mean, best=_LOW),
        Measure(name="frc_nm", title="FRC, nm", aggregate=mean, best=_LOW),
        Measure(name="frc_reference_nm", title="FRC of references, nm", aggregate=mean, best=_NONE),
        Measure(name="frc_ratio", title="FRC over references", aggregate=share, best=_LOW),
        Measure(name="frc_3sigma_nm", title="FRC at 3 sigma, nm", aggregate=mean, best=_LOW),
        Measure(name="rolling_frc_nm", title="rolling FRC, nm", aggregate=mean, best=_LOW),
        Measure(name="rolling_frc_ratio", title="rolling FRC over references", aggregate=share, best=_LOW),
        Measure(name="decorrelation_nm", title="decorrelation, nm", aggregate=mean, best=_LOW),
        Measure(name="rsp", title="RSP", aggregate=mean, best=_HIGH),
        Measure(name="rse", title="RSE, photons", aggregate=mean, best=_LOW),
        Measure(name="intensity_slope", title="slope, true on predicted", aggregate=slope, best=1.0),
        Measure(name="intensity_r", title="r of boxes", aggregate=correlation, best=_HIGH),
        Measure(name="coverage_foreground", title="90 % covers, foreground", aggregate=share, best=0.9),
        Measure(name="coverage_background", title="90 % covers, background", aggregate=share, best=0.9),
        Measure(name="coverage_all", title="90 % covers, all", aggregate=share, best=0.9),
        Measure(name="empty_false", title="empty field drawn on", aggregate=share, best=_LOW),
        Measure(name="dark_false", title="dark field drawn on", aggregate=share, best=_LOW),
        Measure(name="faint_kept", title="faint kept", aggregate=share, best=_HIGH),
        Measure(name="faint_kept_at_1_percent", title="faint kept at 1 % false", aggregate=share, best=_HIGH),
    )
}


def summarise(
    name: str,
    records: Sequence[float] | Sequence[Sequence[float]],
    seed: int,
    specimens: Sequence[int] = (),
) -> dict[str, Any]:
    """One measure of one method: value over all frames, 95 % bootstrap interval, and the frames' records.

    Undefined values are None; `undefined` counts the frames that have none. Records of one specimen in a row,
    the slices of a stack, are drawn together.
    """
    measure, table = MEASURES[name], _table(records)
    units = by_specimen(table, specimens)
    drawn = np.array([np.nan])
    if len(units) > 1:
        drawn = measure.aggregate(_in_a_row(units[picks(len(units), seed)]))
    interval = interval_95(drawn)
    return {
        "value": number(float(measure.aggregate(table))),
        "interval_95": None if interval is None else [number(end) for end in interval],
        "undefined": int(np.count_nonzero(~np.isfinite(table).all(axis=-1))),
        "per_frame": [
            number(float(row[0])) if len(row) == 1 else [number(float(part)) for part in row] for row in table
        ],
    }


def compare(a: Mapping[str, Any], b: Mapping[str, Any], metric: str, seed: int) -> dict[str, Any]:
    """Method `a` against method `b`, judged on the same frames: paired bootstrap over frames.

    Takes two reports of `judge`. Null hypothesis: on frames like these the two are equally good.

    Returns:
        difference: value of a minus value of b.
        interval_95: of that difference, percentile bootstrap: with fewer than FRAMES_TO_BOOTSTRAP frames too
            narrow, so that it may exclude 0 where the standing is "equal".
        standing: "better", "worse" or "equal" (no difference shown). Measures with a target (slope 1,
            coverage 0.9) are compared by their distance from it. By the interval of the difference in
            goodness, or, with fewer frames, by `swapped_p` at 5 %: with fewer than FRAMES_TO_SHOW always
            "equal".

    Raises:
        ValueError: the reports are of different frames, or one lacks the metric.
    """
    measure, pair = MEASURES[metric], []
    for report in (a, b):
        if metric not in report["metrics"]:
            raise ValueError(f"{metric}: not in both reports")
        pair.append(_table(report["metrics"][metric]["per_frame"]))
    if a["specimens"] != b["specimens"] or a["median_box_sum"] != b["median_box_sum"]:
        raise ValueError(f"{metric}: the reports are of different frames; judge both on the same")
    first, second = _only_where_both(*(by_specimen(table, a["specimens"]) for table in pair))
    if len(first) < 2:
        return {"difference": None, "interval_95": None, "standing": "equal"}
    chosen = picks(len(first), seed)
    drawn_a, drawn_b = (measure.aggregate(_in_a_row(units[chosen])) for units in (first, second))
    interval = interval_95(drawn_a - drawn_b)
    verdict: Standing
    if len(first) < FRAMES_TO_BOOTSTRAP:
        verdict = _exact_standing(measure, first, second)
    else:
        verdict = standing(interval_95(measure.goodness(drawn_a) - measure.goodness(drawn_b)))
    return {
        "difference": number(
            float(measure.aggregate(_in_a_row(first)) - measure.aggregate(_in_a_row(second)))
        ),
        "interval_95": None if interval is None else [number(end) for end in interval],
        "standing": verdict,
    }


def swapped_p(measure: Measure, first: Floats, second: Floats) -> float:
    """Two-sided p of a paired permutation test: records [specimen, frame, part] of two methods.

    Null hypothesis: in each specimen it is chance which method got which records. Of all 2^n ways to swap
    them, the share whose difference in goodness is as large as the one found; exact, so that at most 5 % of
    equal pairs get 0.05 or less, for any number of specimens (Fisher's permutation test; Good, Permutation
    Tests, 2000). A swap whose difference is undefined counts as large.
    """
    swaps = np.array(list(product((False, True), repeat=len(first))))[:, :, None, None]
    one, other = (_in_a_row(np.where(swaps, *pair)) for pair in ((second, first), (first, second)))
    with np.errstate(invalid="ignore"):
        differences = np.abs(
            measure.goodness(measure.aggregate(one)) - measure.goodness(measure.aggregate(other))
        )
    found = differences[0]  # nothing swapped
    return float(np.mean(~(differences < found - 1e-9 * abs(found))))


def _exact_standing(measure: Measure, first: Floats, second: Floats) -> Standing:
    if swapped_p(measure, first, second) > 0.05:
        return "equal"
    goodness = [measure.goodness(measure.aggregate(_in_a_row(units))) for units in (first, second)]
    return "better" if goodness[0] > goodness[1] else "worse"


def compare_all(a: Mapping[str, Any], b: Mapping[str, Any], seed: int) -> dict[str, dict[str, Any]]:
    """`compare` for every metric that both reports hold, and the Mann-Whitney test of the specimens' values.

    Each gets `mann_whitney`: u, p, effect (rank-biserial), method, and p_holm, corrected for all metrics of
    this call. Null hypotheses and what the test ignores: `streamer.metrics.statistics`.
    """
    of_methods = [name for name, measure in MEASURES.items() if not np.isnan(measure.best)]
    names = [name for name in of_methods if name in a["metrics"] and name in b["metrics"]]
    found = {name: compare(a, b, name, seed) for name in names}
    tests = {name: mann_whitney(specimen_values(a, name), specimen_values(b, name)) for name in names}
    corrected = holm({name: test.p for name, test in tests.items() if test is not None})
    for name, test in tests.items():
        if test is not None:
            p = {"p": number(test.p), "p_holm": number(corrected[name])}
            found[name]["mann_whitney"] = {**asdict(test), **p}
    return found


def specimen_values(report: Mapping[str, Any], metric: str) -> Floats:
    """[specimen] the metric of each frame or stack by itself; nan where it has none."""
    table = _table(report["metrics"][metric]["per_frame"])
    return MEASURES[metric].aggregate(by_specimen(table, report["specimens"]))


def by_specimen(table: Floats, specimens: Sequence[int]) -> Floats:
    """[frame, part] to [specimen, frame, part]; records of other frames, as empty fields, stand alone."""
    count = len(set(specimens)) if len(specimens) == len(table) else len(table)
    return table.reshape(count, -1 if count else 1, table.shape[-1])


def number(value: float, digits: int = 6) -> float | None:
    """For JSON: `digits` significant digits, None where it is not finite."""
    return float(f"{value:.{digits}g}") if np.isfinite(value) else None


def _table(records: Sequence[Any]) -> Floats:
    """[frame, part]"""
    table = np.array(records, np.float64)  # None becomes nan
    return table[:, None] if table.ndim == 1 else table


def _in_a_row(units: Floats) -> Floats:
    """[..., specimen, frame, part] to [..., frame, part]"""
    *before, specimens, frames, parts = units.shape
    return units.reshape(*before, specimens * frames, parts)


def _only_where_both(first: Floats, second: Floats) -> tuple[Floats, Floats]:
    """Specimens [specimen, frame, part] that have a frame with both; their frames without are nan."""
    known: NDArray[np.bool_] = np.asarray(np.isfinite(np.stack([first, second])).all(axis=(0, -1)))
    some = np.asarray(known.any(axis=-1))
    first, second = (np.where(known[..., None], units, np.nan)[some] for units in (first, second))
    return first, second
