"""A measurement end to end on small frames: real camera process, hook, wire, processor, recorder and view."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from streamer.apps.bench.baselines import BaselineSettings, Compiled, in_the_callback
from streamer.apps.bench.picture import draw
from streamer.apps.bench.report import BenchReport, read_report, write_report
from streamer.apps.bench.run import BenchSettings, bench
from streamer.apps.bench.timeline import BACK, DECIDED, ON_DISK, OWN
from streamer.errors import EngineError

pytestmark = pytest.mark.live

#: What calls the networks.
PARTS = ("inference", "denoise", "segment", "halves")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> BenchReport:
    folder = tmp_path_factory.mktemp("disk")
    said: list[str] = []
    report = bench(
        BenchSettings(scenarios=("camera-2048",), seconds=0.2, size_px=64, folder=folder),
        tick=lambda words, seconds: said.append(words),
    )
    assert not list(folder.iterdir()), "a measurement leaves no recording behind"
    assert "camera-2048: round 2 of 2, idle" in said
    return report


def test_every_frame_is_recorded_processed_and_accounted_for(found: BenchReport) -> None:
    (scenario,) = found.scenarios
    for phase in scenario.phases:
        assert phase.frames is not None
        assert phase.frames.exposed == phase.frames.recorded >= 3
        assert phase.frames.lost == 0
        if phase.name != "at the camera's rate":
            assert phase.frames.processed == phase.frames.exposed


def test_every_stage_is_timed_on_every_frame(found: BenchReport) -> None:
    idle, saturated, *_ = found.scenarios[0].phases
    for phase in (idle, saturated):
        assert phase.frames is not None
        names = {stage.name for stage in phase.stages}
        assert {BACK, DECIDED, ON_DISK, OWN, "wire", "queue", "denoise", "segment", "guards"} <= names
        assert {"guard health", "guard photons", "guard trust"} <= names
        for stage in phase.stages:
            if stage.name not in ("halves", "news at a view"):
                assert len(stage.values_ms) == phase.frames.processed, stage.name


def test_a_frame_is_decided_then_on_disk_then_known_to_the_hook(found: BenchReport) -> None:
    for phase in found.scenarios[0].phases:
        decided, on_disk, back = (phase.stage(name) for name in (DECIDED, ON_DISK, BACK))
        assert decided
        assert on_disk
        assert back
        for times in zip(decided.values_ms, on_disk.values_ms, back.values_ms, strict=True):
            assert 0 < times[0] < times[1] < times[2]


def test_inference_is_a_part_of_the_two_networks(found: BenchReport) -> None:
    for phase in found.scenarios[0].phases:
        spent = {name: sum(one.values_ms) for name in PARTS if (one := phase.stage(name))}
        assert 0 < spent.pop("inference") < sum(spent.values())


def test_it_says_whether_the_rate_is_kept_up_and_by_what_factor_not(found: BenchReport) -> None:
    (scenario,) = found.scenarios
    assert scenario.sustained
    assert scenario.sustained.rate_hz == pytest.approx(100)
    assert scenario.sustained.sustained == (scenario.sustained.short_by == 1.0)
    overload = scenario.phase("at the camera's rate")
    assert (overload is None) == scenario.sustained.sustained
    if overload:
        assert "short by a factor of" in scenario.sustained.words
        assert "recorded" in overload.words


def test_it_names_machine_versions_engines_and_what_was_not_measured(found: BenchReport) -> None:
    assert found.machine.cores >= 1
    assert {"streamer", "numpy", "pyzmq"} <= found.versions.keys()
    (scenario,) = found.scenarios
    assert {"denoiser", "segmenter"} <= scenario.engines.keys()
    assert scenario.engines["denoiser"][0]["shape"][-2:] == [64, 64]
    assert any(words.startswith("on screen: not measured") for words in scenario.not_measured)
    assert found.form == "changed"
    assert any("changed by options" in words for words in found.warnings)


def test_it_is_written_drawn_and_read_back(found: BenchReport, tmp_path: Path) -> None:
    write_report(found, tmp_path / "out.json")
    assert read_report(tmp_path / "out.json") == found
    draw(found, tmp_path / "out.html")
    page = (tmp_path / "out.html").read_text()
    assert "data:image/png;base64,iVBOR" in page
    assert "http" not in page.replace("https://", "http")[:2000]
    assert "guard health" in page


OURS = Compiled(engine="openvino", precision="f32", threads=1)


def baseline(name: str) -> BaselineSettings:
    return BaselineSettings(
        name=name,  # type: ignore[arg-type]
        denoiser="er-denoise-live",
        segmenter="er-segment-live",
        denoiser_by=OURS,
        segmenter_by=OURS,
        shape_yx=(30, 40),
        channels=2,
    )


@pytest.mark.parametrize("name", ["PyTorch eager", "ONNX Runtime", "batches of 50"])
def test_a_baseline_computes_a_frame_or_says_what_it_lacks(name: str) -> None:
    needs = {"PyTorch eager": "torch", "ONNX Runtime": "onnxruntime"}.get(name)
    if needs and importlib.util.find_spec(needs) is None:
        with pytest.raises(EngineError, match=f"{needs} is not installed; pip install"):
            in_the_callback(baseline(name))
    else:
        in_the_callback(baseline(name))(np.ones((30, 80), np.uint16))
