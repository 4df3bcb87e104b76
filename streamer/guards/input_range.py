"""Is the frame of the kind that the model was trained on?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from streamer.core import Result, Verdict
from streamer.guards.base import Stateless
from streamer.guards.shared import BOX, drawn_tiles, is_finite, photons_in_tiles, predicted_in_tiles
from streamer.metrics import noise_ratio

#: Median of chi-squared with one degree of freedom.
CHANCE = 0.455


@dataclass(frozen=True, slots=True, kw_only=True)
class InputRange:
    """Compares a frame's brightness, its noise and its saturated pixels with what the model can know.

    Brightness is the median photon sum of the tiles of which the network drew at least half; where it drew
    fewer than `tiles_min`, of the tiles above `signal_min`. Noise is the pixel-to-pixel variance over that of
    photon counting: 1 for counts of any specimen that the pixels sample (a simulated STED field at 600 x 600
    pixels stays within 1 +- 0.03), far below for grey levels that are not photons. Misfit is the median, over
    drawn tiles, of (photons - predicted photons)^2 / predicted photons: 0.45, the median of chi-squared with
    one degree of freedom, where the prediction is right. With `er-denoise-live` it is 0.3-1.1 in 120
    simulated fields of all training levels, 3.7-11 in ten real STED images of neurons, which it never saw.
    The limits are no test of a null hypothesis but the edges of the training data.

    Attributes:
        trained_low, trained_high: range of the median box sum over the training frames, photons.
        noise_low, noise_high: noise ratios to accept.
        saturated_max: fraction of saturated pixels to accept.
        bit_depth: of the detector, for frames that do not state it; None takes that of the pixel type.
        misfit_max: misfit to accept.
        tiles_min: tiles from which a median is taken.
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
        median, misfit = self._median_box_sum(result), self._misfit(result)
        noise = noise_ratio(result.photons, self.read_noise_e)
        bits = result.frame.bit_depth or self.bit_depth or 8 * result.frame.pixels.dtype.itemsize
        pixels = result.frame.pixels
        saturated = np.count_nonzero(pixels >= 2**bits - 1) / pixels.size
        complaints = tuple(self._complaints(median, noise, saturated, misfit))
        values = {"noise_ratio": noise, "saturated_fraction": saturated, "misfit": misfit}
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

    def _misfit(self, result: Result) -> float:
        """How far prediction and counts differ in drawn tiles; not a number where too little is drawn."""
        drawn = drawn_tiles(result)
        if np.count_nonzero(drawn) < self.tiles_min:
            return float("nan")
        predicted = np.maximum(predicted_in_tiles(result)[drawn], 1.0)
        chance = predicted + (BOX * self.read_noise_e) ** 2
        return float(np.median((photons_in_tiles(result)[drawn] - predicted) ** 2 / chance))

    def _nearest_end(self, median: float) -> float:
        middle = (self.trained_low * self.trained_high) ** 0.5
        return self.trained_low if median < middle else self.trained_high

    def _complaints(
        self, median: float | None, noise: float, saturated: float, misfit: float
    ) -> Iterator[str]:
        if median is not None and not self.trained_low <= median <= self.trained_high:
            trained = f"{self.trained_low:g}-{self.trained_high:g}"
            yield f"median box sum {median:.3g} photons; the model was trained on {trained}"
        if noise < self.noise_low or noise > self.noise_high:
            yield f"the noise has {noise:.2g} times the variance of photon counts; are these photons?"
        if misfit > self.misfit_max:
            yield f"prediction and counts differ {misfit / CHANCE:.0f} times chance; other structure?"
        if saturated > self.saturated_max:
            yield f"{saturated:.2%} of the pixels are saturated"

    def _praise(self, median: float | None) -> str:
        if median is None:
            return "no foreground whose brightness could be judged"
        return f"median box sum {median:.3g} photons, as the model was trained"
