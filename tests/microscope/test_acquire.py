"""Exposed, acquired and handed over are one number, however a run ends."""

from __future__ import annotations

import random
import threading
import time
from typing import Any

import luck
import numpy as np
import pytest
from numpy.typing import NDArray
from remembering import OpenRig, RememberingHook

from streamer.errors import MicroscopeError
from streamer.microscope import EngineName, Plan, run_acquisition
from streamer.microscope.unicore import open_acquisition

#: An engine that hangs does so in threads no exception reaches: show them all and leave.
pytestmark = [pytest.mark.live, pytest.mark.timeout(20, method="thread")]


def test_every_exposure_reaches_the_hook_pixel_for_pixel(small_rig: OpenRig) -> None:
    hook = RememberingHook()
    with small_rig() as rig:
        report = run_acquisition(rig, hook, Plan(time_points=20))
    assert (report.exposed, report.acquired, report.stopped, report.safe) == (20, 20, False, True)
    assert hook.sha256 == [exposure.sha256 for exposure in report.exposures]
    assert len(set(hook.sha256)) == 20
    assert [metadata["Axes"] for metadata in hook.metadata] == [{"time": index} for index in range(20)]
    assert [metadata["Camera-ExposureIndex"] for metadata in hook.metadata] == list(range(20))
    assert {frame.dtype for frame in hook.frames} == {np.dtype("uint16")}


@pytest.mark.parametrize("stop_at", [0, 1, 5], ids=lambda frame: f"frame {frame}")
def test_a_stop_from_the_hook_loses_nothing(small_rig: OpenRig, stop_at: int) -> None:
    hook = RememberingHook(stop_at)
    with small_rig() as rig:
        report = run_acquisition(rig, hook, Plan(time_points=50))
        assert rig.safe
    assert report.exposed == report.acquired == len(hook.frames) == stop_at + 1
    assert report.stopped


@pytest.mark.parametrize("engine", ["pycromanager", "pymmcore-plus"])
def test_a_stop_at_any_moment_loses_no_exposed_frame(small_rig: OpenRig, engine: EngineName) -> None:
    seed = luck.seed()
    moments_ms = random.Random(seed)
    with small_rig(frame_ms=10) as rig:
        for _ in range(25):
            hook = RememberingHook()
            after_ms = moments_ms.uniform(0, 60)
            stopper = threading.Thread(target=_stop_after, args=(hook, after_ms))
            stopper.start()
            report = run_acquisition(rig, hook, Plan(time_points=1000), engine=engine)
            stopper.join()
            hook.close()
            assert report.exposed == report.acquired == len(hook.frames), f"stopped after {after_ms} ms"
            assert hook.sha256 == [exposure.sha256 for exposure in report.exposures]


def _stop_after(hook: RememberingHook, after_ms: float) -> None:
    hook.attached.wait()
    time.sleep(after_ms / 1e3)
    hook.stop()


def test_a_stop_before_the_start_exposes_nothing(small_rig: OpenRig) -> None:
    stop = threading.Event()
    stop.set()
    with small_rig() as rig:
        report = run_acquisition(rig, RememberingHook(), Plan(time_points=10), stop=stop)
    assert (report.exposed, report.acquired, report.stopped) == (0, 0, True)


def test_a_second_acquisition_goes_on_with_the_same_specimen(small_rig: OpenRig) -> None:
    with small_rig() as rig:
        first = run_acquisition(rig, RememberingHook(), Plan(time_points=3))
        second = run_acquisition(rig, RememberingHook(), Plan(time_points=3))
    assert [exposure.index for exposure in first.exposures + second.exposures] == list(range(6))
    assert second.exposures[0].light.excitation_uw == pytest.approx(4.8)


def test_a_camera_that_fails_ends_in_one_error_and_dark_lasers(
    small_rig: OpenRig, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with small_rig() as rig:
        monkeypatch.setattr(rig.camera, "_expose", _fail)
        with pytest.raises(MicroscopeError, match="the acquisition engine failed: no photons today"):
            run_acquisition(rig, RememberingHook(), Plan(time_points=5))
        assert rig.safe
        monkeypatch.undo()
        assert run_acquisition(rig, RememberingHook(), Plan(time_points=2)).acquired == 2
    assert capfd.readouterr().out == ""


def _fail(*_: object) -> None:
    raise RuntimeError("no photons today")


def test_a_hook_that_breaks_its_promise_ends_in_one_error(
    small_rig: OpenRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = RememberingHook()
    monkeypatch.setattr(hook, "image_process_fn", _fail)
    with small_rig() as rig, pytest.raises(MicroscopeError, match="the hook failed: no photons"):
        run_acquisition(rig, hook, Plan(time_points=5))


def test_nothing_is_printed(small_rig: OpenRig, capfd: pytest.CaptureFixture[str]) -> None:
    with small_rig() as rig:
        run_acquisition(rig, RememberingHook(2), Plan(time_points=5))
    assert capfd.readouterr() == ("", "")


@pytest.mark.filterwarnings("ignore:No-op in MMCore:DeprecationWarning")
@pytest.mark.parametrize("mode", ["snap", "sequence"])
def test_the_engines_own_abort_still_loses_exposed_frames(small_rig: OpenRig, mode: str) -> None:
    """Why `run_acquisition` does without it; when this fails, upstream has mended it."""
    handed: list[NDArray[Any]] = []
    exposing = threading.Event()

    def process(image: NDArray[Any], metadata: dict[str, Any]) -> None:
        handed.append(image)

    with small_rig(frame_ms=50) as rig:
        light = rig.camera._light
        rig.camera._light = lambda: exposing.set() or light()  # type: ignore[func-returns-value]
        with open_acquisition(process) as acquisition:
            events = [{"axes": {"time": index}} for index in range(3)]
            acquisition.acquire(events[0] if mode == "snap" else events)
            exposing.wait()
            acquisition.abort()
        assert rig.camera.exposed > len(handed)
