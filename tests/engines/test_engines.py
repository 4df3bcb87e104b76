"""Compiled engines give what the plain PyTorch engine gives, and are refused where they do not."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_package import SD_SHARE, MakePackage, build_package_with_past, rewrite

from streamer.engines import ENGINES, absence, check, compile_engine, is_of_memory, relative_rms
from streamer.engines.cpu import instruction_set, usable_cores
from streamer.errors import EngineError, PackageError
from streamer.package import ModelPackage, list_packages, load_package

SHAPE = (48, 64)
HERE = [name for name in ENGINES if absence(name) is None]
#: The weights that an engine of the processor reads; those of a GPU have tests of their own.
WEIGHTS = {"openvino": "weights.onnx", "torch": "weights.pt"}


@pytest.fixture
def package(make_package: MakePackage) -> ModelPackage:
    return load_package(make_package("tiny"))


@pytest.fixture
def photons() -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(3).poisson(2.0, (1, 1, *SHAPE)).astype(np.float32)


@pytest.mark.parametrize("name", list_packages())
@pytest.mark.parametrize("engine", HERE)
def test_bundled_packages_hold_their_test_output(name: str, engine: str) -> None:
    assert check(load_package(name), engine=engine).holds


def test_openvino_agrees_with_the_oracle(package: ModelPackage, photons: np.ndarray[Any, Any]) -> None:
    oracle = compile_engine(package, SHAPE, engine="torch", threads=1)
    compiled = compile_engine(package, SHAPE, engine="openvino", precision="f32", threads=1)
    assert relative_rms(compiled(photons), oracle(photons)) < 1e-5


def test_bf16_agrees_within_its_own_tolerance(package: ModelPackage) -> None:
    try:
        found = check(package, engine="openvino", precision="bf16", threads=1)
    except EngineError as error:
        pytest.skip(str(error))
    assert 0 < found.relative_rms <= found.tolerance == 5e-2


@pytest.mark.parametrize("engine", HERE)
def test_an_output_stays_the_callers(
    package: ModelPackage, photons: np.ndarray[Any, Any], engine: str
) -> None:
    run = compile_engine(package, SHAPE, engine=engine, precision="f32")
    first = run(photons)
    kept = first.copy()
    run(photons + 5)
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(run(photons), kept)


@pytest.mark.parametrize("engine", WEIGHTS)
def test_the_key_says_what_the_output_depends_on(package: ModelPackage, engine: str) -> None:
    key = compile_engine(package, SHAPE, engine=engine, precision="f32", threads=1).key
    assert key.weights_sha256 == hashlib.sha256((package.folder / WEIGHTS[engine]).read_bytes()).hexdigest()
    assert (key.runtime, key.shape, key.precision, key.threads) == (engine, (1, 1, *SHAPE), "f32", 1)
    assert json.loads(json.dumps(key.to_dict()))["instruction_set"] == instruction_set()
    other = compile_engine(package, (48, 72), engine=engine, precision="f32", threads=1).key
    assert key != other


@pytest.mark.parametrize(
    ("shape", "settings", "complaint"),
    [
        pytest.param((50, 64), {}, "needs multiples of 8; pad the frame", id="indivisible"),
        pytest.param((0, 64), {}, "needs multiples of 8", id="empty"),
        pytest.param(
            SHAPE, {"engine": "tensorflow"}, "unknown; use tensorrt, .*, torch or auto", id="unknown engine"
        ),
        pytest.param(SHAPE, {"engine": "torch", "precision": "bf16"}, "use f32", id="oracle in bf16"),
    ],
)
def test_what_cannot_be_compiled_is_said(
    package: ModelPackage, shape: tuple[int, int], settings: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(EngineError, match=complaint):
        compile_engine(package, shape, **settings)


def test_another_shape_than_compiled_is_refused(package: ModelPackage, photons: np.ndarray[Any, Any]) -> None:
    run = compile_engine(package, (32, 32))
    with pytest.raises(EngineError, match="compile one for every shape"):
        run(photons)


@pytest.mark.parametrize("engine", HERE)
def test_an_engine_that_strays_from_the_test_output_is_refused(
    make_package: MakePackage, engine: str
) -> None:
    folder = make_package("wrong")
    expected = np.load(folder / "test_output.npy")
    np.save(folder / "test_output.npy", expected * 1.001)
    rewrite(folder, lambda description: description["outputs"][0]["test_tensor"].pop("sha256"))
    with pytest.raises(EngineError, match=r"strays from the test output by 0\.001 \(tolerance 0\.0001\)"):
        compile_engine(load_package(folder), SHAPE, engine=engine, precision="f32")


@pytest.fixture(scope="module")
def with_past(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package of three input and two output channels, of which the second is much smaller."""
    folder = tmp_path_factory.mktemp("past")
    build_package_with_past(folder)
    return folder


def damaged(source: Path, folder: Path, name: str, change: Callable[[np.ndarray[Any, Any]], None]) -> Path:
    """A copy of a package with another test tensor."""
    shutil.copytree(source, folder)
    tensor = np.load(folder / name)
    change(tensor)
    np.save(folder / name, tensor)
    which = {"test_input.npy": "inputs", "test_output.npy": "outputs"}[name]
    rewrite(folder, lambda description: description[which][0]["test_tensor"].pop("sha256"))
    return folder


def test_a_network_of_several_channels_is_compiled_and_checked_by_channel(with_past: Path) -> None:
    package = load_package(with_past)
    found = check(package, threads=1)
    assert found.holds
    assert found.channels.keys() == {"photons", "standard deviation"}
    run = compile_engine(package, SHAPE, precision="f32", threads=1)
    assert run.key.shape == (1, 3, *SHAPE)
    photons = np.random.default_rng(3).poisson(2.0, (1, 3, *SHAPE)).astype(np.float32)
    expected = photons[:, :1] + photons[:, 1:2] / 2 + photons[:, 2:] / 4
    np.testing.assert_allclose(run(photons), np.concatenate([expected, SD_SHARE * expected], 1), rtol=1e-6)


def test_an_error_of_a_small_channel_does_not_hide_beside_a_large_one(
    with_past: Path, tmp_path: Path
) -> None:
    def wrong_by_a_hundredth(output: np.ndarray[Any, Any]) -> None:
        output[:, 1] *= 1.01

    package = load_package(damaged(with_past, tmp_path / "p", "test_output.npy", wrong_by_a_hundredth))
    found = check(package, threads=1)
    assert found.channels["photons"] < 1e-6
    assert found.channels["standard deviation"] == found.relative_rms == pytest.approx(0.01 / 1.01, rel=1e-3)
    assert not found.holds
    good = np.load(with_past / "test_output.npy")
    assert (
        relative_rms(package.test_output(), good) < found.tolerance
    )  # all channels as one would have passed
    with pytest.raises(EngineError, match=r"by .* \(photons\), 0\.0099 \(standard deviation\) \(tolerance"):
        compile_engine(package, SHAPE, threads=1)


def test_one_channel_that_is_no_number_is_refused(with_past: Path, tmp_path: Path) -> None:
    def no_number(output: np.ndarray[Any, Any]) -> None:
        output[0, 1, 3, 3] = np.nan

    package = load_package(damaged(with_past, tmp_path / "p", "test_output.npy", no_number))
    assert not check(package, threads=1).holds


@pytest.mark.parametrize(
    ("tensor", "name"), [("inputs", "test_input.npy"), ("outputs", "test_output.npy")], ids=str
)
def test_a_test_tensor_of_another_number_of_channels_is_refused(
    make_package: MakePackage, with_past: Path, tensor: str, name: str
) -> None:
    folder = make_package("tiny")
    shutil.copy(with_past / name, folder / name)
    rewrite(folder, lambda description: description[tensor][0]["test_tensor"].pop("sha256"))
    with pytest.raises(
        PackageError, match=rf"tiny/{name}: has shape .* names 1 channels \(photons\); export"
    ):
        check(load_package(folder), threads=1)


@pytest.mark.parametrize(
    ("weights", "engine", "complaint"),
    [
        pytest.param("weights.onnx", "openvino", "cannot read it .* export it again", id="no ONNX"),
        pytest.param("weights.pt", "torch", "does not fit its architecture", id="no state dict"),
    ],
)
def test_weights_that_are_none_are_refused(
    make_package: MakePackage, weights: str, engine: str, complaint: str
) -> None:
    folder = make_package("broken")
    (folder / weights).write_bytes(b"not weights")
    digest = hashlib.sha256(b"not weights").hexdigest()
    kind = {"weights.onnx": "onnx", "weights.pt": "pytorch_state_dict"}[weights]
    rewrite(folder, lambda description: description["weights"][kind].update(sha256=digest))
    with pytest.raises(EngineError, match=complaint):
        compile_engine(load_package(folder), SHAPE, engine=engine)


def test_a_state_dict_of_another_width_is_refused(make_package: MakePackage) -> None:
    folder = make_package("wide")
    rewrite(folder, lambda description: description["config"]["streamer"]["architecture"].update(entry=8))
    with pytest.raises(EngineError, match="does not fit its architecture"):
        compile_engine(load_package(folder), SHAPE, engine="torch")


def test_a_package_without_weights_for_an_engine_is_refused(make_package: MakePackage) -> None:
    folder = make_package("bare")
    rewrite(folder, lambda description: description.update(weights={}))
    with pytest.raises(PackageError, match="no ONNX weights"):
        compile_engine(load_package(folder), SHAPE, engine="openvino")
    with pytest.raises(PackageError, match="no PyTorch weights"):
        compile_engine(load_package(folder), SHAPE, engine="torch")


def test_usable_cores_stay_within_what_the_process_may_use() -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


def test_openvino_is_imported_without_its_telemetry_and_without_torch() -> None:
    code = (
        "import sys; from streamer.engines.openvino import imported; imported();"
        "print([name for name in ('torch', 'openvino_telemetry.main') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "words",
    [
        pytest.param("Failed to allocate 6442450944 bytes of memory", id="OpenVINO"),
        pytest.param("[enforce fail] DefaultCPUAllocator: not enough memory", id="PyTorch"),
        pytest.param("CUDA out of memory. Tried to allocate 2.00 GiB", id="CUDA"),
    ],
)
def test_what_runtimes_say_where_memory_is_short(words: str) -> None:
    assert is_of_memory(RuntimeError(words))
    assert not is_of_memory(RuntimeError("unknown operator Swish"))


@pytest.mark.parametrize(("module", "extra"), [("openvino", "processor"), ("torch", "train")])
def test_a_missing_runtime_names_its_extra(
    package: ModelPackage, monkeypatch: pytest.MonkeyPatch, module: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(EngineError, match=rf"pip install 'scope-streamer\[{extra}\]'"):
        compile_engine(package, SHAPE, engine=module)
