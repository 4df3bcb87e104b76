"""Every shipped guard keeps to what guards must keep to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from specimens import PHOTONS, RANGE, SIGNAL_MAP, SIMILARITY

from streamer.guards import Guard, from_arrays, judge, to_arrays, warm_up
from streamer.guards.conformance import GuardConformance, movie

ALL = (SIGNAL_MAP, SIMILARITY, PHOTONS, RANGE)


class TestSignalMap(GuardConformance):
    def make(self) -> Guard[Any]:
        return SIGNAL_MAP


class TestSimilarity(GuardConformance):
    def make(self) -> Guard[Any]:
        return replace(SIMILARITY, baseline_frames=8, planned_frames=40)


class TestPhotons(GuardConformance):
    def make(self) -> Guard[Any]:
        return PHOTONS


class TestInputRange(GuardConformance):
    def make(self) -> Guard[Any]:
        return RANGE


def test_judging_gives_one_verdict_per_guard_in_their_order() -> None:
    states, verdicts = judge(ALL, [guard.start() for guard in ALL], movie(1)[0])
    assert len(states) == len(ALL)
    assert [verdict.guard for verdict in verdicts] == ["signal_map", "similarity", "photons", "range"]


def test_warming_up_takes_any_shape() -> None:
    warm_up(ALL, (64, 48))


def test_a_state_of_another_guard_is_refused() -> None:
    arrays = to_arrays(PHOTONS.start())
    with pytest.raises(ValueError, match="a SimilarityState has"):
        from_arrays(SIMILARITY.start(), arrays)
    assert np.array_equal(from_arrays(PHOTONS.start(), arrays).gauge.levels, PHOTONS.start().gauge.levels)
