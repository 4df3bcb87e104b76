"""A package around the published UNet-RCAN at its published size, with random weights: for timing alone."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
import yaml

from streamer.networks import build, size_multiple
from streamer.training.describe import TOLERANCE
from streamer.training.graph import OPSET, export_onnx

#: What the numbers of such a package are, wherever they are printed.
WORDS = "UNet-RCAN as published (16.7 M parameters), random weights: times only"
ARCHITECTURE: dict[str, object] = {"name": "unet-rcan", "kernel": 3}


def write_published(folder: Path, architecture: dict[str, object] | None = None) -> Path:
    """Write the package into `folder` and give it back; another architecture for tests."""
    chosen = architecture or ARCHITECTURE
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    network, multiple = build(chosen).eval(), size_multiple(chosen)
    shown = torch.rand(1, 1, 8 * multiple, 8 * multiple)
    np.save(folder / "test_input.npy", shown.numpy())
    with torch.inference_mode():
        np.save(folder / "test_output.npy", network(shown).numpy())
    torch.save(network.state_dict(), folder / "weights.pt")
    export_onnx(network, folder / "weights.onnx", channels=1, multiple=multiple, output="denoised")
    described = {
        "format_version": "0.5.4",
        "type": "model",
        "name": WORDS,
        "inputs": [_tensor(folder, "photons", "test_input.npy")],
        "outputs": [_tensor(folder, "denoised", "test_output.npy")],
        "weights": {
            "onnx": _file(folder, "weights.onnx") | {"opset_version": OPSET},
            "pytorch_state_dict": _file(folder, "weights.pt"),
        },
        "config": {
            "streamer": {
                "kind": "denoiser",
                "architecture": dict(chosen),
                "size_multiple": multiple,
                "tolerance": dict(TOLERANCE),
            }
        },
    }
    (folder / "bioimageio.yaml").write_text(yaml.safe_dump(described), encoding="utf-8")
    return folder


def _tensor(folder: Path, name: str, test: str) -> dict[str, object]:
    space = [{"type": "space", "id": axis} for axis in "yx"]
    axes = [{"type": "batch"}, {"type": "channel", "channel_names": ["photons"]}, *space]
    return {"id": name, "axes": axes, "test_tensor": _file(folder, test)}


def _file(folder: Path, name: str) -> dict[str, object]:
    return {"source": name, "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest()}
