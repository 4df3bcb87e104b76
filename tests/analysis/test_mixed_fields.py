"""Fields of structure, faint structure and nothing, with their truth."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.analysis.mixed_fields import EMPTY, FAINT, FULL, hallucinated, mixed_field
from streamer.simulation import foreground_box_sum


@pytest.fixture(scope="module")
def field():
    return mixed_field("train", 3, 200, 40.0)


def test_equal_seeds_give_equal_fields_and_ranges_share_nothing(field) -> None:
    assert np.array_equal(field.counts, mixed_field("train", 3, 200, 40.0).counts)
    assert not np.array_equal(field.labels, mixed_field("test", 3, 200, 40.0).labels)


def test_regions_are_as_bright_as_they_say(field) -> None:
    assert not field.labels[field.regions == EMPTY].any()
    assert not field.structure[field.regions == EMPTY].any()
    assert field.structure[field.labels != 0].all()
    inside = {
        kind: field.signal[(field.regions == kind) & (field.labels != 0)].mean() for kind in (FAINT, FULL)
    }
    assert 0.1 < inside[FAINT] / inside[FULL] < 0.7


def test_the_dose_is_the_one_asked_for(field) -> None:
    full = np.where(field.regions == FULL, field.labels, np.uint8(0))
    assert foreground_box_sum(field.counts.astype(float), full) == pytest.approx(40.0, rel=0.15)


def test_the_resolution_is_that_of_the_depletion_power() -> None:
    assert mixed_field("test", 1, 100, 20.0).resolution_px == pytest.approx(70 / 20, abs=0.1)


@pytest.mark.parametrize(
    ("column", "expected"),
    [(10, False), (13, False), (14, True), (40, True)],
    ids=["on", "3 px", "4 px", "far"],
)
def test_a_pixel_is_hallucinated_beyond_one_resolution_length(column: int, expected: bool) -> None:
    structure, drawn = np.zeros((50, 50), np.bool_), np.zeros((50, 50), np.uint8)
    structure[:, 10] = True
    drawn[20, column] = 1
    found = hallucinated(drawn, structure, 3.5)
    assert found[20, column] == expected
    assert found.sum() == expected


def test_all_is_hallucinated_where_nothing_is() -> None:
    drawn = np.zeros((9, 9), np.uint8)
    drawn[4] = 1
    assert np.array_equal(hallucinated(drawn, drawn > 1, 3.5), drawn != 0)


def test_in_some_fields_nothing_is_in_focus_and_light_still_comes() -> None:
    bare = [
        field for seed in range(30) if not (field := mixed_field("train", seed, 80, 40.0)).structure.any()
    ]
    assert 1 <= len(bare) <= 10
    assert all(field.signal.max() == 0 and field.counts.any() for field in bare)
