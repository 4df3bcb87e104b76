"""Does the default recipe converge at the first attempt, whatever the seed?

    python -m bench.seeds --out bench/results/seeds.json

Every seed draws its own weights, specimens, crops and noise. A run counts as converged where its loss stayed
finite and below the limit of divergence, and the network ends better than the raw frames at every level.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console

from bench.measure import machine
from streamer.errors import RunError
from streamer.networks import build
from streamer.training import (
    ARCHITECTURES,
    Recipe,
    Rhythm,
    SimulatedExamples,
    batch_loss,
    fit,
    make_fields,
)

CONSOLE = Console(stderr=True)
#: Fewer say little about the share that converges.
FULL_SEEDS = 20


def attempt(recipe: Recipe) -> dict[str, Any]:
    """One short training of the live denoiser: how it ended, and its scores on validation specimens."""
    examples = SimulatedExamples(
        fields=tuple(make_fields("train", recipe, recipe.fields)),
        validation=tuple(make_fields("validation", recipe, recipe.validation_fields)),
        recipe=recipe,
    )
    torch.manual_seed(recipe.seed)
    network = build(ARCHITECTURES["denoiser"])
    try:
        best = fit(network, examples, lambda net, batch: batch_loss(net, batch, recipe), recipe, Rhythm())
    except RunError as error:
        return {"seed": recipe.seed, "converged": False, "why": str(error)}
    scores = {name: round(value, 3) for name, value in examples.score(best).items()}
    return {"seed": recipe.seed, "converged": min(scores.values()) > 0.0, "scores": scores}


def main(
    out: Annotated[Path, typer.Option(help="JSON to write.")],
    seeds: Annotated[int, typer.Option(min=1, help="How many.")] = FULL_SEEDS,
    first: Annotated[int, typer.Option(min=0, help="The first of them.")] = 1000,
    steps: Annotated[int, typer.Option(min=1, help="Updates in each run.")] = 300,
    patch_px: Annotated[int, typer.Option(min=32, help="Height and width of a patch.")] = 128,
    threads: Annotated[int, typer.Option(min=1, help="Of PyTorch.")] = 1,
) -> None:
    """Train briefly with each seed, at the full learning rate of the default recipe."""
    torch.set_num_threads(threads)
    # The running mean of so short a run must forget the first weights sooner.
    recipe = Recipe(steps=steps, patch_px=patch_px, fields=12, validation_fields=2, field_px=320, memory=0.98)
    runs = []
    for seed in range(first, first + seeds):
        runs.append(attempt(replace(recipe, seed=seed)))
        CONSOLE.print(runs[-1])
    report = {
        "quick": seeds < FULL_SEEDS,
        "recipe": asdict(recipe),
        "machine": machine(),
        "converged": sum(run["converged"] for run in runs),
        "of": len(runs),
        "runs": runs,
    }
    out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    CONSOLE.print(f"{report['converged']} of {report['of']} converged")


if __name__ == "__main__":
    typer.run(main)
