"""Is what the network draws in the data? Photons of each drawn object against those around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from streamer.core import Result, Status, Verdict
from streamer.core.result import Halves
from streamer.guards.base import not_judged
from streamer.guards.shared import halves_are_finite, is_finite
from streamer.metrics.objects import pieces, sums, surroundings
from streamer.metrics.rates import discoveries, excess_p_values, share_of_nulls

#: From what is fine to what is not.
GRAVITY: tuple[Status, ...] = ("pass", "flag", "reject")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Objects:
    """The objects drawn in one half, and what the other half says of each.

    Attributes:
        ids: [y, x] number of the object that each pixel belongs to, 0 where there is none; `streamer.metrics.
            objects.pieces`.
        area: [object] pixels; here as below element 0 belongs to no object.
        photons: [object] photons of the other half in it.
        expected: [object] photons there, were it as bright as its surroundings.
        tested: [object] whether it is large enough and has surroundings.
        p_value: [object] that its photons are chance; 1 where it is not tested.
        supported: [object] whether photons support it.
    """

    ids: NDArray[np.int32]
    area: NDArray[np.float64]
    photons: NDArray[np.float64]
    expected: NDArray[np.float64]
    tested: NDArray[np.bool_]
    p_value: NDArray[np.float64]
    supported: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceState:
    """What the guard remembers.

    Attributes:
        seq: newest frame that was tested, -1 before the first.
        last: what it was found to be.
        held: the better of the last two findings, which stands until the next test.
    """

    seq: int = -1
    last: str = "pass"
    held: str = "pass"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Tests for each drawn object whether it holds more photons than its surroundings.

    On a schedule a frame's photons are dealt into two halves. Objects (pieces of tubules between junctions,
    tiles of sheets, spots) are drawn on the one and tested on the other, which had no part in drawing them:
    with the same photons most objects that a network draws into pure noise would pass.

    Test. Null hypothesis of an object: it is not there, that is, its pixels are at most `ratio` times as
    bright as those around it. (The ratio grants that out-of-focus light is not quite even.) Given the photons
    of both, those inside are then binomial: the exact test of two Poisson rates (Przyborowski and Wilenski,
    Biometrika 31, 313 (1940)). Surroundings are 4 to 16 pixels from what is drawn and belong to the nearest
    object only, so that the tests are independent given the drawing; some objects within sheets share those
    of a neighbour, which makes their tests depend positively. Objects are called supported by the procedure
    of Benjamini and Hochberg (1995), which holds in both cases. Controlled, per tested frame and view: the
    expected share of supported objects that are not there is at most `false_discovery_rate`.

    Simulated (60 fields of varied ER, a third of the objects invented farther than 80 nm from any structure):
    of the supported objects 0.0, 0.3, 0.6 and 0.8 % are invented at 8, 25, 100 and 400 photons per box, with
    95 % bounds of at most 1.1 %. Drawn by `er-denoise-live` in 12 fields at 4, 8, 12 and 25 photons each: 11
    of 4,154, eight of them in one field; the worst level has 0.6 % (at most 1.6 %). Of real objects that
    expect 4-6 photons in the tested half 24 % are supported, with 12-16 73 %, with 24-40 96 %.

    `measured` is the share of the drawn area whose objects are supported, `limit` that below which a frame is
    flagged; below `reject_below` it is rejected. Those two are no test: also a real object may have too few
    photons to be told from chance. In healthy fields with `er-denoise-live` the share is 0.98 at 25 photons
    per box, 0.6 (0.3 to 0.8) at the model's floor of 8, and 0.13 at 4. `values` holds an estimate of the
    share of objects that are not there, which few photons do not raise as much (Storey 2002).

    Between tests the guard measures nothing and says what stands: the better of the last two findings. One
    bad frame is told once; two in a row stand until a good one.

    What it cannot see: an object that is real but something else; structure that is not drawn; whether light
    comes from the focus; an object so close to a real one that its pixels hold that one's blurred edge.
    On a camera the halves are an approximation (`streamer.metrics.thinning.halves`), and its fixed pattern
    is taken for light.

    Attributes:
        false_discovery_rate: see above.
        ratio: see above, at least 1.
        smallest_px: objects of fewer pixels are not tested.
        objects_min: tested objects below which there is no share to speak of.
        flag_below, reject_below: supported share of the drawn area.
        read_noise_e: of the camera, photo-electrons per pixel; 0 for a counting detector.
    """

    name: ClassVar[str] = "evidence"
    false_discovery_rate: float
    ratio: float
    smallest_px: int
    objects_min: int
    flag_below: float
    reject_below: float
    read_noise_e: float

    def start(self) -> EvidenceState:
        """Nothing tested yet."""
        return EvidenceState()

    def step(self, state: EvidenceState, result: Result) -> tuple[EvidenceState, Verdict]:
        """Judge one result; `measured` is the share of the drawn area that photons support."""
        if result.halves is None:
            return state, self._between(state)
        if not (is_finite(result) and halves_are_finite(result)):
            return state, not_judged(self.name)
        found = self.objects(result.halves)
        count, drawn = int(np.count_nonzero(found.tested)), float(found.area[found.tested].sum())
        if count < self.objects_min:
            return EvidenceState(seq=result.frame.seq), self._untested(count, found)
        share = float(found.area[found.supported].sum()) / drawn
        status: Status = "pass"
        if share < self.flag_below:
            status = "reject" if share < self.reject_below else "flag"
        # Until there are two tests, the first one stands for both.
        before = state.last if state.seq >= 0 else status
        held = min(before, status, key=lambda one: [*GRAVITY].index(one))
        state = EvidenceState(seq=result.frame.seq, last=status, held=held)
        return state, self._verdict(status, share, found)

    def objects(self, halves: Halves) -> Objects:
        """Each object, and whether photons support it."""
        ids = pieces(halves.labels_a)
        around, lender = surroundings(ids)
        size = lender.size
        photons, area = sums(ids, halves.photons_b, size)
        outside, area_outside = (each[lender] for each in sums(around, halves.photons_b, size))
        tested = (area >= self.smallest_px) & (lender > 0)
        p_value, supported = np.ones(size), np.zeros(size, np.bool_)
        p_value[tested] = excess_p_values(
            photons[tested],
            area[tested],
            outside[tested],
            area_outside[tested],
            ratio=self.ratio,
            read_noise_e=self.read_noise_e / 2**0.5,
        )
        supported[tested] = discoveries(p_value[tested], self.false_discovery_rate)
        return Objects(
            ids=ids,
            area=area,
            photons=photons,
            expected=outside * area / np.maximum(area_outside, 1.0),
            tested=tested,
            p_value=p_value,
            supported=supported,
        )

    def _verdict(self, status: Status, share: float, found: Objects) -> Verdict:
        count, supported = int(np.count_nonzero(found.tested)), int(np.count_nonzero(found.supported))
        numbers = f"{supported} of {count} drawn objects hold more photons than what is around them"
        numbers = f"{numbers}, {share:.0%} of the drawn area"
        words = {
            "pass": numbers,
            "flag": f"part of what is drawn has no photons to show for it: {numbers}",
            "reject": f"most of what is drawn has no photons to show for it: {numbers}",
        }
        return self._say(
            status,
            share,
            words[status],
            objects=float(count),
            supported=float(supported),
            unsupported=float(count - supported),
            not_there_share=share_of_nulls(found.p_value[found.tested]),
        )

    def _untested(self, count: int, found: Objects) -> Verdict:
        """What is said where there are too few objects, or nothing around them."""
        if 2 * np.count_nonzero(found.ids) > found.ids.size:
            meaning = "what is drawn fills the field, and nothing is left to compare its photons with"
            return self._say("flag", None, meaning)
        meaning = f"{count} objects are drawn that could be tested; too few to judge"
        return self._say("pass", None, meaning)

    def _between(self, state: EvidenceState) -> Verdict:
        """What stands on a frame that is not tested."""
        if state.seq < 0:
            return self._say("pass", None, "no frame's photons were dealt into halves yet")
        held: Status = next((one for one in GRAVITY if one == state.held), "pass")
        if held == "pass":
            return self._say("pass", None, f"not this frame; last tested was {state.seq}")
        words = f"not this frame; in the last two tests, up to frame {state.seq}, too little had photons"
        return self._say(held, None, words)

    def _say(self, status: Status, measured: float | None, meaning: str, **values: float) -> Verdict:
        return Verdict(
            guard=self.name,
            status=status,
            measured=measured,
            limit=self.flag_below,
            meaning=meaning,
            values=values,
        )
