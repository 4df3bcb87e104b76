"""`streamer train`: make a model package from simulated specimens."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from streamer.cli import options
from streamer.errors import UsageError


def train(
    kind: Annotated[Literal["denoiser", "segmenter"], typer.Option(help="What to train.")],
    out: Annotated[Path, typer.Option(help="Folder of the model package to write.")],
    seed: Annotated[int, typer.Option(min=0, help="Of weights, specimens and noise.")] = 1,
    steps: Annotated[int | None, typer.Option(min=1, help="Updates of the weights.")] = None,
    minutes: Annotated[float | None, typer.Option(min=0.01, max=1e5, help="Train so long instead.")] = None,
    denoiser: Annotated[
        str | None, typer.Option(help="Id or folder of the denoiser whose output a segmenter reads.")
    ] = None,
    segmenter: Annotated[str | None, typer.Option(help="Id of the segmenter a denoiser goes with.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Patches in one update.")] = None,
    patch_px: Annotated[int | None, typer.Option(min=32, help="Height and width of a patch.")] = None,
    fields: Annotated[int | None, typer.Option(min=1, help="Simulated fields to learn from.")] = None,
    field_px: Annotated[int | None, typer.Option(min=64, help="Height and width of a field.")] = None,
    learning_rate: Annotated[float | None, typer.Option(min=1e-6, max=0.1, help="Its peak.")] = None,
    test_frames: Annotated[int, typer.Option(min=2, help="Frames of the final judgement.")] = 16,
    threads: Annotated[int | None, typer.Option(min=1, help="Of PyTorch; default its own choice.")] = None,
    every: Annotated[int, typer.Option(min=1, help="Steps between judgements and checkpoints.")] = 500,
    as_json: options.Json = False,
) -> None:
    """Train a network on simulated specimens and write its model package.

    Interrupted, the same command goes on from the checkpoint in the folder.

    Examples:
      streamer train --kind denoiser --out my-denoiser --minutes 30
      streamer train --kind segmenter --denoiser my-denoiser --out my-segmenter --minutes 10
    """
    from streamer.apps.train import TrainOptions
    from streamer.apps.train import train as run_training
    from streamer.training import Recipe

    if steps is not None and minutes is not None:
        raise UsageError(f"--steps {steps} --minutes {minutes:g}: each says how long; give one of them")
    settings = {
        "steps": steps,
        "batch": batch,
        "patch_px": patch_px,
        "fields": fields,
        "field_px": field_px,
        "learning_rate": learning_rate,
    }
    chosen: dict[str, Any] = {name: value for name, value in settings.items() if value is not None}
    wanted = TrainOptions(
        kind=kind,
        out=out,
        minutes=minutes,
        denoiser=denoiser,
        segmenter=segmenter,
        test_frames=test_frames,
        threads=threads,
        every=every,
    )
    told = {"kind": kind, "out": out, "seed": seed, "denoiser": denoiser, "segmenter": segmenter, **chosen}
    with _progress(options.console(as_json)) as tick, _resumable(out):
        scores = run_training(wanted, replace(Recipe(seed=seed), **chosen), _command(told), tick)
    typer.echo(json.dumps(scores, indent=2))


def _command(told: Mapping[str, object]) -> str:
    """What a user types to do the same again; of folders the name, whose place is nobody else's business."""
    words = {name: Path(str(value)).name for name, value in told.items() if value is not None}
    flags = (f"--{name.replace('_', '-')} {value}" for name, value in words.items())
    return f"streamer train {' '.join(flags)}"


@contextmanager
def _resumable(out: Path) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(f"interrupted; the same command goes on from the newest checkpoint in {out}", err=True)
        raise typer.Exit(options.EXIT_CTRL_C) from None


@contextmanager
def _progress(console: Console) -> Iterator[Any]:
    """One bar a stage with the time left, and a line for each judgement, which a log file gets too."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=console) as progress:

        def tick(stage: str, done: int, total: int, words: str) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=total)
            progress.update(tasks[stage], completed=done)
            if words:
                console.print(f"{stage} {done}/{total}: {words}", highlight=False)

        yield tick
