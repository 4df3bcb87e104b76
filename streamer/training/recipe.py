"""What a training is made of: written into the package it makes, so that it can be done again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Kind = Literal["denoiser", "segmenter"]

CLASSES = ("background", "tubule", "sheet")

#: Small enough for two CPU cores beside a microscope at 0.6 s a frame; measured by `streamer bench`.
ARCHITECTURES: Mapping[Kind, Mapping[str, object]] = MappingProxyType(
    {
        "denoiser": {
            "name": "unet-rcan-live",
            "entry": 16,
            "widths": [16, 48, 96],
            "bridge": [128, 128],
            "groups": 1,
            "blocks": 2,
        },
        "segmenter": {"name": "unet-live", "entry": 16, "widths": [16, 32, 64], "bridge": [64], "classes": 3},
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Settings of one training; equal recipes on equal machines and versions make equal weights.

    Attributes:
        seed: of the first weights, the specimens, crops and noise.
        steps: updates of the weights.
        batch: patches in one update.
        patch_px: height and width of a patch.
        fields: simulated fields of the training range.
        validation_fields: simulated fields of the validation range, judged as whole frames.
        field_px: height and width of a field.
        box_sum: range of the median photon sum of foreground 10x10 boxes, drawn log-uniformly.
        learning_rate: its peak, after the warm-up; it falls to zero along a cosine.
        clip: largest norm of the gradient.
        memory: decay of the running mean of the weights, which is what is judged and kept.
        bf16: compute in bfloat16 where autocast allows; weights and losses stay float32.
    """

    seed: int = 1
    steps: int = 7000
    batch: int = 4
    patch_px: int = 192
    fields: int = 500
    validation_fields: int = 8
    field_px: int = 600
    box_sum: tuple[float, float] = (2.0, 200.0)
    learning_rate: float = 7e-4
    clip: float = 0.5
    memory: float = 0.999
    bf16: bool = True
