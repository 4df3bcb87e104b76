"""Short runs that look for good options before a training, ranked by the paper's total score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn

from streamer.analysis import judge_images
from streamer.apps.train_options import Lesson, Tick, TrainOptions
from streamer.errors import RunError
from streamer.networks import size_multiple
from streamer.training import Recipe, Rhythm, fit
from streamer.training.search import PAPER, Metrics, Options, Trials, narrowed, search

#: Makes the network that a run begins from.
Begin = Callable[[Recipe], nn.Module]


def search_recipe(
    options: TrainOptions, lesson: Lesson, begin: Begin, device: torch.device, tick: Tick
) -> tuple[Recipe, Trials]:
    """The best recipe of `options.search` short runs, with the steps of the lesson's own, and all runs.

    The table lies in the package's folder; an interrupted search goes on.

    Errors: RunError where every run diverged.
    """
    base = replace(lesson.recipe, steps=options.search_steps, minutes=None, uncertainty_steps=0)

    def train_once(recipe: Recipe) -> Metrics:
        trial = lesson.under(recipe)
        network = fit(
            begin(recipe), trial.examples, trial.loss, recipe, Rhythm(every=recipe.steps), device=device
        )
        return _metrics(trial, network)

    def report(trials: Trials) -> None:
        best, total = trials.ranked()[0]
        words = f"best so far run {best.number}, total score {total:.3f}"
        tick("searching", len(trials.runs), options.search, words)

    space = narrowed(PAPER, lambda settings: _fits(options, lesson.recipe, settings))
    trials = search(train_once, base, options.search, options.out / "search", base.seed, report, space=space)
    best = trials.best(1)
    if not best:
        raise RunError(f"all {options.search} runs of the search diverged; see {options.out}/search")
    kept = lesson.recipe
    return replace(
        best[0], steps=kept.steps, minutes=kept.minutes, uncertainty_steps=kept.uncertainty_steps
    ), trials


def _metrics(lesson: Lesson, network: nn.Module) -> Metrics:
    predictions, references, pixel_nm = lesson.validate(network)
    if len(predictions) == 1:  # an interval needs two; the values do not
        predictions, references = predictions * 2, references * 2
    found = judge_images(predictions, references, pixel_nm, lesson.recipe.seed)["metrics"]
    values = {name: found[name]["value"] for name in ("ssim", "mae", "frc_nm")}
    known = {name: float("nan") if value is None else float(value) for name, value in values.items()}
    return Metrics(ssim=known["ssim"], mae=known["mae"], resolution_nm=known["frc_nm"])


def _fits(options: TrainOptions, recipe: Recipe, settings: Options) -> bool:
    """Whether a run with these settings could be trained on these data."""
    patch_px = settings.get("patch_px", recipe.patch_px)
    multiple = size_multiple(options.architecture(recipe))
    if options.source == "simulated" and patch_px > recipe.field_px:
        return False
    return bool(patch_px % multiple == 0)
