"""The second head: intervals cover what they promise on specimens like those that calibrated them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from streamer.networks import build
from streamer.networks.spread import KNOTS_LOG10, Z_90
from streamer.training.examples import Batch
from streamer.training.uncertainty import LEAST_PIXELS, add_uncertainty, conformal_factors

LIVE = {"name": "unet-rcan-live", "entry": 4, "widths": [4, 6], "bridge": [8], "groups": 1, "blocks": 1}
LOCAL = {**LIVE, "attention": False}


def specimen(
    seed: int, shape_yx: tuple[int, int] = (64, 64)
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Counts and expected photons of soft stripes of random brightness, width and direction."""
    rng = np.random.default_rng(seed)
    y, x = np.indices(shape_yx)
    angle, period = rng.uniform(0, np.pi), rng.uniform(12, 30)
    stripes = 1 + np.sin(2 * np.pi * (np.cos(angle) * y + np.sin(angle) * x) / period)
    truth = (10 ** rng.uniform(-1, 0.7) * stripes).astype(np.float32)
    return rng.poisson(truth).astype(np.float32), truth


def batch(step: int) -> Batch:
    pairs = [specimen(1000 + 4 * step + i) for i in range(4)]
    photons, signal = (torch.from_numpy(np.stack(images))[:, None] for images in zip(*pairs, strict=True))
    labels = torch.zeros(4, 64, 64, dtype=torch.int64)
    return Batch(photons=photons, signal=signal, labels=labels, noise=torch.ones(4, 1, 1, 1))


class Known(nn.Module):
    """Says its input as prediction and one standard deviation of 1."""

    def forward(self, photons: Tensor) -> Tensor:
        return torch.cat([photons, torch.ones_like(photons)], 1)


def off_by(
    error: float, level: float, seed: int = 0
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Frames predicted at `level` whose truth lies a normal `error` beside."""
    rng = np.random.default_rng(seed)
    for _ in range(3):
        shown = np.full((64, 64), level, np.float32)
        yield shown, (shown + error * rng.standard_normal((64, 64))).astype(np.float32)


@pytest.mark.parametrize("error", [0.3, 1.0, 4.0])
def test_the_factor_is_how_much_too_small_the_deviation_was(error: float) -> None:
    factors = conformal_factors(Known(), off_by(error, level=1.0), 8, seed=1)
    at_level = KNOTS_LOG10.index(0.0)
    assert float(factors[at_level].exp()) == pytest.approx(error, rel=0.05)


def test_each_brightness_has_its_factor_and_what_nobody_showed_takes_the_nearest() -> None:
    frames = [*off_by(0.5, level=0.01, seed=1), *off_by(3.0, level=10.0, seed=2)]
    factors = conformal_factors(Known(), frames, 8, seed=1).exp().tolist()
    dim, bright = factors[KNOTS_LOG10.index(-2.0)], factors[KNOTS_LOG10.index(1.0)]
    assert (dim, bright) == (pytest.approx(0.5, rel=0.05), pytest.approx(3.0, rel=0.05))
    assert factors[0] == dim
    assert factors[KNOTS_LOG10.index(0.5)] == bright


def test_too_few_pixels_leave_the_deviation_as_it_is() -> None:
    few = [(image[:8, :8], truth[:8, :8]) for image, truth in off_by(4.0, 1.0)]
    assert LEAST_PIXELS > 3 * 64
    assert conformal_factors(Known(), few, 8, seed=1).tolist() == [0.0] * len(KNOTS_LOG10)


def test_intervals_cover_nine_in_ten_pixels_of_new_specimens_and_no_photon_changes() -> None:
    torch.manual_seed(1)
    plain = build(LOCAL).eval()
    calibration = [specimen(50_000 + i, (70, 64)) for i in range(60)]  # 70 does not divide: it is cropped
    grown, wanted = add_uncertainty(plain, LOCAL, batch, calibration, steps=60, seed=1)
    assert wanted == {**LOCAL, "uncertainty": True}
    covered = []
    for seed in range(90_000, 90_060):
        photons, truth = specimen(seed)
        with torch.inference_mode():
            output = grown(torch.from_numpy(photons)[None, None])[0].numpy()
            assert np.array_equal(output[0], plain(torch.from_numpy(photons)[None, None])[0, 0].numpy())
        covered.append(float((np.abs(truth - output[0]) <= Z_90 * output[1]).mean()))
    # Frames are the units: the standard error of their mean is some 0.01.
    assert np.mean(covered) == pytest.approx(0.9, abs=0.035)
    assert np.std(covered) > 0.0
