"""Two networks that learn from the same slices, one of which sees the neighbours."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import nn

from bench.stacks import MiddleSlices, compare, main
from bench.training_page import stacks
from streamer.simulation.series import stack_exposures
from streamer.training import Recipe
from streamer.training.sequences import StackExamples, make_stack_fields


def test_the_other_network_is_shown_the_very_same_photons_without_the_neighbours() -> None:
    recipe = Recipe(fields=1, field_px=64, patch_px=32, batch=2, frames=3, context="z")
    fields = tuple(make_stack_fields("train", recipe, 1))
    whole = StackExamples(fields=fields, validation=fields, recipe=recipe)
    ours, theirs = MiddleSlices(whole).batch(3), whole.batch(3)
    assert ours.photons.shape == (2, 1, 32, 32)
    assert torch.equal(ours.photons[:, 0], theirs.photons[:, 0])
    assert torch.equal(ours.signal, theirs.signal)


class _Mean(nn.Module):
    """The mean of what is shown."""

    def forward(self, photons: torch.Tensor) -> torch.Tensor:
        return photons.mean(1, keepdim=True)


def test_slices_that_look_elsewhere_do_not_help_and_equal_networks_do_not_differ() -> None:
    exposures = stack_exposures(3, 7, 64, 28.0)
    found = compare(_Mean(), _Mean(), exposures, seed=1)
    same = compare(_Mean(), _First(), exposures, seed=1)
    assert found["gain_db"] != 0
    assert same["gain_db"] == 0
    assert same["gain_db_interval_95"] == [0, 0]


class _First(nn.Module):
    """What is shown first."""

    def forward(self, photons: torch.Tensor) -> torch.Tensor:
        return photons[:, :1]


def test_the_whole_comparison_ends_in_a_section_of_the_page(tmp_path: Path) -> None:
    out = tmp_path / "stacks.json"
    main(out, steps=2, fields=1, field_px=64, stacks=2, size=64, seed=3, threads=1)
    results = json.loads(out.read_text())
    assert results["quick"]
    words = stacks(results)
    for found in results["levels"].values():
        assert f"{found['psnr_db']['2.5D']:.2f}" in words
        low, high = found["gain_db_interval_95"]
        assert np.isfinite([low, high]).all()
        assert low <= high
