"""Learning from simulated specimens: denoisers of a frame or of frames with context, and segmenters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from streamer.analysis import TEST_SEED, held_out
from streamer.apps.train_joint import joint_lesson
from streamer.apps.train_options import Finished, Images, Lesson, Tick, TrainOptions, middle
from streamer.errors import UsageError
from streamer.package import ModelPackage
from streamer.simulation import SceneSettings
from streamer.simulation.depth import STACK_PIXEL_NM
from streamer.simulation.sampling import Split
from streamer.training import (
    Batch,
    DataStory,
    Examples,
    Field,
    Recipe,
    SegmenterExamples,
    SimulatedExamples,
    batch_loss,
    judge_denoiser,
    judge_segmenter,
    load_network,
    low_dose_exposures,
    make_field,
    make_fields,
)
from streamer.training.evaluate import as_denoise
from streamer.training.sequences import (
    ContextField,
    StackExamples,
    TimeExamples,
    make_stack_fields,
    make_time_fields,
)
from streamer.training.tasks import expected, noisy
from streamer.training.uncertainty import add_uncertainty

#: Specimens that set the intervals right, and where their numbers begin: beyond those of the validation.
CALIBRATION_FIELDS, CALIBRATION_FROM = 16, 500_000
#: Median box sum at which a search looks at the validation fields: the paper's low dose.
SEARCH_BOX_SUM = 28.0

_Image = NDArray[np.float32]
_Dose = Callable[[int], float]


def simulated_lesson(options: TrainOptions, recipe: Recipe, guide: ModelPackage | None, tick: Tick) -> Lesson:
    """Simulate the fields, and say what is learned from them."""
    if recipe.channels > 1:
        return joint_lesson(options, recipe, tick)
    if recipe.frames > 1:
        several = [_several(split, recipe, tick) for split in ("train", "validation")]
        return _ContextLesson(options, recipe, several[0], several[1])
    training = _simulate("train", recipe, recipe.fields, tick)
    validation = _simulate("validation", recipe, recipe.validation_fields, tick)
    if guide is None:
        return _DenoiserLesson(options, recipe, training, validation)
    return _SegmenterLesson(options, recipe, training, validation, load_network(guide))


def _simulate(split: Split, recipe: Recipe, count: int, tick: Tick) -> tuple[Field, ...]:
    fields = []
    for field in make_fields(split, recipe, count):
        fields.append(field)
        tick(f"simulating {split} fields", len(fields), count, "")
    return tuple(fields)


def _several(split: Split, recipe: Recipe, tick: Tick) -> tuple[ContextField, ...]:
    count = recipe.fields if split == "train" else recipe.validation_fields
    make = make_stack_fields if recipe.context == "z" else partial(make_time_fields, frames=recipe.frames)
    fields = []
    for field in make(split, recipe, count):
        fields.append(field)
        tick(f"simulating {split} fields", len(fields), count, "")
    return tuple(fields)


@dataclass(frozen=True, slots=True)
class _DenoiserLesson:
    """Denoising of single frames; the truth is known."""

    options: TrainOptions
    recipe: Recipe
    training: tuple[Field, ...]
    validation: tuple[Field, ...]
    notes: tuple[str, ...] = ()

    @property
    def examples(self) -> Examples:
        return SimulatedExamples(fields=self.training, validation=self.validation, recipe=self.recipe)

    def under(self, recipe: Recipe) -> Lesson:
        return replace(self, recipe=recipe)

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        return batch_loss(network, batch, self.recipe)

    def finish(self, network: nn.Module, architecture: Mapping[str, object], tick: Tick) -> Finished:
        return _finish(self.recipe, self.examples, self._calibration(), network, architecture, tick)

    def judge(self, network: nn.Module, tick: Tick) -> dict[str, object]:
        return _judge(self.options, self.recipe, network, tick)

    def validate(self, network: nn.Module) -> tuple[Images, Images, float]:
        shown = [noisy(field, SEARCH_BOX_SUM, self.recipe.seed) for field in self.validation]
        truth = [field.signal.astype(np.float32) * (SEARCH_BOX_SUM / 100.0) for field in self.validation]
        return [expected(network, image) for image in shown], truth, SceneSettings(seed=0).pixel_nm

    def test_input(self, multiple: int) -> _Image:
        return _test_input(self.recipe, multiple)

    def _calibration(self) -> Iterator[tuple[_Image, _Image]]:
        """Whole frames at doses of the training range, of specimens that neither trained nor judged."""
        recipe = self.recipe
        for index in range(CALIBRATION_FIELDS):
            number = recipe.seed * 1_000_000 + CALIBRATION_FROM + index
            structure = recipe.structures[index % len(recipe.structures)]
            field = make_field("validation", number, recipe.field_px, structure)
            box_sum = _dose(recipe, index)
            yield noisy(field, box_sum, number), field.signal.astype(np.float32) * (box_sum / 100.0)


@dataclass(frozen=True, slots=True)
class _ContextLesson:
    """Denoising of frames that are shown with others."""

    options: TrainOptions
    recipe: Recipe
    training: tuple[ContextField, ...]
    validation: tuple[ContextField, ...]
    notes: tuple[str, ...] = ()

    @property
    def examples(self) -> Examples:
        return _context_examples(self.recipe, self.training, self.validation)

    def under(self, recipe: Recipe) -> Lesson:
        return replace(self, recipe=recipe)

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        return batch_loss(network, batch, self.recipe)

    def finish(self, network: nn.Module, architecture: Mapping[str, object], tick: Tick) -> Finished:
        return _finish(self.recipe, self.examples, self._calibration(), network, architecture, tick)

    def judge(self, network: nn.Module, tick: Tick) -> dict[str, object]:
        scores = _judge(self.options, self.recipe, network, tick)
        few = replace(self.recipe, validation_fields=self.options.test_frames)
        make = make_stack_fields if few.context == "z" else partial(make_time_fields, frames=few.frames)
        fields = tuple(make("test", replace(few, seed=TEST_SEED), self.options.test_frames))
        gains = _context_examples(few, (), fields).score(network)
        return scores | {"with_context": {name: round(value, 3) for name, value in gains.items()}}

    def validate(self, network: nn.Module) -> tuple[Images, Images, float]:
        shown = self._shown(self.validation, lambda _: SEARCH_BOX_SUM)
        predictions, truths = zip(
            *((expected(network, counts), truth) for counts, truth in shown), strict=True
        )
        pixel_nm = STACK_PIXEL_NM if self.recipe.context == "z" else SceneSettings(seed=0).pixel_nm
        return list(predictions), list(truths), pixel_nm

    def test_input(self, multiple: int) -> _Image:
        counts, _ = next(self._shown(self.validation[:1], lambda _: SEARCH_BOX_SUM))
        return middle(counts, multiple)

    def _calibration(self) -> Iterator[tuple[_Image, _Image]]:
        """Other specimens than those of training and validation, at doses of the training range."""
        other = replace(self.recipe, seed=self.recipe.seed + CALIBRATION_FROM)
        make = make_stack_fields if other.context == "z" else partial(make_time_fields, frames=other.frames)
        fields = tuple(make("validation", other, CALIBRATION_FIELDS))
        return self._shown(fields, partial(_dose, self.recipe))

    def _shown(self, fields: tuple[ContextField, ...], dose: _Dose) -> Iterator[tuple[_Image, _Image]]:
        """Counts [frames, y, x] and truth [y, x] of whole fields."""
        for index, field in enumerate(fields):
            level = np.float32(dose(index) / 100.0)
            rng = np.random.default_rng((self.recipe.seed, 44, index))
            counts = rng.poisson(field.expected.astype(np.float32) * level).astype(np.float32)
            yield counts, field.signal.astype(np.float32) * level


@dataclass(frozen=True, slots=True)
class _SegmenterLesson:
    """Segmentation of what a denoiser gives."""

    options: TrainOptions
    recipe: Recipe
    training: tuple[Field, ...]
    validation: tuple[Field, ...]
    denoiser: nn.Module
    notes: tuple[str, ...] = ()

    @property
    def examples(self) -> SegmenterExamples:
        return SegmenterExamples(
            denoiser=self.denoiser, fields=self.training, validation=self.validation, recipe=self.recipe
        )

    def under(self, recipe: Recipe) -> Lesson:
        return replace(self, recipe=recipe)

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        return self.examples.loss(network, batch)

    def finish(self, network: nn.Module, architecture: Mapping[str, object], tick: Tick) -> Finished:
        return Finished(network=network, architecture=architecture, story=_story(self.recipe))

    def judge(self, network: nn.Module, tick: Tick) -> dict[str, object]:
        exposures = low_dose_exposures(self.options.test_frames, TEST_SEED, self.recipe.field_px)
        return judge_segmenter(self.denoiser, network, exposures, TEST_SEED)

    def validate(self, network: nn.Module) -> tuple[Images, Images, float]:
        raise UsageError("--search: ranks denoisers; leave it out")

    def test_input(self, multiple: int) -> _Image:
        return expected(self.denoiser, _test_input(self.recipe, multiple)[0])[None]


def _context_examples(
    recipe: Recipe, training: tuple[ContextField, ...], validation: tuple[ContextField, ...]
) -> Examples:
    kind = StackExamples if recipe.context == "z" else TimeExamples
    return kind(fields=training, validation=validation, recipe=recipe)


def _dose(recipe: Recipe, index: int) -> float:
    """Median box sum of a calibration field: the training range from end to end, evenly in its logarithm."""
    low, high = recipe.box_sum
    return float(low * (high / low) ** (index / (CALIBRATION_FIELDS - 1)))


def _finish(
    recipe: Recipe,
    examples: Examples,
    calibration: Iterator[tuple[_Image, _Image]],
    network: nn.Module,
    architecture: Mapping[str, object],
    tick: Tick,
) -> Finished:
    """Add the head that states the deviation, where the recipe asks for one."""
    if recipe.uncertainty_steps:
        network, architecture = add_uncertainty(
            network,
            architecture,
            lambda step: examples.batch(recipe.steps + step),
            calibration,
            steps=recipe.uncertainty_steps,
            seed=recipe.seed,
            report=lambda done, of: tick("learning its uncertainty", done, of, ""),
        )
    return Finished(network=network, architecture=architecture, story=_story(recipe))


def _story(recipe: Recipe) -> DataStory:
    return DataStory(
        source="simulated",
        facts={"structures": list(recipe.structures), "fields": recipe.fields},
        box_sum=recipe.box_sum,
    )


def _judge(options: TrainOptions, recipe: Recipe, network: nn.Module, tick: Tick) -> dict[str, object]:
    return judge_denoiser(
        as_denoise(network, recipe.frames),
        recipe.structures,
        options.test_frames,
        recipe.field_px,
        lambda done, of: tick("judging", done, of, ""),
        slices=recipe.of_slices,
    )


def _test_input(recipe: Recipe, multiple: int) -> _Image:
    """[1, y, x] the middle of a test frame."""
    (frame,) = held_out(recipe.structures[0], 1, TEST_SEED, size_px=recipe.field_px)
    return middle(frame.counts[None], multiple)
