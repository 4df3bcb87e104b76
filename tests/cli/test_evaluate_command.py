"""`streamer evaluate` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_package import MakePackage
from typer.testing import CliRunner

from streamer.cli.main import app
from streamer.errors import UsageError

SMALL = ["--frames", "2", "--size-px", "96", "--seed", "3", "--threads", "1"]


def test_the_table_names_methods_measures_and_opinions(make_package: MakePackage, tmp_path: Path) -> None:
    out = tmp_path / "evaluation"
    told = ["evaluate", str(make_package("mine")), *SMALL, "--levels", "28", "--out", str(out)]
    result = CliRunner().invoke(app, told, catch_exceptions=False, env={"COLUMNS": "120"})
    assert result.exit_code == 0
    for words in (
        *("er: 2 frames, seed 3, level 28", "raw", "mine", "PSNR, dB", "FRC over references"),
        *("mine against raw, paired over frames", "mine, range guard on these frames"),
    ):
        assert words in result.output
    assert "LPIPS" in result.output
    assert (out / "evaluation.json").exists()


def test_json_goes_to_stdout_alone(make_package: MakePackage) -> None:
    result = CliRunner().invoke(app, ["evaluate", str(make_package("mine")), *SMALL, "--json"])
    found = json.loads(result.stdout)
    assert found["levels"][0]["methods"]["mine"]["metrics"]["psnr"]["per_frame"]


@pytest.mark.parametrize("levels", ["28,x", "28;9", ","])
def test_levels_that_are_no_numbers_are_refused(levels: str) -> None:
    result = CliRunner().invoke(app, ["evaluate", "er-denoise-live", "--levels", levels])
    assert isinstance(result.exception, UsageError)
    assert "use numbers with commas between" in str(result.exception)


def test_structures_may_have_blanks_between(make_package: MakePackage) -> None:
    told = ["evaluate", str(make_package("mine")), *SMALL, "--simulate", "er, puncta", "--json"]
    found = json.loads(CliRunner().invoke(app, told, catch_exceptions=False).stdout)
    assert [level["structure"] for level in found["levels"]] == ["er", "puncta"]


def test_pairs_ask_for_what_makes_photons_of_grey_levels(make_package: MakePackage, tmp_path: Path) -> None:
    told = ["evaluate", str(make_package("mine")), "--pairs", str(tmp_path), "--gain", "2"]
    result = CliRunner().invoke(app, told)
    assert "give --profile, or --offset and --gain" in str(result.exception)
    result = CliRunner().invoke(app, [*told, "--offset", "0", "--pixel-nm", "20"])
    assert "holds no low/ and high/" in str(result.exception)
