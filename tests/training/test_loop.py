"""The loop: it learns, repeats itself, goes on after a break, and stops when it diverges."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from streamer.errors import RunError, UsageError
from streamer.training import Batch, History, Progress, Recipe, Rhythm, fit
from streamer.training.checkpoint import stored_steps
from streamer.training.loop import learning_rate


class Slope(nn.Module):
    """One number to learn, from 5 towards 0."""

    def __init__(self) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(5.0))

    def forward(self) -> Tensor:
        return self.value


class Draws:
    """Batches of one random number around 0, which the slope is to follow."""

    def __init__(self, bad: float | None = None) -> None:
        self.bad = bad

    def batch(self, step: int) -> Batch:
        number = 0.1 * torch.randn((1, 1, 1, 1), generator=torch.Generator().manual_seed(step))
        if self.bad is not None and step == 2:
            number = torch.full((1, 1, 1, 1), self.bad)
        zero = torch.zeros(1, 1, 1, 1)
        return Batch(photons=number, signal=zero, labels=zero[0].long(), noise=zero)

    def score(self, network: nn.Module) -> dict[str, float]:
        return {"value": float(network().detach())}


def loss(network: nn.Module, batch: Batch) -> Tensor:
    value: Tensor = (network() - batch.photons).square().sum()
    return value


RECIPE = Recipe(steps=400, learning_rate=0.05, memory=0.9)


def run(recipe: Recipe = RECIPE, rhythm: Rhythm | None = None) -> tuple[float, list[Progress]]:
    seen: list[Progress] = []
    mean = fit(Slope(), Draws(), loss, recipe, rhythm or Rhythm(every=100), seen.append)
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
        fit(Slope(), Draws(), loss, RECIPE, rhythm, pull_the_plug)
    whole, broken = History(), History()
    straight = fit(Slope(), Draws(), loss, RECIPE, Rhythm(every=100), history=whole)
    seen: list[Progress] = []
    resumed = fit(Slope(), Draws(), loss, RECIPE, rhythm, seen.append, history=broken)
    assert seen[0].step == 201
    assert float(resumed().detach()) == float(straight().detach())
    assert broken == whole  # the curve holds what came before the break


def test_the_state_is_stored_between_judgements_too(tmp_path: Path) -> None:
    rhythm = Rhythm(every=1000, checkpoint=tmp_path / "checkpoint.pt", store_s=0.0)

    def pull_the_plug(progress: Progress) -> None:
        if progress.step == 57:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(Slope(), Draws(), loss, RECIPE, rhythm, pull_the_plug)
    assert run(rhythm=rhythm)[1][0].step == 57


def test_minutes_find_their_number_of_steps_again(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    assert stored_steps(path, 10.0) is None
    run(replace(RECIPE, minutes=10.0), Rhythm(every=100, checkpoint=path))
    assert stored_steps(path, 10.0) == 400
    assert stored_steps(path, 20.0) is None


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(b"something else")
    with pytest.raises(UsageError, match=r"damaged, or no checkpoint; delete the file"):
        run(rhythm=Rhythm(checkpoint=path))


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path: Path) -> None:
    rhythm = Rhythm(every=100, checkpoint=tmp_path / "checkpoint.pt")
    run(rhythm=rhythm)
    with pytest.raises(UsageError, match=r"checkpoint\.pt: was made with seed = 1, now it is 2; repeat"):
        run(replace(RECIPE, seed=2), rhythm)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e3], ids=str)
def test_a_loss_that_diverges_ends_the_training_with_the_cure(bad: float) -> None:
    with pytest.raises(RunError, match=r"at step 3 .*lower --learning-rate \(now 0.05\)"):
        fit(Slope(), Draws(bad), loss, RECIPE, Rhythm())


@pytest.mark.parametrize("clip_by", ["norm", "value"])
def test_a_gradient_that_is_not_finite_ends_the_training(clip_by: str) -> None:
    def torn(network: nn.Module, batch: Batch) -> Tensor:
        # A square root at zero: the loss is fine, its slope is not.
        value: Tensor = torch.sqrt((network() - network().detach()).abs()) + 1.0
        return value

    recipe = replace(RECIPE, clip_by=clip_by)  # type: ignore[arg-type]
    with pytest.raises(RunError, match=r"the gradient is nan at step 1; lower --learning-rate"):
        fit(Slope(), Draws(), torn, recipe, Rhythm())


def test_bright_images_may_begin_with_a_large_loss() -> None:
    def bright(network: nn.Module, batch: Batch) -> Tensor:
        return loss(network, batch) * 1e4

    fit(Slope(), Draws(), bright, RECIPE, Rhythm())


def test_the_learning_rate_warms_up_and_falls_to_zero() -> None:
    rates = [learning_rate(RECIPE, step) for step in range(RECIPE.steps)]
    assert rates[0] < 0.01 * RECIPE.learning_rate
    assert max(rates) <= RECIPE.learning_rate
    assert rates[-1] < 0.01 * RECIPE.learning_rate
