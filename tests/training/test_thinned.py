"""Thinned halves: what the network is shown, what it answers to, how it is judged, and that it learns.

Seeds are fixed; with a new one, the chance that any of the statistical tests fails is below 1e-3.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from smooth_images import MULTIPLE, RECIPE, Fixed, counted, smooth_truth, train_briefly

from streamer.errors import UsageError
from streamer.training.examples import Batch
from streamer.training.noisy import Plane
from streamer.training.recipe import Recipe
from streamer.training.tasks import predict
from streamer.training.thinned import KEPT, ThinnedExamples

TRUTHS = [smooth_truth(seed) for seed in range(6)]
IMAGES = [counted(truth, seed) for seed, truth in enumerate(TRUTHS)]
#: Two-sided normal quantile of an error rate of 1e-4 per statistic.
LIMIT = 3.9


def examples(
    images: list[Plane] = IMAGES, recipe: Recipe = RECIPE, validation: list[Plane] = IMAGES[:1]
) -> ThinnedExamples:
    return ThinnedExamples(images, recipe, validation, multiple=MULTIPLE)


@pytest.fixture(scope="module")
def flat() -> Batch:
    """Many patches of an even light of 2 photons."""
    image = np.random.default_rng(0).poisson(2.0, (1000, 1000)).astype(np.float32)
    return examples([image], replace(RECIPE, batch=300), [image]).batch(0)


def test_a_batch_holds_kept_photons_and_what_they_are_to_become(flat: Batch) -> None:
    assert flat.photons.shape == flat.signal.shape == (300, 1, 32, 32)
    assert flat.labels.shape == (300, 32, 32)
    assert flat.noise.shape == (300, 1, 1, 1)
    assert flat.weight is None
    assert torch.equal(flat.photons, flat.photons.round())
    low, high = flat.photons.mean((1, 2, 3)).aminmax()
    assert 2 * KEPT[0] * 0.9 < low < 2 * 0.6
    assert 2 * 0.85 < high < 2 * KEPT[1] * 1.1


def test_the_target_has_the_expectation_of_the_input(flat: Batch) -> None:
    """Unbiased at every dose: over its noise, the difference has mean 0 and variance 1."""
    difference = ((flat.signal - flat.photons) / flat.noise).double()
    assert abs(float(difference.mean())) * difference.numel() ** 0.5 < LIMIT
    assert float(difference.var()) == pytest.approx(1.0, abs=0.02)
    for patches in flat.photons.mean((1, 2, 3)).argsort().split(100):
        assert abs(float(difference[patches].mean())) * (100 * 32 * 32) ** 0.5 < LIMIT


def test_the_noise_of_the_target_is_independent_of_the_input(flat: Batch) -> None:
    shown, target = (
        (tensor - tensor.mean((2, 3), keepdim=True)).double() for tensor in (flat.photons, flat.signal)
    )
    correlation = (shown * target).sum() / (shown.square().sum() * target.square().sum()).sqrt()
    assert abs(float(correlation)) * shown.numel() ** 0.5 < LIMIT


def test_a_batch_is_a_function_of_recipe_and_step() -> None:
    first, again, other = (examples().batch(step) for step in (4, 4, 5))
    seeded = examples(recipe=replace(RECIPE, seed=4)).batch(4)
    assert torch.equal(first.photons, again.photons)
    assert torch.equal(first.signal, again.signal)
    assert not torch.equal(first.photons, other.photons)
    assert not torch.equal(first.photons, seeded.photons)


@pytest.mark.parametrize("blur_px", [1.0, 4.0])
def test_the_score_estimates_the_error_against_a_truth_that_it_does_not_know(blur_px: float) -> None:
    truths = [smooth_truth(seed, 256) for seed in (10, 11, 12)]
    images = [counted(truth, seed) for seed, truth in enumerate(truths)]

    def blur(image: Plane) -> Plane:
        return gaussian_filter(image, blur_px)

    score = examples(images, validation=images).score(Fixed(blur))["noise_removed"]
    halves = [np.random.default_rng(seed).poisson(truth / 2) for seed, truth in enumerate(truths)]
    pairs = list(zip(halves, truths, strict=True))
    error = sum(np.sum((blur(half.astype(float)) - truth / 2) ** 2) for half, truth in pairs)
    assert score == pytest.approx(1 - error / sum(half.sum() for half in halves), abs=0.05)


def test_a_perfect_network_scores_one_and_one_that_does_nothing_zero() -> None:
    truth = smooth_truth(13, 256)
    judged = examples(validation=[counted(truth, 13)])
    assert judged.score(Fixed(lambda _: truth / 2))["noise_removed"] == pytest.approx(1.0, abs=0.05)
    assert judged.score(Fixed(lambda image: image))["noise_removed"] == pytest.approx(0.0, abs=0.05)


def test_a_tiny_network_recovers_a_smooth_image_in_photons() -> None:
    """From full counts of an image it never saw, as at the microscope."""
    truth = smooth_truth(20, 128)
    image = counted(truth, 20)
    learned = examples()
    network = train_briefly(learned)
    found = predict(network, image, MULTIPLE)
    assert np.mean((found - truth) ** 2) < 0.45 * np.mean((image - truth) ** 2)
    assert found.mean() == pytest.approx(truth.mean(), rel=0.05)
    assert np.polyfit(found.ravel(), truth.ravel(), 1)[0] == pytest.approx(1.0, abs=0.1)
    assert learned.score(network)["noise_removed"] > 0.5


def test_patches_shrink_to_the_smallest_image() -> None:
    images = [image[:27, :50] for image in IMAGES]
    assert examples(images, validation=images[:1]).batch(0).photons.shape == (4, 1, 24, 24)


GREY = [4.0 * image for image in IMAGES]
SMOOTHED = [gaussian_filter(image, 1.0).round() for image in IMAGES]
BROKEN = IMAGES[0].copy()
BROKEN[3, 4] = np.nan


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"images": []}, "no training images; give at least one"),
        ({"validation": []}, "no validation images; give at least one"),
        ({"images": [IMAGES[0], BROKEN]}, "training image 2 of 2: holds values that are not finite"),
        ({"images": [IMAGES[0] * 0]}, "training image 1 of 1: is empty"),
        ({"images": [IMAGES[0][None]]}, r"has shape \(1, 96, 96\); give planes"),
        ({"images": [IMAGES[0][:7]]}, "smallest image 7 x 96 px, .* the network needs 8 px"),
        ({"images": [IMAGES[0] + 0.5]}, "not whole numbers from 0 on, .* --method noise2void"),
        ({"validation": [IMAGES[0] - 1]}, "validation image 1 of 1: .* --method noise2void"),
        (
            {"images": GREY},
            r"noise has 4\.?\d? times the variance .* too much: .*--gain.* read noise .* noise2void",
        ),
        ({"images": SMOOTHED}, r"noise has 0\.\d+ times the variance .* too little: .*--offset.*--gain\)$"),
        ({"recipe": replace(RECIPE, loss="mae")}, "loss = mae: .* median, 0; use rms-edge"),
        ({"recipe": replace(RECIPE, frames=3)}, "frames = 3: .* use 1"),
    ],
    ids=str,
)
def test_what_cannot_be_thinned_is_refused_in_one_line(change: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        examples(**change)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
