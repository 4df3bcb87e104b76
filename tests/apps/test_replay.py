"""Replays: computed again, not copied."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from apps_cli import Cli

from streamer.resources import search_path

Demo = tuple[Path, dict[str, Any]]


def rows(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "frames.jsonl").read_text().splitlines()]


@pytest.mark.live
def test_a_replay_recomputes_the_same_verdicts_and_pixels(quick_demo: Demo, cli: Cli, tmp_path: Path) -> None:
    run, report = quick_demo
    done = cli("replay", run, "--out", tmp_path / "again", "--json")
    assert done.code == 0, done.err
    compared = done.json["comparison"]
    assert compared["frames"] == compared["identical"] == report["processed"]
    for image in ("raw.ome.zarr/0", "annotated.ome.zarr/0", "annotated.ome.zarr/labels/trust/0"):
        old, new = (zarr.open_array(folder / image, mode="r")[:] for folder in (run, tmp_path / "again"))
        np.testing.assert_array_equal(old, new)
    assert done.json["summary"]["stop"]["frame"] == report["stop"]["frame"]


@pytest.mark.live
def test_a_run_is_replayed_with_the_very_models_it_was_recorded_with(
    quick_demo: Demo, cli: Cli, tmp_path: Path
) -> None:
    """Own models are found by their folder; where it is gone, the user is told what to give."""
    folder = next(path for path in search_path("models") if (path / "er-denoise-live").is_dir())
    mine = Path(shutil.copytree(folder / "er-denoise-live", tmp_path / "mine"))
    options = ("--out", tmp_path / "first", "--model", mine, "--json")
    assert cli("replay", quick_demo[0], *options).code == 0
    done = cli("replay", tmp_path / "first", "--out", tmp_path / "second", "--json")
    assert done.code == 0, done.err
    assert done.json["comparison"]["identical"] == quick_demo[1]["processed"]
    mine.rename(tmp_path / "moved")
    done = cli("replay", tmp_path / "first", "--out", tmp_path / "third")
    assert done.code == 2
    assert "give its folder with --model" in done.err


@pytest.mark.live
def test_another_precision_is_told_beside_the_verdicts_it_changes(
    quick_demo: Demo, cli: Cli, tmp_path: Path
) -> None:
    options = ("--out", tmp_path / "again", "--engine", "torch", "--quiet")
    done = cli("replay", quick_demo[0], *options)
    assert done.code == 0, done.err
    assert "denoiser runtime openvino, now torch" in done.out


@pytest.mark.live
def test_one_flipped_bit_of_a_raw_frame_changes_that_frames_verdicts(
    quick_demo: Demo, cli: Cli, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(quick_demo[0], tmp_path / "run"))
    raw = zarr.open_array(run / "raw.ome.zarr" / "0", mode="r+")
    frame = raw[7]
    frame[0, 0, 100, 100] ^= 1
    raw[7] = frame
    done = cli("replay", run, "--out", tmp_path / "again", "--json")
    assert done.code == 0, done.err
    differing = done.json["comparison"]["differing"]
    assert differing[0] == 7
    before, after = (rows(folder)[7]["verdicts"] for folder in (run, tmp_path / "again"))
    assert [v["measured"] for v in before] != [v["measured"] for v in after]
    assert [row["verdicts"] for row in rows(run)[:7]] == [r["verdicts"] for r in rows(tmp_path / "again")[:7]]


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("images", "shape", "further"),
    [
        ("sted_actin_neurons", (224, 224), ("--offset", 0)),
        ("confocal_fmd", (512, 512), ()),
    ],
)
def test_real_images_run_through_and_the_range_guard_flags_them(
    realdata: Path, cli: Cli, tmp_path: Path, images: str, shape: tuple[int, int], further: tuple[object, ...]
) -> None:
    options = ("--profile", "abberior_er_low", *further, "--out", tmp_path / "run", "--json")
    done = cli("replay", realdata / images, *options)
    assert done.code == 0, done.err
    report = done.json
    raw = zarr.open_array(tmp_path / "run" / "raw.ome.zarr" / "0", mode="r")
    assert raw.shape[-2:] == shape
    assert raw.shape[0] == report["summary"]["recorded"] == report["summary"]["processed"] > 0
    assert report["verdicts"]["range"].get("flag", 0) == report["summary"]["processed"], report["words"]


def test_images_without_a_profile_are_not_guessed(cli: Cli, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((64, 64), np.uint16))
    done = cli("replay", tmp_path / "a.tif", "--out", tmp_path / "run")
    assert done.code == 2
    assert "--profile is missing" in done.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("shape", [(70, 131), (64, 64), (8, 300)], ids=str)
def test_frames_of_any_size_are_padded_and_cropped(cli: Cli, tmp_path: Path, shape: tuple[int, int]) -> None:
    frames = np.random.default_rng(3).poisson(0.3, (3, *shape)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", frames, photometric="minisblack")
    options = ("--profile", "abberior_er_low", "--out", tmp_path / "run")
    done = cli("replay", tmp_path / "a.tif", *options)
    assert done.code == 0, done.err
    annotated = zarr.open_array(tmp_path / "run" / "annotated.ome.zarr" / "0", mode="r")
    assert annotated.shape == (3, 3, 1, *shape)  # denoised, its uncertainty, and trust
