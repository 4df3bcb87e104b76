"""What a training learns from: batches by step, and a score for the network that they made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Protocol

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Patches and what they are to become.

    Attributes:
        photons: [b, frames, y, x] float32 what the network is shown; channel 0 is the frame itself.
        signal: [b, 1, y, x] float32 target photons: the expected ones, a long exposure's, or another half's.
        labels: [b, y, x] int64 classes; all 0 where none are known.
        noise: [b, 1, 1, 1] float32 photons per pixel that an error is held against; in simulated patches the
            shot noise of the field's median foreground, and where a patch shows none, of its mean background.
        weight: [b, 1, y, x] float32 how much a pixel counts in the loss; None: all the same.
    """

    photons: Tensor
    signal: Tensor
    labels: Tensor
    noise: Tensor
    weight: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """The same on a device, images laid out as convolutions like them."""
        if device.type == "cpu":
            return self
        held = {each.name: getattr(self, each.name) for each in fields(self)}
        moved = {name: tensor.to(device) for name, tensor in held.items() if tensor is not None}
        return replace(self, **moved)


class Examples(Protocol):
    """A source of batches: simulated fields, pairs, thinned halves, blind spots."""

    def batch(self, step: int) -> Batch:
        """The batch of a step: a function of recipe and step, so that a resumed training goes on exactly."""
        ...

    def score(self, network: nn.Module) -> Mapping[str, float]:
        """How good a network is on validation data; higher is better, and the first entry decides."""
        ...
