"""Recordings as napari layers: where every plane lies, and nothing read before it is seen."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from with_napari import need
from written_run import PLANE, counts, growing_run, outcome, write_run

from streamer.core import Outcome
from streamer.errors import SourceError
from streamer.viewer.reader import get_reader

need("napari", whole_file=True)

#: Two positions and two slices, in an order that jumps; one slice is missing.
STACKS = [
    {"time": t, "position": position, "z": z}
    for t in range(3)
    for position in ("left", "right")
    for z in (1, 0)
    if (t, position, z) != (1, "left", 0)
]


def layers_of(path: Path) -> dict[str, tuple[Any, dict[str, Any], str]]:
    reader = get_reader(str(path))
    assert reader is not None
    return {about["name"]: (data, about, kind) for data, about, kind in reader(str(path))}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("plain") / "run", tuple({"time": n} for n in range(6))).path


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("stacks") / "run", STACKS, uncertain=False).path


def test_a_time_lapse_has_five_layers_above_each_other(plain: Path) -> None:
    layers = layers_of(plain)
    assert {name: kind for name, (_, _, kind) in layers.items()} == {
        "camera": "image",
        "denoised": "image",
        "uncertainty": "image",
        "segmentation": "labels",
        "trust": "labels",
    }
    for data, about, _ in layers.values():
        assert data.shape == (6, *PLANE)
        assert about["scale"] == (1.0, 0.02, 0.02)
        assert about["units"] == ("pixel", "um", "um")
        assert about["axis_labels"] == ("t", "y", "x")


def test_pixels_are_those_of_the_recording(plain: Path) -> None:
    layers = layers_of(plain)
    for seq in (0, 3, 5):
        result = outcome(seq, {}).results[0]
        np.testing.assert_array_equal(layers["camera"][0][seq], counts(seq))
        np.testing.assert_array_equal(layers["denoised"][0][seq], result.denoised)
        np.testing.assert_array_equal(layers["uncertainty"][0][seq], result.uncertainty)
        np.testing.assert_array_equal(layers["segmentation"][0][seq], result.labels)
        assert (np.asarray(layers["trust"][0][seq])[30:34, 30:40] == 3).sum() > 30


def test_stacks_of_several_positions_lie_at_their_time_and_slice(stacks: Path) -> None:
    layers = layers_of(stacks)
    assert set(layers) == {
        f"{kind}, position {position}"
        for kind in ("camera", "denoised", "segmentation", "trust")
        for position in ("left", "right")
    }
    for seq, axes in enumerate(STACKS):
        place = axes["time"], axes["z"]
        camera = layers[f"camera, position {axes['position']}"][0]
        denoised = layers[f"denoised, position {axes['position']}"][0]
        assert camera.shape == denoised.shape == (3, 2, *PLANE)
        np.testing.assert_array_equal(camera[place], counts(seq))
        np.testing.assert_array_equal(denoised[place], counts(seq).astype(np.float32) * 0.5)
    assert not np.asarray(layers["camera, position left"][0][1, 0]).any()
    assert layers["camera, position left"][1]["axis_labels"] == ("t", "z", "y", "x")
    assert layers["camera, position left"][1]["metadata"]["frames"][0, 1] == 0


def test_slicing_gathers_exactly_what_was_asked_for(stacks: Path) -> None:
    camera = layers_of(stacks)["camera, position right"][0]
    whole = np.asarray(camera)
    for asked in (np.s_[2], np.s_[:, 1], np.s_[1:, 0, 3:9, ::2], np.s_[::2, -1, -1], np.s_[..., 7]):
        np.testing.assert_array_equal(np.asarray(camera[asked]), whole[asked])


def test_pixels_are_read_when_they_are_looked_at(plain: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(plain, tmp_path / "run"))
    layers = layers_of(copy)
    shutil.rmtree(copy / "annotated.ome.zarr" / "labels" / "trust" / "0" / "c" / "4")
    np.testing.assert_array_equal(layers["trust"][0][3] > 0, outcome(3, {}).results[0].labels > 0)
    assert not np.asarray(layers["trust"][0][4]).any()


def test_a_run_that_goes_on_is_read_as_it_is(tmp_path: Path) -> None:
    with growing_run(tmp_path / "run") as (run, put):
        for seq in range(3):
            put(outcome(seq, {"time": seq}))
        while not run.frames.exists() or run.frames.read_bytes().count(b"\n") < 3:
            pass
        assert layers_of(run.path)["denoised"][0].shape == (3, *PLANE)


def test_of_what_was_not_processed_the_camera_is_shown(tmp_path: Path) -> None:
    with growing_run(tmp_path / "run") as (run, put):
        for seq in range(3):
            put(Outcome(frame=outcome(seq, {"time": seq}).frame))
    (layer,) = layers_of(run.path).values()
    np.testing.assert_array_equal(layer[0][2], counts(2))


@pytest.mark.parametrize("name", ["run.json", ""], ids=["its run.json", "the folder"])
def test_folder_and_run_json_are_both_the_recording(plain: Path, name: str) -> None:
    assert len(layers_of(plain / name)) == 5


def test_what_is_no_recording_is_left_to_others(tmp_path: Path) -> None:
    (tmp_path / "image.tif").write_bytes(b"II")
    assert get_reader(str(tmp_path)) is None
    assert get_reader([str(tmp_path / "image.tif")]) is None


def test_an_empty_and_a_damaged_recording_are_refused_in_one_line(plain: Path, tmp_path: Path) -> None:
    with growing_run(tmp_path / "empty") as (run, _):
        pass
    with pytest.raises(SourceError, match="no frame was recorded; give another"):
        layers_of(run.path)
    copy = Path(shutil.copytree(plain, tmp_path / "run"))
    document = copy / "annotated.ome.zarr" / "zarr.json"
    document.write_text(json.dumps({"attributes": {}}))
    with pytest.raises(SourceError, match="restore it from a copy"):
        layers_of(copy)
