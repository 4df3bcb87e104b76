"""One update of the weights: first weights, penalty, precision, clipping, and what must not go on."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from streamer.errors import RunError
from streamer.training.recipe import Initialiser, Recipe

#: A loss above this ends a training, as in the published search for UNet-RCAN's settings; where the first
#: loss is higher already (bright images), one above ten times that.
DIVERGED = 1000.0
WEIGHT_DECAY = 1e-4


def initialise(network: nn.Module, name: Initialiser) -> None:
    """Draw the convolution kernels anew; biases become 0. `torch` leaves all as it was built."""
    if name == "torch":
        return
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            _fill(module.weight, name)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _fill(kernel: Tensor, name: Initialiser) -> None:
    if name == "glorot-uniform":
        nn.init.xavier_uniform_(kernel)
    elif name == "orthogonal":
        nn.init.orthogonal_(kernel)
    else:  # lecun-uniform: a variance of one over the number of inputs
        limit = math.sqrt(3.0 / kernel[0].numel())
        nn.init.uniform_(kernel, -limit, limit)


class Stepper:
    """AdamW with the recipe's penalty and clipping; in float16 with a scaled loss."""

    def __init__(self, network: nn.Module, recipe: Recipe, device: torch.device) -> None:
        self._network, self._recipe = network, recipe
        self._optimizer = torch.optim.AdamW(
            network.parameters(), lr=recipe.learning_rate, weight_decay=WEIGHT_DECAY
        )
        scaled = recipe.precision == "f16" and device.type == "cuda"
        self._scaler = torch.amp.GradScaler(device.type, enabled=scaled)

    def step(self, loss: Tensor, rate: float, number: int) -> None:
        """Move the weights of step `number` (from 1) down the gradient of `loss`.

        Errors: RunError where a gradient is not finite.
        """
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(self._scaler.scale(self._penalised(loss)))
        self._scaler.unscale_(self._optimizer)
        norm = self._clip()
        # A scaled loss overflows now and then: the scaler then leaves the step out and halves its scale.
        if not self._scaler.is_enabled() and not math.isfinite(norm):
            raise RunError(f"training: the gradient is {norm:g} at step {number}; {_cure(self._recipe)}")
        self._scaler.step(self._optimizer)
        self._scaler.update()

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"optimizer": self._optimizer.state_dict(), "scaler": self._scaler.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a stored state."""
        self._optimizer.load_state_dict(state["optimizer"])
        if self._scaler.is_enabled():
            self._scaler.load_state_dict(state["scaler"])

    def _penalised(self, loss: Tensor) -> Tensor:
        if not self._recipe.l2:
            return loss
        kernels = [weights for weights in self._network.parameters() if weights.ndim > 1]
        return loss + self._recipe.l2 * torch.stack([kernel.square().sum() for kernel in kernels]).sum()

    def _clip(self) -> float:
        """Clip the gradient; its norm before that."""
        parameters = list(self._network.parameters())
        if self._recipe.clip_by == "norm":
            return float(nn.utils.clip_grad_norm_(parameters, self._recipe.clip))
        norm = nn.utils.get_total_norm([each.grad for each in parameters if each.grad is not None])
        nn.utils.clip_grad_value_(parameters, self._recipe.clip)
        return float(norm)


def refuse_divergence(loss: float, first_loss: float | None, number: int, recipe: Recipe) -> None:
    """End a training whose loss is not a number, or far above where it began.

    Errors: RunError with the step (from 1) and the cure.
    """
    limit = max(DIVERGED, 10.0 * (loss if first_loss is None else first_loss))
    if not loss <= limit or not math.isfinite(loss):
        raise RunError(f"training: loss = {loss:g} at step {number} (limit {limit:g}); {_cure(recipe)}")


def _cure(recipe: Recipe) -> str:
    return (
        f"lower --learning-rate (now {recipe.learning_rate:g}) or --clip (now {recipe.clip:g}) "
        "and start again in another folder, or without its checkpoint.pt"
    )
