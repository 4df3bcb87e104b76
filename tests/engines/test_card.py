"""What PyTorch is told about the card: exact arithmetic, memory that is too small, waiting."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from streamer.engines import EngineKey, card, lanes
from streamer.engines.lanes import Lane, Lanes, Streams
from streamer.errors import EngineError, MemoryShortError

torch = pytest.importorskip("torch")

ANYTHING = EngineKey(
    weights_sha256="0" * 64,
    device="cpu",
    instruction_set="",
    runtime="cuda",
    runtime_version="",
    shape=(1, 1, 8, 8),
    precision="f32",
    threads=0,
)


class Held:
    """Stands for a tensor on the card."""


def test_memory_that_is_too_small_is_one_line_and_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[weakref.ref[Held]] = []
    gone: list[bool] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: gone.append(seen[0]() is None))

    def fail() -> None:
        held = Held()
        seen.append(weakref.ref(held))
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nGPU 0 has ...")

    with (
        pytest.raises(
            MemoryShortError, match=r"net at \[1, 1, 8, 8\] does not fit .*use smaller frames or tiles"
        ) as it,
        card.memory_of("net", (1, 1, 8, 8), "cuda"),
    ):
        fail()
    assert "\n" not in str(it.value)
    assert gone == [True]  # before what is free is given back


def settings() -> dict[str, Any]:
    """All that PyTorch tells about TF32 and cuDNN, by both of its interfaces."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    asked = {
        "all": lambda: torch.backends.fp32_precision,
        "cudnn": lambda: cudnn.fp32_precision,
        "conv": lambda: cudnn.conv.fp32_precision,
        "rnn": lambda: cudnn.rnn.fp32_precision,
        "matmul": lambda: matmul.fp32_precision,
        "old cudnn": lambda: cudnn.allow_tf32,
        "old matmul": lambda: matmul.allow_tf32,
        "rules": lambda: (cudnn.enabled, cudnn.benchmark, cudnn.deterministic),
    }
    told: dict[str, Any] = {}
    for name, ask in asked.items():
        try:
            told[name] = ask()
        except RuntimeError as error:  # the old interface, of what only the new one can say
            told[name] = type(error).__name__
    return told


PRECISIONS = ("all", "cudnn", "conv", "rnn", "matmul")


@pytest.fixture
def as_it_was() -> Iterator[None]:
    """PyTorch's own settings again, whatever a test makes of them."""
    yield
    torch.backends.fp32_precision = torch.backends.cudnn.fp32_precision = "none"
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = torch.backends.cudnn.deterministic = False
    torch.set_float32_matmul_precision("highest")
    torch.backends.cuda.matmul.fp32_precision = "none"


def old_interface() -> None:
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = False


def new_interface() -> None:
    torch.backends.fp32_precision = "tf32"


def new_interface_in_part() -> None:
    torch.backends.cudnn.conv.fp32_precision = "ieee"
    torch.backends.cuda.matmul.fp32_precision = "tf32"


@pytest.mark.usefixtures("as_it_was")
@pytest.mark.parametrize(
    "choose", [lambda: None, old_interface, new_interface, new_interface_in_part], ids=lambda it: it.__name__
)
def test_exact_is_without_tf32_and_leaves_no_trace(choose: Any) -> None:
    choose()
    before = settings()
    with card.exact():
        meanwhile = settings()
        assert {meanwhile[name] for name in PRECISIONS} == {"ieee"}
        assert meanwhile["rules"] == (True, False, True)
        torch.nn.Conv2d(1, 1, 3)(torch.zeros(1, 1, 8, 8))  # asks for them, and finds no contradiction
    assert settings() == before


@pytest.mark.usefixtures("as_it_was")
def test_what_follows_another_setting_still_follows_it_after_exact() -> None:
    torch.backends.fp32_precision = "tf32"
    with card.exact():
        pass
    torch.backends.fp32_precision = "none"
    assert torch.backends.cudnn.fp32_precision == "none"
    assert torch.backends.cuda.matmul.fp32_precision == "none"


@pytest.mark.usefixtures("as_it_was")
def test_exact_ends_with_an_error_in_it() -> None:
    before = settings()
    with pytest.raises(EngineError), card.exact():
        raise EngineError("no")
    assert settings() == before


def test_lanes_begin_and_end_with_nothing_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the warm-up is left to the first frame, and no lane is computed before it is written."""
    steps: list[str] = []

    class Noting(Streams):
        def settle(self) -> None:
            steps.append("wait")

    def prepare(lane: Lane) -> Any:
        steps.append("warm up")
        return lambda: lane.output.copy_(lane.input)

    monkeypatch.setattr(lanes, "Streams", Noting)
    Lanes(ANYTHING, torch.device("cpu"), ANYTHING.shape, prepare)
    assert steps == ["wait", "warm up", "warm up", "wait"]


def test_settling_waits_for_the_whole_card(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stream:
        def __init__(self, device: Any) -> None:
            pass

        def wait_stream(self, other: Any) -> None:
            pass

    waited: list[Any] = []
    device = torch.device("cuda", 0)
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(torch.cuda, "synchronize", waited.append)
    Streams(device).settle()
    assert waited == [device]
    Streams(torch.device("cpu")).settle()
    assert waited == [device]
