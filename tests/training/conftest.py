"""A tiny denoiser package, trained once in seconds, and recorded pairs of two doses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import nn

from streamer.apps.train import TrainOptions, train
from streamer.package import ModelPackage, load_package
from streamer.training import Recipe, export

TINY = Recipe(
    seed=5, steps=6, batch=2, patch_px=32, fields=2, validation_fields=1, field_px=96, box_sum=(10.0, 40.0)
)

#: Writes low/<day>/ and high/<day>/ images of so many fields a day, the high-dose ones shifted by (y, x).
WritePairs = Callable[..., Path]


@pytest.fixture(scope="session")
def tiny_recipe() -> Recipe:
    return TINY


@pytest.fixture(scope="session")
def tiny_denoiser(tmp_path_factory: pytest.TempPathFactory) -> ModelPackage:
    out: Path = tmp_path_factory.mktemp("models") / "tiny-denoiser"
    options = TrainOptions(
        kind="denoiser", out=out, segmenter="tiny-segmenter", test_frames=2, every=3, threads=1
    )
    train(options, TINY, "streamer train --kind denoiser")
    return load_package(out)


@pytest.fixture
def no_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the exporter out, which takes half a minute: for packages whose ONNX weights nobody reads."""

    def write(_network: nn.Module, path: Path, **_settings: object) -> None:
        path.write_bytes(b"left out by the test")

    monkeypatch.setattr(export, "export_onnx", write)


def tubes(seed: int, size_px: int = 96) -> NDArray[np.float64]:
    """[y, x] expected photons, 0.5 a pixel on average, of a random network of ridges."""
    noise = gaussian_filter(np.random.default_rng(seed).standard_normal((size_px, size_px)), 4)
    ridges = np.exp(-np.square(noise / noise.std()) * 20)
    return np.asarray(0.5 * ridges / ridges.mean() + 0.02)


@pytest.fixture
def write_pairs(tmp_path: Path) -> WritePairs:
    def write(
        days: tuple[str, ...] = ("2026-05-01", "2026-05-02", "2026-05-03"),
        per_day: int = 2,
        shift: tuple[int, int] = (0, 0),
        ratio: float = 50.0,
    ) -> Path:
        root = tmp_path / "recorded"
        rng = np.random.default_rng(7)
        for number, day in enumerate(day for day in days for _ in range(per_day)):
            expected = tubes(number, 96 + 32)
            moved = np.roll(expected, (-shift[0], -shift[1]), (0, 1))
            for dose, scene, factor in (("low", expected, 1.0), ("high", moved, ratio)):
                path = root / dose / day / f"cell{number}_{dose}.tif"
                path.parent.mkdir(parents=True, exist_ok=True)
                counts = rng.poisson(scene[16:-16, 16:-16] * factor).astype(np.uint16)
                tifffile.imwrite(path, counts)
        return root

    return write
