"""Which engines can exist here is told by name, version and driver, before any is imported."""

from __future__ import annotations

import ctypes
import sys
from importlib.metadata import PackageNotFoundError
from types import SimpleNamespace
from typing import Any

import pytest

from streamer.engines import LADDER, ladder
from streamer.engines.ladder import absence, precisions
from streamer.engines.nvidia import Gpu, Nvidia, ask, nvidia
from streamer.engines.select import ENGINES
from streamer.errors import EngineError

ADA = Gpu(name="NVIDIA RTX 4090", capability=(8, 9), memory_bytes=24 << 30)
HOPPER = Gpu(name="NVIDIA H200", capability=(9, 0), memory_bytes=141 << 30)
PASCAL = Gpu(name="Quadro P2000", capability=(6, 1), memory_bytes=5 << 30)
EVERYTHING = {
    "torch": "2.13.0+cu130",
    "torch-tensorrt": "2.13.0",
    "tensorrt_rtx": "1.4",
    "openvino": "2026.4",
}


def machine(
    monkeypatch: pytest.MonkeyPatch,
    gpu: Gpu | None = ADA,
    *,
    cuda: tuple[int, int] = (13, 0),
    torch_cuda: str = "13.0",
    **versions: str,
) -> None:
    """Detection as it would be told by a machine of that kind; nothing pretends to compute."""
    installed = {name: found for name, found in (EVERYTHING | versions).items() if found}

    def version(name: str) -> str:
        if name not in installed:
            raise PackageNotFoundError(name)
        return installed[name]

    problem = "" if gpu else "no NVIDIA GPU"
    told = Nvidia(driver="570.1", cuda=cuda, gpus=(gpu,) if gpu else (), problem=problem)
    monkeypatch.setattr(ladder, "nvidia", lambda: told)
    monkeypatch.setattr(ladder, "version", version)
    monkeypatch.setattr(ladder.importlib.util, "find_spec", lambda name: installed.get(name) and object())
    monkeypatch.setattr(ladder, "_cuda_of_torch", lambda: torch_cuda)


TENSORRT, RTX, CUDA = "tensorrt", "tensorrt-rtx", "cuda"
WITHOUT: dict[str, str] = {"torch-tensorrt": ""}


@pytest.mark.parametrize(
    ("engine", "gpu", "how", "expected"),
    [
        pytest.param(TENSORRT, ADA, {}, None, id="all that TensorRT needs"),
        pytest.param(TENSORRT, None, {}, "no NVIDIA GPU", id="no GPU"),
        pytest.param(
            TENSORRT,
            ADA,
            WITHOUT,
            "torch-tensorrt is not installed; pip install 'scope-streamer[gpu]'",
            id="gpu",
        ),
        pytest.param(
            TENSORRT,
            ADA,
            {"torch-tensorrt": "2.11.0"},
            "torch-tensorrt 2.11.0 is built for another PyTorch than 2.13.0+cu130; "
            "pip install 'torch-tensorrt==2.13.*'",
            id="for another torch",
        ),
        pytest.param(RTX, ADA, {}, None, id="RTX card"),
        pytest.param(
            RTX,
            HOPPER,
            {},
            "TensorRT-RTX does not build for NVIDIA H200 (compute capability 9.0, 141 GiB)",
            id="no RTX card",
        ),
        pytest.param(CUDA, HOPPER, WITHOUT, None, id="CUDA needs no TensorRT"),
        pytest.param(CUDA, ADA, {"torch": ""}, "PyTorch is not installed; pip install", id="no torch"),
        pytest.param(
            CUDA, ADA, {"torch_cuda": ""}, "the build without CUDA; pip install torch", id="CPU torch"
        ),
        pytest.param(
            CUDA,
            ADA,
            {"cuda": (12, 8)},
            "driver 570.1 is too old: it speaks CUDA 12.8, PyTorch is built for 13.0; "
            "install driver 580 or newer, or a PyTorch for CUDA 12.8",
            id="old driver",
        ),
        pytest.param(CUDA, ADA, {"cuda": (12, 2), "torch_cuda": "12.8"}, None, id="same major version"),
        pytest.param(
            "openvino", None, {"openvino": ""}, "OpenVINO is not installed; pip install", id="OpenVINO"
        ),
        pytest.param("openvino-gpu", None, {"openvino": ""}, "OpenVINO is not installed", id="nor on a GPU"),
        pytest.param("torch", None, {"torch": ""}, "PyTorch is not installed; pip install", id="PyTorch"),
    ],
)
def test_what_is_not_here_says_why_and_what_would_help(
    monkeypatch: pytest.MonkeyPatch, engine: str, gpu: Gpu | None, how: dict[str, Any], expected: str | None
) -> None:
    machine(monkeypatch, gpu, **how)
    found = absence(engine)
    assert (found and expected in found.words) if expected else found is None


@pytest.mark.parametrize(
    ("gpu", "expected"),
    [(HOPPER, ("f32", "f16", "bf16")), (PASCAL, ("f32",))],
    ids=["matrix units", "none"],
)
def test_a_gpu_offers_what_it_has_units_for(
    monkeypatch: pytest.MonkeyPatch, gpu: Gpu, expected: tuple[str, ...]
) -> None:
    machine(monkeypatch, gpu)
    assert precisions("cuda") == expected


class Torch:
    """PyTorch where it uses the second of two cards, as by CUDA_VISIBLE_DEVICES=1."""

    @staticmethod
    def current_device() -> int:
        return 0

    @staticmethod
    def get_device_properties(index: int) -> Any:
        major, minor = PASCAL.capability
        return SimpleNamespace(name=PASCAL.name, major=major, minor=minor, total_memory=PASCAL.memory_bytes)


def test_of_several_cards_the_one_that_pytorch_uses_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch)
    both = Nvidia(driver="570.1", cuda=(13, 0), gpus=(ADA, PASCAL))
    monkeypatch.setattr(ladder, "nvidia", lambda: both)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=Torch))
    assert ladder.gpu_in_use() == PASCAL
    assert precisions("cuda") == ("f32",)
    found = absence("tensorrt-rtx")
    assert found
    assert found.words.startswith("TensorRT-RTX does not build for Quadro P2000")


@pytest.mark.parametrize("how", [{"torch": ""}, {"torch_cuda": ""}, {}], ids=["none", "CPU", "broken"])
def test_without_a_pytorch_that_tells_the_drivers_first_card_counts(
    monkeypatch: pytest.MonkeyPatch, how: dict[str, str]
) -> None:
    machine(monkeypatch, **how)
    both = Nvidia(driver="570.1", cuda=(13, 0), gpus=(ADA, PASCAL))
    monkeypatch.setattr(ladder, "nvidia", lambda: both)
    monkeypatch.setitem(sys.modules, "torch", None)  # where it is imported all the same, it fails
    assert ladder.gpu_in_use() == ADA


@pytest.mark.gpu
def test_the_card_in_use_is_one_that_the_driver_knows() -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no NVIDIA GPU")
    found = ladder.gpu_in_use()
    assert found.capability == torch.cuda.get_device_capability()
    assert found.capability in {gpu.capability for gpu in nvidia().gpus}


def test_every_engine_has_a_rung() -> None:
    assert ENGINES.keys() <= set(LADDER)
    with pytest.raises(EngineError, match=r"engine x: unknown; use tensorrt, .* or auto"):
        absence("x")


def test_the_cuda_of_pytorch_is_read_and_not_imported() -> None:
    torch = pytest.importorskip("torch")
    assert ladder._cuda_of_torch() == (torch.version.cuda or "")


class Library:
    """NVML's own calls, answering as its documentation says."""

    def __init__(self, *, init: int = 0, gpus: int = 1, ok: int = 0) -> None:
        self._init, self._gpus, self._ok = init, gpus, ok
        self.closed = False

    def nvmlInit_v2(self) -> int:  # noqa: N802
        return self._init

    def nvmlShutdown(self) -> int:  # noqa: N802
        self.closed = True
        return 0

    def nvmlSystemGetDriverVersion(self, buffer: Any, size: Any) -> int:  # noqa: N802
        buffer.value = b"580.95.05"
        return self._ok

    def nvmlSystemGetCudaDriverVersion_v2(self, number: Any) -> int:  # noqa: N802
        number._obj.value = 12080
        return 0

    def nvmlDeviceGetCount_v2(self, number: Any) -> int:  # noqa: N802
        number._obj.value = self._gpus
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, index: Any, handle: Any) -> int:  # noqa: N802
        return 0

    def nvmlDeviceGetCudaComputeCapability(self, handle: Any, major: Any, minor: Any) -> int:  # noqa: N802
        major._obj.value, minor._obj.value = 8, 9
        return 0

    def nvmlDeviceGetMemoryInfo(self, handle: Any, memory: Any) -> int:  # noqa: N802
        memory._obj.total = ctypes.c_ulonglong(24 << 30).value
        return 0

    def nvmlDeviceGetName(self, handle: Any, buffer: Any, size: Any) -> int:  # noqa: N802
        buffer.value = b"NVIDIA RTX 4090"
        return 0


def test_the_driver_is_asked_for_what_it_knows() -> None:
    library = Library()
    assert ask(library) == Nvidia(driver="580.95.05", cuda=(12, 8), gpus=(ADA,))
    assert library.closed


@pytest.mark.parametrize(
    ("library", "expected"),
    [
        pytest.param(Library(init=9), "installed but not running (NVML error 9)", id="not loaded"),
        pytest.param(Library(gpus=0), "no NVIDIA GPU (driver 580.95.05)", id="no card"),
        pytest.param(Library(ok=999), "does not answer (NVML error 999)", id="confused"),
    ],
)
def test_a_driver_without_cards_says_so(library: Library, expected: str) -> None:
    assert expected in ask(library).problem
