"""MS-SSIM, errors, correlation and LPIPS against other implementations and closed forms."""

from __future__ import annotations

import math
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage.metrics import normalized_root_mse

from streamer.errors import RunError
from streamer.metrics import perceptual
from streamer.metrics.multiscale import SMALLEST_PX, WEIGHTS, ms_ssim
from streamer.metrics.quality import (
    mean_absolute_error,
    normalised_root_mean_square_error,
    pearson,
)

Image = NDArray[np.float64]


def pair(size: int = 200, noise: float = 0.3) -> tuple[Image, Image]:
    rng = np.random.default_rng(7)
    truth = gaussian_filter(rng.standard_normal((size, size + 9)), 3) * 10 + 3
    return truth, truth + noise * rng.standard_normal(truth.shape)


def slow_ms_ssim(a: Image, b: Image, data_range: float) -> float:
    """As Wang et al. write it, window by window in two dimensions."""
    axis = np.arange(-5, 6)
    window = np.exp(-(axis[:, None] ** 2 + axis**2) / (2 * 1.5**2))
    window /= window.sum()
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    total = 1.0
    for scale, weight in enumerate(WEIGHTS):
        views_a, views_b = (np.lib.stride_tricks.sliding_window_view(image, (11, 11)) for image in (a, b))

        def mean(values: Image, window: Image = window) -> Image:
            return np.einsum("yxij,ij->yx", values, window)

        mean_a, mean_b = mean(views_a), mean(views_b)
        covariance = mean(views_a * views_b) - mean_a * mean_b
        variances = mean(views_a**2) - mean_a**2 + mean(views_b**2) - mean_b**2
        structure = (2 * covariance + c2) / (variances + c2)
        luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
        last = scale == len(WEIGHTS) - 1
        total *= float(np.mean(luminance * structure if last else structure)) ** weight
        rows, columns = a.shape[0] // 2 * 2, a.shape[1] // 2 * 2
        a, b = (sum(image[y:rows:2, x:columns:2] for y in (0, 1) for x in (0, 1)) / 4 for image in (a, b))
    return total


def test_ms_ssim_is_what_the_paper_writes() -> None:
    a, b = pair()
    assert ms_ssim(a, b, data_range=10.0) == pytest.approx(slow_ms_ssim(a, b, 10.0), abs=1e-9)


def test_ms_ssim_falls_with_noise_and_is_one_for_equal_images() -> None:
    a, b = pair()
    _, worse = pair(noise=1.0)
    assert 1.0 > ms_ssim(a, b, data_range=10.0) > ms_ssim(a, worse, data_range=10.0) > 0.0
    assert ms_ssim(a, a, data_range=10.0) == pytest.approx(1.0)


def test_ms_ssim_of_opposite_images_is_zero() -> None:
    a, _ = pair()
    assert ms_ssim(a, -a, data_range=10.0) == 0.0


def test_ms_ssim_of_small_images_is_not_a_number() -> None:
    a, b = pair(size=SMALLEST_PX - 1)
    assert math.isnan(ms_ssim(a, b, data_range=1.0))
    assert not math.isnan(ms_ssim(*pair(size=SMALLEST_PX), data_range=1.0))


@pytest.mark.parametrize(
    ("b", "data_range", "message"),
    [(np.ones((200, 200)), 1.0, "different shapes"), (np.ones((200, 209)), 0.0, "data_range = 0")],
    ids=["shapes", "no range"],
)
def test_ms_ssim_refuses_wrong_use(b: Image, data_range: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ms_ssim(np.ones((200, 209)), b, data_range=data_range)


def test_errors_and_correlation_equal_other_implementations() -> None:
    truth, noisy = pair()
    assert mean_absolute_error(noisy, truth) == pytest.approx(np.abs(noisy - truth).mean())
    assert normalised_root_mean_square_error(noisy, truth) == pytest.approx(normalized_root_mse(truth, noisy))
    assert pearson(noisy, truth) == pytest.approx(np.corrcoef(noisy.ravel(), truth.ravel())[0, 1])


def test_measures_without_a_scale_are_not_numbers() -> None:
    flat = np.full((8, 8), 2.0)
    assert math.isnan(normalised_root_mean_square_error(flat, np.zeros((8, 8))))
    assert math.isnan(pearson(flat, np.arange(64.0).reshape(8, 8)))


def install(monkeypatch: pytest.MonkeyPatch, name: str) -> Any:
    """An empty module that can be found and imported."""
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None)
    monkeypatch.setitem(sys.modules, name, module)
    return module


def fake_lpips(monkeypatch: pytest.MonkeyPatch, hub: Path) -> None:
    """Modules as the real ones, with a network that gives the mean difference of what it is shown."""
    torch = pytest.importorskip("torch")

    class Network:
        def __init__(self, net: str, verbose: bool) -> None:
            assert net == "vgg"

        def eval(self) -> Network:
            return self

        def __call__(self, a: Any, b: Any) -> float:
            assert a.shape == b.shape
            assert a.shape[:2] == (1, 3)
            return float((a - b).abs().mean())

    install(monkeypatch, "torchvision")
    install(monkeypatch, "lpips").LPIPS = Network
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(hub))
    perceptual.lpips_distance.cache_clear()


def test_without_the_package_lpips_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "torchvision")
    monkeypatch.setitem(sys.modules, "lpips", None)  # it can then be neither found nor imported
    perceptual.lpips_distance.cache_clear()
    assert "lpips is not installed; pip install lpips" in (perceptual.why_no_lpips() or "")
    with pytest.raises(RunError, match="pip install lpips"):
        perceptual.lpips_distance()


def test_without_the_weights_lpips_says_where_they_belong(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake_lpips(monkeypatch, tmp_path)
    assert f"{tmp_path}/checkpoints/vgg16-397923af.pth is missing" in (perceptual.why_no_lpips() or "")


def test_with_package_and_weights_lpips_scales_to_the_data_range(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake_lpips(monkeypatch, tmp_path)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / perceptual.VGG_FILE).touch()
    assert perceptual.why_no_lpips() is None
    distance = perceptual.lpips_distance()(np.zeros((4, 4)), np.full((4, 4), 5.0), 10.0)
    assert distance == pytest.approx(1.0)  # -1 against 0
    perceptual.lpips_distance.cache_clear()
