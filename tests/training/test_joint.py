"""Learning to denoise two detection channels at once: fields, batches, the network, the package."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

from streamer.cli.main import app
from streamer.errors import PackageError, StreamerError
from streamer.networks import build, size_multiple
from streamer.package import load_package
from streamer.training import Recipe, load_network
from streamer.training.fields import Field
from streamer.training.joint import JointExamples, expected_channels, make_joint_fields, whole

RECIPE = Recipe(
    seed=5,
    batch=6,
    patch_px=32,
    field_px=112,
    box_sum=(10.0, 40.0),
    structures=("er", "puncta"),
    frames=2,
    context="channels",
)
TINY = {"name": "unet-rcan-live", "entry": 4, "widths": [4], "bridge": [4], "groups": 1, "blocks": 1}
SHORT = [
    *("--steps", "2", "--fields", "1", "--field-px", "96", "--patch-px", "32"),
    *("--batch", "1", "--test-frames", "2", "--threads", "1"),
]


@pytest.fixture(scope="module")
def fields() -> tuple[tuple[Field, ...], ...]:
    return tuple(make_joint_fields("train", RECIPE, 3))


class Same(nn.Module):
    """Gives back what it is shown, and a deviation for each."""

    def forward(self, photons: Tensor) -> Tensor:
        return torch.cat([photons, photons + 1], 1)


def test_channels_of_one_dye_show_one_specimen_and_others_their_own(
    fields: tuple[tuple[Field, ...], ...],
) -> None:
    assert all(len(field) == 2 and field[0] is not field[1] for field in fields)
    (one,) = make_joint_fields("train", replace(RECIPE, structures=("er", "er")), 1)
    assert one[0] is one[1]


def test_batches_follow_from_recipe_and_step_and_hold_both_channels(
    fields: tuple[tuple[Field, ...], ...],
) -> None:
    examples = JointExamples(fields=fields, validation=fields[:1], recipe=RECIPE)
    first, again, other = examples.batch(3), examples.batch(3), examples.batch(4)
    assert first.photons.shape == first.signal.shape == (6, 2, 32, 32)
    assert first.noise.shape == (6, 2, 1, 1)
    assert torch.equal(first.photons, again.photons)
    assert not torch.equal(first.photons, other.photons)
    assert bool((first.signal >= 0).all() and (first.noise > 0).all())
    # Counts are Poisson around what is in focus and more.
    assert float(first.photons.mean()) > float(first.signal.mean())


def test_score_is_the_gain_over_raw_of_both_channels(fields: tuple[tuple[Field, ...], ...]) -> None:
    examples = JointExamples(fields=fields, validation=fields[:2], recipe=RECIPE)
    assert all(abs(gain) < 1e-9 for gain in examples.score(Same()).values())


def test_only_images_are_expected_of_a_network_with_deviations(fields: tuple[tuple[Field, ...], ...]) -> None:
    counts, truth = whole(fields[0], (20.0, 30.0), (1, 2))
    assert counts.shape == truth.shape == (2, 112, 112)
    np.testing.assert_array_equal(expected_channels(Same(), counts), counts)


@pytest.mark.parametrize("uncertainty", [False, True])
def test_the_network_gives_an_image_for_each_channel_then_the_deviations(uncertainty: bool) -> None:
    torch.manual_seed(1)
    architecture = {**TINY, "attention": False, "channels": 2, "uncertainty": uncertainty}
    network = build(architecture).eval()
    photons = torch.poisson(torch.full((1, 2, 32, 48), 2.0))
    photons.requires_grad_()
    output = network(photons)
    assert output.shape == (1, 4 if uncertainty else 2, 32, 48)
    (gradient,) = torch.autograd.grad(output[0, 0].sum(), photons)
    assert bool((gradient[0, 1] != 0).any())  # each image is made of both channels
    if uncertainty:
        log_factor = network.state_dict()["spread.log_factor"]
        assert log_factor.shape[0] == 2
        before = output[:, 2:].detach()
        log_factor[1] += 1.0
        after = network(photons)[:, 2:].detach()
        assert torch.equal(after[:, 0], before[:, 0])
        assert bool((after[:, 1] > before[:, 1]).all())


def test_channels_and_frames_do_not_go_together() -> None:
    with pytest.raises(PackageError, match="channels = 2 is given with frames = 3"):
        build({**TINY, "channels": 2, "frames": 3})
    assert size_multiple({**TINY, "channels": 2}) == 4


@pytest.mark.usefixtures("no_graph")
def test_train_writes_a_package_of_two_channels(tmp_path: Path) -> None:
    out = tmp_path / "both"
    told = ["train", "--simulate", "er,er", "--frames", "2", "--context", "channels", "--out", str(out)]
    result = CliRunner().invoke(app, [*told, "--architecture", "live-small", *SHORT], catch_exceptions=False)
    assert result.exit_code == 0
    package = load_package(out)
    assert (package.channels, package.gives_uncertainty, package.config.reach_px) == (2, True, 134)
    assert package.description.inputs[0].channel_names == ("photons 1 er", "photons 2 er")
    assert package.test_input().shape[1] == 2
    assert package.test_output().shape[1] == 4
    with torch.inference_mode():
        again = load_network(package)(torch.from_numpy(package.test_input())).numpy()
    np.testing.assert_allclose(again, package.test_output(), rtol=1e-4, atol=1e-6)
    card = (out / "README.md").read_text()
    assert "# ER denoiser of 2 channels for live STED" in card
    assert "(er, channel 2, median box sum" in card
    assert "streamer evaluate` repeats" not in card
    assert "next: streamer replay RECORDING --profile PROFILE --model" in result.stdout


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (["--simulate", "er"], "--frames 2 --simulate er: name the structure that each of 2 to 4 channels"),
        (
            ["--simulate", "er,er", "--architecture", "care-unet"],
            "--architecture care-unet: takes one; use live",
        ),
    ],
    ids=["one structure", "another network"],
)
def test_what_cannot_be_learned_together_is_refused(told: list[str], words: str) -> None:
    result = CliRunner().invoke(app, ["train", *told, "--frames", "2", "--context", "channels", *SHORT])
    assert isinstance(result.exception, StreamerError), result.exception
    assert words in str(result.exception)
