"""What `streamer profiles` and `streamer models` print."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_package import MakePackage
from typer.testing import CliRunner

from streamer.cli import models, profiles
from streamer.errors import EngineError, PackageError, ProfileError, StreamerError
from streamer.profile import load_profile

RUN = CliRunner()
DOSES = ["dose", "abberior_er_ground_truth", "abberior_er_low"]


def test_dose_prints_the_papers_figures() -> None:
    printed = RUN.invoke(profiles.app, DOSES, catch_exceptions=False).output.split()
    assert printed[-1] == "6.0"
    assert "70.4" in printed


def test_dose_as_json() -> None:
    table = json.loads(RUN.invoke(profiles.app, [*DOSES, "--json"], catch_exceptions=False).output)
    assert table["ratio"] == {"excitation 640 nm": pytest.approx(70.375), "depletion 775 nm": 6}


def test_what_show_prints_is_a_profile(tmp_path: Path) -> None:
    shown = RUN.invoke(profiles.app, ["show", "abberior_er_low"], catch_exceptions=False).output
    path = tmp_path / "abberior_er_low.toml"
    path.write_text(shown, encoding="utf-8")
    assert load_profile(path) == load_profile("abberior_er_low")


def test_list_names_the_bundled_profiles() -> None:
    listed = json.loads(RUN.invoke(profiles.app, ["list", "--json"], catch_exceptions=False).output)
    assert {"abberior_er_low", "abberior_er_ground_truth"} <= listed.keys()


def test_a_checked_model_tells_how_far_it_strays(make_package: MakePackage) -> None:
    folder = str(make_package("tiny"))
    printed = RUN.invoke(models.app, ["check", folder, "--json"], catch_exceptions=False).output
    assert json.loads(printed)[folder]["holds"] is True


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
