"""Do neighbouring frames still tell the same story? Structural similarity of adjacent predictions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from streamer.core import Result, Status, Verdict
from streamer.guards.base import not_judged
from streamer.guards.cusum import cusum_limit, lower_cusum, usual_of
from streamer.guards.shared import BOX, is_finite, photons_in_boxes
from streamer.metrics import ssim

#: In the place of a prediction that nothing may be compared with.
_NOTHING = np.zeros((0, 0), np.float32)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SimilarityState:
    """What the guard remembers.

    Attributes:
        previous: [y, x] prediction of the frame before; empty at the start, and where that frame had no
            foreground or was not finite.
        baseline: similarities of the run's first comparisons.
        sum: cumulated fall below the baseline, in standard deviations, 0 or more.
    """

    previous: NDArray[np.float32]
    baseline: NDArray[np.float64]
    sum: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Similarity:
    """Tests whether adjacent predictions are as similar as they were at the start of this run.

    Compared is the foreground: what the signal map of the present frame does not call background. The photon
    range is the same for all frames. Predictions are compared only where both frames have foreground and none
    was lost between them: in the dark there is nothing to learn from, nor to be unlike.

    Test. Null hypothesis: similarity is distributed as in the run's first `baseline_frames` comparisons, its
    own healthy baseline, whose odd values are left out (`usual_of`): a jump among the first must not hide
    what comes later. Values standardised by its mean and standard deviation enter a lower CUSUM,
    S = max(0, S - z - slack) (Page 1954), which rejects at a limit that a healthy run of `planned_frames`
    frames reaches with a probability of at most `false_alarm_rate`. The limit comes from a simulation with a
    fixed seed, not from a formula, so that it includes the error of the estimated baseline (`cusum_limit`);
    neighbouring values, which share a frame, are simulated as a moving average with the largest correlation
    that such can have, one half. Simulated with another seed, 0.88 % (0.79 to 0.98) of 40,000 such runs of
    6,000 frames were rejected at 1 %, 0.36 % (0.28 to 0.45) of 20,000 with a correlation of 0.4, and none of
    20,000 with none. Wander of a specimen over minutes is not in that null: in simulated fields of
    400 x 400 pixels that do not bleach it moves similarity by 0.01 to 0.02, so that `spread_min` should be no
    less. `limit` is the similarity at which this frame alone would tip the test. Flagged: half-way there.

    Attributes:
        range_photons: expected photons per pixel that span the predictions; fixed for a model.
        background_max: photons in a box up to which it is background.
        boxes_min: foreground, in boxes of 10 x 10 pixels, below which there is nothing to compare.
        baseline_frames: comparisons that make the baseline.
        spread_min: least standard deviation to assume; smaller changes are of no interest.
        planned_frames: frames of the run, of all its views together; beyond them, or beyond 100,000, the
            false-alarm rate no longer holds.
        false_alarm_rate: probability of a reject in one view of a healthy run. Several views have a baseline
            each, and each baseline its own error: 5 to 20 views that share 6,000 frames reject twice as often
            together, fewer or more views less often (simulated).
    """

    name: ClassVar[str] = "similarity"
    range_photons: float
    background_max: float
    boxes_min: int
    baseline_frames: int
    spread_min: float
    planned_frames: int
    false_alarm_rate: float

    def start(self) -> SimilarityState:
        """No frame seen yet; the simulation of the limit is done here, before the run."""
        self._threshold()
        return SimilarityState(previous=_NOTHING, baseline=np.zeros(0), sum=0.0)

    def step(self, state: SimilarityState, result: Result) -> tuple[SimilarityState, Verdict]:
        """Judge one result; `measured` is its similarity to the result before it in its view."""
        previous, state = state.previous, replace(state, previous=_NOTHING)
        if not is_finite(result):
            return state, not_judged(self.name)
        foreground = photons_in_boxes(result) > self.background_max
        if np.count_nonzero(foreground) < self.boxes_min * BOX**2:
            return state, self._say("flag", None, None, "no foreground on which to compare")
        state = replace(state, previous=result.denoised)
        if not result.follows or not previous.size:
            return state, self._say("pass", None, None, "no neighbouring frame to compare with")
        similarity = ssim(previous, result.denoised, data_range=self.range_photons, mask=foreground)
        if state.baseline.size < self.baseline_frames:
            state = replace(state, baseline=np.append(state.baseline, similarity))
            count = f"frame {state.baseline.size} of {self.baseline_frames} of the baseline"
            return state, self._say("pass", similarity, None, f"similarity {similarity:.3f}; {count}")
        return self._test(state, similarity)

    def _test(self, state: SimilarityState, similarity: float) -> tuple[SimilarityState, Verdict]:
        threshold = self._threshold()
        usual, spread = (float(each) for each in usual_of(state.baseline))
        spread = max(spread, self.spread_min)
        total, limit = lower_cusum(state.sum, similarity, usual, spread, threshold)
        numbers = f"similarity {similarity:.3f}, at the start {usual:.3f} ± {spread:.3f}"
        status: Status = "pass"
        if total >= threshold:
            status, numbers = "reject", f"adjacent predictions no longer agree: {numbers}"
        elif total >= threshold / 2:
            status, numbers = "flag", f"adjacent predictions agree less: {numbers}"
        verdict = self._say(status, similarity, limit, numbers, cusum=total, cusum_limit=threshold)
        return replace(state, sum=total), verdict

    def _threshold(self) -> float:
        return cusum_limit(
            self.baseline_frames, self.planned_frames, self.false_alarm_rate, neighbours_share=True
        )

    def _say(
        self, status: Status, measured: float | None, limit: float | None, meaning: str, **values: float
    ) -> Verdict:
        return Verdict(
            guard=self.name, status=status, measured=measured, limit=limit, meaning=meaning, values=values
        )
