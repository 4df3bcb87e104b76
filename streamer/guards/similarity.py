"""Do neighbouring frames still tell the same story? Structural similarity of adjacent predictions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from streamer.core import Result, Status, Verdict
from streamer.guards.base import not_judged
from streamer.guards.shared import BOX, is_finite, photons_in_boxes
from streamer.metrics import ssim

#: Slack of the sequential test in standard deviations: a lasting fall of twice this is found fastest.
SLACK = 1.0
#: Longest run that is simulated.
SIMULATED_LENGTH_MAX = 100_000
#: Simulated frames that set the test's limit; the runs they make leave it a few per cent uncertain.
SIMULATED_FRAMES = 20_000_000
SIMULATED_RUNS_MAX = 50_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SimilarityState:
    """What the guard remembers.

    Attributes:
        previous: [y, x] prediction of the frame before; empty at the start.
        baseline: similarities of the run's first frames.
        sum: cumulated fall below the baseline, in standard deviations, 0 or more.
    """

    previous: NDArray[np.float32]
    baseline: NDArray[np.float64]
    sum: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Similarity:
    """Tests whether adjacent predictions are as similar as they were at the start of this run.

    Compared is the foreground: what the signal map of the present frame does not call background. The photon
    range is the same for all frames. Predictions are compared only where no frame was lost between them.

    Test. Null hypothesis: similarity is distributed as in the run's first `baseline_frames` comparisons, its
    own healthy baseline. Values standardised by the baseline's mean and standard deviation enter a lower
    CUSUM, S = max(0, S - z - slack) (Page 1954), which rejects at a limit that a healthy run of
    `planned_frames` frames reaches with probability `false_alarm_rate`. The limit comes from a simulation
    with a fixed seed, not from a formula, so that it includes the error of the estimated baseline;
    neighbouring values, which share a frame, are simulated as a moving average with the largest correlation
    that such can have, one half. Wander of a specimen over minutes is not in that null: in simulated fields
    of 400 x 400 pixels that do not bleach it moves similarity by 0.01 to 0.02, so that `spread_min` should be
    no less. `limit` is the similarity at which this frame alone would tip the test. Flagged: half-way there.

    Attributes:
        range_photons: expected photons per pixel that span the predictions; fixed for a model.
        background_max: photons in a box up to which it is background.
        boxes_min: foreground, in boxes of 10 x 10 pixels, below which there is nothing to compare.
        baseline_frames: comparisons that make the baseline.
        spread_min: least standard deviation to assume; smaller changes are of no interest.
        planned_frames: frames of the run, of all its views together; beyond them, or beyond 100,000, the
            false-alarm rate no longer holds.
        false_alarm_rate: probability of a reject in one view of a healthy run. Several views have a baseline
            each, and each baseline its own error: 10 to 100 views that share 6,000 frames reject four to five
            times as often together (simulated).
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
        cusum_limit(self.baseline_frames, self.planned_frames, self.false_alarm_rate)
        return SimilarityState(previous=np.zeros((0, 0), np.float32), baseline=np.zeros(0), sum=0.0)

    def step(self, state: SimilarityState, result: Result) -> tuple[SimilarityState, Verdict]:
        """Judge one result; `measured` is its similarity to the result before it in its view."""
        if not is_finite(result):
            return state, not_judged(self.name)
        before, state = state, replace(state, previous=result.denoised)
        if not result.follows or not before.previous.size:
            return state, self._say("pass", None, None, "no neighbouring frame to compare with")
        foreground = photons_in_boxes(result) > self.background_max
        if np.count_nonzero(foreground) < self.boxes_min * BOX**2:
            return state, self._say("flag", None, None, "no foreground on which to compare")
        similarity = ssim(before.previous, result.denoised, data_range=self.range_photons, mask=foreground)
        if state.baseline.size < self.baseline_frames:
            state = replace(state, baseline=np.append(state.baseline, similarity))
            count = f"frame {state.baseline.size} of {self.baseline_frames} of the baseline"
            return state, self._say("pass", similarity, None, f"similarity {similarity:.3f}; {count}")
        return self._test(state, similarity)

    def _test(self, state: SimilarityState, similarity: float) -> tuple[SimilarityState, Verdict]:
        threshold = cusum_limit(self.baseline_frames, self.planned_frames, self.false_alarm_rate)
        usual = float(state.baseline.mean())
        spread = max(float(state.baseline.std(ddof=1)), self.spread_min)
        limit = usual - spread * (threshold - state.sum + SLACK)
        total = min(max(0.0, state.sum + (usual - similarity) / spread - SLACK), threshold)
        numbers = f"similarity {similarity:.3f}, at the start {usual:.3f} ± {spread:.3f}"
        status: Status = "pass"
        if total >= threshold:
            status, numbers = "reject", f"adjacent predictions no longer agree: {numbers}"
        elif total >= threshold / 2:
            status, numbers = "flag", f"adjacent predictions agree less: {numbers}"
        verdict = self._say(status, similarity, limit, numbers, cusum=total, cusum_limit=threshold)
        return replace(state, sum=total), verdict

    def _say(
        self, status: Status, measured: float | None, limit: float | None, meaning: str, **values: float
    ) -> Verdict:
        return Verdict(
            guard=self.name, status=status, measured=measured, limit=limit, meaning=meaning, values=values
        )


@cache
def cusum_limit(baseline_frames: int, planned_frames: int, false_alarm_rate: float) -> float:
    """Limit that the CUSUM of a healthy run passes with probability `false_alarm_rate`, by simulation."""
    planned_frames = min(planned_frames, SIMULATED_LENGTH_MAX)
    runs = min(SIMULATED_RUNS_MAX, max(SIMULATED_FRAMES // planned_frames, round(20 / false_alarm_rate)))
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((baseline_frames + 1, runs))
    baseline = noise[:-1] + noise[1:]
    mean, spread = baseline.mean(axis=0), baseline.std(axis=0, ddof=1)
    last, total, highest = noise[-1], np.zeros(runs), np.zeros(runs)
    for _ in range(planned_frames):
        following = rng.standard_normal(runs)
        total += (mean - last - following) / spread - SLACK
        np.maximum(total, 0.0, out=total)
        np.maximum(highest, total, out=highest)
        last = following
    return float(np.quantile(highest, 1.0 - false_alarm_rate))
