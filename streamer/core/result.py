"""What the networks made of one frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.core.frame import Frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Halves:
    """One frame's photons dealt into two halves at random, and what the networks make of each.

    What is drawn from one half can be tested on the other, which knows nothing of it.

    Attributes:
        photons_a, photons_b: [y, x] float32; they sum to the frame's photons.
        denoised_a, denoised_b: [y, x] float32 expected photons at half the dose.
        labels_a: [y, x] uint8 classes that the segmenter finds in half a.
    """

    photons_a: NDArray[np.float32]
    photons_b: NDArray[np.float32]
    denoised_a: NDArray[np.float32]
    denoised_b: NDArray[np.float32]
    labels_a: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
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
        halves: the frame's two halves, on every so many frames.
        labels_seq: number of the earlier frame of this view that `labels` were drawn in and are carried from;
            None where they were drawn in this one.
    """

    frame: Frame
    photons: NDArray[np.float32]
    denoised: NDArray[np.float32]
    labels: NDArray[np.uint8]
    follows: bool = True
    uncertainty: NDArray[np.float32] | None = None
    halves: Halves | None = None
    labels_seq: int | None = None
