"""What a measurement depends on, as far as this machine tells."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from streamer.apps.bench.report import Machine
from streamer.apps.compose import versions
from streamer.engines.cpu import cpu_name, instruction_set, usable_cores

#: Beside those of every run: what carries frames, and what baselines run on.
FURTHER = ("pyzmq", "onnxruntime", "tensorrt_rtx", "pymmcore-plus", "pycromanager")
#: Share of the processors that others may keep busy before the numbers are not to be trusted.
BUSY = 0.25
#: A program that says nothing for so long is left alone.
PATIENCE_S = 5.0


def this_machine() -> Machine:
    """This one."""
    return Machine(
        cpu=cpu_name(),
        instruction_set=instruction_set(),
        cores=usable_cores(),
        processors=os.cpu_count() or 1,
        memory_gb=round(_memory_bytes() / 1e9, 1),
        gpu=_gpu(),
        system=platform.platform(terse=True),
    )


def all_versions() -> dict[str, str]:
    """Of all that the numbers depend on and that is installed."""
    found = versions()
    for name in FURTHER:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def load_average() -> float | None:
    """Of the last minute; None where the system does not tell."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def busy(load: float | None, processors: int, when: str) -> list[str]:
    """A warning where others kept the machine busy."""
    if load is None or load <= BUSY * processors:
        return []
    return [
        f"the machine was busy {when} (load {load:.1f} on {processors} processors): read ratios, not times, "
        "or measure again when it is idle"
    ]


def commit() -> str:
    """Of the git checkout that this code lies in, with a `+` where it was changed; empty outside of one."""
    checkout = Path(__file__).resolve().parents[3]
    git = shutil.which("git")
    if git is None or not (checkout / ".git").exists():
        return ""
    commit_id = _told([git, "-C", str(checkout), "rev-parse", "HEAD"])
    changed = _told([git, "-C", str(checkout), "--no-optional-locks", "status", "--porcelain", "-uno"])
    return f"{commit_id}+" if commit_id and changed else commit_id


def _gpu() -> str:
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    told = _told([program, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"])
    return "; ".join(told.splitlines())


def _told(command: list[str]) -> str:
    """What a program prints; nothing where it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    return done.stdout.strip()[:500]


def _memory_bytes() -> int:
    """0 where the system does not tell."""
    if sys.platform == "win32":
        import ctypes

        kilobytes = ctypes.c_ulonglong()
        ctypes.windll.kernel32.GetPhysicallyInstalledSystemMemory(ctypes.byref(kilobytes))
        return kilobytes.value * 1024
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return 0
