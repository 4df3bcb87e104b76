"""How right is `streamer calibrate`? Known cameras measured, and a spread tried on specimens it has not seen.

python -m bench.calibration --out bench/results/calibration.json
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console

from bench.measure import machine
from streamer.apps.calibrate_nulls import HealthyNulls
from streamer.apps.calibrate_simulated import SimulatedHealthy
from streamer.apps.compose import Composer, ModelSettings, load_models
from streamer.calibration import Share, look_through, photon_transfer
from streamer.core import Calibration, Outcome
from streamer.guards import Consistency
from streamer.pipeline import process
from streamer.profile import load_profile
from streamer.simulation import camera_grey_levels

CONSOLE = Console(stderr=True)
#: Cameras as data sheets have them: gain, offset, read noise; photons of the flat; frames of each series.
CAMERAS = {
    "sCMOS": (Calibration(gain_e_per_adu=0.46, offset_adu=100.3, read_noise_e=1.6), 200.0, 100),
    "CCD": (Calibration(gain_e_per_adu=2.2, offset_adu=30.4, read_noise_e=6.0), 900.0, 100),
    "sCMOS, 12 frames": (Calibration(gain_e_per_adu=0.46, offset_adu=100.3, read_noise_e=1.6), 200.0, 12),
    "sCMOS, dim flat": (Calibration(gain_e_per_adu=0.24, offset_adu=400.1, read_noise_e=0.9), 15.0, 50),
}
FULL_SCALE = 65_535
#: Seeds of specimens that no calibration draws by default.
OTHER_SEED = 900


def frames(
    true: Calibration, photons: float, count: int, size_px: int, seed: int, lit: bool
) -> Iterator[NDArray[np.uint16]]:
    """A series before a lamp that lights the middle twice as much as the corners and fades by 3 %."""
    y, x = np.mgrid[-1 : 1 : size_px * 1j, -1 : 1 : size_px * 1j]
    flat = photons * (1 - 0.25 * (y**2 + x**2)) * lit
    rng = np.random.default_rng((seed, lit))
    for light in np.linspace(1.0, 0.97, count):
        yield camera_grey_levels((flat * light).astype(np.float32), true, rng)


def camera(name: str, series: int, size_px: int) -> dict[str, Any]:
    """Bias of the estimates, and how often their intervals hold the truth."""
    true, photons, count = CAMERAS[name]
    rounding = true.gain_e_per_adu / 12**0.5
    truths = np.array([true.gain_e_per_adu, true.offset_adu, float(np.hypot(true.read_noise_e, rounding))])
    values, held = np.zeros((series, 3)), np.zeros((series, 3), np.bool_)
    warned = 0
    for seed in range(series):
        dark = look_through("dark", frames(true, photons, count, size_px, seed, False))
        flat = look_through("flat", frames(true, photons, count, size_px, seed, True), dark.level)
        found = photon_transfer(flat, dark, full_scale=FULL_SCALE)
        each = (found.gain_e_per_adu, found.offset_adu, found.read_noise_e)
        values[seed] = [one.value for one in each]
        held[seed] = [one.low <= truth <= one.high for one, truth in zip(each, truths, strict=True)]
        said = [line for line in found.warnings if "intervals" not in line and "changes by" not in line]
        warned += bool(said)
    error = values - truths
    keys = ("gain_e_per_adu", "offset_adu", "read_noise_e")
    told = {
        key: {
            "true": float(truths[number]),
            "bias": float(error[:, number].mean()),
            "bias_se": float(error[:, number].std(ddof=1)) / series**0.5,
            "sd": float(error[:, number].std(ddof=1)),
            "coverage": Share.out_of(int(held[:, number].sum()), series).model_dump(),
        }
        for number, key in enumerate(keys)
    }
    return {"camera": name, "series": series, "frames": count, "size_px": size_px, "warned": warned, **told}


class Tried:
    """A sink that asks the guard, told another spread."""

    def __init__(self, guard: Consistency) -> None:
        self._guard = guard
        self.worst: list[float] = []
        self.many = self.any = self.count = 0

    def put(self, outcome: Outcome) -> None:
        """Judge one frame."""
        for result in outcome.results:
            verdict = self._guard.step(self._guard.start(), result)[1]
            if verdict.measured is None or verdict.limit is None:
                continue
            many = verdict.values["windows_against"] > verdict.values["windows_limit"]
            self.count += 1
            self.many += many
            self.any += many or verdict.measured < verdict.limit
            self.worst.append(verdict.measured / verdict.limit)

    def found(self) -> dict[str, Any]:
        """Frames in which drawn structure was called invented, by either rule, and rejected ones."""
        return {
            "flagged": Share.out_of(self.any, self.count).model_dump(),
            "rejected": Share.out_of(self.many, self.count).model_dump(),
            "worst_over_limit": max(self.worst),
        }


def spread(model: str, calibrated_on: int, tried_on: int, size_px: int) -> dict[str, Any]:
    """The spread of a model, and how often the guard that is told it flags right predictions of others."""
    profile = load_profile("abberior_er_low")
    guards = profile.guards.model_copy(
        update={"halves": profile.guards.halves.model_copy(update={"every_frames": 0})}
    )
    profile = profile.model_copy(update={"guards": guards})
    models = load_models(ModelSettings(model=model, segmenter="er-segment-live", precision="f32", threads=1))
    composer = Composer(profile, models)
    specimens = SimulatedHealthy(
        profile=profile,
        calibration=Calibration(),
        structure="er",
        shape_yx=(size_px, size_px),
        frames=calibrated_on,
        seed=0,
        low=8.0,
        high=84.0,
    )

    def show(frames_of: SimulatedHealthy, *sinks: Any) -> None:
        for (frame,) in frames_of.specimens():
            stages = composer.stages(planned=1000).as_arguments()
            process([frame], record=lambda _: None, sinks=sinks, lag=lambda _: (0.0, 0), **stages)

    nulls = HealthyNulls(profile, 0.0)
    show(specimens, nulls)
    found = nulls.found(specimens.source).structure_spread
    if found is None:
        return {"model": model, "spread": None}
    told = profile.guards.consistency.model_dump()
    guards_told = [
        Tried(Consistency(**{**told, "structure_spread": each}, read_noise_e=0.0))
        for each in (found.high, told["structure_spread"])
    ]
    show(replace(specimens, frames=tried_on, seed=OTHER_SEED), *guards_told)
    calibrated, stated = (each.found() for each in guards_told)
    return {
        "model": model,
        "size_px": size_px,
        "calibrated_on": calibrated_on,
        "spread": found.model_dump(),
        "calibrated": calibrated,
        "stated": {"spread": told["structure_spread"], **stated},
    }


def main(
    out: Annotated[Path, typer.Option(help="JSON to write.")],
    series: Annotated[int, typer.Option(min=2, help="Of each camera.")] = 1000,
    size_px: Annotated[int, typer.Option(min=16, help="Of a camera's frames.")] = 32,
    specimens: Annotated[int, typer.Option(min=0, help="That the spread is tried on; 0 for none.")] = 300,
    models: Annotated[str, typer.Option(help="With commas between.")] = "er-denoise-live,cell-denoise-live",
) -> None:
    """Measure cameras that are known, and try spreads."""
    cameras = []
    for name in CAMERAS:
        cameras.append(camera(name, series, size_px))
        CONSOLE.print(cameras[-1])
    spreads = []
    for model in models.split(",") if specimens else ():
        spreads.append(spread(model, 60, specimens, 300))
        CONSOLE.print(spreads[-1])
    report = {"quick": series < 1000, "machine": machine(), "cameras": cameras, "spreads": spreads}
    out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
