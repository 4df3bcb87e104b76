"""How plans fail and what their launches keep; TensorRT's own side is made up."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from streamer.engines import EngineKey, cache, plan, tensorrt_rtx
from streamer.engines.card import Card
from streamer.engines.plan import Launch, TensorRT, _context, run_plan
from streamer.errors import EngineError, MemoryShortError

torch = pytest.importorskip("torch")

CARD = Card(device=torch.device("cpu"), name="a card", capability=(8, 9), driver="580.1")
KEY = EngineKey(
    weights_sha256="0" * 64,
    device="a card",
    instruction_set="sm_89",
    runtime="tensorrt-rtx",
    runtime_version="1.7",
    shape=(1, 1, 8, 8),
    precision="f32",
    threads=0,
    driver="580.1",
)
#: As TensorRT 10 says it.
SHORT = "Error Code 2: OutOfMemory (Requested size was 17920000000 bytes.)"
SHORT_EARLIER = (
    "Error Code 1: Cuda Runtime (out of memory)",
    "Error Code 10: Could not find any implementation for node {ForeignNode[conv...]}.",
)


def edition(*lines: str, **module: Any) -> TensorRT:
    """TensorRT whose log holds these lines, or gets them when something fails."""
    return TensorRT(
        name="tensorrt", module=SimpleNamespace(**module), log=SimpleNamespace(lines=deque(lines))
    )


@pytest.mark.parametrize(
    ("lines", "kind", "said"),
    [
        pytest.param((SHORT,), MemoryShortError, r"OutOfMemory .*; end what else uses the card", id="short"),
        pytest.param(SHORT_EARLIER, MemoryShortError, "smaller frames or tiles", id="an earlier line"),
        pytest.param((), MemoryShortError, "no room on the card to run it; end what else", id="no reason"),
        pytest.param(
            ("Error Code 9: API Usage Error",),
            EngineError,
            r"\(Error Code 9.*; update the driver",
            id="other",
        ),
    ],
)
def test_no_context_is_a_lack_of_memory_unless_another_reason_is_given(
    lines: tuple[str, ...], kind: type[EngineError], said: str
) -> None:
    engine = SimpleNamespace(create_execution_context=lambda: None)
    with pytest.raises(EngineError, match=said) as caught:
        _context(edition(*lines), engine, ())
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("told", "kind"), [(SHORT, MemoryShortError), ("Error Code 6: another version", EngineError)]
)
def test_a_plan_that_does_not_load_says_whether_memory_did_not_do(told: str, kind: type[EngineError]) -> None:
    class Runtime:
        def __init__(self, log: Any) -> None:
            self._log = log

        def deserialize_cuda_engine(self, plan: bytes) -> None:
            self._log.lines.append(told)

    with pytest.raises(EngineError, match="its plan does not load on a card") as caught:
        run_plan(
            edition("Cuda Runtime (out of memory), of an engine before", Runtime=Runtime), b"", KEY, CARD
        )
    assert type(caught.value) is kind


class Thing:
    """Something of TensorRT's that tells when it is given up."""

    def __init__(self, name: str, gone: list[str], **answers: Any) -> None:
        self.__dict__ |= answers
        weakref.finalize(self, gone.append, name)


def test_a_launch_keeps_all_that_its_context_was_made_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: SimpleNamespace(cuda_stream=7))
    gone: list[str] = []
    asked: list[int] = []
    context = Thing("context", gone, execute_async_v3=lambda stream: not asked.append(stream))  # type: ignore[func-returns-value]
    kept = tuple(Thing(name, gone) for name in ("runtime", "engine", "cache", "config"))
    launch = Launch(edition(), context, kept)
    del context, kept
    launch()
    assert (asked, gone) == ([7], [])
    del launch
    assert gone == ["context", "config", "cache", "engine", "runtime"]


def test_a_refused_frame_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: SimpleNamespace(cuda_stream=7))
    refusing = SimpleNamespace(execute_async_v3=lambda stream: False)
    with pytest.raises(MemoryShortError, match=r"the card refused a frame \(.*OutOfMemory"):
        Launch(edition(SHORT), refusing, ())()
    with pytest.raises(EngineError, match=r"\(no reason given\); start again, or use another engine"):
        Launch(edition(), refusing, ())()


class Remembered:
    """TensorRT-RTX's memory of kernels: takes what begins with "good"."""

    def __init__(self, gives: bytes | None) -> None:
        self._gives = gives
        self.taken: list[bytes] = []

    def deserialize(self, kernels: bytes) -> bool:
        self.taken.append(kernels)
        return kernels.startswith(b"good")

    def serialize(self) -> bytes | None:
        return self._gives


class Config:
    """Its runtime configuration."""

    def __init__(self, gives: bytes | None) -> None:
        self._gives = gives
        self.used: Remembered | None = None

    def create_runtime_cache(self) -> Remembered:
        return Remembered(self._gives)

    def set_runtime_cache(self, remembered: Remembered) -> None:
        self.used = remembered


#: Loads an engine whose memory of kernels gives these bytes: its configuration and memory, and how often the
#: plan was run to compile them.
Load = Callable[[bytes | None], tuple[Config, Remembered, int]]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Load:
    monkeypatch.setenv(cache.FOLDER_VARIABLE, str(tmp_path))
    tensorrt = edition(CudaGraphStrategy=SimpleNamespace(WHOLE_GRAPH_CAPTURE="whole"))

    def loaded(gives: bytes | None) -> tuple[Config, Remembered, int]:
        runs: list[bytes] = []
        engine = SimpleNamespace(create_runtime_config=lambda: Config(gives))

        def run(tensorrt: TensorRT, content: bytes, key: EngineKey, card: Card, settings: Any) -> str:
            runs.append(content)
            settings(engine)
            return "lanes"

        monkeypatch.setattr(tensorrt_rtx, "run_plan", run)
        config, remembered = tensorrt_rtx._compiled_for(CARD, tensorrt, b"plan", KEY)(engine)
        assert config.used is remembered
        return config, remembered, len(runs)

    return loaded


def test_kernels_are_compiled_once(load: Load) -> None:
    _, remembered, runs = load(b"good")
    assert (remembered.taken, runs) == ([b"good"], 1)
    _, remembered, runs = load(b"good again")
    assert (remembered.taken, runs) == ([b"good"], 0)


def test_kernels_that_the_card_refuses_are_compiled_again(load: Load) -> None:
    load(b"of another driver")
    _, remembered, runs = load(b"good")
    assert (remembered.taken, runs) == ([b"of another driver", b"good"], 1)
    _, remembered, runs = load(b"unused")
    assert (remembered.taken, runs) == ([b"good"], 0)


def test_a_runtime_that_hands_out_no_kernels_does_without(load: Load, tmp_path: Path) -> None:
    _, remembered, runs = load(None)
    assert (remembered.taken, runs) == ([], 1)
    assert not list(tmp_path.glob("*.engine"))


def test_a_build_that_lacks_memory_is_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    tensorrt = edition()
    network = SimpleNamespace(num_inputs=1, num_outputs=1, get_input=lambda index: SimpleNamespace())

    class Builder:
        def build_serialized_network(self, network: Any, config: Any) -> None:
            tensorrt.log.lines.extend(SHORT_EARLIER)

    monkeypatch.setattr(plan, "parse", lambda *_args: (Builder(), network, None))
    monkeypatch.setattr(plan, "_config", lambda *_args: None)
    with pytest.raises(MemoryShortError, match=r"net: tensorrt cannot build it for \[1, 1, 8, 8\] \(Error"):
        plan.build_plan(tensorrt, b"", (1, 1, 8, 8), "net")
