"""The second head of a live denoiser: how far its prediction may be from the truth."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from streamer.networks.blocks import act, conv

#: Photons added before a logarithm, well below what a pixel of any structure holds.
LEAST_PHOTONS = 1e-3
#: Largest |logarithm| of the ratio that the head may state; keeps the exponential finite.
LARGEST_LOG = 6.0
#: Predicted photons at which the conformal factor is fitted; linear in the logarithm between them.
KNOTS_LOG10 = (-3.0, -2.5, -2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0)
#: Half-width of a 90 % interval of a normal distribution, in standard deviations.
Z_90 = 1.6449


class Spread(nn.Module):
    """Features [b, channels, y / 2, x / 2] and photons [b, images, y, x] to their deviations, photons.

    The head states the logarithm of the deviation over sqrt(photons + 0.001), as shot noise has it. Then
    `log_factor` corrects it by predicted photons so that prediction +- 1.6449 deviations covers 90 % of
    held-out pixels of each brightness; it is fitted after training and starts at 0
    (`streamer.training.uncertainty`).
    """

    log_factor: Tensor

    def __init__(self, channels: int, images: int = 1) -> None:
        super().__init__()
        self.conv = conv(channels, channels, 3)
        self.head = conv(channels, 4 * images, 1)
        self.shuffle = nn.PixelShuffle(2)
        shape = (len(KNOTS_LOG10),) if images == 1 else (images, len(KNOTS_LOG10))
        self.register_buffer("log_factor", torch.zeros(shape))

    def forward(self, features: Tensor, photons: Tensor) -> Tensor:
        level = photons + LEAST_PHOTONS
        log_ratio = self.shuffle(self.head(act(self.conv(features)))).clamp(-LARGEST_LOG, LARGEST_LOG)
        return torch.sqrt(level) * torch.exp(log_ratio + self.correction(level))

    def correction(self, level: Tensor) -> Tensor:
        """The conformal factor's logarithm, [b, images, y, x], at photons per pixel (plus 0.001)."""
        place = torch.log10(level).clamp(KNOTS_LOG10[0], KNOTS_LOG10[-1])
        step = KNOTS_LOG10[1] - KNOTS_LOG10[0]
        total = torch.zeros_like(place)
        factors = self.log_factor.reshape(-1, len(KNOTS_LOG10)).T[..., None, None]  # [knots, images, 1, 1]
        for knot, factor in zip(KNOTS_LOG10, factors, strict=True):
            total = total + factor * torch.relu(1.0 - (place - knot).abs() / step)
        return total
