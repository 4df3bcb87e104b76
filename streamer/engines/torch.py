"""Plain PyTorch in float32: the oracle that every compiled engine is held against."""

from __future__ import annotations

import hashlib
import importlib
import pickle
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from streamer.engines.cpu import cpu_name, instruction_set
from streamer.engines.key import EngineKey, Precision, require_shape
from streamer.errors import EngineError, PackageError
from streamer.package import ModelPackage

if TYPE_CHECKING:
    from torch import nn


class TorchEngine:
    """One network, run eagerly. PyTorch's thread count is the process's: the last engine made sets it."""

    def __init__(self, network: nn.Module, key: EngineKey) -> None:
        self.key = key
        self._network = network
        self._torch = _torch()
        self._torch.set_num_threads(key.threads)

    def __call__(self, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        """[1, c, y, x] to a new [1, k, y, x]."""
        require_shape(tensor, self.key)
        with self._torch.inference_mode():
            output = self._network(self._torch.from_numpy(np.ascontiguousarray(tensor)))
        return np.asarray(output.numpy(), dtype=np.float32)


def compile_torch(
    package: ModelPackage, shape: tuple[int, int, int, int], *, precision: Precision, threads: int
) -> TorchEngine:
    """The package's state dict in the network that its architecture names, for inputs of `shape`.

    Raises:
        EngineError: PyTorch is missing, or the weights do not fit the network.
        PackageError: the package holds no state dict or names no network of ours.
    """
    torch = _torch()
    if precision != "f32":
        raise EngineError(f"engine torch: precision {precision}; it is the oracle, use f32")
    weights = package.description.weights.pytorch_state_dict
    if weights is None or weights.is_remote or not package.config.architecture:
        raise PackageError(
            f"{package.id}: holds no PyTorch weights for a network of ours; use engine openvino"
        )
    content = package.read(weights)
    network = importlib.import_module("streamer.networks").build(package.config.architecture)
    try:
        network.load_state_dict(torch.load(BytesIO(content), map_location="cpu", weights_only=True))
    except (RuntimeError, pickle.UnpicklingError) as error:
        problem = str(error).strip().splitlines()[0]
        raise EngineError(
            f"{package.id}/{weights.source}: does not fit its architecture ({problem})"
        ) from None
    key = EngineKey(
        weights_sha256=hashlib.sha256(content).hexdigest(),
        device=cpu_name(),
        instruction_set=instruction_set(),
        runtime="torch",
        runtime_version=str(torch.__version__),
        shape=shape,
        precision=precision,
        threads=threads,
    )
    return TorchEngine(network.eval(), key)


def _torch() -> Any:
    try:
        return importlib.import_module("torch")
    except ImportError:
        raise EngineError(
            "engine torch: torch is not installed; pip install 'scope-streamer[train]'"
        ) from None
