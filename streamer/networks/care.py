"""The U-Net of CARE, as the baseline to hold a denoiser against."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from streamer.networks.blocks import conv


class CareUNet(nn.Module):
    """[b, inputs, y, x] to [b, 1, y, x]: two convolutions a level, ReLU, max-pooling, the input added.

    Source: Weigert et al., Nature Methods 15, 1090 (2018), "Content-aware image restoration", Suppl. Note 2
    (2D: depth 2, 32 channels first, kernel 5, doubling at each level). Height and width must divide by
    2 to the power of `depth`.
    """

    def __init__(self, *, inputs: int = 1, depth: int = 2, first: int = 32, kernel: int = 5) -> None:
        super().__init__()
        widths = [first * 2**level for level in range(depth)]
        self.down = nn.ModuleList(
            _pair((inputs, *widths)[i], width, width, kernel) for i, width in enumerate(widths)
        )
        self.middle = _pair(widths[-1], 2 * widths[-1], widths[-1], kernel)
        self.up = nn.ModuleList(
            _pair(2 * width, width, max(width // 2, first), kernel) for width in reversed(widths)
        )
        self.head = conv(first, 1, 1)
        self.reach_px = sum(2**level * (4 * (kernel // 2) + 2) for level in range(depth))
        self.reach_px += 2**depth * 2 * (kernel // 2)
        self.pool = nn.MaxPool2d(2)
        self.enlarge = nn.Upsample(scale_factor=2, mode="nearest")

    def forward(self, x: Tensor) -> Tensor:
        image, skips = x[:, :1], []
        for down in self.down:
            skips.append(down(x))
            x = self.pool(skips[-1])
        x = self.middle(x)
        for up, skip in zip(self.up, reversed(skips), strict=True):
            x = up(torch.cat([self.enlarge(x), skip], 1))
        y: Tensor = image + self.head(x)
        return y


def _pair(inputs: int, between: int, outputs: int, kernel: int) -> nn.Sequential:
    widths: Sequence[tuple[int, int]] = ((inputs, between), (between, outputs))
    return nn.Sequential(*(part for a, b in widths for part in (conv(a, b, kernel), nn.ReLU())))
