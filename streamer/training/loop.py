"""The training loop: one network, one loss, a running mean of the weights, and a checkpoint to go on from."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from streamer.training import checkpoint
from streamer.training.examples import Batch, Examples
from streamer.training.history import History, Progress
from streamer.training.optimise import Stepper, refuse_divergence
from streamer.training.recipe import Recipe

WARM_UP_STEPS = 200
CPU = torch.device("cpu")

#: Loss of a network on a batch.
Loss = Callable[[nn.Module, Batch], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """How often a training is judged and stored.

    Attributes:
        every: steps between judgements; the state is stored with each.
        checkpoint: file of the state; None stores nothing.
        store_s: seconds after which the state is stored at the latest.
    """

    every: int = 500
    checkpoint: Path | None = None
    store_s: float = 60.0


def fit(
    network: nn.Module,
    examples: Examples,
    loss: Loss,
    recipe: Recipe,
    rhythm: Rhythm,
    report: Callable[[Progress], None] = lambda _: None,
    *,
    history: History | None = None,
    device: torch.device = CPU,
) -> nn.Module:
    """Train `network` in place and return the running mean of its weights, on the CPU in evaluation mode.

    `loss(network, batch)` is the loss of a step's batch; `examples.score` judges the running mean; `history`
    takes in every step, those before a break too. With a checkpoint of the same recipe the training goes on
    where it stood, and ends as if never interrupted.

    Errors: RunError where the loss diverges; UsageError for a checkpoint of another recipe.
    """
    history = History() if history is None else history
    network = network.to(device).train()
    mean = copy.deepcopy(network).eval()
    stepper = Stepper(network, recipe, device)
    first = checkpoint.resume(rhythm.checkpoint, recipe, network, mean, stepper, history)
    stored_s = time.monotonic()
    began_s = stored_s - history.seconds
    for step in range(first, recipe.steps):
        rate = learning_rate(recipe, step)
        torch.manual_seed(recipe.seed * 1_000_003 + step)
        value = loss(network, examples.batch(step).to(device))
        cost = float(value.detach())
        refuse_divergence(cost, history.first_loss, step + 1, recipe)
        stepper.step(value, rate, step + 1)
        _average(mean, network, min(recipe.memory, (1 + step) / (10 + step)))
        due = (step + 1) % rhythm.every == 0 or step + 1 == recipe.steps
        progress = Progress(
            step=step + 1, loss=cost, learning_rate=rate, scores=examples.score(mean) if due else {}
        )
        history.add(progress)
        history.seconds = time.monotonic() - began_s
        report(progress)
        if rhythm.checkpoint and (due or time.monotonic() - stored_s > rhythm.store_s):
            checkpoint.store(rhythm.checkpoint, recipe, step + 1, network, mean, stepper, history)
            stored_s = time.monotonic()
    return mean.to(CPU)


def learning_rate(recipe: Recipe, step: int) -> float:
    """Linear warm-up, then a cosine to zero."""
    warm_up = min(1.0, (step + 1) / min(WARM_UP_STEPS, recipe.steps))
    return recipe.learning_rate * warm_up * 0.5 * (1.0 + math.cos(math.pi * step / recipe.steps))


@torch.no_grad()
def _average(mean: nn.Module, network: nn.Module, memory: float) -> None:
    for kept, new in zip(mean.parameters(), network.parameters(), strict=True):
        kept.lerp_(new, 1.0 - memory)
