"""Train a network on simulated specimens and leave a model package."""

from __future__ import annotations

import hashlib
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

import streamer
from streamer.engines.cpu import cpu_name, instruction_set
from streamer.errors import UsageError
from streamer.networks import build
from streamer.package import ModelPackage, load_package
from streamer.simulation import Exposure
from streamer.simulation.sampling import Split
from streamer.training import (
    ARCHITECTURES,
    Field,
    History,
    Kind,
    Progress,
    Recipe,
    Rhythm,
    Trained,
    denoiser_task,
    export_package,
    fit,
    judge_denoiser,
    judge_segmenter,
    load_network,
    low_dose_exposures,
    make_fields,
    segmenter_task,
)
from streamer.training.describe import size_multiple
from streamer.training.loop import Loss, Score
from streamer.training.tasks import predict

#: Seed of the test specimens: the same for every model, so that two cards can be compared.
TEST_SEED = 77
#: Height and width of the test tensors.
TEST_TENSOR_PX = 256
#: Steps timed before a training of so many minutes is given its number of steps.
TIMED_STEPS = 8

Tick = Callable[[str, int, int, str], None]
Scores = Mapping[str, object]


def _require_patches_that_fit(kind: Kind, recipe: Recipe) -> None:
    multiple = size_multiple(ARCHITECTURES[kind])
    if recipe.patch_px % multiple or recipe.patch_px > recipe.field_px:
        raise UsageError(
            f"--patch-px {recipe.patch_px}: use a multiple of {multiple}, "
            f"at most --field-px {recipe.field_px}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """What the user asked for beyond the recipe.

    Attributes:
        kind: denoiser or segmenter.
        out: folder of the package; made, or overwritten file by file.
        minutes: train for about so long instead of `recipe.steps`.
        denoiser: package of the denoiser whose output a segmenter learns to read: an id or a folder.
        segmenter: id of the segmenter that a denoiser's package names as its partner.
        test_frames: whole frames of the test range in the final judgement.
        threads: of PyTorch; None leaves its own choice.
        every: steps between judgements and checkpoints.
    """

    kind: Kind
    out: Path
    minutes: float | None = None
    denoiser: str | None = None
    segmenter: str | None = None
    test_frames: int = 16
    threads: int | None = None
    every: int = 500


def train(
    options: TrainOptions, recipe: Recipe, command: str, tick: Tick = lambda *_: None
) -> dict[str, object]:
    """Simulate, train, judge and export; returns the scores on the test range.

    `command` is what a user types to repeat it, for the model card; `tick(stage, done, total, words)` tells
    how far it is. A checkpoint lies in the folder until the package stands: the same call goes on from it.
    Equal recipes give equal weights on one kind of machine.

    Errors: UsageError for options that do not fit; PackageError for an unusable denoiser; RunError where
    the training diverges.
    """
    _require_patches_that_fit(options.kind, recipe)
    guide = _guide(options)
    if options.threads:
        torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    loss, score = _task(options, recipe, guide, tick)
    torch.manual_seed(recipe.seed)
    network = build(ARCHITECTURES[options.kind])
    if options.minutes is not None:
        recipe = replace(recipe, steps=_steps_within(options.minutes, network, loss))
        command = f"{command} --steps {recipe.steps}"
    history = History()

    def report(progress: Progress) -> None:
        history.add(progress)
        scores = ", ".join(f"{name} {value:.3f}" for name, value in progress.scores.items())
        words = f"loss {progress.loss:.3f}, {scores}" if scores else ""
        tick("training", progress.step, recipe.steps, words)

    checkpoint = options.out / "checkpoint.pt"
    started = time.monotonic()
    best = fit(network, recipe, loss, score, Rhythm(every=options.every, checkpoint=checkpoint), report)
    made_with = _made_with((time.monotonic() - started) / 60, guide)
    tick("judging", 0, 1, f"{options.test_frames} frames")
    exposures = low_dose_exposures(options.test_frames, TEST_SEED, recipe.field_px)
    scores = _judge(best, exposures, guide)
    trained = Trained(
        kind=options.kind,
        architecture=ARCHITECTURES[options.kind],
        network=best,
        recipe=recipe,
        command=command,
        made_with=made_with,
        scores=scores,
        history=history,
        segmenter=options.segmenter,
    )
    export_package(options.out, trained, _test_input(exposures[0], guide))
    checkpoint.unlink(missing_ok=True)
    tick("judging", 1, 1, "")
    return dict(scores)


def _guide(options: TrainOptions) -> ModelPackage | None:
    """The denoiser that a segmenter learns behind."""
    if options.kind == "denoiser":
        if options.denoiser is not None:
            raise UsageError(f"--denoiser {options.denoiser}: is for --kind segmenter; leave it out")
        return None
    if options.segmenter is not None:
        raise UsageError(f"--segmenter {options.segmenter}: is for --kind denoiser; leave it out")
    if options.denoiser is None:
        raise UsageError("--kind segmenter: reads a denoiser's output; name its package with --denoiser")
    return load_package(options.denoiser).require("denoiser")


def _task(
    options: TrainOptions, recipe: Recipe, guide: ModelPackage | None, tick: Tick
) -> tuple[Loss, Score]:
    """Simulate the fields, and say what is learned from them."""
    fields = _simulate("train", recipe, recipe.fields, tick)
    validation = _simulate("validation", recipe, recipe.validation_fields, tick)
    if guide is None:
        return denoiser_task(fields, validation, recipe)
    return segmenter_task(load_network(guide), fields, validation, recipe)


def _simulate(split: Split, recipe: Recipe, count: int, tick: Tick) -> tuple[Field, ...]:
    fields = []
    for field in make_fields(split, recipe, count):
        fields.append(field)
        tick(f"simulating {split} fields", len(fields), count, "")
    return tuple(fields)


def _steps_within(minutes: float, network: nn.Module, loss: Loss) -> int:
    """How many steps fit, from a few that are timed and thrown away; judgements come on top."""
    seconds = []
    for step in range(TIMED_STEPS):
        started = time.monotonic()
        torch.autograd.backward(loss(network, step))
        seconds.append(time.monotonic() - started)
    network.zero_grad()
    return max(1, int(minutes * 60 / median(seconds)))


def _judge(network: nn.Module, exposures: tuple[Exposure, ...], guide: ModelPackage | None) -> Scores:
    if guide is None:
        return judge_denoiser(network, exposures, TEST_SEED)
    return judge_segmenter(load_network(guide), network, exposures, TEST_SEED)


def _test_input(exposure: Exposure, guide: ModelPackage | None) -> NDArray[np.float32]:
    """[y, x] the middle of a test frame; for a segmenter as its denoiser gives it."""
    photons = exposure.counts.astype(np.float32)
    shown = predict(load_network(guide), photons) if guide else photons
    size = min(TEST_TENSOR_PX, *(length // 32 * 32 for length in shown.shape))
    top, left = ((length - size) // 2 for length in shown.shape)
    return np.ascontiguousarray(shown[top : top + size, left : left + size])


def _made_with(minutes: float, guide: ModelPackage | None) -> dict[str, str]:
    """Versions and machine; `minutes` of this call alone, where it went on from a checkpoint."""
    learned_behind = {"denoiser": f"{guide.id}, weights.pt sha256 {_weights_sha256(guide)}"} if guide else {}
    return {
        "scope-streamer": streamer.__version__,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "processor": f"{cpu_name()} ({instruction_set()}), {torch.get_num_threads()} threads",
        "minutes of training": f"{minutes:.1f}",
        **learned_behind,
    }


def _weights_sha256(package: ModelPackage) -> str:
    weights = package.description.weights.pytorch_state_dict
    return hashlib.sha256(package.read(weights)).hexdigest() if weights else "none"
