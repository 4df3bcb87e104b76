"""A denoiser that sees the frames before, and says how sure it is, through the whole path."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
import zmq
from apps_cli import Cli
from numpy.typing import NDArray
from tiny_package import PAST_WEIGHTS, SD_SHARE, build_package_with_past

from streamer import Hook
from streamer.apps.compose import Composer, Models, ModelSettings, Stages, catch_up, load_models
from streamer.apps.live import processor_child
from streamer.apps.processor import ProcessorSettings
from streamer.apps.recorder import open_recorder
from streamer.cli.options import in_words
from streamer.core import Frame, Outcome
from streamer.pipeline import process
from streamer.preview import parse_snapshot
from streamer.profile import HardwareProfile, Ledger, load_profile
from streamer.recording import (
    RunFolder,
    close_run,
    create_run,
    iter_frames,
    read_checkpoint,
    read_info,
    resume_run,
)
from streamer.sinks.preview import PreviewSink
from streamer.sources import open_recording

SHAPE = (48, 64)
#: The slice of every stack that holds no specimen.
EMPTY_Z = 2


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("past")
    build_package_with_past(folder)
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
    """Stacks of three slices; one frame lost, one passed over, a new exposure."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    frames = [
        Frame(
            pixels=rng.poisson(0.05 + ((x + 2 * y + seq) % 30 < 10) * (seq % 3 != EMPTY_Z)).astype(np.uint8),
            seq=seq,
            axes={"time": seq // 3, "z": seq % 3},
            exposure_ms=10.0 if seq < 24 else 20.0,
            superseded=seq == 36,
        )
        for seq in range(count)
    ]
    return [frame for frame in frames if frame.seq != 12]


def expected(frames: Iterable[Frame]) -> Iterator[NDArray[np.float32]]:
    """What the network of this package gives for each frame, by the rules of its past."""
    past: dict[Any, list[NDArray[np.float32]]] = {}
    last = -1
    for frame in frames:
        if frame.seq != last + 1:
            past.clear()
        last = frame.seq
        of_view = past.setdefault((frame.axes["z"], frame.exposure_ms), [])
        of_view.insert(0, frame.pixels.astype(np.float32))
        shown = [of_view[min(before, len(of_view) - 1)] for before in range(len(PAST_WEIGHTS))]
        yield sum(weight * image for weight, image in zip(PAST_WEIGHTS, shown, strict=True))


def record(composer: Composer, run: RunFolder, frames: Iterable[Frame], stages: Stages, **how: Any) -> None:
    """Record a session that ends without closing its run."""
    recorder = open_recorder(
        run,
        composer.profile,
        pixel_nm=20.0,
        dose=Ledger(composer.profile).step,
        channels=composer.channels,
        **how,
    )
    with recorder:
        process(
            frames,
            record=recorder.put_raw,
            sinks=(recorder,),
            lag=lambda frame: (0.0, 0),
            **stages.as_arguments(),
        )


def recorded(run: Path, name: str) -> list[NDArray[np.float32]]:
    """The planes of a channel, frame by frame."""
    planes = []
    for row in iter_frames(RunFolder(run)):
        if row["processed"]:
            image = zarr.open_group(run / row["annotated_image"], mode="r")
            t, _, z = row["annotated_place"]
            planes.append(np.asarray(image["0"][t, image.attrs["streamer"]["channels"].index(name), z]))
    return planes


def test_every_pixel_follows_from_the_past_through_gaps_resumption_and_replay(
    package: Path, cli: Cli, tmp_path: Path
) -> None:
    composer = Composer(profile(), models(package))
    composer.warm_up(SHAPE)  # a replay takes the engines that are recorded
    frames, path = stacks(93), tmp_path / "run"
    cut = next(number for number, frame in enumerate(frames) if frame.seq == 75)
    run = create_run(path, composer.provenance(source={"kind": "test", "planned": 200}, pixel_nm=20.0))
    record(composer, run, frames[:cut], composer.stages(planned=200))
    run.lock.release()

    resumed = resume_run(path)
    found = read_checkpoint(resumed.run)
    assert found is not None
    seq, checkpoint = found
    # So late that the first frames of the resumed run are shown what only the checkpoint remembers.
    assert frames[cut].seq - seq < 3
    stages = composer.stages(planned=200, checkpoint=checkpoint)
    catch_up(stages, (frame for frame in open_recording((path,)) if frame.seq > seq))
    record(composer, resumed.run, frames[cut:], stages, resumed=resumed)
    info = close_run(resumed.run)

    processed = [frame for frame in frames if not frame.superseded]
    for found_plane, plane in zip(recorded(path, "denoised"), expected(processed), strict=True):
        np.testing.assert_array_equal(found_plane, plane)
    for found_plane, plane in zip(recorded(path, "uncertainty"), expected(processed), strict=True):
        np.testing.assert_array_equal(found_plane, SD_SHARE * plane)

    done = cli("replay", path, "--out", tmp_path / "again", "--json")
    assert done.code == 0, done.err
    compared = done.json["comparison"]
    assert compared["frames"] == compared["identical"] == len(processed)
    for name in ("denoised", "uncertainty"):
        np.testing.assert_array_equal(recorded(tmp_path / "again", name), recorded(path, name))
    empty = sum(frame.axes["z"] == EMPTY_Z for frame in processed)
    assert done.json["summary"]["stacks"] == {"slices": len(processed), "border": empty}
    words = in_words(done.json["summary"])
    assert f"{empty} of {len(processed)} slices lie beyond what signal supports of their stack" in words
    assert info.stacks == read_info(RunFolder(tmp_path / "again")).stacks


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_a_killed_processor_goes_on_with_the_past_that_it_left(package: Path, tmp_path: Path) -> None:
    frames = [replace(frame, seq=seq, exposure_ms=None) for seq, frame in enumerate(stacks(90))]
    out = tmp_path / "run"
    settings = ProcessorSettings(
        profile="abberior_er_low",
        out=out,
        endpoint="tcp://127.0.0.1:*",
        shape_yx=SHAPE,
        models=ModelSettings(model=str(package), segmenter="er-segment-live", threads=1),
        segment_every=4,
    )
    with processor_child(settings) as processor:
        endpoint = processor.expect("ready")["endpoint"]
        hook = Hook("abberior_er_low", endpoint, spool_dir=tmp_path / "spool")
        for frame in frames[:60]:
            hook.image_process_fn(frame.pixels, {"Axes": dict(frame.axes)})
        while hook.report().acknowledged < 56:
            threading.Event().wait(0.005)
        os.kill(processor.process.pid or 0, signal.SIGKILL)
        processor.process.join()
    with processor_child(replace(settings, resume=True, restarted=True, endpoint=endpoint)) as processor:
        processor.expect("ready")
        for frame in frames[60:]:
            hook.image_process_fn(frame.pixels, {"Axes": dict(frame.axes)})
        hook.close()
        summary = processor.expect("summary")
    assert (summary["recorded"], summary["dropped"], summary["resumed"]) == (len(frames), 0, 1)
    for found, plane in zip(recorded(out, "denoised"), expected(frames), strict=True):
        np.testing.assert_array_equal(found, plane)
    assert [row["labels_seq"] for row in iter_frames(RunFolder(out))] == list(carried(frames))


def carried(frames: Iterable[Frame]) -> Iterator[list[int | None]]:
    """From which frame each one's labels are; each z counts its own four from a place of its own."""
    seen: dict[Any, int] = {}
    drawn: dict[Any, int] = {}
    for frame in frames:
        z = frame.axes["z"]
        number = seen.get(z, {0: 0, 1: 2, 2: 1}[z])
        if z not in drawn or number % 4 == 0:
            drawn[z] = frame.seq
        seen[z] = number + 1
        yield [None if drawn[z] == frame.seq else drawn[z]]


RED = {"name": "red", "window_nm": [600, 650], "region_px": [0, 0, 48, 32]}
GREEN = {
    "name": "green",
    "window_nm": [500, 550],
    "region_px": [0, 32, 48, 32],
    "to_reference": [[1, 0, 3], [0, 1, 0]],
}


def test_each_channel_of_a_splitter_has_its_uncertainty_in_register(package: Path, tmp_path: Path) -> None:
    composer = Composer(profile((RED, GREEN)), models(package))
    composer.warm_up(SHAPE)
    run = create_run(tmp_path / "run", composer.provenance(source={"kind": "test"}, pixel_nm=20.0))
    record(composer, run, stacks(1), composer.stages(planned=1))
    image = zarr.open_group(run.annotated, mode="r")
    assert image.attrs["streamer"]["channels"] == [
        f"{name} {channel}" for channel in ("red", "green") for name in ("denoised", "uncertainty", "trust")
    ]
    red, sure_red, trust_red, green, sure_green, trust_green = np.asarray(image["0"])[0, :, 0]
    np.testing.assert_array_equal(sure_red, SD_SHARE * red)
    np.testing.assert_array_equal(sure_green, SD_SHARE * green)
    assert np.isnan(sure_green[-3:]).all()
    assert np.isnan(trust_green[-3:]).all()
    labels = np.asarray(image["labels/segmentation/0"])[0, 0, 0]
    np.testing.assert_array_equal(np.isnan(trust_red), labels == 0)
    drawn = trust_red[labels != 0]
    assert ((drawn >= 0) & (drawn <= 1)).all()
    np.testing.assert_array_equal(
        green[:-3], sum(PAST_WEIGHTS) * stacks(1)[0].pixels[3:, 32:].astype(np.float32)
    )
    assert image["0"].dtype == np.float32


def test_who_watches_is_told_the_same_of_a_result_with_uncertainty(package: Path) -> None:
    outcomes: list[Outcome] = []

    class Kept:
        def put(self, outcome: Outcome) -> None:
            outcomes.append(outcome)

    stages = Composer(profile(), models(package)).stages(planned=1)
    process(
        stacks(1),
        record=lambda frame: None,
        sinks=(Kept(),),
        lag=lambda frame: (0.0, 0),
        **stages.as_arguments(),
    )
    assert outcomes[0].results[0].uncertainty is not None
    counts = {"planned": None, "received": 1, "dropped": 0}
    preview = PreviewSink(run="run", dose=dict, counts=lambda: counts)
    with zmq.Context() as context, context.socket(zmq.SUB) as watcher:
        watcher.connect(preview.endpoint)
        watcher.subscribe(b"")
        for _ in range(500):  # who subscribes late misses the first ones
            preview.put(outcomes[0])
            if watcher.poll(10):
                break
        snapshot = parse_snapshot(watcher.recv())
    preview.end(failed=False)
    assert [verdict.guard for verdict in snapshot.verdicts] == [v.guard for v in outcomes[0].verdicts]
