"""OpenVINO: a package's ONNX weights compiled for one shape on the CPU."""

from __future__ import annotations

import hashlib
import importlib
import sys
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.engines.cpu import cpu_name, instruction_set
from streamer.engines.key import EngineKey, Precision, require_shape
from streamer.errors import EngineError, PackageError
from streamer.package import ModelPackage

DEVICE = "CPU"


class OpenVINOEngine:
    """One compiled model with one infer request whose input lives as long as the engine."""

    def __init__(self, compiled: Any, key: EngineKey) -> None:
        self.key = key
        self._request = compiled.create_infer_request()
        self._input = np.zeros(key.shape, dtype=np.float32)
        self._request.set_input_tensor(_openvino().Tensor(self._input, shared_memory=True))

    def __call__(self, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        """[1, c, y, x] to a new [1, k, y, x]."""
        require_shape(tensor, self.key)
        np.copyto(self._input, tensor)
        self._request.infer()
        return np.array(self._request.get_output_tensor().data, dtype=np.float32)  # the next frame reuses it


def compile_openvino(
    package: ModelPackage, shape: tuple[int, int, int, int], *, precision: Precision, threads: int
) -> OpenVINOEngine:
    """The package's ONNX weights for inputs of `shape` (1, c, y, x).

    Raises:
        EngineError: OpenVINO is missing, or cannot compile this model, shape or precision here.
        PackageError: the package holds no ONNX weights.
    """
    openvino = _openvino()
    if package.description.weights.onnx is None:
        raise PackageError(f"{package.id}: holds no ONNX weights, which OpenVINO needs; export them")
    content = package.read(package.description.weights.onnx)
    core = openvino.Core()
    if precision == "bf16" and "BF16" not in core.get_property(DEVICE, "OPTIMIZATION_CAPABILITIES"):
        raise EngineError(f"precision bf16: not possible on {cpu_name()} ({instruction_set()}); use f32")
    try:
        model = core.read_model(BytesIO(content))
        model.reshape(list(shape))  # a static shape is 1.2-1.35x faster than a dynamic one
        compiled = core.compile_model(model, DEVICE, _settings(precision, threads))
    except RuntimeError as error:
        problem = str(error).strip().splitlines()[-1]
        raise EngineError(
            f"{package.id}: OpenVINO cannot compile it for {list(shape)} at {precision} ({problem}); "
            "use another shape, precision or engine"
        ) from None
    key = EngineKey(
        weights_sha256=hashlib.sha256(content).hexdigest(),
        device=cpu_name(),
        instruction_set=instruction_set(),
        runtime="openvino",
        runtime_version=openvino.get_version(),
        shape=shape,
        precision=precision,
        threads=int(compiled.get_property("INFERENCE_NUM_THREADS")),
    )
    return OpenVINOEngine(compiled, key)


def devices() -> tuple[str, ...]:
    """Devices that OpenVINO sees here, each with its own name and the precisions it computes in."""
    core = _openvino().Core()
    return tuple(
        f"{device} {core.get_property(device, 'FULL_DEVICE_NAME')} "
        f"({', '.join(core.get_property(device, 'OPTIMIZATION_CAPABILITIES'))})"
        for device in core.available_devices
    )


def _settings(precision: Precision, threads: int) -> dict[str, object]:
    return {
        # Never left to the runtime: its own choice is bf16 wherever that can be emulated, 3.6x slower.
        "INFERENCE_PRECISION_HINT": precision,
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": threads,
        "CACHE_DIR": "",  # compiling takes a fraction of a second; a stale cache would cost more
    }


def _openvino() -> Any:
    """The openvino module, imported so that it reports nothing to its maker.

    `import openvino` sends a usage event where `openvino_telemetry` can be imported (openvino/tools/ovc),
    and falls back to its own silent stub where it cannot.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None blocks an import
    try:
        return importlib.import_module("openvino")
    except ImportError:
        raise EngineError(
            "engine openvino: openvino is not installed; pip install 'scope-streamer[processor]'"
        ) from None
