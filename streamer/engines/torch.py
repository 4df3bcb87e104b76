"""Plain PyTorch in float32: the oracle that every compiled engine is held against."""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from streamer.engines.cpu import cpu_name, instruction_set
from streamer.engines.key import EngineKey, Precision, require_shape
from streamer.engines.network import load_network
from streamer.errors import EngineError
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
    network, digest = load_network(package)
    key = EngineKey(
        weights_sha256=digest,
        device=cpu_name(),
        instruction_set=instruction_set(),
        runtime="torch",
        runtime_version=str(torch.__version__),
        shape=shape,
        precision=precision,
        threads=threads,
    )
    return TorchEngine(network, key)


def _torch() -> Any:
    try:
        return importlib.import_module("torch")
    except (ImportError, OSError) as error:  # OSError: one of its libraries cannot be loaded
        cure = "pip install 'scope-streamer[train]'"
        if importlib.util.find_spec("torch") is None:
            raise EngineError(f"engine torch: torch is not installed; {cure}") from None
        raise EngineError(f"engine torch: cannot be imported ({error}); {cure} again") from None
