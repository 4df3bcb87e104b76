"""What a training is made of: written into the package it makes, so that it can be done again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from streamer.errors import UsageError

Kind = Literal["denoiser", "segmenter"]
Architecture = Literal["live", "live-small", "care-unet", "unet-rcan", "unet-rcan-7"]
Initialiser = Literal["torch", "glorot-uniform", "lecun-uniform", "orthogonal"]
LossName = Literal["rms-edge", "mae", "mse", "poisson"]
Precision = Literal["f32", "bf16", "f16"]
Context = Literal["time", "z", "channels"]

CLASSES = ("background", "tubule", "sheet")

#: Small enough for two CPU cores beside a microscope at 0.6 s a frame; measured by `streamer bench`.
ARCHITECTURES: Mapping[Kind, Mapping[str, object]] = MappingProxyType(
    {
        "denoiser": {
            "name": "unet-rcan-live",
            "entry": 24,
            "widths": [24, 48, 96],
            "bridge": [128, 128],
            "groups": 1,
            "blocks": 3,
            "attention": False,
        },
        "segmenter": {
            "name": "unet-live",
            "entry": 16,
            "widths": [16, 32, 64],
            "bridge": [64],
            "classes": 3,
            "attention": False,
        },
    }
)
#: Denoisers by the name that a user types.
DENOISERS: Mapping[Architecture, Mapping[str, object]] = MappingProxyType(
    {
        "live": ARCHITECTURES["denoiser"],
        # Two fifths of its arithmetic, for large frames at high rates.
        "live-small": {
            **ARCHITECTURES["denoiser"],
            "entry": 16,
            "widths": [16, 32, 64],
            "bridge": [96],
            "blocks": 1,
        },
        "care-unet": {"name": "care-unet"},
        "unet-rcan": {"name": "unet-rcan", "kernel": 3, "photons": True},
        "unet-rcan-7": {"name": "unet-rcan", "kernel": 7, "photons": True},
    }
)
#: Those that can be shown frames before the frame.
TAKE_FRAMES = ("live", "live-small", "care-unet")
#: Those of this project's own: they can take several detection channels, and state a deviation.
LIVE = ("live", "live-small")


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
        box_sum: range of the median photon sum of foreground 10x10 boxes, drawn log-uniformly; of recorded
            images as measured.
        structures: what is simulated, field by field in turn.
        learning_rate: its peak, after the warm-up; it falls to zero along a cosine.
        clip: largest norm of the gradient, or largest value of each of its elements.
        clip_by: which of the two.
        l2: weight of the sum of squared convolution kernels in the loss.
        loss: what an error costs; `rms-edge` is the published one.
        initialiser: of the convolution kernels.
        memory: decay of the running mean of the weights, which is what is judged and kept.
        precision: of the arithmetic where autocast allows; weights and losses stay float32.
        architecture: name of the network.
        frames: frames shown at once: the frame itself and its context.
        context: what the others are: frames before it, the slices below and above (3 frames in all), or other
            detection channels of the same moment, which are all denoised and show `structures` in turn.
        uncertainty_steps: updates of a second head that states the deviation; 0 makes none.
        data: what recorded images were learned from, as a digest of their photons; empty if simulated.
        start: package the weights began from, and a digest of them; empty for fresh weights.
        minutes: what the number of steps was made from; None where it was told.
    """

    seed: int = 1
    steps: int = 5500
    batch: int = 4
    patch_px: int = 192
    fields: int = 500
    validation_fields: int = 8
    field_px: int = 600
    box_sum: tuple[float, float] = (2.0, 200.0)
    structures: tuple[str, ...] = ("er",)
    learning_rate: float = 7e-4
    clip: float = 0.5
    clip_by: Literal["norm", "value"] = "norm"
    l2: float = 0.0
    loss: LossName = "rms-edge"
    initialiser: Initialiser = "torch"
    memory: float = 0.999
    precision: Precision = "bf16"
    architecture: Architecture = "live"
    frames: int = 1
    context: Context = "time"
    uncertainty_steps: int = 0
    data: str = ""
    start: str = ""
    minutes: float | None = None

    @property
    def of_slices(self) -> bool:
        """Whether it is shown the slices below and above."""
        return self.frames > 1 and self.context == "z"

    @property
    def channels(self) -> int:
        """Detection channels that are denoised at once."""
        return self.frames if self.context == "channels" else 1


def denoiser_architecture(
    name: Architecture, frames: int = 1, context: Context = "time"
) -> Mapping[str, object]:
    """Name and settings for `streamer.networks.build`.

    Errors: UsageError for several frames or channels where the network takes one.
    """
    if frames == 1:
        return DENOISERS[name]
    if context == "channels":
        if name not in LIVE:
            raise UsageError(f"--context channels --architecture {name}: takes one; use {' or '.join(LIVE)}")
        return {**DENOISERS[name], "channels": frames}
    if name not in TAKE_FRAMES:
        known = f"{', '.join(TAKE_FRAMES[:-1])} or {TAKE_FRAMES[-1]}"
        raise UsageError(f"--frames {frames} --architecture {name}: takes one; use {known}")
    return {**DENOISERS[name], "frames": frames}
