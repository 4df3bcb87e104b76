"""Train a network on simulated or recorded images and leave a model package."""

from __future__ import annotations

import hashlib
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch import nn

import streamer
from streamer.apps.train_options import Lesson, Tick, TrainOptions, require_consistent
from streamer.apps.train_packages import architecture_of, guide_of, package_notes, start_of
from streamer.apps.train_recorded import noisy_lesson, pair_lesson
from streamer.apps.train_search import search_recipe
from streamer.apps.train_simulated import simulated_lesson
from streamer.engines.cpu import cpu_name, instruction_set
from streamer.errors import UsageError
from streamer.networks import build, size_multiple
from streamer.package import ModelPackage
from streamer.training import History, Progress, Recipe, Rhythm, Trained, export_package, fit, load_network
from streamer.training.checkpoint import stored_steps
from streamer.training.export import PACKAGE_FILES
from streamer.training.optimise import initialise
from streamer.training.recipe import DENOISERS, Architecture

#: Size of the second head's training, in updates for each of the network's.
UNCERTAINTY_SHARE = 0.15
#: Where a training is kept until its package stands.
CHECKPOINT = "checkpoint.pt"
#: Steps timed before a training of so many minutes is given its number of steps.
TIMED_STEPS = 8

__all__ = ["TrainOptions", "train"]


def train(
    options: TrainOptions,
    recipe: Recipe,
    command: str,
    tick: Tick = lambda *_: None,
    note: Callable[[str], None] = lambda _: None,
) -> dict[str, object]:
    """Gather what is learned from, train, judge and export; returns the scores.

    `command` is what a user types to repeat it, for the model card; `tick(stage, done, total, words)` tells
    how far it is, `note(line)` what the user should know. A checkpoint lies in the folder until the package
    stands: the same call goes on from it. Equal recipes give equal weights on one kind of machine.

    Errors: UsageError for options that do not go together, or a folder that cannot be made;
    SourceError for images that cannot be used; PackageError for an unusable package;
    RunError where the training diverges.
    """
    require_consistent(options, recipe)
    guide, start = guide_of(options), start_of(options)
    device = _device(options, recipe)
    if options.threads:
        torch.set_num_threads(options.threads)
    if start:
        digest = _weights_sha256(start)[:16]
        recipe = replace(recipe, start=f"{start.id} {digest}", architecture=_architecture_name(start))
    architecture = architecture_of(options, recipe, start)
    begin = partial(_begin, architecture, start)
    _make_folder(options.out)
    if (options.out / CHECKPOINT).exists():
        note(f"going on from {options.out / CHECKPOINT}")
    for line in package_notes(options):
        note(line)
    lesson = _lesson(options, recipe, guide, tick)
    for line in lesson.notes:
        note(line)
    if options.search:
        chosen, trials = search_recipe(options, lesson, begin, device, tick)
        lesson = lesson.under(chosen)
        note(f"the search chose {_differences(chosen, trials.base)}")
    network = begin(lesson.recipe)
    lesson = lesson.under(_with_steps(options, lesson, network, device))
    history = History()
    best = _fit(options, lesson, network, history, device, tick)
    finished = lesson.finish(best, architecture, tick)
    scores = lesson.judge(finished.network, tick)
    trained = Trained(
        kind=options.kind,
        architecture=finished.architecture,
        network=finished.network,
        recipe=lesson.recipe,
        data=finished.story,
        command=command if options.minutes is None else f"{command} --steps {lesson.recipe.steps}",
        made_with=_made_with(history, device, guide, start),
        scores=scores,
        history=history,
        segmenter=options.segmenter,
    )
    tick("writing the package", 0, 1, "")
    export_package(options.out, trained, lesson.test_input(size_multiple(architecture)))
    (options.out / CHECKPOINT).unlink(missing_ok=True)
    tick("writing the package", 1, 1, "")
    return scores


def _make_folder(out: Path) -> None:
    """Make the package's folder, before anything that takes long.

    Errors: UsageError where that cannot be, nothing can be written there, or something would be overwritten.
    """
    # With a checkpoint what lies there is of a training that goes on.
    taken = [name for name in PACKAGE_FILES if (out / name).exists() and not (out / CHECKPOINT).exists()]
    if "bioimageio.yaml" in taken:
        raise UsageError(f"--out {out}: holds a trained package; name another folder, or move it away")
    if taken:
        raise UsageError(
            f"--out {out}: holds {', '.join(taken)}, which the package would overwrite; name another folder"
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / "checkpoint.partial").touch()
        (out / "checkpoint.partial").unlink()
    except OSError as error:
        problem = "is a file" if out.is_file() else f"cannot be written ({error.strerror})"
        raise UsageError(f"--out {out}: {problem}; name another folder") from None


def _lesson(options: TrainOptions, recipe: Recipe, guide: ModelPackage | None, tick: Tick) -> Lesson:
    if options.source == "pairs":
        return pair_lesson(options, recipe, tick)
    if options.source == "noisy":
        return noisy_lesson(options, recipe, tick)
    return simulated_lesson(options, recipe, guide, tick)


def _architecture_name(start: ModelPackage) -> Architecture:
    """What a user would have typed for the package's architecture."""
    stated = start.config.architecture
    if stated["name"] == "unet-rcan":
        return "unet-rcan-7" if stated.get("kernel") == 7 else "unet-rcan"
    if stated["name"] == "care-unet":
        return "care-unet"
    return "live-small" if stated.get("widths") == DENOISERS["live-small"]["widths"] else "live"


def _begin(architecture: Mapping[str, object], start: ModelPackage | None, recipe: Recipe) -> nn.Module:
    """The network before its first step."""
    torch.manual_seed(recipe.seed)
    network = build(architecture)
    initialise(network, recipe.initialiser)
    if start:
        weights, own = load_network(start).state_dict(), network.state_dict()
        network.load_state_dict({name: weights[name] for name in own})
    return network


def _device(options: TrainOptions, recipe: Recipe) -> torch.device:
    """Where to compute.

    Errors: UsageError where there is no such device, or it lacks the precision.
    """
    found = torch.cuda.is_available()
    if options.device == "cuda" and not found:
        raise UsageError("--device cuda: PyTorch finds no NVIDIA GPU here; use --device cpu")
    device = torch.device("cpu" if options.device == "cpu" or not found else "cuda")
    if recipe.precision == "f16" and device.type == "cpu":
        raise UsageError("--precision f16: needs an NVIDIA GPU; use bf16 or f32")
    return device


def _with_steps(options: TrainOptions, lesson: Lesson, network: nn.Module, device: torch.device) -> Recipe:
    """The recipe with its number of steps: as told, of the checkpoint, or as many as fit the minutes."""
    recipe = lesson.recipe
    if options.minutes is not None:
        before = stored_steps(options.out / CHECKPOINT, options.minutes)
        steps = before or _steps_within(options.minutes, lesson, network, device)
        recipe = replace(recipe, steps=steps, minutes=options.minutes)
    if options.wants_uncertainty(recipe):
        recipe = replace(recipe, uncertainty_steps=max(1, round(UNCERTAINTY_SHARE * recipe.steps)))
    return recipe


def _steps_within(minutes: float, lesson: Lesson, network: nn.Module, device: torch.device) -> int:
    """How many steps fit, from a few that are timed and thrown away; judgements come on top."""
    network = network.to(device).train()
    seconds = []
    for step in range(TIMED_STEPS):
        started = time.monotonic()
        loss = lesson.loss(network, lesson.examples.batch(step).to(device))
        torch.autograd.backward(loss)
        float(loss.detach())  # waits for the device
        seconds.append(time.monotonic() - started)
    network.zero_grad()
    return max(1, int(minutes * 60 / median(seconds)))


def _fit(
    options: TrainOptions,
    lesson: Lesson,
    network: nn.Module,
    history: History,
    device: torch.device,
    tick: Tick,
) -> nn.Module:
    """The trained network."""

    def report(progress: Progress) -> None:
        scores = ", ".join(f"{name} {value:.3f}" for name, value in progress.scores.items())
        words = f"loss {progress.loss:.3f}, {scores}" if scores else ""
        tick("training", progress.step, lesson.recipe.steps, words)

    rhythm = Rhythm(every=options.every, checkpoint=options.out / CHECKPOINT)
    return fit(
        network, lesson.examples, lesson.loss, lesson.recipe, rhythm, report, history=history, device=device
    )


def _differences(chosen: Recipe, base: Recipe) -> str:
    """What a search changed, in words."""
    apart = ("steps", "minutes", "uncertainty_steps")
    before = asdict(base)
    changed = {
        name: value for name, value in asdict(chosen).items() if value != before[name] and name not in apart
    }
    return ", ".join(f"{name} {value}" for name, value in changed.items()) or "the options as they were"


def _made_with(
    history: History, device: torch.device, guide: ModelPackage | None, start: ModelPackage | None
) -> dict[str, str]:
    """Versions, machine, and how long it took."""
    packages = {"denoiser": guide, "started from": start}
    named = {
        role: f"{package.id}, weights.pt sha256 {_weights_sha256(package)}"
        for role, package in packages.items()
        if package
    }
    card = {"graphics card": torch.cuda.get_device_name(device)} if device.type == "cuda" else {}
    return {
        "scope-streamer": streamer.__version__,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "processor": f"{cpu_name()} ({instruction_set()}), {torch.get_num_threads()} threads",
        **card,
        "minutes of training": f"{history.seconds / 60:.1f}",
        **named,
    }


def _weights_sha256(package: ModelPackage) -> str:
    weights = package.description.weights.pytorch_state_dict
    return hashlib.sha256(package.read(weights)).hexdigest() if weights else "none"
