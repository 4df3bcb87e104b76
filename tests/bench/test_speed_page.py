"""What the page says of engines, ERnet, the roofline, two channels and batches, of made-up reports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from speed_reports import (
    TIMES_MS,
    engines_report,
    ernet_report,
    flow_report,
    joint_report,
    roofline_report,
)

from bench.engines_page import engines, ernet, roofline
from bench.frames_page import flow, joint
from bench.tables import Limit, Sheet, limits_sheet


@pytest.mark.parametrize(
    ("section", "report"),
    [
        (engines, engines_report()),
        (ernet, ernet_report(11)),
        (roofline, roofline_report(0.6)),
        (joint, joint_report(90)),
        (flow, flow_report()),
    ],
    ids=["engines", "ernet", "roofline", "joint", "flow"],
)
def test_every_section_says_how_when_where_and_under_which_load(
    section: Callable[[Any], str], report: dict[str, Any]
) -> None:
    text = section(report)
    stated = (
        f"`{report['command']}`",
        "2026-11-20",
        "Some CPU, 2 cores",
        "load before 0.10",
        "openvino 2026.4",
    )
    for words in (*stated, "onnxruntime not installed"):
        assert words in text
    assert "no measurement" not in text
    quick = section({**report, "quick": True})
    assert "no measurement" in quick
    assert "reached |" not in quick


@pytest.mark.parametrize(
    ("eager_ms", "amx", "said"),
    [
        (100.0, True, "| 10.00x (10.00-10.00) | reached |"),
        (70.0, True, "| 7.00x (7.00-7.00) | **not reached** |"),
        (100.0, False, "| 10.00x (10.00-10.00) | not measured: needs AMX |"),
    ],
)
def test_bf16_is_held_against_eager_where_there_is_amx(eager_ms: float, amx: bool, said: str) -> None:
    report = engines_report(amx=amx, times_ms={**TIMES_MS, "torch eager f32": eager_ms})
    assert f"| openvino bf16 at least 8x torch eager f32, with AMX {said}" in engines(report)


def test_a_contender_that_is_missing_is_no_verdict() -> None:
    times_ms = {name: ms for name, ms in TIMES_MS.items() if name != "onnxruntime f32"}
    text = engines(engines_report(amx=True, times_ms=times_ms))
    assert "3x onnxruntime f32, with AMX | one of them cannot run here | not measured |" in text


def test_the_slower_precision_must_not_be_chosen() -> None:
    asked = "| the precision that is chosen is never the slower one |"
    assert f"{asked} bf16; openvino f32 takes 3.00x (3.00-3.00) its time | reached |" in engines(
        engines_report()
    )
    slower = engines(engines_report(times_ms={**TIMES_MS, "openvino f32": 9.0}))
    assert f"{asked} bf16; openvino f32 takes 0.90x (0.90-0.90) its time | **not reached** |" in slower


def test_an_output_that_strays_is_named() -> None:
    report = engines_report()
    report["rows"][3]["relative_rms"] = float("nan")
    assert "within the tolerance of its package | openvino f32 | **not reached** |" in engines(report)


@pytest.mark.parametrize(
    ("bf16_ms", "amx", "verdict"),
    [
        (1400.0, True, "reached"),
        (1600.0, True, "**not reached**"),
        (1400.0, False, "not measured: needs AMX"),
    ],
)
def test_the_published_network_has_its_seconds(bf16_ms: float, amx: bool, verdict: str) -> None:
    times_ms = {"torch eager f32": 9000.0, "openvino bf16": bf16_ms}
    text = engines(engines_report(amx=amx, times_ms=times_ms, published=True))
    assert f"with AMX | {bf16_ms / 1e3:.2f} s, openvino bf16, 2 threads | {verdict} |" in text
    assert "at least 8x" not in text


def test_ernet_is_fast_enough_only_with_equal_labels() -> None:
    asked = "| at least 10x the published formulation, with equal labels |"
    assert f"{asked} 11.00x (10.50-11.50), ours, openvino f32 | reached |" in ernet(ernet_report(11))
    assert f"{asked} 6.00x (5.50-6.50), ours, openvino f32 | **not reached** |" in ernet(ernet_report(6))
    strays = ernet(ernet_report(11, closest=1e-3))
    assert f"{asked} no labels are equal | **not reached** |" in strays
    assert "| equal labels in f32 | ours, openvino f32 | **not reached** |" in strays
    assert "1 of 360000 (ties)" in ernet(ernet_report(11, closest=1e-6))


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (roofline_report(0.5), "wide, 64 channels | 50 % | reached |"),
        (roofline_report(0.49), "wide, 64 channels | 49 % | **not reached** |"),
        (roofline_report(0.5, amx=False), "wide, 64 channels | 50 % | not measured: needs AMX |"),
        (roofline_report(0.5, channels=24), "a denoiser of 32 channels | none in bf16 here | not measured |"),
    ],
    ids=["enough", "too little", "no AMX", "too narrow"],
)
def test_half_of_the_matrix_product_is_asked_of_wide_denoisers(report: dict[str, Any], said: str) -> None:
    text = roofline(report)
    assert said in text
    assert "copy 30 GB/s, openvino matmul f32 1000 GFLOP/s" in text


@pytest.mark.parametrize(
    ("ms", "threads", "verdict"),
    [(100.0, 2, "reached"), (101.0, 2, "**not reached**"), (90.0, 4, "not measured")],
)
def test_two_channels_have_a_tenth_of_a_second_and_say_what_they_lose(
    ms: float, threads: int, verdict: str
) -> None:
    speed = f"| joint, k = 4 | {ms:.0f} | {verdict} | {2 * ms:.0f} |"
    assert f"{speed} 25.00 / 25.40 | +0.20 / +0.10 | 0.900 / 0.800 | 0.900 |" in joint(
        joint_report(ms, threads)
    )


def test_batches_and_graphs_have_a_table_each() -> None:
    text = flow(flow_report())
    assert "| denoiser f32 | 100.0 | 105.0, 1.05x (0.95-1.15) |" in text
    assert "| both f32 | 130.0 | 127.4, 0.98x (0.88-1.08) | 1.0e-07 | 99.95 % |" in text


def test_one_table_serves_terminal_and_page(capsys: pytest.CaptureFixture[str]) -> None:
    sheet = Sheet(heads=("what", "found"), rows=(("it [n]", "not reached"),), note="Of a test.")
    sheet.show("Title")
    shown = capsys.readouterr().out
    for words in ("Title", "it [n]", "not reached", "Of a test."):
        assert words in shown
    assert sheet.on_page().endswith("| it [n] | **not reached** |\n\nOf a test.")


def test_what_nothing_tells_is_not_measured() -> None:
    limits = limits_sheet({"amx": True, "quick": False}, [Limit(asked="much", found="nothing", kept=None)])
    assert limits.rows == (("much", "nothing", "not measured"),)
