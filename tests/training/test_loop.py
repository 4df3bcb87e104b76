"""The loop: it learns, repeats itself, goes on after a break, and stops when it diverges."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from streamer.errors import RunError, UsageError
from streamer.training import Progress, Recipe, Rhythm, fit
from streamer.training.loop import learning_rate


class Slope(nn.Module):
    """One number to learn, from 5 towards 0."""

    def __init__(self) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(5.0))

    def forward(self) -> Tensor:
        return self.value


def loss(network: nn.Module, step: int) -> Tensor:
    generator = torch.Generator().manual_seed(step)
    return (network() - 0.1 * torch.randn((), generator=generator)).square()


def score(network: nn.Module) -> dict[str, float]:
    return {"value": float(network().detach())}


RECIPE = Recipe(steps=400, learning_rate=0.05, memory=0.9)


def run(recipe: Recipe = RECIPE, rhythm: Rhythm | None = None) -> tuple[float, list[Progress]]:
    seen: list[Progress] = []
    mean = fit(Slope(), recipe, loss, score, rhythm or Rhythm(every=100), seen.append)
    return float(mean().detach()), seen


def test_it_learns_and_reports_every_step() -> None:
    value, seen = run()
    assert abs(value) < 0.1
    assert [progress.step for progress in seen] == list(range(1, 401))
    assert [progress.step for progress in seen if progress.scores] == [100, 200, 300, 400]


def test_equal_recipes_give_equal_weights() -> None:
    assert run()[0] == run()[0]


def test_a_training_that_was_interrupted_ends_as_if_it_was_not(tmp_path: Path) -> None:
    rhythm = Rhythm(every=100, checkpoint=tmp_path / "checkpoint.pt")

    def pull_the_plug(progress: Progress) -> None:
        if progress.step == 250:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(Slope(), RECIPE, loss, score, rhythm, pull_the_plug)
    value, seen = run(rhythm=rhythm)
    assert seen[0].step == 201
    assert value == run()[0]


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path: Path) -> None:
    rhythm = Rhythm(every=100, checkpoint=tmp_path / "checkpoint.pt")
    run(rhythm=rhythm)
    with pytest.raises(UsageError, match=r"checkpoint\.pt: was made with seed = 1, now it is 2; repeat"):
        run(replace(RECIPE, seed=2), rhythm)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1001.0], ids=str)
def test_a_loss_that_diverges_ends_the_training_with_the_cure(bad: float) -> None:
    def diverging(network: nn.Module, step: int) -> Tensor:
        return loss(network, step) * 0 + (bad if step == 2 else 1.0)

    with pytest.raises(RunError, match=r"at step 3 .*lower --learning-rate"):
        fit(Slope(), RECIPE, diverging, score, Rhythm(), lambda _: None)


def test_the_learning_rate_warms_up_and_falls_to_zero() -> None:
    rates = [learning_rate(RECIPE, step) for step in range(RECIPE.steps)]
    assert rates[0] < 0.01 * RECIPE.learning_rate
    assert max(rates) <= RECIPE.learning_rate
    assert rates[-1] < 0.01 * RECIPE.learning_rate
