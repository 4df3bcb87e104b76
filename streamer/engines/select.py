"""Compile and check an engine for a package on this machine."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from typing import Literal, Protocol

from streamer.engines.check import Agreement, agreement, require_channels
from streamer.engines.cpu import usable_cores
from streamer.engines.key import Engine, Precision
from streamer.engines.ladder import LADDER, absence
from streamer.engines.memory import as_engine_error, is_of_memory
from streamer.errors import EngineError, PackageError, StreamerError
from streamer.package import ModelPackage


class Compile(Protocol):
    """A package's weights for one input shape (1, c, y, x)."""

    def __call__(
        self, package: ModelPackage, shape: tuple[int, int, int, int], *, precision: Precision, threads: int
    ) -> Engine:
        """Errors: EngineError where it cannot be done here, PackageError where the weights lack."""
        ...


def _lazy(module: str, function: str) -> Compile:
    """A compile function whose module is imported when it is first needed."""

    def compile_(
        package: ModelPackage, shape: tuple[int, int, int, int], *, precision: Precision, threads: int
    ) -> Engine:
        found: Callable[..., Engine] = getattr(importlib.import_module(module), function)
        return found(package, shape, precision=precision, threads=threads)

    return compile_


#: Engines by name; an engine's key carries the same name as its `runtime`.
ENGINES: Mapping[str, Compile] = {
    "tensorrt": _lazy("streamer.engines.tensorrt", "compile_tensorrt"),
    "tensorrt-rtx": _lazy("streamer.engines.tensorrt_rtx", "compile_tensorrt_rtx"),
    "cuda": _lazy("streamer.engines.cuda", "compile_cuda"),
    "openvino-gpu": _lazy("streamer.engines.openvino", "compile_openvino_gpu"),
    "openvino": _lazy("streamer.engines.openvino", "compile_openvino"),
    "torch": _lazy("streamer.engines.torch", "compile_torch"),
}


def compile_engine(
    package: ModelPackage,
    shape_yx: tuple[int, int],
    *,
    engine: str = "auto",
    precision: Precision | Literal["auto"] = "auto",
    threads: int | None = None,
) -> Engine:
    """The package's network for frames of `shape_yx`, checked against its test tensors.

    Arguments and errors are those of `streamer.engines.choose`, which also says why.
    """
    from streamer.engines.choice import choose

    return choose(package, shape_yx, engine=engine, precision=precision, threads=threads).engine


def check(
    package: ModelPackage, *, engine: str = "auto", precision: Precision = "f32", threads: int | None = None
) -> Agreement:
    """How far an engine strays from the package's test output; "auto" is the first engine that is here.

    Raises:
        EngineError, PackageError: as `compile_one`.
    """
    name = next(iter(present()), "openvino") if engine == "auto" else engine
    return agreement(package, for_test(package, name, precision, threads))


def present() -> Iterator[str]:
    """Engines that can run here, in the order of the ladder."""
    return (name for name in LADDER if name in ENGINES and absence(name) is None)


def for_test(package: ModelPackage, name: str, precision: Precision, threads: int | None) -> Engine:
    """The engine for the shape of the package's test input.

    Raises:
        EngineError, PackageError: as `compile_one`.
    """
    height, width = package.test_input().shape[-2:]
    return compile_one(package, (height, width), name, precision, threads)


def compile_one(
    package: ModelPackage, shape_yx: tuple[int, int], name: str, precision: Precision, threads: int | None
) -> Engine:
    """One engine, unchecked.

    Raises:
        EngineError: it is unknown or absent, or cannot compile this package for this shape.
        PackageError: the package lacks the weights, or a layout that we can run.
    """
    if name not in ENGINES:
        raise EngineError(f"engine {name}: unknown; use {', '.join(ENGINES)} or auto")
    inputs = package.description.inputs
    if len(inputs) != 1 or inputs[0].axis_names != ("batch", "channel", "y", "x"):
        taken = f"{len(inputs)} inputs" if len(inputs) != 1 else " ".join(inputs[0].axis_names)
        raise PackageError(
            f"{package.id}: takes {taken}; only one input of batch channel y x can run; export it so"
        )
    given = package.test_input().shape
    require_channels(package, package.description.inputs[0], given)
    shape = (1, given[1], *shape_yx)
    try:
        return ENGINES[name](package, shape, precision=precision, threads=threads or usable_cores())
    except (StreamerError, KeyboardInterrupt):
        raise
    except Exception as error:  # runtimes raise what they like; the next engine shall have its turn
        raise as_engine_error(error, in_one_line(name, precision, error)) from error


def in_one_line(name: str, precision: Precision, error: Exception) -> str:
    """What an engine's runtime complained of, with a cure where we know one."""
    said = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    words = f"engine {name} {precision}: {said[:200]}"
    if is_of_memory(error):
        return f"{words}; give its memory free (other programs on the GPU?), or use smaller frames"
    return f"{words}; use another engine or precision"
