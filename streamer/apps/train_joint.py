"""Learning to denoise several detection channels at once, from simulated specimens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from streamer.analysis import TEST_SEED
from streamer.apps.train_options import Finished, Images, Lesson, Tick, TrainOptions, middle
from streamer.simulation import SceneSettings
from streamer.simulation.sampling import Split
from streamer.training import Batch, DataStory, Recipe, batch_loss
from streamer.training.evaluate import judge_joint
from streamer.training.fields import Field
from streamer.training.joint import JointExamples, expected_channels, make_joint_fields, whole
from streamer.training.uncertainty import add_uncertainty

#: Specimens that set the intervals right, and where their numbers begin: beyond those of the validation.
CALIBRATION_FIELDS, CALIBRATION_FROM = 16, 500
#: Median box sum of each channel at which a search looks at the validation fields.
SEARCH_BOX_SUM = 28.0

_Image = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class JointLesson:
    """Denoising of all channels of a moment; the truth is known."""

    options: TrainOptions
    recipe: Recipe
    training: tuple[tuple[Field, ...], ...]
    validation: tuple[tuple[Field, ...], ...]
    notes: tuple[str, ...] = ()

    @property
    def examples(self) -> JointExamples:
        return JointExamples(fields=self.training, validation=self.validation, recipe=self.recipe)

    def under(self, recipe: Recipe) -> Lesson:
        return replace(self, recipe=recipe)

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        return batch_loss(network, batch, self.recipe)

    def finish(self, network: nn.Module, architecture: Mapping[str, object], tick: Tick) -> Finished:
        recipe, examples = self.recipe, self.examples
        if recipe.uncertainty_steps:
            network, architecture = add_uncertainty(
                network,
                architecture,
                lambda step: examples.batch(recipe.steps + step),
                self._calibration(),
                steps=recipe.uncertainty_steps,
                seed=recipe.seed,
                report=lambda done, of: tick("learning its uncertainty", done, of, ""),
            )
        facts = {"structures": list(recipe.structures), "fields": recipe.fields}
        story = DataStory(source="simulated", facts=facts, box_sum=recipe.box_sum)
        return Finished(network=network, architecture=architecture, story=story)

    def judge(self, network: nn.Module, tick: Tick) -> dict[str, object]:
        return judge_joint(
            network,
            self.recipe.structures,
            self.options.test_frames,
            self.recipe.field_px,
            lambda done, of: tick("judging", done, of, ""),
        )

    def validate(self, network: nn.Module) -> tuple[Images, Images, float]:
        doses = (SEARCH_BOX_SUM,) * self.recipe.channels
        shown = [whole(field, doses, (self.recipe.seed, 62)) for field in self.validation]
        predictions = [image for counts, _ in shown for image in expected_channels(network, counts)]
        truths = [image for _, truth in shown for image in truth]
        return predictions, truths, SceneSettings(seed=0).pixel_nm

    def test_input(self, multiple: int) -> _Image:
        doses = (SEARCH_BOX_SUM,) * self.recipe.channels
        (field,) = make_joint_fields("test", replace(self.recipe, seed=TEST_SEED), 1)
        return middle(whole(field, doses, (TEST_SEED, 62))[0], multiple)

    def _calibration(self) -> Iterator[tuple[_Image, _Image]]:
        """Whole frames of specimens that neither trained nor judged, each channel at a dose of its own."""
        other = replace(self.recipe, seed=self.recipe.seed + CALIBRATION_FROM)
        low, high = self.recipe.box_sum
        for index, field in enumerate(make_joint_fields("validation", other, CALIBRATION_FIELDS)):
            place = np.random.default_rng((other.seed, 63, index)).random(len(field))
            yield whole(field, tuple(low * (high / low) ** place), (other.seed, 64, index))


def joint_lesson(options: TrainOptions, recipe: Recipe, tick: Tick) -> Lesson:
    """Simulate the fields of every channel, and say what is learned from them."""
    return JointLesson(
        options,
        recipe,
        _simulate("train", recipe, recipe.fields, tick),
        _simulate("validation", recipe, recipe.validation_fields, tick),
    )


def _simulate(split: Split, recipe: Recipe, count: int, tick: Tick) -> tuple[tuple[Field, ...], ...]:
    fields = []
    for field in make_joint_fields(split, recipe, count):
        fields.append(field)
        tick(f"simulating {split} fields", len(fields), count, "")
    return tuple(fields)
