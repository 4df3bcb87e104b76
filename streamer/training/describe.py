"""What the bioimageio.yaml of a trained network says (model description, format 0.5)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from streamer.networks import size_multiple
from streamer.networks.tiling import local_reach_px
from streamer.package.description import names_with_past
from streamer.training.graph import OPSET
from streamer.training.history import History
from streamer.training.recipe import CLASSES, Kind, Recipe

FORMAT_VERSION = "0.5.4"
#: Largest relative RMS difference between engines: rounding in float32, eight bits of mantissa in bfloat16.
TOLERANCE = {"relative_rms_f32": 1e-4, "relative_rms_bf16": 2e-2}

#: How structures are called in titles and sentences.
STRUCTURE_NAMES: Mapping[str, tuple[str, str]] = {
    "er": ("ER", "the endoplasmic reticulum"),
    "microtubules": ("Microtubule", "microtubules"),
    "mitochondria": ("Mitochondria", "mitochondria"),
    "actin-rings": ("Actin ring", "actin rings"),
    "puncta": ("Puncta", "puncta"),
}
#: Input channels of a denoiser that is shown slices, the slice itself first.
SLICE_NAMES = ("photons", "photons below", "photons above")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataStory:
    """What a network learned from, for its card.

    Attributes:
        source: simulated specimens, recorded pairs, or recorded noisy images.
        words: sentences on the data, one a line of the card.
        facts: the same in numbers.
        box_sum: lowest and highest median photon sum in foreground boxes of the training frames.
    """

    source: Literal["simulated", "pairs", "noisy"]
    words: tuple[str, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)
    box_sum: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A trained network and everything its package says about it.

    Attributes:
        kind: what it is for.
        architecture: name and settings for `streamer.networks.build`.
        network: with the weights to ship.
        recipe: how it was trained.
        data: what it learned from.
        command: the command that repeats the training.
        made_with: versions and machine, by name.
        scores: on images that trained nothing.
        history: losses and validation scores along the way.
        segmenter: id of a denoiser's partner.
    """

    kind: Kind
    architecture: Mapping[str, object]
    network: nn.Module
    recipe: Recipe
    data: DataStory
    command: str
    made_with: Mapping[str, str]
    scores: Mapping[str, object]
    history: History
    segmenter: str | None = None

    @property
    def title(self) -> str:
        """Name of the model."""
        if self.data.source != "simulated":
            return f"{self.kind.capitalize()} learned from recorded {_RECORDED[self.data.source]}"
        names = [STRUCTURE_NAMES[structure][0] for structure in self.recipe.structures]
        what = "STED z-stacks" if self.recipe.of_slices else "live STED"
        if self.recipe.channels > 1:
            shown = " and ".join(dict.fromkeys(names))
            return f"{shown} {self.kind} of {self.recipe.channels} channels for {what}"
        return f"{names[0] if len(names) == 1 else 'General'} {self.kind} for {what}"

    @property
    def purpose(self) -> str:
        """One sentence on what it gives."""
        shown = _among([STRUCTURE_NAMES[structure][1] for structure in self.recipe.structures])
        if self.kind == "segmenter":
            return f"Background, tubules and sheets of {shown} in denoised STED frames."
        if self.recipe.of_slices:
            slices = f"a slice of a low-dose STED z-stack of {shown}"
            return f"Expected photons in focus from {slices}, shown with the slices below and above it."
        if self.recipe.channels > 1:
            each = ", ".join(self._channels)
            return f"Expected photons in focus of all detection channels of a low-dose STED frame: {each}."
        if self.data.source == "simulated":
            return f"Expected photons in focus from a low-dose STED frame of {shown}."
        return "Expected photons of a low-dose frame, at the dose of that frame."

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the input channels."""
        if self.recipe.of_slices:
            return SLICE_NAMES
        if self.recipe.channels > 1:
            return tuple(f"photons {of}" for of in self._channels)
        return names_with_past(self.recipe.frames)

    @property
    def output(self) -> tuple[str, tuple[str, ...]]:
        """Name of the output tensor, and of its channels."""
        if self.kind == "segmenter":
            return "probabilities", CLASSES
        photons = self.inputs if self.recipe.channels > 1 else ("photons",)
        if not self.states_deviation:
            return "denoised", photons
        return "denoised", (*photons, *(name.replace("photons", "standard deviation") for name in photons))

    @property
    def _channels(self) -> tuple[str, ...]:
        """Number and structure of each detection channel."""
        return tuple(f"{number} {structure}" for number, structure in enumerate(self.recipe.structures, 1))

    @property
    def states_deviation(self) -> bool:
        """Whether it gives a standard deviation beside its photons."""
        return bool(self.architecture.get("uncertainty"))


_RECORDED = {"pairs": "pairs", "noisy": "noisy images"}


def describe(
    folder: Path, trained: Trained, record: Mapping[str, object], largest: float
) -> dict[str, object]:
    """What bioimageio.yaml says; `largest` value of the test output."""
    return {
        "format_version": FORMAT_VERSION,
        "type": "model",
        "name": trained.title,
        "description": trained.purpose,
        "authors": [{"name": "The scope-streamer developers"}],
        "license": "BSD-3-Clause",
        "documentation": _file(folder, "README.md"),
        "tags": [*_subjects(trained), *_stacks(trained), trained.kind, "2d", "pytorch", "onnx"],
        **_tensors(folder, trained),
        "weights": _weights(folder, trained),
        "attachments": [_file(folder, "training.json"), _file(folder, "training.png")],
        "config": {
            "bioimageio": {
                "reproducibility_tolerance": [
                    {"relative_tolerance": 1e-3, "absolute_tolerance": max(1e-3 * largest, 1e-12)}
                ]
            },
            "streamer": _own(trained, record),
        },
    }


def _subjects(trained: Trained) -> list[str]:
    if trained.data.source != "simulated":
        return ["low-dose"]
    names = (STRUCTURE_NAMES[structure][1] for structure in trained.recipe.structures)
    return ["STED", *(name.removeprefix("the ").replace(" ", "-") for name in names)]


def _stacks(trained: Trained) -> list[str]:
    return ["live-cell", "z-stack"] if trained.recipe.of_slices else ["live-cell"]


def _tensors(folder: Path, trained: Trained) -> dict[str, object]:
    """Input and output: one of each, of any height and width that divide."""
    multiple = size_multiple(trained.architecture)
    output, channels = trained.output
    space_in = [_space(axis, {"min": multiple, "step": multiple}) for axis in ("y", "x")]
    space_out = [_space(axis, {"tensor_id": "photons", "axis_id": axis}) for axis in ("y", "x")]
    given = {
        "id": "photons",
        "description": "Detected photons" if trained.kind == "denoiser" else "Denoised photons",
        "axes": [{"type": "batch", "size": 1}, _channels(trained.inputs), *space_in],
        "data": {"type": "float32", "unit": "arbitrary unit"},
        "test_tensor": _file(folder, "test_input.npy"),
    }
    made = {
        "id": output,
        "axes": [{"type": "batch", "size": 1}, _channels(channels), *space_out],
        "data": {"type": "float32"},
        "test_tensor": _file(folder, "test_output.npy"),
    }
    return {"inputs": [given], "outputs": [made]}


def _weights(folder: Path, trained: Trained) -> dict[str, object]:
    """The same weights for engines (ONNX) and for their oracle (a state dict of `streamer.networks`)."""
    architecture = {
        "callable": "build",
        "import_from": "streamer.networks",
        "kwargs": {"architecture": dict(trained.architecture)},
    }
    version = str(torch.__version__).split("+")[0]
    return {
        "onnx": _file(folder, "weights.onnx") | {"opset_version": OPSET, "parent": "pytorch_state_dict"},
        "pytorch_state_dict": _file(folder, "weights.pt")
        | {"architecture": architecture, "pytorch_version": version},
    }


def _own(trained: Trained, record: Mapping[str, object]) -> dict[str, object]:
    """What bioimage.io has no word for."""
    partner = {"segmenter": trained.segmenter} if trained.segmenter else {}
    classes = {"classes": list(CLASSES)} if trained.kind == "segmenter" else {}
    reach_px = local_reach_px(trained.network)
    reach = {} if reach_px is None else {"reach_px": reach_px}
    context = {"context": trained.recipe.context} if trained.recipe.frames > 1 else {}
    return {
        "kind": trained.kind,
        "architecture": dict(trained.architecture),
        "size_multiple": size_multiple(trained.architecture),
        **reach,
        **context,
        "trained_photons": {"median_box_sum": [round(max(end, 0.0), 2) for end in trained.data.box_sum]},
        "tolerance": dict(TOLERANCE),
        **partner,
        **classes,
        "training": dict(record),
    }


def _file(folder: Path, name: str) -> dict[str, object]:
    return {"source": name, "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest()}


def _space(axis: str, size: Mapping[str, object]) -> dict[str, object]:
    return {"type": "space", "id": axis, "size": dict(size)}


def _channels(names: tuple[str, ...]) -> dict[str, object]:
    return {"type": "channel", "channel_names": list(names)}


def _among(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
