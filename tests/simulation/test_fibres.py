"""What structures are drawn with: bent lines, smooth walks, an endless plane, points shared among pixels."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.simulation import SceneSettings, fibres
from streamer.simulation.canvas import Canvas
from streamer.simulation.ground import Ground, Wander
from streamer.simulation.render import mark, splat

CANVAS = Canvas(shape_yx=(40, 50), corner_px=5, pixel_um=0.02)


def test_worm_like_chains_forget_their_direction_over_the_persistence_length() -> None:
    rng = np.random.default_rng(3)
    chains = fibres.worm_like(rng, np.zeros((400, 2)), np.zeros(400), np.full(400, 6.0), persistence_um=3.0)
    steps = np.diff(chains.points, axis=0)[np.diff(chains.fibre) == 0].reshape(400, -1, 2)
    away = round(3.0 / fibres.STEP_UM)
    cosine = np.mean(np.sum(steps[:, 0] * steps[:, away], axis=1)) / fibres.STEP_UM**2
    assert cosine == pytest.approx(np.exp(-0.5), abs=0.1)
    np.testing.assert_allclose(np.hypot(*steps.reshape(-1, 2).T), fibres.STEP_UM)


def test_fibres_start_where_and_whither_they_are_told() -> None:
    start, heading = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([0.0, np.pi / 2])
    lines = fibres.worm_like(np.random.default_rng(0), start, heading, np.array([1.0, 2.0]), 1e6)
    ends = [lines.points[lines.fibre == number][-1] for number in range(2)]
    np.testing.assert_allclose(ends, [[1.0, 3.0], [5.0, 4.0]], atol=0.02)
    across = fibres.normals(lines.points, lines.fibre)
    np.testing.assert_allclose(np.abs(across[lines.fibre == 0]), [[1.0, 0.0]] * 84, atol=1e-2)


def test_grain_has_unit_variance_and_its_length() -> None:
    noise = fibres.grain(np.random.default_rng(1), 50_000, 0.12)
    assert noise.std() == pytest.approx(1.0, abs=0.05)
    # A Gaussian of sigma s correlates over sqrt(2) s: exp(-1) after 2 s.
    shift = round(0.24 / fibres.STEP_UM)
    assert np.mean(noise[shift:] * noise[:-shift]) == pytest.approx(np.exp(-1), abs=0.06)


def test_points_between_pixels_are_shared_and_nothing_is_lost() -> None:
    # Pixel centres lie at half pixels from the field's corner.
    points = np.array([[0.21, 0.3125]])
    image = splat(points, np.array([2.0]), CANVAS)
    assert image.sum() == pytest.approx(2.0)
    rows, columns = np.indices(image.shape)
    centre = [float((axis * image).sum() / 2.0) for axis in (rows, columns)]
    np.testing.assert_allclose(centre, CANVAS.to_pixels(points)[0], atol=1e-5)
    assert np.argwhere(mark(points, CANVAS)).tolist() == [[15, 20]]


def test_walks_are_as_fast_as_asked_for_and_stay_near() -> None:
    walk = Wander(np.random.default_rng(2), 50.0, 3_000, (10.0, 40.0))
    speed = (walk.at(7.001) - walk.at(7.0)) / 0.001
    assert np.sqrt(np.mean(np.sum(speed**2, axis=1))) == pytest.approx(0.05, rel=0.05)
    strays = [np.hypot(*walk.at(time_s).T).max() for time_s in (0.0, 1e3, 1e6)]
    assert max(strays) < 0.05 * 40.0 / 2


def test_the_ground_repeats_beyond_the_field() -> None:
    settings = SceneSettings(seed=1, shape_yx=(100, 200))
    ground = Ground(settings, np.random.default_rng(1), shortest_um=1.0, longest_um=3.0)
    points = np.random.default_rng(1).uniform(-30, 30, (500, 2))
    wrapped = ground.wrap(points)
    assert ((wrapped >= -1.2) & (wrapped < ground.size_um - 1.2)).all()
    turns = (points - wrapped) / ground.size_um
    np.testing.assert_allclose(turns, np.rint(turns), atol=1e-9)
