"""Every so many frames the photons are dealt into two halves, and the networks see each of them.

Which frames, and how their photons fall, follows from the frames alone: each view counts its processed
frames, and the seed is a hash of the photons, the frame's number and its view. So a replay of any recording,
or a run that goes on after a crash, gives the same halves to the last bit, without a seed to keep.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from streamer.core import Frame, Result
from streamer.core.result import Halves
from streamer.metrics.thinning import halves
from streamer.pipeline.stages import Denoised, NetworkFor, classes, infer
from streamer.pipeline.views import VIEWS_MAX, key_of

Image = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Partner:
    """A network with what it needs of an image's size, as in `streamer.pipeline.stages`."""

    network_for: NetworkFor
    size_multiple: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HalvesState:
    """How many frames of each view, by `key_of`, were processed."""

    seen: Mapping[str, int] = field(default_factory=dict)


def step(state: HalvesState, frame: Frame, *, every: int) -> tuple[HalvesState, bool]:
    """Whether the frame is one of every so many of its view; the first one is, and with `every` 0 none is.

    Views beyond those that the guards can follow have no turns.
    """
    key = key_of(frame)
    if not every or (key not in state.seen and len(state.seen) >= VIEWS_MAX):
        return state, False
    before = state.seen.get(key, 0)
    return replace(state, seen={**state.seen, key: before + 1}), before % every == 0


class Halver:
    """The halves of a run; `state` is open to be stored.

    Args:
        denoiser, segmenter: those of the run.
        every: frames of a view from one that is halved to the next; 0 for never.
        read_noise_e: of the camera, photo-electrons per pixel; 0 for a counting detector.
        state: to begin with.
    """

    def __init__(
        self, denoiser: Partner, segmenter: Partner, *, every: int, read_noise_e: float, state: HalvesState
    ) -> None:
        self._denoiser, self._segmenter = denoiser, segmenter
        self._every, self._read_noise_e = every, read_noise_e
        self.state = state

    def due(self, frame: Frame) -> bool:
        """Whether it is this frame's turn."""
        self.state, is_due = step(self.state, frame, every=self._every)
        return is_due

    def __call__(self, denoised: Denoised, result: Result) -> Result:
        """The result with its halves.

        A denoiser with context is shown halves of everything: past frames and slices are dealt out like the
        frame itself, so that nothing that the one half was drawn from is in the other. Where one image stands
        in for a missing one, its photons fall alike in both places. Of channels that are denoised together
        each is judged with halves of all of them.
        """
        shown = denoised.photons[None] if denoised.shown is None else denoised.shown
        pairs = [halves(image, _seed(image, result.frame), self._read_noise_e) for image in shown]
        a, b = (np.stack([pair[half] for pair in pairs]) for half in (0, 1))  # [c, y, x]
        own = denoised.channel
        denoised_a, denoised_b = self._denoised(a, own), self._denoised(b, own)
        labels_a = classes(self._segmenter.network_for, denoised_a, self._segmenter.size_multiple)
        return replace(
            result,
            halves=Halves(
                photons_a=a[own],
                photons_b=b[own],
                denoised_a=denoised_a,
                denoised_b=denoised_b,
                labels_a=labels_a,
            ),
        )

    def _denoised(self, images: Image, channel: int) -> Image:
        """[y, x] expected photons, without their uncertainty."""
        denoiser = self._denoiser
        return np.ascontiguousarray(infer(denoiser.network_for, images, denoiser.size_multiple)[channel])


def _seed(photons: Image, frame: Frame) -> int:
    """What the photons of an image are dealt out by; equal images of a frame share it."""
    digest = hashlib.blake2b(f"{frame.seq} {key_of(frame)} ".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(photons, "<f4").data)
    return int.from_bytes(digest.digest(), "little")
