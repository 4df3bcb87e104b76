"""A measurement on the terminal and on a page says machine, doubts and limits beside its numbers."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from bench_sample import measured, report, rounds, typical
from rich.console import Console

from streamer.apps.bench.compare import compare
from streamer.apps.bench.markdown import asked, in_markdown
from streamer.apps.bench.picture import draw
from streamer.apps.bench.report import Stage
from streamer.apps.bench.tables import comparison_table, of_bare_networks, tables
from streamer.apps.bench.timeline import OWN


def printed(parts: object) -> str:
    console = Console(file=io.StringIO(), width=160)
    for part in parts:  # type: ignore[attr-defined]
        console.print(part, markup=False)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_the_terminal_names_machine_doubts_and_what_is_missing() -> None:
    busy = report(*typical().scenarios, warnings=["the machine was busy"])
    text = printed(tables(busy))
    for words in (
        "a processor, 2 cores, avx2",
        "WARNING: the machine was busy",
        "n small",
        "on screen",
        "180",
    ):
        assert words in text


def test_words_in_brackets_reach_the_reader() -> None:
    cure = "pip install 'scope-streamer[train]'"
    scenario = measured(Stage(name="a [bold]stage", rounds_ms=[[1.0]])).model_copy(
        update={"not_measured": [cure], "words": "a camera [red]"}
    )
    text = printed(tables(report(scenario)))
    for words in (cure, "a [bold]stage", "a camera [red]"):
        assert words in text


def test_a_comparison_shows_ratio_interval_and_words() -> None:
    text = printed(comparison_table(compare(typical(50), typical(25, seed=3))))
    assert "faster" in text
    assert " to 0.5" in text


@pytest.mark.parametrize(("own_ms", "p50"), [(9.0, True), (22.0, False)])
def test_limits_are_said_to_be_kept_only_where_the_sample_tells(own_ms: float, p50: bool) -> None:
    scenario = measured(Stage(name=OWN, rounds_ms=rounds(own_ms, seed=4)))
    assert list(asked(scenario).values()) == [p50, None, None]
    text = in_markdown(report(scenario))
    assert ("**not reached**" in text) is not p50
    assert "p99 <= 30 ms: sample too small" in text
    assert "| everything but inference | 180 |" in text


def test_a_scenario_without_phases_is_drawn_too(tmp_path: Path) -> None:
    empty = measured(name="two-channel-30hz").model_copy(update={"phases": [], "sustained": None})
    draw(report(empty), tmp_path / "out.png")
    assert (tmp_path / "out.png").stat().st_size > 1000


def test_throughput_is_told_beside_that_of_the_bare_networks() -> None:
    phase = measured().phases[0]
    scenario = measured().model_copy(
        update={
            "phases": [phase.model_copy(update={"name": "saturated", "frames_per_s": 4.8})],
            "baselines": [phase.model_copy(update={"name": "batches of 50", "frames_per_s": 5.0})],
        }
    )
    for text in (printed(tables(report(scenario))), in_markdown(report(scenario))):
        assert "0.96 of the bare networks" in text
    assert of_bare_networks(measured()) is None


def test_other_scenarios_are_asked_nothing() -> None:
    assert asked(measured(name="camera-2048")) == {}
