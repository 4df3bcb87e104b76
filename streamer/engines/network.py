"""The torch network of a package: its architecture built, its state dict loaded."""

from __future__ import annotations

import hashlib
import importlib
import pickle
from io import BytesIO
from typing import TYPE_CHECKING

from streamer.errors import EngineError, PackageError
from streamer.package import ModelPackage

if TYPE_CHECKING:
    from torch import nn


def has_network(package: ModelPackage) -> bool:
    """Whether the package holds PyTorch weights for a network of ours."""
    weights = package.description.weights.pytorch_state_dict
    return weights is not None and not weights.is_remote and bool(package.config.architecture)


def load_network(package: ModelPackage) -> tuple[nn.Module, str]:
    """The network, in evaluation mode on the CPU, and the sha256 of its weights.

    Raises:
        EngineError: the weights do not fit the network.
        PackageError: the package holds no state dict or names no network of ours.
    """
    import torch

    weights = package.description.weights.pytorch_state_dict
    if weights is None or not has_network(package):
        raise PackageError(
            f"{package.id}: holds no PyTorch weights for a network of ours; use engine openvino"
        )
    content = package.read(weights)
    network: nn.Module = importlib.import_module("streamer.networks").build(package.config.architecture)
    try:
        network.load_state_dict(torch.load(BytesIO(content), map_location="cpu", weights_only=True))
    except (RuntimeError, pickle.UnpicklingError) as error:
        problem = str(error).strip().splitlines()[0]
        raise EngineError(
            f"{package.id}/{weights.source}: does not fit its architecture ({problem})"
        ) from None
    return network.eval(), hashlib.sha256(content).hexdigest()
