"""Published image-to-image networks with photons outside and the scale they were made for inside."""

from __future__ import annotations

import torch
from torch import Tensor, nn

#: Anscombe's offset: keeps the square root of a Poisson count near constant variance.
ANSCOMBE = 0.375


def to_root(photons: Tensor) -> Tensor:
    """Square roots of photons, whose noise is about 0.5 at any dose (Anscombe 1948)."""
    return torch.sqrt(torch.relu(photons) + ANSCOMBE)


def from_root(root: Tensor, training: bool) -> Tensor:
    """Photons of a predicted root; in training a negative root keeps its gradient as negative photons."""
    return root * root.abs() if training else torch.relu(root).square()


class InPhotons(nn.Module):
    """`network` works on roots of photons: [b, frames, y, x] photons to expected photons [b, 1, y, x].

    The published recipes divide each image by its maximum (UNet-RCAN) or its percentiles (CARE), which throws
    its photons away; on roots one network serves all doses and says photons.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.reach_px = network.reach_px

    def stages(self, photons: Tensor) -> tuple[Tensor, ...]:
        """What the loss trains: the photons of every stage of the network, the last is its output."""
        stages = getattr(self.network, "stages", None)
        roots = stages(to_root(photons)) if stages else (self.network(to_root(photons)),)
        return tuple(from_root(root, self.training) for root in roots)

    def forward(self, photons: Tensor) -> Tensor:
        return self.stages(photons)[-1]
