"""The hook on Micro-Manager's DemoCamera, under pymmcore-plus and under Pycro-Manager's Python backend."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from miniature import Processor
from profiles import written_profile
from useq import MDAEvent, MDASequence

from streamer import Hook
from streamer.core import Decision
from streamer.hook.devices import describe_core
from streamer.microscope.demo_camera import open_demo_camera
from streamer.microscope.unicore import EngineCore, open_acquisition

#: An engine that hangs does so in threads no exception reaches: show them all and leave.
pytestmark = [pytest.mark.live, pytest.mark.timeout(30, method="thread")]

RECORDED = '\n[recorded]\nproperties = [["Camera", "Binning"], ["Excitation", "Label"], ["Nobody", "Here"]]\n'


@pytest.fixture
def processor() -> Iterator[Processor]:
    processor = Processor()
    yield processor
    processor.close()


@pytest.fixture
def core() -> Iterator[EngineCore]:
    with open_demo_camera((64, 96), exposure_ms=2.0) as core:
        yield core


def events(count: int) -> list[MDAEvent]:
    return [MDAEvent(index={"t": index}, exposure=2.0) for index in range(count)]


def test_a_sequence_of_useq_is_streamed_with_names_exposures_and_properties(
    core: EngineCore, processor: Processor, tmp_path: Path
) -> None:
    sequence = MDASequence(
        time_plan={"interval": 0, "loops": 2},
        channels=[{"config": "DAPI", "exposure": 3}, {"config": "FITC", "exposure": 4}],
        z_plan={"range": 1, "step": 1},
        stage_positions=[{"x": 0, "y": 0, "name": "cell"}],
    )
    with Hook(written_profile(tmp_path, RECORDED), processor.endpoint) as hook:
        hook.attach(core.mda)
        core.mda.run(sequence)
    processor.join(10)
    assert [frame.axes for frame in processor.frames] == [
        {"time": time, "position": "cell", "channel": channel, "z": z}
        for time in range(2)
        for channel in ("DAPI", "FITC")
        for z in range(2)
    ]
    assert [frame.exposure_ms for frame in processor.frames] == [3, 3, 4, 4] * 2
    first = processor.frames[0]
    assert first.state == {"Camera-Binning": 1, "Excitation-Label": "Chroma-D360"}
    assert (first.bit_depth, first.pixels.shape, first.pixels.dtype) == (16, (64, 96), "uint16")
    assert first.metadata["event"]["channel"]["config"] == "DAPI"  # type: ignore[index]
    report = hook.report()
    assert (report.acquired, report.acknowledged, report.errors) == (8, 8, ())
    assert "Nobody-Here" in report.unread
    assert any("Nobody-Here" in line for line in report.complaints())


@pytest.mark.parametrize("how", ["runner", "events"])
def test_a_stop_cancels_the_run_after_the_light_is_safe(
    core: EngineCore, processor: Processor, tmp_path: Path, how: str
) -> None:
    processor.script[3] = Decision(action="stop", reason="gone")
    told: list[str] = []
    with Hook(written_profile(tmp_path), processor.endpoint) as hook:
        hook.attach(core.mda, make_safe=lambda: told.append("safe"))
        core.mda.events.sequenceFinished.connect(lambda: told.append("finished"))
        plan = iter(events(100_000))
        core.mda.run(plan if how == "runner" else hook.events(plan))
    assert told == ["safe", "finished"]
    assert hook.report().stopped_at == 3
    assert hook.report().acknowledged == hook.report().acquired < 100_000


def test_the_runner_does_not_look_ahead_of_the_hooks_events(
    core: EngineCore, processor: Processor, tmp_path: Path
) -> None:
    """With hardware sequencing on, the engine gathers the events of a list; it must not do so with ours."""
    assert core.mda.engine is not None
    assert core.mda.engine.use_hardware_sequencing
    with Hook(written_profile(tmp_path), processor.endpoint) as hook:
        hook.attach(core.mda)
        core.mda.run(hook.events(events(10), patience_s=5))
    assert (hook.report().acquired, hook.report().errors) == (10, ())


def test_a_run_whose_events_bypass_the_hook_says_once_that_it_cannot_be_paused(
    core: EngineCore, processor: Processor, tmp_path: Path
) -> None:
    processor.script = dict.fromkeys(range(3), Decision(action="pause"))
    processor.script[3] = Decision(action="adjust", change={"exposure_ms": 1.0})
    with Hook(written_profile(tmp_path), processor.endpoint) as hook:
        hook.attach(core.mda)
        core.mda.run(events(20))
    processor.join(10)
    assert [(done.action, done.ok) for done in processor.done] == [("pause", False), ("adjust", False)]
    assert all("hook.events(events)" in done.detail for done in processor.done)
    assert hook.report().acquired == 20


def test_frames_after_the_hook_has_closed_are_not_its_own(
    core: EngineCore, processor: Processor, tmp_path: Path
) -> None:
    with Hook(written_profile(tmp_path), processor.endpoint) as hook:
        hook.attach(core.mda)
        core.mda.run(events(2))
    core.mda.run(events(2))
    assert hook.report().acquired == 2


def test_a_run_that_the_user_cancels_ends_also_while_it_is_paused(
    core: EngineCore, processor: Processor, tmp_path: Path
) -> None:
    processor.script[1] = Decision(action="pause")
    with Hook(written_profile(tmp_path), processor.endpoint) as hook:
        hook.attach(core.mda)

        def give_up() -> None:
            processor.wait_for(lambda: "pause" in processor.actions())
            core.mda.cancel()

        user = threading.Thread(target=give_up)
        user.start()
        core.mda.run(hook.events(events(100_000)))
        user.join()
    assert hook.report().acquired == hook.report().acknowledged < 100_000


def test_start_times_are_kept(core: EngineCore, processor: Processor, tmp_path: Path) -> None:
    timed = [event.model_copy(update={"min_start_time": 0.1 * t}) for t, event in enumerate(events(3))]
    with Hook(written_profile(tmp_path), processor.endpoint) as hook:
        hook.attach(core.mda)
        core.mda.run(hook.events(timed))
    processor.join(10)
    first, *others = [frame.hook_ns for frame in processor.frames]
    assert [(ns - first) / 1e9 > 0.09 * t for t, ns in enumerate(others, 1)] == [True, True]


@pytest.mark.filterwarnings("ignore:No-op in MMCore:DeprecationWarning")
@pytest.mark.parametrize("mode", ["snap", "sequence", "events"])
def test_the_same_camera_under_pycromanager(
    core: EngineCore, processor: Processor, tmp_path: Path, mode: str
) -> None:
    plan = [{"axes": {"time": index}, "exposure": 2.0} for index in range(12)]
    with (
        Hook(written_profile(tmp_path, RECORDED), processor.endpoint) as hook,
        open_acquisition(hook.image_process_fn) as acquisition,
    ):
        hook.attach(acquisition, core=core)
        if mode == "sequence":
            acquisition.acquire(plan)
        elif mode == "events":
            acquisition.acquire(hook.events(plan))
        else:
            for event in plan:
                acquisition.acquire(event)
    processor.join(10)
    assert [frame.axes for frame in processor.frames] == [event["axes"] for event in plan]
    assert {frame.exposure_ms for frame in processor.frames} == {2.0}
    assert {frame.bit_depth for frame in processor.frames} == {16}
    assert processor.frames[0].state["Camera-Binning"] == 1


def test_the_camera_is_described_in_the_hello(core: EngineCore, processor: Processor, tmp_path: Path) -> None:
    expected = {"exposure_ms": 2.0, "binning": 1, "pixel_um": 1.0, "bit_depth": 16, "shape": [64, 96]}
    assert describe_core(core) == expected
    with Hook(written_profile(tmp_path), processor.endpoint) as hook:
        hook.attach(core.mda)
        processor.wait_for(lambda: any(hello.engine for hello in processor.hellos))
    assert processor.hellos[-1].engine == "pymmcore_plus MDARunner"
    assert dict(processor.hellos[-1].camera) == expected


def test_a_core_of_pycromanagers_own_is_described_too() -> None:
    class SnakeCase:
        """As `pycromanager.Core` spells it; its camera cannot be binned."""

        def get_exposure(self) -> float:
            return 12.5

        def get_camera_device(self) -> str:
            return "Cam"

        def get_property(self, device: str, name: str) -> str:
            raise RuntimeError(f"no property {name}")

        def get_pixel_size_um(self) -> float:
            return 0.0

        def get_image_bit_depth(self) -> int:
            return 12

        def get_image_width(self) -> int:
            return 20

        def get_image_height(self) -> int:
            return 10

    assert describe_core(SnakeCase()) == {"exposure_ms": 12.5, "bit_depth": 12, "shape": [10, 20]}
    assert describe_core(object()) == {}


def test_a_process_with_a_core_ends_without_a_crash() -> None:
    """What our rigs do about the exit crash of a core whose callbacks outlive the interpreter."""
    code = (
        "from streamer.microscope.demo_camera import open_demo_camera\n"
        "with open_demo_camera((64, 64), 1.0) as core:\n"
        "    core.mda.run([])\n"
    )
    done = [subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60) for _ in range(3)]
    assert [each.returncode for each in done] == [0, 0, 0], done[0].stderr
