"""The page of numbers says what the files of numbers say, and no more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from speed_reports import engines_report

from bench.publish import PAGE, RESULTS, acquisition, kills, page

KILLS = {
    "seed": 7,
    "kills": 20,
    "seconds": 61.5,
    "exposed": 500,
    "sent": 500,
    "lost": 0,
    "acknowledged": 500,
    "unique_recorded": 500,
    "recorded_twice": 0,
    "raw_equals_exposed": True,
}


def part(*rows: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A part as `bench.acquisition` writes it."""
    machine = {
        "cpu": "Some CPU",
        "physical_cores": 2,
        "instruction_set": "avx512",
        "flags": {"amx_bf16": False},
        "ram_gb": 24.0,
        "system": "Linux",
        "versions": {"python": "3.11"},
    }
    stated = {"title": "Callback", "method": "How.", "quick": False, "date": "2026-11-20T20:00:00+00:00"}
    return {**stated, "load_before": 0.1, "machine": machine, "rows": list(rows), **changes}


def row(asked: dict[str, Any] | None, **figures: float) -> dict[str, Any]:
    return {"what": "it", "load": "idle", "unit": "ms", "figures": figures, "asked": asked}


@pytest.mark.parametrize(
    ("figure", "at", "limit", "verdict"),
    [
        ("p99", "most", 3.0, "| p99 <= 3 | reached |"),
        ("p99", "most", 2.0, "| p99 <= 2 | reached |"),
        ("p99", "most", 1.9, "| p99 <= 1.9 | **not reached** |"),
        ("p50", "least", 1.1, "| p50 >= 1.1 | **not reached** |"),
        ("p99.9", "most", 5.0, "| p99.9 <= 5 | sample too small |"),
    ],
)
def test_a_limit_is_printed_with_its_verdict(figure: str, at: str, limit: float, verdict: str) -> None:
    asked = {"figure": figure, "at": at, "limit": limit}
    assert verdict in acquisition({"callback": part(row(asked, n=1000, p50=1.0, p99=2.0))})


def test_a_percentile_that_n_does_not_carry_is_neither_shown_nor_reached() -> None:
    asked = {"figure": "p99", "at": "most", "limit": 3.0}
    text = acquisition({"callback": part(row(asked, n=999, p50=1.0, p99=2.0, max=2.5))})
    assert "| 999 | 1 | n too small | 2.5 | p99 <= 3 | sample too small |" in text


def test_a_figure_without_a_limit_is_stated() -> None:
    assert "| it, ms | idle | 100 | 1.25 |  | stated |" in acquisition(
        {"callback": part(row(None, n=100, p50=1.25))}
    )


def test_rows_with_other_figures_get_a_table_of_their_own() -> None:
    text = acquisition({"long": part(row(None, n=1, p50=1.0), row(None, n=1, p50=2.0), row(None, lost=0))})
    assert text.count("| what |") == 2


def test_every_part_says_when_where_and_under_which_load() -> None:
    text = acquisition({"callback": part(row(None, n=1))})
    for stated in ("2026-11-20", "Some CPU", "2 cores", "without AMX", "load before 0.10"):
        assert stated in text


def test_a_quick_run_is_no_measurement() -> None:
    assert "no measurement" in acquisition({"callback": part(row(None, n=1), quick=True)})


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({}, "reached."),
        ({"lost": 1}, "**not reached**."),
        ({"unique_recorded": 499}, "**not reached**."),
        ({"recorded_twice": 1}, "**not reached**."),
        ({"raw_equals_exposed": False}, "**not reached**."),
    ],
    ids=str,
)
def test_a_run_with_kills_is_whole_or_not(change: dict[str, Any], verdict: str) -> None:
    text = kills({**KILLS, **change})
    assert f"\n{verdict}\n" in text
    assert "| exposed | 500 |" in text


def test_what_is_not_measured_is_said_to_be_not_measured(tmp_path: Path) -> None:
    assert page(tmp_path).count("Not measured yet") == 12


def test_every_run_of_the_engines_is_shown_in_order(tmp_path: Path) -> None:
    for name in ("engines-of-mine", "engines-er-denoise-live"):
        (tmp_path / f"{name}.json").write_text(json.dumps(engines_report(model=name)), encoding="utf-8")
    text = page(tmp_path)
    shown = [text.index(f"### engines-{name}, 608x608 px") for name in ("er-denoise-live", "of-mine")]
    assert shown == sorted(shown)
    assert text.count("python -m bench.engines --") == 2 + 2  # two that ran, two that are waited for


def test_the_page_is_what_the_results_make() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m bench.publish"


def test_the_committed_numbers_say_hardware_date_and_n() -> None:
    parts = json.loads((RESULTS / "acquisition.json").read_text(encoding="utf-8"))
    assert set(parts) == {"callback", "rate", "transport", "stop", "long"}
    for stated in parts.values():
        assert not stated["quick"]
        assert stated["date"]
        assert stated["machine"]["cpu"]
        assert stated["machine"]["physical_cores"]
        assert all(row["figures"]["n"] and row["load"] for row in stated["rows"])
