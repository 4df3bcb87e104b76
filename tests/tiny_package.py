"""A whole model package around a real network with random weights, small enough for any test."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml

ARCHITECTURE = {
    "name": "unet-rcan-live",
    "entry": 4,
    "widths": [4, 8],
    "bridge": [8],
    "groups": 1,
    "blocks": 1,
}

#: Makes a copy of the tiny package in a fresh folder of the given name.
MakePackage = Callable[[str], Path]


def build_tiny_package(folder: Path) -> None:
    """Write a denoiser package into `folder`; its network works at half resolution, multiples of 8."""
    import torch

    from streamer.networks import build

    torch.manual_seed(1)
    network = build(ARCHITECTURE).eval()
    photons = torch.poisson(torch.full((1, 1, 32, 40), 2.0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the quick exporter says that it is the old one
        torch.onnx.export(
            network,
            (photons,),
            folder / "weights.onnx",
            input_names=["photons"],
            output_names=["denoised"],
            dynamic_axes={"photons": {2: "y", 3: "x"}, "denoised": {2: "y", 3: "x"}},
            dynamo=False,
        )
    torch.save(network.state_dict(), folder / "weights.pt")
    np.save(folder / "test_input.npy", photons.numpy())
    with torch.inference_mode():
        np.save(folder / "test_output.npy", network(photons).numpy())
    (folder / "bioimageio.yaml").write_text(yaml.safe_dump(_description(folder)), encoding="utf-8")


def rewrite(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a package's description in place."""
    path = folder / "bioimageio.yaml"
    description = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(description)
    path.write_text(yaml.safe_dump(description), encoding="utf-8")


def _description(folder: Path) -> dict[str, Any]:
    def file(name: str, **more: object) -> dict[str, Any]:
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        return {"source": name, "sha256": digest, **more}

    def axes() -> list[dict[str, Any]]:
        space = [{"type": "space", "id": name, "size": {"min": 8, "step": 8}} for name in "yx"]
        return [{"type": "batch"}, {"type": "channel", "channel_names": ["photons"]}, *space]

    return {
        "format_version": "0.5.4",
        "type": "model",
        "name": "tiny",
        "inputs": [{"id": "photons", "axes": axes(), "test_tensor": file("test_input.npy")}],
        "outputs": [{"id": "denoised", "axes": axes(), "test_tensor": file("test_output.npy")}],
        "weights": {
            "onnx": file("weights.onnx", opset_version=18),
            "pytorch_state_dict": file("weights.pt"),
        },
        "config": {
            "streamer": {
                "kind": "denoiser",
                "architecture": dict(ARCHITECTURE),
                "size_multiple": 8,
                "trained_photons": {"median_box_sum": [10.0, 60.0]},
                "tolerance": {"relative_rms_f32": 1e-4, "relative_rms_bf16": 5e-2},
            }
        },
    }
