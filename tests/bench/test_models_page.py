"""docs/models.md says what the results say, and calls what is not reached not reached."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.models_page import (
    PAGE,
    RESULTS,
    SECTIONS,
    best,
    coverage,
    dark,
    intensity,
    page,
    real,
    resolution,
    run,
    structures,
    table,
    training,
)
from bench.models_picture import coverage_figure, coverage_rows, save
from bench.models_words import cell, percent, reached

MACHINE = {
    "cpu": "Some CPU",
    "physical_cores": 2,
    "instruction_set": "avx512",
    "versions": {"python": "3.11"},
}
MEASURES = {
    "psnr": 30.0,
    "ssim": 0.9,
    "frc_nm": 95.0,
    "frc_ratio": 1.08,
    "rolling_frc_ratio": 1.02,
    "intensity_slope": 1.0,
    "intensity_r": 0.97,
    "empty_false": 0.002,
    "dark_false": 0.0,
    "faint_kept": 0.9,
    "pixels_kept_at_1_percent": 0.8,
}
COVERAGES = {"coverage_foreground": 0.88, "coverage_background": 0.93, "coverage_all": 0.92}


def value(number: float | None, low: float = 0.0, high: float = 0.0) -> dict[str, Any]:
    return {"value": number, "interval_95": None if number is None else [number - low, number + high]}


#: Of a method to ours, by how it stands.
DIFFERENCE = {"better": 1.5, "equal": 0.0, "worse": -2.25}


def row(method: str, kind: str, standing: str = "equal", **changes: float | None) -> dict[str, Any]:
    """A row as `bench.models` writes it."""
    return {
        "method": method,
        "kind": kind,
        "setting": "",
        "metrics": {name: value(number, 0.5, 0.25) for name, number in (MEASURES | changes).items()},
        "against": {name: {"standing": standing, "difference": DIFFERENCE[standing]} for name in MEASURES},
        "frc_states": {"prediction": {"resolved": 11, "beyond-nyquist": 0, "no-correlation": 1}},
    }


def results(*rows: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A run at one level; without rows, all of the baselines beside ours."""
    filled = rows or (
        row("raw", "raw", "worse"),
        row("Noise2Void", "baseline", "worse"),
        row("CARE U-Net", "baseline", "equal"),
        row("live", "ours"),
    )
    stated = {
        "date": "2026-11-21",
        "machine": MACHINE,
        "quick": False,
        "frames": 12,
        "size_px": 600,
        "seed": 5,
        "tuning": {"frames": 4, "size_px": 300},
        "levels": [{"box_sum": 28.0, "rows": list(filled)}],
        "structures": [],
        "packages": [],
    }
    return stated | changes


@pytest.mark.parametrize(
    ("standings", "words"),
    [
        (("worse", "worse", "worse"), "| 28 | best | best | best |"),
        (("worse", "equal", "worse"), "equal-best with Noise2Void |"),
        (("worse", "equal", "better"), "**not reached**: CARE U-Net better |"),
    ],
)
def test_best_is_a_function_of_the_paired_intervals(standings: tuple[str, ...], words: str) -> None:
    others = [
        row(name, kind, standing)
        for (name, kind), standing in zip(
            (("raw", "raw"), ("Noise2Void", "baseline"), ("CARE U-Net", "baseline")), standings, strict=True
        )
    ]
    assert words in best(results(*others, row("live", "ours")))


def test_a_further_model_of_ours_cannot_spoil_the_verdict() -> None:
    rows = (row("raw", "raw", "worse"), row("live", "ours"), row("large", "other", "better"))
    assert "not reached" not in best(results(*rows))


def test_a_run_without_the_baselines_is_not_complete() -> None:
    assert "no Noise2Void and no CARE U-Net" in best(results(row("raw", "raw", "worse"), row("live", "ours")))
    assert "Not complete" not in best(results())


@pytest.mark.parametrize(
    ("section", "changes", "verdict"),
    [
        (resolution, {"frc_ratio": 1.1}, "| 11 of 12 | reached |"),
        (resolution, {"rolling_frc_ratio": 1.2}, "(0.700 to 1.450) | **not reached** |"),
        (resolution, {"frc_ratio": 1.101}, "| **not reached** |"),
        (resolution, {"frc_ratio": None}, "| **not reached** |"),
        (intensity, {}, "| reached |"),
        (intensity, {"intensity_slope": 1.06}, "| **not reached** |"),
        (intensity, {"intensity_slope": 0.94}, "| **not reached** |"),
        (intensity, {"intensity_r": 0.94}, "| **not reached** |"),
        (dark, {"empty_false": 0.01}, ", reached."),
        (dark, {"empty_false": 0.02}, ", **not reached**."),
        (coverage, COVERAGES, "| reached |"),
        (coverage, COVERAGES | {"coverage_all": 0.96}, "| **not reached** |"),
        (coverage, COVERAGES | {"coverage_foreground": 0.8}, "| **not reached** |"),
        (coverage, {}, "**Not reached:** the package states no uncertainty."),
    ],
)
def test_every_limit_has_a_verdict(section: Any, changes: dict[str, float | None], verdict: str) -> None:
    said = section(results(row("raw", "raw", "worse"), row("live", "ours", **changes)))
    assert verdict in said


def test_coverage_is_drawn_where_an_error_is_stated(tmp_path: Path) -> None:
    found = results(row("raw", "raw"), row("live", "ours", **COVERAGES))
    rows = coverage_rows(found)
    assert [where for where, _ in rows] == ["ER, 28 photons"]
    assert not coverage_rows(results())
    save(coverage_figure(rows), tmp_path / "coverage.png")
    assert (tmp_path / "coverage.png").stat().st_size > 1_000


def test_the_table_holds_values_intervals_and_verdicts() -> None:
    said = table(results())
    assert "Median box sum 28 photons" in said
    assert "| Noise2Void |  | 30.00 (29.50 to 30.25) worse |" in said
    assert "| **live** |  | 30.00 (29.50 to 30.25) |" in said


def test_a_quick_run_is_no_measurement() -> None:
    assert "no measurement" in run(results(quick=True))
    assert "no measurement" not in run(results())
    for stated in ("Some CPU", "12 specimens of 600x600 px", "seed 5", "2026-11-21"):
        assert stated in run(results())


def structure(name: str, standing: str, flagged: int) -> dict[str, Any]:
    said = ["prediction and counts differ 18 times chance; other structure?"] if flagged else []
    return {
        "structure": name,
        "frames": 4,
        "rows": [row("Anscombe + NLM", "filter", standing), row("live", "ours")],
        "guard": {"flagged": flagged, "misfit": [], "said": said},
    }


def test_where_a_filter_does_as_well_is_said_with_the_opinion_of_the_guard() -> None:
    parts = [structure("puncta", "worse", 0), structure("actin", "better", 3), structure("rings", "equal", 0)]
    said = structures(results(structures=parts))
    assert "actin (flagged: 3 of 4), rings (flagged: 0 of 4)" in said
    assert "18 times chance" in said
    assert "| +2.25 |" in said  # ours over the filter on puncta
    assert "| puncta | no | 4 |" in said
    learned = {"kind": "ours", "training": {"recipe": {"structures": ["er", "puncta"]}}}
    assert "| puncta | yes | 4 |" in structures(results(structures=parts, packages=[learned]))
    assert "On none" in structures(results(structures=parts[:1]))


def test_every_network_says_how_it_was_made() -> None:
    package = {
        "method": "live",
        "kind": "ours",
        "id": "er-denoise-live",
        "weights_sha256": "0123456789abcdef",
        "trained_box_sum": [2.0, 200.0],
        "training": {
            "command": "streamer train --seed 1",
            "recipe": {"steps": 7000},
            "made_with": {"minutes of training": "20.4"},
        },
    }
    row_said = "| live | `streamer train --seed 1` | 7000 | 20.4 | 2-200 | `0123456789ab` |"
    assert row_said in training(results(packages=[package]))
    bare = package | {"training": {}, "trained_box_sum": None}
    assert "| live | `unknown` | unknown | unknown | unknown |" in training(results(packages=[bare]))


def real_results(standing: str, are_counts: bool = True) -> dict[str, Any]:
    def one(method: str, kind: str, word: str) -> dict[str, Any]:
        names = ("gain_db", "deviance", "frc_px")
        return {
            "method": method,
            "kind": kind,
            "setting": "",
            **{name: value(10.0, 1.0, 1.0) for name in names},
            "against": {name: {"standing": word} for name in names},
        }

    return {
        "date": "2026-11-21",
        "machine": MACHINE,
        "quick": False,
        "seed": 5,
        "recipe": {"seed": 3, "steps": 10, "batch": 4, "patch_px": 64},
        "minutes_both_trainings": 5.0,
        "images": [{"are_counts": are_counts, "noise_ratio": 1.0, "noise_ratio_bright": 0.98}],
        "rows": [one("Gaussian", "filter", standing), one("self-trained", "ours", "equal")],
    }


def test_real_images_get_the_verdict_of_the_paired_intervals() -> None:
    assert "by error: best" in real(real_results("worse"))
    assert "by error: **not reached**: Gaussian better" in real(real_results("better"))
    assert "Thinning is exact" in real(real_results("worse"))
    assert "approximation" in real(real_results("worse", are_counts=False))


@pytest.mark.parametrize(
    ("number", "low", "high", "words"),
    [
        (1.0, 0.95, 1.05, "reached"),
        (0.95, 0.95, 1.05, "reached"),
        (0.949, 0.95, 1.05, "**not reached**"),
        (1.051, 0.95, 1.05, "**not reached**"),
        (None, 0.95, None, "**not reached**"),
    ],
)
def test_reached(number: float | None, low: float | None, high: float | None, words: str) -> None:
    assert reached(number, low, high) == words


def test_numbers_without_a_value_are_said_to_be_none() -> None:
    assert cell(value(None), 2) == "none"
    assert percent(value(None)) == "none"
    assert percent({"value": 0.0123, "interval_95": [0.01, 0.02]}) == "1.23 % (1.00 to 2.00)"


def test_what_is_not_measured_is_said_to_be_not_measured(tmp_path: Path) -> None:
    assert page(tmp_path).count("Not measured yet") == sum(map(len, SECTIONS.values()))


def test_the_page_is_what_the_results_make() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m bench.models_page"
    assert "<!--" not in page()


@pytest.mark.parametrize("name", list(SECTIONS))
def test_committed_numbers_are_no_quick_run_and_have_their_pictures(name: str) -> None:
    file = RESULTS / f"{name}.json"
    if not file.exists():
        pytest.skip(f"{file.name}: not measured yet, and the page says so")
    assert not json.loads(file.read_text(encoding="utf-8"))["quick"]
    images = [line[line.index("(") + 1 : -1] for line in page().splitlines() if line.startswith("![")]
    assert images
    for image in images:
        path = PAGE.parent / image
        assert path.stat().st_size < 300_000, image
