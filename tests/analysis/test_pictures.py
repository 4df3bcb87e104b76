"""Pictures are drawn for what can be drawn, and left out for what cannot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from specimens_for_judging import Oracle, frames

from streamer.analysis import pictures

pytest.importorskip("matplotlib")


def is_picture(path: Path) -> bool:
    return path.read_bytes().startswith(b"\x89PNG")


def test_reliability_is_drawn_from_predictions_and_their_deviations(tmp_path: Path) -> None:
    oracle, predicted = Oracle(error=0.01, stated=0.01), []
    for frame in frames():
        prediction, deviation = oracle(frame.counts)
        assert deviation is not None
        predicted.append((prediction, deviation))
    path = tmp_path / "reliability.png"
    pictures.draw_reliability({"oracle": predicted}, [frame.truth for frame in frames()], path)
    assert is_picture(path)


def test_images_too_small_for_a_curve_or_a_map_get_none(tmp_path: Path) -> None:
    image = np.random.default_rng(1).random((24, 24), np.float32)
    pictures.draw_frc({"a": image}, image, None, 20.0, tmp_path / "frc.png")
    pictures.draw_rolling({"a": image}, image, None, 20.0, tmp_path / "rolling.png")
    assert not list(tmp_path.iterdir())


def test_empty_images_are_drawn_as_they_are(tmp_path: Path) -> None:
    empty = np.zeros((96, 96), np.float32)
    pictures.draw_samples({"a": empty}, empty, tmp_path / "samples.png")
    pictures.draw_error_maps({"a": empty}, empty, tmp_path / "errors.png")
    pictures.draw_frc({"a": empty}, empty, empty, 20.0, tmp_path / "frc.png")
    pictures.draw_rolling({"a": empty}, empty, empty, 20.0, tmp_path / "rolling.png")  # no block to show
    assert sorted(path.name for path in tmp_path.iterdir()) == ["errors.png", "frc.png", "samples.png"]
    assert all(is_picture(path) for path in tmp_path.iterdir())
