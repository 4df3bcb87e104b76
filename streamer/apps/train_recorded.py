"""Learning from recorded images: pairs of two doses, or noisy images alone."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import median

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from streamer.apps.train_options import Finished, Images, Lesson, Tick, TrainOptions, middle
from streamer.core import Calibration
from streamer.errors import UsageError
from streamer.networks import size_multiple
from streamer.profile import load_profile
from streamer.training import Batch, DataStory, Examples, Recipe, batch_loss
from streamer.training.evaluate import as_denoise, judge_pairs
from streamer.training.images import DaySource, Image, read_images
from streamer.training.noise2void import BlindSpotExamples
from streamer.training.pairing import (
    Pair,
    Pairing,
    dose_folders,
    read_pairs,
    require_aligned,
    shifts_in_words,
)
from streamer.training.pairs import PairExamples, foreground_box_sum
from streamer.training.rescale import Rescale, apply_scale, fit_rescale
from streamer.training.split import Split, counted, split_by_day
from streamer.training.tasks import expected
from streamer.training.thinned import ThinnedExamples

#: Training pairs on whose predictions the scale is fitted, at most, evenly spread.
RESCALE_PAIRS = 32
#: Pairs below which a training is told to be a poor one (the paper had 1764).
FEW = 20

_Image = NDArray[np.float32]


def calibration_of(options: TrainOptions) -> Calibration:
    """What turns the images' grey levels into photons; nothing is guessed.

    Errors: UsageError where it is not told.
    """
    offset, gain = options.offset_adu, options.gain_e_per_adu
    if options.profile is not None:
        if gain is not None:
            raise UsageError(f"--profile {options.profile} --gain {gain:g}: each states the gain; give one")
        known = load_profile(options.profile).calibration()
        if known is None:
            raise UsageError(
                f"--profile {options.profile}: states no [detector.calibration]; give --offset and --gain"
            )
        return known if offset is None else replace(known, offset_adu=offset)
    if offset is None or gain is None:
        raise UsageError(
            "grey levels are not photons: give --profile, or --offset and --gain "
            "(--offset 0 --gain 1 for a detector that counts photons)"
        )
    return Calibration(offset_adu=offset, gain_e_per_adu=gain)


def pair_lesson(options: TrainOptions, recipe: Recipe, tick: Tick) -> Lesson:
    """Read, register and split pairs.

    Errors: SourceError for images that cannot be used; UsageError for what is not told.
    """
    pairing = _read_pairs(options, tick)
    pairs, refused = pairing.pairs, pairing.refused
    split = split_by_day([pair.day for pair in pairs], recipe.seed)
    training, validation = ([pairs[index] for index in side] for side in (split.training, split.validation))
    multiple = size_multiple(options.architecture(recipe))
    probe = PairExamples(training, recipe, validation, multiple=multiple)
    _require_brighter(probe.ratio, options)
    recipe = replace(recipe, data=_digest([p.low for p in pairs] + [p.high for p in pairs]))
    notes = [
        *_notes(len(pairs), "pair", split),
        shifts_in_words(pairs),
        *(f"left out: {line}" for line in refused),
    ]
    return _PairLesson(
        options=options,
        recipe=replace(recipe, box_sum=probe.box_sums),
        training=tuple(training),
        validation=tuple(validation),
        split=split,
        notes=tuple(notes),
        days_from=_days_from([pair.day_from for pair in pairs]),
        refused=refused,
    )


def noisy_lesson(options: TrainOptions, recipe: Recipe, tick: Tick) -> Lesson:
    """Read and split noisy images.

    Errors: SourceError for images that cannot be used; UsageError for what is not told or fits no method.
    """
    calibration, floats = calibration_of(options), options.gain_e_per_adu is not None
    images: list[Image] = []
    for number, path in enumerate(options.noisy):
        images += read_images(path, calibration, floats=floats)
        tick("reading", number + 1, len(options.noisy), "")
    split = split_by_day([image.day for image in images], recipe.seed)
    training, validation = (
        tuple(images[index].photons for index in side) for side in (split.training, split.validation)
    )
    levels = [foreground_box_sum(image, image) for image in training]
    return _NoisyLesson(
        options=options,
        recipe=replace(
            recipe,
            data=_digest([image.photons for image in images]),
            box_sum=(float(np.nanmin(levels)), float(np.nanmax(levels))),
        ),
        training=training,
        validation=validation,
        split=split,
        notes=tuple(_notes(len(images), "image", split)),
        days_from=_days_from([image.day_from for image in images]),
    )


@dataclass(frozen=True, kw_only=True)
class _PairLesson:
    """A high-dose frame is the target of a low-dose frame."""

    options: TrainOptions
    recipe: Recipe
    training: tuple[Pair, ...]
    validation: tuple[Pair, ...]
    split: Split
    notes: tuple[str, ...]
    days_from: str
    refused: tuple[str, ...]

    @cached_property
    def examples(self) -> PairExamples:
        multiple = size_multiple(self.options.architecture(self.recipe))
        return PairExamples(self.training, self.recipe, self.validation, multiple=multiple)

    def under(self, recipe: Recipe) -> Lesson:
        return replace(self, recipe=recipe)

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        return batch_loss(network, batch, self.recipe)

    def finish(self, network: nn.Module, architecture: Mapping[str, object], tick: Tick) -> Finished:
        every = -(-len(self.examples.training) // RESCALE_PAIRS)
        chosen = self.examples.training[::every]
        found = fit_rescale(
            [expected(network, pair.photons) for pair in chosen], [pair.target for pair in chosen]
        )
        found = replace(found, applied=apply_scale(network, found.scale))
        tick("fitting its scale", 1, 1, "")
        return Finished(network=network, architecture=architecture, story=self._story(found, len(chosen)))

    def judge(self, network: nn.Module, tick: Tick) -> dict[str, object]:
        return judge_pairs(as_denoise(network, 1), self.examples.validation)

    def validate(self, network: nn.Module) -> tuple[Images, Images, float]:
        pairs = self.examples.validation
        profile = self.options.profile
        pixel_nm = (load_profile(profile).pixel_nm if profile else None) or 1.0
        return [expected(network, pair.photons) for pair in pairs], [pair.target for pair in pairs], pixel_nm

    def test_input(self, multiple: int) -> _Image:
        return middle(self.examples.validation[0].photons[None], multiple)

    def _story(self, rescale: Rescale, fitted_on: int) -> DataStory:
        pairs = [*self.training, *self.validation]
        shifts = [pair.shift.px for pair in pairs]
        ratio = self.examples.ratio
        scale = "its weights hold it" if rescale.applied else "not applied, its last layer cannot hold it"
        words = (
            f"{counted(len(self.training), 'recorded pair')} to learn from, "
            f"{len(self.validation)} to judge by; " + _days(self.split, self.days_from),
            f"{ratio:.1f} times as many photons at high dose; targets are brought to the low dose by it",
            f"{shifts_in_words(pairs)}; left out: {counted(len(self.refused), 'pair')}",
            f"one scale for the model, {rescale.scale:.4f}, fitted on "
            f"{counted(fitted_on, 'training pair')} within the 1st-99th percentile "
            f"({scale}); an offset beside it would be {rescale.fitted_offset:.4f}",
        )
        facts = {
            "training": len(self.training),
            "validation": len(self.validation),
            "days": self.split.days,
            "split_by": self.split.by,
            "days_from": self.days_from,
            "dose_ratio": round(ratio, 3),
            "shift_px": {"median": round(median(shifts), 3), "largest": round(max(shifts), 3)},
            "left_out": list(self.refused),
            "scale": round(rescale.scale, 5),
            "scale_applied": rescale.applied,
            "fit_with_offset": [round(rescale.fitted_scale, 5), round(rescale.fitted_offset, 5)],
        }
        return DataStory(source="pairs", words=words, facts=facts, box_sum=self.recipe.box_sum)


@dataclass(frozen=True, kw_only=True)
class _NoisyLesson:
    """Noisy images are their own target."""

    options: TrainOptions
    recipe: Recipe
    training: tuple[_Image, ...]
    validation: tuple[_Image, ...]
    split: Split
    notes: tuple[str, ...]
    days_from: str

    @cached_property
    def examples(self) -> Examples:
        kind = ThinnedExamples if self.options.method == "thinned" else BlindSpotExamples
        multiple = size_multiple(self.options.architecture(self.recipe))
        return kind(self.training, self.recipe, self.validation, multiple=multiple)

    def under(self, recipe: Recipe) -> Lesson:
        return replace(self, recipe=recipe)

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        return batch_loss(network, batch, self.recipe)

    def finish(self, network: nn.Module, architecture: Mapping[str, object], tick: Tick) -> Finished:
        words = (
            f"{counted(len(self.training), 'noisy image')} to learn from, "
            f"{len(self.validation)} to judge by; " + _days(self.split, self.days_from),
            _METHODS[self.options.method],
            "it was trained in photons on the images' own counts, so its output needs no scale and no offset",
        )
        facts = {
            "training": len(self.training),
            "validation": len(self.validation),
            "days": self.split.days,
            "split_by": self.split.by,
            "days_from": self.days_from,
            "method": self.options.method,
        }
        story = DataStory(source="noisy", words=words, facts=facts, box_sum=self.recipe.box_sum)
        return Finished(network=network, architecture=architecture, story=story)

    def judge(self, network: nn.Module, tick: Tick) -> dict[str, object]:
        return {name: round(value, 4) for name, value in self.examples.score(network).items()}

    def validate(self, network: nn.Module) -> tuple[Images, Images, float]:
        raise UsageError("--search: noisy images hold no truth to rank runs by; leave it out")

    def test_input(self, multiple: int) -> _Image:
        return middle(self.validation[0][None], multiple)


_METHODS = {
    "thinned": "split photons: each step hides a random part of the photons and learns to expect them",
    "noise2void": "blind spots (Noise2Void): each step hides pixels and learns to expect them",
}


def _read_pairs(options: TrainOptions, tick: Tick) -> Pairing:
    calibration, floats = calibration_of(options), options.gain_e_per_adu is not None
    if options.pairs is not None:
        folders = dose_folders(options.pairs)
    else:
        assert options.low is not None
        assert options.high is not None
        folders = [("", options.low, options.high)]
    pairs: list[Pair] = []
    refused: list[str] = []
    for day, low, high in folders:
        found = read_pairs(
            low,
            high,
            calibration,
            day=day,
            floats=floats,
            max_shift_px=options.max_shift_px,
            tick=lambda done, of: tick("registering pairs", done, of, ""),
        )
        pairs += found.pairs
        refused += found.refused
    pairing = Pairing(pairs=tuple(pairs), refused=tuple(refused))
    require_aligned(pairing)
    return pairing


def _require_brighter(ratio: float, options: TrainOptions) -> None:
    """UsageError where the high dose is not the higher one."""
    if ratio <= 1:
        told = f"--pairs {options.pairs}" if options.pairs else f"--low {options.low} --high {options.high}"
        cure = "the folders low and high" if options.pairs else "--low and --high"
        raise UsageError(
            f"{told}: the high-dose images hold {ratio:.3g} times the photons of the low-dose ones; "
            f"swap {cure}"
        )


def _notes(count: int, what: str, split: Split) -> list[str]:
    few = (
        [f"{counted(count, what)}: few; expect a network that knows these fields by heart"]
        if count < FEW
        else []
    )
    return [*few, *([split.warning] if split.warning else [])]


def _days_from(sources: Sequence[DaySource]) -> str:
    return ", ".join(source for source, _ in Counter(sources).most_common())


def _days(split: Split, days_from: str) -> str:
    """How training and validation were parted, in words."""
    if split.by == "day":
        return f"parted by acquisition day ({split.days} days, by {days_from})"
    return f"parted by image, **all of one day** (by {days_from}): the judgement flatters"


def _digest(images: Sequence[_Image]) -> str:
    """What tells these images from others."""
    found = hashlib.sha256()
    for image in images:
        found.update(str(image.shape).encode())
        found.update(np.ascontiguousarray(image).tobytes())
    return found.hexdigest()[:16]
