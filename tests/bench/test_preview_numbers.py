"""What the measurement of the live view makes of its samples."""

from __future__ import annotations

import json
import struct

import pytest

from bench import preview_load, preview_memory, preview_screen
from bench.preview_run import header_of
from bench.publish import preview


def test_p99_has_an_interval_that_holds_it_and_only_where_so_many_frames_carry_it() -> None:
    blocks = [[10.0 + number + 0.01 * frame for frame in range(50)] for number in range(4)]
    found = preview_load._latency(blocks)
    assert found["n"] == 200
    assert found["p99 low"] <= found["p99"] <= found["p99 high"]
    assert found["p99 high"] <= 13.5
    assert "p99 low" not in preview_load._latency([[1.0] * 40])


def test_a_heap_that_grows_is_told_from_one_that_is_flat() -> None:
    assert preview_memory._tenths([10.0] * 40)["apart, %"] == 0
    growing = preview_memory._tenths([10.0 + 0.1 * n for n in range(40)])
    assert growing["apart, %"] == pytest.approx(30.3, abs=0.1)


def test_what_the_networks_took_is_no_latency_of_the_view() -> None:
    noted = [{"seq": n, "wall_time_s": 100.0 + n, "drawn_wall_s": 100.2 + n} for n in range(30)]
    rows = [{"seq": n, "timings_ms": {"denoise": 100.0, "segment": 30.0, "guards": 5.0}} for n in range(30)]
    beyond, total = preview_screen._latency_rows(noted, rows, preview_screen.QUICK)
    assert beyond.figures["p50"] == pytest.approx(70, abs=0.01)
    assert total.figures["p50"] == pytest.approx(200, abs=0.01)


def test_a_viewer_reads_the_header_of_an_image() -> None:
    header = json.dumps({"kind": "image", "seq": 7}).encode()
    assert header_of(struct.pack("<I", len(header)) + header + b"pixels")["seq"] == 7


def test_what_is_not_measured_names_the_command() -> None:
    assert "python -m bench.preview --out bench/results/preview.json" in preview(None)
