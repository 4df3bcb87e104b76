"""Is it still the same scene? Focus, background, foreground and drift since the beginning of the run."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from streamer.core import Result, Verdict
from streamer.guards.base import not_judged, waits_for_labels
from streamer.guards.sequential import evidence_limit, gathered, log_e_value
from streamer.guards.shared import BOX, is_finite, photons_in_tiles
from streamer.metrics import tile_sums
from streamer.metrics.drift import shift_between, thumbnail
from streamer.metrics.focus import Sharpness, sharpness

Floats = NDArray[np.float64]

#: What is tested, in the order of `SceneState.start` and `SceneState.evidence`.
TESTED = ("focus", "area", "background")
#: Side, in boxes, of the tiles whose darkest share is the background.
WIDE, DARKEST = 3, 0.2
#: Background, photons per box, below which a rise is not counted as such.
LEAST_BACKGROUND = 0.5
#: Standard errors are taken so much larger than they seem; they come from few frames.
MARGIN = 1.25
#: Least standard error, relative to the value.
LEAST_ERROR = 0.02
#: Least binning of the thumbnails that are registered, and their largest side: coarse, because fine structure
#: rearranges within minutes.
BINNING, THUMBNAIL_PX = 8, 256
#: How far from its last place a specimen is looked for, pixels of the thumbnail.
REACH_PX = 1.5
#: Images that agree less show different things: no shift is found between them.
AGREEMENT_MIN = 0.2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SceneState:
    """What the guard remembers.

    Attributes:
        reference: [y, x] mean thumbnail of the predictions of the first frames.
        place: (y, x) movement since then, pixels.
        start: [frame, 3] sharpness, area and background of the run's first frames.
        evidence: against each of them being as at the start, logarithm, 0 or more.
    """

    reference: NDArray[np.float32]
    place: tuple[float, float]
    start: Floats
    evidence: tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """One frame.

    Attributes:
        sharp: its sharpness; None where noise hides it.
        area: share of the field that is drawn; nan where that is an earlier frame's.
        background: photons per box where it is darkest.
        counting: standard error of the background by photon counting.
        small: [y, x] thumbnail of its prediction.
        moved: pixels since the frame before; None where it was not found.
        agreement: with the reference.
    """

    sharp: Sharpness | None
    area: float
    background: float
    counting: float
    small: NDArray[np.float32]
    moved: float | None
    agreement: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Follows sharpness, drawn area, background and drift, and compares them with this run's own beginning.

    *Sharpness* is that of the photons (`streamer.metrics.focus`): free of shot noise, blind to brightness.
    *Area* is the share of the field that the segmenter drew; *background* the mean of the darkest fifth of
    30 x 30 pixel tiles, in photons per box; *drift* the phase correlation of the
    prediction with the mean of the first ones, looked for near the place before, on structure of 0.4 um and
    more (`streamer.metrics.drift`). Together they tell why light is lost:

    | what happens | photons per foreground box | sharpness | area | background | drift |
    |---|---|---|---|---|---|
    | bleaching | falls | stays | stays, then falls near the model's floor | falls a little | - |
    | lost focus | falls | falls | falls or stays | stays | - |
    | the cell leaves | stays | stays | falls | falls or stays | grows |
    | stray light, medium, lamp | stays | stays | stays | rises | - |

    Test. Null hypothesis: in every frame sharpness and area expect at least what they were in the first
    `baseline_frames` frames, less `sharpness_loss` and `area_loss`, and background at most what it was, more
    `background_rise`; these tolerances hold the healthy wander of a specimen (simulated ER over 2 hours in
    fields of 300 x 300: sharpness within 8 %, area within 18 %, background within 25 %). The likelihood ratio
    of a normal distribution for a change twice as large is an e-value; its product passes the limit with at
    most `false_alarm_rate` in a run, all three together (`streamer.guards.sequential`). The standard error is
    the scatter of the baseline or that of photon counting in this frame, whichever is larger, times 1.25.
    Lost focus rejects a frame; area, background and drift flag it, and so does light too faint for a
    sharpness. `values` tell by which: `focus_of_limit`, `area_of_limit` and `background_of_limit` are the
    evidence, `drift_of_limit` the movement, each over its limit; what has reached 1 is reported.

    Drift is no test but a plain limit, passed as often as specimens move so far. Simulated ones come and go
    by up to 2.2 um, as with the temperature of a room, in fields of whatever size: at 20 nm pixels 78 % of
    healthy runs of 46 minutes truly go beyond 50 pixels and 95 % of those of 7 hours, 1.6 and 8 % beyond 100.

    Of simulated ER at 28 photons a box, focus lost by 0.35 um was rejected after 7 to 21 frames, by 0.5 um
    after 5 to 7, in three fields of 600 x 600; in three of 300 x 300 after 29 or more than 45, and 17 or
    more.

    *Cannot see:* defocus of less than about 0.35 um in a simulated STED image of 20 nm pixels (there
    sharpness falls by 15 %, at 0.5 um by 26 %); in which direction focus was lost; drift of less than about 3
    pixels in fields of 600 x 600, 6 in 300 x 300 (median error over 60 to 130 simulated frames at 4.6 s; 4 to
    8 over 600, where single frames erred by up to 85), for the specimen's own motion counts as drift;
    movement by more than 12 pixels from one frame to the next, after which the place is kept until the field
    agrees again; movement by a quarter of a small field is underestimated by a seventh. Bleaching to the
    model's floor takes area.

    Attributes:
        baseline_frames: frames that make the beginning.
        sharpness_loss, area_loss, background_rise: relative changes to tolerate.
        drift_max_px: movement since the beginning that is flagged beyond.
        planned_frames: frames of the run, of all its views together.
        false_alarm_rate: probability that focus, area or background is reported in a healthy run.
        pixel_nm: pixel size, for drift in nm; None where unknown.
    """

    name: ClassVar[str] = "scene"
    baseline_frames: int
    sharpness_loss: float
    area_loss: float
    background_rise: float
    drift_max_px: float
    planned_frames: int
    false_alarm_rate: float
    pixel_nm: float | None

    def start(self) -> SceneState:
        """Nothing seen yet."""
        return SceneState(
            reference=np.zeros((0, 0), np.float32),
            place=(0.0, 0.0),
            start=np.zeros((0, 3)),
            evidence=(0.0, 0.0, 0.0),
        )

    def step(self, state: SceneState, result: Result) -> tuple[SceneState, Verdict]:
        """Judge one result; `measured` is its sharpness, `limit` the least that is tolerated."""
        if not is_finite(result):
            return state, not_judged(self.name)
        state, look = _look(state, result)
        if look is None:
            meaning = f"not judged: the field is smaller than {WIDE * BOX} pixels"
            return state, Verdict(guard=self.name, status="flag", measured=None, limit=None, meaning=meaning)
        if len(state.start) < self.baseline_frames:
            if result.labels_seq is not None:
                return state, self._waits(state, look, result)
            return self._learn(state, look)
        return self._test(state, look)

    @property
    def _evidence_limit(self) -> float:
        return evidence_limit(self.planned_frames, self.false_alarm_rate, len(TESTED))

    def _learn(self, state: SceneState, look: _Look) -> tuple[SceneState, Verdict]:
        """Add a frame to the baseline, unless it shows no structure."""
        if look.sharp is None or look.area <= 0.0:
            words = "no structure yet whose sharpness could be measured"
            return state, self._say(state, look, (words,), None)
        numbers = [look.sharp.value, look.area, look.background]
        seen = len(state.start)
        before = state.reference if seen else np.zeros_like(look.small)
        mean = before + (look.small - before) / np.float32(seen + 1)
        state = replace(state, start=np.concatenate([state.start, [numbers]]), reference=mean)
        return state, self._say(state, look, tuple(self._drifted(state)), None)

    def _waits(self, state: SceneState, look: _Look, result: Result) -> Verdict:
        """Of a frame with another one's labels: its area would be counted twice."""
        said = tuple(self._drifted(state))
        verdict = self._say(state, look, said, None)
        return verdict if said else replace(verdict, meaning=waits_for_labels(result))

    def _test(self, state: SceneState, look: _Look) -> tuple[SceneState, Verdict]:
        """Gather the evidence of one frame."""
        usual, error = _usual(state.start)
        usual[2] = max(usual[2], LEAST_BACKGROUND)
        signs = np.array([-1.0, -1.0, 1.0])
        losses = np.array([self.sharpness_loss, self.area_loss, self.background_rise])
        tolerated, expected = usual * (1.0 + signs * losses), usual * (1.0 + 2.0 * signs * losses)
        values = [look.sharp.value if look.sharp else float("nan"), look.area, look.background]
        counting = [look.sharp.error if look.sharp else 0.0, 0.0, look.counting]
        limit = self._evidence_limit
        evidence = list(state.evidence)
        for k, value in enumerate(values):
            if math.isfinite(value):
                spread = MARGIN * max(error[k], counting[k])
                gained = log_e_value(value, tolerated[k], expected[k], spread)
                evidence[k] = gathered(evidence[k], gained, limit)
        state = replace(state, evidence=(evidence[0], evidence[1], evidence[2]))
        faint = "no structure stands clear of the noise: its sharpness cannot be measured"
        said = () if look.sharp else (faint,)
        words = (*said, *self._complaints(state, values, usual, limit), *self._drifted(state))
        return state, self._say(state, look, words, float(tolerated[0]), lost=evidence[0] >= limit)

    def _complaints(
        self, state: SceneState, values: list[float], usual: Floats, limit: float
    ) -> Iterator[str]:
        sharp, area, background = (
            f"{value / start:.0%}" if math.isfinite(value) else "too faint to measure"
            for value, start in zip(values, usual, strict=True)
        )
        if state.evidence[0] >= limit:
            yield f"the focus is lost: sharpness {sharp} of the start"
        if state.evidence[1] >= limit:
            of_start = f": {area} of the area at the start" if math.isfinite(values[1]) else ""
            yield f"less structure in view{of_start}"
        if state.evidence[2] >= limit:
            yield f"the background has risen to {background} of the start"

    def _drifted(self, state: SceneState) -> Iterator[str]:
        total = math.hypot(*state.place)
        if total > self.drift_max_px:
            length = f"{total:.0f} pixels"
            if self.pixel_nm is not None:
                length += f" ({total * self.pixel_nm / 1000:.2f} um)"
            yield f"the specimen has moved by {length} since the start"

    def _say(
        self,
        state: SceneState,
        look: _Look,
        complaints: tuple[str, ...],
        limit: float | None,
        *,
        lost: bool = False,
    ) -> Verdict:
        total = math.hypot(*state.place)
        values = {} if math.isnan(look.area) else {"foreground_area": look.area}
        values |= {
            "background_photons": look.background,
            **self._of_limits(state),
            "drift_total_px": total,
            "drift_total_y_px": state.place[0],
            "drift_total_x_px": state.place[1],
        }
        values |= {} if look.moved is None else {"drift_px": look.moved}
        values |= {} if look.agreement is None else {"agreement": look.agreement}
        if self.pixel_nm is not None:
            values["drift_total_nm"] = total * self.pixel_nm
        if look.sharp is not None:
            values |= {"sharpness": look.sharp.value, "sharpness_error": look.sharp.error}
        count = f"frame {len(state.start)} of {self.baseline_frames} of the baseline"
        words = "focus, background and structure as at the start" if limit is not None else count
        return Verdict(
            guard=self.name,
            status="reject" if lost else "flag" if complaints else "pass",
            measured=None if look.sharp is None else look.sharp.value,
            limit=limit,
            meaning="; ".join(complaints) or words,
            values=values,
        )

    def _of_limits(self, state: SceneState) -> dict[str, float]:
        """How near each kind of change is to being reported: from 1 on it is, drift beyond 1."""
        evidence = zip(TESTED, state.evidence, strict=True)
        tested = {f"{name}_of_limit": value / self._evidence_limit for name, value in evidence}
        return {**tested, "drift_of_limit": math.hypot(*state.place) / self.drift_max_px}


def _look(state: SceneState, result: Result) -> tuple[SceneState, _Look | None]:
    """What a frame shows, and the state with its place."""
    binning = max(BINNING, -(-max(result.denoised.shape) // THUMBNAIL_PX))
    small, drawn = thumbnail(result.denoised, binning), result.labels_seq is None
    near = (state.place[0] / binning, state.place[1] / binning)
    shift = shift_between(state.reference, small, near, REACH_PX) if state.reference.size else None
    moved = None
    if shift is not None and shift.agreement >= AGREEMENT_MIN:
        place = (shift.y * binning, shift.x * binning)
        moved = math.dist(place, state.place)
        state = replace(state, place=place)
    tiles = tile_sums(photons_in_tiles(result), WIDE).ravel() / WIDE**2
    if not tiles.size:
        return state, None
    chosen = max(round(DARKEST * tiles.size), 1)
    background = max(float(np.partition(tiles, chosen - 1)[:chosen].mean()), 0.0)
    return state, _Look(
        sharp=sharpness(result.photons),
        area=float(np.count_nonzero(result.labels)) / result.labels.size if drawn else math.nan,
        background=background,
        counting=math.sqrt(max(background, LEAST_BACKGROUND) / (chosen * WIDE**2)),
        small=small,
        moved=moved,
        agreement=None if shift is None else shift.agreement,
    )


def _usual(start: Floats) -> tuple[Floats, Floats]:
    """[3] means of the baseline, and the standard errors of one frame."""
    usual = start.mean(axis=0)
    scatter = start.std(axis=0, ddof=1) if len(start) > 1 else np.zeros(3)
    return usual, np.maximum(scatter, LEAST_ERROR * np.maximum(usual, LEAST_ERROR))
