"""Choose, compile and check an engine for a package on this machine."""

from __future__ import annotations

import importlib.util
import logging
import statistics
import time
from collections.abc import Mapping
from typing import Literal, Protocol

import numpy as np

from streamer.engines.check import Agreement, agreement, require_channels
from streamer.engines.cpu import AMX, instruction_set, usable_cores
from streamer.engines.key import Engine, Precision
from streamer.engines.openvino import compile_openvino
from streamer.engines.torch import compile_torch
from streamer.errors import EngineError, PackageError
from streamer.package import ModelPackage

_LOG = logging.getLogger(__name__)

#: The timing check stops after so many frames or so much time, whichever comes first.
_TRIAL_FRAMES, _TRIAL_S = 5, 2.0


class Compile(Protocol):
    """A package's weights for one input shape (1, c, y, x)."""

    def __call__(
        self, package: ModelPackage, shape: tuple[int, int, int, int], *, precision: Precision, threads: int
    ) -> Engine:
        """Errors: EngineError where it cannot be done here, PackageError where the weights lack."""
        ...


#: Engines by the name of the module they run on; "auto" takes the first that is installed.
ENGINES: Mapping[str, Compile] = {"openvino": compile_openvino, "torch": compile_torch}


def compile_engine(
    package: ModelPackage,
    shape_yx: tuple[int, int],
    *,
    engine: str = "auto",
    precision: Precision | Literal["auto"] = "auto",
    threads: int | None = None,
) -> Engine:
    """The package's network for frames of `shape_yx`, checked against its test tensors.

    `threads` defaults to the physical cores that this process may use. Precision "auto" is f32, or
    bf16 under OpenVINO where the processor has AMX, the test output holds and a short trial is faster.

    Raises:
        EngineError: the shape does not divide, or the engine is missing, fails, or strays from the test.
        PackageError: the package lacks the weights, or a layout that we can run.
    """
    multiple = package.size_multiple
    if any(size < 1 or size % multiple for size in shape_yx):
        raise EngineError(
            f"shape {list(shape_yx)}: {package.id} needs multiples of {multiple}; pad the frame"
        )
    name = _installed() if engine == "auto" else engine
    first = _checked(package, shape_yx, name, "f32" if precision == "auto" else precision, threads)
    if precision != "auto" or name != "openvino" or instruction_set() != AMX:
        return first
    try:
        second = _checked(package, shape_yx, name, "bf16", threads)
    except EngineError as error:
        _LOG.warning("bf16 is not used: %s", error)
        return first
    return _faster(first, second)


def check(
    package: ModelPackage, *, engine: str = "auto", precision: Precision = "f32", threads: int | None = None
) -> Agreement:
    """How far an engine strays from the package's test output on this machine.

    Raises:
        EngineError, PackageError: as `compile_engine`.
    """
    height, width = package.test_input().shape[-2:]
    name = _installed() if engine == "auto" else engine
    return agreement(package, _compile(package, (height, width), name, precision, threads))


def _installed() -> str:
    for name in ENGINES:
        if importlib.util.find_spec(name):
            return name
        _LOG.warning("engine %s is not installed here", name)
    raise EngineError("no engine is installed; pip install 'scope-streamer[processor]'")


def _compile(
    package: ModelPackage, shape_yx: tuple[int, int], name: str, precision: Precision, threads: int | None
) -> Engine:
    if name not in ENGINES:
        raise EngineError(f"engine {name}: unknown; use {', '.join(ENGINES)} or auto")
    axes = package.description.inputs[0].axis_names
    if len(package.description.inputs) != 1 or axes != ("batch", "channel", "y", "x"):
        raise PackageError(
            f"{package.id}: takes {' '.join(axes)}; only one input of batch channel y x can run"
        )
    given = package.test_input().shape
    require_channels(package, package.description.inputs[0], given)
    shape = (1, given[1], *shape_yx)
    return ENGINES[name](package, shape, precision=precision, threads=threads or usable_cores())


def _checked(
    package: ModelPackage, shape_yx: tuple[int, int], name: str, precision: Precision, threads: int | None
) -> Engine:
    found = check(package, engine=name, precision=precision, threads=threads)
    if not found.holds:
        raise EngineError(
            f"{package.id}: {name} {precision} strays from the test output by {found.words} "
            f"(tolerance {found.tolerance:.2g}) on this machine; use another engine or precision"
        )
    return _compile(package, shape_yx, name, precision, threads)


def _faster(first: Engine, second: Engine) -> Engine:
    """The engine with the smaller median time, in turns so that a busy moment hits both."""
    frame = np.ones(first.key.shape, dtype=np.float32)
    for engine in (first, second):
        engine(frame)  # warm-up
    times: dict[Engine, list[float]] = {first: [], second: []}
    started = time.perf_counter()
    while len(times[second]) < _TRIAL_FRAMES and time.perf_counter() - started < _TRIAL_S:
        for engine, taken in times.items():
            begun = time.perf_counter()
            engine(frame)
            taken.append(time.perf_counter() - begun)
    return min(times, key=lambda engine: statistics.median(times[engine]))
