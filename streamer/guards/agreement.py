"""Do two halves of the same photons tell the same story? What is in the data comes back in both."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from streamer.core import Result, Status, Verdict
from streamer.core.result import Halves
from streamer.guards.base import not_judged
from streamer.guards.cusum import cusum_limit, lower_cusum, usual_of
from streamer.guards.shared import halves_are_finite, is_finite
from streamer.metrics import tile_sums
from streamer.metrics.fourier import SMALLEST_PX, frc_nm

#: Side of the tiles in which agreement is looked at locally, pixels, and pixels that must be drawn in one.
TILE_PX, DRAWN_PX = 20, 40
#: Tiles that agree less than this do not show the same.
LOW = 0.5
#: Resolution is read in the middle of larger fields: the transform of more would take too long.
RESOLUTION_PX_MAX = 1024
_STATUSES: tuple[Status, ...] = ("pass", "flag", "reject")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AgreementState:
    """What the guard remembers.

    Attributes:
        seq: newest frame that was compared, -1 before the first.
        baseline: agreement in the run's first comparisons.
        resolutions: of the halves in those, nm; nan where there was none.
        sum: cumulated fall below the baseline, in standard deviations, 0 or more.
        status: what was found last.
    """

    seq: int
    baseline: NDArray[np.float64]
    resolutions: NDArray[np.float64]
    sum: float
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Tests whether predictions from independent halves of the photons agree as at the start of this run.

    On a schedule a frame's photons are dealt into two halves, and each is denoised by itself. Both know the
    same habits of the network, but not the same noise: what it makes up out of noise differs. Compared is
    what is drawn in the first half, by 2 sum(a b) / sum(a^2 + b^2) of the predictions above their background,
    which is 1 where they are equal, 0 where nothing comes back, and does not depend on how bright they are.

    Test. Null hypothesis: agreement is distributed as in the run's first `baseline_tests` comparisons. They
    are made at half the dose, like all later ones, so that the comparison is fair; agreement at the full dose
    is better than what is told. Standardised by the mean and standard deviation of the baseline without its
    odd values (`usual_of`) it enters a lower CUSUM, S = max(0, S - z - slack) (Page, Biometrika 41, 100
    (1954)), whose limit is simulated with the error of the baseline in it (`cusum_limit`): a healthy run with
    `planned_tests` comparisons rejects with probability `false_alarm_rate` at most, in each view. Simulated
    with another seed, 0.88 % (0.82 to 0.94) of 100,000 runs of 300 comparisons were rejected at 1 %. Wander
    of a specimen is not in that null, so that `spread_min` should be no less: agreement of `er-denoise-live`
    in healthy simulated runs scatters by 0.002 to 0.024. Eight such runs of 45 comparisons, of ER at 25
    photons per box, left the sum at 0; three that faded by a tenth from one comparison to the next were
    rejected at 4, 4 and 2 photons. `limit` is the agreement at which this frame alone would tip the test.
    Flagged: half-way there. Between comparisons the guard measures nothing, and the last finding stands.

    `values` tell the share of tiles that agree less than by half, and the resolution: the detail down to
    which the halves agree, by Fourier ring correlation of the predictions at 1/7 (Rosenthal and Henderson,
    J. Mol. Biol. 333, 721 (2003)). It is that of half the dose, and that of a network: what it makes alike of
    both halves counts as agreement.

    What it cannot see: what the network makes up alike whatever the noise is, as from a bright edge; a run
    whose first frames were bad; what is real and not drawn. On a camera the halves share no noise as long as
    the profile states the right read noise (`streamer.metrics.thinning.halves`): too low a number leaves part
    of it in both, which raises agreement, from the start on.

    Attributes:
        baseline_tests: comparisons that make the baseline.
        spread_min: least standard deviation to assume; smaller changes are of no interest.
        drawn_min_px: drawn pixels below which there is nothing to compare.
        planned_tests: comparisons of the run; beyond them, or beyond 100,000, the false-alarm rate no longer
            holds.
        false_alarm_rate: probability of a reject in one view of a healthy run.
        pixel_nm: size of a pixel; None where nobody knows, then there is no resolution.
    """

    name: ClassVar[str] = "agreement"
    baseline_tests: int
    spread_min: float
    drawn_min_px: int
    planned_tests: int
    false_alarm_rate: float
    pixel_nm: float | None

    def start(self) -> AgreementState:
        """Nothing compared yet; the simulation of the limit is done here, before the run."""
        self._threshold()
        return AgreementState(seq=-1, baseline=np.zeros(0), resolutions=np.zeros(0), sum=0.0, status="pass")

    def step(self, state: AgreementState, result: Result) -> tuple[AgreementState, Verdict]:
        """Judge one result; `measured` is how far the predictions of its halves agree."""
        if result.halves is None:
            return state, self._between(state)
        if not (is_finite(result) and halves_are_finite(result)):
            return state, not_judged(self.name)
        state = replace(state, seq=result.frame.seq)
        if np.count_nonzero(result.halves.labels_a) < self.drawn_min_px:
            return state, self._say("pass", None, None, "too little is drawn to compare")
        agreement, low_share = agreement_of(result.halves)
        resolution_nm = self._resolution_nm(result.halves)
        values = {"low_share": low_share}
        if np.isfinite(resolution_nm):
            values["resolution_nm"] = resolution_nm
        if state.baseline.size < self.baseline_tests:
            state = replace(
                state,
                baseline=np.append(state.baseline, agreement),
                resolutions=np.append(state.resolutions, resolution_nm),
            )
            count = f"comparison {state.baseline.size} of {self.baseline_tests} of the baseline"
            words = f"halves of the photons agree by {agreement:.2f}; {count}"
            return state, self._say("pass", agreement, None, words, **values)
        return self._test(state, agreement, values)

    def _test(
        self, state: AgreementState, agreement: float, values: dict[str, float]
    ) -> tuple[AgreementState, Verdict]:
        threshold = self._threshold()
        usual, spread = (float(each) for each in usual_of(state.baseline))
        spread = max(spread, self.spread_min)
        total, limit = lower_cusum(state.sum, agreement, usual, spread, threshold)
        status: Status = "pass"
        if total >= threshold / 2:
            status = "reject" if total >= threshold else "flag"
        known = state.resolutions[np.isfinite(state.resolutions)]
        if known.size:
            values = values | {"resolution_start_nm": float(np.median(known))}
        values = values | {"cusum": total, "cusum_limit": threshold}
        numbers = f"agreement {agreement:.2f}, at the start {usual:.2f} ± {spread:.2f}"
        words = {
            "pass": f"halves of the photons show the same: {numbers}",
            "flag": f"halves of the photons agree less on what is drawn: {numbers}",
            "reject": f"halves of the photons no longer agree on what is drawn: {numbers}",
        }
        state = replace(state, sum=total, status=status)
        return state, self._say(status, agreement, limit, words[status], **values)

    def _resolution_nm(self, halves: Halves) -> float:
        """Detail down to which the halves agree; nan where none can be told."""
        y, x = halves.denoised_a.shape
        if self.pixel_nm is None or min(y, x) < SMALLEST_PX:
            return float("nan")
        top, left = max(0, (y - RESOLUTION_PX_MAX) // 2), max(0, (x - RESOLUTION_PX_MAX) // 2)
        window = np.s_[top : top + RESOLUTION_PX_MAX, left : left + RESOLUTION_PX_MAX]
        nm = frc_nm(halves.denoised_a[window], halves.denoised_b[window], self.pixel_nm).nm
        return float("nan") if nm is None else nm

    def _threshold(self) -> float:
        """Comparisons share no photons and are independent, unlike neighbouring similarities."""
        return cusum_limit(
            self.baseline_tests, self.planned_tests, self.false_alarm_rate, neighbours_share=False
        )

    def _between(self, state: AgreementState) -> Verdict:
        """What stands on a frame that is not compared."""
        if state.seq < 0:
            return self._say("pass", None, None, "no frame's photons were dealt into halves yet")
        found: Status = next((one for one in _STATUSES if one == state.status), "pass")
        words = "" if found == "pass" else "; by then the halves agreed less than at the start"
        return self._say(found, None, None, f"not this frame; last compared was {state.seq}{words}")

    def _say(
        self, status: Status, measured: float | None, limit: float | None, meaning: str, **values: float
    ) -> Verdict:
        return Verdict(
            guard=self.name, status=status, measured=measured, limit=limit, meaning=meaning, values=values
        )


def agreement_of(halves: Halves) -> tuple[float, float]:
    """How far the predictions agree on what is drawn, and the share of drawn tiles where that is below `LOW`.

    Agreement is 0 to 1, or below. The background of each is its median where nothing is drawn.
    """
    drawn = halves.labels_a != 0
    a, b = (
        np.where(drawn, image - (np.median(image[~drawn]) if not drawn.all() else 0), np.float32(0))
        for image in (halves.denoised_a, halves.denoised_b)
    )
    both, squares = a * b, a * a + b * b
    total = float(squares.sum(dtype=np.float64))
    if total <= 0:
        return 0.0, 1.0
    enough = tile_sums(drawn, TILE_PX) >= DRAWN_PX
    local_squares = tile_sums(squares, TILE_PX)[enough]
    alike = 2 * tile_sums(both, TILE_PX)[enough] >= LOW * local_squares
    low_share = 1.0 - float(alike.mean()) if alike.size else 0.0
    return 2 * float(both.sum(dtype=np.float64)) / total, low_share
