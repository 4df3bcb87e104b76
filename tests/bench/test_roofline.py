"""FLOP and bytes against counts by hand; the short form of the bench."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from bench.roofline import main
from bench.work import counted, work_of


def test_a_convolution_is_counted_as_by_hand() -> None:
    with torch.device("meta"):
        work = counted(nn.Conv2d(3, 5, 3, padding=1), torch.empty(1, 3, 10, 20))
    assert work.flop == 2 * 10 * 20 * 5 * 3 * 9
    assert work.values == 3 * 200 + 5 * 3 * 9 + 5 * 200
    assert work.parameters == 5 * 3 * 9 + 5


def test_a_strided_one_and_a_linear_layer_are_counted_as_by_hand() -> None:
    with torch.device("meta"):
        strided = counted(nn.Conv2d(1, 8, 4, stride=2, padding=1), torch.empty(1, 1, 16, 16))
        linear = counted(nn.Linear(64, 192), torch.empty(7, 64))
    assert strided.flop == 2 * 8 * 8 * 8 * 16
    assert linear.flop == 2 * 7 * 64 * 192
    assert linear.values == 7 * 64 + 64 * 192 + 7 * 192
    assert linear.intensity(4) == linear.flop / (4 * linear.values)


def test_ernet_is_counted_as_by_hand() -> None:
    """Twelve blocks of four linear layers, six convolutions; the last gives the four classes."""
    linear = 12 * 2 * 64 * (192 + 64 + 128 + 128)
    convolutions = 2 * 9 * 64 + 4 * 2 * 9 * 64 * 64 + 2 * 9 * 64 * 4
    folding = 2 * 4 * 64 * 64 * 9  # of the last two layers, once a frame
    shifts = 12 * 2 * 64 * (192 + 128)  # of the norms into the layers after them; as matrix times vector
    found = work_of({"name": "ernet"}, 1, (40, 60)).flop
    expected = 40 * 60 * (linear + convolutions) + folding
    assert expected <= found <= expected + shifts + 2 * 4 * 64


def test_the_published_unet_rcan_is_counted_per_pixel() -> None:
    small, large = (work_of({"name": "unet-rcan"}, 1, (size, size)) for size in (64, 128))
    assert (small.parameters, small.channels) == (16_684_337, 64)
    # 5.8 MFLOP a pixel, and beside that only the attention's two tiny layers an image.
    assert large.flop / 128**2 == pytest.approx(5.8e6, rel=0.02)
    assert large.flop == pytest.approx(4 * small.flop, rel=1e-4)


def test_the_short_form_prints_shares_of_measured_peaks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(
        model=["er-segment-live"],
        published=False,
        ernet=False,
        shape=(60, 64),
        repeats=2,
        threads=1,
        quick=True,
        json_path=tmp_path / "roofline.json",
    )
    assert "er-segment-live" in capsys.readouterr().out
    report = json.loads((tmp_path / "roofline.json").read_text())
    assert report["quick"]
    assert {(row["kind"], row["channels"]) for row in report["rows"]} == {("segmenter", 16)}
    assert {"copy", "torch matmul f32", "openvino matmul f32"} <= report["peaks_per_s"].keys()
    for row in report["rows"]:
        rates = {name: rate for name, rate in report["peaks_per_s"].items() if row["precision"] in name}
        assert row["share_of_peak"] == pytest.approx(1e9 * row["gflop_per_s"] / max(rates.values()))
        assert row["share_of_matmul"] >= row["share_of_peak"]
        assert row["attainable_gflop_per_s"] <= max(rates.values()) / 1e9 * 1.0001
        assert row["shape_yx"][1] == 64
