"""Stops, pauses and changes on the simulated rig under both engines, asked for over the real wire."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import luck
import pytest
from miniature import Processor
from profiles import KNOBS, written_profile
from remembering import OpenRig

from streamer import Hook
from streamer.core import Decision
from streamer.hook import HookReport
from streamer.microscope import AcquisitionReport, EngineName, Plan, run_acquisition

#: An engine that hangs does so in threads no exception reaches: show them all and leave.
pytestmark = [pytest.mark.live, pytest.mark.timeout(30, method="thread")]

ENGINES: tuple[EngineName, ...] = ("pycromanager", "pymmcore-plus")


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> EngineName:
    name: EngineName = request.param
    return name


@pytest.fixture
def processor() -> Iterator[Processor]:
    processor = Processor()
    yield processor
    processor.close()


def run(
    small_rig: OpenRig, processor: Processor, engine: EngineName, folder: Path, plan: Plan, more: str = KNOBS
) -> tuple[AcquisitionReport, HookReport]:
    """One acquisition through a hook whose profile has `more` tables."""
    with small_rig(frame_ms=5) as rig:
        hook = Hook(written_profile(folder, more), processor.endpoint, spool_dir=folder)
        try:
            taken = run_acquisition(rig, hook, plan, engine=engine)
        finally:
            report = hook.close(5)
    processor.join(10)
    assert report.errors == ()
    assert taken.exposed == taken.acquired == report.acquired == len(processor.frames) == report.acknowledged
    return taken, report


def test_a_stop_ends_the_run_with_its_lasers_dark_and_no_frame_lost(
    small_rig: OpenRig, processor: Processor, engine: EngineName, tmp_path: Path
) -> None:
    processor.script[3] = Decision(action="stop", reason="signal is gone")
    taken, report = run(small_rig, processor, engine, tmp_path, Plan(time_points=5000))
    assert (taken.stopped, taken.safe) == (True, True)
    assert (report.stopped_at, report.stop_reason) == (3, "signal is gone")
    (done,) = processor.done
    assert (done.action, done.seq, done.ok) == ("stop", 3, True)
    assert done.safe_ms is not None
    assert done.ended_ms is not None
    assert done.safe_ms <= done.ended_ms


def test_a_pause_leaves_the_specimen_in_the_dark_and_goes_on_by_itself(
    small_rig: OpenRig, processor: Processor, engine: EngineName, tmp_path: Path
) -> None:
    processor.script[2] = Decision(action="pause", reason="drift", pause_s=0.3)
    taken, _ = run(small_rig, processor, engine, tmp_path, Plan(time_points=60))
    assert processor.actions() == ["pause", "resume"]
    assert [done.ok for done in processor.done] == [True, True]
    assert processor.done[0].safe_ms is not None
    assert processor.done[1].values["paused_s"] >= 0.3
    # The light is back for every frame, and none was exposed in the dark.
    assert {exposure.light.excitation_uw for exposure in taken.exposures} == {4.8}
    ends_ns = [exposure.end_ns for exposure in taken.exposures]
    longest_ns = max(later - sooner for sooner, later in pairwise(ends_ns))
    assert longest_ns >= 0.3e9


def test_a_pause_without_an_end_waits_for_the_user(
    small_rig: OpenRig, processor: Processor, engine: EngineName, tmp_path: Path
) -> None:
    processor.script[2] = Decision(action="pause", reason="look at this")
    with small_rig(frame_ms=5) as rig, Hook(written_profile(tmp_path, KNOBS), processor.endpoint) as hook:

        def go_on() -> None:
            processor.wait_for(lambda: "pause" in processor.actions())
            assert rig.safe
            hook.resume()

        user = threading.Thread(target=go_on)
        user.start()
        taken = run_acquisition(rig, hook, Plan(time_points=60), engine=engine)
        user.join()
    assert (taken.acquired, taken.stopped) == (60, False)


def test_an_adjustment_reaches_the_laser_and_is_read_back(
    small_rig: OpenRig, processor: Processor, engine: EngineName, tmp_path: Path
) -> None:
    processor.script[2] = Decision(action="adjust", change={"excitation_uw": 2.4, "exposure_ms": 3.0})
    taken, _ = run(small_rig, processor, engine, tmp_path, Plan(time_points=60))
    (done,) = processor.done
    assert (done.action, done.seq, done.ok, done.detail) == ("adjust", 2, True, "")
    assert done.values == pytest.approx({"excitation_uw": 2.4, "exposure_ms": 3.0})
    powers = [exposure.light.excitation_uw for exposure in taken.exposures]
    changed_at = powers.index(2.4)
    assert set(powers[:changed_at]) == {4.8}
    assert set(powers[changed_at:]) == {2.4}
    for frame, power in zip(processor.frames, powers, strict=True):
        assert frame.state["Excitation-Power_uW"] == pytest.approx(power)
    assert processor.frames[-1].exposure_ms == 3.0


def test_an_interval_can_be_adjusted(
    small_rig: OpenRig, processor: Processor, engine: EngineName, tmp_path: Path
) -> None:
    processor.script[2] = Decision(action="adjust", change={"interval_s": 0.1})
    with small_rig(frame_ms=5) as rig, Hook(written_profile(tmp_path, KNOBS), processor.endpoint) as hook:

        def end() -> None:
            processor.wait_for(lambda: processor.done)
            seen = len(processor.frames)
            processor.wait_for(lambda: len(processor.frames) > seen + 3)
            hook.stop()

        user = threading.Thread(target=end)
        user.start()
        taken = run_acquisition(rig, hook, Plan(time_points=100_000), engine=engine)
        user.join()
    ends_ns = [exposure.end_ns for exposure in taken.exposures[-3:]]
    assert min(later - sooner for sooner, later in pairwise(ends_ns)) > 0.05e9
    assert processor.done[0].values == {"interval_s": 0.1}


@pytest.mark.parametrize(
    ("change", "more", "why"),
    [
        pytest.param({"excitation_uw": 10.5}, KNOBS, "the profile's limits are 1 to 10", id="above"),
        pytest.param({"excitation_uw": 0.5}, KNOBS, "the profile's limits are 1 to 10", id="below"),
        pytest.param({"dwell_us": 1.0}, KNOBS, "no [[control.knobs]]", id="no such knob"),
        pytest.param({"excitation_uw": 2.0}, "", "no [[control.knobs]]", id="off by default"),
    ],
)
def test_limits_of_the_profile_are_never_crossed(
    small_rig: OpenRig,
    processor: Processor,
    engine: EngineName,
    tmp_path: Path,
    change: dict[str, float],
    more: str,
    why: str,
) -> None:
    processor.script[1] = Decision(action="adjust", change=change)
    taken, _ = run(small_rig, processor, engine, tmp_path, Plan(time_points=30), more)
    (done,) = processor.done
    assert (done.action, done.ok) == ("adjust", False)
    assert why in done.detail
    assert {exposure.light.excitation_uw for exposure in taken.exposures} == {4.8}


def test_a_dry_run_changes_nothing(
    small_rig: OpenRig, processor: Processor, engine: EngineName, tmp_path: Path
) -> None:
    processor.script = {seq: Decision(action="continue", withheld="stop") for seq in range(50)}
    taken, report = run(small_rig, processor, engine, tmp_path, Plan(time_points=50))
    assert (taken.acquired, taken.stopped, report.stopped_at, processor.done) == (50, False, None, [])


WATCH = '\n[watchdog]\nunwatched = "make safe"\nafter_s = 0.3\n'


def test_a_run_that_nobody_watches_waits_in_the_dark_until_somebody_does(
    small_rig: OpenRig, processor: Processor, engine: EngineName, tmp_path: Path
) -> None:
    with small_rig(frame_ms=5) as rig, Hook(written_profile(tmp_path, WATCH), processor.endpoint) as hook:

        def die_and_come_back() -> None:
            processor.wait_for(lambda: len(processor.frames) > 20)
            processor.answering = False
            processor.wait_for(lambda: "make safe" in processor.actions())
            processor.wait_for(lambda: rig.safe)
            processor.answering = True

        link = threading.Thread(target=die_and_come_back)
        link.start()
        taken = run_acquisition(rig, hook, Plan(time_points=300), engine=engine)
        link.join()
    processor.join(10)
    assert processor.actions() == ["make safe", "resume"]
    assert all(done.ok for done in processor.done)
    assert any("no verdict for" in line for line in hook.report().complaints())
    assert taken.exposed == taken.acquired == len(processor.frames) == 300


def test_a_stop_in_a_pause_does_not_bring_the_light_back(
    small_rig: OpenRig, processor: Processor, engine: EngineName, tmp_path: Path
) -> None:
    seed = luck.seed()
    after_s = random.Random(seed).uniform(0, 0.1)
    processor.script[2] = Decision(action="pause", pause_s=0.05)
    with small_rig(frame_ms=5) as rig, Hook(written_profile(tmp_path, KNOBS), processor.endpoint) as hook:

        def stop() -> None:
            processor.wait_for(lambda: "pause" in processor.actions())
            time.sleep(after_s)
            hook.stop()

        user = threading.Thread(target=stop)
        user.start()
        taken = run_acquisition(rig, hook, Plan(time_points=100_000), engine=engine)
        user.join()
        assert rig.safe
    assert taken.exposed == taken.acquired


def test_axes_of_both_engines_are_ours(
    small_rig: OpenRig, processor: Processor, engine: EngineName, tmp_path: Path
) -> None:
    plan = Plan(
        time_points=2, positions={"a": (0, 0), "b": (5, 5)}, channels=("open", "narrow"), z_um=(0.0, 0.4)
    )
    taken, _ = run(small_rig, processor, engine, tmp_path, plan)
    places = [
        {"time": time, "position": position, "channel": channel, "z": z}
        for time in range(2)
        for position in "ab"
        for channel in ("open", "narrow")
        for z in (0, 1)
    ]
    assert [frame.axes for frame in processor.frames] == places
    assert [exposure.focus_um for exposure in taken.exposures[:2]] == [0.0, 0.4]
    counts = [int(frame.pixels.astype(int).sum()) for frame in processor.frames]
    open_, narrow = sum(counts[0::4]) + sum(counts[1::4]), sum(counts[2::4]) + sum(counts[3::4])
    assert narrow / open_ == pytest.approx(0.4, rel=0.1)
