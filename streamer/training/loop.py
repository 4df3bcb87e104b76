"""The training loop: one network, one loss, a running mean of the weights, and a checkpoint to go on from."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from streamer.errors import RunError, UsageError
from streamer.training.recipe import Recipe

#: A loss above this ends a training, as in the published search for UNet-RCAN's settings.
DIVERGED = 1000.0
WARM_UP_STEPS = 200
WEIGHT_DECAY = 1e-4

Loss = Callable[[nn.Module, int], Tensor]
Score = Callable[[nn.Module], Mapping[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a training stands after a step; `scores` where the running mean was judged at this step."""

    step: int
    loss: float
    learning_rate: float
    scores: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """How often a training is judged and stored, in steps, and where the checkpoint lies (None: nowhere)."""

    every: int = 500
    checkpoint: Path | None = None


def fit(
    network: nn.Module,
    recipe: Recipe,
    loss: Loss,
    score: Score,
    rhythm: Rhythm,
    report: Callable[[Progress], None],
) -> nn.Module:
    """Train `network` in place and return the running mean of its weights, in evaluation mode.

    `loss(network, step)` is the loss of a step's batch; `score(network)` judges the running mean. With a
    checkpoint of the same recipe the training goes on where it stood, and ends as if never interrupted.

    Errors: RunError where the loss diverges; UsageError for a checkpoint of another recipe.
    """
    network = network.train()
    mean = copy.deepcopy(network).eval()
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=WEIGHT_DECAY)
    first = _resume(rhythm.checkpoint, recipe, network, mean, optimizer)
    for step in range(first, recipe.steps):
        rate = learning_rate(recipe, step)
        for group in optimizer.param_groups:
            group["lr"] = rate
        torch.manual_seed(recipe.seed * 1_000_003 + step)
        value = loss(network, step)
        _refuse_divergence(float(value.detach()), step)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(value)
        nn.utils.clip_grad_norm_(network.parameters(), recipe.clip)
        optimizer.step()
        _average(mean, network, min(recipe.memory, (1 + step) / (10 + step)))
        due = (step + 1) % rhythm.every == 0 or step + 1 == recipe.steps
        scores = score(mean) if due else {}
        report(Progress(step=step + 1, loss=float(value.detach()), learning_rate=rate, scores=scores))
        if due and rhythm.checkpoint:
            _store(rhythm.checkpoint, recipe, step + 1, network, mean, optimizer)
    return mean


def learning_rate(recipe: Recipe, step: int) -> float:
    """Linear warm-up, then a cosine to zero."""
    warm_up = min(1.0, (step + 1) / min(WARM_UP_STEPS, recipe.steps))
    return recipe.learning_rate * warm_up * 0.5 * (1.0 + math.cos(math.pi * step / recipe.steps))


def _refuse_divergence(loss: float, step: int) -> None:
    if not loss < DIVERGED:
        raise RunError(
            f"training: loss = {loss:g} at step {step + 1} (limit {DIVERGED:g}); "
            "lower --learning-rate and start again without the checkpoint"
        )


@torch.no_grad()
def _average(mean: nn.Module, network: nn.Module, memory: float) -> None:
    for kept, new in zip(mean.parameters(), network.parameters(), strict=True):
        kept.lerp_(new, 1.0 - memory)


def _store(
    path: Path,
    recipe: Recipe,
    step: int,
    network: nn.Module,
    mean: nn.Module,
    optimizer: torch.optim.Optimizer,
) -> None:
    """Write a checkpoint whole or not at all."""
    partial = path.with_suffix(".partial")
    state = {"recipe": asdict(recipe), "step": step, "network": network.state_dict()}
    torch.save(state | {"mean": mean.state_dict(), "optimizer": optimizer.state_dict()}, partial)
    partial.replace(path)


def _resume(
    path: Path | None, recipe: Recipe, network: nn.Module, mean: nn.Module, optimizer: torch.optim.Optimizer
) -> int:
    """Load a checkpoint where there is one; the step to go on with."""
    if path is None or not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    for name, value in asdict(recipe).items():
        if state["recipe"].get(name) != value:
            raise UsageError(
                f"{path}: was made with {name} = {state['recipe'].get(name)}, now it is {value}; "
                "repeat the options, or delete the file to start anew"
            )
    network.load_state_dict(state["network"])
    mean.load_state_dict(state["mean"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])
