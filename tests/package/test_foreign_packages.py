"""Packages of the bioimage.io zoo, which were not made for us, compile and give their test output."""

from __future__ import annotations

import copy
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_package import rewrite

from streamer.engines import absence, check, survey
from streamer.engines.choice import choose
from streamer.errors import PackageError
from streamer.package import apply_steps, load_package
from streamer.package.description import Step
from streamer.pipeline.compiled import Compiled

#: What a package of the zoo has and ours have not, small; its test output was computed by hand.
STAND_IN = Path(__file__).parents[1] / "foreign_nuclei"
REAL = Path(os.environ.get("STREAMER_TEST_DATA", "../shared/data")) / "bioimageio_unet2d_nuclei"
AXES = ("batch", "channel", "y", "x")


@pytest.mark.parametrize(
    "folder",
    [pytest.param(STAND_IN, id="stand-in"), pytest.param(REAL, id="nuclei", marks=pytest.mark.realdata)],
)
def test_a_foreign_package_gives_its_test_output(folder: Path) -> None:
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here; set STREAMER_TEST_DATA")
    package = load_package(folder)
    assert package.kind is None
    assert check(package, engine="openvino").relative_rms < 1e-6
    rows = {(row.engine, row.precision): row for row in survey(package, threads=1)}
    assert rows["openvino", "f32"].verdict == "sound"
    if absence("torch") is None:
        assert rows["torch", "f32"].verdict == "cannot"
        assert "holds no PyTorch weights for a network of ours" in rows["torch", "f32"].words


def test_a_foreign_network_runs_between_its_own_steps() -> None:
    package = load_package(STAND_IN)
    network = Compiled(package, precision="f32", threads=1)((32, 32))
    np.testing.assert_allclose(network(package.test_input()), package.test_output(), atol=1e-6)
    assert network.key.shape == (1, 1, 32, 32)


def changed(tmp_path: Path, change: Any) -> Path:
    """The stand-in with another description."""
    folder = tmp_path / "changed"
    shutil.copytree(STAND_IN, folder)
    text = (folder / "bioimageio.yaml").read_text(encoding="utf-8").removeprefix("%YAML 1.2\n---\n")
    (folder / "bioimageio.yaml").write_text(text, encoding="utf-8")
    rewrite(folder, change)
    return folder


def axes_of(*names: str) -> Any:
    """Gives the input these axes."""
    types = {"batch": "batch", "channel": "channel"}
    axes = [{"type": types.get(name, "space"), "id": name} for name in names]
    return lambda description: description["inputs"][0].update(axes=axes)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        pytest.param(
            axes_of("batch", "channel", "z", "y", "x"),
            "changed: takes batch channel z y x; only one input of batch channel y x can run; export",
            id="volumes",
        ),
        pytest.param(
            axes_of("batch", "y", "x", "channel"), "takes batch y x channel; only", id="channel last"
        ),
        pytest.param(
            lambda description: description["inputs"].append(copy.deepcopy(description["inputs"][0])),
            "takes 2 inputs",
            id="two inputs",
        ),
        pytest.param(
            lambda description: description["weights"].pop("onnx"),
            "changed: holds no weights that we can use; add ONNX weights",
            id="only weights that we cannot use",
        ),
        pytest.param(
            lambda description: description["outputs"][0]["postprocessing"].insert(0, {"id": "stardist"}),
            "processing step stardist: not supported .*; export the network with this step inside",
            id="unknown step",
        ),
    ],
)
def test_what_cannot_run_says_why_and_what_to_do(tmp_path: Path, change: Any, complaint: str) -> None:
    package = load_package(changed(tmp_path, change))
    with pytest.raises(PackageError, match=complaint) as raised:
        choose(package, (32, 32), threads=1)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "kwargs",
    [
        pytest.param({"axes": ["z"]}, id="an axis that is not there"),
        pytest.param({"axes": 3}, id="no axes"),
        pytest.param({"eps": "small"}, id="no number"),
    ],
)
def test_settings_of_a_step_that_make_no_sense_are_told(kwargs: dict[str, Any]) -> None:
    with pytest.raises(PackageError, match=r"zero_mean_unit_variance: kwargs = .* make no sense .*; correct"):
        apply_steps(
            (Step(id="zero_mean_unit_variance", kwargs=kwargs),), np.zeros((1, 1, 2, 2), np.float32), AXES
        )
