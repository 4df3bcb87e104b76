"""The JSON of a measurement is read back without believing it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from bench_sample import typical

from streamer.apps.bench import report as layout
from streamer.apps.bench.report import read_report, write_report
from streamer.errors import SourceError


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "out.json"
    write_report(typical(), path)
    return path


def test_what_was_written_is_read_back(written: Path) -> None:
    assert read_report(written) == typical()


def test_numbers_of_a_round_stand_on_one_line(written: Path) -> None:
    assert len(written.read_text().splitlines()) < 150


def test_figures_stand_beside_the_samples_and_are_never_read_back(written: Path) -> None:
    content = json.loads(written.read_text())
    stage = content["scenarios"][0]["phases"][0]["stages"][0]
    assert stage["figures"]["n"] == 180
    assert stage["figures"]["p95"] == "n too small"
    stage["figures"] = {"n": 10**6, "p99.9": 0.001}
    written.write_text(json.dumps(content))
    assert read_report(written) == typical()


def _set(content: dict[str, Any], place: str, value: object) -> None:
    *keys, last = place.split(".")
    part: Any = content
    for key in keys:
        part = part[int(key) if key.isdigit() else key]
    part[int(last) if last.isdigit() else last] = value


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("kind", "another", "no measurement of streamer bench"),
        ("schema_version", 2, "schema_version = 2; this version reads 1, measure again"),
        ("schema_version", {"deep": [1] * 9}, "schema_version"),
        ("scenarios.0.phases.0.stages.0.rounds_ms.0.0", float("inf"), "finite"),
        ("scenarios.0.phases.0.stages.0.rounds_ms.0.0", "fast", "number"),
        ("scenarios.0.phases.0.frames.lost", -1, "greater than or equal to 0"),
        ("scenarios.0.shape_yx", [600], "scenarios.0.shape_yx"),
        ("machine", None, "machine"),
        ("form", "slow", "form"),
        ("warnings", ["a"] * 1000, "at most 256"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(written: Path, place: str, value: object, words: str) -> None:
    content = json.loads(written.read_text())
    _set(content, place, value)
    written.write_text(json.dumps(content))
    with pytest.raises(SourceError, match=words) as told:
        read_report(written)
    assert str(written) in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("content", [b"", b"[1, 2]", b"{", b"\xff\xfe", b"[" * 100_000, b"null"])
def test_what_is_no_measurement_is_refused(written: Path, content: bytes) -> None:
    written.write_bytes(content)
    with pytest.raises(SourceError, match="streamer bench --json"):
        read_report(written)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"none\.json: cannot be read"):
        read_report(tmp_path / "none.json")


def test_a_huge_file_is_not_read(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "MAX_BYTES", 100)
    with pytest.raises(SourceError, match="larger than"):
        read_report(written)
