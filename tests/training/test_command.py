"""`streamer train` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streamer.cli.main import app
from streamer.errors import UsageError
from streamer.package import load_package

TINY = [
    *("--steps", "2", "--fields", "1", "--field-px", "96", "--patch-px", "32"),
    *("--batch", "1", "--test-frames", "2", "--threads", "1"),
]


def test_train_writes_a_package_and_prints_its_scores(tmp_path: Path) -> None:
    out = tmp_path / "mine"
    told = ["train", "--kind", "denoiser", "--out", str(out), "--seed", "9", *TINY, "--json"]
    result = CliRunner().invoke(app, told, catch_exceptions=False)
    assert result.exit_code == 0
    assert json.loads(result.stdout)["frames"] == 2
    assert load_package(out).kind == "denoiser"
    card = (out / "README.md").read_text()
    assert "streamer train --kind denoiser --out mine --seed 9 --steps 2 --batch 1" in card
    assert str(tmp_path) not in card


def test_steps_and_minutes_together_are_refused(tmp_path: Path) -> None:
    told = ["train", "--kind", "denoiser", "--out", str(tmp_path / "x"), "--steps", "5", "--minutes", "1"]
    result = CliRunner().invoke(app, told)
    assert isinstance(result.exception, UsageError)
    assert "give one of them" in str(result.exception)


@pytest.mark.parametrize(("patch", "field"), [(33, 96), (128, 64)], ids=["no multiple", "too large"])
def test_patches_that_do_not_fit_are_refused_before_anything_is_simulated(
    tmp_path: Path, patch: int, field: int
) -> None:
    sizes = ["--patch-px", str(patch), "--field-px", str(field)]
    result = CliRunner().invoke(app, ["train", "--kind", "denoiser", "--out", str(tmp_path / "x"), *sizes])
    assert isinstance(result.exception, UsageError)
    assert "use a multiple of 16, at most" in str(result.exception)
    assert not (tmp_path / "x").exists()
