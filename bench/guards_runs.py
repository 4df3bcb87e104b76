"""One run of the study: the guards as wired, on frames whose truth is known, and what is kept of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.guards_films import Films, Seen
from bench.guards_measures import told_apart
from bench.guards_movies import COUNTER, FULL_LENGTH, Case, Shot, onset_of
from bench.guards_rules import COLUMN, SIGNAL_MIN, similarity_of
from streamer.apps.compose import Composer, ModelSettings, Stages, load_models
from streamer.core import Calibration, Frame, Result, Verdict
from streamer.guards import Guard, judge
from streamer.metrics import box_sum, ssim
from streamer.package import ModelPackage
from streamer.package.load import YAML_NAME
from streamer.pipeline import Denoised
from streamer.profile import load_profile
from streamer.simulation import foreground_box_sum
from streamer.simulation.detector import camera_grey_levels

Image = NDArray[np.float32]

PROFILE = "simulated_sted"
#: The networks in the arithmetic that every machine has.
EXACT = ModelSettings(precision="f32", threads=1)
#: Raised when guards judge otherwise with the same thresholds: runs judged before are then left out.
JUDGED = 4
#: Guards that look at predictions and labels for their baseline only; the first two ask for stops by default.
BY_PHOTONS = ("signal_map", "photons", "bleaching", "health")
#: Of those, the ones that take a baseline from labels.
_LEARN = ("photons", "bleaching")
#: Frames of a fading run, in lives, of which the prediction is compared with the truth; most about its end.
SAMPLED = (*np.linspace(0.1, 0.7, 6).tolist(), *np.linspace(0.75, 1.28, 24).tolist())
#: Points of the curve of photons that is kept.
CURVE_POINTS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """The guards and networks of the study, with the thresholds of the profile as it is shipped."""

    composer: Composer = field(default_factory=lambda: Composer(load_profile(PROFILE), load_models(EXACT)))

    def on(self, detector: Calibration) -> Study:
        """The same with another detector."""
        if detector == COUNTER:
            return self
        composer = Composer(self.composer.profile, self.composer.models, calibration=detector)
        return replace(self, composer=composer)

    def stages(self) -> Stages:
        """Those of a full-length run, afresh."""
        return self.composer.stages(planned=FULL_LENGTH)

    def guards(self, names: Sequence[str]) -> tuple[Guard[Any], ...]:
        """The guards with these names, for a full-length run."""
        return tuple(guard for guard in self.composer.guards(planned=FULL_LENGTH) if guard.name in names)

    def thresholds(self, names: Sequence[str] | None = None) -> str:
        """A hash of the thresholds of some guards, or of all, of how they judge, and of the networks."""
        said = self.composer.profile.guards.model_dump(mode="json")
        chosen = {name: value for name, value in said.items() if names is None or name in names}
        models = (self.composer.models.denoiser, self.composer.models.segmenter)
        told = [JUDGED, chosen, *(_computes(model.package) for model in models)]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def _computes(package: ModelPackage) -> dict[str, Any]:
    """What of a package decides what a run shows: not every word of its description."""
    content, config = package.hashes(), package.config
    weights = {name: digest for name, digest in content.items() if name != YAML_NAME}
    trained = config.trained_photons
    return {"files": weights, "trained_photons": trained and trained.model_dump(mode="json")}


class Statuses:
    """What each guard said of each frame: kept are the frames at which that changed."""

    def __init__(self) -> None:
        self.changes: dict[str, list[list[Any]]] = {}

    def add(self, seq: int, verdicts: Sequence[Verdict]) -> None:
        """Note the verdicts of a frame."""
        for name, status in (said for verdict in verdicts for said in told_apart(verdict)):
            known = self.changes.setdefault(name, [])
            if not known or known[-1][1] != status:
                known.append([seq, status])


class ByPhotons:
    """Judges a run with `BY_PHOTONS`; the networks see its frames until the baselines stand.

    None of these guards looks at a prediction or at labels after that, but to see that it is finite: the last
    ones stand in. `tests/bench/test_guards_study.py` proves that the verdicts are those of full inference.
    """

    def __init__(self, study: Study) -> None:
        self._stages = study.stages()
        self._guards = study.guards(BY_PHOTONS)
        self._states: tuple[Any, ...] = tuple(guard.start() for guard in self._guards)
        self._calibration = study.composer.calibration
        self._last: Result | None = None

    def __call__(self, frame: Frame) -> tuple[Verdict, ...]:
        """The verdicts of one frame."""
        if self._last is None or self._learns():
            result = self._last = self._stages.segment(self._stages.denoise(frame))
        else:
            photons = self._calibration.to_photons(frame.pixels)
            result = Result(
                frame=frame, photons=photons, denoised=self._last.denoised, labels=self._last.labels
            )
        self._states, verdicts = judge(self._guards, self._states, result)
        return verdicts

    def look(self, counts: NDArray[np.uint16]) -> Denoised:
        """What the denoiser makes of an image."""
        return self._stages.denoise(Frame(pixels=counts, seq=0))

    def _learns(self) -> bool:
        return any(
            state.gauge.medians.size < guard.baseline_frames
            for guard, state in zip(self._guards, self._states, strict=True)
            if guard.name in _LEARN
        )


def run(study: Study, name: str, case: Case, seed: int, films: Films | None = None) -> dict[str, Any]:
    """The record of one run: what guards said, and what was true; only the few guards' runs are filmed."""
    study = study.on(case.detector)
    if case.every_guard:
        found = _all_guards(study, case, seed)
    else:
        marks = {round(share * case.life) for share in SAMPLED} if case.life else set()
        shots = case.show(case, seed, study.composer.profile)
        seen = (films or Films()).show(name, case, seed, shots, marks)
        found = _by_photons(study, case, seed, seen)
    judged = None if case.every_guard else BY_PHOTONS
    return {
        "case": name,
        "seed": seed,
        "frames": case.frames,
        "onset": onset_of(case, seed),
        "size_px": case.size_px,
        "thresholds": study.thresholds(judged),
        "date": datetime.now(UTC).date().isoformat(),
        **found,
    }


def _by_photons(study: Study, case: Case, seed: int, seen: Iterator[Seen]) -> dict[str, Any]:
    judged, statuses, samples = ByPhotons(study), Statuses(), Samples()
    curve: list[list[float]] = []
    forecast: Mapping[str, float] = {}
    step = max(case.frames // CURVE_POINTS, 1)
    floor = study.composer.profile.guards.photons.floor
    for seq, (counts, shot) in enumerate(seen):
        verdicts = {verdict.guard: verdict for verdict in judged(Frame(pixels=counts, seq=seq))}
        statuses.add(seq, tuple(verdicts.values()))
        measured = verdicts["photons"].measured
        if seq % step == 0 and measured is not None and case.frames > CURVE_POINTS:
            curve.append([seq, round(measured, 2)])
        if case.life and seq == case.life // 2:
            forecast = dict(verdicts["bleaching"].values)
        if shot is not None:
            at_floor = _at_floor(judged, shot, floor, case.detector, np.random.default_rng((seed, seq, 71)))
            looked = judged.look(counts)
            samples.add(seq, shot, looked.photons, looked.image, ssim_at_floor=at_floor)
    kept = {"life": case.life, "forecast": forecast, "samples": samples.kept} if case.life else {}
    return {"guards": statuses.changes, "curve": curve, **kept}


def _all_guards(study: Study, case: Case, seed: int) -> dict[str, Any]:
    stages, statuses, samples = study.stages(), Statuses(), Samples()
    for seq, shot in enumerate(case.show(case, seed, study.composer.profile)):
        denoised = stages.denoise(Frame(pixels=shot.counts, seq=seq))
        result = stages.segment(denoised)
        if stages.halves.due(result.frame):
            result = stages.halves(denoised, result)
        statuses.add(seq, stages.judge(result))
        samples.add(seq, shot, result.photons, result.denoised)
        samples.previous = result.denoised
    return {"guards": statuses.changes, "samples": samples.kept}


class Samples:
    """Predictions against the truth, and what the two rules of Rahm et al. look at, in columns.

    `ssim` of prediction and truth takes the photon range of the truth, so that it does not depend on how
    bright the specimen is. `neighbours` of two neighbouring predictions takes one range for all frames.
    `signal_px` are pixels above 25 photons in the box around them, `box` is the median of the foreground's
    expected photons.
    """

    def __init__(self) -> None:
        self.kept: dict[str, list[Any]] = {}
        self.previous: Image | None = None

    def add(self, seq: int, shot: Shot, photons: Image, denoised: Image, **further: float | None) -> None:
        """Compare one prediction; `previous` is that of the frame before, where it is known."""
        box = foreground_box_sum(shot.expected, shot.labels)
        row = {
            "seq": seq,
            "ssim": _alike(denoised, shot.signal),
            "signal_px": int(np.count_nonzero(box_sum(photons) > SIGNAL_MIN)),
            "box": round(box, 2) if np.isfinite(box) else None,
            COLUMN: similarity_of(self.previous, denoised),
            **further,
        }
        for name, value in row.items():
            self.kept.setdefault(name, []).append(value)


def _alike(prediction: Image, truth: Image) -> float | None:
    """SSIM in the range of the truth; None where there is none."""
    span = float(np.ptp(truth))
    return round(float(ssim(prediction, truth, data_range=span)), 4) if span > 0 else None


def _at_floor(
    judged: ByPhotons, shot: Shot, floor: float, detector: Calibration, rng: np.random.Generator
) -> float | None:
    """SSIM that the model reaches on the same specimen with the floor's photons."""
    share = np.float32(floor / foreground_box_sum(shot.expected, shot.labels))
    # Without read noise these are the photons.
    counts = camera_grey_levels(shot.expected * share, detector, rng)
    return _alike(judged.look(counts).image, shot.signal * share)
