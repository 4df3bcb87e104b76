"""Is the frame of the kind that the model was trained on?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from streamer.core import Result, Verdict
from streamer.guards.base import Stateless
from streamer.guards.shared import BOX, drawn_tiles, is_finite, photons_in_tiles
from streamer.metrics import noise_ratio
from streamer.metrics.misfit import CELL, Misfit, misfit

#: Standard errors by which chance may raise a misfit.
CHANCE = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class InputRange:
    """Compares a frame's brightness, its noise and its saturated pixels with what the model can know.

    Brightness is the median photon sum of the tiles of which the network drew at least half; where it drew
    fewer than `tiles_min`, of the tiles above `signal_min`. Noise is the pixel-to-pixel variance over that of
    photon counting: 1 for counts of any specimen that the pixels sample (a simulated STED field at 600 x 600
    pixels stays within 1 +- 0.03), far below for grey levels that are not photons. These limits are no test
    of a null hypothesis but the edges of the training data.

    Misfit is the squared difference of counts and prediction in drawn cells of 4 x 4 pixels, over that of
    photon counting (`streamer.metrics.misfit`). What the denoiser takes off on purpose, haze, dark counts and
    light from other planes, is no misfit: what it leaves out of a cell is compared with what it leaves out of
    the eight cells around. Null hypothesis: counts are Poisson with the expectation prediction + background,
    where the background is even over 12 x 12 pixels and misfit at most `misfit_max`; flagged are three
    standard errors more, which happens in less than 1 % of frames. A network that follows the noise stays
    below. Simulated fields of 300 x 300 pixels of the test range at 4 to 200 photons a box, on other seeds
    than those on which cell and limit were chosen, and how many were flagged (95 % interval):

    | structure, denoiser | flagged |
    |---|---|
    | ER, `er-denoise-live` | 0 of 120 (0 to 3 %) |
    | slices of ER, `er-denoise-stack`, 28 photons | 10 of 96 (5 to 18 %), with little in focus |
    | microtubules, `er-denoise-live` | 7 of 40 (7 to 33 %) |
    | mitochondria, the same | 6 of 40 (6 to 30 %) |
    | puncta, the same | 18 of 40 (29 to 62 %) |
    | actin rings, the same | 33 of 40 (67 to 93 %) |

    It is 1.5 to 14 in ten real STED images of actin and tubulin in neurons, which that network never saw.
    *Cannot see:* wrong structure whose counts the network followed, which is most of it at few photons; a
    prediction that is too dark by the same number of photons everywhere.

    Attributes:
        trained_low, trained_high: range of the median box sum over the training frames, photons.
        noise_low, noise_high: noise ratios to accept.
        saturated_max: fraction of saturated pixels to accept.
        bit_depth: of the detector, for frames that do not state it; None takes that of the pixel type.
        misfit_max: misfit to accept; 1 is chance.
        tiles_min: drawn tiles from which a median is taken, and drawn area from which a misfit is.
        signal_min: photons in a box above which it is signal.
        read_noise_e: of the camera, photo-electrons per pixel; 0 for a counting detector.
    """

    name: ClassVar[str] = "range"
    trained_low: float
    trained_high: float
    noise_low: float
    noise_high: float
    saturated_max: float
    bit_depth: int | None
    misfit_max: float
    tiles_min: int
    signal_min: float
    read_noise_e: float

    def start(self) -> Stateless:
        """Each frame is judged by itself."""
        return Stateless()

    def step(self, state: Stateless, result: Result) -> tuple[Stateless, Verdict]:
        """Judge one result; `measured` is the median box sum, `limit` the nearer end of the range."""
        if not is_finite(result):
            meaning = "the photons or the prediction hold values that are not finite"
            return state, Verdict(
                guard=self.name, status="reject", measured=None, limit=None, meaning=meaning
            )
        median, found = self._median_box_sum(result), self._misfit(result)
        noise = noise_ratio(result.photons, self.read_noise_e)
        bits = result.frame.bit_depth or self.bit_depth or 8 * result.frame.pixels.dtype.itemsize
        pixels, full = result.frame.pixels, 2**bits - 1
        # The largest value is found faster than pixels are counted, and hardly ever is there one to count.
        saturated = np.count_nonzero(pixels >= full) / pixels.size if pixels.max() >= full else 0.0
        complaints = tuple(self._complaints(median, noise, saturated, found))
        values = {
            "noise_ratio": noise,
            "saturated_fraction": saturated,
            "misfit": found.value,
            "misfit_limit": self._misfit_limit(found),
        }
        return state, Verdict(
            guard=self.name,
            status="flag" if complaints else "pass",
            measured=median,
            limit=None if median is None else self._nearest_end(median),
            meaning="; ".join(complaints) or self._praise(median),
            values={name: value for name, value in values.items() if np.isfinite(value)},
        )

    def _median_box_sum(self, result: Result) -> float | None:
        """Photons per foreground box; None where there is no foreground."""
        tiles = photons_in_tiles(result)
        for chosen in (tiles[drawn_tiles(result)], tiles[tiles > self.signal_min]):
            if chosen.size >= self.tiles_min:
                return float(np.median(chosen))
        return None

    def _misfit(self, result: Result) -> Misfit:
        """How far prediction and counts differ where it is drawn; not a number where too little is."""
        found = misfit(result.photons, result.denoised, result.labels, self.read_noise_e)
        enough = found.cells * CELL**2 >= self.tiles_min * BOX**2
        return found if enough else Misfit(float("nan"), float("nan"), found.cells)

    def _misfit_limit(self, found: Misfit) -> float:
        return self.misfit_max + CHANCE * found.error

    def _nearest_end(self, median: float) -> float:
        middle = (self.trained_low * self.trained_high) ** 0.5
        return self.trained_low if median < middle else self.trained_high

    def _complaints(
        self, median: float | None, noise: float, saturated: float, found: Misfit
    ) -> Iterator[str]:
        if median is not None and not self.trained_low <= median <= self.trained_high:
            trained = f"{self.trained_low:g}-{self.trained_high:g}"
            yield f"median box sum {median:.3g} photons; the model was trained on {trained}"
        if noise < self.noise_low or noise > self.noise_high:
            yield f"the noise has {noise:.2g} times the variance of photon counts; are these photons?"
        if found.value > self._misfit_limit(found):
            yield f"prediction and counts differ {found.value:.1f} times as much as chance; other structure?"
        if saturated > self.saturated_max:
            yield f"{saturated:.2%} of the pixels are saturated"

    def _praise(self, median: float | None) -> str:
        if median is None:
            return "no foreground whose brightness could be judged"
        return f"median box sum {median:.3g} photons, as the model was trained"
