"""A package is used only as its description and its sha256 promise it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_package import MakePackage, rewrite

from streamer.errors import PackageError
from streamer.package import apply_steps, list_packages, load_package
from streamer.package.description import Step

Change = Callable[[dict[str, Any]], None]


def test_a_sound_package_tells_what_it_is(make_package: MakePackage) -> None:
    package = load_package(make_package("tiny"))
    assert (package.id, package.kind, package.size_multiple) == ("tiny", "denoiser", 8)
    assert package.trained_box_sum == (10, 60)
    assert package.test_input().shape == package.test_output().shape == (1, 1, 32, 40)
    assert package.test_input().dtype == np.float32
    assert package.require("denoiser") is package
    names = {"bioimageio.yaml", "weights.onnx", "weights.pt", "test_input.npy", "test_output.npy"}
    assert package.hashes().keys() == names


def test_every_bundled_package_is_sound() -> None:
    for name in list_packages():
        assert load_package(name).kind is not None


@pytest.mark.parametrize("name", ["weights.onnx", "weights.pt", "test_input.npy", "test_output.npy"])
def test_one_changed_byte_is_refused_with_both_hashes(make_package: MakePackage, name: str) -> None:
    folder = make_package("tiny")
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(
        PackageError, match=rf"tiny/{name}: sha256 is [0-9a-f]{{64}}, .* says [0-9a-f]{{64}}; .*install"
    ):
        load_package(folder)


def test_damage_after_loading_is_noticed_too(make_package: MakePackage) -> None:
    package = load_package(make_package("tiny"))
    (package.folder / "weights.onnx").write_bytes(b"other")
    onnx = package.description.weights.onnx
    assert onnx is not None
    with pytest.raises(PackageError, match="sha256"):
        package.read(onnx)


def test_a_missing_file_is_named(make_package: MakePackage) -> None:
    folder = make_package("tiny")
    (folder / "weights.onnx").unlink()
    with pytest.raises(PackageError, match=r"tiny/weights\.onnx: no such file"):
        load_package(folder)


def _streamer(key: str, value: object) -> Change:
    return lambda description: description["config"]["streamer"].update({key: value})


def _onnx(source: str) -> Change:
    return lambda description: description["weights"]["onnx"].update(source=source)


def _channels(tensor: str, *names: str, **config: object) -> Change:
    """Other channels of a tensor, and further keys of ours."""

    def change(description: dict[str, Any]) -> None:
        description[tensor][0]["axes"][1]["channel_names"] = list(names)
        description["config"]["streamer"].update(config)

    return change


def _segmenter_with_context(description: dict[str, Any]) -> None:
    description["config"]["streamer"].update(kind="segmenter", context="time")


#: A change to bioimageio.yaml and the complaint.
PROBLEMS: dict[str, tuple[Change, str]] = {
    "unknown kind": (_streamer("kind", "denoise"), "config.streamer.kind = 'denoise'"),
    "misspelt key": (_streamer("size_multipel", 8), "config.streamer.size_multipel is not a key we know"),
    "no multiple": (_streamer("size_multiple", 0), "config.streamer.size_multiple = '0'"),
    "no outputs": (lambda description: description.pop("outputs"), "outputs is missing; add it"),
    "old format": (
        lambda description: description.update(format_version="0.4.9"),
        "format_version = '0.4.9'",
    ),
    "short hash": (
        lambda description: description["weights"]["onnx"].update(sha256="abc"),
        "weights.onnx.sha256 = 'abc'",
    ),
    "path upwards": (_onnx("../../secret"), "../../secret lies outside the package"),
    "absolute path": (_onnx(str(Path("/etc/passwd").absolute())), "lies outside the package"),
    "NUL in a path": (_onnx("a\0b"), "weights.onnx.source = "),
    "unknown context": (_streamer("context", "past"), "config.streamer.context = 'past'"),
    "context without channels": (_streamer("context", "time"), "inputs.0 names no channels for it"),
    "channels without context": (
        _channels("inputs", "photons", "photons 1 before"),
        "inputs.0 has 2 channels, but config.streamer.context does not say what they are; add context",
    ),
    "past in another order": (
        _channels("inputs", "photons", "photons 2 before", "photons 1 before", context="time"),
        "they must be photons, photons 1 before, photons 2 before, in this order",
    ),
    "frame last": (
        _channels("inputs", "photons 1 before", "photons", context="time"),
        "they must be photons, photons 1 before, in this order",
    ),
    "three outputs of a denoiser": (
        _channels("outputs", "photons", "standard deviation", "mood"),
        "outputs.0 has 3 channels; a denoiser gives photons, and their standard deviation at most",
    ),
    "context of a segmenter": (_segmenter_with_context, "only a denoiser has context; remove it"),
}


@pytest.mark.parametrize(("change", "complaint"), PROBLEMS.values(), ids=PROBLEMS.keys())
def test_a_wrong_description_says_where(make_package: MakePackage, change: Change, complaint: str) -> None:
    folder = make_package("tiny")
    rewrite(folder, change)
    with pytest.raises(PackageError) as refused:
        load_package(folder)
    assert complaint in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


#: Contents of a bioimageio.yaml, and the complaint.
HOSTILE = {
    "tabs": ("a:\n\t- b", "not YAML"),
    "python object": ("!!python/object/apply:os.system ['true']", "not YAML"),
    "aliases": ("a: &a [1]\nb: [*a, *a]", "aliases"),
    "deep nesting": ("[" * 2_000, "not YAML"),
    "large": ("#" * 1_000_001, "larger than"),
    "a list": ("[1, 2]", "the file = "),
}


@pytest.mark.parametrize(
    ("names", "context", "past_frames"),
    [
        (("photons",), None, 0),
        (("anything",), None, 0),
        (("photons", "photons 1 before"), "time", 1),
        (("photons", "photons 1 before", "photons 2 before"), "time", 2),
        (("photons", "slice above", "slice below"), "z", 0),
    ],
    ids=["alone", "alone by another name", "one before", "two before", "slices"],
)
def test_a_denoiser_says_how_many_frames_before_it_sees(
    make_package: MakePackage, names: tuple[str, ...], context: str | None, past_frames: int
) -> None:
    folder = make_package("tiny")
    rewrite(folder, _channels("inputs", *names, context=context))
    assert load_package(folder).past_frames == past_frames


@pytest.mark.parametrize(("content", "complaint"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_description_is_refused(make_package: MakePackage, content: str, complaint: str) -> None:
    folder = make_package("tiny")
    (folder / "bioimageio.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(PackageError) as refused:
        load_package(folder)
    assert complaint in str(refused.value)


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_a_link_out_of_the_package_is_refused(make_package: MakePackage, tmp_path: Path) -> None:
    folder = make_package("tiny")
    outside = tmp_path / "outside.onnx"
    (folder / "weights.onnx").rename(outside)
    (folder / "weights.onnx").symlink_to(outside)
    with pytest.raises(PackageError, match="outside the package"):
        load_package(folder)


def _header(shape: str, dtype: str = "<f4") -> bytes:
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(_header("(1, 1, 1000000, 1000000)"), id="terabytes claimed"),
        pytest.param(_header(f"({2**62}, 4)") + bytes(64), id="size overflows"),
        pytest.param(_header("(1,)", "|O") + bytes(64), id="pickled objects"),
        pytest.param(b"PK\x03\x04" + bytes(64), id="archive"),
        pytest.param(b"", id="empty"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_a_hostile_test_tensor_is_refused_before_memory_is_taken(
    make_package: MakePackage, content: bytes
) -> None:
    folder = make_package("tiny")
    (folder / "test_input.npy").write_bytes(content)
    rewrite(folder, lambda description: description["inputs"][0]["test_tensor"].pop("sha256"))
    with pytest.raises(PackageError, match=r"not a \.npy array"):
        load_package(folder).test_input()


def test_unknown_and_wrong_packages_are_named(make_package: MakePackage, tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="no model is called"):
        load_package("no-such-model")
    with pytest.raises(PackageError, match=r"holds no bioimageio\.yaml"):
        load_package(tmp_path / "nowhere")
    with pytest.raises(PackageError, match="tiny: is denoiser; use a segmenter package here"):
        load_package(make_package("tiny")).require("segmenter")


def test_z_score_then_sigmoid() -> None:
    image = np.array([[[[1, 2], [3, 6]]]], dtype=np.float32)
    steps = (Step(id="zero_mean_unit_variance", kwargs={"axes": ["y", "x"], "eps": 0}), Step(id="sigmoid"))
    z_score = (image - 3) / np.sqrt(3.5)
    found = apply_steps(steps, image, ("batch", "channel", "y", "x"))
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-z_score)), rtol=1e-6)


def test_an_unknown_step_is_refused() -> None:
    with pytest.raises(PackageError, match="binarize: not supported"):
        apply_steps(
            (Step(id="binarize"),), np.zeros((1, 1, 2, 2), np.float32), ("batch", "channel", "y", "x")
        )


# The validator leaves the description's file open.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", list_packages())
def test_a_bundled_package_passes_the_validator_of_bioimageio(name: str) -> None:
    spec = pytest.importorskip("bioimageio.spec")
    with spec.ValidationContext(perform_io_checks=False):
        summary = spec.load_description(list_packages()[name] / "bioimageio.yaml", format_version="discover")
    assert summary.validation_summary.status != "failed", summary.validation_summary.format()
