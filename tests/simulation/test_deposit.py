"""Compiled kernels against the same sums in plain numpy: equal to the last bit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.simulation import SceneSettings, deposit, render
from streamer.simulation.canvas import Canvas, Points
from streamer.simulation.cell import Cell
from streamer.simulation.fibres import normals
from streamer.simulation.network import Network
from streamer.simulation.structures.er import Reticulum

SHAPE = (40, 50)


def scattered(count: int = 3_000) -> tuple[np.random.Generator, Points]:
    """Points in and around the map, a tenth of them on borders between pixels."""
    rng = np.random.default_rng(4)
    points = rng.uniform(-5.0, 55.0, (count, 2))
    points[::10] = np.floor(points[::10]) + 0.5
    return rng, points


def summed(y: Points, x: Points, weights: Points, shape_yx: tuple[int, int] = SHAPE) -> NDArray[np.float32]:
    """[y, x] sums of weights over the points nearest to each pixel."""
    row, column = np.rint(y).astype(np.int64), np.rint(x).astype(np.int64)
    seen = (row >= 0) & (row < shape_yx[0]) & (column >= 0) & (column < shape_yx[1])
    place = (row * shape_yx[1] + column)[seen]
    total = np.bincount(place, np.broadcast_to(weights, y.shape)[seen], minlength=shape_yx[0] * shape_yx[1])
    return total.reshape(shape_yx).astype(np.float32)


def test_points_are_spread_evenly_along_their_pieces() -> None:
    rng, start = scattered(200)
    end, count = start + rng.normal(0, 3, start.shape), rng.integers(1, 9, len(start))
    points, piece = deposit.spread(start, end, count)
    order = np.concatenate([np.arange(own) for own in count])
    np.testing.assert_array_equal(piece, np.repeat(np.arange(len(count)), count))
    share = (order + 0.5) / count[piece]
    np.testing.assert_array_equal(points, start[piece] + share[:, None] * (end - start)[piece])


def test_tubes_are_sums_over_the_points_of_their_walls() -> None:
    rng, centre = scattered()
    piece = np.sort(rng.integers(0, 90, len(centre)))
    radius, weight, marked = rng.uniform(0.1, 3.0, 90), rng.random(90), rng.random(90) < 0.7
    cosines, across = np.cos((np.arange(6) + 0.5) * np.pi / 6), normals(centre, piece)
    wall, inside = deposit.tubes((centre, across, piece), (radius, weight, marked), cosines, SHAPE)
    aside = cosines[:, None] * radius[piece]
    y, x = (centre[:, axis] + aside * across[:, axis] for axis in range(2))
    np.testing.assert_array_equal(wall, summed(y, x, weight[piece]))
    inner = np.maximum(np.abs(aside) - deposit.RIM_PX, 0.0) * np.sign(aside)
    y, x = (centre[:, axis] + inner * across[:, axis] for axis in range(2))
    np.testing.assert_array_equal(inside, summed(y, x, marked[piece].astype(np.float64)) > 0)


def test_weights_are_shared_among_the_four_nearest_pixels() -> None:
    rng, points = scattered()
    weights, (y, x) = rng.random(len(points)), points.T
    row, column = np.floor(y), np.floor(x)
    total = np.zeros(SHAPE, np.float32)
    for below, down in ((0, 1 - (y - row)), (1, y - row)):
        for beside, right in ((0, 1 - (x - column)), (1, x - column)):
            total += summed(row + below, column + beside, weights * down * right)
    np.testing.assert_array_equal(deposit.shares(points, weights, SHAPE), total)


def test_touched_pixels_are_the_nearest() -> None:
    _, points = scattered(400)
    np.testing.assert_array_equal(deposit.touched(points, SHAPE), summed(*points.T, np.ones(len(points))) > 0)


def test_outlines_fill_rows_by_running_sums() -> None:
    rng, start = scattered(60)
    end, cover = rng.uniform(-5.0, 55.0, start.shape), rng.normal(0, 1, len(start))
    steps = np.zeros((2, SHAPE[0], SHAPE[1] + 2))
    for (y, x), (y_end, x_end), sign in zip(start, end, cover * np.sign(end - start)[:, 0], strict=True):
        rows = np.arange(*np.clip(np.ceil(sorted([y, y_end])), 0, SHAPE[0]).astype(int))
        column = np.clip(x + (rows - y) / (y_end - y) * (x_end - x), -0.5, SHAPE[1] - 0.5) + 0.5
        left = np.floor(column).astype(int)
        steps[0, rows, left] += sign * (left + 1 - column)
        steps[1, rows, left + 1] += sign * (1 - (left + 1 - column))
    found = np.clip(np.cumsum(steps[0] + steps[1], axis=1)[:, : SHAPE[1]], 0.0, 1.0).astype(np.float32)
    assert 0.2 < found.mean() < 0.8
    np.testing.assert_array_equal(deposit.filled(start, end, cover, SHAPE), found)


def test_normals_stand_across_the_steps_to_both_neighbours() -> None:
    rng, points = scattered(500)
    fibre = np.sort(rng.integers(0, 80, len(points)))
    along = np.zeros_like(points)
    same = np.flatnonzero(fibre[1:] == fibre[:-1])
    step = points[same + 1] - points[same]
    along[same] += step
    along[same + 1] += step
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    unit = across / np.maximum(np.hypot(*across.T), 1e-9)[:, None]
    np.testing.assert_array_equal(normals(points, fibre), unit)


def test_a_warp_carries_no_point_further_than_it_says() -> None:
    settings = SceneSettings(seed=2, curvature_nm=100.0)
    cell = Cell(settings, np.random.default_rng(7), shortest_um=0.8, longest_um=3.0)
    points = np.random.default_rng(8).uniform(0.0, 12.0, (50_000, 2))
    moved = np.abs(cell.warp(points, 50.0) - points - cell.drift_um(50.0))
    assert 0.7 * cell.bent_um < moved.max() <= cell.bent_um + 1e-6


def test_tubules_out_of_view_leave_nothing_in_it() -> None:
    canvas = Canvas(shape_yx=(110, 130), corner_px=20, pixel_um=0.02)
    for seed in range(10):
        settings = SceneSettings(seed=seed, shape_yx=(70, 90), curvature_nm=150.0, drift_nm_per_s=20.0)
        reticulum, network, time_s = Reticulum(settings), Network(settings), 40.0 * seed
        tubules, _ = network.at(time_s)

        def to_pixels(points: Points, cell: Cell = network.cell, time_s: float = time_s) -> Points:
            return canvas.to_pixels(cell.warp(points, time_s))

        viewed = reticulum._in_view(tubules, canvas, time_s)
        assert 0 < len(viewed.start) < 0.8 * len(tubules.start)
        every, some = (render.tubule_maps(of, to_pixels, 0.02, canvas.shape_yx) for of in (tubules, viewed))
        np.testing.assert_array_equal(every[0], some[0])
        np.testing.assert_array_equal(every[1], some[1])
