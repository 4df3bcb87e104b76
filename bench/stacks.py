"""Does a network that sees the slices below and above denoise a stack better than one that does not?

    python -m bench.stacks --out bench/results/stacks.json

Two networks of the live size learn from the same simulated slices with the same recipe, one shown three
slices and one the middle one alone, and are judged on every slice of other stacks. At a border the slice
itself stands in for the one that is missing. Both trainings are part of the measurement: neither ships.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.console import Console
from torch import nn

from bench.measure import machine
from streamer.metrics.quality import gain_interval_db, linear_fit_psnr
from streamer.networks import build
from streamer.simulation.depth import SLICES
from streamer.simulation.series import ContextExposure, stack_exposures
from streamer.training import ARCHITECTURES, Batch, Recipe, Rhythm, batch_loss, fit
from streamer.training.history import Progress
from streamer.training.sequences import StackExamples, make_stack_fields
from streamer.training.tasks import expected

CONSOLE = Console(stderr=True)
#: Fewer steps or stacks show that it works and measure nothing.
FULL_STEPS, FULL_STACKS = 2500, 12
LEVELS = (9.3, 28.0, 84.0)
NEIGHBOURS = 3

Image = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class MiddleSlices:
    """The same examples, of which only the slice itself is shown.

    Attributes:
        stacks: with their neighbours.
    """

    stacks: StackExamples

    def batch(self, step: int) -> Batch:
        """The very crops, doses and photons that the other network is shown."""
        batch = self.stacks.batch(step)
        return replace(batch, photons=batch.photons[:, :1])

    def score(self, network: nn.Module) -> Mapping[str, float]:
        """Gain on the validation slices, each without its neighbours."""
        return self.stacks.score(_Alone(network))


class _Alone(nn.Module):
    """A network of one slice where three are handed over."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, photons: torch.Tensor) -> torch.Tensor:
        """[batch, slices, y, x] photons to [batch, 1, y, x]."""
        predicted: torch.Tensor = self.network(photons[:, :1])
        return predicted


def train(examples: StackExamples | MiddleSlices, recipe: Recipe) -> nn.Module:
    """A live network of as many slices as the recipe says, from fresh weights."""
    torch.manual_seed(recipe.seed)
    network = build({**ARCHITECTURES["denoiser"], "frames": recipe.frames})

    def report(progress: Progress) -> None:
        if progress.scores:
            CONSOLE.print(f"{recipe.frames} slices, step {progress.step}: {dict(progress.scores)}")

    # A training this short must forget its first weights sooner than the default.
    return fit(network, examples, lambda net, batch: batch_loss(net, batch, recipe), recipe, Rhythm(), report)


def compare(flat: nn.Module, stacked: nn.Module, exposures: Sequence[ContextExposure], seed: int) -> Any:
    """PSNR of both and the gain in dB with its 95 % interval; a stack counts as one image."""
    truths = _by_stack([exposure.truth for exposure in exposures])
    alone, together = (
        linear_fit_psnr(_by_stack([expected(network, each.counts[:count]) for each in exposures]), truths)
        for network, count in ((flat, 1), (stacked, NEIGHBOURS))
    )
    low, high = gain_interval_db(together, alone, np.random.default_rng(seed))
    return {
        "psnr_db": {"2D": round(alone.psnr_db, 3), "2.5D": round(together.psnr_db, 3)},
        "gain_db": round(together.psnr_db - alone.psnr_db, 3),
        "gain_db_interval_95": [round(low, 3), round(high, 3)],
    }


def _by_stack(slices: Sequence[Image]) -> list[Image]:
    """[y, x] slices as one image [SLICES * y, x] a stack."""
    return [np.concatenate(slices[first : first + SLICES]) for first in range(0, len(slices), SLICES)]


def main(
    out: Annotated[Path, typer.Option(help="JSON to write.")],
    steps: Annotated[int, typer.Option(min=1, help="Updates of each network.")] = FULL_STEPS,
    fields: Annotated[int, typer.Option(min=1, help="Simulated slices to learn from.")] = 150,
    field_px: Annotated[int, typer.Option(min=64, help="Their height and width.")] = 400,
    stacks: Annotated[int, typer.Option(min=1, help="Stacks to be judged on.")] = FULL_STACKS,
    size: Annotated[int, typer.Option(min=64, help="Their height and width.")] = 300,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, specimens and photons.")] = 31,
    threads: Annotated[int, typer.Option(min=1, help="Of PyTorch.")] = 2,
) -> None:
    """Train both, judge both on the same stacks."""
    torch.set_num_threads(threads)
    recipe = Recipe(
        seed=seed, steps=steps, fields=fields, validation_fields=4, field_px=field_px,
        patch_px=min(192, field_px), context="z", frames=NEIGHBOURS, memory=0.995,
    )  # fmt: skip
    examples = StackExamples(
        fields=tuple(make_stack_fields("train", recipe, recipe.fields)),
        validation=tuple(make_stack_fields("validation", recipe, recipe.validation_fields)),
        recipe=recipe,
    )
    CONSOLE.print(f"{len(examples.fields)} slices simulated")
    flat = train(MiddleSlices(examples), replace(recipe, frames=1))
    stacked = train(examples, recipe)
    levels = {}
    for level in LEVELS:
        levels[f"{level:g}"] = compare(flat, stacked, stack_exposures(stacks, seed + 1, size, level), seed)
        CONSOLE.print(level, levels[f"{level:g}"])
    report = {
        "quick": steps < FULL_STEPS or stacks < FULL_STACKS,
        "recipe": asdict(recipe),
        "stacks": stacks,
        "size_px": size,
        "machine": machine(),
        "levels": levels,
    }
    out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
