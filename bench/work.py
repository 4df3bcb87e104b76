"""How much a network has to compute and to move for a frame, counted from what it calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from streamer.networks import build

_ATEN = torch.ops.aten


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A network's work for one frame.

    Attributes:
        flop: multiplications and additions of convolutions and matrix products, 2 for each pair. What is done
            value by value (activations, norms, sums) is not in it.
        values: that those layers read (input, weights) and write (output), if each passes its output on
            through memory. Times 4 bytes in f32, times 2 in bf16.
        parameters: of the network.
        channels: that the first convolution makes; 0 where there is none.
    """

    flop: int
    values: int
    parameters: int
    channels: int

    def intensity(self, value_bytes: int) -> float:
        """FLOP for each byte moved."""
        return self.flop / (self.values * value_bytes)


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own
    """Adds up every convolution and matrix product that is called."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flop = 0
        self.values = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        name = func.overloadpacket
        if name is _ATEN.convolution:
            # A weight is [outputs, inputs of its group, ky, kx], and each output value sees all but outputs.
            self._add(output, args[1][0].numel(), args[0], args[1])
        elif name in (_ATEN.mm, _ATEN.bmm):
            self._add(output, args[0].shape[-1], args[0], args[1])
        elif name is _ATEN.addmm:
            self._add(output, args[1].shape[-1], args[1], args[2])
        return output

    def _add(self, output: Tensor, products: int, *read: Tensor) -> None:
        self.flop += 2 * output.numel() * products
        self.values += output.numel() + sum(tensor.numel() for tensor in read)


def work_of(architecture: Mapping[str, object], channels: int, shape_yx: tuple[int, int]) -> Work:
    """The work of a network of `streamer.networks` on a frame; no memory is taken for it.

    Errors: PackageError for an architecture that we do not know.
    """
    with torch.device("meta"):
        network = build(architecture).eval()
        return counted(network, torch.empty(1, channels, *shape_yx))


def counted(network: nn.Module, frame: Tensor) -> Work:
    """The work of `network(frame)`; on the device "meta" nothing is computed."""
    with torch.no_grad(), _Counter() as counter:
        network(frame)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    convolutions = (part for part in network.modules() if isinstance(part, nn.Conv2d))
    channels = next((part.out_channels for part in convolutions), 0)
    return Work(flop=counter.flop, values=counter.values, parameters=parameters, channels=channels)
