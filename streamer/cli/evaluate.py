"""`streamer evaluate`: how good a denoiser is, in a table with intervals."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table

from streamer.cli import options
from streamer.errors import UsageError

_CAPTION = "in brackets: 95 % interval over frames; none: frames without a value"


def evaluate(
    models: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL]...", help="Denoisers: ids or folders.")
    ] = None,
    simulate: Annotated[
        str | None, typer.Option(help="Structures of held-out specimens, as er,puncta; default the card's.")
    ] = None,
    pairs: Annotated[
        Path | None, typer.Option(help="Folder with low/ and high/ images instead of specimens.")
    ] = None,
    predicted: Annotated[Path | None, typer.Option(help="Images that any method predicted.")] = None,
    truth: Annotated[Path | None, typer.Option(help="What --predicted should show.")] = None,
    levels: Annotated[
        str | None, typer.Option(help="Median photon sums of foreground 10x10 boxes, as 9.3,28,84.")
    ] = None,
    frames: Annotated[int | None, typer.Option(help="Specimens; default as the model card.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Default that of the model card.")] = None,
    size_px: Annotated[int | None, typer.Option(help="Height and width of a field.")] = None,
    profile: Annotated[
        str | None, typer.Option(help="Hardware profile that makes photons of grey levels of --pairs.")
    ] = None,
    offset: Annotated[float | None, typer.Option(help="Grey level of no light.")] = None,
    gain: Annotated[float | None, typer.Option(min=1e-6, help="Photons per grey level.")] = None,
    pixel_nm: Annotated[
        float | None, typer.Option(help="Pixel size of --pairs and --predicted; default the profile's.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for tables (CSV, JSON) and pictures.")] = None,
    engine: options.Engine = "auto",
    precision: options.Precision = "f32",
    threads: options.Threads = None,
    as_json: options.Json = False,
) -> None:
    """Judge denoisers on held-out simulated specimens, on recorded pairs, or on images.

    Without options it repeats the judgement of the first model's card. What each number means:
    docs/evaluating.md.

    Examples:
      streamer evaluate er-denoise-live
      streamer evaluate my-denoiser er-denoise-live --levels 9.3,28,84 --out evaluation
      streamer evaluate my-denoiser --pairs pairs --offset 100 --gain 0.5 --pixel-nm 20
      streamer evaluate --predicted predicted.tif --truth truth.tif --pixel-nm 20
    """
    from streamer.apps.evaluate import EvaluateOptions
    from streamer.apps.evaluate import evaluate as run_evaluation

    wanted = EvaluateOptions(
        models=tuple(models or ()),
        structures=tuple(part.strip() for part in simulate.split(",")) if simulate else (),
        levels=_numbers(levels),
        frames=frames,
        seed=seed,
        size_px=size_px,
        pairs=pairs,
        predicted=predicted,
        truth=truth,
        profile=profile,
        offset_adu=offset,
        gain_e_per_adu=gain,
        pixel_nm=pixel_nm,
        out=out,
        engine=engine,
        precision=precision,
        threads=threads,
    )
    console = options.console(as_json)
    with _progress(console) as tick:
        evaluation = run_evaluation(wanted, tick)
    if as_json:
        typer.echo(json.dumps(evaluation, indent=1))
        return
    for level in evaluation["levels"]:
        _show(console, level, evaluation["about"])
    for line in evaluation["about"].get("refused", ()):
        console.print(f"pair left out: {line}", highlight=False)
    for line in evaluation["about"].get("notes", ()):
        console.print(line, highlight=False)
    if out is not None:
        console.print(f"tables and pictures are in {out}", highlight=False)


def _numbers(text: str | None) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(",")) if text else ()
    except ValueError:
        raise UsageError(f"--levels {text}: use numbers with commas between, as 9.3,28,84") from None


def _show(console: Console, level: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    from streamer.analysis import MEASURES

    methods: Mapping[str, Any] = level["methods"]
    first = next(iter(methods.values()))
    table = Table(title=_title(level, about, first), caption=_CAPTION)
    table.add_column("")
    for name in methods:
        table.add_column(name, justify="right", no_wrap=True)
    for name, measure in MEASURES.items():
        if any(name in report["metrics"] for report in methods.values()):
            table.add_row(measure.title, *(_cell(report, name) for report in methods.values()))
    console.print(table)
    for pair in level["comparisons"]:
        _say_comparison(console, pair)
    for name, said in level["range"].items():
        _say_range(console, name, said)
    for reason in first["absent"].values():
        console.print(reason, highlight=False)


def _title(level: Mapping[str, Any], about: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    sums = [value for value in report["median_box_sum"] if value is not None]
    dose = f", median box sum {min(sums):.3g}-{max(sums):.3g} photons" if sums else ""
    what = level["structure"] or about.get("pairs") or about.get("predicted")
    at = f", level {level['level']:g}" if level["level"] is not None else ""
    return f"{what}: {report['frames']} frames, seed {report['seed']}{at}{dose}"


def _cell(report: Mapping[str, Any], name: str) -> str:
    """Value and interval; for what has none in some frames, how many those are."""
    found = report["metrics"].get(name)
    if found is None:
        return ""
    if found["value"] is None:
        return "none"
    ends = found["interval_95"]
    words = f"{found['value']:.4g}" + (f" ({ends[0]:.3g}-{ends[1]:.3g})" if ends else "")
    return f"{words}, {found['undefined']} none" if found["undefined"] else words


def _say_comparison(console: Console, pair: Mapping[str, Any]) -> None:
    """One line for each standing, with the metrics that have it."""
    console.print(f"{pair['first']} against {pair['second']}, paired over frames:", highlight=False)
    for standing in ("better", "equal", "worse"):
        names = [name for name, found in pair["metrics"].items() if found["standing"] == standing]
        if names:
            console.print(f"  {standing}: {', '.join(names)}", highlight=False)


def _say_range(console: Console, name: str, said: Mapping[str, Any]) -> None:
    counts = ", ".join(f"{number} {status}" for status, number in said.items() if status != "words")
    words = "; ".join([counts] * bool(counts) + said["words"][:1])
    console.print(f"{name}, range guard on these frames: {words}", highlight=False)


@contextmanager
def _progress(console: Console) -> Iterator[Any]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=console, transient=True) as progress:

        def tick(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=total)
            progress.update(tasks[stage], completed=done)

        yield tick
