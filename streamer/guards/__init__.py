"""Live judges of results: each is `step(state, result) -> (state, verdict)`, pure, with a small state.

A guard states its null hypothesis and its false-alarm rate, and says what it saw in words. The same frames
give the same verdicts, also when a run goes on from a stored state.
"""

from __future__ import annotations

from streamer.guards.agreement import Agreement
from streamer.guards.base import Guard, judge, warm_up
from streamer.guards.belief import Trust, trust_probability
from streamer.guards.bleaching import Bleaching
from streamer.guards.checkpoint import from_arrays, to_arrays
from streamer.guards.consistency import Consistency
from streamer.guards.evidence import Evidence
from streamer.guards.health import Health
from streamer.guards.input_range import InputRange
from streamer.guards.off import HealthOfPixels, Off
from streamer.guards.photons import Photons
from streamer.guards.scene import Scene
from streamer.guards.signal_map import SignalMap
from streamer.guards.similarity import Similarity
from streamer.guards.trust import trust

__all__ = [
    "Agreement",
    "Bleaching",
    "Consistency",
    "Evidence",
    "Guard",
    "Health",
    "HealthOfPixels",
    "InputRange",
    "Off",
    "Photons",
    "Scene",
    "SignalMap",
    "Similarity",
    "Trust",
    "from_arrays",
    "judge",
    "to_arrays",
    "trust",
    "trust_probability",
    "warm_up",
]
