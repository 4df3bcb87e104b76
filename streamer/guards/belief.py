"""How likely is it that what is drawn is there? A calibrated probability per pixel, and one per frame."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from streamer.core import Result, Status, Verdict
from streamer.guards.base import Stateless, not_judged
from streamer.guards.shared import is_finite, once
from streamer.metrics import box_sum
from streamer.metrics.support import CELL, support_sums

Floats = NDArray[np.float64]

#: Cells on a side of the windows, 15 and 155 pixels: what is drawn here, and what is around it.
NEAR, WIDE = 3, 31
#: Share of drawn cells that are dimmer than those that set the level of a field.
BRIGHT = 0.97
#: Photons that make the contrast of few photons small, and photons per pixel that keep logarithms finite.
FEW, DIM = 2.0, 1e-3
#: Smallest area that is spoken of, pixels: a tubule of 1 um at 20 nm.
LEAST_DRAWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustModel:
    """A logistic model: the logit of the probability is the intercept plus each weight times its measure.

    All measures are natural logarithms; those "near" are of the drawn pixels within 15 x 15 pixels.

    Attributes:
        intercept: a plain number.
        contrast: weighs photons near, over those that as many pixels hold where nothing is drawn within
            155 x 155 pixels.
        brightness: weighs the mean prediction of the drawn pixels in the cell of 5 x 5 pixels, at most what
            the photons near allow: a network that invents is not believed for being bold.
        level: weighs the brightness that 3 % of the drawn cells of the field exceed.
        clearest: weighs the contrast that 3 % of them exceed, which is little where there is nothing.
    """

    intercept: float
    contrast: float
    brightness: float
    level: float
    clearest: float

    def probability(self, measures: Floats) -> Floats:
        """[n] probabilities for [n, 4] measures in the order of the attributes."""
        intercept, *weights = astuple(self)
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(intercept + measures @ weights, -30.0, 30.0))))


#: Fitted by `python -m bench.trust --only-fit` to fields of the training range; see `Trust`.
SHIPPED = TrustModel(intercept=-4.8798, contrast=1.3965, brightness=3.6541, level=-3.5457, clearest=5.7806)
#: 5 and 95 % of (true share - expected share) / sqrt(expected (1 - expected)) of such fields.
SPREAD = (-0.432, 0.264)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Support:
    """What speaks for the drawn parts of one result.

    Attributes:
        drawn: [cell y, cell x] drawn pixels of each cell of 5 x 5 pixels.
        measures: [n, 4] of the n cells with any, row by row, in the order of `TrustModel`.
    """

    drawn: NDArray[np.float32]
    measures: Floats


@once
def support(result: Result) -> Support:
    """What photons and prediction say for each drawn cell."""
    everything, drawn, photons, predicted = support_sums(result.photons, result.denoised, result.labels)
    here = drawn > 0

    def near(values: NDArray[np.float32], cells: int) -> Floats:
        return np.asarray(np.maximum(box_sum(values, cells)[here].astype(np.float64), 0.0))

    pixels, counted = near(drawn, NEAR), near(photons, NEAR)
    outside = near(everything - photons, WIDE) + 0.2  # 0.01 photons a pixel where there is no outside
    empty = np.maximum(np.float32(CELL**2) - drawn, np.float32(0.0))  # of border cells a little too much
    background = outside / (near(empty, WIDE) + 20.0)
    allowed = (counted + np.sqrt(counted) + 0.5) / pixels  # a standard deviation more than were counted
    own = np.minimum(predicted[here] / drawn[here], allowed)
    level = float(np.quantile(own, BRIGHT)) if own.size else 0.0
    contrast = np.log((counted + FEW) / (background * pixels + FEW))
    measures = [
        contrast,
        np.log(own + DIM),
        np.full(own.shape, np.log(level + DIM)),
        np.full(own.shape, float(np.quantile(contrast, BRIGHT)) if own.size else 0.0),
    ]
    found = Support(drawn=drawn, measures=np.stack(measures, axis=1))
    for array in (found.drawn, found.measures):  # all who ask get the same
        array.setflags(write=False)
    return found


def expected_share(result: Result, model: TrustModel = SHIPPED) -> float | None:
    """Share of the drawn pixels that is expected to be true; None where nothing is drawn."""
    found = support(result)
    if found.measures.size == 0:
        return None
    stated = model.probability(found.measures)
    return float(np.average(stated, weights=found.drawn[found.drawn > 0]))


def trust_probability(result: Result, model: TrustModel = SHIPPED) -> NDArray[np.float32]:
    """[y, x] probability that each drawn pixel is true; NaN where nothing is drawn, and nothing is said.

    True is a pixel within one resolution length of a structure in focus. All drawn pixels of a cell of 5 x 5
    pixels share one number.
    """
    found = support(result)
    cells = np.full(found.drawn.shape, np.nan, np.float32)
    cells[found.drawn > 0] = model.probability(found.measures)
    height, width = result.labels.shape
    spread = np.repeat(np.repeat(cells, CELL, axis=0), CELL, axis=1)[:height, :width]
    return np.where(result.labels != 0, spread, np.float32(np.nan))


def likely_range(expected: float) -> tuple[float, float]:
    """90 % interval of the true share where `expected` is stated, as it came out in fields of the fit."""
    width = (expected * (1.0 - expected)) ** 0.5
    low, high = (min(max(expected + each * width, 0.0), 1.0) for each in SPREAD)
    return low, high


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Says what share of the drawn area is expected to be true, and flags where that is little.

    No test and no null hypothesis: a calibrated estimate. True is a drawn pixel within one resolution length
    (full width at half maximum of the point spread function) of a structure in focus, however faint. A
    logistic model of four measures (`TrustModel`) gives each a probability: do its photons stand out from
    what is around, how bright is it drawn, is that much in this field, does anything in this field stand out?
    It was fitted to 160 simulated fields with structure, faint structure, empty areas and light from out of
    focus, at 4 to 84 photons a box, drawn by `er-denoise-live` and `er-segment-live`.

    In 200 other fields of wider ranges (10 % of the drawn pixels hallucinated, one field in eight without any
    structure) the area under the curve is 0.956 (95 % interval 0.944-0.965), where the box sum of the
    signal map has 0.772; 0.970 (0.962-0.977) from 8 photons a box, 0.876 (0.846-0.903) below. Stated and
    found shares differ by 0.013 (0.010-0.021) in the mean over pixels; little trust errs on the side of
    doubt: of pixels below 0.1 a fifth are true. The expected share of a field differs from the true one by
    0.09 (root mean square), and 88 % of the fields lie within the 90 % interval. Of 48 healthy fields at 8 to
    25 photons a box none was expected below 0.97. `bench/trust.py` measures all of this.

    The network's stated error is not used: when the model was chosen, on training seeds, it added nothing. A
    prediction counts at most as bright as its photons allow, so that bold inventions are not believed.

    `measured` is the mean probability of the drawn pixels; `values` hold the 90 % interval of the true share
    that fields of the fit had where so much was expected. Cannot see: an object that is real but something
    else; structure that is not drawn; at few photons, false tubules in the meshes of a dense network, for
    which their neighbours' light speaks.

    Attributes:
        flag_below: expected share of the drawn area that is true, below which a frame is flagged.
    """

    name: ClassVar[str] = "trust"
    flag_below: float

    def start(self) -> Stateless:
        """Each frame is judged by itself."""
        return Stateless()

    def step(self, state: Stateless, result: Result) -> tuple[Stateless, Verdict]:
        """Judge one result; `measured` is the expected true share of the drawn area."""
        if not is_finite(result):
            return state, not_judged(self.name)
        drawn = float(support(result).drawn.sum())
        share = expected_share(result)
        if share is None or drawn < LEAST_DRAWN:
            meaning = f"{drawn:.0f} pixels are drawn; too few to judge"
            return state, self._say("pass", None, meaning)
        low, high = likely_range(share)
        words = f"{share:.0%} of what is drawn is expected to be there ({low:.0%} to {high:.0%})"
        if result.labels_seq is not None:
            words += f", drawn in frame {result.labels_seq}"
        if share >= self.flag_below:
            return state, self._say("pass", share, words, low=low, high=high)
        return state, self._say(
            "flag", share, f"part of what is drawn is doubtful: {words}", low=low, high=high
        )

    def _say(self, status: Status, measured: float | None, meaning: str, **values: float) -> Verdict:
        return Verdict(
            guard=self.name,
            status=status,
            measured=measured,
            limit=self.flag_below,
            meaning=meaning,
            values=values,
        )
