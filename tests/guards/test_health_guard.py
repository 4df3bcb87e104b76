"""Frames that are no new image are told, with the rows and pixels at fault; healthy ones hardly ever."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from streamer.core import Frame, Result, Verdict
from streamer.guards import Guard
from streamer.guards.conformance import GuardConformance
from streamer.guards.health import Health
from streamer.simulation import LOW_DOSE, Scene, SceneSettings, sample_settings

HEALTH = Health(
    share_max=0.02,
    planned_frames=6000,
    false_alarm_rate=0.01,
    loss_max=0.1,
    dead_time_ns=None,
    exposure_us=None,
    bit_depth=None,
    read_noise_e=0.0,
)
SIDE = 200
Counts = NDArray[np.uint16]


class TestHealth(GuardConformance):
    def make(self) -> Guard[Any]:
        return HEALTH


def seen(counts: NDArray[np.generic], seq: int = 0, bit_depth: int | None = None) -> Result:
    photons = counts.astype(np.float32)
    frame = Frame(pixels=counts.astype(np.uint16), seq=seq, bit_depth=bit_depth)
    return Result(frame=frame, photons=photons, denoised=photons, labels=np.zeros(counts.shape, np.uint8))


def judged(movie: Sequence[NDArray[np.generic]], guard: Health = HEALTH) -> list[Verdict]:
    state, verdicts = guard.start(), []
    for seq, counts in enumerate(movie):
        state, verdict = guard.step(state, seen(counts, seq))
        verdicts.append(verdict)
    return verdicts


def specimen(frames: int = 2, seed: int = 5) -> list[Counts]:
    scene = Scene(SceneSettings(seed=seed, shape_yx=(SIDE, SIDE), bleaching=0.0))
    light = replace(LOW_DOSE, excitation_uw=4 * LOW_DOSE.excitation_uw)
    return [scene.expose(seq, 0.6 * seq, light).counts for seq in range(frames)]


def repeated(before: Counts, now: Counts) -> None:
    now[:] = before


def torn_above(before: Counts, now: Counts) -> None:
    now[:120] = before[:120]


def torn_below(before: Counts, now: Counts) -> None:
    now[70:] = before[70:]


def blank(before: Counts, now: Counts) -> None:
    now[:] = 0


def constant(before: Counts, now: Counts) -> None:
    now[:] = 7


def saturated(before: Counts, now: Counts) -> None:
    now[:] = 65535


def one_row_dropped(before: Counts, now: Counts) -> None:
    now[90] = 0


def rows_dropped(before: Counts, now: Counts) -> None:
    now[90:100] = 0


def row_copied(before: Counts, now: Counts) -> None:
    now[91] = now[90]


def hot_column(before: Counts, now: Counts) -> None:
    now[:, 77] += np.random.default_rng(0).poisson(1.0, SIDE).astype(np.uint16)


def dead_column(before: Counts, now: Counts) -> None:
    now[:, 101] = 0


def hot_pixel(before: Counts, now: Counts) -> None:
    now[33, 44] = 40


def light_out(before: Counts, now: Counts) -> None:
    now[150:] = np.random.default_rng(0).poisson(0.002, now[150:].shape)


def light_on(before: Counts, now: Counts) -> None:
    now[:60] = np.random.default_rng(0).poisson(0.002, now[:60].shape)


@pytest.mark.parametrize(
    ("fault", "status", "meaning", "share"),
    [
        (repeated, "reject", "the frame is a copy of the frame before", 1.0),
        (torn_above, "reject", "the frame is torn: rows 0 to 119 are those of the frame before", 0.6),
        (torn_below, "reject", "the frame is torn: from row 70 on it is the frame before", 0.65),
        (blank, "reject", "the frame is blank: every pixel has the value 0", 1.0),
        (constant, "reject", "the frame is blank: every pixel has the value 7", 1.0),
        (saturated, "reject", "the frame is blank: every pixel has the value 65535", 1.0),
        (one_row_dropped, "flag", "row 90 is empty between rows with light", 0.005),
        (rows_dropped, "reject", "rows 90 to 99 are empty between rows with light", 0.05),
        (row_copied, "flag", "row 91 is a copy of the row above", 0.005),
        (hot_column, "flag", "column 77 is brighter than the columns beside", 0.005),
        (dead_column, "flag", "column 101 is darker than the columns beside", 0.005),
        (hot_pixel, "flag", "the pixel at row 33, column 44 is hot: 40 photons", 0.0),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_fault_is_named(
    fault: Callable[[Counts, Counts], None], status: str, meaning: str, share: float
) -> None:
    before, now = specimen()
    fault(before, now)
    healthy, verdict = judged([before, now])
    assert healthy.status == "pass"
    assert (verdict.status, verdict.meaning.split(";")[0]) == (status, meaning)
    assert verdict.measured == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize(
    ("fault", "meaning", "row"),
    [(light_out, "missing from row", 150), (light_on, "missing before row", 60)],
    ids=["goes out", "comes on"],
)
def test_light_that_changes_within_a_frame_is_told_with_its_row(
    fault: Callable[[Counts, Counts], None], meaning: str, row: int
) -> None:
    before, now = specimen()
    fault(before, now)
    verdict = judged([before, now])[-1]
    assert verdict.status == "reject"
    assert meaning in verdict.meaning
    assert int(verdict.meaning.split("row")[1].split()[0]) == pytest.approx(row, abs=2)


def test_copies_of_older_frames_are_known() -> None:
    movie = specimen(6)
    verdict = judged([*movie, movie[2]])[-1]
    assert (verdict.status, verdict.meaning) == ("reject", "the frame is a copy of that 4 frames before")


def test_many_odd_lines_are_counted_in_words() -> None:
    before, now = specimen()
    now[:, [20, 40, 60, 80, 100]] = 0
    verdict = judged([before, now])[-1]
    assert verdict.meaning == "columns 20, 40, 60 and 2 more are darker than the columns beside"
    assert verdict.status == "reject"


@pytest.mark.parametrize("level", [0.0, 1e-4], ids=["no photon at all", "hardly any"])
def test_darkness_is_no_proof_of_a_fault(level: float) -> None:
    rng = np.random.default_rng(1)
    verdicts = judged([rng.poisson(level, (60, 60)) for _ in range(20)])
    assert "reject" not in [verdict.status for verdict in verdicts]


def test_saturation_that_grows_is_flagged() -> None:
    movie = specimen(8)
    for counts in movie:
        counts[:2, :2] = 65535
    movie[7][100:106, 50:56] = 65535
    verdicts = judged(movie)
    assert verdicts[6].values["saturated_px"] == 4
    assert "saturated" not in verdicts[6].meaning
    assert "40 pixels are saturated, 4 in the first frames" in verdicts[7].meaning
    assert verdicts[7].status != "pass"


def test_dead_time_is_judged_only_where_it_is_known() -> None:
    bright = np.random.default_rng(0).poisson(2.0, (60, 60))
    (unknown,) = judged([bright])
    (known,) = judged([bright], replace(HEALTH, dead_time_ns=40.0, exposure_us=0.5))
    assert "dead_time_loss" not in unknown.values
    assert known.values["dead_time_loss"] == pytest.approx(2.3 * 0.08, rel=0.1)  # the brightest of 36 boxes
    assert "dead time loses" in known.meaning
    assert (unknown.status, known.status) == ("pass", "flag")


@pytest.mark.parametrize("structure", ["er", "microtubules", "mitochondria", "actin-rings", "puncta"])
def test_healthy_specimens_pass(structure: str) -> None:
    rng = np.random.default_rng(20)
    for seed in range(4):
        settings, light, time_s = sample_settings("test", 9_100 + seed, (SIDE, SIDE), structure)
        moments = [Scene(settings).expected(time_s + step, light) for step in (0.0, 0.6)]
        for scale in (0.1, 1.0, 20.0):
            expected = [scale * (signal + background) for signal, background, _ in moments]
            for verdict in judged([rng.poisson(expected[k % 2]) for k in range(4)]):
                assert verdict.status == "pass", f"{structure} {seed} x {scale}: {verdict.meaning}"


def test_healthy_runs_are_flagged_no_more_often_than_stated() -> None:
    """Evenly lit fields, the worst case for lines and pixels, at a rate that 300 runs can show."""
    rng = np.random.default_rng(21)
    runs, frames, rate = 300, 4, 0.1
    guard = replace(HEALTH, planned_frames=frames, false_alarm_rate=rate)
    flagged = 0
    for _ in range(runs):
        level = float(np.exp(rng.uniform(np.log(0.003), np.log(30.0))))
        movie = [rng.poisson(level, (64, 64)) for _ in range(frames)]
        flagged += any(verdict.status != "pass" for verdict in judged(movie, guard))
    print(f"{flagged} of {runs} runs flagged at {rate}")
    assert flagged <= binom.isf(1e-4, runs, rate)


def test_read_noise_of_a_camera_is_healthy() -> None:
    rng = np.random.default_rng(22)
    guard = replace(HEALTH, read_noise_e=1.6)
    state = guard.start()
    for seq in range(20):
        photons = (rng.poisson(0.5, (SIDE, SIDE)) + rng.normal(0, 1.6, (SIDE, SIDE))).astype(np.float32)
        grey = np.rint(100 + 2 * photons).astype(np.uint16)
        result = replace(seen(grey, seq), photons=photons)
        state, verdict = guard.step(state, result)
        assert verdict.status == "pass", verdict.meaning


def test_a_bit_depth_that_the_frame_states_comes_first() -> None:
    counts = np.full((60, 60), 4095) - np.eye(60, dtype=np.int64)
    guard = replace(HEALTH, bit_depth=16)
    assert guard.step(guard.start(), seen(counts))[1].values["saturated_px"] == 0
    assert guard.step(guard.start(), seen(counts, bit_depth=12))[1].values["saturated_px"] == 3540
