"""ERnet: its published shape, and a faster way to the same numbers."""

from __future__ import annotations

import luck
import pytest
import torch
from torch import Tensor

from bench.ernet_published import Published, labels_that_differ, telling
from streamer.errors import PackageError
from streamer.networks import ERnet, build, halo_px, size_multiple, tiled

#: Largest difference of logits over the largest logit: float32 rounding through twelve blocks.
ROUNDING = 2e-5
#: Logits of two classes no further apart are equal but for that rounding.
TIE = 1e-4
BLOCK = {
    "norm1.weight": (64,),
    "norm1.bias": (64,),
    "attn.relative_position_bias_table": (9, 8),
    "attn.relative_position_index": (4, 4),
    "attn.qkv.weight": (192, 64),
    "attn.qkv.bias": (192,),
    "attn.proj.weight": (64, 64),
    "attn.proj.bias": (64,),
    "norm2.weight": (64,),
    "norm2.bias": (64,),
    "mlp.fc1.weight": (128, 64),
    "mlp.fc1.bias": (128,),
    "mlp.fc2.weight": (64, 128),
    "mlp.fc2.bias": (64,),
}


def published_entries() -> dict[str, tuple[int, ...]]:
    """Names and shapes of the published state dict, in its order."""

    def conv(name: str, outputs: int, inputs: int, kernel: int) -> dict[str, tuple[int, ...]]:
        return {f"{name}.weight": (outputs, inputs, kernel, kernel), f"{name}.bias": (outputs,)}

    entries = conv("conv_first", 64, 1, 3) | {
        "patch_embed.norm.weight": (64,),
        "patch_embed.norm.bias": (64,),
    }
    for group in range(2):
        for block in range(6):
            place = f"layers.{group}.residual_group.blocks.{block}"
            entries |= {f"{place}.{name}": shape for name, shape in BLOCK.items()}
        entries |= conv(f"layers.{group}.resi_connection1", 64, 64, 3)
    entries |= {"norm.weight": (64,), "norm.bias": (64,)}
    entries |= conv("conv_after_body", 64, 64, 3) | conv("conv_before_upsample.0", 64, 64, 3)
    entries |= conv("conv_last", 64, 64, 3) | conv("conv_combine", 1, 1, 3)
    return entries | conv("segmentation_decode", 4, 64, 1)


@pytest.fixture(scope="module")
def network() -> ERnet:
    return telling(luck.seed())


def images() -> dict[str, Tensor]:
    """Random and structured, square and not, one and several."""
    generator = torch.Generator().manual_seed(luck.seed())
    y, x = torch.meshgrid(torch.arange(32), torch.arange(48), indexing="ij")
    return {
        "noise": torch.rand(1, 1, 32, 48, generator=generator),
        "one window": torch.rand(1, 1, 2, 2, generator=generator),
        "two images": torch.rand(2, 1, 16, 16, generator=generator),
        "empty": torch.zeros(1, 1, 32, 48),
        "stripes": ((x // 3) % 2).float()[None, None],
        "tubules": torch.exp(-(((x + y) % 11 - 5.0) ** 2) / 4)[None, None],
        "8 bit": torch.floor(torch.rand(1, 1, 32, 48, generator=generator) * 255) / 255,
    }


def test_ernet_has_the_published_number_of_parameters_and_entries(network: ERnet) -> None:
    assert sum(parameter.numel() for parameter in network.parameters()) == 588_334
    assert len(network.state_dict()) == 188


def test_its_state_dict_has_the_published_names_and_shapes(network: ERnet) -> None:
    found = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    assert found == published_entries()
    assert list(found) == list(published_entries())


def test_its_positions_are_those_of_a_2x2_window(network: ERnet) -> None:
    index = network.state_dict()["layers.0.residual_group.blocks.0.attn.relative_position_index"]
    assert index.tolist() == [[4, 3, 1, 0], [5, 4, 2, 1], [7, 6, 4, 3], [8, 7, 5, 4]]


@pytest.mark.parametrize("name", images())
def test_it_gives_what_the_published_formulation_gives(network: ERnet, name: str) -> None:
    image = images()[name]
    with torch.inference_mode():
        expected, found = Published(network)(image), network(image)
    assert float((found - expected).abs().max() / expected.abs().max()) < ROUNDING
    assert labels_that_differ(found, expected)[1] < TIE


def test_the_test_network_draws_all_classes(network: ERnet) -> None:
    with torch.inference_mode():
        drawn = network(images()["noise"]).argmax(1).unique()
    assert drawn.tolist() == [0, 1, 2, 3]


def test_the_published_mask_changes_nothing(network: ERnet) -> None:
    image = images()["noise"]
    with torch.inference_mode():
        assert torch.equal(Published(network)(image), Published(network, with_mask=False)(image))


def test_a_gradient_reaches_every_weight_that_computes(network: ERnet) -> None:
    fresh = ERnet()
    torch.autograd.backward(fresh(torch.rand(1, 1, 8, 8)).square().sum())
    without = {name for name, parameter in fresh.named_parameters() if parameter.grad is None}
    assert without == {"conv_combine.weight", "conv_combine.bias"}


def test_a_pixel_sees_16_by_16_pixels(network: ERnet) -> None:
    image = torch.rand(1, 1, 48, 48, requires_grad=True)
    torch.autograd.backward(network(image)[0, :, 24, 25].sum())
    assert image.grad is not None
    rows, columns = (image.grad[0, 0].abs().amax(axis).nonzero().flatten() for axis in (1, 0))
    assert (int(rows[0]), int(rows[-1])) == (24 - 7, 24 + 8)
    assert (int(columns[0]), int(columns[-1])) == (24 - 7, 24 + 8)


@pytest.mark.parametrize("tile_px", [16, 34])
def test_even_tiles_with_a_halo_of_8_are_exact(network: ERnet, tile_px: int) -> None:
    image = torch.rand(1, 1, 60, 76)
    assert halo_px(network, 2) == 8
    tiles = tiled(network, image, tile_px=tile_px, halo_px=8, multiple=2)
    with torch.inference_mode():
        whole = network(image)
    assert float((tiles - whole).abs().max() / whole.abs().max()) < ROUNDING
    assert labels_that_differ(tiles, whole)[1] < TIE


def test_a_halo_of_6_is_too_small(network: ERnet) -> None:
    image = torch.rand(1, 1, 60, 76)
    tiles = tiled(network, image, tile_px=16, halo_px=6, multiple=2)
    with torch.inference_mode():
        assert float((tiles - network(image)).abs().max()) > 1e-4


def test_parts_of_an_image_in_the_cache_change_nothing(
    network: ERnet, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = images()["noise"]
    with torch.inference_mode():
        whole = network(image)
        monkeypatch.setattr("streamer.networks.ernet.CHUNK_WINDOWS", 100)
        torch.testing.assert_close(network(image), whole, rtol=1e-5, atol=1e-5)


def test_the_registry_builds_it() -> None:
    assert isinstance(build({"name": "ernet"}), ERnet)
    assert size_multiple({"name": "ernet"}) == 2
    with torch.inference_mode():
        shares = build({"name": "ernet"}).eval()(torch.rand(1, 1, 4, 6))
        torch.testing.assert_close(shares.sum(1), torch.ones(1, 4, 6))
        logits = build({"name": "ernet", "probabilities": False}).eval()(torch.rand(1, 1, 4, 6))
        assert not torch.allclose(logits.sum(1), torch.ones(1, 4, 6))


@pytest.mark.parametrize(
    ("setting", "words"),
    [({"probabilities": 1}, "probabilities = 1"), ({"window": 4}, "window = 4")],
    ids=str,
)
def test_other_settings_are_refused(setting: dict[str, object], words: str) -> None:
    with pytest.raises(PackageError, match=words):
        build({"name": "ernet", **setting})
