"""Whole z-stacks as specimens: what is shown of them, and what counts as one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from streamer.analysis import HeldOut, compare, held_out, held_out_stacks, judge, laid_out
from streamer.analysis.judge import empty_fields
from streamer.analysis.measures import by_specimen, specimen_values
from streamer.analysis.stacks import fullest_of
from streamer.errors import UsageError
from streamer.simulation.depth import SLICES, STACK_PIXEL_NM

COUNT, SIZE_PX = 3, 64


@pytest.fixture(scope="module")
def slices() -> tuple[HeldOut, ...]:
    return held_out_stacks("er", COUNT, 5, size_px=SIZE_PX)


def own(photons: np.ndarray, *beside: np.ndarray) -> tuple[np.ndarray, None]:
    return photons, None


def mean_of_all(*shown: np.ndarray) -> tuple[np.ndarray, None]:
    return np.mean(shown, axis=0, dtype=np.float32), None


def test_each_slice_is_shown_with_those_below_and_above_and_a_border_with_itself(
    slices: tuple[HeldOut, ...],
) -> None:
    assert len(slices) == COUNT * SLICES
    for start in range(0, len(slices), SLICES):
        stack = slices[start : start + SLICES]
        for z, held in enumerate(stack):
            below, above = held.beside
            assert below is stack[max(z - 1, 0)].counts
            assert above is stack[min(z + 1, SLICES - 1)].counts
            assert (held.seed, held.pixel_nm) == (stack[0].seed, STACK_PIXEL_NM)
    assert len({held.seed for held in slices}) == COUNT


def test_another_level_changes_the_light_and_not_the_specimen(slices: tuple[HeldOut, ...]) -> None:
    bright = held_out_stacks("er", 1, 5, 84.0, SIZE_PX)
    full = fullest_of(bright)
    assert full.median_box_sum == pytest.approx(84.0, rel=0.3)
    for one, other in zip(bright, slices, strict=False):
        np.testing.assert_allclose(one.truth, 3.0 * other.truth, rtol=1e-5)
        assert np.array_equal(one.reference_a, other.reference_a)


def test_a_network_is_shown_as_many_images_as_it_takes(slices: tuple[HeldOut, ...]) -> None:
    own, below, above = slices[1].shown
    assert np.array_equal(laid_out((own, below, above), 3), np.stack([own, below, above]))
    assert np.array_equal(laid_out((own, below, above), 1), own[None])
    assert np.array_equal(laid_out((own,), 3), np.stack([own, own, own]))


def test_a_stack_counts_as_one_however_many_slices_it_has(slices: tuple[HeldOut, ...]) -> None:
    report = judge(own, slices, 7)
    assert (report["frames"], len(set(report["specimens"]))) == (COUNT * SLICES, COUNT)
    assert "nrmse" not in report["metrics"]
    assert specimen_values(report, "mae").shape == (COUNT,)
    # Slices twice over are no further evidence: the interval stays as wide as it was.
    found = report["metrics"]["mae"]
    doubled = judge(own, [held for held in slices for _ in range(2)], 7)["metrics"]["mae"]
    assert doubled["value"] == pytest.approx(found["value"], rel=1e-5)
    assert doubled["interval_95"] == pytest.approx(found["interval_95"], rel=1e-5)
    apart = judge(own, [replace(held, seed=number) for number, held in enumerate(slices)], 7)
    assert apart["metrics"]["mae"]["interval_95"] != pytest.approx(found["interval_95"], rel=1e-3)
    other = judge(mean_of_all, slices, 7)
    assert compare(other, report, "mae", 7)["standing"] == "equal"  # three stacks can show nothing


def test_records_of_empty_fields_are_of_one_each() -> None:
    table = np.arange(12.0)[:, None]
    assert by_specimen(table, [1] * 4 + [2] * 4 + [3] * 4).shape == (3, 4, 1)
    assert by_specimen(table, [1, 1, 2, 2]).shape == (12, 1, 1)
    assert by_specimen(np.zeros((0, 2)), []).shape == (0, 1, 2)


def test_an_empty_stack_has_noise_of_its_own_in_every_slice(slices: tuple[HeldOut, ...]) -> None:
    hazy, dark = empty_fields(slices, 1)
    assert len(hazy) == len(dark) == 2
    for own, below, above in hazy:
        assert not np.array_equal(own, below)
        assert not np.array_equal(below, above)
    single = held_out("er", 2, 5, size_px=SIZE_PX)
    assert [len(field) for field in empty_fields(single, 1)[0]] == [1, 1]


def test_stacks_that_cannot_be_judged_are_refused(slices: tuple[HeldOut, ...]) -> None:
    with pytest.raises(UsageError, match="alone; a judgement with intervals needs at least 2"):
        judge(own, slices[:SLICES], 7)
    with pytest.raises(UsageError, match="different numbers of slices"):
        judge(own, slices[: SLICES + 1], 7)
