"""Is there anything in the field?"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from streamer.core import Result, Verdict
from streamer.guards.base import Stateless, not_judged
from streamer.guards.shared import BOX, is_finite, photons_in_boxes, photons_in_tiles
from streamer.metrics.boxes import uncertain_and_signal


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalMap:
    """Shares of background, uncertain and signal boxes; rejects a field without a specimen.

    Null hypothesis: no specimen, that is, every 10 x 10 tile expects the same photons, whatever their number.
    Given the total count, tiles are then multinomial and Pearson's sum (x - mean)^2 / mean has the mean and,
    for all but a handful of photons, the distribution of chi-squared with tiles - 1 degrees of freedom (index
    of dispersion test, Fisher 1950). A frame is rejected as "no foreground" unless its tiles vary more than
    that at the level `false_pass_rate`, and at least `tiles_min` of them hold more than background; so an
    empty field of any brightness passes with at most that probability per frame. Glow with a gradient is not
    seen as empty.

    Attributes:
        background_max: photons in a box up to which it is background.
        signal_min: photons in a box above which it is signal.
        tiles_min: tiles above background that make a specimen; fewer are hot pixels.
        false_pass_rate: probability that an empty field passes, per frame and view.
        read_noise_e: of the camera, photo-electrons per pixel; 0 for a counting detector.
    """

    name: ClassVar[str] = "signal_map"
    background_max: float
    signal_min: float
    tiles_min: int
    false_pass_rate: float
    read_noise_e: float

    def start(self) -> Stateless:
        """Each frame is judged by itself."""
        return Stateless()

    def step(self, state: Stateless, result: Result) -> tuple[Stateless, Verdict]:
        """Judge one result; `measured` is the index of dispersion of the tiles."""
        if not is_finite(result):
            return state, not_judged(self.name)
        tiles = photons_in_tiles(result).ravel()
        boxes = photons_in_boxes(result)
        uncertain, signal = uncertain_and_signal(boxes, self.background_max, self.signal_min)
        index, limit = self._dispersion(tiles), self._limit(tiles.size)
        occupied = int(np.count_nonzero(tiles > self.background_max))
        empty = index <= limit or occupied < self.tiles_min
        shares = f"{signal:.0%} of the field holds signal, {uncertain:.0%} is uncertain"
        nothing = "even light without structure" if signal > 0.5 else "the field looks empty"
        return state, Verdict(
            guard=self.name,
            status="reject" if empty else "pass",
            measured=index,
            limit=limit,
            meaning=f"no foreground: {nothing} ({shares})" if empty else shares,
            values={
                "signal_fraction": signal,
                "uncertain_fraction": uncertain,
                "background_fraction": 1.0 - signal - uncertain,
                "occupied_tiles": float(occupied),
            },
        )

    def _dispersion(self, tiles: NDArray[np.float64]) -> float:
        """Variance of the tiles over the variance that chance gives them; 0 without any photons."""
        expected = float(tiles.mean()) + (BOX * self.read_noise_e) ** 2 if tiles.size > 1 else 0.0
        return float(tiles.var(ddof=1)) / expected if expected > 0 else 0.0

    def _limit(self, tiles: int) -> float:
        """Upper quantile of chi-squared over its degrees of freedom, by Wilson and Hilferty 1931."""
        spread = 2.0 / (9.0 * max(tiles - 1, 1))
        z = NormalDist().inv_cdf(1.0 - self.false_pass_rate)
        return float((1.0 - spread + z * spread**0.5) ** 3)
