"""A tiny denoiser package, trained once in seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.apps.train import TrainOptions, train
from streamer.package import ModelPackage, load_package
from streamer.training import Recipe

TINY = Recipe(
    seed=5, steps=6, batch=2, patch_px=32, fields=2, validation_fields=1, field_px=96, box_sum=(10.0, 40.0)
)


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
