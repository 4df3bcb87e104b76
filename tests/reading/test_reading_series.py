"""Curves of bounded length that lose neither peaks nor dips."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from streamer.reading import Curve, Series, curve, series


def verdict(guard: str = "photons", measured: float | None = 20.0, **more: Any) -> dict[str, Any]:
    said = {"guard": guard, "status": "pass", "measured": measured, "limit": 8.0, "meaning": "", "values": {}}
    return said | {"view": ""} | more


def row(seq: int, *verdicts: dict[str, Any], **more: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "seq": seq,
        "wall_time_s": 500.0 + 2 * seq,
        "processed": True,
        "verdicts": list(verdicts),
        "timings_ms": {"denoise": 3.0, "segment": 1.0},
        "lag_ms": 30.0 + seq,
        "waiting": 2,
        "dose": {"excitation 640 nm uJ/px": 0.5 * seq, "excitation 640 nm J/cm2": 2.0 * seq},
    }
    return plain | more


def test_every_number_of_a_row_has_its_curve() -> None:
    taken = Series()
    for seq in range(3):
        taken.add(
            row(
                seq,
                verdict(measured=None if seq == 1 else 20.0 - seq),
                verdict(
                    "similarity", 0.9, view="channel red", values={"frc_resolution_nm": 61.0, "cusum": 1.0}
                ),
            )
        )
    curves = taken.curves()
    assert {key: (line.group, line.unit, line.view) for key, line in curves.items()} == {
        "photons": ("guard", "photons per box", ""),
        "similarity [channel red]": ("guard", "", "channel red"),
        "frc resolution [channel red]": ("resolution", "nm", "channel red"),
        "lag": ("latency", "ms", ""),
        "denoise": ("latency", "ms", ""),
        "segment": ("latency", "ms", ""),
        "waiting": ("queue", "frames", ""),
        "dose excitation 640 nm": ("dose", "uJ/px", ""),
        "dose excitation 640 nm J/cm2": ("dose", "J/cm2", ""),
    }
    assert curves["photons"] == Curve(
        key="photons",
        name="photons",
        group="guard",
        view="",
        unit="photons per box",
        seq=[0, 1, 2],
        time_s=[0.0, 2.0, 4.0],
        value=[20.0, None, 18.0],
        limit=[8.0, 8.0, 8.0],
    )
    assert curves["lag"].value == [30.0, 31.0, 32.0]
    assert curves["dose excitation 640 nm J/cm2"].value == [0.0, 2.0, 4.0]


def test_frames_that_were_not_processed_have_a_dose_but_no_latency() -> None:
    taken = Series()
    taken.add(row(0, processed=False))
    assert {line.group for line in taken.curves().values()} == {"dose"}


def test_a_long_curve_keeps_its_ends_its_peaks_and_its_order() -> None:
    rng = np.random.default_rng(3)
    values = 20 + rng.standard_normal(30_000)
    values[[4_321, 17_000, 29_999]] = 99.0, -5.0, 50.0
    taken, thinned = Series(), 0
    for seq, value in enumerate(values):
        taken.add(row(seq, verdict(measured=float(value)), timings_ms={}, dose={}))
        assert taken.thinned >= thinned
        thinned = taken.thinned
    line = taken.curves()["photons"]
    assert 1000 < len(line.seq) <= curve.POINTS_MAX
    assert thinned > 0
    assert line.seq == sorted(set(line.seq))
    shown = dict(zip(line.seq, line.value, strict=True))
    assert (shown[4_321], shown[17_000], shown[29_999]) == (99.0, -5.0, 50.0)
    assert all(values[seq] == value for seq, value in shown.items())
    assert np.diff(line.seq).max() <= 2 * 30_000 / 1000  # as fine at the start as at the end


def test_thinning_keeps_what_could_not_be_measured_as_a_gap() -> None:
    taken = Series()
    for seq in range(curve.POINTS_MAX + 10):
        measured = None if 1000 <= seq < 2000 else 5.0 + seq
        taken.add(row(seq, verdict(measured=measured), timings_ms={}, dose={}))
    line = taken.curves()["photons"]
    gap = [seq for seq, value in zip(line.seq, line.value, strict=True) if value is None]
    assert len(gap) == 500
    assert (min(gap), max(gap)) == (1000, 1999)


def test_points_since_a_row_are_those_that_came_after_it() -> None:
    taken, drawn = Series(), dict[str, list[int]]()
    for seq in range(20):
        rows = taken.rows
        taken.add(row(seq, *([verdict()] if seq % 2 else [])))
        since = taken.since(rows)
        assert since is not None
        for key, line in since.items():
            drawn.setdefault(key, []).extend(line.seq)
    assert drawn == {key: line.seq for key, line in taken.curves().items()}
    assert taken.since(taken.rows) == {}
    since = taken.since(15)
    assert since is not None
    assert since["lag"].seq == [15, 16, 17, 18, 19]


def test_who_asks_for_points_that_are_no_longer_held_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "NEWEST_MAX", 40)
    taken = Series()
    for seq in range(20):
        taken.add(row(seq))
    assert taken.since(3) is None
    assert taken.since(18) is not None


def test_the_history_of_a_guard_is_means_over_the_whole_run() -> None:
    taken = Series()
    for seq in range(3 * curve.MEANS_MAX):
        taken.add(row(seq, verdict(measured=float(seq)), timings_ms={}, dose={}))
    seq, level, floor = taken.history("photons")
    assert curve.MEANS_MAX / 2 <= seq.size < curve.MEANS_MAX
    assert floor == 8.0
    np.testing.assert_allclose(seq, level)
    assert np.ptp(np.diff(seq)) == 0
    with pytest.raises(KeyError):
        taken.history("lag")
    assert taken.views_of("photons") == ("",)


@pytest.mark.parametrize(
    "odd",
    [
        {"verdicts": "none"},
        {"verdicts": [None, 3, {}, {"guard": 5}, {"guard": "photons"}]},
        {"verdicts": [{"guard": "photons", "measured": "much", "limit": [], "values": 3}]},
        {"verdicts": [{"guard": "x", "values": {"a_resolution_nm": None}}]},
        {"timings_ms": [1], "dose": 3, "lag_ms": {}, "waiting": "many"},
        {"wall_time_s": None},
        {"lag_ms": 10**400},
    ],
    ids=str,
)
def test_what_a_row_should_not_hold_becomes_a_gap(odd: dict[str, Any]) -> None:
    taken = Series()
    taken.add(row(0) | odd)
    taken.add(row(1))
    for line in taken.curves().values():
        numbers = [*line.time_s, *(value for value in line.value if value is not None)]
        assert all(math.isfinite(value) for value in numbers)


def test_names_from_outside_do_not_fill_the_memory() -> None:
    taken = Series()
    for seq in range(2 * series.CURVES_MAX):
        taken.add(row(seq, timings_ms={f"stage {seq}": 1.0}))
    assert len(taken.curves()) == series.CURVES_MAX
    assert taken.left_out > 0
