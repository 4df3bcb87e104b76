"""The network's geometry: junctions, membrane, sheets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from streamer.simulation import SceneSettings
from streamer.simulation.canvas import Points
from streamer.simulation.network import Network, Sheets, Tubules
from streamer.simulation.render import sheet_map, tubule_maps

PIXEL_UM = 0.02


def to_pixels(points: Points) -> Points:
    return points / PIXEL_UM


def outline(corners: list[tuple[float, float]], cover: float = 1.0) -> tuple[Points, Points, Points]:
    start = np.array(corners) * PIXEL_UM
    return start, np.roll(start, -1, axis=0), np.full(len(corners), cover)


def sheets(*outlines: tuple[Points, Points, Points]) -> Sheets:
    start, end, cover = (np.concatenate(parts) for parts in zip(*outlines, strict=True))
    return Sheets(start=start, end=end, cover=cover)


def test_three_way_junctions_dominate() -> None:
    settings = SceneSettings(seed=2, missing_fraction=0.0, dynamic_fraction=0.0, sheet_fraction=0.0)
    tubules, _ = Network(settings).at(7.0)
    ends = np.concatenate([tubules.start, tubules.end])
    inner = ((ends > 1.0) & (ends < 11.0)).all(axis=1)
    _, degree = np.unique(np.round(ends[inner], 9), axis=0, return_counts=True)
    assert np.mean(degree == 3) > 0.9


def test_polygons_are_as_large_as_asked_for() -> None:
    for mesh_um in (0.6, 1.5):
        settings = SceneSettings(seed=2, mesh_um=mesh_um, missing_fraction=0.0, sheet_fraction=0.0)
        tubules, _ = Network(settings).at(0.0)
        middle = (tubules.start + tubules.end) / 2
        seen = ((middle > 0) & (middle < 12)).all(axis=1)
        length = np.hypot(*(tubules.end - tubules.start)[seen].T).sum()
        # A random tessellation has edges of about 2 x sqrt(polygons per area) per area.
        assert length / 144 == pytest.approx(2.0 / mesh_um, rel=0.15)


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.4])
def test_sheets_cover_about_the_fraction_asked_for(fraction: float) -> None:
    covered = []
    for seed in range(12):
        settings = SceneSettings(seed=seed, sheet_fraction=fraction, cell_radius_um=40.0, cell_offset_um=0.0)
        _, found = Network(settings).at(0.0)
        covered.append(sheet_map(found, to_pixels, PIXEL_UM, (600, 600)).mean())
    assert np.mean(covered) == pytest.approx(fraction, abs=0.3 * fraction)


@pytest.mark.parametrize(
    "direction", [(0.0, 1.0), (1.0, 0.0), (0.6, 0.8)], ids=["along x", "along y", "oblique"]
)
def test_a_tubule_carries_its_membrane_and_is_as_wide_as_it_is(direction: tuple[float, float]) -> None:
    start = np.array([[0.6, 0.6]])
    end = start + 1.0 * np.array([direction])
    tubule = Tubules(start=start, end=end, radius_um=np.array([0.05]), brightness=np.array([1.0]))
    membrane, inside = tubule_maps(tubule, to_pixels, PIXEL_UM, (100, 100))
    assert membrane.sum() * PIXEL_UM**2 == pytest.approx(np.pi * 0.1 * 1.0, rel=1e-3)
    assert inside.sum() * PIXEL_UM**2 == pytest.approx(0.1 * 1.0, rel=0.15)


def test_no_tubules_leave_empty_maps() -> None:
    none = Tubules(
        start=np.empty((0, 2)), end=np.empty((0, 2)), radius_um=np.empty(0), brightness=np.empty(0)
    )
    membrane, inside = tubule_maps(none, to_pixels, PIXEL_UM, (20, 30))
    assert not membrane.any()
    assert not inside.any()


SQUARE = [(10.0, 10.0), (10.0, 30.0), (30.0, 30.0), (30.0, 10.0)]


@pytest.mark.parametrize(
    ("corners", "area"),
    [
        pytest.param(SQUARE, 400.0, id="square"),
        pytest.param([(10.0, 10.0), (10.0, 30.0), (30.0, 10.0)], 200.0, id="triangle"),
        pytest.param(
            [(10.0, -20.5), (10.0, 9.5), (30.0, 9.5), (30.0, -20.5)], 200.0, id="over the left border"
        ),
        pytest.param([(-20.5, 5.0), (-20.5, 9.0), (9.5, 9.0), (9.5, 5.0)], 40.0, id="over the upper border"),
        pytest.param([(5.0, 39.5), (5.0, 90.0), (9.0, 90.0), (9.0, 39.5)], 40.0, id="over the right border"),
    ],
)
def test_a_sheet_fills_its_outline(corners: list[tuple[float, float]], area: float) -> None:
    cover = sheet_map(sheets(outline(corners, cover=-1.0)), to_pixels, PIXEL_UM, (50, 50))
    reverse = sheet_map(sheets(outline(corners[::-1])), to_pixels, PIXEL_UM, (50, 50))
    np.testing.assert_allclose(cover, reverse, atol=1e-6)
    assert cover.sum() == pytest.approx(area, rel=0.06)


def test_touching_sheets_of_different_presence_keep_theirs() -> None:
    neighbour = [(y, x + 20.0) for y, x in SQUARE]
    both = sheets(outline(SQUARE, -1.0), outline(neighbour, -0.5))
    cover = sheet_map(both, to_pixels, PIXEL_UM, (50, 60))
    np.testing.assert_allclose(cover[20, [5, 20, 40, 55]], [0.0, 1.0, 0.5, 0.0], atol=1e-6)


def test_no_sheet_leaks_out_of_a_cell_that_ends_in_the_field() -> None:
    for seed in range(6):
        settings = SceneSettings(seed=seed, sheet_fraction=0.5, cell_radius_um=4.0, cell_offset_um=0.0)
        _, found = Network(settings).at(0.0)
        cover = sheet_map(found, to_pixels, PIXEL_UM, (600, 600))
        y, x = np.indices(cover.shape) * PIXEL_UM - 6.0
        assert cover.max() == pytest.approx(1.0)
        assert cover[np.hypot(y, x) > 5.5].max() < 1e-6


def test_growing_tubules_keep_one_end() -> None:
    settings = replace(
        SceneSettings(seed=3), dynamic_fraction=1.0, rearrangement_nm_per_s=0.0, sheet_fraction=0.0
    )
    network = Network(settings)
    lengths = [np.hypot(*(t.end - t.start).T).sum() for t, _ in (network.at(s) for s in (0.0, 5.0, 10.0))]
    still, _ = Network(replace(settings, dynamic_fraction=0.0)).at(0.0)
    full = np.hypot(*(still.end - still.start).T).sum()
    assert len(set(lengths)) == 3
    assert all(0.3 * full < length < 0.8 * full for length in lengths)
