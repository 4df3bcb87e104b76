"""TensorRT-RTX: a package's ONNX weights, built ahead of time for a kind of card, with or without one here.

What is built (a plan) runs on every card of its compute capability. On first use TensorRT-RTX compiles it for
the very card, which takes seconds and is kept in the engine cache as well.
"""

from __future__ import annotations

import hashlib
import logging
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from streamer.engines.cache import MAX_CACHE_BYTES, cached, entry, forget
from streamer.engines.card import Card, memory_of, require_card, sm
from streamer.engines.half import RULE, onnx_in, require_half
from streamer.engines.key import EngineKey, Precision
from streamer.engines.lanes import Lanes
from streamer.engines.plan import Settings, TensorRT, build_plan, run_plan, tensorrt_of
from streamer.errors import EngineError, PackageError
from streamer.package import FileSource, ModelPackage

_LOG = logging.getLogger(__name__)

NAME = "tensorrt-rtx"
#: GeForce RTX 30, 40 and 50, and the workstation cards of the same generations.
USUAL_CAPABILITIES = ((8, 6), (8, 9), (12, 0))

_CURE = "pip install 'scope-streamer[rtx]'"
#: First compute capability that computes in bf16.
_BF16_FROM = (8, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """A plan that was built ahead of time.

    Attributes:
        key: that it is kept under.
        path: the file in the cache, or in the folder that was asked for.
        bytes: of the plan.
        seconds: it took; a plan that was there already takes almost none.
    """

    key: EngineKey
    path: Path
    bytes: int
    seconds: float


def tensorrt_rtx() -> TensorRT:
    """TensorRT-RTX; needs no card.

    Raises:
        EngineError: it is not installed, or cannot be loaded.
    """
    return tensorrt_of("tensorrt_rtx", NAME, _CURE)


def build_ahead(
    package: ModelPackage,
    shape: tuple[int, int, int, int],
    *,
    precision: Precision,
    capability: tuple[int, int],
    folder: Path | None = None,
) -> Ahead:
    """Build a package's plan for a kind of card and keep it.

    Args:
        package: with ONNX weights.
        shape: of every input, (1, c, y, x).
        precision: f32, f16 or bf16.
        capability: compute capability of the card, (8, 9) for GeForce RTX 40.
        folder: default the engine cache. Another folder is never cleared out, and can be a cache elsewhere.

    Raises:
        EngineError: TensorRT-RTX is missing, or cannot build this network, shape, precision or capability.
        PackageError: the package holds no ONNX weights.
    """
    begun = time.perf_counter()
    key = plan_key(package, shape, precision=precision, capability=capability)
    plan = _plan(package, key, capability, folder)
    return Ahead(key=key, path=entry(key, folder), bytes=len(plan), seconds=time.perf_counter() - begun)


def plan_key(
    package: ModelPackage,
    shape: tuple[int, int, int, int],
    *,
    precision: Precision,
    capability: tuple[int, int],
) -> EngineKey:
    """What a plan depends on: not the card itself, only its compute capability.

    Raises:
        EngineError, PackageError: as `build_ahead`.
    """
    require_half(precision, NAME)
    if precision not in precisions_for(capability):
        raise EngineError(
            "engine {}: compute capability {}.{} has no bf16; use f16".format(NAME, *capability)
        )
    tensorrt = tensorrt_rtx()
    return EngineKey(
        weights_sha256=hashlib.sha256(package.read(_weights(package))).hexdigest(),
        device="compute capability {}.{}".format(*capability),
        instruction_set=sm(capability),
        runtime=NAME,
        runtime_version=f"{tensorrt.module.__version__}, casts {RULE}",
        shape=shape,
        precision=precision,
        threads=0,
    )


def precisions_for(capability: tuple[int, int]) -> tuple[Precision, ...]:
    """What plans for that compute capability can compute in.

    Raises:
        EngineError: TensorRT-RTX is missing, or does not build for it.
    """
    names = tensorrt_rtx().module.ComputeCapability.__members__
    digits = (name.removeprefix("SM") for name in names if name.startswith("SM"))
    known = [(int(each[:-1]), int(each[-1])) for each in digits]
    if capability not in known:
        named = ", ".join("{}.{}".format(*each) for each in known)
        raise EngineError(
            "engine {}: does not build for compute capability {}.{}; it knows {}; use engine tensorrt or "
            "cuda on that card".format(NAME, *capability, named)
        )
    return ("f32", "f16", "bf16") if capability >= _BF16_FROM else ("f32", "f16")


def compile_tensorrt_rtx(
    package: ModelPackage, shape: tuple[int, int, int, int], *, precision: Precision, threads: int
) -> Lanes:
    """The package's ONNX weights for inputs of `shape` (1, c, y, x) on the NVIDIA card that is here.

    Args:
        package: with ONNX weights.
        shape: of every input.
        precision: f32, f16 or bf16.
        threads: not used; the card computes.

    Raises:
        EngineError: there is no card that will do, TensorRT-RTX is missing, or it cannot build or run this.
        PackageError: the package holds no ONNX weights.
    """
    card = require_card(NAME)
    tensorrt = tensorrt_rtx()
    key = plan_key(package, shape, precision=precision, capability=card.capability)
    plan = _plan(package, key, card.capability, None)
    here = replace(key, device=card.name, driver=card.driver)
    with memory_of(package.id, shape, NAME):
        return run_plan(tensorrt, plan, here, card, _compiled_for(card, tensorrt, plan, here))


def _plan(package: ModelPackage, key: EngineKey, capability: tuple[int, int], folder: Path | None) -> bytes:
    weights = _weights(package)
    place = f"{package.id}/{weights.source}"

    def build() -> bytes:
        content = onnx_in(package.read(weights), key.precision, place)
        return build_plan(tensorrt_rtx(), content, key.shape, place, capability=capability)

    return cached(key, build, folder=folder, max_bytes=sys.maxsize if folder else MAX_CACHE_BYTES)


def _weights(package: ModelPackage) -> FileSource:
    weights = package.description.weights.onnx
    if weights is None or weights.is_remote:
        raise PackageError(f"{package.id}: holds no ONNX weights, which TensorRT-RTX needs; export them")
    return weights


class _NothingToKeepError(Exception):
    """TensorRT-RTX does not hand out what it compiled."""


def _compiled_for(card: Card, tensorrt: TensorRT, plan: bytes, here: EngineKey) -> Settings:
    """Settings of the runtime: it replays graphs, and remembers what it compiled for this card and driver.

    (`IRuntimeConfig` and `IRuntimeCache` of TensorRT-RTX.)
    """
    key = replace(here, weights_sha256=hashlib.sha256(plan).hexdigest(), runtime=f"{NAME} kernels")

    def compiled() -> bytes:
        made: list[Any] = []

        def empty(engine: Any) -> tuple[Any, Any]:
            config, remembered = _settings(tensorrt, engine)
            config.set_runtime_cache(remembered)
            made.append(remembered)
            return config, remembered

        made.append(run_plan(tensorrt, plan, here, card, empty))  # runs until all is compiled
        kernels = made[0].serialize()
        if kernels is None:
            raise _NothingToKeepError
        return bytes(kernels)

    def remembering(engine: Any) -> tuple[Any, Any]:
        config, remembered = _settings(tensorrt, engine)
        try:
            if not remembered.deserialize(cached(key, compiled)):  # of another card, driver or version
                forget(key)
                remembered.deserialize(cached(key, compiled))
        except _NothingToKeepError:
            _LOG.info("engine %s: kernels are compiled at every start (%s)", NAME, tensorrt.problem)
        config.set_runtime_cache(remembered)
        return config, remembered

    return remembering


def _settings(tensorrt: TensorRT, engine: Any) -> tuple[Any, Any]:
    """A runtime configuration of an engine, and an empty memory of kernels for it."""
    config = engine.create_runtime_config()
    config.cuda_graph_strategy = tensorrt.module.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
    return config, config.create_runtime_cache()
