"""The short form of the comparison, with fixed seeds, from specimens to pictures."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_package import PAST_WEIGHTS, SD_SHARE, build_package_with_past

from bench.classical import GRIDS
from bench.models import Options, compact, run
from bench.models_measure import FALSE_SHARES, detection, frc_curve
from bench.models_methods import Method, Packaged, Remembered, past_of, raw_and_filters, tuning_frames
from bench.models_page import SECTIONS
from bench.models_picture import busiest, draw_results, panels_figure, save
from bench.models_structures import FILTER, MAPS, Guard, emitter_maps, mapped, structures
from streamer.analysis import held_out
from streamer.metrics.quality import median_box_sum

LIVE = "er-denoise-live"
SHORT = Options(
    models=((LIVE, LIVE, "ours"), ("again", LIVE, "other")),
    levels=(28.0,),
    frames=2,
    size_px=128,
    tuning=1,
    tuning_px=96,
    structure_frames=0,
    filters={name: grid[3::30] for name, grid in GRIDS.items()},
)


@pytest.fixture(scope="module")
def causal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package that sees two frames before each and states an error."""
    folder = tmp_path_factory.mktemp("causal")
    build_package_with_past(folder)
    return folder


@pytest.fixture(scope="module")
def short(causal: Path) -> tuple[dict[str, Any], dict[float, Any]]:
    """One level, few settings of each filter."""
    return run(replace(SHORT, models=(*SHORT.models, ("causal", str(causal), "other"))))


def test_every_method_is_judged_on_the_same_frames(short: Any) -> None:
    rows = {row["method"]: row for row in short[0]["levels"][0]["rows"]}
    assert list(rows) == ["raw", *GRIDS, LIVE, "again", "causal"]
    assert short[0]["quick"]
    for row in rows.values():
        assert len(row["pixel_curve"]) == len(FALSE_SHARES)
        assert row["metrics"]["psnr"]["interval_95"] is not None


def test_the_shipped_model_is_far_above_raw_and_equal_to_itself(short: Any) -> None:
    rows = {row["method"]: row for row in short[0]["levels"][0]["rows"]}
    assert rows["raw"]["against"]["psnr"]["standing"] == "equal"  # two frames can show nothing
    assert rows["raw"]["against"]["psnr"]["difference"] < -6
    assert rows[LIVE]["metrics"]["psnr"]["value"] > rows["raw"]["metrics"]["psnr"]["value"] + 6
    assert rows["again"]["against"]["psnr"] == {
        "difference": 0.0,
        "interval_95": [0.0, 0.0],
        "standing": "equal",
    }


def test_an_error_is_judged_where_one_is_stated(short: Any) -> None:
    rows = {row["method"]: row["metrics"] for row in short[0]["levels"][0]["rows"]}
    assert "coverage_all" in rows["causal"]
    assert "coverage_all" not in rows["raw"]


def test_a_network_with_a_past_sees_the_frames_before(causal: Path) -> None:
    packaged = Packaged(str(causal))
    frames = held_out("er", 1, 5, 28.0, 128)
    packaged.remember(frames, "er")
    image, deviation = packaged(frames[0].counts)
    seen = (frames[0].counts, *past_of(frames[0], 2, "er"))
    expected = sum(weight * photons for weight, photons in zip(PAST_WEIGHTS, seen, strict=True))
    np.testing.assert_array_equal(image, expected)
    assert deviation is not None
    np.testing.assert_allclose(deviation, SD_SHARE * expected, rtol=1e-6)


def test_the_past_of_an_empty_field_is_as_empty_and_always_the_same(causal: Path) -> None:
    packaged = Packaged(str(causal))
    empty = np.random.default_rng(1).poisson(0.03, (64, 64)).astype(np.float32)
    image, _ = packaged(empty)
    assert image.mean() == pytest.approx(sum(PAST_WEIGHTS) * empty.mean(), rel=0.3)
    assert not np.array_equal(image, sum(PAST_WEIGHTS) * empty)
    np.testing.assert_array_equal(packaged(empty)[0], image)


def test_the_page_and_the_pictures_come_from_the_run(short: Any, tmp_path: Path) -> None:
    results, crops = short
    said = {name: section(results) for name, section in SECTIONS["models"].items()}
    assert all(said.values())
    for row in results["levels"][0]["rows"]:
        assert row["method"] in said["table"]
    assert LIVE in said["training"]
    draw_results(results, crops, tmp_path)
    for name in ("models-crops.png", "models-curves.png"):
        assert 1_000 < (tmp_path / name).stat().st_size < 300_000


def test_results_are_written_short_and_whole(short: Any) -> None:
    text = compact(short[0])
    assert json.loads(text) == json.loads(json.dumps(short[0]))
    assert max(map(len, text.splitlines())) < 2_000


def test_a_perfect_method_loses_nothing_and_a_blind_one_nearly_all() -> None:
    frames = held_out("er", 2, 5, 28.0, 128)
    empty = np.random.default_rng(1).poisson(0.03, 128 * 128).astype(np.float32) * np.float32(0.01)
    perfect = detection([frame.truth for frame in frames], frames, empty, 1)
    rng = np.random.default_rng(2)
    noise = [rng.random(frame.truth.shape, np.float32) for frame in frames]
    blind = detection(noise, frames, rng.random(128 * 128, np.float32), 1)
    assert perfect["value"] == 1.0
    assert blind["value"] == pytest.approx(0.01, abs=0.01)
    shares = [kept for _, kept in blind["curve"]]
    assert shares == sorted(shares)


def test_the_mean_curve_of_equal_images_is_one() -> None:
    images = [np.random.default_rng(seed).random((64, 64), np.float32) for seed in (1, 2)]
    assert all(value == pytest.approx(1.0, abs=1e-3) for _, value in frc_curve(images, images))


def test_a_remembered_method_is_asked_once_for_each_image() -> None:
    asked: list[int] = []

    def method(photons: Any) -> tuple[Any, None]:
        asked.append(1)
        return photons, None

    remembered = Remembered(method)
    image = np.zeros((4, 4), np.float32)
    assert remembered(image)[0] is remembered(image)[0]
    remembered(image.copy())
    assert len(asked) == 2


def test_a_real_emitter_map_is_seen_at_the_level(tmp_path: Path) -> None:
    lines = np.zeros((96, 96), np.float32)
    lines[20:40] = lines[60:80] = 1.0
    (tmp_path / "stripes").mkdir()
    np.save(tmp_path / "stripes" / "0.npy", lines)
    frame = mapped(tmp_path / "stripes" / "0.npy", 28.0)
    assert median_box_sum(frame.counts, frame.labels) == pytest.approx(28, rel=0.2)
    assert not np.array_equal(frame.reference_a, frame.reference_b)


def test_another_structure_comes_with_the_opinion_of_the_guard(short: Any) -> None:
    filters = raw_and_filters(tuning_frames(28.0, 1, 3, 64), {FILTER: GRIDS[FILTER][:1]})
    live = Method(name=LIVE, kind="ours", setting="", denoise=Packaged(LIVE))
    found = structures([*filters, live], Guard(LIVE), 28.0, 5, 2, 96, None)
    er, microtubules = islice(found, 2)
    assert (er["structure"], microtubules["structure"]) == ("er", "microtubules")
    for part in (er, microtubules):
        assert [row["kind"] for row in part["rows"]] == ["raw", "filter", "ours"]
        assert 0 <= part["guard"]["flagged"] <= part["frames"] == 2
    said = SECTIONS["models"]["structures"](short[0] | {"structures": [er, microtubules]})
    assert "| er | yes | 2 |" in said
    assert "| microtubules | no | 2 |" in said


def test_the_guard_flags_what_the_model_does_not_know() -> None:
    frame = held_out("er", 1, 5, 28.0, 128)[0]
    guard = Guard(LIVE)
    assert guard(replace(frame, counts=40 * frame.counts)).status == "flag"


def test_real_maps_are_found_by_kind(tmp_path: Path) -> None:
    for name in ("maps/examples/a/0", "maps/examples/a/1", "maps/examples/b/0"):
        path = tmp_path / MAPS / f"{name}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.eye(4))
    found = emitter_maps(tmp_path)
    assert {name: len(paths) for name, paths in found.items()} == {"a": 2}


def test_the_busiest_window_is_shown() -> None:
    image = np.zeros((100, 100), np.float32)
    image[60:70, 62:72] = 1.0
    rows, columns = busiest(image, 40)
    assert image[rows, columns].sum() == image.sum()


def test_pictures_say_nothing_of_the_machine(tmp_path: Path) -> None:
    save(panels_figure([[("a", np.eye(8), 1.0)]]), tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    assert data.startswith(b"\x89PNG")
    assert b"tEXt" not in data


def test_options_keep_what_the_issue_asks() -> None:
    assert Options(models=()).levels == (28.0, 84.0, 9.3)
