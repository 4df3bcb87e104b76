"""From a published ERnet checkpoint to a model package."""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
import yaml
from numpy.typing import NDArray

from streamer.errors import PackageError
from streamer.networks import ERnet
from streamer.networks.ernet import CLASS_NAMES, SIZE_MULTIPLE
from streamer.networks.ernet_input import ernet_input
from streamer.training.describe import FORMAT_VERSION, TOLERANCE
from streamer.training.ernet_graph import export_ernet
from streamer.training.graph import OPSET

#: The published checkpoint is a few megabytes; nothing much larger is read.
MAX_BYTES = 256 << 20
#: Where a checkpoint keeps its weights, and what training on several cards puts before every name.
_KEY, _WRAPPED = "state_dict", "module."
_TEST_SHAPE = (64, 96)
_CARD = """# ERnet

Four classes of the endoplasmic reticulum: {classes}. Made from `{source}` (sha256 {sha256}).

Input: one image [1, 1, y, x] from 0 to 1, height and width even. `streamer.networks.ernet_input.ernet_input`
makes it from a frame: 1st and 99th percentile to 0 and 1, clipped, 8 bits rounded down, over 255. Output:
probabilities [1, 4, y, x]; the class of a pixel is the most probable one.

ERnet was trained on structured-illumination images. On STED frames it is a hypothesis to be checked.
Source: Lu et al., Nature Methods 20, 569 (2023). Cite it, and keep to the licence of the weights.
"""


def import_ernet(checkpoint: Path, folder: Path) -> None:
    """Write the package of a checkpoint into `folder`, which must not exist.

    Raises:
        PackageError: the checkpoint cannot be read or is none of ERnet, or the folder is there already.
    """
    network = load_ernet(checkpoint)
    if folder.exists():
        raise PackageError(f"{folder}: is there already; name a new folder")
    made = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    sha256 = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    card = _CARD.format(classes=", ".join(CLASS_NAMES), source=checkpoint.name, sha256=sha256)
    (made / "README.md").write_text(card, encoding="utf-8")
    write_package(made, network)
    made.replace(folder)


def load_ernet(checkpoint: Path) -> ERnet:
    """The network of a checkpoint: a dictionary with the weights under `state_dict`, or the weights alone.

    Raises:
        PackageError: it cannot be read, holds more than tensors and plain values, or other weights.
    """
    try:
        if checkpoint.stat().st_size > MAX_BYTES:
            raise PackageError(f"{checkpoint}: larger than {MAX_BYTES >> 20} MiB; ERnet's has a few")
        found = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except OSError as error:
        raise PackageError(
            f"{checkpoint}: cannot be read ({error.strerror or error}); name the file"
        ) from None
    except (pickle.UnpicklingError, RuntimeError, ValueError, EOFError, KeyError) as error:
        problem = (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
        raise PackageError(
            f"{checkpoint}: no checkpoint of tensors alone ({problem}); save {{'state_dict': weights}} again"
        ) from None
    weights = found.get(_KEY, found) if isinstance(found, Mapping) else None
    if not isinstance(weights, Mapping):
        raise PackageError(f"{checkpoint}: holds no {_KEY}; give ERnet's published checkpoint")
    network = ERnet(probabilities=True)
    try:
        network.load_state_dict({str(name).removeprefix(_WRAPPED): value for name, value in weights.items()})
    except (RuntimeError, AttributeError, TypeError) as error:
        problem = " ".join(str(error).split())[:160]
        raise PackageError(
            f"{checkpoint}: not ERnet's weights ({problem}); give the four-class, one-channel checkpoint"
        ) from None
    return network.eval()


def write_package(folder: Path, network: ERnet) -> None:
    """Weights, graph, test tensors and description of `network` into `folder`."""
    image = torch.from_numpy(example_image())[None, None]
    with torch.inference_mode():
        output = network.eval()(image).numpy()
    np.save(folder / "test_input.npy", image.numpy())
    np.save(folder / "test_output.npy", output)
    torch.save(network.state_dict(), folder / "weights.pt")
    export_ernet(network, folder / "weights.onnx")
    text = yaml.safe_dump(json.loads(json.dumps(_described(folder, network))), sort_keys=False, width=110)
    (folder / "bioimageio.yaml").write_text(text, encoding="utf-8")


def example_image() -> NDArray[np.float32]:
    """Crossing tubules and a sheet with the noise of few photons, as ERnet takes them."""
    y, x = np.indices(_TEST_SHAPE)
    tubules = np.exp(-((((x + y) % 17) - 8.0) ** 2) / 4) + np.exp(-((((x - 2 * y) % 29) - 14.0) ** 2) / 6)
    sheet = 0.6 * (np.hypot(y - 32, x - 70) < 18)
    return ernet_input(np.random.default_rng(0).poisson(6 * (0.05 + np.maximum(tubules, sheet))))


def _described(folder: Path, network: ERnet) -> dict[str, object]:
    kind = "probabilities" if network.probabilities else "logits"
    sides: list[dict[str, object]] = [{"type": "space", "id": axis} for axis in "yx"]
    size = {"min": SIZE_MULTIPLE, "step": SIZE_MULTIPLE}
    given: list[dict[str, object]] = [{**side, "size": size} for side in sides]
    same: list[dict[str, object]] = [
        {**side, "size": {"tensor_id": "image", "axis_id": side["id"]}} for side in sides
    ]
    architecture = {"name": "ernet", "probabilities": network.probabilities}
    return {
        "format_version": FORMAT_VERSION,
        "type": "model",
        "name": "ERnet",
        "description": "Background, sheet-based tubules, tubules and sheets of the endoplasmic reticulum.",
        "documentation": "README.md",
        "inputs": [_tensor(folder, "image", ["intensity"], given, "input")],
        "outputs": [_tensor(folder, kind, list(CLASS_NAMES), same, "output")],
        "weights": {
            "onnx": _file(folder, "weights.onnx") | {"opset_version": OPSET},
            "pytorch_state_dict": _file(folder, "weights.pt"),
        },
        "config": {
            "streamer": {
                "architecture": architecture,
                "size_multiple": SIZE_MULTIPLE,
                "classes": list(CLASS_NAMES),
                "tolerance": dict(TOLERANCE),
            }
        },
    }


def _tensor(
    folder: Path, name: str, channels: list[str], space: list[dict[str, object]], test: str
) -> dict[str, object]:
    axes = [{"type": "batch", "size": 1}, {"type": "channel", "channel_names": channels}, *space]
    return {"id": name, "axes": axes, "test_tensor": _file(folder, f"test_{test}.npy")}


def _file(folder: Path, name: str) -> dict[str, object]:
    return {"source": name, "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest()}
