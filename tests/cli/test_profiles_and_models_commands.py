"""What `streamer profiles` and `streamer models` print."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tiny_package import MakePackage, rewrite
from typer.testing import CliRunner

from streamer.cli import models, profiles
from streamer.engines import LADDER, absences
from streamer.errors import EngineError, PackageError, ProfileError, StreamerError, UsageError
from streamer.profile import list_profiles, load_profile

RUN = CliRunner()
DOSES = ["dose", "abberior_er_ground_truth", "abberior_er_low"]


def test_dose_prints_the_papers_figures() -> None:
    printed = RUN.invoke(profiles.app, DOSES, catch_exceptions=False).output.split()
    assert printed[-1] == "6.0"
    assert "70.4" in printed


def test_dose_as_json() -> None:
    table = json.loads(RUN.invoke(profiles.app, [*DOSES, "--json"], catch_exceptions=False).output)
    assert table["ratio"] == {"excitation 640 nm": pytest.approx(70.375), "depletion 775 nm": 6}


def test_an_edited_profile_changes_the_ratio_as_arithmetic_says(tmp_path: Path) -> None:
    text = list_profiles()["abberior_er_low"].read_text(encoding="utf-8")
    for old, new in (
        ("abberior_er_low", "gentle"),
        ("= 4.8", "= 2.4"),
        ("= 0.5", "= 0.25"),
        ("= 166", "= 83"),
    ):
        assert old in text
        text = text.replace(old, new, 1)
    (tmp_path / "gentle.toml").write_text(text, encoding="utf-8")
    compared = ["dose", "abberior_er_ground_truth", str(tmp_path / "gentle.toml"), "--json"]
    ratio = json.loads(RUN.invoke(profiles.app, compared, catch_exceptions=False).output)["ratio"]
    assert ratio["excitation 640 nm"] == pytest.approx(56.3 * 6 / 4.8 * 2 * 2)
    assert ratio["depletion 775 nm"] == pytest.approx(6 * 2 * 2)


def test_a_dose_that_is_unknown_says_what_is_lacking() -> None:
    printed = RUN.invoke(profiles.app, ["dose", "zhanghao_m1"], catch_exceptions=False).output
    assert "unknown (power, exposure_ms, illuminated_um2, pixel_nm) at an unknown place" in printed


@pytest.mark.parametrize("name", list_profiles())
def test_bundled_profiles_are_sound_and_can_be_shown(name: str, tmp_path: Path) -> None:
    assert f"{name}: sound" in RUN.invoke(profiles.app, ["check", name], catch_exceptions=False).output
    path = tmp_path / f"{name}.toml"
    path.write_text(RUN.invoke(profiles.app, ["show", name], catch_exceptions=False).output, encoding="utf-8")
    assert load_profile(path) == load_profile(name)


def test_the_schema_is_json() -> None:
    printed = json.loads(RUN.invoke(profiles.app, ["schema"], catch_exceptions=False).output)
    assert printed["required"] == ["profile", "lasers", "detector"]


@pytest.fixture
def demo_config() -> Path:
    adapters: str = pytest.importorskip("mm_test_adapters").device_adapter_path()
    return Path(adapters) / "MMConfig_demo.cfg"


def new(config: Path, *arguments: object) -> str:
    """What `profiles new` prints."""
    words = ["new", "--from-mm", str(config), *map(str, arguments)]
    return RUN.invoke(profiles.app, words, catch_exceptions=False).output


def test_a_begun_profile_passes_the_check(demo_config: Path, tmp_path: Path) -> None:
    path = tmp_path / "rigs" / "rig2.toml"
    assert new(demo_config, "--out", path).startswith(f"{path}\n")
    checked = RUN.invoke(profiles.app, ["check", str(path)], catch_exceptions=False)
    assert checked.stdout == "rig2: sound\n"
    assert "streamer calibrate" in checked.stderr


def test_a_begun_profile_goes_to_the_users_own(
    demo_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profiles, "search_path", lambda kind: (tmp_path / kind,))
    new(demo_config)
    assert load_profile(tmp_path / "hardware_profiles" / "mmconfig_demo.toml").camera


def test_a_profile_is_never_overwritten(demo_config: Path, tmp_path: Path) -> None:
    path = tmp_path / "rig2.toml"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(ProfileError, match="exists and is not overwritten"):
        new(demo_config, "--out", path)
    assert path.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--name", "Rig 2"], id="spaces"),
        pytest.param(["--name", "rig2", "--out", "rig3.toml"], id="two names"),
        pytest.param(["--out", "rig2.cfg"], id="no TOML"),
        pytest.param(["--name", "../rig2"], id="another folder"),
    ],
)
def test_a_profile_is_called_like_its_file(
    demo_config: Path, arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="a profile is called like its file"):
        new(demo_config, *arguments)
    assert list(tmp_path.iterdir()) == []


def test_list_names_the_bundled_profiles() -> None:
    listed = json.loads(RUN.invoke(profiles.app, ["list", "--json"], catch_exceptions=False).output)
    assert {"abberior_er_low", "abberior_er_ground_truth"} <= listed.keys()


CHECK_TINY = ["--shape", "32", "32", "--threads", "1"]


def test_a_checked_model_tells_how_far_each_engine_strays_and_how_long_it_takes(
    make_package: MakePackage,
) -> None:
    folder = str(make_package("tiny"))
    printed = RUN.invoke(models.app, ["check", folder, "--json", *CHECK_TINY], catch_exceptions=False).output
    told = json.loads(printed)
    here = set(LADDER) - told["absent"].keys()
    rows = told["packages"][folder]["rows"]
    assert {row["engine"] for row in rows} == here
    assert all(why["reason"] for why in told["absent"].values())
    for row in rows:
        assert row["verdict"] == "sound"
        assert row["channels"] == {"photons": row["relative_rms"]}
        assert row["relative_rms"] <= row["tolerance"]
        assert (row["shape_yx"], row["n"] > 0, row["ms"] > 0) == ([32, 32], True, True)
        assert row["max_error"] >= 0
    assert " ms" in told["packages"][folder]["auto"]
    assert told["machine"]["usable_cores"] >= 1


def test_a_check_in_words_names_engines_that_are_not_here(make_package: MakePackage) -> None:
    folder = str(make_package("tiny"))
    printed = RUN.invoke(models.app, ["check", folder, *CHECK_TINY], catch_exceptions=False).output
    for name, why in absences().items():
        assert f"{name:14} not here: {why.words}" in printed
    assert "  auto: " in printed
    assert "  torch        f32   sound   max error" in printed


def test_an_engine_that_strays_fails_the_check(make_package: MakePackage) -> None:
    folder = make_package("tiny")
    np.save(folder / "test_output.npy", 1.5 * np.load(folder / "test_output.npy"))
    rewrite(folder, lambda description: description["outputs"][0]["test_tensor"].pop("sha256"))
    with pytest.raises(EngineError, match=r"openvino f32, .*torch f32 strays from the test output") as raised:
        RUN.invoke(models.app, ["check", str(folder), *CHECK_TINY], catch_exceptions=False)
    assert raised.value.exit_code == 1


def test_a_package_that_runs_on_no_engine_fails_the_check(make_package: MakePackage) -> None:
    folder = make_package("tiny")
    rewrite(folder, lambda description: description.update(weights={}))
    with pytest.raises(EngineError, match="runs on no engine here: tiny: holds no ONNX weights"):
        RUN.invoke(models.app, ["check", str(folder), *CHECK_TINY], catch_exceptions=False)


@pytest.mark.parametrize(
    ("app", "arguments", "error"),
    [
        pytest.param(profiles.app, ["check", "no_such_rig"], ProfileError, id="unknown profile"),
        pytest.param(models.app, ["check", "no-such-model"], PackageError, id="unknown model"),
        pytest.param(models.app, ["check", "TINY", "--engine", "x"], EngineError, id="unknown engine"),
    ],
)
def test_errors_reach_the_command_line_as_ours(
    app: object, arguments: list[str], error: type[StreamerError], make_package: MakePackage
) -> None:
    tiny = str(make_package("tiny"))
    with pytest.raises(error):
        RUN.invoke(app, [tiny if word == "TINY" else word for word in arguments], catch_exceptions=False)
