"""Shipped models state the seeds of their specimens: what those draw must never change."""

from __future__ import annotations

import hashlib

import pytest

from streamer.simulation import REFERENCE_DOSE, Scene, SceneSettings, sample_settings
from streamer.simulation.sampling import Split


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


#: Taken before any structure but the ER could be drawn.
DRAWN = [
    ("train", 4, (96, 128), "0d9d48d1164483d9", "fb4d757360bb8df2", 142),
    ("train", 3_000_017, (200, 200), "6e98d6a4205532d0", "b7ed82748b1102c5", 8036),
    ("validation", 4, (96, 128), "2c4efd73cb35e451", "f3cc103136423a57", 18),
    ("test", 9, (128, 96), "02b929dd27e11d4c", "648ded99a2704863", 2680),
]


@pytest.mark.parametrize(("split", "seed", "shape_yx", "counts", "labels", "photons"), DRAWN, ids=str)
def test_draws_of_the_er_are_what_they_were(
    split: Split, seed: int, shape_yx: tuple[int, int], counts: str, labels: str, photons: int
) -> None:
    settings, light, time_s = sample_settings(split, seed, shape_yx)
    exposure = Scene(settings).expose(0, time_s, light)
    assert int(exposure.counts.sum()) == photons
    assert digest(exposure.counts.tobytes()) == counts
    assert digest(exposure.labels.tobytes()) == labels


def test_the_er_of_the_demo_is_what_it_was() -> None:
    scene = Scene(SceneSettings(seed=5, shape_yx=(120, 100)))
    for index in range(3):
        exposure = scene.expose(index, 2.5 * index, REFERENCE_DOSE, 0.1 * index)
    assert digest(exposure.counts.tobytes()) == "ad645b8b1cc0b426"
    assert digest(exposure.labels.tobytes()) == "ac8103e6cf42fa68"
    assert int(exposure.counts.sum()) == 83_653
