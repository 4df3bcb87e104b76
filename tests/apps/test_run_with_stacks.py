"""A denoiser that sees the slices below and above, through the whole path."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from profiles import written_profile
from tiny_package import PAST_WEIGHTS, build_package_with_past, rewrite

from streamer import Hook
from streamer.apps.compose import Composer, Models, ModelSettings, Stages, catch_up, load_models
from streamer.apps.live import processor_child
from streamer.apps.processor import ProcessorSettings
from streamer.apps.recorder import open_recorder
from streamer.apps.replay import ReplaySettings, replay
from streamer.core import Frame, Outcome
from streamer.errors import PackageError
from streamer.microscope import Plan, open_rig, run_acquisition, scene_settings
from streamer.pipeline import SLICES, process
from streamer.profile import HardwareProfile, Ledger, load_profile
from streamer.recording import (
    RunFolder,
    close_run,
    create_run,
    iter_frames,
    read_checkpoint,
    resume_run,
)
from streamer.sources import open_recording

SHAPE = (48, 64)
SLICES_A_STACK = 4
#: What says in a row that the slice above was not waited for.
MARK = "streamer_slice_above"


def build_package_of_slices(folder: Path) -> None:
    """A package whose expected photons are the sum of the three slices, weighted by `PAST_WEIGHTS`."""
    build_package_with_past(folder)

    def of_slices(description: dict[str, Any]) -> None:
        description["config"]["streamer"]["context"] = "z"
        description["inputs"][0]["axes"][1]["channel_names"] = list(SLICES)

    rewrite(folder, of_slices)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("slices")
    build_package_of_slices(folder)
    return folder


def models(package: Path) -> Models:
    return load_models(
        ModelSettings(model=str(package), segmenter="er-segment-live", precision="f32", threads=1)
    )


def profile(channels: Sequence[dict[str, Any]] = ()) -> HardwareProfile:
    fields: dict[str, Any] = load_profile("abberior_er_low").to_dict()
    fields["detector"]["channels"] = list(channels)
    return HardwareProfile.model_validate(fields)


def stacks(count: int) -> list[Frame]:
    """Stacks time after time; one frame lost, one passed over, a new exposure."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    frames = [
        Frame(
            pixels=rng.poisson(0.05 + ((x + 2 * y + seq) % 30 < 10)).astype(np.uint8),
            seq=seq,
            axes={"time": seq // SLICES_A_STACK, "z": seq % SLICES_A_STACK},
            exposure_ms=10.0 if seq < 26 else 20.0,
            superseded=seq == 37,
        )
        for seq in range(count)
    ]
    return [frame for frame in frames if frame.seq != 13]


def expected(frames: Sequence[Frame], alone: Container[int] = ()) -> Iterator[NDArray[np.float32]]:
    """What the network of this package gives for each frame; `alone` are not shown the slice above."""
    by_seq = {frame.seq: frame for frame in frames if not frame.superseded}

    def beside(frame: Frame, step: int) -> NDArray[np.float32]:
        other = by_seq.get(frame.seq + step, frame)
        there = {**frame.axes, "z": int(frame.axes["z"]) + step}
        is_one = other.axes == there and other.exposure_ms == frame.exposure_ms
        return (other if is_one else frame).pixels.astype(np.float32)

    for frame in by_seq.values():
        shown = (beside(frame, 0), beside(frame, -1), beside(frame, 0 if frame.seq in alone else 1))
        yield sum(weight * image for weight, image in zip(PAST_WEIGHTS, shown, strict=True))


class Kept(list[Outcome]):
    """A sink that keeps what it is handed."""

    def put(self, outcome: Outcome) -> None:
        self.append(outcome)


def processed(stages: Stages, frames: Iterable[Frame]) -> Kept:
    kept = Kept()
    arguments = stages.as_arguments()
    process(frames, record=lambda frame: None, sinks=(kept,), lag=lambda frame: (0.0, 0), **arguments)
    return kept


def record(composer: Composer, run: RunFolder, frames: Iterable[Frame], stages: Stages, **how: Any) -> None:
    """Record a session that does not close its run."""
    recorder = open_recorder(
        run,
        composer.profile,
        pixel_nm=20.0,
        dose=Ledger(composer.profile).step,
        channels=composer.channels,
        **how,
    )
    arguments = stages.as_arguments()
    with recorder:
        process(frames, record=recorder.put_raw, sinks=(recorder,), lag=lambda frame: (0.0, 0), **arguments)


def cut_off(frames: Iterable[Frame]) -> Iterator[Frame]:
    """What the pipeline holds by then is not let go."""
    yield from frames
    raise InterruptedError


def rows(run: Path) -> list[dict[str, Any]]:
    return list(iter_frames(RunFolder(run)))


def alone(run: Path) -> set[int]:
    """Frames whose rows say that the slice above was not waited for."""
    return {row["seq"] for row in rows(run) if MARK in row["metadata"]}


def recorded(run: Path) -> list[NDArray[np.float32]]:
    """The denoised planes, frame by frame."""
    planes = []
    for row in rows(run):
        if row["processed"]:
            image = zarr.open_group(run / row["annotated_image"], mode="r")
            planes.append(np.asarray(image["0"][tuple(row["annotated_place"])]))
    return planes


def same(found: Sequence[NDArray[np.float32]], wanted: Iterable[NDArray[np.float32]]) -> None:
    for plane, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(plane, other)


@pytest.mark.parametrize("cut", [58, 75, 76], ids=["before a checkpoint", "in a stack", "at its top"])
def test_every_pixel_and_verdict_follows_from_the_stack_through_gaps_resumption_and_replay(
    package: Path, tmp_path: Path, cut: int
) -> None:
    composer = Composer(profile(), models(package))
    composer.warm_up(SHAPE)  # a replay takes the engines that are recorded
    frames, path = stacks(94), tmp_path / "run"
    run = create_run(path, composer.provenance(source={"kind": "test", "planned": 200}, pixel_nm=20.0))
    come = cut_off(frame for frame in frames if frame.seq <= cut)
    with pytest.raises(InterruptedError):
        record(composer, run, come, composer.stages(planned=200))
    run.lock.release()

    resumed = resume_run(path)
    assert resumed.next_seq == cut  # the frame after the last row had come, and was shown above that
    seq, checkpoint = read_checkpoint(resumed.run) or (-1, None)
    stages = composer.stages(planned=200, checkpoint=checkpoint)
    catch_up(stages, (frame for frame in open_recording((path,)) if frame.seq > seq))
    comes_again = [frame for frame in frames if frame.seq >= resumed.next_seq]
    record(composer, resumed.run, comes_again, stages, resumed=resumed)
    close_run(resumed.run)

    same(recorded(path), expected(frames))
    assert [row["seq"] for row in rows(path)] == [frame.seq for frame in frames]
    unbroken = processed(composer.stages(planned=200), frames)
    said = [[(v.guard, v.status, v.measured) for v in outcome.verdicts] for outcome in unbroken]
    names = ("guard", "status", "measured")
    assert [[tuple(v[name] for name in names) for v in row["verdicts"]] for row in rows(path)] == said
    assert alone(path) == {93}  # nobody knows whether it was the top of its stack
    if cut != 75:
        return

    compared = replay(ReplaySettings(paths=(path,), out=tmp_path / "again")).comparison
    assert compared
    assert compared.frames == compared.identical == sum(row["processed"] for row in rows(path))
    same(recorded(tmp_path / "again"), recorded(path))
    decided = [[(row["decision"], row["reason"]) for row in rows(of)] for of in (path, tmp_path / "again")]
    assert decided[0] == decided[1]


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_a_live_run_is_killed_goes_on_pauses_and_replays_to_the_last_bit(
    package: Path, tmp_path: Path
) -> None:
    """In a pause no frame comes: the last one is judged without the slice above, and that is replayed too."""
    rig = written_profile(tmp_path, "[watchdog]\nafter_s = 2.0\n")
    frames = [
        replace(frame, seq=seq, exposure_ms=None, superseded=False) for seq, frame in enumerate(stacks(90))
    ]
    out = tmp_path / "run"
    settings = ProcessorSettings(
        profile=rig,
        out=out,
        endpoint="tcp://127.0.0.1:*",
        shape_yx=SHAPE,
        models=ModelSettings(model=str(package), segmenter="er-segment-live", precision="f32", threads=1),
    )

    def streamed(count: int, acknowledged: int) -> None:
        for frame in frames[hook.report().acquired : count]:
            hook.image_process_fn(frame.pixels, {"Axes": dict(frame.axes)})
        while hook.report().acknowledged < acknowledged:
            threading.Event().wait(0.005)

    with processor_child(settings) as processor:
        endpoint = processor.expect("ready")["endpoint"]
        hook = Hook(rig, endpoint, spool_dir=tmp_path / "spool")
        streamed(60, acknowledged=56)
        os.kill(processor.process.pid or 0, signal.SIGKILL)
        processor.process.join()
    with processor_child(replace(settings, resume=True, restarted=True, endpoint=endpoint)) as processor:
        processor.expect("ready")
        streamed(70, acknowledged=70)  # all of them, though none follows
        streamed(len(frames), acknowledged=0)
        hook.close()
        summary = processor.expect("summary")
    assert (summary["recorded"], summary["dropped"], summary["resumed"]) == (len(frames), 0, 1)
    assert {69, len(frames) - 1} <= alone(out)
    same(recorded(out), expected(frames, alone(out)))

    compared = replay(ReplaySettings(paths=(out,), out=tmp_path / "again")).comparison
    assert compared
    assert (compared.identical, compared.differing) == (len(frames), ())
    same(recorded(tmp_path / "again"), recorded(out))


#: No guard ends such a run; who pauses it for longer than the watchdog bears has lost it.
WATCHED = """
[guards.actions.signal_map]
reject = "note"

[guards.actions.similarity]
reject = "note"

[watchdog]
unwatched = "make safe"
after_s = 1.5
"""


@pytest.mark.live
def test_a_run_that_is_paused_in_a_stack_goes_on(package: Path, tmp_path: Path) -> None:
    """Its verdict would wait for the next slice, that for the watchdog, and the watchdog for the verdict."""
    rig = written_profile(tmp_path, WATCHED)
    settings = ProcessorSettings(
        profile=rig,
        out=tmp_path / "run",
        endpoint="tcp://127.0.0.1:*",
        shape_yx=SHAPE,
        models=ModelSettings(model=str(package), segmenter="er-segment-live", precision="f32", threads=1),
    )
    plan = Plan(time_points=10, z_um=(0.0, 0.2, 0.4, 0.6))
    scene = scene_settings(load_profile(rig), seed=5, shape_yx=SHAPE)
    stop, held = threading.Event(), []
    with processor_child(settings) as processor, open_rig(load_profile(rig), scene, frame_ms=50) as simulated:
        hook = Hook(rig, processor.expect("ready")["endpoint"], planned=plan.frames)

        def pause() -> None:
            while hook.report().acquired < 6:
                threading.Event().wait(0.005)
            hook.pause()
            while (report := hook.report()).acknowledged < report.acquired and not stop.is_set():
                threading.Event().wait(0.005)
            held.append(report.acquired - 1)
            hook.resume()

        user, impatient = threading.Thread(target=pause), threading.Timer(90, stop.set)
        impatient.start()
        user.start()
        taken = run_acquisition(simulated, hook, plan, stop=stop)
        impatient.cancel()
        user.join()
        hook.close()
        processor.expect("summary")
    assert (taken.exposed, taken.stopped) == (plan.frames, False)
    assert {*held, plan.frames - 1} <= alone(tmp_path / "run")


RED = {"name": "red", "window_nm": [600, 650], "region_px": [0, 0, 48, 32]}
GREEN = {
    "name": "green",
    "window_nm": [500, 550],
    "region_px": [0, 32, 48, 32],
    "to_reference": [[1, 0, 3], [0, 1, 0]],
}


def test_each_channel_of_a_splitter_is_shown_its_own_slices(package: Path) -> None:
    composer = Composer(profile((RED, GREEN)), models(package))
    composer.warm_up(SHAPE)
    frames = stacks(SLICES_A_STACK)
    outcomes = processed(composer.stages(planned=4), frames)
    for outcome, plane in zip(outcomes, expected(frames), strict=True):
        red, green = (result.denoised for result in outcome.results)
        np.testing.assert_array_equal(red, plane[:, :32])
        np.testing.assert_array_equal(green, plane[:, 32:])
    top = [verdict for verdict in outcomes[-1].verdicts if verdict.guard == "neighbours"]
    assert [verdict.view for verdict in top] == ["z 3, channel red", "z 3, channel green"]


@pytest.mark.parametrize(
    "names", [("photons", "photons above", "photons below"), SLICES[:2]], ids=["swapped", "one too few"]
)
def test_a_denoiser_that_wants_to_be_shown_something_else_is_refused(
    tmp_path: Path, names: Sequence[str]
) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    build_package_of_slices(folder)

    def otherwise(description: dict[str, Any]) -> None:
        description["inputs"][0]["axes"][1]["channel_names"] = list(names)

    rewrite(folder, otherwise)
    wanted = "photons, photons below, photons above"
    with pytest.raises(
        PackageError, match=rf"odd: inputs\.0 has the channels {', '.join(names)}; .*{wanted}"
    ):
        models(folder)
