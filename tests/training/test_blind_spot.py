"""Noise2Void: hidden pixels, a loss that looks at nothing else, and that it learns."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from scipy.ndimage import uniform_filter
from smooth_images import MULTIPLE, RECIPE, Fixed, counted, smooth_truth, train_briefly

from streamer.errors import UsageError
from streamer.training.losses import batch_loss
from streamer.training.noise2void import CELL_PX, REACH_PX, BlindSpotExamples, hide
from streamer.training.noisy import Plane
from streamer.training.recipe import LossName, Recipe
from streamer.training.tasks import predict

TRUTHS = [smooth_truth(seed) for seed in range(6)]
#: Photo-electrons of a camera: photons and read noise, neither whole nor always positive.
IMAGES = [
    counted(truth, seed) + np.random.default_rng((seed, 8)).normal(0, 0.5, truth.shape).astype(np.float32)
    for seed, truth in enumerate(TRUTHS)
]


def examples(
    images: list[Plane] = IMAGES, recipe: Recipe = RECIPE, validation: list[Plane] = IMAGES[:1]
) -> BlindSpotExamples:
    return BlindSpotExamples(images, recipe, validation, multiple=MULTIPLE)


def test_one_pixel_of_each_cell_is_hidden_by_another_one_near_it() -> None:
    image = np.arange(45 * 70, dtype=np.float32).reshape(45, 70)  # the value tells the place
    distances = set()
    for seed in range(40):
        shown, hidden = hide(image, np.random.default_rng(seed))
        cells = hidden[:40, :64].reshape(5, CELL_PX, 8, CELL_PX).sum((1, 3))
        assert np.array_equal(cells, np.ones((5, 8)))
        assert hidden.sum() == 40
        assert np.array_equal(shown[~hidden], image[~hidden])
        away = np.argwhere(hidden) - np.stack(np.divmod(shown[hidden].astype(int), 70), 1)
        distances |= {tuple(each) for each in away}
    reach = range(-REACH_PX, REACH_PX + 1)
    assert distances == {(dy, dx) for dy in reach for dx in reach} - {(0, 0)}


def test_every_pixel_is_hidden_sometimes() -> None:
    rng = np.random.default_rng(1)
    times = sum(hide(np.zeros((16, 16), np.float32), rng)[1].astype(int) for _ in range(2000))
    # Binomial of 2000 and 1/64: 31 +- 5.5; outside 8-62 with a chance below 1e-4 in all 256 pixels.
    assert 8 < times.min() <= times.max() < 62


def test_a_batch_shows_patches_with_hidden_pixels_and_asks_for_the_true_ones() -> None:
    batch = examples().batch(2)
    assert batch.photons.shape == batch.signal.shape == (4, 1, 32, 32)
    assert batch.weight is not None
    assert batch.weight.sum((1, 2, 3)).tolist() == [16.0] * 4
    assert torch.equal(batch.photons[batch.weight == 0], batch.signal[batch.weight == 0])
    assert (batch.photons[batch.weight == 1] != batch.signal[batch.weight == 1]).all()
    assert batch.noise.shape == (4, 1, 1, 1)


def test_a_batch_is_a_function_of_recipe_and_step() -> None:
    first, again, other = (examples().batch(step) for step in (4, 4, 5))
    assert torch.equal(first.photons, again.photons)
    assert torch.equal(first.signal, again.signal)
    assert not torch.equal(first.photons, other.photons)


@pytest.mark.parametrize("name", get_args(LossName))
def test_the_loss_looks_at_hidden_pixels_only(name: LossName) -> None:
    batch, recipe = examples().batch(0), replace(RECIPE, loss=name)
    assert batch.weight is not None
    hidden = batch.weight.bool()

    def loss(elsewhere: float, here: float) -> float:
        answer = torch.where(hidden, torch.tensor(here), torch.tensor(elsewhere))[:, 0].numpy()
        patches = iter(answer)
        return float(batch_loss(Fixed(lambda _: next(patches)), batch, recipe))

    assert loss(1.0, 2.0) == loss(50.0, 2.0)
    assert loss(1.0, 2.0) != loss(1.0, 3.0)


def test_copying_the_pixel_scores_worse_than_its_surroundings() -> None:
    judged = examples(validation=IMAGES)
    copy, mean = (Fixed(lambda image: image), Fixed(lambda image: uniform_filter(image, 5)))
    assert judged.score(mean)["variance_explained"] > judged.score(copy)["variance_explained"] + 0.1
    assert judged.score(mean)["variance_explained"] < 1.0


def test_a_tiny_network_recovers_a_smooth_image_in_photons() -> None:
    truth = smooth_truth(20, 128)
    image = counted(truth, 20)
    network = train_briefly(examples())
    found = predict(network, image, MULTIPLE)
    assert np.mean((found - truth) ** 2) < 0.7 * np.mean((image - truth) ** 2)
    assert found.mean() == pytest.approx(truth.mean(), rel=0.1)


BROKEN = IMAGES[0].copy()
BROKEN[3, 4] = np.inf


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"images": []}, "no training images; give at least one"),
        ({"images": [IMAGES[0], BROKEN]}, "training image 2 of 2: holds values that are not finite"),
        ({"validation": [IMAGES[0] * 0]}, "validation image 1 of 1: is empty"),
        ({"images": [IMAGES[0][:7]]}, "smallest image 7 x 96 px, .* the network needs 8 px"),
        ({"validation": [IMAGES[0][:7]]}, "smallest image 7 x 96 px"),
        ({"recipe": replace(RECIPE, loss="mae")}, "loss = mae: .* use rms-edge"),
        (
            {"recipe": replace(RECIPE, loss="poisson")},
            r"loss = poisson: the images go down to -\d.* use rms-edge",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_learned_from_is_refused_in_one_line(change: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        examples(**change)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
