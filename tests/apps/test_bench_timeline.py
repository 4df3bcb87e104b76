"""From clocks to stages: what is added up, what is left out, what became of every frame."""

from __future__ import annotations

import pytest
from bench_sample import measured

from streamer.apps.bench.baselines import batch_latencies
from streamer.apps.bench.camera import Exposed
from streamer.apps.bench.figures import needed
from streamer.apps.bench.machine import busy
from streamer.apps.bench.measuring import sustained
from streamer.apps.bench.scenarios import MAIN, SCENARIOS, budget_of, chosen
from streamer.apps.bench.timeline import (
    BACK,
    BARE,
    DECIDED,
    ON_DISK,
    OWN,
    Clocks,
    frames_of,
    frames_per_s,
    stages,
    verdict_times,
)
from streamer.errors import UsageError
from streamer.profile import load_profile

MS = 1_000_000


def row(seq: int, *, processed: bool = True) -> dict[str, object]:
    """A frame whose way through the pipeline is the same each time."""
    start = seq * 100 * MS
    return {
        "seq": seq,
        "hook": start + 1 * MS,
        "received": start + 3 * MS,
        "taken": start + 4 * MS,
        "done": start + 34 * MS,
        "row": start + 40 * MS,
        "lag_ms": 32.0,
        "processed": processed,
        "stages": {"denoise": 15.0, "segment": 7.0, "guards": 5.0} if processed else {},
        "ms": {"inference": 20.0, "take": 0.5, "guard health": 2.0},
    }


def clocks(*, missing: tuple[int, ...] = (), passed_over: tuple[int, ...] = ()) -> Clocks:
    rows = {seq: row(seq, processed=seq not in passed_over) for seq in range(6) if seq not in missing}
    lag_ms = [45.0] * sum(bool(one["processed"]) for one in rows.values())
    end_ns = {seq: seq * 100 * MS for seq in range(6)}
    return Clocks(end_ns=end_ns, rows=rows, back_ns=verdict_times(rows, lag_ms), told_ns={})


ROUNDS = [Exposed(first=0, end_ns=[0, 1, 2], waiting=1), Exposed(first=3, end_ns=[3, 4, 5], waiting=4)]


def test_stages_are_what_passed_between_the_clocks() -> None:
    found = {stage.name: stage.rounds_ms for stage in stages(clocks(), ROUNDS)}
    expected = {
        "camera to hook": 1.0,
        "wire": 2.0,
        "queue": 1.0,
        DECIDED: 33.0,
        ON_DISK: 40.0,
        BACK: 46.0,
        "recording": 7.0,
        "way back": 6.0,
        "inference": 20.0,
        OWN: 2.0 + 30.0 - 20.0,
        BARE: 2.0 + 30.0 - 20.0 - 5.0,
        "sinks' hand-over": 0.5 + 1.0,
        "denoise": 15.0,
        "segment": 7.0,
        "guards": 5.0,
        "guard health": 2.0,
    }
    assert found == {name: [[ms] * 3] * 2 for name, ms in expected.items()}


def test_guards_by_name_come_last() -> None:
    names = [stage.name for stage in stages(clocks(), ROUNDS)]
    assert names[0] == BACK
    assert names[-1] == "guard health"


def test_every_frame_is_accounted_for() -> None:
    became = frames_of(clocks(missing=(2,), passed_over=(3, 4)), ROUNDS)
    assert became.model_dump() == {
        "exposed": 6,
        "recorded": 5,
        "processed": 3,
        "passed_over": 2,
        "lost": 1,
        "waited_at_the_end": 4,
    }


def test_frames_that_were_passed_over_have_no_times() -> None:
    (back, *_) = stages(clocks(passed_over=(0, 1)), ROUNDS)
    assert list(map(len, back.rounds_ms)) == [1, 3]


def test_verdicts_of_a_long_run_are_those_of_its_newest_frames() -> None:
    rows = {seq: row(seq) for seq in range(4)}
    assert list(verdict_times(rows, [10.0, 20.0])) == [2, 3]


def test_a_rate_does_not_count_the_time_between_rounds() -> None:
    assert frames_per_s([[0, 1e8, 2e8], [9e9, 9.1e9]]) == pytest.approx(10.0)
    assert frames_per_s([[5.0], []]) is None


def test_a_frame_of_a_batch_waits_for_the_others_and_for_all_to_be_computed() -> None:
    found = batch_latencies(compute_ms=10.0, interval_ms=100.0, size=50)
    assert (found[0], found[-1]) == (49 * 100 + 500, 500)
    assert sum(found) / 50 == pytest.approx(24.5 * 100 + 500)


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=list(SCENARIOS))
@pytest.mark.parametrize("size_px", [None, 64])
def test_a_scenario_has_a_profile_of_its_frames(
    scenario: object, size_px: int | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    small = SCENARIOS[getattr(scenario, "name", "")].shrunk(size_px)
    profile = load_profile(small.profile_in(tmp_path_factory.mktemp("profile")))
    assert profile.uncalibrated == ""
    assert len(profile.detector.channels) == (small.channels if small.channels > 1 else 0)
    if not small.profile:
        assert profile.shape_px == small.sensor_yx
        assert profile.frame_ms == pytest.approx(small.interval_ms)


def test_the_quick_form_fits_into_five_minutes() -> None:
    planned = sum(budget_of(name, "quick", baseline=True).total_s for name in SCENARIOS)
    assert planned <= 300


def test_the_full_form_carries_the_99th_percentile_of_the_main_scenario() -> None:
    budget, scenario = budget_of(MAIN, "full", baseline=False), SCENARIOS[MAIN]
    assert budget.idle * scenario.rate_hz >= needed("99")


def test_a_rate_is_kept_up_only_where_paced_frames_did_not_wait() -> None:
    scenario = SCENARIOS[MAIN]
    quiet, behind = (measured(waited=waited, frames_per_s=1.2).phases[0] for waited in (1, 9))
    for paced, kept_up in ((None, True), (quiet, True), (behind, False)):
        found = sustained(scenario, 4.0, paced)
        assert found
        assert found.sustained is kept_up
        assert found.short_by == pytest.approx(1.0 if kept_up else scenario.rate_hz / 1.2)
    assert sustained(scenario, None) is None
    fast = SCENARIOS["two-channel-30hz"]  # so many are on their way there within a tenth of a second
    assert (found := sustained(fast, 40.0, measured(waited=6, frames_per_s=29.0).phases[0]))
    assert found.sustained


def test_an_unknown_scenario_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="--scenario nose: unknown; use sted-600, "):
        chosen(("sted-600", "nose"))


def test_a_busy_machine_is_told() -> None:
    assert busy(0.3, 2, "before") == []
    assert busy(None, 2, "before") == []
    (words,) = busy(1.9, 2, "before")
    assert "busy before (load 1.9 on 2 processors)" in words
