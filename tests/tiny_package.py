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
    _write(folder, network, torch.poisson(torch.full((1, 1, 32, 40), 2.0)), ["photons"], ["photons"])
    torch.save(network.state_dict(), folder / "weights.pt")

    def with_state_dict(description: dict[str, Any]) -> None:
        description["weights"]["pytorch_state_dict"] = _file(folder, "weights.pt")
        description["config"]["streamer"]["architecture"] = dict(ARCHITECTURE)

    rewrite(folder, with_state_dict)


#: What each frame weighs in the package with a past, newest first: no two orders give the same.
PAST_WEIGHTS = (1.0, 0.5, 0.25)
#: Its standard deviation, of the expected photons.
SD_SHARE = 2.0**-9


def build_package_with_past(folder: Path) -> None:
    """Write a denoiser package that sees two frames before each, and gives a standard deviation.

    Expected photons are the sum of the three frames, weighted by `PAST_WEIGHTS`: exact in float32.
    """
    import torch

    class Past(torch.nn.Module):
        def forward(self, photons: torch.Tensor) -> torch.Tensor:
            expected = (photons * torch.tensor(PAST_WEIGHTS)[:, None, None]).sum(1, keepdim=True)
            return torch.cat([expected, SD_SHARE * expected], 1)

    names = ["photons", "photons 1 before", "photons 2 before"]
    shown = torch.poisson(torch.full((1, 3, 32, 40), 2.0, dtype=torch.float32))
    _write(folder, Past().eval(), shown, names, ["photons", "standard deviation"])
    rewrite(folder, lambda description: description["config"]["streamer"].update(context="time"))


#: What each channel weighs in each image of the package of two channels: no two orders give the same.
CHANNEL_WEIGHTS = ((2.0, 0.25), (0.5, 3.0))


def build_package_of_channels(folder: Path) -> None:
    """Write a denoiser package that takes two detection channels at once, and gives their deviations.

    Expected photons are sums of the channels, weighted by `CHANNEL_WEIGHTS`: exact in float32.
    """
    import torch

    class Together(torch.nn.Module):
        def forward(self, photons: torch.Tensor) -> torch.Tensor:
            weights = torch.tensor(CHANNEL_WEIGHTS)[..., None, None]
            expected = torch.cat([(photons * each).sum(1, keepdim=True) for each in weights], 1)
            return torch.cat([expected, SD_SHARE * expected], 1)

    given = ["photons 1 er", "photons 2 puncta"]
    made = [*given, "standard deviation 1 er", "standard deviation 2 puncta"]
    shown = torch.poisson(torch.full((1, 2, 32, 40), 2.0, dtype=torch.float32))
    _write(folder, Together().eval(), shown, given, made)
    rewrite(folder, lambda description: description["config"]["streamer"].update(context="channels"))


def _write(folder: Path, network: Any, shown: Any, given: list[str], made: list[str]) -> None:
    """A package of `network`: its graph, test tensors for the input `shown`, a description."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the quick exporter says that it is the old one
        torch.onnx.export(
            network,
            (shown,),
            folder / "weights.onnx",
            input_names=["photons"],
            output_names=["denoised"],
            dynamic_axes={"photons": {2: "y", 3: "x"}, "denoised": {2: "y", 3: "x"}},
            dynamo=False,
        )
    np.save(folder / "test_input.npy", shown.numpy())
    with torch.inference_mode():
        np.save(folder / "test_output.npy", network(shown).numpy())
    text = yaml.safe_dump(_description(folder, given, made))
    (folder / "bioimageio.yaml").write_text(text, encoding="utf-8")


def rewrite(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a package's description in place."""
    path = folder / "bioimageio.yaml"
    description = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(description)
    path.write_text(yaml.safe_dump(description), encoding="utf-8")


def _file(folder: Path, name: str, **more: object) -> dict[str, Any]:
    digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    return {"source": name, "sha256": digest, **more}


def _description(folder: Path, given: list[str], made: list[str]) -> dict[str, Any]:
    """What a denoiser's bioimageio.yaml says; `given` and `made` name its channels."""

    def tensor(name: str, channels: list[str], test: str) -> dict[str, Any]:
        space = [{"type": "space", "id": axis, "size": {"min": 8, "step": 8}} for axis in "yx"]
        axes = [{"type": "batch"}, {"type": "channel", "channel_names": channels}, *space]
        return {"id": name, "axes": axes, "test_tensor": _file(folder, test)}

    return {
        "format_version": "0.5.4",
        "type": "model",
        "name": "tiny",
        "inputs": [tensor("photons", given, "test_input.npy")],
        "outputs": [tensor("denoised", made, "test_output.npy")],
        "weights": {"onnx": _file(folder, "weights.onnx", opset_version=18)},
        "config": {
            "streamer": {
                "kind": "denoiser",
                "size_multiple": 8,
                "trained_photons": {"median_box_sum": [10.0, 60.0]},
                "tolerance": {"relative_rms_f32": 1e-4, "relative_rms_bf16": 5e-2},
            }
        },
    }
