"""Denoisers beside the live one, context, and the second head."""

from __future__ import annotations

from typing import cast

import pytest
import torch

from streamer.errors import PackageError
from streamer.networks import CareUNet, InPhotons, LiveDenoiser, UNetRCAN, build, size_multiple
from streamer.networks.spread import KNOTS_LOG10, Spread

LIVE = {"name": "unet-rcan-live", "entry": 4, "widths": [4, 6], "bridge": [8], "groups": 1, "blocks": 1}


def test_care_has_the_parameters_of_its_published_default() -> None:
    """Depth 2, 32 channels, kernel 5, two convolutions a level, halved before each step up (CSBDeep)."""
    convolutions = [(1, 32), (32, 32), (32, 64), (64, 64), (64, 128), (128, 64)]
    convolutions += [(128, 64), (64, 32), (64, 32), (32, 32)]
    expected = sum(25 * a * b + b for a, b in convolutions) + 32 + 1
    assert sum(parameter.numel() for parameter in CareUNet().parameters()) == expected


def test_care_starts_from_its_input() -> None:
    network = CareUNet(first=4).eval()
    torch.nn.init.zeros_(network.head.weight)
    torch.nn.init.zeros_(network.head.bias)
    image = torch.rand(1, 1, 16, 24)
    assert torch.equal(network(image), image)


@pytest.mark.parametrize(
    ("architecture", "multiple"),
    [
        (LIVE, 8),
        ({"name": "care-unet", "depth": 3}, 8),
        ({"name": "care-unet"}, 4),
        ({"name": "unet-rcan", "photons": True}, 8),
    ],
    ids=str,
)
def test_the_size_multiple_is_that_of_the_architecture(
    architecture: dict[str, object], multiple: int
) -> None:
    assert size_multiple(architecture) == multiple


def test_the_published_network_in_photons_keeps_both_stages_and_never_goes_below_zero() -> None:
    torch.manual_seed(1)
    network = InPhotons(UNetRCAN()).eval()
    with torch.inference_mode():
        first, second = network.stages(torch.poisson(torch.rand(1, 1, 16, 16)))
    assert first.shape == second.shape == (1, 1, 16, 16)
    assert float(torch.minimum(first, second).min()) >= 0.0


def test_context_is_seen_and_its_order_matters() -> None:
    torch.manual_seed(2)
    network = build({**LIVE, "frames": 3}).eval()
    stack = torch.poisson(torch.rand(1, 3, 32, 32) * 3)
    with torch.inference_mode():
        assert not torch.equal(network(stack), network(stack[:, [0, 2, 1]]))
        assert network(stack).shape == (1, 1, 32, 32)


@pytest.mark.parametrize("frames", [0, 10, 2.0])
def test_an_impossible_number_of_frames_is_refused(frames: float) -> None:
    with pytest.raises(PackageError, match="frames"):
        build({**LIVE, "frames": frames})


def test_the_second_head_adds_a_deviation_and_changes_no_photon() -> None:
    torch.manual_seed(3)
    plain = build(LIVE).eval()
    both = build({**LIVE, "uncertainty": True}).eval()
    both.load_state_dict(plain.state_dict(), strict=False)
    image = torch.poisson(torch.rand(2, 1, 32, 24) * 3)
    with torch.inference_mode():
        output = both(image)
        assert torch.equal(output[:, :1], plain(image))
    assert output.shape == (2, 2, 32, 24)
    assert float(output[:, 1].min()) > 0.0


def test_in_training_the_second_head_is_silent() -> None:
    network = build({**LIVE, "uncertainty": True}).train()
    assert network(torch.rand(1, 1, 16, 16)).shape == (1, 1, 16, 16)


def test_the_correction_runs_straight_between_knots_and_level_beyond_them() -> None:
    head = Spread(4)
    head.log_factor.copy_(torch.arange(len(KNOTS_LOG10), dtype=torch.float32))
    halfway = (KNOTS_LOG10[2] + KNOTS_LOG10[3]) / 2
    places = torch.tensor([KNOTS_LOG10[0] - 1, KNOTS_LOG10[2], halfway, KNOTS_LOG10[-1] + 2])
    found = head.correction((10.0**places)[None, None, None])
    assert found.flatten().tolist() == pytest.approx([0.0, 2.0, 2.5, len(KNOTS_LOG10) - 1], abs=1e-4)


def test_a_factor_scales_the_deviation() -> None:
    torch.manual_seed(4)
    network = cast(LiveDenoiser, build({**LIVE, "uncertainty": True})).eval()
    image = torch.poisson(torch.rand(1, 1, 32, 32) * 3)
    head = cast(Spread, network.spread)
    with torch.inference_mode():
        before = network(image)
        head.log_factor.fill_(float(torch.log(torch.tensor(3.0))))
        after = network(image)
    assert torch.equal(before[:, 0], after[:, 0])
    torch.testing.assert_close(after[:, 1], 3.0 * before[:, 1])
