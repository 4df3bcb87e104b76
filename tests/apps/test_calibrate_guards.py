"""A model and the guards are shown nothing, and something healthy; what they make of it is written down."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from camera_rig import TRUE, known, write_movie, write_rig

from streamer.apps.calibrate import CalibrateSettings, calibrate
from streamer.apps.calibrate_nulls import drawn_windows
from streamer.apps.calibrate_simulated import SimulatedDark, SimulatedHealthy, dark_photons
from streamer.apps.compose import ModelSettings, load_models
from streamer.calibration import CalibrationError, check, read
from streamer.core import Calibration, Frame, Result
from streamer.errors import UsageError
from streamer.guards import Consistency
from streamer.profile import load_profile
from streamer.profile.judging import ConsistencyGuard
from streamer.simulation import Scene, camera_grey_levels, sample_settings

QUICK = ModelSettings(precision="f32", threads=1)


def test_a_counting_rig_is_calibrated_from_simulated_frames(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    settings = CalibrateSettings(
        profile="abberior_er_low",
        models=QUICK,
        simulate=("dark", "er"),
        frames=30,
        size_px=160,
        out=tmp_path / "a.json",
    )
    report = calibrate(settings, lambda *each: told.append(each))
    found = read(tmp_path / "a.json")
    assert found == report.calibration
    assert told[-1] == ("healthy", 30, 30)
    dark, healthy = found.dark, found.healthy
    assert dark is not None
    assert healthy is not None
    assert (dark.passed.count, dark.passed.of) == (0, 30)
    assert dark.halved == 30
    assert dark.objects.count == 0
    assert dark.stopped_at is not None
    assert dark.similarity is not None
    assert dark.similarity.n == 29
    assert dark.similarity.median > 0.9
    assert dark.detector.dispersion == pytest.approx(1, abs=0.3)
    assert healthy.structure_spread is not None
    assert 0.6 < healthy.structure_spread.value < 1.1
    assert healthy.statuses["signal_map"] == {"pass": 30}
    models = load_models(QUICK)
    packages = (models.denoiser.package, models.segmenter.package)
    check(found, load_profile("abberior_er_low"), packages)
    with pytest.raises(CalibrationError, match=r"--simulate dark,er --frames 30 --size-px 160 --out .*"):
        check(found, load_profile("simulated_sted"), packages, path=report.path)
    with pytest.raises(UsageError, match="exists and is not overwritten"):
        calibrate(settings)


def test_a_dark_movie_of_a_camera_is_gone_through(tmp_path: Path) -> None:
    rig = write_rig(tmp_path, calibration=known())
    movie = write_movie(tmp_path / "dark.tif", 0.0, frames=12)
    report = calibrate(CalibrateSettings(profile=str(rig), models=QUICK, dark=movie, out=tmp_path / "a.json"))
    dark = report.calibration.dark
    assert dark is not None
    assert (dark.results, dark.passed.count, dark.halved) == (12, 0, 12)
    assert dark.detector.offset_adu == pytest.approx(TRUE.offset_adu, abs=0.1)
    assert dark.detector.read_noise_e == pytest.approx(TRUE.read_noise_e, rel=0.05)
    assert not any("measure it" in line for line in report.words)


def test_read_noise_that_the_profile_misstates_is_told(tmp_path: Path) -> None:
    rig = write_rig(tmp_path, calibration=known(replace(TRUE, read_noise_e=1.2)))
    movie = write_movie(tmp_path / "dark.tif", 0.0, frames=6)
    report = calibrate(CalibrateSettings(profile=str(rig), models=QUICK, dark=movie, out=tmp_path / "a.json"))
    assert any("the profile states 1.2; measure it" in line for line in report.words)


def test_an_offset_that_makes_darkness_light_is_refused(tmp_path: Path) -> None:
    rig = write_rig(tmp_path, calibration=known(replace(TRUE, offset_adu=99.5)))
    movie = write_movie(tmp_path / "dark.tif", 0.0, frames=6)
    settings = CalibrateSettings(profile=str(rig), models=QUICK, dark=movie, out=tmp_path / "a.json")
    with pytest.raises(UsageError, match=r"offset_adu = 99\.5 is wrong: the dark level is 100\.[23]"):
        calibrate(settings)


def float_movie(folder: Path) -> Path:
    path = folder / "bad.tif"
    tifffile.imwrite(path, np.full((5, 64, 64), np.nan, np.float32), photometric="minisblack")
    return path


def narrow_movie(folder: Path) -> Path:
    path = folder / "bad.tif"
    tifffile.imwrite(path, np.full((5, 64, 64), 100, np.uint8), photometric="minisblack")
    return path


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (lambda folder: write_movie(folder / "bad.tif", 150.0), "this is light: close every shutter"),
        (lambda folder: write_movie(folder / "bad.tif", 0.0, frames=1), "1 frame; how frames differ"),
        (lambda folder: write_movie(folder / "bad.tif", 0.0, size_px=48), "48 x 48 pixels, rig states"),
        (narrow_movie, "values of 8 bits, rig states bit_depth = 16"),
        (float_movie, "float32"),
        (lambda folder: folder / "bad.tif", "does not exist"),
    ],
    ids=["flat as dark", "one frame", "another size", "another depth", "nan", "missing"],
)
def test_a_bad_dark_movie_is_refused(tmp_path: Path, bad, words: str) -> None:  # type: ignore[no-untyped-def]
    rig = write_rig(tmp_path, calibration=known())
    settings = CalibrateSettings(profile=str(rig), models=QUICK, dark=bad(tmp_path), out=tmp_path / "a.json")
    with pytest.raises(UsageError, match=words):
        calibrate(settings)
    assert not (tmp_path / "a.json").exists()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "nothing to calibrate with"),
        ({"simulate": ("dark",), "dark": Path("d.tif")}, "both are without light"),
        ({"simulate": ("er",), "run": Path("d.tif")}, "both are healthy"),
        ({"simulate": ("er", "puncta")}, "give one structure"),
        ({"simulate": ("wool",)}, "use dark, er"),
        ({"simulate": ("dark",), "frames": 1}, "at least 2"),
        ({"simulate": ("dark",), "size_px": 12}, "at least 40"),
        ({"simulate": ("dark",), "out": Path("nowhere/a.json")}, "there is no folder nowhere"),
        (
            {"simulate": ("er",), "models": replace(QUICK, model="er-denoise-stack")},
            "healthy stacks with --run",
        ),
        ({"simulate": ("dark",), "profile": "zhanghao_m2"}, "calibrate zhanghao_m2 --photon-transfer"),
    ],
)
def test_wishes_that_cannot_be_met_are_refused(asked: dict[str, object], words: str) -> None:
    settings: dict[str, object] = {"profile": "abberior_er_low", "models": QUICK, **asked}
    with pytest.raises(UsageError, match=words):
        calibrate(CalibrateSettings(**settings))  # type: ignore[arg-type]


def test_simulated_frames_are_of_the_rig_and_the_same_each_time() -> None:
    profile = load_profile("abberior_er_low")
    dark = SimulatedDark(
        profile=profile,
        calibration=TRUE,
        shape_yx=(64, 64),
        frames=3,
        seed=1,
        dark_photons=dark_photons(profile, None),
    )
    first, again = ([frame.pixels for frame in dark] for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], first[1])
    assert np.mean(first) == pytest.approx(TRUE.offset_adu, abs=0.2)
    assert dark_photons(profile, None) == pytest.approx(1.5e-4)
    assert dark_photons(load_profile("democamera"), None) == 0


def test_specimens_are_as_bright_as_the_model_is_made_for() -> None:
    specimens = SimulatedHealthy(
        profile=load_profile("abberior_er_low"),
        calibration=Calibration(),
        structure="er",
        shape_yx=(96, 96),
        frames=2,
        seed=0,
        low=8,
        high=8.01,
    )
    means = [float(frame.pixels.mean()) for frame in specimens]
    assert all(0.01 < mean < 0.12 for mean in means)
    assert means[0] != means[1]


@pytest.mark.parametrize("shape", [(64, 64), (100, 57), (20, 20), (210, 99)])
def test_windows_are_counted_as_the_guard_counts_them(shape: tuple[int, int]) -> None:
    guard = Consistency(**ConsistencyGuard().model_dump(), read_noise_e=0.0)
    image = np.ones(shape, np.float32)
    labels = np.ones(shape, np.uint8)
    result = Result(frame=Frame(pixels=labels, seq=0), photons=image, denoised=image, labels=labels)
    verdict = guard.step(guard.start(), result)[1]
    assert f"in all {drawn_windows(labels)} windows" in verdict.meaning
    labels[:] = 0
    labels[15, 15] = 1
    assert drawn_windows(labels) == 1


def test_a_model_with_a_past_is_shown_it_and_slices_have_neighbours(tmp_path: Path) -> None:
    specimens = SimulatedHealthy(
        profile=load_profile("abberior_er_low"),
        calibration=Calibration(),
        structure="er",
        shape_yx=(64, 64),
        frames=2,
        seed=0,
        low=30,
        high=31,
        past=2,
    )
    assert [[frame.seq for frame in each] for each in specimens.specimens()] == [[0, 1, 2]] * 2
    settings = CalibrateSettings(
        profile="abberior_er_low", simulate=("dark",), frames=16, size_px=64, out=tmp_path / "a.json"
    )
    report = calibrate(replace(settings, models=replace(QUICK, model="er-denoise-stack")))
    dark = report.calibration.dark
    assert dark is not None
    assert dark.similarity is not None
    assert (dark.results, dark.similarity.n) == (16, 8)  # slices are compared with themselves


def test_a_healthy_recording_is_gone_through(tmp_path: Path) -> None:
    settings, light, time_s = sample_settings("validation", 3, (64, 64))
    scene, rng = Scene(settings), np.random.default_rng(4)
    images = []
    for seq in range(5):
        signal, background, _ = scene.expected(time_s + seq, light)
        images.append(camera_grey_levels(10 * (signal + background), TRUE, rng))
    tifffile.imwrite(tmp_path / "cell.tif", np.stack(images), photometric="minisblack")
    rig = write_rig(tmp_path, calibration=known())
    report = calibrate(
        CalibrateSettings(profile=str(rig), models=QUICK, run=tmp_path / "cell.tif", out=tmp_path / "a.json")
    )
    healthy = report.calibration.healthy
    assert healthy is not None
    assert report.calibration.dark is None
    assert (healthy.source.kind, healthy.results) == ("movie", 5)
    assert healthy.similarity is not None
    assert healthy.similarity.n == 4
    assert healthy.structure_spread is None
    assert any("too few healthy frames" in line for line in report.words)
