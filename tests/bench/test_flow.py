"""Batches and one graph for both networks, in a form that measures nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from bench import flow
from bench.frames_page import flow as publish


def test_one_graph_gives_what_two_give(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "BATCHES", (1, 2))
    cli, out = typer.Typer(), tmp_path / "flow.json"
    cli.command()(flow.main)
    told = ["--out", str(out), "--shape", "64", "80", "--repeats", "1", "--precisions", "f32"]
    CliRunner().invoke(cli, told, catch_exceptions=False)
    report = json.loads(out.read_text())
    assert report["quick"]
    assert list(report["found"]) == ["denoiser f32", "segmenter f32", "both f32"]
    assert list(report["found"]["denoiser f32"]) == ["batch 1", "batch 2"]
    both = report["found"]["both f32"]
    assert both["agreement"]["relative_rms"] < 1e-5
    assert both["agreement"]["equal_classes"] > 0.999
    assert both["fused"]["median_ms"] > 0
    said = publish(report)
    assert "| networks | batch 1 | batch 2 |" in said
    assert "| networks | apart | fused | relative RMS | equal classes |" in said
    assert "A quick run" in said
