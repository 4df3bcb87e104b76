"""Building blocks that the published UNet-RCAN and the live networks share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

#: Slope of every LeakyReLU of UNet-RCAN (the Keras default).
SLOPE = 0.3
#: Channels of the attention bottleneck, the same at every width.
ATTENTION = 4


def conv(inputs: int, outputs: int, kernel: int) -> nn.Conv2d:
    """A convolution with bias that keeps height and width (odd kernel)."""
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)


def act(x: Tensor) -> Tensor:
    """The one activation of UNet-RCAN."""
    return nn.functional.leaky_relu(x, SLOPE)


class Block(nn.Module):
    """Two convolutions with a projected residual: [b, inputs, y, x] to [b, outputs, y, x]."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.conv1 = conv(inputs, outputs, kernel)
        self.conv2 = conv(outputs, outputs, kernel)
        self.project = conv(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return act(self.conv2(act(self.conv1(x))) + self.project(x))


class GlobalMean(nn.Module):
    """The mean of each channel over the image, [b, c, y, x] to [b, c, 1, 1]; tiles replace it (`tiling`)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3), keepdim=True)


class ChannelAttention(nn.Module):
    """Residual channel-attention block (CAB): the mean of each channel over the image gates it."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.conv1 = conv(channels, channels, kernel)
        self.conv2 = conv(channels, channels, kernel)
        self.squeeze = conv(channels, ATTENTION, 1)
        self.excite = conv(ATTENTION, channels, 1)
        self.pool = GlobalMean()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv2(act(self.conv1(x)))
        gate = torch.sigmoid(self.excite(act(self.squeeze(self.pool(y)))))
        return x + y * gate


class Residual(nn.Module):
    """The same block without the gate: what comes out of a pixel depends on its neighbourhood alone."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.conv1 = conv(channels, channels, kernel)
        self.conv2 = conv(channels, channels, kernel)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv2(act(self.conv1(x)))
        return x + y


def refinement(channels: int, kernel: int, attention: bool) -> nn.Module:
    """A residual block with or without the attention over the whole image."""
    return ChannelAttention(channels, kernel) if attention else Residual(channels, kernel)


class UNet(nn.Module):
    """The U-Net of UNet-RCAN without its last block: [b, inputs, y, x] to [b, widths[0], y, x].

    Height and width must divide by 2 to the power of the number of `widths`. Skips are taken after
    dropout and pass through channel attention (or, without `attention`, a plain residual block); the decoder
    enlarges by nearest neighbour.
    """

    def __init__(
        self,
        inputs: int,
        *,
        widths: Sequence[int],
        bridge: Sequence[int],
        kernel: int = 3,
        dropout: float = 0.0,
        attention: bool = True,
    ) -> None:
        super().__init__()
        below = [inputs, *widths[:-1]]
        above = [*widths[1:], bridge[-1]]
        deep = [widths[-1], *bridge[:-1]]
        # At each level two convolutions down, the pooling, two convolutions up; below all of them the bridge.
        self.reach_px = sum(2**level * (4 * (kernel // 2) + 2) for level in range(len(widths)))
        self.reach_px += 2 ** len(widths) * 2 * (kernel // 2) * len(bridge)
        # The way over a skip is shorter, but for its two convolutions.
        self.reach_px += 2 * (kernel // 2)
        self.encoder = nn.ModuleList(Block(a, b, kernel) for a, b in zip(below, widths, strict=True))
        self.bridge = nn.Sequential(*(Block(a, b, kernel) for a, b in zip(deep, bridge, strict=True)))
        self.attention = nn.ModuleList(refinement(width, kernel, attention) for width in widths)
        self.decoder = nn.ModuleList(Block(a + b, b, kernel) for a, b in zip(above, widths, strict=True))
        self.dropout = nn.Dropout(dropout)
        self.pool = nn.MaxPool2d(2)
        self.enlarge = nn.Upsample(scale_factor=2, mode="nearest")

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for encode in self.encoder:
            skips.append(self.dropout(encode(x)))
            x = self.pool(skips[-1])
        x = self.bridge(x)
        for decode, attend, skip in zip(self.decoder[::-1], self.attention[::-1], skips[::-1], strict=True):
            x = self.dropout(decode(torch.cat([self.enlarge(x), attend(skip)], 1)))
        return x


class Group(nn.Module):
    """Channel-attention blocks in a row, a convolution, a residual around them, dropout."""

    def __init__(self, channels: int, blocks: int, kernel: int, dropout: float, attention: bool) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(refinement(channels, kernel, attention) for _ in range(blocks)))
        self.conv = conv(channels, channels, kernel)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.dropout(x + self.conv(self.blocks(x)))
        return y


class RCAN(nn.Module):
    """The refinement of UNet-RCAN, without up-scaling: [b, inputs, y, x] to [b, outputs, y, x]."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        channels: int,
        groups: int,
        blocks: int,
        kernel: int = 3,
        dropout: float = 0.0,
        attention: bool = True,
    ) -> None:
        super().__init__()
        self.reach_px = (2 + groups * (2 * blocks + 1)) * (kernel // 2)
        self.first = conv(inputs, channels, kernel)
        self.groups = nn.Sequential(
            *(Group(channels, blocks, kernel, dropout, attention) for _ in range(groups))
        )
        self.last = conv(channels, channels, kernel)
        self.head = conv(channels, outputs, 1)

    def features(self, x: Tensor) -> Tensor:
        """[b, channels, y, x], what the head reads."""
        x = self.first(x)
        y: Tensor = x + self.last(self.groups(x))
        return y

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(self.features(x))
        return y
