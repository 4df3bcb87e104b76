"""The table of joint denoising and carried labels, in a form that measures nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from tiny_package import build_package_of_channels
from typer.testing import CliRunner

from bench import joint
from bench.frames_page import joint as publish

EMPTY, DRAWN = np.zeros((4, 4), np.uint8), np.ones((4, 4), np.uint8)


@pytest.mark.parametrize(
    ("found", "own", "expected"),
    [(EMPTY, EMPTY, (0, 0)), (DRAWN, DRAWN, (16, 16)), (DRAWN, EMPTY, (0, 16)), (DRAWN, DRAWN * 2, (0, 16))],
    ids=["nothing", "equal", "drawn too much", "another class"],
)
def test_labels_agree_where_the_same_class_is_drawn(
    found: np.ndarray, own: np.ndarray, expected: tuple[int, int]
) -> None:
    assert joint.overlap(found, own) == expected


def test_the_table_has_a_row_for_each_way(tmp_path: Path) -> None:
    folder = tmp_path / "both"
    folder.mkdir()
    build_package_of_channels(folder)
    told = ["--model", str(folder), "--json", str(tmp_path / "joint.json"), "--single", "er-denoise-live"]
    small = ["--shape", "64", "64", "--size", "96", "--movies", "1", "--rounds", "1"]
    cli = typer.Typer()
    cli.command()(joint.main)
    how = ["--precision", "f32", "--threads", "1", "--interval-s", "2.0"]
    result = CliRunner().invoke(cli, [*told, *small, *how], catch_exceptions=False)
    report = json.loads((tmp_path / "joint.json").read_text())
    assert report["quick"]
    assert list(report["times"]) == ["two single passes, k = 1", *(f"joint, k = {k}" for k in (1, 2, 4, 8))]
    agreement = [report["quality"][f"joint, k = {k}"]["label_iou"] for k in (1, 2, 4, 8)]
    assert agreement[0] == 1.0
    assert agreement == sorted(agreement, reverse=True)
    assert agreement[-1] < 1.0
    assert "| joint, k = 8 |" in publish(report)
    images = {json.dumps(report["quality"][f"joint, k = {k}"]["channels"]) for k in (1, 2, 4, 8)}
    assert len(images) == 1
    assert result.stdout.count("joint, k = ") == 4
