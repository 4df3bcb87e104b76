"""`streamer train`: make a model package from simulated or recorded images."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from streamer.cli import options
from streamer.cli import train_options as of
from streamer.errors import UsageError
from streamer.shell import quoted

#: Default peak of the learning rate of a training that goes on from a package.
FINE_TUNING_RATE = 1e-4


def train(
    told: typer.Context,
    simulate: of.Simulate = None,
    pairs: of.Pairs = None,
    low: of.Low = None,
    high: of.High = None,
    noisy: of.Noisy = None,
    method: of.Method = None,
    profile: of.Profile = None,
    offset: of.Offset = None,
    gain: of.Gain = None,
    max_shift_px: of.MaxShift = None,
    kind: of.Kind = "denoiser",
    out: of.Out = None,
    architecture: of.Architecture = "live",
    frames: of.Frames = 1,
    context: of.Context = "time",
    uncertainty: of.Uncertainty = None,
    start: of.Start = None,
    denoiser: of.Denoiser = None,
    segmenter: of.Segmenter = None,
    loss: of.Loss = "rms-edge",
    initialiser: of.Initialiser = "torch",
    clip: of.Clip = None,
    clip_by: of.ClipBy = "norm",
    l2: of.L2 = 0.0,
    learning_rate: of.Rate = None,
    batch: of.Batch = None,
    patch_px: of.Patch = None,
    fields: of.Fields = None,
    field_px: of.FieldPx = None,
    search: of.Search = 0,
    search_steps: of.SearchSteps = 300,
    seed: of.Seed = 1,
    steps: of.Steps = None,
    minutes: of.Minutes = None,
    precision: of.Precision = "bf16",
    device: of.Device = "auto",
    threads: of.Threads = None,
    test_frames: of.TestFrames = 16,
    every: of.Every = 500,
    as_json: options.Json = False,
) -> None:
    """Train a network and write its model package, with a card that says how good it is.

    It learns from simulated specimens, from pairs of a dim and a bright image of the same field, or from
    noisy images alone. Stopped at any moment, the same command goes on from the checkpoint in its folder.

    Examples:
      streamer train --simulate er --minutes 10
      streamer train --pairs recordings/ --profile my_rig --out my-denoiser
      streamer train --low dim.tif --high bright.tif --offset 100 --gain 0.46
      streamer train --noisy frames/ --offset 0 --gain 1 --method thinned
      streamer train --start er-denoise-live --pairs recordings/ --profile my_rig
      streamer train --simulate er --frames 3 --minutes 60
      streamer train --simulate er,er --frames 2 --context channels --architecture live-small
      streamer train --kind segmenter --denoiser er-denoiser --minutes 10
    """
    from streamer.apps.train import TrainOptions
    from streamer.apps.train import train as run_training
    from streamer.training import Recipe

    given = locals()
    typed = {name: given[name] for name in told.params if _is_typed(told, name)}
    if steps is not None and minutes is not None:
        raise UsageError(f"--steps {steps} --minutes {minutes:g}: each says how long; give one of them")
    _require_together(typed)
    folder = out or Path(_default_name(typed))
    recipe = Recipe(**_recipe_settings(typed))
    wanted = TrainOptions(**{**_own_settings(typed), "out": folder})
    command = _command({"out": folder, **typed})
    console = options.console(as_json)
    with _progress(console) as tick, _resumable(folder):
        scores = run_training(
            wanted, recipe, command, tick, lambda line: console.print(line, style="yellow", highlight=False)
        )
    if as_json:
        typer.echo(json.dumps(scores, indent=2))
        return
    typer.echo(f"{folder}: {_in_words(scores)}\nits card: {folder / 'README.md'}")
    if kind == "denoiser":
        typer.echo(f"next: {_next(folder, typed)}")


#: Options that are settings of the recipe, where they have another name there.
_RENAMED = {"simulate": "structures"}
_OWN_RENAMED = {"offset": "offset_adu", "gain": "gain_e_per_adu"}
#: What does not change the weights.
_NOT_IN_COMMAND = ("minutes", "threads", "every", "as_json", "device")


def _is_typed(told: typer.Context, name: str) -> bool:
    source = told.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


def _require_together(typed: Mapping[str, Any]) -> None:
    """Refuse options that say nothing without, or that contradict, another one.

    Errors: UsageError with the cure.
    """
    recorded = [name for name in ("pairs", "low", "high", "noisy") if name in typed]
    if "simulate" in typed and recorded:
        raise UsageError(f"--simulate {typed['simulate']} --{recorded[0]}: learn from one of them")
    if "method" in typed and "noisy" not in typed:
        raise UsageError(f"--method {typed['method']}: is for --noisy images; leave it out")
    if "max_shift_px" in typed and not {"pairs", "low"} & typed.keys():
        raise UsageError(f"--max-shift-px {typed['max_shift_px']:g}: is for pairs; leave it out")
    if "start" in typed and "architecture" in typed:
        raise UsageError(
            f"--start {typed['start']} --architecture: a package has its own; leave the latter out"
        )
    if "start" in typed and "initialiser" in typed:
        raise UsageError(
            f"--start {typed['start']} --initialiser: its weights are there; leave the latter out"
        )
    if "search_steps" in typed and not typed.get("search"):
        raise UsageError(f"--search-steps {typed['search_steps']}: is for --search; leave it out")
    if recorded and (idle := [name for name in ("fields", "field_px", "test_frames") if name in typed]):
        raise UsageError(f"--{idle[0].replace('_', '-')}: is for simulated specimens; leave it out")


def _default_name(typed: Mapping[str, Any]) -> str:
    """Folder of the package where none is told."""
    if typed.keys() & {"pairs", "low", "high", "noisy"}:
        return "my-denoiser"
    structures = str(typed.get("simulate", "er")).split(",")
    return f"{structures[0] if len(structures) == 1 else 'sted'}-{typed.get('kind', 'denoiser')}"


def _recipe_settings(typed: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of the recipe that were typed; fine-tuning begins more gently."""
    from streamer.training import Recipe

    named = {_RENAMED.get(name, name): value for name, value in typed.items()}
    found = {
        name: value
        for name, value in named.items()
        if name in Recipe.__dataclass_fields__ and name != "start"
    }
    found.pop("minutes", None)  # becomes a number of steps
    if "structures" in found:
        found["structures"] = tuple(part.strip() for part in found["structures"].split(","))
    return ({"learning_rate": FINE_TUNING_RATE} if "start" in typed else {}) | found


def _own_settings(typed: Mapping[str, Any]) -> dict[str, Any]:
    """What was typed beyond the recipe."""
    from streamer.apps.train import TrainOptions

    named = {_OWN_RENAMED.get(name, name): value for name, value in typed.items()}
    found = {name: value for name, value in named.items() if name in TrainOptions.__dataclass_fields__}
    return found | ({"noisy": tuple(found["noisy"])} if "noisy" in found else {})


def _command(told: Mapping[str, Any]) -> str:
    """What a user types to do the same again; of folders the name, whose place is nobody else's business."""
    words = []
    for name, value in told.items():
        flag = name.replace("_", "-")
        if name in _NOT_IN_COMMAND:
            continue
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
            continue
        words += [
            f"--{flag} {quoted(Path(str(each)).name)}" for each in (value if name == "noisy" else [value])
        ]
    return f"streamer train {' '.join(words)}"


def _in_words(scores: Mapping[str, Any]) -> str:
    """The main figure of a judgement."""
    if "structures" in scores:
        return "; ".join(
            f"{name} {report['gain_db']:+.2f} dB PSNR over the raw frames"
            for name, report in scores["structures"].items()
        )
    if "iou" in scores:
        return ", ".join(f"{name} {value:.3f}" for name, value in scores["iou"].items()) + " (IoU)"
    if "noise_removed" in scores:
        removed = scores["noise_removed"]
        return f"{removed:.1%} of the noise removed" if removed >= 0 else "more noise than in the raw images"
    shown = {"gain_db": "dB PSNR over the low-dose frames"}
    return ", ".join(
        f"{value:.3g} {shown.get(name, name.replace('_', ' '))}"
        for name, value in scores.items()
        if name in (*shown, "variance_explained")
    )


def _next(folder: Path, typed: Mapping[str, Any]) -> str:
    """The command that judges the model, on images of its own kind."""
    if typed.get("context") == "channels":
        return f"streamer replay RECORDING --profile PROFILE --model {quoted(folder)} (of as many channels)"
    judge = f"streamer evaluate {quoted(folder)}"
    if not typed.keys() & {"pairs", "low", "noisy"}:
        return judge
    photons = "".join(
        f" --{name} {quoted(typed[name])}" for name in ("profile", "offset", "gain") if name in typed
    )
    if "profile" not in typed:
        photons += " --pixel-nm NM"
    pairs = typed.get("pairs") or _folder_of_pairs(typed)
    if pairs:
        return f"{judge} --pairs {quoted(pairs)}{photons}"
    missing = (
        "noisy images hold no truth to judge by; pairs do" if "noisy" in typed else "pairs in one folder"
    )
    return f"{judge} --pairs FOLDER{photons} ({missing}: FOLDER/low, FOLDER/high)"


def _folder_of_pairs(typed: Mapping[str, Any]) -> Path | None:
    """What `--pairs` would call the two folders; None where they do not lie so."""
    low, high = typed.get("low"), typed.get("high")
    if not (isinstance(low, Path) and isinstance(high, Path)):
        return None
    so = low.parent == high.parent and (low.name, high.name) == ("low", "high")
    return low.parent if so and low.is_dir() and high.is_dir() else None


@contextmanager
def _resumable(out: Path) -> Iterator[None]:
    """Ctrl-C, or being asked to terminate, ends with exit code 130; a checkpoint is at most a minute old."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        kept = (out / "checkpoint.pt").exists()
        words = (
            f"goes on from the newest checkpoint in {out}" if kept else "starts anew, no step was stored yet"
        )
        typer.echo(f"interrupted; the same command {words}", err=True)
        raise typer.Exit(options.EXIT_CTRL_C) from None


@contextmanager
def _progress(console: Console) -> Iterator[Callable[[str, int, int, str], None]]:
    """One bar a stage with the time left, and a line for each judgement, which a log file gets too."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=console) as progress:

        def tick(stage: str, done: int, total: int, words: str) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=total)
            progress.update(tasks[stage], completed=done, total=total)
            if words:
                console.print(f"{stage} {done}/{total}: {words}", highlight=False)

        yield tick
