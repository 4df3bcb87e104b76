"""The calibration file belongs to one profile and one pair of networks, and says so when it does not fit."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_package import rewrite
from typer.main import get_command

from streamer.calibration import (
    CalibrationError,
    DarkNull,
    DetectorSeen,
    GuardCalibration,
    HealthyNull,
    Interval,
    Share,
    Source,
    Spread,
    apply,
    calibrated,
    check,
    in_words,
    of_now,
    read,
    write,
)
from streamer.cli.main import app
from streamer.package import ModelPackage, load_package
from streamer.profile import HardwareProfile, load_profile

DARK = Source(kind="movie", what="my movies/dark.tif", frames=300, shape_yx=[64, 64])
SPECIMENS = Source(kind="simulated", what="er", frames=60, shape_yx=[64, 64], seed=0)


def dark_null(similarity: float = 0.97, passed: int = 0, drawn: float = 2e-4) -> DarkNull:
    return DarkNull(
        source=DARK,
        results=300,
        passed=Share.out_of(passed, 300),
        stated_pass_rate=1e-3,
        statuses={"signal_map": {"reject": 300 - passed, "pass": passed}},
        drawn=Spread.of([drawn] * 300),
        similarity=Spread.of([similarity] * 299),
        similarity_seen=None,
        objects=Share.out_of(0, 0) if drawn > 0.5 else Share.out_of(1, 40),
        halved=30,
        box_photons=Spread.of([0.015] * 300),
        not_finite=Share.out_of(0, 300),
        stopped_at=22,
        minimum_frames=20,
        detector=DetectorSeen(
            offset_adu=0.0,
            read_noise_e=0.01,
            stated_offset_adu=0.0,
            stated_read_noise_e=0.0,
            photons_per_px=1.5e-4,
            dispersion=1.0,
        ),
    )


def healthy_null(similarity: float | None = 0.9) -> HealthyNull:
    return HealthyNull(
        source=SPECIMENS,
        results=60,
        statuses={"consistency": {"pass": 59, "flag": 1}},
        drawn=Spread.of([0.3] * 60),
        similarity=None if similarity is None else Spread.of([similarity] * 60),
        structure_spread=Interval(value=1.1, low=1.0, high=1.2),
        stated_spread=0.85,
        box_photons=Spread.of([30.0] * 60),
    )


@pytest.fixture(scope="module")
def profile() -> HardwareProfile:
    return load_profile("abberior_er_low")


@pytest.fixture(scope="module")
def packages() -> tuple[ModelPackage, ModelPackage]:
    return load_package("er-denoise-live"), load_package("er-segment-live")


@pytest.fixture
def made(profile: HardwareProfile, packages: tuple[ModelPackage, ModelPackage]) -> GuardCalibration:
    return of_now(profile, packages, engine_keys={}, versions={}, dark=dark_null(), healthy=healthy_null())


def test_what_is_written_is_read_and_fits(
    made: GuardCalibration,
    profile: HardwareProfile,
    packages: tuple[ModelPackage, ModelPackage],
    tmp_path: Path,
) -> None:
    path = tmp_path / "rig.calibration.json"
    write(path, made)
    assert read(path) == made
    used = apply(path, profile, packages)
    assert used.guards.consistency.structure_spread == 1.2
    assert used.to_dict() != profile.to_dict()
    assert HardwareProfile.model_validate(used.to_dict()) == used


def test_without_a_healthy_null_the_profile_stays(made: GuardCalibration, profile: HardwareProfile) -> None:
    assert calibrated(profile, made.model_copy(update={"healthy": None})) is profile


def test_a_changed_profile_is_refused_with_both_hashes_and_the_command(
    made: GuardCalibration, profile: HardwareProfile, packages: tuple[ModelPackage, ModelPackage]
) -> None:
    policy = profile.policy.model_copy(update={"dry_run": True})
    changed = profile.model_copy(update={"policy": policy})
    with pytest.raises(CalibrationError) as refused:
        check(made, changed, packages, path=Path("cal 1.json"))
    said = str(refused.value)
    assert said.startswith(f"cal 1.json: the profile abberior_er_low was {made.profile_sha256[:12]}...")
    command = said.partition("calibrate again: ")[2]
    asked = "--dark 'my movies/dark.tif' --simulate er --frames 60 --size-px 64 --out 'cal 1.json' --force"
    assert command == f"streamer calibrate abberior_er_low --model er-denoise-live {asked}"
    name, *arguments = shlex.split(command)[1:]
    get_command(app).commands[name].make_context(name, arguments).close()  # type: ignore[attr-defined]


def test_another_profile_or_model_is_named(
    made: GuardCalibration, packages: tuple[ModelPackage, ModelPackage], profile: HardwareProfile
) -> None:
    with pytest.raises(CalibrationError, match="profile abberior_er_low, this is simulated_sted"):
        check(made, load_profile("simulated_sted"), packages)
    other = load_package("er-denoise-causal"), packages[1]
    with pytest.raises(CalibrationError, match="model er-denoise-live, this is er-denoise-causal"):
        check(made, profile, other)


def test_changed_files_of_a_model_are_named(
    profile: HardwareProfile,
    packages: tuple[ModelPackage, ModelPackage],
    make_package: Callable[[str], Path],
) -> None:
    folder = make_package("mine")
    before = load_package(folder), packages[1]
    made = of_now(profile, before, engine_keys={}, versions={}, dark=dark_null(), healthy=None)
    check(made, profile, before)
    rewrite(folder, lambda description: description.update(name="another"))
    words = r"mine/bioimageio.yaml was [0-9a-f]{12}\.\.\., it is .* --model \S*/models/mine --segmenter er"
    with pytest.raises(CalibrationError, match=words):
        check(made, profile, (load_package(folder), packages[1]))


def without(key: str) -> Callable[[dict[str, Any]], None]:
    return lambda stored: stored.pop(key)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda stored: stored.update(format_version=2), "format_version = 2"),
        (without("format_version"), "format_version = null"),
        (without("profile_sha256"), "profile_sha256: Field required"),
        (lambda stored: stored.update(profile_sha256="abc"), "profile_sha256: String should match"),
        (lambda stored: stored.update(extra=1), "extra: Extra inputs"),
        (lambda stored: stored["dark"].update(results=-1), "dark.results"),
        (lambda stored: stored["dark"]["detector"].update(offset_adu=float("nan")), "finite number"),
        (lambda stored: stored["dark"]["passed"].update(count=999), "more than all"),
        (lambda stored: stored["packages"].pop(), "packages: List should have at least 2"),
    ],
)
def test_a_damaged_file_is_refused(
    made: GuardCalibration, tmp_path: Path, change: Callable[[dict[str, Any]], None], words: str
) -> None:
    path, stored = tmp_path / "a.json", json.loads(made.model_dump_json())
    change(stored)
    path.write_text(json.dumps(stored))
    with pytest.raises(CalibrationError, match=words) as refused:
        read(path)
    assert str(refused.value).startswith(str(path))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[1]", "format_version"),
        (b" " * 1_000_001, "larger than"),
        (None, "no such file"),
    ],
    ids=["empty", "bytes", "deep", "list", "large", "missing"],
)
def test_a_file_that_is_no_calibration_is_refused(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "b.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CalibrationError, match=words):
        read(path)


def words_of(dark: DarkNull | None, healthy: HealthyNull | None, made: GuardCalibration) -> str:
    return "\n".join(in_words(made.model_copy(update={"dark": dark, "healthy": healthy})))


@pytest.mark.parametrize(
    ("dark", "healthy", "said"),
    [
        (dark_null(), None, "rejected in 300 of 300; at most 0.99 % pass"),
        (dark_null(), None, "to confirm that takes 3,000 frames"),
        (dark_null(passed=20), None, "more than stated"),
        (dark_null(), None, "draws 0.02 % of the field"),
        (dark_null(), None, "similarity of 0.97: similarity alone cannot see darkness"),
        (dark_null(0.4), healthy_null(), "similarity falls when the light goes"),
        (dark_null(0.97), healthy_null(), "healthy ones of 0.90 (5 %: 0.90): similarity alone cannot"),
        (dark_null(), None, "stopped at frame 22"),
        (dark_null(), None, "of the dark frames 95 % or more are rejected by signal_map"),
        (dark_null(drawn=1.0), None, "draws 100 % of the field (99 % of frames: 100 %)"),
        (dark_null(drawn=1.0), None, "it invents structure from this detector's noise"),
        (dark_null(drawn=1.0), None, "fills the field"),
        (dark_null(drawn=0.02), None, "photons support 1 of 40 (at most 11 %)"),
        (None, healthy_null(), "spread by 1.1 (1 to 1.2); the profile states 0.85"),
        (None, healthy_null(), "consistency flags: 1 of 60"),
    ],
)
def test_it_is_said_in_words(
    dark: DarkNull | None, healthy: HealthyNull | None, said: str, made: GuardCalibration
) -> None:
    assert said in words_of(dark, healthy, made)
