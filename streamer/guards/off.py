"""What stands in for guards where nobody knows what a photon is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from streamer.core import Result, Verdict
from streamer.guards.base import Stateless
from streamer.guards.health import Health, HealthState


@dataclass(frozen=True, slots=True, kw_only=True)
class Off:
    """A guard that is off, and says so of every frame; neither does it pass one nor hold anything against it.

    Attributes:
        name: of the guard that it stands in for.
        why: it is off, and what to do about it.
    """

    name: str
    why: str

    def start(self) -> Stateless:
        """There is nothing to remember."""
        return Stateless()

    def step(self, state: Stateless, result: Result) -> tuple[Stateless, Verdict]:
        """Nothing is judged, as of an image that is not finite: a flag without a number."""
        meaning = f"off, not judged: {self.why}"
        return state, Verdict(guard=self.name, status="flag", measured=None, limit=None, meaning=meaning)


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthOfPixels:
    """What `Health` can see without photons: copied, torn and blank frames, copied lines, saturation.

    It is shown each frame without its light, so that nothing is found that has to be counted in photons. The
    null hypothesis for the rest is that of `Health`, and so is the rate of false alarms, at most.

    Attributes:
        health: the guard with photons.
    """

    name: ClassVar[str] = Health.name
    health: Health

    def start(self) -> HealthState:
        """Nothing seen yet."""
        return self.health.start()

    def step(self, state: HealthState, result: Result) -> tuple[HealthState, Verdict]:
        """Judge the pixels of one result as the detector gave them."""
        unlit = replace(result, photons=np.zeros_like(result.photons))
        state, verdict = replace(self.health, dead_time_ns=None).step(state, unlit)
        words = verdict.meaning if verdict.status != "pass" else "neither copied nor blank"
        return state, replace(
            verdict,
            meaning=f"{words} (hot pixels, odd lines and lost light are not looked for: no photons)",
            values={"saturated_px": verdict.values["saturated_px"]},
        )
