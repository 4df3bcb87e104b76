"""What the bioimageio.yaml of a trained network says (model description, format 0.5)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from streamer.errors import PackageError
from streamer.training.curve import History
from streamer.training.graph import OPSET
from streamer.training.recipe import CLASSES, Kind, Recipe

FORMAT_VERSION = "0.5.4"
#: Largest relative RMS difference between engines: rounding in float32, eight bits of mantissa in bfloat16.
TOLERANCE = {"relative_rms_f32": 1e-4, "relative_rms_bf16": 2e-2}

TITLES: Mapping[Kind, str] = {
    "denoiser": "ER denoiser for live STED",
    "segmenter": "ER segmenter for live STED",
}
PURPOSES: Mapping[Kind, str] = {
    "denoiser": "Expected photons in focus from a low-dose STED frame of the endoplasmic reticulum.",
    "segmenter": "Background, tubules and sheets of the endoplasmic reticulum in denoised STED frames.",
}
OUTPUTS: Mapping[Kind, tuple[str, tuple[str, ...]]] = {
    "denoiser": ("denoised", ("photons",)),
    "segmenter": ("probabilities", CLASSES),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A trained network and everything its package says about it.

    Attributes:
        kind: what it is for.
        architecture: name and settings for `streamer.networks.build`.
        network: with the weights to ship.
        recipe: how it was trained.
        command: the command that repeats the training.
        made_with: versions and machine, by name.
        scores: on the test range.
        history: losses and validation scores along the way.
        segmenter: id of a denoiser's partner.
    """

    kind: Kind
    architecture: Mapping[str, object]
    network: nn.Module
    recipe: Recipe
    command: str
    made_with: Mapping[str, str]
    scores: Mapping[str, object]
    history: History
    segmenter: str | None = None


def size_multiple(architecture: Mapping[str, object]) -> int:
    """What height and width must divide by: half resolution first, then one halving for each width."""
    widths = architecture["widths"]
    if not isinstance(widths, list | tuple):
        raise PackageError(f"config.streamer.architecture: widths = {widths!r}; use a list of numbers")
    return int(2 ** (len(widths) + 1))


def describe(
    folder: Path, trained: Trained, record: Mapping[str, object], largest: float
) -> dict[str, object]:
    """What bioimageio.yaml says; `largest` value of the test output."""
    return {
        "format_version": FORMAT_VERSION,
        "type": "model",
        "name": TITLES[trained.kind],
        "description": PURPOSES[trained.kind],
        "authors": [{"name": "The scope-streamer developers"}],
        "license": "BSD-3-Clause",
        "documentation": _file(folder, "README.md"),
        "tags": ["STED", "endoplasmic-reticulum", "live-cell", trained.kind, "2d", "pytorch", "onnx"],
        **_tensors(folder, trained),
        "weights": _weights(folder, trained),
        "attachments": [_file(folder, "training.json"), _file(folder, "training.png")],
        "config": {
            "bioimageio": {
                "reproducibility_tolerance": [
                    {"relative_tolerance": 1e-3, "absolute_tolerance": max(1e-3 * largest, 1e-12)}
                ]
            },
            "streamer": _own(trained, size_multiple(trained.architecture), record),
        },
    }


def _tensors(folder: Path, trained: Trained) -> dict[str, object]:
    """Input and output: one of each, of any height and width that divide."""
    multiple = size_multiple(trained.architecture)
    output, channels = OUTPUTS[trained.kind]
    space_in = [_space(axis, {"min": multiple, "step": multiple}) for axis in ("y", "x")]
    space_out = [_space(axis, {"tensor_id": "photons", "axis_id": axis}) for axis in ("y", "x")]
    given = {
        "id": "photons",
        "description": "Detected photons" if trained.kind == "denoiser" else "Denoised photons",
        "axes": [{"type": "batch", "size": 1}, _channels(("photons",)), *space_in],
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


def _own(trained: Trained, multiple: int, record: Mapping[str, object]) -> dict[str, object]:
    """What bioimage.io has no word for."""
    partner = {"segmenter": trained.segmenter} if trained.segmenter else {}
    classes = {"classes": list(CLASSES)} if trained.kind == "segmenter" else {}
    return {
        "kind": trained.kind,
        "architecture": dict(trained.architecture),
        "size_multiple": multiple,
        "trained_photons": {"median_box_sum": list(trained.recipe.box_sum)},
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
