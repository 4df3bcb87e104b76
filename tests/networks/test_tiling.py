"""Tiles whose seams do not show, for networks that see a neighbourhood and networks that see all."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from streamer.errors import UsageError
from streamer.networks import build, halo_px, size_multiple, tiled

TINY = {"entry": 4, "widths": [4, 6], "bridge": [8], "groups": 1, "blocks": 1}
LOCAL = {"name": "unet-rcan-live", **TINY, "attention": False}
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "local": LOCAL,
    "context and uncertainty": {**LOCAL, "frames": 3, "uncertainty": True},
    "attention": {**LOCAL, "attention": True},
    "segmenter": {**LOCAL, "name": "unet-live", "classes": 3, "groups": None, "blocks": None},
    "care": {"name": "care-unet", "first": 4},
}
#: Largest difference over the largest value: float32 rounding through some twenty layers.
EXACT = 1e-5


def network_of(name: str) -> tuple[nn.Module, int, Tensor]:
    """A network with random weights, its size multiple and a noisy image for it."""
    architecture = {key: value for key, value in ARCHITECTURES[name].items() if value is not None}
    torch.manual_seed(5)
    network = build(architecture).eval()
    photons = torch.poisson(2.0 * torch.rand(1, int(architecture.get("frames", 1)), 176, 208))
    return network, size_multiple(architecture), photons


def difference(network: nn.Module, image: Tensor, tiles: Tensor) -> float:
    with torch.inference_mode():
        whole = network(image)
    return float((tiles - whole).abs().max() / whole.abs().max())


@pytest.mark.parametrize("tile_px", [32, 48, 400])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_with_its_halo_a_tiled_image_equals_the_whole_one(name: str, tile_px: int) -> None:
    network, multiple, image = network_of(name)
    tiles = tiled(network, image, tile_px=tile_px, halo_px=halo_px(network, multiple), multiple=multiple)
    assert difference(network, image, tiles) < EXACT


@pytest.mark.parametrize("name", ["local", "attention"])
def test_without_a_halo_the_seams_show(name: str) -> None:
    network, multiple, image = network_of(name)
    assert difference(network, image, tiled(network, image, tile_px=32, halo_px=0, multiple=multiple)) > 1e-3


def test_attention_is_left_as_it_was() -> None:
    network, multiple, image = network_of("attention")
    with torch.inference_mode():
        before = network(image)
        tiled(network, image, tile_px=64, halo_px=0, multiple=multiple)
        assert torch.equal(network(image), before)


def test_a_change_beyond_the_reach_of_a_local_network_changes_nothing() -> None:
    network, multiple, image = network_of("local")
    far = image.clone()
    far[..., halo_px(network, multiple) :] += 5.0
    with torch.inference_mode():
        assert torch.equal(network(image)[..., :8], network(far)[..., :8])


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"tile_px": 20, "halo_px": 8}, "tile_px = 20"),
        ({"tile_px": 0, "halo_px": 8}, "tile_px = 0"),
        ({"tile_px": 32, "halo_px": 3}, "halo_px = 3"),
        ({"tile_px": 32, "halo_px": -8}, "halo_px = -8"),
    ],
    ids=str,
)
def test_sizes_that_do_not_divide_are_refused(sizes: dict[str, int], words: str) -> None:
    network, multiple, image = network_of("local")
    with pytest.raises(UsageError, match=words):
        tiled(network, image, multiple=multiple, **sizes)


def test_a_network_without_a_stated_reach_is_refused() -> None:
    with pytest.raises(UsageError, match="states no reach_px"):
        halo_px(nn.Conv2d(1, 1, 3), 8)
