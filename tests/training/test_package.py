"""From a training to a package that others can read and run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from streamer.apps.train import TrainOptions, train
from streamer.engines import check, compile_engine, relative_rms
from streamer.errors import UsageError
from streamer.networks import build
from streamer.package import ModelPackage, load_package
from streamer.resources import search_path
from streamer.training import Recipe, load_network


def test_a_trained_denoiser_is_a_package_of_its_kind(
    tiny_denoiser: ModelPackage, tiny_recipe: Recipe
) -> None:
    assert tiny_denoiser.kind == "denoiser"
    assert tiny_denoiser.config.segmenter == "tiny-segmenter"
    assert tiny_denoiser.trained_box_sum == tiny_recipe.box_sum
    recipe = json.loads((tiny_denoiser.folder / "training.json").read_text())["recipe"]
    assert recipe == json.loads(json.dumps(tiny_denoiser.config.training["recipe"]))
    assert recipe["seed"] == tiny_recipe.seed


@pytest.mark.parametrize("engine", ["openvino", "torch"])
def test_engines_reproduce_the_test_output(tiny_denoiser: ModelPackage, engine: str) -> None:
    agreement = check(tiny_denoiser, engine=engine, precision="f32")
    assert agreement.holds, agreement


def test_the_onnx_weights_take_other_sizes(tiny_denoiser: ModelPackage) -> None:
    multiple = tiny_denoiser.size_multiple
    shape_yx = (3 * multiple, 5 * multiple)
    photons = np.random.default_rng(0).poisson(0.3, (1, 1, *shape_yx)).astype(np.float32)
    openvino, oracle = (
        compile_engine(tiny_denoiser, shape_yx, engine=name, precision="f32")
        for name in ("openvino", "torch")
    )
    assert relative_rms(openvino(photons), oracle(photons)) < 1e-4


def test_the_onnx_file_tells_nothing_of_the_machine(tiny_denoiser: ModelPackage) -> None:
    content = (tiny_denoiser.folder / "weights.onnx").read_bytes()
    assert b".py" not in content
    assert b"site-packages" not in content


def test_a_live_denoiser_states_its_deviation_as_a_second_channel(tiny_denoiser: ModelPackage) -> None:
    assert tiny_denoiser.description.outputs[0].channel_names == ("photons", "standard deviation")
    photons, deviation = tiny_denoiser.test_output()[0]
    assert (photons >= 0).all()
    assert (deviation > 0).all()


def test_the_state_dict_fits_its_architecture_strictly(tiny_denoiser: ModelPackage) -> None:
    state = torch.load(tiny_denoiser.folder / "weights.pt", weights_only=True)
    build(tiny_denoiser.config.architecture).load_state_dict(state, strict=True)


@pytest.mark.usefixtures("no_graph")
def test_the_same_recipe_gives_the_same_weights(
    tiny_denoiser: ModelPackage, tiny_recipe: Recipe, tmp_path: Path
) -> None:
    options = TrainOptions(kind="denoiser", out=tmp_path / "again", test_frames=2, every=3, threads=1)
    train(options, tiny_recipe, "")
    again, first = (
        load_network(package).state_dict() for package in (load_package(options.out), tiny_denoiser)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not (options.out / "checkpoint.pt").exists()


def test_a_segmenter_is_trained_behind_a_denoiser(
    tiny_denoiser: ModelPackage, tiny_recipe: Recipe, tmp_path: Path
) -> None:
    options = TrainOptions(
        kind="segmenter", out=tmp_path / "s", denoiser=str(tiny_denoiser.folder), test_frames=2
    )
    scores = train(options, replace(tiny_recipe, precision="f32"), "streamer train --kind segmenter")
    package = load_package(options.out)
    assert package.config.classes == ("background", "tubule", "sheet")
    assert package.test_output().shape[1] == 3
    assert check(package, engine="openvino", precision="f32").holds
    assert set(json.loads(json.dumps(scores))["iou"]) == set(package.config.classes)


@pytest.mark.usefixtures("no_graph")
def test_minutes_become_a_number_of_steps_that_the_card_repeats(tiny_recipe: Recipe, tmp_path: Path) -> None:
    options = TrainOptions(kind="denoiser", out=tmp_path / "d", minutes=0.001, test_frames=2)
    train(options, tiny_recipe, "streamer train")
    steps = load_package(options.out).config.training["recipe"]["steps"]
    assert f"streamer train --steps {steps}" in (options.out / "README.md").read_text()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kind": "segmenter"}, "--denoiser"),
        ({"kind": "denoiser", "denoiser": "x"}, "--denoiser x: is for --kind segmenter"),
        ({"kind": "segmenter", "segmenter": "x", "denoiser": "y"}, "--segmenter x: is for --kind denoiser"),
        ({"kind": "segmenter", "denoiser": "nowhere/at-all"}, "at-all"),
    ],
    ids=["no denoiser", "needless denoiser", "needless segmenter", "missing denoiser"],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, str], words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        train(TrainOptions(out=tmp_path / "x", **options), Recipe(), "")  # type: ignore[arg-type]
    assert not (tmp_path / "x").exists()


BUNDLED = sorted(path for path in search_path("models")[1].glob("*/bioimageio.yaml"))


@pytest.mark.parametrize("kind", ["tiny", *(path.parent.name for path in BUNDLED)])
# The validator leaves the files that it reads open.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_packages_pass_the_standard_s_validation(kind: str, tiny_denoiser: ModelPackage) -> None:
    from bioimageio.spec import InvalidDescr, load_description

    folder = tiny_denoiser.folder if kind == "tiny" else search_path("models")[1] / kind
    described = load_description(folder / "bioimageio.yaml", perform_io_checks=True)
    assert not isinstance(described, InvalidDescr), described.validation_summary.display()
    assert described.validation_summary.status in ("valid-format", "passed")
