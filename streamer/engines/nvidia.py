"""NVIDIA's driver and its GPUs, asked through the driver's own library: no torch, a few milliseconds."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

_LIBRARIES = ("nvml.dll",) if sys.platform == "win32" else ("libnvidia-ml.so.1", "libnvidia-ml.so")
_TEXT_BYTES = 96  # NVML_DEVICE_NAME_V2_BUFFER_SIZE, the longest of its texts


class _Memory(ctypes.Structure):
    """nvmlMemory_t."""

    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One card.

    Attributes:
        name: as its maker calls it.
        capability: compute capability, (8, 9) for an RTX 40.
        memory_bytes: its own.
    """

    name: str
    capability: tuple[int, int]
    memory_bytes: int

    @property
    def words(self) -> str:
        """Name, capability and memory."""
        major, minor = self.capability
        return f"{self.name} (compute capability {major}.{minor}, {self.memory_bytes / 2**30:.0f} GiB)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Nvidia:
    """What the driver says.

    Attributes:
        driver: its version, such as "580.95.05"; empty where there is none.
        cuda: the newest CUDA that it speaks, (13, 0).
        gpus: in its order, which need not be PyTorch's (`streamer.engines.ladder.gpu_in_use`).
        problem: why there are none, in words; empty where there are.
    """

    driver: str = ""
    cuda: tuple[int, int] = (0, 0)
    gpus: tuple[Gpu, ...] = ()
    problem: str = ""


@cache
def nvidia() -> Nvidia:
    """Driver and GPUs of this machine; asked once."""
    library = _library()
    return ask(library) if library else Nvidia(problem="no NVIDIA GPU")


def ask(library: Any) -> Nvidia:
    """Driver and GPUs, from NVML (https://docs.nvidia.com/deploy/nvml-api)."""
    if code := library.nvmlInit_v2():
        return Nvidia(problem=f"NVIDIA driver installed but not running (NVML error {code})")
    try:
        driver = _text(library.nvmlSystemGetDriverVersion)
        cuda = divmod(_number(library.nvmlSystemGetCudaDriverVersion_v2), 1000)
        gpus = tuple(_gpu(library, index) for index in range(_number(library.nvmlDeviceGetCount_v2)))
    except OSError as error:
        return Nvidia(problem=f"NVIDIA driver does not answer ({error})")
    finally:
        library.nvmlShutdown()
    problem = "" if gpus else f"no NVIDIA GPU (driver {driver})"
    return Nvidia(driver=driver, cuda=(cuda[0], cuda[1] // 10), gpus=gpus, problem=problem)


def _gpu(library: Any, index: int) -> Gpu:
    handle = ctypes.c_void_p()
    _ok(library.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(index), ctypes.byref(handle)))
    major, minor, memory = ctypes.c_int(), ctypes.c_int(), _Memory()
    _ok(library.nvmlDeviceGetCudaComputeCapability(handle, ctypes.byref(major), ctypes.byref(minor)))
    _ok(library.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory)))
    name = _text(lambda *buffer: library.nvmlDeviceGetName(handle, *buffer))
    return Gpu(name=name, capability=(major.value, minor.value), memory_bytes=memory.total)


def _text(ask_for: Callable[..., int]) -> str:
    buffer = ctypes.create_string_buffer(_TEXT_BYTES)
    _ok(ask_for(buffer, ctypes.c_uint(_TEXT_BYTES)))
    return buffer.value.decode(errors="replace")


def _number(ask_for: Callable[..., int]) -> int:
    number = ctypes.c_uint()
    _ok(ask_for(ctypes.byref(number)))
    return number.value


def _ok(code: int) -> None:
    if code:
        raise OSError(f"NVML error {code}")


def _library() -> Any:
    """The driver's library; None where no driver is installed."""
    for name in _LIBRARIES:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None
