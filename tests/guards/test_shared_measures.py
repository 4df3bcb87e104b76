"""What guards share is computed once for a result, and none of them can spoil it for the others."""

from __future__ import annotations

import numpy as np
import pytest
from specimens import RANGE, SIGNAL_MAP, SIMILARITY, as_result

from streamer.core import Result
from streamer.guards import shared
from streamer.metrics import box_sum


def result(seq: int = 0) -> Result:
    counts = np.random.default_rng(seq).poisson(0.3, (60, 80)).astype(np.uint16)
    return as_result(seq, counts, np.ones((60, 80), np.uint8))


def test_boxes_are_summed_once_and_locked() -> None:
    first, second = result(0), result(1)
    sums = shared.photons_in_boxes(first)
    np.testing.assert_array_equal(sums, box_sum(first.photons, shared.BOX))
    assert not sums.flags.writeable
    assert shared.photons_in_boxes(first) is sums
    np.testing.assert_array_equal(shared.photons_in_boxes(second), box_sum(second.photons, shared.BOX))


def test_signal_map_and_similarity_sum_the_same_boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    summed: list[int] = []

    def counting(photons, size):
        summed.append(size)
        return box_sum(photons, size)

    monkeypatch.setattr(shared, "box_sum", counting)
    states = {guard: guard.start() for guard in (SIGNAL_MAP, SIMILARITY, RANGE)}
    for seq in range(3):
        new = result(seq)
        for guard, state in states.items():
            states[guard], _ = guard.step(state, new)
    assert summed == [shared.BOX] * 3
