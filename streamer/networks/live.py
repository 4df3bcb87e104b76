"""The live networks: UNet-RCAN's parts at half resolution, small enough for two CPU cores.

The simulated and published STED pixels (20 nm) sample the point-spread function finely enough that
half the resolution inside the network loses little and costs a quarter. Photons enter and leave
inside the graph, so that an exported network needs no arithmetic around it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from streamer.networks.blocks import RCAN, UNet, act

#: Anscombe's offset: keeps the square root of a Poisson count near constant variance.
ANSCOMBE = 0.375
#: Photons are multiplied by this before the logarithm of the segmenter, so that 0.1 is well above 0.
LOG_GAIN = 10.0


def stem(channels: int) -> nn.Conv2d:
    """Full to half resolution: overlapping 4x4 windows, so that no pixel pair is torn apart."""
    return nn.Conv2d(1, channels, 4, stride=2, padding=1)


class LiveDenoiser(nn.Module):
    """[b, 1, y, x] photons to expected photons of the structure in focus, [b, 1, y, x], never negative.

    Works on square roots of photons (a variance of about one at any dose) and squares its output. In
    training a negative root counts as negative photons: clipped there, it would have no gradient left.
    Height and width must divide by 2 to the power of one more than the number of `widths`.
    """

    def __init__(
        self, *, entry: int, widths: Sequence[int], bridge: Sequence[int], groups: int, blocks: int
    ) -> None:
        super().__init__()
        self.stem = stem(entry)
        self.unet = UNet(entry, widths=widths, bridge=bridge)
        self.rcan = RCAN(widths[0] + entry, 4, channels=widths[0], groups=groups, blocks=blocks)
        self.shuffle = nn.PixelShuffle(2)

    def forward(self, photons: Tensor) -> Tensor:
        x = act(self.stem(torch.sqrt(torch.relu(photons) + ANSCOMBE)))
        root: Tensor = self.shuffle(self.rcan(torch.cat([self.unet(x), x], 1)))
        return root * root.abs() if self.training else torch.relu(root).square()


class LiveSegmenter(nn.Module):
    """[b, 1, y, x] denoised photons to class probabilities [b, classes, y, x].

    Works on the logarithm of photons, where a change of dose is a shift. Sizes as in LiveDenoiser.
    """

    def __init__(self, *, entry: int, widths: Sequence[int], bridge: Sequence[int], classes: int) -> None:
        super().__init__()
        self.stem = stem(entry)
        self.unet = UNet(entry, widths=widths, bridge=bridge)
        self.head = nn.Conv2d(widths[0], 4 * classes, 1)
        self.shuffle = nn.PixelShuffle(2)

    def logits(self, photons: Tensor) -> Tensor:
        """[b, classes, y, x] before the softmax, for the loss."""
        x = act(self.stem(torch.log1p(LOG_GAIN * torch.relu(photons))))
        y: Tensor = self.shuffle(self.head(self.unet(x)))
        return y

    def forward(self, photons: Tensor) -> Tensor:
        return torch.softmax(self.logits(photons), 1)
