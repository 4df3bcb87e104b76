"""Before a long run: what fits, what does not, and what nobody knows."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tiny_package import MakePackage, rewrite

from streamer.apps.preflight import preflight, to_json
from streamer.package import load_package
from streamer.profile import HardwareProfile, load_profile
from streamer.wire import Hello

NOW = datetime.fromisoformat("2026-03-01T22:00:00+01:00")
#: What the core of MMConfig_demo.cfg reports.
CORE = {"exposure_ms": 10.0, "binning": 1, "pixel_um": 1.0, "shape": [512, 512], "bit_depth": 16}
GB = 10**9


def found(
    profile: str | HardwareProfile = "democamera",
    camera: dict[str, Any] | None = None,
    *,
    planned: int = 0,
    free_bytes: int = 1000 * GB,
    **more: Any,
) -> dict[str, tuple[str, str]]:
    """Status and words of each check."""
    rig = load_profile(profile) if isinstance(profile, str) else profile
    hello = Hello(run="r", profile=rig.name, planned=planned, camera=CORE if camera is None else camera)
    checks = preflight(rig, hello, Path("runs/x"), free_bytes=free_bytes, now=NOW, **more)
    return {check.check: (check.status, check.words) for check in checks}


def changed(profile: str, **tables: Any) -> HardwareProfile:
    """A bundled profile with some tables changed, key by key."""
    stated: dict[str, Any] = load_profile(profile).to_dict()
    for name, keys in tables.items():
        stated[name] = {**stated[name], **keys} if isinstance(keys, dict) else keys
    return HardwareProfile.model_validate(stated)


# A frame of abberior_er_low takes 600 x 600 x 8 bytes = 2.88 MB and 0.6 s.
@pytest.mark.parametrize(
    ("planned", "free_bytes", "status", "words"),
    [
        pytest.param(5480, 100 * GB, "pass", "5480 frames need 15.8 GB of 100 GB free", id="it fits"),
        pytest.param(5480, 16 * GB, "warn", "leave room for the spool", id="it just fits"),
        pytest.param(5480, 10 * GB, "fail", "full after frame 3472; make room", id="it does not fit"),
        pytest.param(0, 1000 * GB, "pass", "open-ended: 1 TB are full in 57.9 h at 0.6 s", id="no end"),
        pytest.param(0, 100 * GB, "warn", "full in 5.79 h", id="no end and little room"),
        pytest.param(10**400, GB, "fail", "full after frame 347", id="absurd"),
        pytest.param(-5, 1000 * GB, "pass", "open-ended", id="less than none"),
    ],
)
def test_disk(planned: int, free_bytes: int, status: str, words: str) -> None:
    told = found("abberior_er_low", {}, planned=planned, free_bytes=free_bytes)["disk"]
    assert told[0] == status
    assert words in told[1]


def test_the_core_knows_better_how_large_a_frame_is() -> None:
    camera = {"shape": [1000, 1000], "bit_depth": 8}
    assert "100 frames need 0.7 GB" in found("abberior_er_low", camera, planned=100)["disk"][1]


def test_a_model_that_gives_its_uncertainty_needs_more_disk(make_package: MakePackage) -> None:
    def with_deviation(description: dict[str, Any]) -> None:
        description["outputs"][0]["axes"][1]["channel_names"] = ["photons", "standard deviation"]

    folder = make_package("sure")
    for needed in ("15.8 GB", "23.7 GB"):
        told = found("abberior_er_low", {}, planned=5480, denoiser=load_package(folder))["disk"]
        assert f"5480 frames need {needed} of" in told[1]
        rewrite(folder, with_deviation)


@pytest.mark.parametrize("name", ["zhanghao_m1", "abberior_er_low_tophat"])
def test_a_frame_of_unknown_size_leaves_the_disk_unknown(name: str) -> None:
    told = found(name, {}, planned=100)
    assert told["disk"][0] == "unknown"
    assert "state shape_px" in told["disk"][1]
    assert told["frame size"][0] == "unknown"


@pytest.mark.parametrize(
    ("profile", "planned", "status", "words"),
    [
        pytest.param("abberior_er_low", 5480, "pass", "Sunday 01 March, 22:54", id="soon"),
        pytest.param("abberior_er_low", 42000, "pass", "Monday 02 March, 05:00", id="in the night"),
        pytest.param("abberior_er_low", 0, "unknown", "open-ended", id="open-ended"),
        pytest.param("abberior_er_ground_truth", 9, "unknown", "state frame_ms", id="no interval"),
        pytest.param("abberior_er_low", 10**15, "pass", "at the earliest", id="absurd"),
    ],
)
def test_when_it_will_end(profile: str, planned: int, status: str, words: str) -> None:
    told = found(profile, {}, planned=planned)["end"]
    assert told[0] == status
    assert words in told[1]


def test_a_core_that_agrees_passes() -> None:
    told = found()
    checks = ("pixel size", "bit depth", "binning", "exposure", "frame size")
    assert {told[check][0] for check in checks} == {"pass"}


@pytest.mark.parametrize(
    ("reported", "check", "status", "words"),
    [
        pytest.param({"exposure_ms": 50}, "exposure", "warn", "says 10 ms, the core 50 ms", id="exposure"),
        pytest.param({"binning": 2}, "binning", "fail", "says 1 pixels, the core 2 pixels", id="binning"),
        pytest.param({"pixel_um": 0.5}, "pixel size", "fail", "says 1000 nm, the core 500 nm", id="pixel"),
        pytest.param({"bit_depth": 12}, "bit depth", "fail", "correct the wrong one", id="bit depth"),
        pytest.param({"shape": [512, 256]}, "frame size", "warn", "[512, 256]", id="shape"),
        pytest.param({"pixel_um": 1.001}, "pixel size", "pass", "1001 nm", id="rounding"),
        pytest.param({"pixel_um": None}, "pixel size", "unknown", "unknown to the core", id="not said"),
        pytest.param({"pixel_um": "wide"}, "pixel size", "unknown", "unknown to the core", id="words"),
        pytest.param({"pixel_um": float("nan")}, "pixel size", "unknown", "unknown", id="no number"),
        pytest.param({"binning": True}, "binning", "unknown", "unknown", id="truth"),
        pytest.param({"shape": [512]}, "frame size", "pass", "[512, 512]", id="half a shape"),
        pytest.param({"shape": [0.5, 9]}, "frame size", "pass", "[512, 512]", id="shape of nothing"),
        pytest.param({"shape": {"y": 3}}, "frame size", "pass", "[512, 512]", id="strange shape"),
    ],
)
def test_the_profile_against_the_core(reported: dict[str, Any], check: str, status: str, words: str) -> None:
    told = found(camera=CORE | reported)[check]
    assert told[0] == status
    assert words in told[1]


def test_a_splitter_that_leaves_the_sensor_fails() -> None:
    told = found("simulated_splitter", {"shape": [256, 500]})["frame size"]
    assert told[0] == "fail"
    assert "of red leaves frames of [256, 500]" in told[1]


@pytest.mark.parametrize(
    ("state", "status", "words"),
    [
        pytest.param({"Excitation-Power_uW": "4.8"}, "pass", "4.8 uW", id="as planned"),
        pytest.param({"Excitation-Power_uW": 6.0}, "warn", "says 4.8 uW, the engine 6 uW", id="else"),
        pytest.param({"Excitation-Power_uW": 96.0}, "fail", "outside of the limits of control", id="beyond"),
        pytest.param({"Excitation-Power_uW": "off"}, "unknown", "not stated by the engine", id="nonsense"),
        pytest.param(None, "unknown", "not stated by the engine", id="before the first frame"),
    ],
)
def test_laser_power(state: dict[str, str | float] | None, status: str, words: str) -> None:
    told = found("simulated_sted", state=state)["excitation 640 nm"]
    assert told[0] == status
    assert words in told[1]


def test_a_rig_without_lasers_has_no_dose() -> None:
    assert found()["lasers"][0] == "unknown"


@pytest.mark.parametrize(
    ("profile", "status", "words"),
    [
        pytest.param("abberior_er_low", "pass", "counts photons", id="counting"),
        pytest.param("democamera", "pass", "1 e/ADU, offset 0, read noise 0 e", id="camera"),
        pytest.param("zhanghao_m2", "warn", "all guards but health are off", id="unknown"),
    ],
)
def test_calibration(profile: str, status: str, words: str) -> None:
    told = found(profile)["calibration"]
    assert told[0] == status
    assert words in told[1]


def test_the_model_says_what_it_was_trained_on() -> None:
    status, words = found(denoiser=load_package("er-denoise-live"))["model"]
    assert status == "pass"
    assert "photons a box" in words


@pytest.mark.parametrize(
    ("profile", "denoiser", "spread", "warned"),
    [
        pytest.param("abberior_er_low", "er-denoise-live", 0.85, False, id="its own"),
        pytest.param("abberior_er_low", "cell-denoise-live", 0.85, True, id="of another"),
        pytest.param("abberior_er_low", "cell-denoise-live", 1.2, False, id="calibrated"),
        pytest.param("zhanghao_m2", "cell-denoise-live", 0.85, False, id="off anyway"),
    ],
)
def test_the_spread_of_another_denoiser_is_named(
    profile: str, denoiser: str, spread: float, warned: bool
) -> None:
    rig = changed(profile, guards={"consistency": {"structure_spread": spread}})
    told = found(rig, denoiser=load_package(denoiser)).get("guard consistency")
    assert (told is not None) == warned
    if told is not None:
        cure = "`streamer calibrate abberior_er_low --model cell-denoise-live --simulate er`"
        assert told[0] == "warn"
        assert cure in told[1]
        assert "--calibration" in told[1]


def test_guards_that_are_off_are_named() -> None:
    off = {"flag": "ignore", "reject": "ignore"}
    rig = changed("abberior_er_low", guards={"actions": {"similarity": off}})
    assert found(rig)["guard similarity"] == (
        "warn",
        "both verdicts are ignored; see [guards.actions.similarity]",
    )
    assert "guard similarity" not in found("abberior_er_low")


@pytest.mark.parametrize(
    ("tables", "status", "words"),
    [
        pytest.param({}, "pass", "on signal_map, photons, range", id="three guards may"),
        pytest.param({"policy": {"dry_run": True}}, "warn", "[policy] dry_run = true", id="dry run"),
        pytest.param(
            {
                "guards": {
                    "actions": {name: {"reject": "note"} for name in ("signal_map", "photons", "range")}
                }
            },
            "warn",
            'no reaction in [guards.actions] is "stop"',
            id="none may",
        ),
    ],
)
def test_what_may_stop_the_run(tables: dict[str, Any], status: str, words: str) -> None:
    told = found(changed("abberior_er_low", **tables))["stop"]
    assert told[0] == status
    assert words in told[1]


def test_guards_that_are_off_stop_no_run() -> None:
    off = found("zhanghao_m2")["stop"]
    assert off == ("warn", "no guard will stop this run: those that may are off, see calibration")
    stated = load_profile("zhanghao_m2").to_dict()["guards"]
    damaged = {"actions": {**stated["actions"], "health": {"flag": "note", "reject": "stop"}}}
    assert found(changed("zhanghao_m2", guards=damaged))["stop"] == ("pass", "on health")


def test_a_splitter_that_cannot_split_is_told() -> None:
    told = found("zhanghao_m2", {})
    assert told["splitter"][0] == "warn"
    assert told["guard range"][0] == "warn"  # no bit depth


def test_free_space_is_that_of_the_disk_of_the_recording(tmp_path: Path) -> None:
    rig = load_profile("abberior_er_low")
    checks = preflight(rig, Hello(run="r", profile=rig.name), tmp_path / "not" / "there" / "yet")
    assert checks[0].check == "disk"
    assert checks[0].status in ("pass", "warn")
    assert json.loads(json.dumps(to_json(checks)))[0]["words"] == checks[0].words
