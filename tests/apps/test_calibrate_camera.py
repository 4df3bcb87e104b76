"""From two movies on disk to a profile that knows its camera."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import tifffile
from camera_rig import TRUE, known, write_movie, write_rig

from streamer.apps.calibrate_camera import CameraSettings, calibrate_camera
from streamer.errors import UsageError
from streamer.profile import load_profile


@pytest.fixture(scope="module")
def movies(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("movies")
    return write_movie(folder / "flat.tif", 150.0, seed=2), write_movie(folder / "dark.tif", 0.0)


@pytest.mark.parametrize("before", [None, known(), ""], ids=["unknown", "known", "absent"])
def test_a_new_profile_knows_the_camera(
    movies: tuple[Path, Path], tmp_path: Path, before: str | None
) -> None:
    rig = write_rig(tmp_path) if before is None else write_rig(tmp_path, calibration=before)
    new = tmp_path / "rig_measured.toml"
    report = calibrate_camera(CameraSettings(profile=str(rig), flat=movies[0], dark=movies[1], write=new))
    assert report.written == str(new)
    assert report.found.warnings == ()
    profile = load_profile(new)
    calibration = profile.calibration()
    assert calibration is not None
    assert calibration.gain_e_per_adu == pytest.approx(TRUE.gain_e_per_adu, rel=0.03)
    assert calibration.offset_adu == pytest.approx(TRUE.offset_adu, abs=0.05)
    assert calibration.read_noise_e == pytest.approx(TRUE.read_noise_e, rel=0.03)
    text = new.read_text()
    assert "# A comment that stays." in text
    assert "# after the calibration" in text
    assert len(re.findall("gain_e_per_adu", text)) == 1
    old = load_profile(rig).to_dict() | {"profile": None, "detector": None}
    assert profile.to_dict() | {"profile": None, "detector": None} == old


def test_an_existing_profile_stays_unless_forced(movies: tuple[Path, Path], tmp_path: Path) -> None:
    rig, new = write_rig(tmp_path), tmp_path / "new.toml"
    new.write_text("mine")
    settings = {"profile": str(rig), "flat": movies[0], "dark": movies[1], "write": new}
    with pytest.raises(UsageError, match="exists and is not overwritten"):
        calibrate_camera(CameraSettings(**settings))
    assert new.read_text() == "mine"
    calibrate_camera(CameraSettings(**settings, force=True))
    assert load_profile(new).calibration()


def test_a_bundled_profile_can_be_the_start(movies: tuple[Path, Path], tmp_path: Path) -> None:
    new = tmp_path / "my_m2.toml"
    calibrate_camera(CameraSettings(profile="zhanghao_m2", flat=movies[0], dark=movies[1], write=new))
    profile = load_profile(new)
    assert profile.calibration()
    assert len(profile.detector.channels) == 4


def stack(path: Path, images: np.ndarray) -> Path:
    tifffile.imwrite(path, images, photometric="minisblack")
    return path


def test_levels_below_zero_are_levels(tmp_path: Path) -> None:
    """int16 movies whose offset was taken off: the profile cannot hold it, and says so before writing."""
    rng = np.random.default_rng(3)
    dark = stack(tmp_path / "dark.tif", np.rint(rng.normal(-3, 4, (30, 64, 64))).astype(np.int16))
    flat = stack(tmp_path / "flat.tif", np.rint(rng.normal(97, 10.8, (30, 64, 64))).astype(np.int16))
    rig = write_rig(tmp_path)
    report = calibrate_camera(CameraSettings(profile=str(rig), flat=flat, dark=dark))
    assert report.found.offset_adu.value == pytest.approx(-3, abs=0.1)
    assert report.found.gain_e_per_adu.value == pytest.approx(1.0, rel=0.05)
    with pytest.raises(UsageError, match="offset_adu = -3"):
        calibrate_camera(CameraSettings(profile=str(rig), flat=flat, dark=dark, write=tmp_path / "n.toml"))


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (lambda folder: write_movie(folder / "b.tif", 0.0, frames=1), "1 frame;"),
        (lambda folder: write_movie(folder / "b.tif", 0.0, size_px=48), "48 x 48"),
        (lambda folder: stack(folder / "b.tif", np.zeros((5, 64, 64), np.uint8)), "of uint8"),
        (lambda folder: stack(folder / "b.tif", np.full((5, 64, 64), np.nan, np.float32)), "float32"),
        (lambda folder: write_movie(folder / "b.tif", 400.0), "darker than the dark series"),
        (lambda folder: folder / "none.tif", "does not exist"),
    ],
    ids=["one frame", "another size", "another depth", "nan", "flat and dark swapped", "missing"],
)
def test_a_bad_dark_series_is_refused(movies, tmp_path: Path, bad, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UsageError, match=words):
        calibrate_camera(CameraSettings(profile=str(write_rig(tmp_path)), flat=movies[0], dark=bad(tmp_path)))


def test_values_beyond_the_stated_bit_depth_are_refused(movies: tuple[Path, Path], tmp_path: Path) -> None:
    rig = write_rig(tmp_path)
    rig.write_text(rig.read_text().replace("bit_depth = 16", "bit_depth = 8"))
    with pytest.raises(UsageError, match="bit_depth = 8, which ends at 255"):
        calibrate_camera(CameraSettings(profile=str(rig), flat=movies[0], dark=movies[1]))


def test_a_counting_detector_needs_none(movies: tuple[Path, Path]) -> None:
    with pytest.raises(UsageError, match="photons already"):
        calibrate_camera(CameraSettings(profile="abberior_er_low", flat=movies[0], dark=movies[1]))
