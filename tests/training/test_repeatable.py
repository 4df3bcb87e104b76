"""Simulated ER: shipped models state recipes and seeds, so their batches and weights must come out again."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from streamer.training import Field, Recipe, Rhythm, SimulatedExamples, batch_loss, fit, make_fields

#: Of steps 0-2: sum of the counts, their sum and the signal's weighted by a ramp, noise of both patches.
BATCHES = (
    (2, 382, 0.0, (0.031622779, 0.031622779)),
    (267, 161203, 151042.32865868232, (0.563066781, 0.421968281)),
    (130, 61499, 54458.06615176768, (0.324356973, 0.031622779)),
)
#: Of six steps of a small network: losses, and sum of the averaged weights, plain and weighted by a ramp.
LOSSES = (12.6081152, 0.704974711, 8.90630722, 0.768545985, 8.78099155, 10.9369946)
WEIGHTS = (1.7377089047804475, 68.88662106823176)


@pytest.fixture(scope="module")
def recipe(tiny_recipe: Recipe) -> Recipe:
    return replace(tiny_recipe, precision="f32")


@pytest.fixture(scope="module")
def examples(recipe: Recipe) -> SimulatedExamples:
    def fields(split: str, count: int) -> tuple[Field, ...]:
        return tuple(make_fields(split, recipe, count))  # type: ignore[arg-type]

    return SimulatedExamples(fields=fields("train", 2), validation=fields("validation", 1), recipe=recipe)


def ramp_like(values: torch.Tensor) -> torch.Tensor:
    return torch.arange(values.numel()).reshape(values.shape).remainder(1009)


@pytest.mark.parametrize("step", range(3))
def test_the_batches_of_a_recipe_stay_what_they_were(examples: SimulatedExamples, step: int) -> None:
    batch = examples.batch(step)
    total, counts, signal, noise = BATCHES[step]
    assert int(batch.photons.sum()) == total
    assert int((batch.photons.double() * ramp_like(batch.photons)).sum()) == counts
    assert float((batch.signal.double() * ramp_like(batch.signal)).sum()) == pytest.approx(signal, rel=1e-6)
    assert batch.noise.flatten().tolist() == pytest.approx(noise, rel=1e-6)


def test_the_weights_of_a_recipe_stay_what_they_were(examples: SimulatedExamples, recipe: Recipe) -> None:
    torch.manual_seed(recipe.seed)
    network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.LeakyReLU(0.3), nn.Conv2d(4, 1, 3, padding=1))
    losses: list[float] = []
    mean = fit(
        network,
        examples,
        lambda network, batch: batch_loss(network, batch, recipe),
        recipe,
        Rhythm(every=6),
        lambda progress: losses.append(progress.loss),
    )
    weights = torch.cat([each.detach().flatten() for each in mean.parameters()]).double()
    # Machines differ in the last bits of a sum; options that changed the training would differ in the first.
    assert losses == pytest.approx(LOSSES, rel=1e-5)
    assert (float(weights.sum()), float((weights * torch.arange(len(weights))).sum())) == pytest.approx(
        WEIGHTS, rel=1e-5
    )
