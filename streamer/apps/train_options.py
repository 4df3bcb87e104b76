"""What a user asks of a training beyond its recipe, and which wishes do not go together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from streamer.errors import UsageError
from streamer.networks import size_multiple
from streamer.simulation import STRUCTURES
from streamer.training import ARCHITECTURES, Batch, DataStory, Examples, Kind, Recipe, denoiser_architecture
from streamer.training.pairing import MAX_SHIFT_PX
from streamer.training.recipe import LIVE

#: Told how far a stage is: stage, done, total, words.
Tick = Callable[[str, int, int, str], None]
Images = list[NDArray[np.float32]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """What the user asked for beyond the recipe.

    Attributes:
        out: folder of the package; made where it is not there, and never one that holds a package.
        kind: denoiser or segmenter.
        minutes: train for about so long instead of `recipe.steps`.
        pairs: folder with `low` and `high`, or of such folders, one a day.
        low, high: the same as two folders or two stacks.
        noisy: noisy images to learn from alone.
        method: how to learn from noisy images.
        profile: hardware profile whose calibration makes photons of grey levels.
        offset_adu, gain_e_per_adu: the same as two numbers; the offset also instead of the profile's.
        max_shift_px: largest shift between the images of a pair.
        start: package to go on from: an id or a folder.
        uncertainty: a second head for the standard deviation; None makes one where the truth is known.
        denoiser: package of the denoiser whose output a segmenter learns to read: an id or a folder.
        segmenter: id of the segmenter that a denoiser's package names as its partner.
        test_frames: whole frames of the test range in the final judgement, of each structure.
        search: short runs that look for options before the training; 0 takes the recipe as it is.
        search_steps: updates of each of them.
        device: where to compute; auto takes an NVIDIA GPU where there is one.
        threads: of PyTorch; None leaves its own choice.
        every: steps between judgements.
    """

    out: Path
    kind: Kind = "denoiser"
    minutes: float | None = None
    pairs: Path | None = None
    low: Path | None = None
    high: Path | None = None
    noisy: tuple[Path, ...] = ()
    method: Literal["thinned", "noise2void"] = "thinned"
    profile: str | None = None
    offset_adu: float | None = None
    gain_e_per_adu: float | None = None
    max_shift_px: float = MAX_SHIFT_PX
    start: str | None = None
    uncertainty: bool | None = None
    denoiser: str | None = None
    segmenter: str | None = None
    test_frames: int = 16
    search: int = 0
    search_steps: int = 300
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int | None = None
    every: int = 500

    @property
    def source(self) -> Literal["simulated", "pairs", "noisy"]:
        """What it learns from."""
        if self.pairs or self.low or self.high:
            return "pairs"
        return "noisy" if self.noisy else "simulated"

    def architecture(self, recipe: Recipe) -> Mapping[str, object]:
        """Of fresh weights."""
        if self.kind == "segmenter":
            return ARCHITECTURES["segmenter"]
        return denoiser_architecture(recipe.architecture, recipe.frames, recipe.context)

    def wants_uncertainty(self, recipe: Recipe) -> bool:
        """Whether a second head is made: as told, else where the truth is known and the network can."""
        can = self.kind == "denoiser" and self.source == "simulated" and recipe.architecture in LIVE
        return can if self.uncertainty is None else self.uncertainty


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A network as it is shipped, and what it learned from."""

    network: nn.Module
    architecture: Mapping[str, object]
    story: DataStory


class Lesson(Protocol):
    """What is learned from, how an error is punished, and how the result is judged."""

    @property
    def recipe(self) -> Recipe:
        """The recipe with what the data add to it."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of the data, a line each."""
        ...

    @property
    def examples(self) -> Examples:
        """Batches and validation scores."""
        ...

    def under(self, recipe: Recipe) -> Lesson:
        """The same data under another recipe."""
        ...

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """Of one batch."""
        ...

    def finish(self, network: nn.Module, architecture: Mapping[str, object], tick: Tick) -> Finished:
        """What comes after the training: a second head, a scale."""
        ...

    def judge(self, network: nn.Module, tick: Tick) -> dict[str, object]:
        """Scores on images that trained nothing."""
        ...

    def validate(self, network: nn.Module) -> tuple[Images, Images, float]:
        """Predictions [y, x], what they should be, and the pixel size in nm: by these a search ranks runs."""
        ...

    def test_input(self, multiple: int) -> NDArray[np.float32]:
        """[channels, y, x] for the package's test tensors."""
        ...


def middle(image: NDArray[np.float32], multiple: int, most_px: int = 256) -> NDArray[np.float32]:
    """[..., y, x] the middle of an image, of a size that divides."""
    size = min(most_px, *image.shape[-2:]) // multiple * multiple
    top, left = ((length - size) // 2 for length in image.shape[-2:])
    return np.ascontiguousarray(image[..., top : top + size, left : left + size])


def require_consistent(options: TrainOptions, recipe: Recipe) -> None:
    """Refuse wishes that do not go together.

    Errors: UsageError with value, place and cure.
    """
    for is_wrong, words in _conflicts(options, recipe):
        if is_wrong:
            raise UsageError(words)
    if options.source == "simulated":
        multiple = size_multiple(options.architecture(recipe))
        if recipe.patch_px % multiple or recipe.patch_px > recipe.field_px:
            raise UsageError(
                f"--patch-px {recipe.patch_px}: use a multiple of {multiple}, "
                f"at most --field-px {recipe.field_px}"
            )


def _conflicts(options: TrainOptions, recipe: Recipe) -> tuple[tuple[bool, str], ...]:
    return (*_of_images(options, recipe), *_of_segmenters(options, recipe), *_of_recipes(options, recipe))


def _of_images(options: TrainOptions, recipe: Recipe) -> tuple[tuple[bool, str], ...]:
    """What is learned from."""
    unknown = [structure for structure in recipe.structures if structure not in STRUCTURES]
    return (
        (
            bool(unknown),
            f"--simulate {', '.join(unknown)}: use {', '.join(STRUCTURES)}, or several with commas",
        ),
        (
            bool(options.noisy) and bool(options.pairs or options.low or options.high),
            "--noisy with pairs: a training learns from one of them; leave the other out",
        ),
        (
            bool(options.pairs) and bool(options.low or options.high),
            f"--pairs {options.pairs} with --low or --high: both name the pairs; give one of them",
        ),
        (
            (options.low is None) != (options.high is None),
            f"--low {options.low} --high {options.high}: pairs need both; give the other one too",
        ),
    )


def _of_segmenters(options: TrainOptions, recipe: Recipe) -> tuple[tuple[bool, str], ...]:
    """What only one of denoiser and segmenter has."""
    segmenter, default = options.kind == "segmenter", Recipe()
    recorded = options.source != "simulated"
    return (
        (
            segmenter and recorded,
            "--kind segmenter: learns from simulated specimens, whose classes are known; leave images out",
        ),
        (
            segmenter and recipe.structures != ("er",),
            f"--kind segmenter --simulate {','.join(recipe.structures)}: its classes are the ER's; use er",
        ),
        (
            segmenter and (options.start is not None or options.search > 0),
            "--kind segmenter: cannot be fine-tuned or searched; leave --start and --search out",
        ),
        (
            segmenter and (recipe.architecture, recipe.frames) != (default.architecture, default.frames),
            "--kind segmenter: has one architecture, of one frame; leave --architecture and --frames out",
        ),
        (
            segmenter and recipe.loss != default.loss,
            f"--kind segmenter --loss {recipe.loss}: its loss is a cross-entropy; leave --loss out",
        ),
        (
            segmenter and options.segmenter is not None,
            f"--segmenter {options.segmenter}: is for --kind denoiser; leave it out",
        ),
        (
            segmenter and options.denoiser is None,
            "--kind segmenter: reads a denoiser's output; name its package with --denoiser",
        ),
        (
            not segmenter and options.denoiser is not None,
            f"--denoiser {options.denoiser}: is for --kind segmenter; leave it out",
        ),
    )


def _of_recipes(options: TrainOptions, recipe: Recipe) -> tuple[tuple[bool, str], ...]:
    """What only simulated or only recorded images allow."""
    segmenter, recorded = options.kind == "segmenter", options.source != "simulated"
    told = options.offset_adu is not None or options.gain_e_per_adu is not None
    return (
        (
            not recorded and (told or options.profile is not None),
            "--profile, --offset and --gain: are for recorded images; simulated ones are photons already",
        ),
        (
            recorded and recipe.frames > 1,
            f"--frames {recipe.frames}: needs simulated movies, where every moment is known; leave it out",
        ),
        (
            recipe.context == "z" and recipe.frames != 3,
            f"--context z --frames {recipe.frames}: shows a slice with the ones below and above; use 3",
        ),
        (
            recipe.context == "channels" and not 2 <= recipe.frames == len(recipe.structures) <= 4,
            f"--context channels --frames {recipe.frames} --simulate {','.join(recipe.structures)}: name the "
            "structure that each of 2 to 4 channels shows, as in --frames 2 --simulate er,microtubules",
        ),
        (
            options.source == "noisy" and options.search > 0,
            f"--search {options.search}: ranks runs against a truth, which noisy images lack; leave it out",
        ),
        (
            bool(options.uncertainty) and (recorded or segmenter or recipe.architecture not in LIVE),
            "--uncertainty: the live denoiser learns it from a known truth; use --simulate, or leave it out",
        ),
    )
