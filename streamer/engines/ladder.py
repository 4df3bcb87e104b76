"""Which engines can exist on this machine, told without importing any that cannot.

PyTorch is imported where several NVIDIA cards are here, to learn which of them it uses.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from streamer.engines.key import Precision
from streamer.engines.nvidia import Gpu, nvidia
from streamer.errors import EngineError

#: Fastest first, as a rule; a trial on this machine has the last word. PyTorch is the oracle: last resort.
LADDER = ("tensorrt", "tensorrt-rtx", "cuda", "openvino-gpu", "openvino", "torch")
LAST_RESORT = "torch"
#: Oldest drivers (https://docs.nvidia.com/deploy/cuda-compatibility) by major version of CUDA.
_OLDEST_DRIVER = {11: "450", 12: "525", 13: "580"}
#: What TensorRT-RTX builds for; data-centre cards such as 9.0 are not among them.
_RTX_CAPABILITIES = {(7, 5), (8, 0), (8, 6), (8, 9), (12, 0), (12, 1)}
#: Graphics devices as Linux lists them, and Intel's number among their makers.
_CARDS, _INTEL = Path("/sys/class/drm"), "0x8086"
#: First compute capabilities with matrix units for these.
_F16_FROM, _BF16_FROM = (7, 0), (8, 0)


@dataclass(frozen=True, slots=True)
class Absence:
    """Why an engine cannot run here.

    Attributes:
        reason: in words.
        cure: what would help; empty where only another machine would.
    """

    reason: str
    cure: str = ""

    @property
    def words(self) -> str:
        """Reason and cure in one line."""
        return f"{self.reason}; {self.cure}" if self.cure else self.reason


def absence(engine: str) -> Absence | None:
    """Why an engine of the ladder cannot run here; None where it is worth a try.

    Raises:
        EngineError: no such engine.
    """
    if engine not in LADDER:
        raise EngineError(f"engine {engine}: unknown; use {', '.join(LADDER)} or auto")
    return _ABSENCES[engine]()


def absences() -> Mapping[str, Absence]:
    """Every engine that cannot run here, in the order of the ladder."""
    found = {name: absence(name) for name in LADDER}
    return {name: absent for name, absent in found.items() if absent}


def precisions(engine: str) -> tuple[Precision, ...]:
    """What a present engine computes in on this device, most exact first.

    Raises:
        EngineError: its runtime cannot be asked.
    """
    if engine in ("openvino", "openvino-gpu"):
        from streamer.engines.openvino import precisions_of

        return precisions_of(engine)
    if engine == LAST_RESORT:
        return ("f32",)
    capability = gpu_in_use().capability if nvidia().gpus else (0, 0)
    exact: tuple[Precision, ...] = ("f32",)
    half: tuple[Precision, ...] = ("f16",) if capability >= _F16_FROM else ()
    brain: tuple[Precision, ...] = ("bf16",) if capability >= _BF16_FROM else ()
    return exact + half + brain


def gpu_in_use() -> Gpu:
    """The card that engines run on, where there is one: of several, PyTorch says which.

    The driver's order is by place on the bus, PyTorch's by speed and by CUDA_VISIBLE_DEVICES.
    """
    first, *others = nvidia().gpus
    if not others or _no_cuda_torch():
        return first
    try:
        cuda: Any = importlib.import_module("torch").cuda
        used = cuda.get_device_properties(cuda.current_device())
    except Exception:  # of many kinds; the engine says later why PyTorch sees no card
        return first
    return Gpu(name=used.name, capability=(used.major, used.minor), memory_bytes=used.total_memory)


def _tensorrt() -> Absence | None:
    return _no_gpu() or _torch_tensorrt("torch-tensorrt", "gpu") or _no_cuda_torch()


def _tensorrt_rtx() -> Absence | None:
    if absent := _no_gpu():
        return absent
    gpu = gpu_in_use()
    if gpu.capability not in _RTX_CAPABILITIES:
        return Absence(f"TensorRT-RTX does not build for {gpu.words}")
    return _not_installed("tensorrt_rtx", "TensorRT-RTX", "rtx") or _no_cuda_torch()  # which owns the memory


def _cuda() -> Absence | None:
    return _no_gpu() or _no_cuda_torch()


def _openvino_gpu() -> Absence | None:
    if absent := _openvino():
        return absent
    from streamer.engines.openvino import has_gpu

    try:
        if has_gpu():
            return None
    except EngineError as error:
        return Absence(str(error))
    if any(path.read_text().strip() == _INTEL for path in _CARDS.glob("renderD*/device/vendor")):
        return Absence("an Intel GPU without its OpenCL driver", "install intel-opencl-icd")
    return Absence("no Intel GPU that OpenVINO sees")


def _openvino() -> Absence | None:
    return _not_installed("openvino", "OpenVINO", "processor")


def _torch() -> Absence | None:
    return _not_installed("torch", "PyTorch", "train")


def _no_gpu() -> Absence | None:
    found = nvidia()
    if found.gpus:
        return None
    cure = "install or start the driver again" if found.problem.startswith("NVIDIA driver") else ""
    return Absence(found.problem or "no NVIDIA GPU", cure)


def _no_cuda_torch() -> Absence | None:
    """PyTorch without CUDA, or with one too new for the driver; read from its files, not imported."""
    if absent := _torch():
        return absent
    built_for = _cuda_of_torch()
    if not built_for:
        return Absence("PyTorch is the build without CUDA", "pip install torch from https://pytorch.org")
    found, major = nvidia(), int(built_for.split(".")[0])
    if found.cuda[0] >= major:
        return None
    spoken, oldest = ".".join(map(str, found.cuda)), _OLDEST_DRIVER.get(major, "of that CUDA")
    return Absence(
        f"driver {found.driver} is too old: it speaks CUDA {spoken}, PyTorch is built for {built_for}",
        f"install driver {oldest} or newer, or a PyTorch for CUDA {spoken}",
    )


def _torch_tensorrt(distribution: str, extra: str) -> Absence | None:
    """torch-tensorrt that lacks, or belongs to another PyTorch: major and minor version are the same."""
    try:
        found, torch = version(distribution), version("torch")
    except PackageNotFoundError as error:
        return Absence(f"{error.name} is not installed", f"pip install 'scope-streamer[{extra}]'")
    if found.split(".")[:2] != torch.split(".")[:2]:
        needed = ".".join(torch.split("+")[0].split(".")[:2])
        return Absence(
            f"{distribution} {found} is built for another PyTorch than {torch}",
            f"pip install '{distribution}=={needed}.*'",
        )
    return None


def _not_installed(module: str, name: str, extra: str) -> Absence | None:
    if importlib.util.find_spec(module):
        return None
    return Absence(f"{name} is not installed", f"pip install 'scope-streamer[{extra}]'")


def _cuda_of_torch() -> str:
    """The CUDA that PyTorch was built for, from its version.py; empty for a build without."""
    spec = importlib.util.find_spec("torch")
    for folder in (spec and spec.submodule_search_locations) or ():
        path = Path(folder) / "version.py"
        if path.is_file() and (found := re.search(r"(?m)^cuda\b.*?'([\d.]+)'", path.read_text("utf-8"))):
            return found[1]
    return ""


_ABSENCES: Mapping[str, Callable[[], Absence | None]] = {
    "tensorrt": _tensorrt,
    "tensorrt-rtx": _tensorrt_rtx,
    "cuda": _cuda,
    "openvino-gpu": _openvino_gpu,
    "openvino": _openvino,
    "torch": _torch,
}
