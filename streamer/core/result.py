"""What the networks made of one frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.core.frame import Frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One frame, denoised and segmented; everything a guard may look at.

    Attributes:
        frame: the frame it was made from; of an image splitter, the part of it that one channel is.
        photons: [y, x] float32 detected photons (calibrated pixels).
        denoised: [y, x] float32 expected photons, in the dtype in which they are stored.
        labels: [y, x] uint8 classes of the segmenter, 0 is background.
        follows: whether no frame of the run was lost or passed over since the one before in this view; said
            to the guards by who hands them the result.
        uncertainty: [y, x] float32 standard deviation of `denoised` in photons, where the model gives one.
    """

    frame: Frame
    photons: NDArray[np.float32]
    denoised: NDArray[np.float32]
    labels: NDArray[np.uint8]
    follows: bool = True
    uncertainty: NDArray[np.float32] | None = None
