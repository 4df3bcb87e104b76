"""TensorRT through torch-tensorrt: the torch network converted whole, its plan kept in the engine cache.

Building races kernels against each other on the card that is here, for minutes; the plan is of that card and
driver and is never shared. A package without a network of ours is built from its ONNX weights.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import io
import logging
import tempfile
import warnings
from collections import deque
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from streamer.engines.cache import cached
from streamer.engines.card import Card, exact, in_short, memory_of, require_card
from streamer.engines.check import relative_rms
from streamer.engines.half import RULE, onnx_in, require_half
from streamer.engines.half_torch import traced
from streamer.engines.key import EngineKey, Precision
from streamer.engines.lanes import Lanes
from streamer.engines.memory import as_engine_error
from streamer.engines.network import has_network, load_network
from streamer.engines.plan import TensorRT, build_plan, one_line, run_plan, tensorrt_of
from streamer.errors import EngineError, MemoryShortError, PackageError
from streamer.package import ModelPackage

if TYPE_CHECKING:
    from torch import Tensor, nn

NAME = "tensorrt"

_CURE = "pip install 'scope-streamer[gpu]'"
#: torch-tensorrt's loggers: of its own, and of the TensorRT that it drives.
_LOGGERS = ("torch_tensorrt", "torch_tensorrt [TensorRT Conversion Context]")
#: Most that the trial network may stray from PyTorch; its sums are of nine numbers, in f32.
_TRIAL_TOLERANCE = 1e-5


def compile_tensorrt(
    package: ModelPackage, shape: tuple[int, int, int, int], *, precision: Precision, threads: int
) -> Lanes:
    """The package's network for inputs of `shape` (1, c, y, x) on the NVIDIA card that PyTorch uses.

    Args:
        package: with PyTorch weights for a network of ours, or ONNX weights.
        shape: of every input.
        precision: f32, f16 or bf16.
        threads: not used; the card computes.

    Raises:
        EngineError: no card here will do, torch-tensorrt is missing or fails, or it lacks an operator.
        PackageError: the package holds no weights that can be used.
    """
    require_half(precision, NAME)
    card = require_card(NAME)
    tensorrt = _edition()
    torch_version = importlib.import_module("torch").__version__
    key = EngineKey(
        weights_sha256=_digest(package),
        device=card.name,
        instruction_set=card.instruction_set,
        runtime=NAME,
        runtime_version=f"{tensorrt.module.__version__}, torch-tensorrt {torch_tensorrt().__version__}, "
        f"torch {torch_version}, casts {RULE}",
        shape=shape,
        precision=precision,
        threads=0,
        driver=card.driver,
    )

    def build() -> bytes:
        try_out(card)
        return _built(package, shape, precision, card, tensorrt)

    with listening(tensorrt.log.lines), memory_of(package.id, shape, NAME):
        return run_plan(tensorrt, cached(key, build), key, card)


def torch_tensorrt() -> Any:
    """The torch_tensorrt module.

    Raises:
        EngineError: it is not installed, or cannot be imported: it was built for another torch, its libraries
            are missing, or PyTorch has no CUDA. It raises plain Exception or AssertionError for these.
    """
    try:
        # It prints what it is about to raise, and warns of what we do not use.
        with contextlib.redirect_stdout(io.StringIO()), listening(deque()):
            return importlib.import_module("torch_tensorrt")
    except ModuleNotFoundError as error:
        if error.name == "torch_tensorrt":
            raise EngineError(f"engine {NAME}: torch-tensorrt is not installed; {_CURE}") from None
        problem = f"{error.name} is not installed"
    except Exception as error:
        problem = in_short(error)
    raise EngineError(
        f"engine {NAME}: torch-tensorrt cannot be imported ({problem}); its version must be that of torch: "
        f"{_CURE} again"
    )


class _Listener(logging.Handler):
    """Keeps errors."""

    def __init__(self, lines: deque[str]) -> None:
        super().__init__(logging.ERROR)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        """Keep its words."""
        self._lines.append(one_line(record.getMessage()))


@contextlib.contextmanager
def listening(lines: deque[str]) -> Iterator[None]:
    """What torch-tensorrt says does not reach the terminal; errors are kept in `lines`, newest last.

    Of several that are given to TensorRT it keeps the first log for the whole process, which may be theirs.
    """
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [(logger.handlers, logger.propagate) for logger in loggers]
    lines.clear()
    listener = _Listener(lines)
    for logger in loggers:
        logger.handlers, logger.propagate = [listener], False
    try:
        yield
    finally:
        for logger, (handlers, propagate) in zip(loggers, before, strict=True):
            logger.handlers, logger.propagate = handlers, propagate


@cache
def try_out(card: Card) -> None:
    """Compile a tiny network and hold one frame of it against PyTorch; once a process.

    Raises:
        EngineError: that fails, so that nothing larger need be tried.
    """
    import torch

    network = torch.nn.Conv2d(1, 1, 3, padding=1, device=card.device).eval()
    shape = (1, 1, 16, 16)
    key = EngineKey(
        weights_sha256="",
        device=card.name,
        instruction_set=card.instruction_set,
        runtime=NAME,
        runtime_version="",
        shape=shape,
        precision="f32",
        threads=0,
    )
    frame = np.arange(256, dtype=np.float32).reshape(shape)
    tensorrt = _edition()
    try:
        example = torch.from_numpy(frame).to(card.device)
        with exact(), torch.no_grad():
            expected = network(example).cpu().numpy()
        found = run_plan(tensorrt, converted(network, example), key, card)(frame)
    except Exception as error:
        raise EngineError(
            f"engine {NAME}: a trial on a tiny network fails ({_reason(error, tensorrt)}); {_CURE} again, or "
            "update the driver"
        ) from None
    if not relative_rms(found, expected) <= _TRIAL_TOLERANCE:
        raise EngineError(f"engine {NAME}: a trial on a tiny network gives wrong numbers; update the driver")


def converted(network: nn.Module, example: Tensor) -> bytes:
    """The plan of a torch network, whole: nothing is left to PyTorch.

    Raises:
        RuntimeError: as torch-tensorrt, also for an operator that it lacks.
    """
    import torch

    dynamo = torch_tensorrt().dynamo
    with (
        torch.no_grad(),
        warnings.catch_warnings(),
        # By default its timings are kept in /tmp, in a file that every process of every user writes.
        tempfile.TemporaryDirectory() as own,
    ):
        warnings.simplefilter("ignore")  # of what PyTorch and torch-tensorrt will change in each other
        exported = torch.export.export(network, (example,))
        plan: bytes = dynamo.convert_exported_program_to_serialized_trt_engine(
            exported,
            arg_inputs=(example,),
            disable_tf32=True,
            require_full_compilation=True,
            timing_cache_path=str(Path(own) / "timings.bin"),
        )
    return bytes(plan)


def _built(
    package: ModelPackage,
    shape: tuple[int, int, int, int],
    precision: Precision,
    card: Card,
    tensorrt: TensorRT,
) -> bytes:
    import torch

    weights = package.description.weights.onnx
    if not has_network(package) and weights:
        place = f"{package.id}/{weights.source}"
        return build_plan(tensorrt, onnx_in(package.read(weights), precision, place), shape, place)
    network, _ = load_network(package)
    example = torch.zeros(shape, device=card.device)
    try:
        return converted(traced(network.to(card.device), example, precision), example)
    except (EngineError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # torch-tensorrt raises many kinds
        words = (
            f"{package.id}: torch-tensorrt cannot convert it for {list(shape)} at {precision} "
            f"({_reason(error, tensorrt)}); use engine cuda or tensorrt-rtx"
        )
        raise (MemoryShortError(words) if tensorrt.is_short else as_engine_error(error, words)) from None


def _reason(error: Exception, tensorrt: TensorRT) -> str:
    """What was raised, and the last error that was told before: what is raised is often a bare assertion."""
    return f"{in_short(error)}: {tensorrt.problem}" if tensorrt.log.lines else in_short(error)


def _edition() -> TensorRT:
    """The TensorRT that torch-tensorrt was built for."""
    return tensorrt_of(torch_tensorrt().tensorrt_package_name, NAME, _CURE)


def _digest(package: ModelPackage) -> str:
    stated = package.description.weights
    weights = stated.pytorch_state_dict if has_network(package) else stated.onnx
    if weights is None:
        raise PackageError(
            f"{package.id}: holds neither PyTorch nor ONNX weights that can be used; export them"
        )
    return hashlib.sha256(package.read(weights)).hexdigest()
