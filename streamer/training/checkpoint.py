"""A training on disk: written whole or not at all, and taken up only by the same recipe."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from streamer.errors import UsageError
from streamer.training.history import History
from streamer.training.optimise import Stepper
from streamer.training.recipe import Recipe


def store(
    path: Path,
    recipe: Recipe,
    step: int,
    network: nn.Module,
    mean: nn.Module,
    stepper: Stepper,
    history: History,
) -> None:
    """Write the state after `step` steps."""
    partial = path.with_suffix(".partial")
    weights = {"network": network.state_dict(), "mean": mean.state_dict()}
    state = {"recipe": asdict(recipe), "step": step, "history": history.state(), **weights, **stepper.state()}
    torch.save(state, partial)
    partial.replace(path)


def resume(
    path: Path | None, recipe: Recipe, network: nn.Module, mean: nn.Module, stepper: Stepper, history: History
) -> int:
    """Load a checkpoint where there is one; the step to go on with.

    Errors: UsageError for a checkpoint of another recipe, and for a file that is none.
    """
    if path is None or not path.exists():
        return 0
    state = _read(path)
    for name, value in asdict(recipe).items():
        if state["recipe"].get(name) != value:
            raise UsageError(
                f"{path}: was made with {name} = {state['recipe'].get(name)}, now it is {value}; "
                "repeat the options, or delete the file to start anew"
            )
    network.load_state_dict(state["network"])
    mean.load_state_dict(state["mean"])
    stepper.restore(state)
    history.restore(state["history"])
    return int(state["step"])


def stored_steps(path: Path, minutes: float) -> int | None:
    """Number of steps that a checkpoint of a training of so many minutes was given; None without one."""
    recipe = _read(path)["recipe"] if path.exists() else {}
    return int(recipe["steps"]) if recipe.get("minutes") == minutes else None


def _read(path: Path) -> dict[str, Any]:
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
    except Exception:  # a damaged file can raise nearly anything
        raise UsageError(f"{path}: damaged, or no checkpoint; delete the file to start anew") from None
    known = {"recipe", "step", "history", "network", "mean", "optimizer"} <= state.keys()
    if known and "seconds" in state["history"]:
        return state
    raise UsageError(f"{path}: no checkpoint of this version; delete the file to start anew")
