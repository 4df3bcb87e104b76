"""What this machine's processor is called, can do, and lends to this process."""

from __future__ import annotations

import os
import platform
import sys
from functools import cache
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")

#: Widest first: processor flags as Linux names them, and what we call the set.
_LINUX_SETS = (
    ("amx_bf16", "amx-bf16"),
    ("avx512_bf16", "avx512-bf16"),
    ("avx512f", "avx512"),
    ("avx2", "avx2"),
    ("asimd", "neon"),
)
#: Bits of the processor state that Windows keeps: AMX tile data, AVX-512's upper registers, AVX.
_WINDOWS_SETS = ((18, "amx-bf16"), (6, "avx512"), (2, "avx2"))
AMX = "amx-bf16"


@cache
def cpu_name() -> str:
    """The processor's own name."""
    return _cpuinfo().get("model name") or platform.processor() or platform.machine()


@cache
def instruction_set() -> str:
    """The widest instruction set that networks use; "unknown" where the system does not tell."""
    if sys.platform == "win32":
        import ctypes

        state = ctypes.windll.kernel32.GetEnabledXStateFeatures
        state.restype = ctypes.c_uint64
        enabled = int(state())
        return next((name for bit, name in _WINDOWS_SETS if enabled >> bit & 1), "unknown")
    cpuinfo = _cpuinfo()
    flags = (cpuinfo.get("flags") or cpuinfo.get("Features") or "").split()
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return "neon"
    return next((name for flag, name in _LINUX_SETS if flag in flags), "unknown")


@cache
def usable_cores() -> int:
    """Physical cores that this process may use; logical ones where the system does not tell them apart.

    A second thread on a core gains convolutions nothing, and an engine that counts cores which the
    process may not use (containers, job schedulers) waits on itself.
    """
    if sys.platform != "linux":
        return os.cpu_count() or 1
    cpus = os.sched_getaffinity(0)
    siblings = (Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list") for cpu in cpus)
    cores = {path.read_text() for path in siblings if path.is_file()}
    return len(cores) or len(cpus)


@cache
def _cpuinfo() -> dict[str, str]:
    """The first processor's lines of Linux's /proc/cpuinfo; empty elsewhere."""
    if not _CPUINFO.is_file():
        return {}
    first = _CPUINFO.read_text(encoding="utf-8", errors="replace").split("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}
