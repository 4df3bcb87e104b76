"""What the stages of a run make of frames, gathered as null distributions: a sink like any other."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streamer.calibration import (
    SPREADS,
    DarkNull,
    DetectorSeen,
    HealthyNull,
    Share,
    Source,
    Spread,
    structure_spread,
)
from streamer.core import Outcome, Result
from streamer.guards import Consistency, Evidence
from streamer.metrics import all_finite, ssim, tile_sums
from streamer.pipeline.views import key_of
from streamer.profile import HardwareProfile

BOX_PX = 10


@dataclass(slots=True)
class Common:
    """What is gathered of every result, dark or healthy."""

    results: int = 0
    statuses: dict[str, dict[str, int]] = field(default_factory=dict)
    drawn: list[float] = field(default_factory=list)
    stopped_at: int | None = None

    def take(self, outcome: Outcome) -> None:
        """Count an outcome in."""
        self.results += len(outcome.results)
        for verdict in outcome.verdicts:
            said = self.statuses.setdefault(verdict.guard, {})
            said[verdict.status] = said.get(verdict.status, 0) + 1
        self.drawn += [float(np.mean(result.labels > 0)) for result in outcome.results]
        decision = outcome.decision
        if self.stopped_at is None and "stop" in (decision.action, decision.withheld):
            self.stopped_at = outcome.frame.seq


class DarkNulls:
    """Gathers what frames without light give.

    Args:
        profile: thresholds.
        evidence: the guard that tests drawn objects; None where the profile has no halves.
    """

    def __init__(self, profile: HardwareProfile, evidence: Evidence | None) -> None:
        self._said, self._evidence = profile.guards, evidence
        self._minimum = profile.policy.minimum_frames
        self._common = Common()
        self._before: dict[str, NDArray[np.float32]] = {}
        self._similar: list[float] = []
        self._seen: list[float] = []
        self._boxes: list[float] = []
        self._passed = self._not_finite = self._halved = self._tested = self._supported = 0

    def put(self, outcome: Outcome) -> None:
        """Take one frame's outcome."""
        self._common.take(outcome)
        self._seen += measured_by("similarity", outcome)
        self._passed += sum(
            said.guard == "signal_map" and said.status != "reject" for said in outcome.verdicts
        )
        for result in outcome.results:
            self._boxes.append(float(tile_sums(result.photons, BOX_PX).mean()))
            if not all_finite(result.denoised):
                self._not_finite += 1
                continue
            self._compare(result)
            self._test(result)

    def close(self) -> None:
        """Nothing is open."""

    def _compare(self, result: Result) -> None:
        key = key_of(result.frame)
        before = self._before.get(key)
        if before is not None:
            value = ssim(before, result.denoised, data_range=self._said.similarity.range_photons)
            self._similar.append(value)
        self._before[key] = result.denoised

    def _test(self, result: Result) -> None:
        if result.halves is None or self._evidence is None:
            return
        self._halved += 1
        found = self._evidence.objects(result.halves)
        self._tested += int(np.count_nonzero(found.tested))
        self._supported += int(np.count_nonzero(found.supported))

    def found(self, source: Source, detector: DetectorSeen) -> DarkNull:
        """The null distributions."""
        common = self._common
        return DarkNull(
            source=source,
            results=common.results,
            passed=Share.out_of(self._passed, common.results),
            stated_pass_rate=self._said.signal_map.false_pass_rate,
            statuses=common.statuses,
            drawn=Spread.of(common.drawn),
            similarity=Spread.of(self._similar),
            similarity_seen=Spread.of(self._seen),
            objects=Share.out_of(self._supported, self._tested),
            halved=self._halved,
            box_photons=Spread.of(self._boxes),
            not_finite=Share.out_of(self._not_finite, common.results),
            stopped_at=common.stopped_at,
            minimum_frames=self._minimum,
            detector=detector,
        )


class HealthyNulls:
    """Gathers what healthy specimens give.

    Args:
        profile: thresholds.
        read_noise_e: of the camera, photo-electrons per pixel.
    """

    def __init__(self, profile: HardwareProfile, read_noise_e: float) -> None:
        said = profile.guards.consistency
        self._stated, self._rate = said.structure_spread, said.false_alarm_rate
        self._told = [
            Consistency(**{**said.model_dump(), "structure_spread": spread}, read_noise_e=read_noise_e)
            for spread in (1.0, *SPREADS)
        ]
        self._common = Common()
        self._similar: list[float] = []
        self._boxes: list[float] = []
        self._against: list[list[float]] = []
        self._worst: list[float] = []
        self._brightness: list[float] = []
        self._windows: list[int] = []

    def put(self, outcome: Outcome) -> None:
        """Take one frame's outcome."""
        self._common.take(outcome)
        self._similar += measured_by("similarity", outcome)
        boxes = measured_by("range", outcome)
        self._boxes += boxes
        for result in outcome.results:
            self._ask(result, float(np.mean(boxes)) if boxes else float("nan"))

    def close(self) -> None:
        """Nothing is open."""

    def _ask(self, result: Result, brightness: float) -> None:
        """How many windows disagree, depends on the spread that the guard is told: that is the tail."""
        first, *others = [guard.step(guard.start(), result)[1] for guard in self._told]
        if first.measured is None or first.limit is None:
            return
        self._worst.append(first.measured / first.limit)
        self._brightness.append(brightness)
        self._against.append([verdict.values["windows_against"] for verdict in others])
        self._windows.append(drawn_windows(result.labels))

    def found(self, source: Source) -> HealthyNull:
        """The null distributions."""
        common = self._common
        against = np.array(self._against, np.float64).reshape(-1, len(SPREADS))
        spread = structure_spread(
            against,
            np.array(self._windows, np.float64),
            np.array(self._worst),
            np.array(self._brightness),
            false_alarm_rate=self._rate,
        )
        return HealthyNull(
            source=source,
            results=common.results,
            statuses=common.statuses,
            drawn=Spread.of(common.drawn),
            similarity=Spread.of(self._similar),
            structure_spread=spread,
            stated_spread=self._stated,
            box_photons=Spread.of(self._boxes),
        )


def drawn_windows(labels: NDArray[np.uint8]) -> int:
    """Windows of 20 x 20 pixels side by side, as `consistency` counts them, in which anything is drawn."""
    tiles = tile_sums((labels > 0).astype(np.float32), BOX_PX)
    windows = tiles[:-1, :-1] + tiles[1:, :-1] + tiles[:-1, 1:] + tiles[1:, 1:]
    return int(np.count_nonzero(windows[::2, ::2]))


def measured_by(guard: str, outcome: Outcome) -> list[float]:
    """What a guard measured, where it could."""
    return [said.measured for said in outcome.verdicts if said.guard == guard and said.measured is not None]
