"""OpenVINO: a package's ONNX weights compiled for one shape on the CPU or an Intel GPU."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Mapping
from functools import partial
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.engines.cpu import cpu_name, instruction_set
from streamer.engines.key import EngineKey, Precision, require_shape
from streamer.engines.memory import as_engine_error
from streamer.errors import EngineError, PackageError
from streamer.package import ModelPackage

#: Devices of OpenVINO by the name of the engine. GPU is the first one of Intel.
DEVICES: Mapping[str, str] = {"openvino": "CPU", "openvino-gpu": "GPU"}
#: What a device claims to compute in, in OpenVINO's words, most exact first. INT8 needs weights of its own.
_CLAIMS: Mapping[str, Precision] = {"FP32": "f32", "FP16": "f16", "BF16": "bf16"}


class OpenVINOEngine:
    """One compiled model with one infer request whose input lives as long as the engine."""

    def __init__(self, compiled: Any, key: EngineKey) -> None:
        self.key = key
        self._request = compiled.create_infer_request()
        self._input = np.zeros(key.shape, dtype=np.float32)
        self._request.set_input_tensor(imported().Tensor(self._input, shared_memory=True))

    def __call__(self, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        """[1, c, y, x] to a new [1, k, y, x]."""
        require_shape(tensor, self.key)
        np.copyto(self._input, tensor)
        self._request.infer()
        return np.array(self._request.get_output_tensor().data, dtype=np.float32)  # the next frame reuses it


def compile_openvino(
    package: ModelPackage,
    shape: tuple[int, int, int, int],
    *,
    precision: Precision,
    threads: int,
    engine: str = "openvino",
) -> OpenVINOEngine:
    """The package's ONNX weights for inputs of `shape` (1, c, y, x).

    Raises:
        EngineError: OpenVINO is missing, or cannot compile this model, shape or precision here.
        PackageError: the package holds no ONNX weights.
    """
    core, device = imported().Core(), DEVICES[engine]
    weights = package.description.weights.onnx
    if weights is None or weights.is_remote:
        raise PackageError(f"{package.id}: holds no ONNX weights, which OpenVINO needs; export them")
    content = package.read(weights)
    if precision not in (claimed := precisions_of(engine)):
        raise EngineError(
            f"precision {precision}: not possible on {_name(core, device)} ({instruction_set()}) "
            f"with engine {engine}; use {' or '.join(claimed)}"
        )
    try:
        model = core.read_model(BytesIO(content))
    except RuntimeError as error:
        raise EngineError(
            f"{package.id}/{weights.source}: OpenVINO cannot read it ({_problem(error)}); "
            "export it again, or use another engine"
        ) from None
    try:
        model.reshape(list(shape))  # a static shape is 1.2-1.35x faster than a dynamic one
        compiled = core.compile_model(model, device, _settings(device, precision, threads))
    except RuntimeError as error:
        raise as_engine_error(
            error,
            f"{package.id}: OpenVINO cannot compile it for {list(shape)} at {precision} "
            f"({_problem(error)}); use another shape, precision or engine",
        ) from None
    key = EngineKey(
        weights_sha256=hashlib.sha256(content).hexdigest(),
        device=cpu_name() if device == "CPU" else _name(core, device),
        instruction_set=instruction_set() if device == "CPU" else "",
        runtime=engine,
        runtime_version=imported().get_version(),
        shape=shape,
        precision=precision,
        threads=int(compiled.get_property("INFERENCE_NUM_THREADS")) if device == "CPU" else threads,
        driver=_driver(core, device),
    )
    return OpenVINOEngine(compiled, key)


compile_openvino_gpu = partial(compile_openvino, engine="openvino-gpu")


def precisions_of(engine: str) -> tuple[Precision, ...]:
    """What the engine's device claims to compute in, most exact first; whether it pays is for a trial.

    Raises:
        EngineError: OpenVINO is missing, or sees no such device.
    """
    core = imported().Core()
    try:
        claims = core.get_property(DEVICES[engine], "OPTIMIZATION_CAPABILITIES")
    except RuntimeError as error:
        raise EngineError(f"engine {engine}: no device {DEVICES[engine]} ({_problem(error)})") from None
    return tuple(ours for theirs, ours in _CLAIMS.items() if theirs in claims)


def has_gpu() -> bool:
    """Whether OpenVINO sees an Intel GPU.

    Raises:
        EngineError: OpenVINO cannot be imported.
    """
    return any(device.startswith("GPU") for device in imported().Core().available_devices)


def devices() -> tuple[str, ...]:
    """Devices that OpenVINO sees here, each with its own name and the precisions it computes in."""
    core = imported().Core()
    return tuple(
        f"{device} {_name(core, device)} "
        f"({', '.join(core.get_property(device, 'OPTIMIZATION_CAPABILITIES'))})"
        for device in core.available_devices
    )


def _name(core: Any, device: str) -> str:
    return str(core.get_property(device, "FULL_DEVICE_NAME"))


def _driver(core: Any, device: str) -> str:
    """The version of the device's driver, where it has one and tells it."""
    known = core.get_property(device, "SUPPORTED_PROPERTIES")
    name = next((name for name in known if name.endswith("DRIVER_VERSION")), None)
    return str(core.get_property(device, name)) if name else ""


def _problem(error: RuntimeError) -> str:
    """What OpenVINO complains of, in one line: the operators it does not know, else its last words."""
    lines = [line.strip(" -") for line in str(error).splitlines() if line.strip(" -")]
    unknown = (line for line in lines if line.startswith("No conversion rule found"))
    return next(unknown, lines[-1] if lines else type(error).__name__)


def _settings(device: str, precision: Precision, threads: int) -> dict[str, object]:
    settings: dict[str, object] = {
        # Never left to the runtime: its own choice is bf16 wherever that can be emulated, 3.6x slower.
        "INFERENCE_PRECISION_HINT": precision,
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "CACHE_DIR": "",  # compiling takes a fraction of a second; a stale cache would cost more
    }
    if device != "CPU":
        return settings
    # A thread that may move does not wait for a core that the acquisition engine keeps busy (decision 0021).
    return settings | {"INFERENCE_NUM_THREADS": threads, "ENABLE_CPU_PINNING": False}


def imported() -> Any:
    """The openvino module, imported so that it reports nothing to its maker.

    `import openvino` sends a usage event where `openvino_telemetry` can be imported (openvino/tools/ovc),
    and falls back to its own silent stub where it cannot.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None blocks an import
    try:
        return importlib.import_module("openvino")
    except ImportError as error:
        cure = "pip install 'scope-streamer[processor]'"
        if importlib.util.find_spec("openvino") is None:
            raise EngineError(f"engine openvino: openvino is not installed; {cure}") from None
        raise EngineError(f"engine openvino: cannot be imported ({error}); {cure} again") from None
