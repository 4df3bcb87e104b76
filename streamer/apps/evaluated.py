"""Model packages as methods that can be judged, and what a live user would be told about the frames."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from streamer.analysis import TEST_FRAMES, TEST_SEED, Denoise, laid_out
from streamer.core import Frame, Result
from streamer.engines import Precision
from streamer.errors import PackageError
from streamer.guards import InputRange
from streamer.metrics import signal_map
from streamer.metrics.boxes import SIGNAL
from streamer.package import ModelPackage, load_package
from streamer.pipeline.compiled import Compiled
from streamer.pipeline.stages import padded_shape
from streamer.profile.judging import RangeGuard, SignalMap

Image = NDArray[np.float32]
Predicted = tuple[Image, Image | None]

#: Height and width of the fields of the first cards.
FIELD_PX = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a model card was judged on.

    Attributes:
        frames: specimens of each structure: frames, or whole stacks.
        seed: of the specimens.
        size_px: height and width.
        structures: of the simulator.
        slices: whether specimens are stacks, judged slice by slice.
    """

    frames: int
    seed: int
    size_px: int
    structures: tuple[str, ...]
    slices: bool = False


def judged_on(package: ModelPackage) -> Judged:
    """From the package's training.json; what it does not say is as every card has it."""
    slices = package.config.context == "z"
    try:
        story = json.loads((package.folder / "training.json").read_text(encoding="utf-8"))
        test, recipe = story["test"], story["recipe"]
        if "structures" not in test and "median_box_sum" not in test:
            test, recipe = {}, {}  # judged on recorded images
        return Judged(
            frames=int(test.get("frames", TEST_FRAMES)),
            seed=int(test.get("seed", TEST_SEED)),
            size_px=int(test.get("size_px", recipe.get("field_px", FIELD_PX))),
            structures=tuple(test.get("structures", ("er",))),
            slices=slices,
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError):  # none, or not of ours
        return Judged(frames=TEST_FRAMES, seed=TEST_SEED, size_px=FIELD_PX, structures=("er",), slices=slices)


def denoise_by(
    package: ModelPackage, *, engine: str, precision: Precision | Literal["auto"], threads: int | None
) -> Denoise:
    """The package's network as the pipeline runs it: compiled, reflect-padded, cropped.

    A model with context that is not given any is shown the frame in its place, as at the start of a run.
    """
    network_for = Compiled(package, engine=engine, precision=precision, threads=threads)
    channels = max(1, len(package.description.inputs[0].channel_names))

    def denoise(*shown: Image) -> Predicted:
        output = _run(network_for, laid_out(shown, channels), package.size_multiple)
        expected, *sure = map(np.ascontiguousarray, output)
        return expected, sure[0] if sure else None

    return denoise


def remembered(denoise: Denoise) -> Denoise:
    """The same, computing nothing twice for the same arrays."""
    known: dict[tuple[int, ...], tuple[tuple[Image, ...], Predicted]] = {}

    def recall(*shown: Image) -> Predicted:
        key = tuple(map(id, shown))
        if key not in known:
            known[key] = shown, denoise(*shown)  # keeping the arrays keeps their ids
        return known[key][1]

    return recall


class RangeOpinion:
    """What the range guard, with its default limits, says of frames before a model.

    A frame's classes are those of the model's segmenter, as live; where it names none, or none is installed,
    the signal map (Rahm et al.) of the prediction stands in.
    """

    def __init__(self, package: ModelPackage, **how: Any) -> None:
        trained = package.trained_box_sum
        self._guard = None if trained is None else _guard(trained)
        self._segmenter = _partner(package)
        self._network_for = Compiled(self._segmenter, **how) if self._segmenter else None

    def of(self, frames: Sequence[tuple[Image, ...]], denoise: Denoise) -> dict[str, Any]:
        """How many frames pass, are flagged or rejected, and in which words those that do not pass.

        Each of `frames` is the frame itself and what is shown beside it.
        """
        if self._guard is None:
            return {"words": ["not judged: the model states no photon range of its training"]}
        status: Counter[str] = Counter()
        words: list[str] = []
        for photons, *beside in frames:
            prediction = denoise(photons, *beside)[0]
            result = Result(
                frame=Frame(pixels=np.clip(np.rint(photons), 0, 65535).astype(np.uint16), seq=0),
                photons=photons,
                denoised=prediction,
                labels=self._labels(prediction),
            )
            _, verdict = self._guard.step(self._guard.start(), result)
            status[verdict.status] += 1
            if verdict.status != "pass":
                words.append(verdict.meaning)
        return {**status, "words": words}

    def _labels(self, prediction: Image) -> NDArray[np.uint8]:
        if self._network_for is None or self._segmenter is None:
            return np.asarray(signal_map(prediction) == SIGNAL, np.uint8)
        classes = _run(self._network_for, prediction[None], self._segmenter.size_multiple)
        return np.asarray(classes.argmax(axis=0), np.uint8)


def _guard(trained: tuple[float, float]) -> InputRange:
    return InputRange(
        **RangeGuard().model_dump(),
        trained_low=trained[0],
        trained_high=trained[1],
        signal_min=SignalMap().signal_min,
        bit_depth=16,
        read_noise_e=0.0,
    )


def _partner(package: ModelPackage) -> ModelPackage | None:
    try:
        return load_package(package.config.segmenter) if package.config.segmenter else None
    except PackageError:
        return None


def _run(network_for: Compiled, images: Image, multiple: int) -> Image:
    """[c, y, x] through a network, reflect-padded at the far edges; [k, y, x]."""
    _, y, x = images.shape
    padded_y, padded_x = padded_shape((y, x), multiple)
    padded = np.pad(images, ((0, 0), (0, padded_y - y), (0, padded_x - x)), mode="reflect")
    output: Image = network_for((padded_y, padded_x))(padded[None])[0, :, :y, :x]
    return output
