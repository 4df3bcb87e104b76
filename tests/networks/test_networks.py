"""Networks: sizes, scale, and what reaches what."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch import nn

from streamer.errors import PackageError
from streamer.networks import NAMES, UNetRCAN, build
from streamer.training import ARCHITECTURES

TINY = {"entry": 4, "widths": [4, 6], "bridge": [8], "groups": 1, "blocks": 1}
DENOISER = {"name": "unet-rcan-live", **TINY}
SEGMENTER = {"name": "unet-live", "entry": 4, "widths": [4, 6], "bridge": [8], "classes": 3}


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("kernel", "expected"), [(3, 16_684_337), (7, 87_634_737)], ids=["k3", "k7"])
def test_unet_rcan_has_the_published_number_of_parameters(kernel: Literal[3, 7], expected: int) -> None:
    with torch.device("meta"):
        assert parameters(UNetRCAN(kernel=kernel)) == expected


def test_unet_rcan_gives_both_stages_and_means_the_second() -> None:
    torch.manual_seed(0)
    network = UNetRCAN().eval()
    image = torch.rand(1, 1, 16, 24)
    with torch.inference_mode():
        first, second = network.stages(image)
        assert first.shape == second.shape == image.shape
        assert torch.equal(network(image), second)


def test_unet_rcan_has_no_normalisation_layer_and_biases_everywhere() -> None:
    with torch.device("meta"):
        layers = list(UNetRCAN().modules())
    assert not any("Norm" in type(layer).__name__ for layer in layers)
    assert all(layer.bias is not None for layer in layers if isinstance(layer, nn.Conv2d))


@pytest.mark.parametrize("size_yx", [(8, 8), (16, 24), (48, 16)], ids=str)
@pytest.mark.parametrize(
    ("architecture", "channels"), [(DENOISER, 1), (SEGMENTER, 3)], ids=["denoiser", "segmenter"]
)
def test_live_networks_keep_every_size_that_divides_by_the_multiple(
    architecture: dict[str, object], channels: int, size_yx: tuple[int, int]
) -> None:
    network = build(architecture).eval()
    assert network(torch.rand(2, 1, *size_yx)).shape == (2, channels, *size_yx)


def test_denoised_photons_are_never_negative_even_for_negative_input() -> None:
    torch.manual_seed(3)
    with torch.inference_mode():
        photons = build(DENOISER).eval()(torch.randn(4, 1, 32, 32) * 5)
    assert float(photons.min()) >= 0.0
    assert torch.isfinite(photons).all()


def test_in_training_the_denoiser_learns_below_zero_too() -> None:
    torch.manual_seed(3)
    network = build(DENOISER).train()
    photons = network(torch.rand(4, 1, 32, 32))
    assert float(photons.detach().min()) < 0.0
    torch.autograd.backward(photons.sum())
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_class_probabilities_add_up_to_one() -> None:
    probabilities = build(SEGMENTER).eval()(torch.rand(1, 1, 32, 32) * 100)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(1, 32, 32))


@pytest.mark.parametrize("kind", ["denoiser", "segmenter"])
def test_shipped_architectures_are_small(kind: Literal["denoiser", "segmenter"]) -> None:
    assert parameters(build(ARCHITECTURES[kind])) < 2_000_000


@pytest.mark.parametrize(
    ("architecture", "words"),
    [
        ({"name": "resnet"}, ["name = 'resnet'", NAMES[0]]),
        ({}, ["name = None", NAMES[1]]),
        ({**DENOISER, "depth": 3}, ["depth = 3", "not permitted"]),
        ({**DENOISER, "widths": [4, "x"]}, ["widths.1 = 'x'"]),
        ({**DENOISER, "widths": [10**9]}, ["widths.0 = 1000000000", "512"]),
        ({**DENOISER, "widths": []}, ["widths = []"]),
        ({**DENOISER, "groups": True}, ["groups = True"]),
        ({"name": "unet-live", "entry": 4}, ["widths", "required"]),
        ({"name": "unet-rcan", "kernel": 5}, ["kernel = 5"]),
    ],
    ids=["name", "no name", "extra", "text", "huge", "empty", "bool", "missing", "kernel"],
)
def test_an_impossible_architecture_is_refused_in_one_line(
    architecture: dict[str, object], words: list[str]
) -> None:
    with pytest.raises(PackageError) as refusal:
        build(architecture)
    message = str(refusal.value)
    assert message.startswith("config.streamer.architecture: ")
    assert "\n" not in message
    assert all(word in message for word in words)
