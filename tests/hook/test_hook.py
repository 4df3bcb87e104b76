"""The hook against a real link: nothing lost, nothing altered, nothing raised."""

from __future__ import annotations

import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from profiles import written_profile

from streamer import Hook
from streamer.core import Decision, Frame, Outcome
from streamer.errors import UsageError
from streamer.sources.live import LiveSource
from streamer.wire import read_spool

STOP = Decision(action="stop", reason="signal is gone")


def image(seq: int) -> np.ndarray:
    return np.full((20, 30), seq, np.uint16)


@pytest.fixture
def source() -> Iterator[LiveSource]:
    yield from listening()


def listening(**changes: Any) -> Iterator[LiveSource]:
    settings = {
        "profile": "rig",
        "ram_bytes": 10**7,
        "silence_s": 30.0,
        **changes,
    }
    source = LiveSource("tcp://127.0.0.1:*", **settings)
    yield source
    source.finish()
    source.close(0)


@pytest.fixture(autouse=True)
def _profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile `rig.toml` in the working directory."""
    monkeypatch.chdir(tmp_path)
    written_profile(tmp_path)


class Recorder(threading.Thread):
    """A processor in miniature: takes every frame, answers it, closes."""

    def __init__(self, source: LiveSource, stop_at: int | None = None) -> None:
        super().__init__(daemon=True)
        self.source, self.stop_at = source, stop_at
        self.frames: list[Frame] = []
        self.start()

    def run(self) -> None:
        self.source.wait_for_hook()
        for frame in self.source.frames():
            # The pixels lie in the hook's memory, and are its own again with the reply.
            self.frames.append(replace(frame, pixels=frame.pixels.copy()))
            decision = STOP if frame.seq == self.stop_at else Decision(action="continue")
            self.source.reply(Outcome(frame=frame, decision=decision))
        self.source.close(len(self.frames))


def test_every_frame_arrives_once_in_order_and_is_acknowledged(source: LiveSource) -> None:
    recorder = Recorder(source)
    with Hook("rig.toml", source.endpoint) as hook:
        for seq in range(50):
            hook.image_process_fn(image(seq), {"Axes": {"time": seq}, "Exposure": 1.0})
    recorder.join(10)
    assert [frame.seq for frame in recorder.frames] == list(range(50))
    assert all((frame.pixels == frame.seq).all() for frame in recorder.frames)
    assert recorder.frames[3].axes == {"time": 3}
    report = hook.report()
    assert (report.acquired, report.acknowledged, report.lost, report.kept) == (50, 50, 0, None)
    assert report.problem == ""


def test_the_engine_gets_its_own_pixels_back_and_may_change_them(source: LiveSource) -> None:
    recorder = Recorder(source)
    pixels, metadata = image(5), {"Axes": {"time": 0}}
    with Hook("rig.toml", source.endpoint) as hook:
        returned, same = hook.image_process_fn(pixels, metadata)
        assert returned is pixels
        assert same is metadata
        pixels[:] = 0
    recorder.join(10)
    assert (recorder.frames[0].pixels == 5).all()


@pytest.mark.parametrize(
    ("pixels", "metadata"),
    [
        (np.zeros((2, 2, 3), np.uint8), {}),
        (np.zeros((2, 2), np.float32), {}),
        (np.zeros((0, 2), np.uint16), {}),
        (None, {}),
    ],
    ids=["rgb", "float", "empty", "no image"],
)
def test_what_the_hook_cannot_take_is_counted_and_never_raised(
    source: LiveSource, pixels: Any, metadata: Any
) -> None:
    Recorder(source)
    with Hook("rig.toml", source.endpoint) as hook:
        returned, _ = hook.image_process_fn(pixels, metadata)
        assert returned is pixels
    report = hook.report()
    assert (report.acquired, report.rejected, len(report.errors)) == (1, 1, 1)
    assert source.counts().dropped == 1


@pytest.mark.parametrize(
    ("odd", "metadata"),
    [
        (np.zeros((20, 31), np.uint16), {"Exposure": 5}),
        (np.zeros((200, 300), np.uint16), {"Exposure": 5}),
        (np.zeros((20, 30), np.uint8), {"Exposure": 5}),
        (image(1), {"Exposure": "7.5"}),
        (image(1), {"Exposure": 5, "BitDepth": "12"}),
    ],
    ids=["size", "larger", "type", "exposure", "bit depth"],
)
def test_another_camera_mode_in_mid_run_is_streamed(
    source: LiveSource, odd: np.ndarray, metadata: dict[str, Any]
) -> None:
    recorder = Recorder(source)
    with Hook("rig.toml", source.endpoint) as hook:
        for pixels, tags in ((image(0), {"Exposure": 5}), (odd, metadata), (image(2), {"Exposure": 5})):
            hook.image_process_fn(pixels, tags)
    recorder.join(10)
    first, other, last = [frame.mode for frame in recorder.frames]
    assert first == last != other
    assert (recorder.frames[1].pixels == odd).all()


@pytest.mark.parametrize("bad", [{"policy": "newest"}, {"planned": -1}, {"ram_mb": -1}], ids=str)
def test_arguments_that_make_no_sense_are_refused_at_once(bad: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="Hook: "):
        Hook("rig.toml", **bad)


def test_the_user_is_warned_while_no_processor_watches(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamer.hook.patience.UNWATCHED_S", 0.0)
    hook = Hook("rig.toml", "tcp://127.0.0.1:9", spool_dir=tmp_path)
    while not caplog.records:
        threading.Event().wait(0.05)
    hook.close(timeout_s=0.1)
    assert "no guard watches this run: no processor answers" in caplog.records[0].message


def test_a_stop_that_nothing_can_carry_out_is_told(source: LiveSource) -> None:
    Recorder(source, stop_at=0)
    hook = Hook("rig.toml", source.endpoint)
    hook.image_process_fn(image(0), {})
    (line,) = hook.close().complaints()
    assert "use hook.attach(acq)" in line


def test_a_hook_under_another_profile_is_refused_and_its_frames_are_kept(
    source: LiveSource, tmp_path: Path
) -> None:
    hook = Hook("abberior_er_low", source.endpoint, spool_dir=tmp_path)
    hook.image_process_fn(image(0), {})
    report = hook.close(timeout_s=60)  # the refusal is final long before
    assert "profile abberior_er_low, this processor rig" in report.problem
    assert report.kept is not None


def test_frames_that_arrived_but_were_not_recorded_stay_with_the_hook(
    source: LiveSource, tmp_path: Path
) -> None:
    hook = Hook("rig.toml", source.endpoint, spool_dir=tmp_path)
    for seq in range(3):
        hook.image_process_fn(image(seq), {})
    frames = source.frames()
    assert [next(frames).seq for _ in range(3)] == [0, 1, 2]
    source.close(0, error="disk full")
    report = hook.close(timeout_s=1)
    assert (report.acknowledged, report.problem) == (0, "disk full")
    assert report.kept is not None
    assert [frame.seq for frame in read_spool(report.kept)] == [0, 1, 2]


class Engine:
    """Stands for an acquisition: remembers in which order it was told what."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.over = threading.Event()

    def make_safe(self) -> None:
        self.told.append("safe")

    def abort(self) -> None:
        self.told.append("abort")

    def mark_finished(self) -> None:
        self.told.append("finished")
        self.over.set()


def test_a_stop_makes_the_laser_safe_before_it_ends_the_engine(source: LiveSource) -> None:
    recorder, engine = Recorder(source, stop_at=3), Engine()
    with Hook("rig.toml", source.endpoint) as hook:
        hook.attach(engine, make_safe=engine.make_safe)
        for seq in range(6):
            hook.image_process_fn(image(seq), {})
        assert engine.over.wait(10)
        hook.image_process_fn(image(6), {})  # what was in flight is still recorded
    recorder.join(10)
    report = hook.report()
    assert engine.told == ["safe", "abort", "finished"]
    assert (report.stopped_at, report.stop_reason) == (3, "signal is gone")
    assert report.safe_ms is not None
    assert report.ended_ms is not None
    assert report.safe_ms <= report.ended_ms
    assert len(recorder.frames) == 7


def test_a_laser_that_fails_to_go_dark_still_ends_the_engine(
    source: LiveSource, caplog: pytest.LogCaptureFixture
) -> None:
    Recorder(source, stop_at=0)
    engine = Engine()

    def broken() -> None:
        raise OSError("shutter stuck")

    with Hook("rig.toml", source.endpoint) as hook:
        hook.attach(engine, make_safe=broken)
        hook.image_process_fn(image(0), {})
        assert engine.over.wait(10)
    assert engine.told == ["abort", "finished"]
    assert hook.report().unsafe == "OSError: shutter stuck"
    shouted = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "A LIGHT SOURCE DID NOT GO SAFE" in shouted[0].message
    assert source.carried_out()[0].ok is False


def test_a_stop_that_comes_before_the_acquisition_is_carried_out_when_it_comes(source: LiveSource) -> None:
    Recorder(source, stop_at=0)
    engine = Engine()
    with Hook("rig.toml", source.endpoint) as hook:
        hook.image_process_fn(image(0), {})
        for _ in range(1000):
            if hook.stopped:
                break
            threading.Event().wait(0.01)
        hook.attach(engine)
        assert engine.over.wait(10)
    assert engine.told == ["abort", "finished"]


def test_a_laser_driver_that_hangs_keeps_no_frame_from_being_kept(source: LiveSource, tmp_path: Path) -> None:
    written_profile(tmp_path, '\n[watchdog]\nunwatched = "make safe"\nafter_s = 0.01\n')
    hook = Hook("rig.toml", source.endpoint, spool_dir=tmp_path)
    hanging, let_go = threading.Event(), threading.Event()

    def make_safe() -> None:
        hanging.set()
        let_go.wait(15)

    hook.attach(Engine(), make_safe=make_safe)
    hook.image_process_fn(image(0), {})
    assert hanging.wait(10)
    closer = threading.Thread(target=hook.close, args=(0.2,), daemon=True)
    closer.start()
    closer.join(10)
    in_time = not closer.is_alive()
    let_go.set()
    closer.join()
    assert in_time
    report = hook.report()
    assert report.kept is not None
    assert [frame.seq for frame in read_spool(report.kept)] == [0]
    assert any("make_safe does not return" in line for line in report.complaints())


def test_a_bit_depth_that_makes_no_sense_costs_no_frame(source: LiveSource) -> None:
    class Core:
        def get_image_bit_depth(self) -> int:
            return 100

    Recorder(source)
    with Hook("rig.toml", source.endpoint) as hook:
        hook.attach(Engine(), core=Core())
        hook.image_process_fn(image(0), {"BitDepth": 0, "Exposure": -1})
    assert (hook.report().rejected, hook.report().acknowledged) == (0, 1)


def test_without_a_processor_every_frame_is_kept_on_disk(tmp_path: Path) -> None:
    hook = Hook("rig.toml", "tcp://127.0.0.1:9", spool_dir=tmp_path, ram_mb=0.002)
    for seq in range(5):
        hook.image_process_fn(image(seq), {})
    report = hook.close(timeout_s=0.2)
    assert report.kept is not None
    assert [frame.seq for frame in read_spool(report.kept)] == [0, 1, 2, 3, 4]
    assert "no sign of a processor" in report.problem


def test_what_the_user_must_know_is_logged_at_the_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hook = Hook("rig.toml", "tcp://127.0.0.1:9", spool_dir=tmp_path / "my spool")
    hook.image_process_fn(image(0), {})
    hook.image_process_fn(None, {})
    lines = list(hook.close(timeout_s=0.2).complaints())
    assert ["1 images were not streamed" in lines[0], "no sign of a processor" in lines[1]] == [True, True]
    assert f"streamer replay {shlex.quote(str(hook.report().kept))} --profile rig.toml" in lines[2]
    hook.__exit__(None, None, None)
    assert [record.message for record in caplog.records] == lines


def test_a_processor_that_restarts_gets_what_the_first_did_not_acknowledge(tmp_path: Path) -> None:
    first = next(listening())
    address = first.endpoint
    with Hook("rig.toml", address, spool_dir=tmp_path) as hook:
        hook.image_process_fn(image(0), {})
        first.wait_for_hook()
        assert next(first.frames()).seq == 0  # taken, never acknowledged
        first._closing = True  # dies without a word
        first._waker.wake()
        first._thread.join()
        first._waker.close()
        hook.image_process_fn(image(1), {})
        second = LiveSource(address, profile="rig", ram_bytes=10**6, silence_s=30)
        recorder = Recorder(second)
    recorder.join(10)
    assert [frame.seq for frame in recorder.frames] == [0, 1]
    assert hook.report().acknowledged == 2


def test_importing_the_hook_pulls_numpy_and_zmq_and_no_other_package() -> None:
    code = (
        "import sys; before = set(sys.modules); from streamer import Hook; "
        "print(*sorted({m.split('.')[0] for m in set(sys.modules) - before} - sys.stdlib_module_names))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    packages = {name for name in done.stdout.split() if "cython" not in name}  # zmq's compiled part
    assert packages <= {"streamer", "numpy", "zmq"}
