"""What can be wrong with a machine or a package: each is one line with its cure, then the next engine's turn.

Detection is told of a machine with a card; what would compute there is the engines' own code, as far as it
gets without one.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_package import MakePackage, rewrite

from streamer.engines import Choice, Engine, Precision, choose, ladder, select
from streamer.engines.nvidia import Gpu, Nvidia
from streamer.errors import EngineError, MemoryShortError
from streamer.package import load_package

torch = pytest.importorskip("torch")
pytest.importorskip("openvino")

SHAPE = (48, 64)
ADA = Gpu(name="NVIDIA RTX 4090", capability=(8, 9), memory_bytes=24 << 30)
INSTALLED = {"torch": "2.13.0+cu130", "torch-tensorrt": "2.13.0", "tensorrt_rtx": "1.4"}

#: Tells detection of a machine: its driver, and versions by name, empty where something is not installed.
Machine = Callable[..., None]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    def told(
        *, driver: Nvidia | None = None, torch_cuda: str = "13.0", without: str = "", **versions: str
    ) -> None:
        installed = {name: found for name, found in (INSTALLED | versions).items() if name != without}

        def version(name: str) -> str:
            if name not in installed:
                raise PackageNotFoundError(name)
            return installed[name]

        def spec(name: str) -> object:
            return find_spec(name) if name in ("openvino", "torch") else installed.get(name)

        found = driver or Nvidia(driver="580.95", cuda=(13, 0), gpus=(ADA,))
        monkeypatch.setattr(ladder, "nvidia", lambda: found)
        monkeypatch.setattr(ladder, "version", version)
        monkeypatch.setattr(ladder, "_cuda_of_torch", lambda: torch_cuda)
        monkeypatch.setattr(
            ladder, "_not_installed", lambda module, *words: None if spec(module) else absent(module, *words)
        )

    absent = ladder._not_installed
    return told


def chosen_in_one_line(choice: Choice) -> str:
    """The words of the choice, which is the next engine that can."""
    assert choice.engine.key.runtime == "openvino"
    assert "\n" not in choice.words
    return choice.words


OLD = Nvidia(driver="570.1", cuda=(12, 8), gpus=(ADA,))
STOPPED = Nvidia(problem="NVIDIA driver installed but not running (NVML error 9)")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        pytest.param(
            {"driver": Nvidia(problem="no NVIDIA GPU")},
            "tensorrt, tensorrt-rtx, cuda: no NVIDIA GPU",
            id="no GPU",
        ),
        pytest.param(
            {"driver": STOPPED},
            "tensorrt, tensorrt-rtx, cuda: NVIDIA driver installed but not running (NVML error 9), install "
            "or start the driver again",
            id="driver that does not run",
        ),
        pytest.param(
            {"driver": OLD},
            "tensorrt, tensorrt-rtx, cuda: driver 570.1 is too old: it speaks CUDA 12.8, PyTorch is built "
            "for 13.0, install driver 580 or newer, or a PyTorch for CUDA 12.8",
            id="driver too old",
        ),
        pytest.param(
            {"without": "torch-tensorrt"},
            "tensorrt: torch-tensorrt is not installed, pip install 'scope-streamer[gpu]'",
            id="no torch-tensorrt",
        ),
        pytest.param(
            {"torch-tensorrt": "2.11.0"},
            "tensorrt: torch-tensorrt 2.11.0 is built for another PyTorch than 2.13.0+cu130, "
            "pip install 'torch-tensorrt==2.13.*'",
            id="torch-tensorrt for another torch",
        ),
        pytest.param(
            {"torch_cuda": ""},
            "PyTorch is the build without CUDA, pip install torch from https://pytorch.org",
            id="torch without CUDA",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:.*CUDA")
def test_what_a_machine_lacks_is_said_and_the_next_engine_taken(
    machine: Machine, make_package: MakePackage, how: dict[str, Any], said: str
) -> None:
    machine(**how)
    assert said in chosen_in_one_line(choose(load_package(make_package("tiny")), SHAPE, threads=1))


@pytest.mark.skipif(torch.cuda.is_available(), reason="here is a card")
def test_a_card_that_pytorch_cannot_use_is_one_line_an_engine(
    machine: Machine, make_package: MakePackage, caplog: pytest.LogCaptureFixture
) -> None:
    """Each engine that seemed to be here asks PyTorch, says what to do, and gives way to the next."""
    machine()
    with caplog.at_level(logging.WARNING):
        choice = choose(load_package(make_package("tiny")), SHAPE, threads=1)
    for name in ("tensorrt", "tensorrt-rtx", "cuda"):
        assert f"engine {name}: PyTorch {torch.__version__} sees no NVIDIA card" in chosen_in_one_line(choice)
        assert any(
            line.startswith(f"engine {name}: ")
            and "update the driver, or look at CUDA_VISIBLE_DEVICES" in line
            for line in caplog.messages
        )


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch, machine: Machine) -> Callable[[Callable[..., Any]], None]:
    """A card whose only engine, `cuda`, compiles by a function of the test's."""

    def set_up(compile_: Callable[..., Any]) -> None:
        machine(without="tensorrt_rtx", **{"torch-tensorrt": "2.11.0"})
        monkeypatch.setitem(select.ENGINES, "cuda", compile_)

    return set_up


@pytest.mark.parametrize(
    ("error", "said"),
    [
        pytest.param(
            lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has ..."),
            "engine cuda f32: CUDA out of memory. Tried to allocate 2.00 GiB.; give its memory free",
            id="out of memory",
        ),
        pytest.param(
            lambda: EngineError("net: tensorrt lacks the operator Wobble (node1); use engine openvino"),
            "net: tensorrt lacks the operator Wobble (node1); use engine openvino",
            id="unsupported operator",
        ),
    ],
)
def test_what_fails_is_one_line_with_its_cure_and_the_next_engine_is_taken(
    failing: Callable[[Callable[..., Any]], None],
    make_package: MakePackage,
    caplog: pytest.LogCaptureFixture,
    error: Callable[[], Exception],
    said: str,
) -> None:
    def compile_(*_given: Any, **_how: Any) -> Any:
        raise error()

    failing(compile_)
    with caplog.at_level(logging.WARNING):
        choice = choose(load_package(make_package("tiny")), SHAPE, threads=1)
    assert said.split("; ")[0] in chosen_in_one_line(choice)
    assert [line for line in caplog.messages if line.startswith(said)]
    assert not [line for line in caplog.messages if "\n" in line]


def test_memory_that_is_short_leads_to_tiles_before_another_engine(
    failing: Callable[[Callable[..., Any]], None], make_package: MakePackage
) -> None:
    def compile_(*_given: Any, **_how: Any) -> Any:
        raise MemoryShortError("engine tensorrt: no room on the card to run it; use smaller frames or tiles")

    failing(compile_)
    folder = make_package("tiny")
    rewrite(folder, lambda told: told["config"]["streamer"].update(reach_px=4))
    with pytest.raises(MemoryShortError, match="no room on the card"):
        choose(load_package(folder), SHAPE, threads=1)


class Wrong:
    """A real engine on the card, as far as memory goes, whose numbers are all wrong."""

    def __init__(self, engine: Engine) -> None:
        self.key, self._engine = engine.key, engine

    def __call__(self, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        return 1 + self._engine(tensor)


@pytest.mark.parametrize("fails", [True, False], ids=["one that fails", "one that strays"])
def test_an_engine_that_was_refused_keeps_no_memory(
    failing: Callable[[Callable[..., Any]], None],
    make_package: MakePackage,
    monkeypatch: pytest.MonkeyPatch,
    fails: bool,
) -> None:
    """What an error leads to is gone when the next engine is made: its memory is the next one's."""
    held: list[weakref.ref[Wrong]] = []
    kept: list[int] = []
    real = select.ENGINES["openvino"]

    def compile_(*given: Any, precision: Precision, **how: Any) -> Engine:
        engine = Wrong(real(*given, precision="f32", **how))
        held.append(weakref.ref(engine))
        if not fails:
            return engine
        try:
            raise torch.OutOfMemoryError("CUDA out of memory")
        except torch.OutOfMemoryError:
            raise RuntimeError("CUDA error: out of memory")  # noqa: B904  # as runtimes do

    def next_one(*given: Any, **how: Any) -> Engine:
        kept.append(sum(seen() is not None for seen in held))
        return real(*given, **how)

    failing(compile_)
    monkeypatch.setitem(select.ENGINES, "openvino", next_one)
    choice = choose(load_package(make_package("tiny")), SHAPE, threads=1)
    assert any(("out of memory" if fails else "strays") in line for line in choice.refused)
    assert held
    assert set(kept) == {0}


@pytest.mark.filterwarnings("ignore:.*CUDA")
@pytest.mark.skipif(torch.cuda.is_available(), reason="here is a card")
@pytest.mark.parametrize("kept", ["onnx", "pytorch_state_dict"])
def test_weights_of_one_kind_are_enough(machine: Machine, make_package: MakePackage, kept: str) -> None:
    machine()
    folder = make_package("one")
    rewrite(folder, lambda told: told.update(weights={kept: told["weights"][kept]}))
    choice = choose(load_package(folder), SHAPE, threads=1)
    assert choice.engine.key.runtime == {"onnx": "openvino", "pytorch_state_dict": "torch"}[kept]
    assert "\n" not in choice.words
