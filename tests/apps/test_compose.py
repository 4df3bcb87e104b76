"""Profile and models become stages that survive odd frames and the death of their process."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from apps_cli import Cli

from streamer.apps import compose
from streamer.apps.compose import Composer, ModelSettings, Stages, catch_up
from streamer.apps.recorder import open_recorder
from streamer.core import Frame, Outcome
from streamer.errors import ProfileError
from streamer.pipeline import process
from streamer.pipeline.stages import Denoised
from streamer.profile import HardwareProfile, Ledger, load_profile
from streamer.recording import RunFolder, close_run, create_run, read_checkpoint, resume_run
from streamer.sources import open_recording

RED = {"name": "red", "window_nm": [600, 650], "region_px": [0, 0, 48, 64]}
GREEN = {
    "name": "green",
    "window_nm": [500, 550],
    "region_px": [48, 0, 48, 64],
    "to_reference": [[1, 0, 0.5], [0, 1, -1.5]],
}
SENSOR = (96, 64)


@pytest.fixture(scope="module")
def models() -> compose.Models:
    return compose.load_models(ModelSettings(precision="f32", threads=1))


def profile(channels: Sequence[dict[str, Any]] = (RED, GREEN), **tables: Any) -> HardwareProfile:
    """`abberior_er_low` behind a splitter, with changed tables."""
    fields: dict[str, Any] = load_profile("abberior_er_low").to_dict()
    fields["detector"]["channels"] = list(channels)
    fields["scan"]["shape_px"] = list(SENSOR)
    return HardwareProfile.model_validate(fields | tables)


def frames(count: int) -> list[Frame]:
    """Two positions by turns, one frame lost, one passed over, one odd, a new exposure; always the same."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[: SENSOR[0], : SENSOR[1]]
    made = []
    for seq in range(count):
        stripes = 0.05 + 0.8 * ((x + 2 * y + seq // 4) % 30 < 10)
        shape = (60, 64) if seq == 33 else SENSOR
        made.append(
            Frame(
                pixels=rng.poisson(stripes).astype(np.uint8)[: shape[0]],
                seq=seq,
                axes={"time": seq // 2, "position": seq % 2},
                exposure_ms=10.0 if seq < 25 else 20.0,
                superseded=seq == 57,
            )
        )
    return [frame for frame in made if frame.seq != 12]


class Kept(list[Outcome]):
    """A sink that keeps what it is handed."""

    def put(self, outcome: Outcome) -> None:
        self.append(outcome)

    def close(self) -> None:
        """Nothing to close."""


def processed(stages: Stages, frames: Iterable[Frame]) -> Kept:
    kept = Kept()
    process(
        frames, record=lambda frame: None, sinks=(kept,), lag=lambda frame: (0.0, 0), **stages.as_arguments()
    )
    return kept


def recorded(composer: Composer, run: RunFolder, frames: Iterable[Frame], stages: Stages, **how: Any) -> None:
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


def test_a_resumed_run_is_judged_as_one_that_never_broke_off_and_replays_identically(
    models: compose.Models, cli: Cli, tmp_path: Path
) -> None:
    composer = Composer(profile(), models)
    everything = frames(90)
    cut = 70
    composer.warm_up(SENSOR)  # a replay takes the engines that are recorded
    info = composer.provenance(source={"kind": "test", "planned": 200}, pixel_nm=20.0)
    run = create_run(tmp_path / "run", info)
    recorded(composer, run, everything[:cut], composer.stages(planned=200))
    run.lock.release()

    resumed = resume_run(tmp_path / "run")
    found = read_checkpoint(resumed.run)
    assert found is not None
    seq, checkpoint = found
    assert 50 <= seq < everything[cut].seq
    stages = composer.stages(planned=200, checkpoint=checkpoint)
    catch_up(stages, (frame for frame in open_recording((tmp_path / "run",)) if frame.seq > seq))
    recorded(composer, resumed.run, everything[cut:], stages, resumed=resumed)
    close_run(resumed.run)

    rows = [json.loads(line) for line in (tmp_path / "run" / "frames.jsonl").read_text().splitlines()]
    whole = processed(composer.stages(planned=200), everything)
    assert [row["seq"] for row in rows] == [outcome.frame.seq for outcome in whole]
    expected = [[(v.guard, v.status, v.measured, v.view) for v in outcome.verdicts] for outcome in whole]
    names = ("guard", "status", "measured", "view")
    assert [[tuple(v[name] for name in names) for v in row["verdicts"]] for row in rows] == expected
    decisions = [(outcome.decision.action, outcome.decision.reason) for outcome in whole]
    assert [(row["decision"], row["reason"]) for row in rows] == decisions
    assert {v[3] for verdicts in expected for v in verdicts} == {
        f"position {position}, channel {name}" for position in (0, 1) for name in ("red", "green")
    }

    # A run that died before its first frame was computed does not know its engines.
    options = ("--out", tmp_path / "again", "--precision", "f32", "--json")
    done = cli("replay", tmp_path / "run", *options)
    assert done.code == 0, done.err
    compared = done.json["comparison"]
    assert compared["frames"] == compared["identical"] == sum(row["processed"] for row in rows)


def test_a_splitter_recording_comes_out_as_two_registered_channels(
    models: compose.Models, tmp_path: Path
) -> None:
    """One specimen of dots on both halves of a sensor, of which the second is shifted by parts of a pixel."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:48, :64]
    dots = rng.uniform((4, 4), (44, 60), (12, 2))

    def expected(shift_y: float, shift_x: float) -> np.ndarray:
        places = dots + np.array([shift_y, shift_x])
        return 0.05 + sum(6 * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 12) for cy, cx in places)

    light = np.concatenate([expected(0, 0), expected(2.5, -5.5)])
    beads = {**GREEN, "to_reference": [[1, 0, 2.5], [0, 1, -5.5]]}
    composer = Composer(profile(channels=(RED, beads)), models)
    run = create_run(tmp_path / "run", composer.provenance(source={"kind": "test"}, pixel_nm=20.0))
    frame = Frame(pixels=rng.poisson(light).astype(np.uint8), seq=0)
    recorded(composer, run, [frame], composer.stages(planned=1))

    annotated = zarr.open_group(run.path / "annotated.ome.zarr", mode="r")
    channels = annotated.attrs["ome"]["omero"]["channels"]
    labels = [channel["label"] for channel in channels]
    assert labels == [
        f"{image} {channel}" for channel in ("red", "green") for image in ("denoised", "uncertainty", "trust")
    ]
    red, _, _, green, unsure, _ = np.asarray(annotated["0"])[0, :, 0]
    seen = np.isfinite(green)
    assert seen[:-3, 6:].all()
    assert not seen[:, :5].any()
    assert (np.isfinite(unsure) == seen).all()
    assert np.corrcoef(red[seen], green[seen])[0, 1] > 0.95
    raw = zarr.open_array(run.path / "raw.ome.zarr" / "0", mode="r")
    np.testing.assert_array_equal(np.asarray(raw)[0, 0, 0], frame.pixels)


def test_an_odd_frame_in_mid_run_is_told_and_passed_over(models: compose.Models) -> None:
    outcomes = processed(Composer(profile(), models).stages(planned=100), frames(40))
    odd = next(outcome for outcome in outcomes if outcome.frame.seq == 33)
    assert [result.frame.axes["channel"] for result in odd.results] == ["red"]
    assert (odd.verdicts[0].guard, odd.verdicts[0].view) == ("splitter", "position 1, channel green")
    assert "region_px = [48, 0, 48, 64] of green lies beyond the frame of 60 x 64" in odd.verdicts[0].meaning
    assert len(outcomes[-1].results) == 2


def test_a_camera_that_is_too_small_for_the_regions_is_told_before_the_run(models: compose.Models) -> None:
    composer = Composer(profile(), models)
    composer.warm_up(SENSOR)
    with pytest.raises(
        ProfileError, match=r"green: region_px = \[48, 0, 48, 64\] lies beyond frames of 64 x 64"
    ):
        composer.warm_up((64, 64))


def test_regions_that_nobody_knows_leave_frames_whole(models: compose.Models) -> None:
    unknown = profile(channels=(RED, {**GREEN, "region_px": "unknown"}))
    (outcome,) = processed(Composer(unknown, models).stages(planned=10), frames(1))
    assert [result.labels.shape for result in outcome.results] == [SENSOR]


def test_an_adjustment_begins_where_the_microscope_says_it_stands(models: compose.Models) -> None:
    power = {"quantity": "excitation_uw", "set_by": ["Laser", "Power"], "minimum": 1.0, "maximum": 9.0}
    adjusting = profile(
        channels=(),
        policy={"minimum_frames": 3, "sustained_frames": 2, "window_frames": 3},
        control={"knobs": [power | {"factor": 0.5}]},
        guards={"actions": {"range": {"flag": "adjust"}, "signal_map": {"reject": "note"}}},
    )
    rng = np.random.default_rng(0)
    bright = [
        Frame(pixels=rng.poisson(9.0, SENSOR).astype(np.uint8), seq=seq, state={"Laser-Power": 6.0})
        for seq in range(12)
    ]
    outcomes = processed(Composer(adjusting, models).stages(planned=10), bright)
    changes = [dict(outcome.decision.change) for outcome in outcomes if outcome.decision.action == "adjust"]
    assert changes == [{"excitation_uw": 3.0}, {"excitation_uw": 1.5}, {"excitation_uw": 1.0}]
    assert "nothing left to adjust" in outcomes[-1].decision.reason


@pytest.mark.parametrize(
    "calibration",
    [None, {"gain_e_per_adu": 0.5, "offset_adu": 100, "read_noise_e": "unknown"}],
    ids=["absent", "read noise unknown"],
)
def test_without_a_camera_calibration_guards_are_off_and_ask_for_nothing(
    models: compose.Models, calibration: dict[str, Any] | None
) -> None:
    detector: dict[str, Any] = {"kind": "camera", "window_nm": "unknown", "calibration": calibration}
    uncalibrated = profile(
        detector={key: value for key, value in detector.items() if value},
        guards={"actions": {"photons": {"flag": "stop"}, "evidence": {"flag": "pause"}}},
        policy={"minimum_frames": 1, "sustained_frames": 1, "window_frames": 1},
    )
    outcomes = processed(Composer(uncalibrated, models).stages(planned=10), frames(6))
    said = {verdict.guard: verdict for verdict in outcomes[-1].verdicts}
    assert said.pop("health").status == "pass"
    assert len(said) == 10
    for verdict in said.values():
        assert (verdict.status, verdict.measured, verdict.limit) == ("flag", None, None)
        assert "off, not judged: grey levels are no photons while [detector.calibration]" in verdict.meaning
        assert "streamer calibrate PROFILE --photon-transfer" in verdict.meaning
    assert {(outcome.decision.action, outcome.decision.reason) for outcome in outcomes} == {("continue", "")}
    assert all(result.halves is None for outcome in outcomes for result in outcome.results)


def test_the_detectors_scale_is_what_the_frame_says_else_what_the_profile_says(
    models: compose.Models,
) -> None:
    fields = profile(channels=()).to_dict()
    known = HardwareProfile.model_validate(fields | {"detector": fields["detector"] | {"bit_depth": 12}})
    stages = Composer(known, models).stages(planned=10)
    full = Frame(pixels=np.full(SENSOR, 4095, np.uint16), seq=0)
    outcomes = processed(stages, [full, replace(full, seq=1, bit_depth=14)])
    ranges = [next(each for each in outcome.verdicts if each.guard == "range") for outcome in outcomes]
    saturated = [verdict.values["saturated_fraction"] for verdict in ranges]
    assert saturated == [1.0, 0.0]


@pytest.mark.parametrize(
    ("broken", "stopped"),
    [(range(22, 32), 24), (range(22, 23), None), (range(22, 32, 3), None)],
    ids=["lasting", "one frame", "every third frame"],
)
def test_predictions_that_are_no_numbers_stop_a_run_by_default_when_they_last(
    models: compose.Models, broken: range, stopped: int | None
) -> None:
    stages = Composer(profile(channels=()), models).stages(planned=40)

    def denoise(frame: Frame, *above: Frame) -> Denoised:
        made = stages.denoise(frame, *above)
        return replace(made, image=np.full_like(made.image, np.nan)) if frame.seq in broken else made

    seen = [frame for frame in frames(90) if frame.axes["position"] == 0 and frame.seq > 25]
    seen = [replace(frame, seq=seq, axes={}) for seq, frame in enumerate(seen)]
    outcomes = processed(replace(stages, denoise=denoise), seen)
    stops = {
        outcome.frame.seq: outcome.decision.reason
        for outcome in outcomes
        if outcome.decision.action == "stop"
    }
    reason = "stopped: the photons or the prediction hold values that are not finite"
    assert stops == ({stopped: reason} if stopped else {})
