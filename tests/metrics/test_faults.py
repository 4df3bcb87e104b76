"""Rows and pixels that no chance explains are found, and chance finds them as seldom as it is said."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from streamer.metrics.faults import hot_pixels, rows_of
from streamer.metrics.lines import BAND, departure, dropped_rows, line_sums, odd_lines, steps


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_equal_rows_and_no_others_have_equal_checksums(kind: type) -> None:
    pixels = np.random.default_rng(0).poisson(0.05, (200, 64)).astype(kind)
    pixels[50] = pixels[7]
    rows = rows_of(pixels, int(np.iinfo(kind).max))
    known: dict[bytes, np.uint64] = {}
    for row, checksum in zip(pixels, rows.checksums, strict=True):
        assert known.setdefault(row.tobytes(), checksum) == checksum
    assert len(set(known.values())) == len(known)


def test_checksums_know_places_and_order() -> None:
    pixels = np.zeros((4, 32), np.uint16)
    pixels[0, 3], pixels[1, 4], pixels[2, 3], pixels[3, [3, 4]] = 1, 1, 2, 1
    assert len(set(rows_of(pixels, 255).checksums.tolist())) == 4


def test_lit_pixels_differ_from_the_most_common_value() -> None:
    pixels = np.full((10, 12), 100, np.uint16)
    pixels[3, :5], pixels[4, 2] = 101, 4095
    rows = rows_of(pixels, 4095)
    assert rows.common == 100
    assert rows.lit.tolist() == [0, 0, 0, 5, 1, 0, 0, 0, 0, 0]
    assert rows.saturated == 1


@pytest.mark.parametrize("level", [0.01, 0.1, 0.5, 2.0])
def test_rows_come_out_the_same_no_more_often_than_their_lit_pixels_say(level: float) -> None:
    """Short rows, of which 200,000 pairs show enough: equal with n or more lit pixels at most 2^-n."""
    rng = np.random.default_rng(1)
    first, second = rng.poisson(level, (2, 200_000, 8))
    same, lit = (first == second).all(axis=1), (first != 0).sum(axis=1)
    for least in range(1, 7):
        found = int(np.count_nonzero(same & (lit >= least)))
        assert found <= binom.isf(1e-5, len(first), 0.5**least)


def test_line_sums_are_those_of_rows_and_columns() -> None:
    photons = np.random.default_rng(2).poisson(3.0, (37, 53)).astype(np.float32)
    rows, columns = line_sums(photons)
    assert np.array_equal(rows, photons.sum(axis=1))
    assert np.array_equal(columns, photons.sum(axis=0))


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_departures_are_no_rarer_than_they_say(share: float) -> None:
    """Chernoff's bound against the binomial tails themselves."""
    for both in (1, 7, 60, 900):
        counted = np.arange(both + 1).astype(np.float64)
        evidence = departure(counted, both - counted, share)
        above = evidence > 0
        chance = np.where(above, binom.sf(counted - 1, both, share), binom.cdf(counted, both, share))
        assert np.all(chance[evidence != 0] <= np.exp(-np.abs(evidence[evidence != 0])) * (1 + 1e-9))


def test_odd_lines_are_found_and_their_neighbours_left_alone() -> None:
    sums = np.random.default_rng(3).poisson(200.0, 100).astype(np.float64)
    sums[30], sums[50], sums[51], sums[97] = 2000.0, 0.0, 3.0, 600.0
    brighter, darker = odd_lines(sums, 1.5, 20.0)
    assert brighter.tolist() == [30, 97]
    assert set(darker.tolist()) <= {50, 51}
    assert darker.size


@pytest.mark.parametrize("contrast", [1.0, 1.49])
def test_contrast_that_is_granted_is_no_fault(contrast: float) -> None:
    rng = np.random.default_rng(4)
    expected = np.full(400, 300.0)
    expected[::7] *= contrast
    found = [
        odd_lines(rng.poisson(expected).astype(np.float64), 1.5, np.log(400 * 2 / 0.05)) for _ in range(200)
    ]
    runs = sum(bool(brighter.size or darker.size) for brighter, darker in found)
    assert runs <= binom.isf(1e-4, 200, 0.05)


def test_read_noise_is_granted_to_lines() -> None:
    rng = np.random.default_rng(5)
    sums = rng.poisson(50.0, 300) + rng.normal(0, 40.0, 300)
    assert sum(map(len, odd_lines(sums, 1.5, 15.0))) > 0
    assert sum(map(len, odd_lines(sums, 1.5, 15.0, 40.0**2))) == 0


def test_dropped_rows_lie_between_rows_with_light() -> None:
    sums = np.full(60, 80.0)
    sums[[0, 1, 20, 30, 31, 32]] = 0.0
    assert dropped_rows(sums == 0, sums, 1.5, 15.0).tolist() == [20, 30, 31, 32]
    assert not dropped_rows(sums == 0, sums / 50, 1.5, 15.0).size


def test_a_step_is_found_where_the_light_goes_out_and_only_if_it_was_there() -> None:
    rng = np.random.default_rng(6)
    then = rng.poisson(80.0, 100).astype(np.float64)
    now = rng.poisson(80.0, 100).astype(np.float64)
    assert steps(now, then, 0.25).max() < 10
    now[60:] = rng.poisson(1.0, 40)
    out, on = steps(now, then, 0.25)
    assert int(out.argmax()) + BAND == 60
    assert out.max() > 50 > 0 > on.max()
    assert steps(now, now, 0.25).max() < 10  # it was so before
    assert steps(now[:20], then[:20], 0.25).size == 0


def test_hot_pixels_are_counted_and_the_worst_is_named() -> None:
    photons = np.random.default_rng(7).poisson(0.3, (50, 60)).astype(np.float32)
    photons[20, 30], photons[40, 10] = 60.0, 30.0
    hot = hot_pixels(photons, 3.0, 20.0)
    assert (hot.count, hot.row, hot.column, hot.photons) == (2, 20, 30, 60.0)


@pytest.mark.parametrize("level", [0.2, 40.0])
def test_even_light_has_hot_pixels_as_seldom_as_stated(level: float) -> None:
    rng = np.random.default_rng(8)
    nats = np.log(64 * 64 / 0.1)
    found = sum(
        hot_pixels(rng.poisson(level, (64, 64)).astype(np.float32), 3.0, float(nats)).count > 0
        for _ in range(100)
    )
    assert found <= binom.isf(1e-4, 100, 0.1)


@pytest.mark.parametrize("shape", [(1, 1), (2, 5), (5, 2)])
def test_small_images_have_no_hot_pixels(shape: tuple[int, int]) -> None:
    assert hot_pixels(np.full(shape, 90.0, np.float32), 3.0, 10.0).count == 0
