"""A denoiser that takes both detection channels of a frame at once, through the whole path."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from tiny_package import CHANNEL_WEIGHTS, SD_SHARE, build_package_of_channels, rewrite
from typer.testing import CliRunner

from streamer.apps.compose import Composer, Models, ModelSettings, Stages, load_models
from streamer.cli.main import app
from streamer.core import Frame, Outcome
from streamer.errors import PackageError, UsageError
from streamer.package import load_package
from streamer.pipeline import process
from streamer.profile import HardwareProfile, load_profile

RED = {"name": "red", "window_nm": [600, 650], "region_px": [0, 0, 48, 64]}
GREEN = {"name": "green", "window_nm": [500, 550], "region_px": [48, 0, 48, 64]}
SENSOR = (96, 64)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("together")
    build_package_of_channels(folder)
    return folder


@pytest.fixture(scope="module")
def models(package: Path) -> Models:
    return load_models(
        ModelSettings(model=str(package), segmenter="er-segment-live", precision="f32", threads=1)
    )


def profile(*channels: dict[str, Any], **tables: Any) -> HardwareProfile:
    fields: dict[str, Any] = load_profile("abberior_er_low").to_dict()
    fields["detector"]["channels"] = list(channels)
    fields["scan"]["shape_px"] = list(SENSOR)
    return HardwareProfile.model_validate(fields | tables)


def frames(count: int, shape: tuple[int, int] = SENSOR) -> list[Frame]:
    rng = np.random.default_rng(3)
    return [Frame(pixels=rng.poisson(0.7, shape).astype(np.uint8), seq=seq) for seq in range(count)]


class Kept(list[Outcome]):
    """A sink that keeps what it is handed."""

    put = list.append


def processed(stages: Stages, frames: Iterable[Frame]) -> Kept:
    kept = Kept()
    process(
        frames, record=lambda frame: None, sinks=(kept,), lag=lambda frame: (0.0, 0), **stages.as_arguments()
    )
    return kept


def test_each_channel_becomes_a_result_made_of_both(models: Models) -> None:
    composer = Composer(profile(RED, GREEN, processing={"segment_every": 2}), models)
    composer.warm_up(SENSOR)
    outcomes = processed(composer.stages(planned=10), frames(3))
    assert [[result.labels_seq for result in outcome.results] for outcome in outcomes] == [
        [None, None],
        [0, None],
        [None, 1],
    ]
    for outcome in outcomes:
        counts = outcome.frame.pixels.astype(np.float32).reshape(2, 48, 64)
        assert [result.frame.axes["channel"] for result in outcome.results] == ["red", "green"]
        for channel, result in enumerate(outcome.results):
            expected = np.tensordot(np.float32(CHANNEL_WEIGHTS[channel]), counts, 1)
            np.testing.assert_array_equal(result.photons, counts[channel])
            np.testing.assert_array_equal(result.denoised, expected)
            np.testing.assert_array_equal(result.uncertainty, SD_SHARE * expected)
    assert composer.engine_keys["denoiser"][-1]["shape"] == [1, 2, 48, 64]


def test_frames_above_the_profiles_limit_are_computed_in_tiles(models: Models, tmp_path: Path) -> None:
    """A network of single pixels has no reach, so that tiles of it are the whole frame to the bit."""
    build_package_of_channels(_made(tmp_path / "local"))
    rewrite(tmp_path / "local", lambda description: description["config"]["streamer"].update(reach_px=0))
    local = load_models(
        ModelSettings(model=str(tmp_path / "local"), segmenter="er-segment-live", precision="f32", threads=1)
    )
    small = profile(RED, GREEN, processing={"tiles_above_mpx": 0.001})
    whole, tiles = (
        processed(composer.stages(planned=10), frames(1))[0]
        for composer in (Composer(profile(RED, GREEN), models), Composer(small, local))
    )
    (key,) = local.denoiser.keys
    assert isinstance(key["shape"], list)
    assert key["shape"][2] * key["shape"][3] <= 1000
    for one, other in zip(whole.results, tiles.results, strict=True):
        np.testing.assert_array_equal(one.denoised, other.denoised)


def test_halves_are_dealt_of_both_channels_and_judged_by_the_own_one(models: Models) -> None:
    (outcome,) = processed(Composer(profile(RED, GREEN), models).stages(planned=10), frames(1))
    for channel, result in enumerate(outcome.results):
        halves = result.halves
        assert halves is not None
        np.testing.assert_array_equal(halves.photons_a + halves.photons_b, result.photons)
        # The network is linear, so that the halves' images add up to the whole one.
        np.testing.assert_array_equal(halves.denoised_a + halves.denoised_b, result.denoised)
        assert (halves.denoised_a != CHANNEL_WEIGHTS[channel][channel] * halves.photons_a).any()


def test_a_frame_without_one_of_the_channels_is_told_and_not_processed(models: Models) -> None:
    composer = Composer(profile(RED, GREEN), models)
    odd = replace(frames(1, (60, 64))[0], seq=1)
    first, second = processed(composer.stages(planned=10), [*frames(1), odd])
    assert len(first.results) == 2
    assert second.results == ()
    assert [(verdict.guard, verdict.status) for verdict in second.verdicts] == [("splitter", "flag")]


@pytest.mark.parametrize(
    ("channels", "words"),
    [
        ((), "photons 1 er, photons 2 puncta.*cuts frames into 0; use a profile with as many"),
        ((RED,), "cuts frames into 1; use a profile with as many"),
        (
            (RED, {**GREEN, "region_px": [48, 0, 40, 64]}),
            "have the sizes 40 x 64, 48 x 64; give all region_px one height and width",
        ),
    ],
    ids=["no channels", "one channel", "two sizes"],
)
def test_a_profile_with_other_channels_is_refused(
    models: Models, channels: tuple[dict[str, Any], ...], words: str
) -> None:
    with pytest.raises(PackageError, match=words) as refused:
        Composer(profile(*channels), models)
    assert "\n" not in str(refused.value)


def test_outputs_that_do_not_pair_with_the_inputs_are_refused(package: Path, tmp_path: Path) -> None:
    assert load_package(package).channels == 2
    assert load_package(package).gives_uncertainty
    folder = tmp_path / "odd"
    build_package_of_channels(_made(folder))

    def three(description: dict[str, Any]) -> None:
        axes = description["outputs"][0]["axes"]
        next(axis for axis in axes if axis["type"] == "channel")["channel_names"].pop()

    rewrite(folder, three)
    with pytest.raises(
        PackageError, match=r"outputs.0 has 3 channels; with context: channels it gives photons"
    ):
        load_package(folder)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_evaluate_says_that_it_judges_single_images(package: Path, tmp_path: Path) -> None:
    told = ["evaluate", str(package), "--frames", "2", "--size-px", "96", "--out", str(tmp_path / "e")]
    result = CliRunner().invoke(app, told)
    assert isinstance(result.exception, UsageError)
    assert "denoises 2 detection channels together" in str(result.exception)


def test_the_package_says_what_its_channels_are(package: Path) -> None:
    described = yaml.safe_load((package / "bioimageio.yaml").read_text())
    assert described["config"]["streamer"]["context"] == "channels"
