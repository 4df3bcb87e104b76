"""What an engine is, and what its numbers depend on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from streamer.errors import EngineError

Precision = Literal["f32", "bf16", "f16", "int8"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineKey:
    """Everything that can change an engine's output: equal keys give equal bits.

    Attributes:
        weights_sha256: of the weights file that was compiled.
        device: the processor's own name.
        instruction_set: the widest one that networks use (f32 and bf16 results differ between them).
        runtime: the engine's name.
        runtime_version: its version.
        shape: the input, (1, c, y, x).
        precision: of the arithmetic; inputs and outputs are always float32.
        threads: it computes with.
        driver: the version of the device's driver; empty where the device has none of its own.
    """

    weights_sha256: str
    device: str
    instruction_set: str
    runtime: str
    runtime_version: str
    shape: tuple[int, int, int, int]
    precision: Precision
    threads: int
    driver: str = ""

    def to_dict(self) -> Mapping[str, object]:
        """For run.json."""
        return asdict(self) | {"shape": list(self.shape)}


class Engine(Protocol):
    """A network compiled for one shape on one device."""

    @property
    def key(self) -> EngineKey:
        """What its output depends on."""
        ...

    def __call__(self, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        """[1, c, y, x] to a new [1, k, y, x] that the caller may keep."""
        ...


def require_shape(tensor: NDArray[np.float32], key: EngineKey) -> None:
    """Refuse a tensor that the engine was not compiled for.

    Raises:
        EngineError: another shape or dtype.
    """
    if tensor.shape != key.shape or tensor.dtype != np.float32:
        raise EngineError(
            f"input is {tensor.dtype} {list(tensor.shape)}; this engine takes float32 {list(key.shape)}, "
            "compile one for every shape"
        )
