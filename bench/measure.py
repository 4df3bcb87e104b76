"""What every measurement states: percentiles, ratios with their interval, the machine, what was asked."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import psutil

from streamer.apps.compose import versions
from streamer.engines.cpu import cpu_name, instruction_set, usable_cores

#: Percentiles given, and how many samples each of them needs.
PERCENTILES = {"p50": 1, "p90": 10, "p95": 20, "p99": 100, "p99.9": 1000}
#: Instructions that decide how fast networks run, as Linux names them.
FLAGS = ("amx_bf16", "amx_int8", "avx512_bf16", "avx512f", "avx2")
BOOTSTRAP_DRAWS = 10_000
ENGINE_PACKAGES = (
    "pycromanager",
    "pymmcore",
    "pymmcore-plus",
    "mm-test-adapters",
    "pyzmq",
    "psutil",
    "onnxruntime",
)
#: oneDNN's own switch: the widest instructions that OpenVINO and PyTorch may use.
ISA_LIMIT = "ONEDNN_MAX_CPU_ISA"
#: Variables that change what a run costs; a command is stated with those that were set.
VARIABLES = (ISA_LIMIT, "OMP_NUM_THREADS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a part is told.

    Attributes:
        folder: recordings and spools go below it.
        quick: tiny sizes, to see that everything runs; no measurement.
        with_inference: the long run once more, with networks.
    """

    folder: Path
    quick: bool = False
    with_inference: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The limit that one figure of a row is asked to keep."""

    figure: str
    at: Literal["most", "least"]
    limit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a table.

    Attributes:
        what: what was measured.
        load: what the machine did meanwhile, and whether anything was saturated.
        unit: of all figures but `n` and those whose name holds a unit.
        figures: numbers by name, `n` among them.
        asked: the limit, None where the figure is only stated.
    """

    what: str
    load: str
    unit: str
    figures: Mapping[str, float]
    asked: Asked | None = None


def percentiles(samples: Sequence[float]) -> dict[str, float]:
    """n, the percentiles that so many samples can carry, and the largest.

    Raises:
        ValueError: there is no sample.
    """
    if not samples:
        raise ValueError("no sample was taken; nothing can be said")
    n = len(samples)
    carried = [name for name, needed in PERCENTILES.items() if n >= needed]
    values = np.percentile(samples, [float(name[1:]) for name in carried])
    return {"n": n, **dict(zip(carried, values.tolist(), strict=True)), "max": float(max(samples))}


def ratio(measured: Sequence[float], base: Sequence[float], *, seed: int = 0) -> dict[str, float]:
    """Mean of `measured` over mean of `base`, with a 95 % interval by bootstrap over pairs of repetitions.

    Raises:
        ValueError: the repetitions are none or not pairs.
    """
    pairs = np.array([measured, base], dtype=float)  # [2, n]
    if pairs.size == 0:
        raise ValueError("no repetition was made; nothing can be said")
    n = pairs.shape[1]
    drawn = pairs[:, np.random.default_rng(seed).integers(0, n, (BOOTSTRAP_DRAWS, n))]  # [2, draws, n]
    sums = drawn.sum(axis=2)
    low, high = np.percentile(sums[0] / sums[1], [2.5, 97.5])
    return {"n": n, "ratio": float(pairs[0].sum() / pairs[1].sum()), "low": float(low), "high": float(high)}


def keeping_up(seconds: float, frames: int, behind: int, lost: int) -> str:
    """A load in words: how fast frames came, and whether the processor was saturated by them."""
    words = "saturated processor" if lost or behind > frames // 10 else "processor keeps up"
    counts = f"of {frames} frames {behind} waited at the end, {lost} lost"
    return f"{frames / seconds:.0f} frames/s, {words} ({counts})"


def machine() -> dict[str, Any]:
    """What the numbers depend on, as far as this machine tells."""
    return {
        "cpu": cpu_name(),
        "physical_cores": usable_cores(),
        "logical_cores": psutil.cpu_count(),
        "instruction_set": instruction_set(),
        "flags": _flags(),
        "ram_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": platform.platform(),
        "versions": versions() | {name: _version(name) for name in ENGINE_PACKAGES},
    }


def begun() -> dict[str, Any]:
    """When, by which command, where and under which load a measurement begins; `amx`: whether it has AMX."""
    found = machine()
    return {
        "command": _command(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_before": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "machine": found,
        "amx": bool((found["flags"] or {}).get("amx_bf16")) and ISA_LIMIT not in os.environ,
    }


def _command() -> str:
    """What was typed, with the variables that matter."""
    given = [f"{name}={os.environ[name]}" for name in VARIABLES if name in os.environ]
    return shlex.join([*given, "python", "-m", f"bench.{Path(sys.argv[0]).stem}", *sys.argv[1:]])


def _flags() -> dict[str, bool] | None:
    """Which of `FLAGS` the processor has; None where the system does not tell."""
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.is_file():
        return None
    words = set(cpuinfo.read_text(encoding="utf-8", errors="replace").split())
    return {flag: flag in words for flag in FLAGS}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
