"""UNet-RCAN 2D as published: a U-Net whose output, beside the raw image, a residual network refines."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from streamer.networks.blocks import RCAN, Block, UNet

#: Height and width must divide by this.
SIZE_MULTIPLE = 8


class UNetRCAN(nn.Module):
    """[b, 1, y, x] image over its maximum to the denoised image on the same scale, [b, 1, y, x].

    No normalisation layer and no normalisation of the image: the published recipe divides by the
    maximum before and clips negatives after. 16,684,337 parameters at `kernel` 3, 87,634,737 at 7.
    Source: the UNet-RCAN paper (two-step prediction for STED) and its published code.
    """

    def __init__(self, *, kernel: Literal[3, 7] = 3, dropout: float = 0.2) -> None:
        super().__init__()
        self.unet = UNet(1, widths=(64, 128, 256), bridge=(512, 512), kernel=kernel, dropout=dropout)
        self.head = Block(64, 1, 1)
        self.rcan = RCAN(2, 1, channels=64, groups=3, blocks=8, kernel=kernel, dropout=dropout)
        self.reach_px = self.unet.reach_px + self.rcan.reach_px

    def stages(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Output of the U-Net and of the RCAN; the published loss trains both."""
        first = self.head(self.unet(x))
        return first, self.rcan(torch.cat([first, x], 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.stages(x)[1]
