"""A run takes from a calibration file what was measured, and refuses one that does not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from streamer.apps.compose import ModelSettings, load_models
from streamer.apps.replay import ReplaySettings, replay
from streamer.calibration import CalibrationError, HealthyNull, Interval, Source, of_now, write
from streamer.profile import load_profile
from streamer.recording import RunFolder, read_info

QUICK = ModelSettings(precision="f32", threads=1)


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A calibration of the low-dose rig that measured a spread of 1.2."""
    models = load_models(QUICK)
    healthy = HealthyNull(
        source=Source(kind="simulated", what="er", frames=60, shape_yx=[600, 600], seed=0),
        results=60,
        statuses={},
        drawn=None,
        similarity=None,
        structure_spread=Interval(value=1.1, low=1.0, high=1.2),
        stated_spread=0.85,
        box_photons=None,
    )
    packages = (models.denoiser.package, models.segmenter.package)
    made = of_now(
        load_profile("abberior_er_low"), packages, engine_keys={}, versions={}, dark=None, healthy=healthy
    )
    path = tmp_path_factory.mktemp("calibrated") / "low.calibration.json"
    write(path, made)
    return path


@pytest.fixture
def movie(tmp_path: Path) -> Path:
    counts = np.random.default_rng(1).poisson(0.3, (3, 64, 64)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "cell.tif", counts, photometric="minisblack")
    return tmp_path / "cell.tif"


def test_what_was_measured_is_used_and_recorded(calibrated: Path, movie: Path, tmp_path: Path) -> None:
    plain = ReplaySettings(paths=(movie,), out=tmp_path / "plain", profile="abberior_er_low", models=QUICK)
    replay(plain)
    replay(replace(plain, out=tmp_path / "run", calibration=calibrated))
    thresholds = [str(read_info(RunFolder(tmp_path / name)).thresholds) for name in ("plain", "run")]
    assert ["'structure_spread': 0.85" in thresholds[0], "'structure_spread': 1.2" in thresholds[1]] == [
        True
    ] * 2
    again = replay(ReplaySettings(paths=(tmp_path / "run",), out=tmp_path / "again", models=QUICK))
    assert again.comparison is not None
    assert again.comparison.identical == 3


def test_another_rig_is_refused(calibrated: Path, movie: Path, tmp_path: Path) -> None:
    settings = ReplaySettings(
        paths=(movie,),
        out=tmp_path / "run",
        profile="simulated_sted",
        models=QUICK,
        calibration=calibrated,
    )
    with pytest.raises(
        CalibrationError, match="made for the profile abberior_er_low, this is simulated_sted"
    ):
        replay(settings)
    assert not (tmp_path / "run").exists()
