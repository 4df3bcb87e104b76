"""From a trained network to a bioimage.io model package (format 0.5), and back."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from torch import nn

from streamer.errors import PackageError
from streamer.networks import build, size_multiple
from streamer.package import ModelPackage
from streamer.training.card import model_card
from streamer.training.curve import draw_curve
from streamer.training.describe import Trained, describe
from streamer.training.graph import export_onnx

#: What a package consists of; its description comes last, and makes a folder a package.
PACKAGE_FILES = (
    "test_input.npy",
    "test_output.npy",
    "weights.pt",
    "weights.onnx",
    "training.json",
    "training.png",
    "README.md",
    "bioimageio.yaml",
)


def export_package(folder: Path, trained: Trained, test_input: NDArray[np.float32]) -> None:
    """Write the package of a network, whole or not at all.

    It is made in a folder beside its place, from which its files are then moved. `test_input` [channels, y,
    x] must divide by the size multiple.
    """
    made = folder / "package.partial"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    _write(made, trained, test_input)
    for file in sorted(made.iterdir(), key=lambda file: file.name == PACKAGE_FILES[-1]):
        file.replace(folder / file.name)
    made.rmdir()


def _write(folder: Path, trained: Trained, test_input: NDArray[np.float32]) -> None:
    network = trained.network.eval()
    tensor = torch.from_numpy(test_input)[None].contiguous()
    with torch.inference_mode():
        output = network(tensor).numpy()
    np.save(folder / "test_input.npy", tensor.numpy())
    np.save(folder / "test_output.npy", output)
    torch.save(network.state_dict(), folder / "weights.pt")
    export_onnx(
        network,
        folder / "weights.onnx",
        channels=len(trained.inputs),
        multiple=size_multiple(trained.architecture),
        output=trained.output[0],
    )
    record = {"recipe": asdict(trained.recipe), "command": trained.command, "made_with": trained.made_with}
    story = record | {
        "data": {"source": trained.data.source, **trained.data.facts},
        "test": trained.scores,
        "history": trained.history.to_dict(),
    }
    (folder / "training.json").write_text(json.dumps(story, indent=1) + "\n", encoding="utf-8")
    draw_curve(trained.history, folder / "training.png")
    (folder / "README.md").write_text(model_card(trained), encoding="utf-8")
    # Through JSON: plain lists, none of them twice the same object, which YAML would write as an alias.
    described = json.loads(json.dumps(describe(folder, trained, record, float(output.max()))))
    text = yaml.safe_dump(described, sort_keys=False, allow_unicode=True, width=110)
    (folder / "bioimageio.yaml").write_text(text, encoding="utf-8")


def load_network(package: ModelPackage) -> nn.Module:
    """The network of a package with its PyTorch weights, in evaluation mode.

    Errors: PackageError where the package has none, or they do not fit its architecture.
    """
    weights = package.description.weights.pytorch_state_dict
    if weights is None:
        raise PackageError(f"{package.id}: holds no PyTorch weights; use a package made by `streamer train`")
    network = build(package.config.architecture)
    try:
        network.load_state_dict(torch.load(BytesIO(package.read(weights)), weights_only=True))
    except RuntimeError as error:
        problem = str(error).strip().splitlines()[0]
        raise PackageError(
            f"{package.id}/{weights.source}: does not fit its architecture ({problem})"
        ) from None
    return network.eval()
