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
from streamer.networks.photons import from_root, to_root
from streamer.networks.spread import Spread

#: Photons are multiplied by this before the logarithm of the segmenter, so that 0.1 is well above 0.
LOG_GAIN = 10.0


def stem(inputs: int, channels: int) -> nn.Conv2d:
    """Full to half resolution: overlapping 4x4 windows, so that no pixel pair is torn apart."""
    return nn.Conv2d(inputs, channels, 4, stride=2, padding=1)


class LiveDenoiser(nn.Module):
    """[b, frames, y, x] photons to expected photons of the structure in focus, [b, 1, y, x], never negative.

    Channel 0 is the frame, the others are its context: frames before it, or slices beside it. With several
    `channels`, detection channels of one moment, [b, channels, y, x] become as many images. Works on square
    roots of photons (a variance of about one at any dose) and squares its output. In training a negative
    root counts as negative photons: clipped there, it would have no gradient left. Height and width must
    divide by 2 to the power of one more than the number of `widths`.

    Without `attention` a pixel of the output depends on its neighbourhood alone, so that tiles with a halo of
    the receptive field are exact. With `uncertainty` the output is [b, 2, y, x]: channel 1 is the standard
    deviation of channel 0 in photons, from a second head (`streamer.networks.spread`); of several `channels`
    the deviations follow all the images.
    """

    def __init__(
        self,
        *,
        entry: int,
        widths: Sequence[int],
        bridge: Sequence[int],
        groups: int,
        blocks: int,
        attention: bool = True,
        frames: int = 1,
        channels: int = 1,
        uncertainty: bool = False,
    ) -> None:
        super().__init__()
        self.stem = stem(max(frames, channels), entry)
        self.unet = UNet(entry, widths=widths, bridge=bridge, attention=attention)
        self.rcan = RCAN(
            widths[0] + entry,
            4 * channels,
            channels=widths[0],
            groups=groups,
            blocks=blocks,
            attention=attention,
        )
        self.shuffle = nn.PixelShuffle(2)
        self.reach_px = 2 * (self.unet.reach_px + self.rcan.reach_px + 2)
        self.spread = Spread(widths[0], channels) if uncertainty else None

    def features(self, photons: Tensor) -> Tensor:
        """[b, widths[0], y / 2, x / 2], what the heads read."""
        x = act(self.stem(to_root(photons)))
        return self.rcan.features(torch.cat([self.unet(x), x], 1))

    def forward(self, photons: Tensor) -> Tensor:
        features = self.features(photons)
        expected = from_root(self.shuffle(self.rcan.head(features)), self.training)
        if self.spread is None or self.training:
            return expected
        return torch.cat([expected, self.spread(features, expected)], 1)


class LiveSegmenter(nn.Module):
    """[b, 1, y, x] denoised photons to class probabilities [b, classes, y, x].

    Works on the logarithm of photons, where a change of dose is a shift. Sizes and `attention` as in
    LiveDenoiser.
    """

    def __init__(
        self,
        *,
        entry: int,
        widths: Sequence[int],
        bridge: Sequence[int],
        classes: int,
        attention: bool = True,
    ) -> None:
        super().__init__()
        self.stem = stem(1, entry)
        self.unet = UNet(entry, widths=widths, bridge=bridge, attention=attention)
        self.head = nn.Conv2d(widths[0], 4 * classes, 1)
        self.shuffle = nn.PixelShuffle(2)
        self.reach_px = 2 * (self.unet.reach_px + 2)

    def logits(self, photons: Tensor) -> Tensor:
        """[b, classes, y, x] before the softmax, for the loss."""
        x = act(self.stem(torch.log1p(LOG_GAIN * torch.relu(photons))))
        y: Tensor = self.shuffle(self.head(self.unet(x)))
        return y

    def forward(self, photons: Tensor) -> Tensor:
        return torch.softmax(self.logits(photons), 1)
