"""Splitting: whole days apart, about one image in ten, and plain words where that cannot be."""

from __future__ import annotations

import pytest

from streamer.errors import SourceError
from streamer.training.split import split_by_day


@pytest.mark.parametrize("seed", range(5))
def test_no_day_is_on_both_sides(seed: int) -> None:
    days = [f"day {number}" for number in range(12) for _ in range(1 + number % 4)]
    split = split_by_day(days, seed)
    training, validation = ({days[index] for index in side} for side in (split.training, split.validation))
    assert not training & validation
    assert sorted((*split.training, *split.validation)) == list(range(len(days)))
    assert 0.05 <= len(split.validation) / len(days) <= 0.2
    assert (split.by, split.days, split.warning) == ("day", 12, "")


def test_the_largest_day_does_not_judge_alone() -> None:
    split = split_by_day(["a"] * 90 + ["b"] * 5 + ["c"] * 5, 1)
    assert set(split.validation) == set(range(90, 100))


def test_two_days_are_split_with_a_warning() -> None:
    split = split_by_day(["a", "a", "a", "b"], 1)
    assert split.validation == (3,)
    assert split.warning == "images of 2 days; 3 or more are recommended"


def test_one_day_is_split_by_image_and_said_so() -> None:
    split = split_by_day(["2026-05-01"] * 30, 1)
    assert (split.by, len(split.validation)) == ("image", 3)
    assert "all 30 images are of one day (2026-05-01)" in split.warning
    assert "flatters the scores" in split.warning


def test_one_image_is_too_few() -> None:
    with pytest.raises(SourceError, match="1 usable image: too few"):
        split_by_day(["a"], 1)
