"""The CUDA engine: network, memory and order of steps on the CPU; the rest where a card is."""

from __future__ import annotations

import gc
import threading
import warnings
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import luck
import numpy as np
import pytest
from tiny_package import MakePackage

from streamer.engines import Engine, EngineKey, Precision, card, check, cuda, relative_rms
from streamer.engines.half_torch import traced
from streamer.engines.lanes import LANES, Lane, Lanes, Recording
from streamer.engines.network import load_network
from streamer.engines.nvidia import nvidia
from streamer.errors import EngineError, MemoryShortError
from streamer.package import ModelPackage, list_packages, load_package

torch = pytest.importorskip("torch")

SHAPE = (1, 1, 32, 40)
CPU = torch.device("cpu")
TOLERANCE = {"f32": 1e-5, "f16": 5e-3, "bf16": 5e-2}
without_a_card = pytest.mark.skipif(bool(nvidia().gpus), reason="here is a card")


@pytest.fixture
def package(make_package: MakePackage) -> ModelPackage:
    return load_package(make_package("tiny"))


def key_of(shape: tuple[int, int, int, int] = SHAPE, precision: Precision = "f32") -> EngineKey:
    return EngineKey(
        weights_sha256="0" * 64,
        device="cpu",
        instruction_set="",
        runtime="cuda",
        runtime_version="",
        shape=shape,
        precision=precision,
        threads=0,
    )


def photons(count: int = 1) -> list[np.ndarray[Any, np.dtype[np.float32]]]:
    draw = np.random.default_rng(luck.seed())
    return [draw.poisson(2.0, SHAPE).astype(np.float32) for _ in range(count)]


@pytest.fixture(scope="module")
def running(tiny_package_source: Path) -> Lanes:
    """The tiny package's engine on the CPU."""
    return on_the_cpu(load_package(tiny_package_source), "f32")


def on_the_cpu(package: ModelPackage, precision: Precision) -> Lanes:
    """The engine as it is on a card, without fused kernels, graphs and streams."""
    network, _ = load_network(package)
    with torch.inference_mode():
        step = cuda.channels_last(network, torch.zeros(SHAPE), precision)
        with card.exact():
            return cuda.lanes_of(step, key_of(precision=precision), CPU)


@pytest.mark.parametrize("precision", ["f32", "bf16", "f16"])
def test_channels_last_in_half_gives_the_oracles_numbers(package: ModelPackage, precision: Precision) -> None:
    network, _ = load_network(package)
    (shown,) = photons()
    with torch.inference_mode():
        expected = network(torch.from_numpy(shown)).numpy()
    found = on_the_cpu(package, precision)(shown)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    assert relative_rms(found, expected) < TOLERANCE[precision]
    if precision != "f32":
        assert relative_rms(found, expected) > 1e-5  # it is not f32 by mistake


def test_weights_lie_channels_last(package: ModelPackage, monkeypatch: pytest.MonkeyPatch) -> None:
    graphs: list[Any] = []

    def seen(*args: Any) -> Any:
        graphs.append(traced(*args))
        return graphs[-1]

    monkeypatch.setattr(cuda, "traced", seen)
    on_the_cpu(package, "bf16")
    weights = [weight for weight in graphs[0].parameters() if weight.ndim == 4]
    assert weights
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in weights)


def test_an_output_stays_the_callers_and_memory_is_made_once(running: Lanes) -> None:
    run = running
    places = [[lane.given.ctypes.data, lane.input.data_ptr(), lane.output.data_ptr()] for lane in run._lanes]
    one, other = photons(2)
    first = run(one)
    kept = first.copy()
    assert not np.array_equal(run(other), kept)
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(run(one), kept)
    assert places == [
        [lane.given.ctypes.data, lane.input.data_ptr(), lane.output.data_ptr()] for lane in run._lanes
    ]


@pytest.mark.parametrize("count", [0, 1, LANES, 2 * LANES + 1])
def test_overlapped_frames_come_out_in_their_order(running: Lanes, count: int) -> None:
    frames = photons(count)
    alone = [running(frame) for frame in frames]
    together = list(running.overlapped(frames))
    assert len(together) == count
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


class Told:
    """Notes what is enqueued where."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def prepare(self, lane: Lane) -> Callable[[], None]:
        def launch() -> None:
            self.steps.append("compute")
            lane.output.copy_(lane.input * 2)

        return launch


def test_the_next_frame_is_taken_before_the_last_is_given() -> None:
    told = Told()
    run = Lanes(key_of(), CPU, SHAPE, told.prepare)

    def given() -> Any:
        for frame in photons(3):
            told.steps.append("take")
            yield frame

    outputs = run.overlapped(given())
    np.testing.assert_array_equal(next(outputs), photons(3)[0] * 2)
    assert told.steps == ["take", "compute", "take", "compute", "take"]
    assert len(list(outputs)) == 2


def test_another_shape_is_refused() -> None:
    run = Lanes(key_of(), CPU, SHAPE, Told().prepare)
    with pytest.raises(EngineError, match="compile one for every shape"):
        run(np.zeros((1, 1, 32, 32), np.float32))


def test_an_engine_made_in_one_thread_runs_in_another(running: Lanes) -> None:
    (shown,) = photons()
    expected, found = running(shown), []
    thread = threading.Thread(target=lambda: found.append(running(shown)))
    thread.start()
    thread.join(timeout=60)
    np.testing.assert_array_equal(found[0], expected)


def test_a_compiler_that_fails_costs_only_the_fusing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def lacking(step: Any, **_settings: Any) -> Any:
        raise RuntimeError("Cannot find a working triton installation\nand more")

    monkeypatch.setattr(torch, "compile", lacking)
    step = torch.nn.ReLU()
    assert cuda._fused(step, torch.zeros(1)) == (step, "not fused")
    (line,) = caplog.messages
    assert "cannot be fused here (Cannot find a working triton installation)" in line
    assert "pip install triton-windows" in line


def test_fused_kernels_are_chosen_by_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    real, asked = torch.compile, []

    def seen(step: Any, **settings: Any) -> Any:
        asked.append(settings["options"])
        real(step, **settings)  # refuses an option that this PyTorch does not have
        return step

    monkeypatch.setattr(torch, "compile", seen)
    _, how = cuda._fused(torch.nn.ReLU(), torch.zeros(1))
    assert (how, asked) == ("fused", [{"deterministic": True}])


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_whole_engine_is_made_as_on_a_card(
    package: ModelPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network is traced while PyTorch's older settings can be read, which its tracer does."""
    here = card.Card(device=CPU, name="a card", capability=(8, 9), driver="580.95")
    monkeypatch.setattr(cuda, "require_card", lambda engine: here)
    monkeypatch.setattr(torch, "compile", lambda step, **settings: step)
    run = cuda.compile_cuda(package, SHAPE, precision="f32", threads=1)
    (shown,) = photons()
    np.testing.assert_array_equal(run(shown), on_the_cpu(package, "f32")(shown))
    assert (run.key.device, run.key.driver) == ("a card", "580.95")


def test_int8_is_refused(package: ModelPackage) -> None:
    with pytest.raises(EngineError, match="engine cuda: precision int8 is not built; use f32, f16 or bf16"):
        cuda.compile_cuda(package, SHAPE, precision="int8", threads=1)


@without_a_card
def test_without_a_card_the_engine_says_so(package: ModelPackage) -> None:
    with pytest.raises(EngineError, match="engine cuda: no NVIDIA GPU"):
        cuda.compile_cuda(package, SHAPE, precision="f32", threads=1)


@without_a_card
@pytest.mark.filterwarnings("ignore:.*CUDA")
def test_a_card_that_pytorch_does_not_see_says_why(
    package: ModelPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a driver that is too old: PyTorch warns, and sees none."""

    def unseen() -> bool:
        warnings.warn(
            "CUDA initialization: The NVIDIA driver on your system is too old\nupdate", stacklevel=1
        )
        return False

    monkeypatch.setattr(card, "absence", lambda engine: None)
    monkeypatch.setattr(torch.cuda, "is_available", unseen)
    with pytest.raises(
        EngineError, match=r"sees no NVIDIA card \(CUDA initialization: .* too old\); update the"
    ):
        cuda.compile_cuda(package, SHAPE, precision="f32", threads=1)


@pytest.fixture
def a_card() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no NVIDIA GPU")


@pytest.mark.gpu
@pytest.mark.usefixtures("a_card")
@pytest.mark.parametrize("precision", ["f32", "f16", "bf16"])
@pytest.mark.parametrize("name", list_packages())
def test_a_shipped_package_holds_its_test_output_on_the_card(name: str, precision: Precision) -> None:
    found = check(load_package(name), engine="cuda", precision=precision)
    assert found.holds, found.words


@pytest.mark.gpu
@pytest.mark.usefixtures("a_card")
def test_on_a_card_frames_overlap_and_memory_stays(package: ModelPackage) -> None:
    run = cuda.compile_cuda(package, SHAPE, precision="bf16", threads=1)
    assert all(lane.host.is_pinned() and lane.back.is_pinned() for lane in run._lanes)
    assert torch.cuda.default_stream().query()  # nothing of the warm-up is left to the first frame
    assert all(stream.query() for stream in run._streams._streams)
    frames = photons(5)
    alone = [run(frame) for frame in frames]
    held = torch.cuda.memory_allocated()
    for one, other in zip(alone, run.overlapped(frames), strict=True):
        np.testing.assert_array_equal(one, other)
    assert torch.cuda.memory_allocated() == held


@pytest.mark.gpu
@pytest.mark.usefixtures("a_card")
def test_equal_keys_give_equal_bits_on_a_card(package: ModelPackage) -> None:
    first: Engine = cuda.compile_cuda(package, SHAPE, precision="f16", threads=1)
    second: Engine = cuda.compile_cuda(package, SHAPE, precision="f16", threads=1)
    (shown,) = photons()
    assert first.key == second.key
    np.testing.assert_array_equal(first(shown), second(shown))


@pytest.mark.gpu
@pytest.mark.usefixtures("a_card")
def test_a_frame_too_large_for_the_card_is_one_line() -> None:
    before = torch.cuda.memory_reserved()
    with pytest.raises(MemoryShortError, match="does not fit into the card's memory"):
        cuda.compile_cuda(
            load_package("er-denoise-live"), (1, 1, 1 << 17, 1 << 16), precision="f32", threads=1
        )
    gc.collect()
    torch.cuda.empty_cache()
    assert torch.cuda.memory_reserved() <= before


def test_a_recording_keeps_what_its_graph_reads_from() -> None:
    """A CUDA graph holds no reference to weights, engine or buffers: who records must."""

    class Weights:
        pass

    class Graph:
        def replay(self) -> None:
            pass

    weights = Weights()
    seen = weakref.ref(weights)

    def launch(held: Weights = weights) -> None:
        assert held

    recording = Recording(Graph(), launch)
    del weights, launch
    gc.collect()
    recording()
    assert seen() is not None
    del recording
    gc.collect()
    assert seen() is None
