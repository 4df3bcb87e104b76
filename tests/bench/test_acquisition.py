"""Every part of the measurement runs, on real engines and in its own process, and states what it must."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.acquisition import PARTS, app


@pytest.mark.live
def test_a_tiny_run_of_all_parts_states_hardware_load_and_n(tmp_path: Path) -> None:
    out = tmp_path / "acquisition.json"
    done = CliRunner().invoke(app, ["--out", str(out), "--quick", "--folder", str(tmp_path)])
    assert done.exit_code == 0, done.output
    parts = json.loads(out.read_text())
    assert list(parts) == list(PARTS)
    for part in parts.values():
        assert part["quick"]
        assert part["machine"]["cpu"]
        assert part["rows"]
        assert all(row["figures"]["n"] > 0 and row["load"] for row in part["rows"])
    (frames, *memory) = parts["long"]["rows"]
    assert (frames["figures"]["acquired"], frames["figures"]["lost"]) == (150, 0)
    assert [row["figures"]["n"] > 0 for row in memory] == [True, True]
    assert sorted(tmp_path.iterdir()) == [out], "recordings and spools are removed"


def test_parts_that_are_left_out_stay(tmp_path: Path) -> None:
    out = tmp_path / "acquisition.json"
    out.write_text('{"transport": {"kept": true}}')
    done = CliRunner().invoke(app, ["--out", str(out), "--quick", "--only", "stop"])
    assert done.exit_code == 0, done.output
    parts = json.loads(out.read_text())
    assert parts["transport"] == {"kept": True}
    assert "stop" in parts


def test_a_part_that_is_none_is_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["--out", str(tmp_path / "a.json"), "--only", "speed"])
    assert done.exit_code == 2
    assert "no part speed" in done.output
