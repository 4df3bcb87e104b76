"""TensorRT-RTX builds every shipped package ahead of time, whole, on a machine without a card."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_package import MakePackage, rewrite

from streamer.engines import Precision, absence, cache, check
from streamer.engines.card import Card
from streamer.engines.half import onnx_in
from streamer.engines.nvidia import nvidia
from streamer.engines.plan import _config, build_plan, parse, run_plan, tensorrt_of
from streamer.engines.tensorrt_rtx import (
    USUAL_CAPABILITIES,
    build_ahead,
    compile_tensorrt_rtx,
    plan_key,
    precisions_for,
    tensorrt_rtx,
)
from streamer.errors import EngineError, MemoryShortError, PackageError
from streamer.package import ModelPackage, list_packages, load_package

SHAPE = (64, 48)
PRECISIONS: tuple[Precision, ...] = ("f32", "f16", "bf16")
#: Each package for each capability, each capability and each package in each precision.
BUILDS = [
    (name, capability, PRECISIONS[(row + column) % 3])
    for (row, name), (column, capability) in product(
        enumerate(list_packages()), enumerate(USUAL_CAPABILITIES)
    )
]
without_a_card = pytest.mark.skipif(bool(nvidia().gpus), reason="here is a card")


@pytest.fixture
def trt() -> Any:
    """TensorRT-RTX's package; 95 MB, from the extra `rtx`."""
    return pytest.importorskip("tensorrt_rtx", reason="pip install 'scope-streamer[rtx]'")


@pytest.fixture
def package(make_package: MakePackage) -> ModelPackage:
    return load_package(make_package("tiny"))


def shape_of(package: ModelPackage) -> tuple[int, int, int, int]:
    return (1, package.test_input().shape[1], *SHAPE)


@pytest.mark.parametrize(("name", "capability", "precision"), BUILDS, ids=str)
def test_a_shipped_package_is_built(
    trt: Any, tmp_path: Path, name: str, capability: tuple[int, int], precision: Precision
) -> None:
    package = load_package(name)
    shape = shape_of(package)
    made = build_ahead(package, shape, precision=precision, capability=capability, folder=tmp_path)
    assert made.bytes > 500_000  # its weights are in it
    header = cache.header_of(made.path)
    assert header["bytes"] == made.bytes
    key: Any = header["key"]
    assert key["shape"] == list(shape)
    assert (key["runtime"], key["precision"], key["driver"]) == ("tensorrt-rtx", precision, "")
    assert key["device"] == "compute capability {}.{}".format(*capability)
    assert trt.__version__ in key["runtime_version"]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", list_packages())
def test_no_operator_of_a_shipped_package_is_left_out(trt: Any, name: str, precision: Precision) -> None:
    """Every node is a layer of TensorRT's, none a plugin; convolutions are in the precision asked for."""
    onnx = pytest.importorskip("onnx")
    package = load_package(name)
    assert package.description.weights.onnx
    content = onnx_in(package.read(package.description.weights.onnx), precision, name)
    _, network, parser = parse(tensorrt_rtx(), content, name)
    assert parser.num_errors == 0
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    covered = {layer.metadata.removeprefix("[ONNX Layer: ").removesuffix("]") for layer in layers}
    graph = onnx.load_model_from_string(content).graph
    assert {node.name for node in graph.node} <= covered
    assert not [layer.name for layer in layers if layer.type.name.startswith("PLUGIN")]
    ends = (network.get_input(0), network.get_output(0))
    assert {end.dtype for end in ends} == {trt.float32}
    convolutions = [layer for layer in layers if layer.type == trt.LayerType.CONVOLUTION]
    wanted = {"f32": trt.float32, "f16": trt.float16, "bf16": trt.bfloat16}[precision]
    assert {layer.get_output(0).dtype for layer in convolutions} == {wanted}


def test_f32_is_not_tf32(trt: Any) -> None:
    builder = trt.Builder(tensorrt_rtx().log)
    assert builder.create_builder_config().get_flag(trt.BuilderFlag.TF32)
    config = _config(trt, builder, (8, 9))
    assert not config.get_flag(trt.BuilderFlag.TF32)
    assert config.num_compute_capabilities == 1
    assert config.get_compute_capability(0) == trt.ComputeCapability.SM89


def test_a_plan_is_built_once(trt: Any, package: ModelPackage, tmp_path: Path) -> None:
    asked = {"precision": "f16", "capability": (8, 9), "folder": tmp_path}
    first = build_ahead(package, shape_of(package), **asked)  # type: ignore[arg-type]
    content = first.path.read_bytes()
    again = build_ahead(package, shape_of(package), **asked)  # type: ignore[arg-type]
    assert again.path == first.path
    assert [path.name for path in tmp_path.glob("*.engine")] == [first.path.name]
    assert first.path.read_bytes() == content


def test_the_key_is_of_a_kind_of_card(trt: Any, package: ModelPackage) -> None:
    shape = shape_of(package)
    keys = [
        plan_key(package, shape, precision=precision, capability=capability)
        for precision, capability in product(PRECISIONS, USUAL_CAPABILITIES)
    ]
    assert len({json.dumps(key.to_dict(), sort_keys=True) for key in keys}) == 9
    assert {key.instruction_set for key in keys} == {"sm_86", "sm_89", "sm_120"}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        pytest.param(
            {"capability": (9, 0)}, r"does not build for compute capability 9\.0; it knows", id="9.0"
        ),
        pytest.param({"capability": (7, 5), "precision": "bf16"}, "has no bf16; use f16", id="bf16 on 7.5"),
        pytest.param({"precision": "int8"}, "int8 is not built; use f32, f16 or bf16", id="int8"),
        pytest.param({"shape": (1, 1, 60, 50)}, r"cannot build it for \[1, 1, 60, 50\]", id="indivisible"),
        pytest.param({"shape": (1, 3, 64, 64)}, r"cannot build it for \[1, 3, 64, 64\]", id="channels"),
    ],
)
def test_what_cannot_be_built_is_said(
    trt: Any, package: ModelPackage, tmp_path: Path, asked: dict[str, Any], said: str
) -> None:
    settings = {"shape": (1, 1, *SHAPE), "precision": "f32", "capability": (8, 9)} | asked
    with pytest.raises(EngineError, match=said) as caught:
        build_ahead(package, settings.pop("shape"), folder=tmp_path / "out", **settings)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("out/*"))


def test_turing_has_no_bf16(trt: Any) -> None:
    assert precisions_for((7, 5)) == ("f32", "f16")
    assert precisions_for((12, 0)) == PRECISIONS


def graph_of(*operators: tuple[str, str]) -> bytes:
    onnx = pytest.importorskip("onnx")
    h, kind = onnx.helper, onnx.TensorProto.FLOAT
    names = [f"t{index}" for index in range(len(operators) + 1)]
    nodes = [
        h.make_node(operator, [names[at]], [names[at + 1]], name=f"node{at}", domain=domain)
        for at, (operator, domain) in enumerate(operators)
    ]
    ends = [h.make_tensor_value_info(name, kind, [1, 1, "y", "x"]) for name in (names[0], names[-1])]
    graph = h.make_graph(nodes, "graph", ends[:1], ends[1:])
    opsets = [h.make_opsetid("", 18), h.make_opsetid("lab", 1)]
    return bytes(h.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString())


def test_operators_that_are_lacking_are_named(trt: Any) -> None:
    content = graph_of(("Relu", ""), ("Wobble", "lab"), ("Relu", ""), ("Det", ""))
    with pytest.raises(
        EngineError, match=r"net: tensorrt-rtx lacks the operator Wobble \(node1\), Det \(node3\)"
    ):
        build_plan(tensorrt_rtx(), content, (1, 1, 8, 8), "net", capability=(8, 9))


def test_what_is_no_model_is_refused(trt: Any) -> None:
    with pytest.raises(EngineError, match=r"net: tensorrt-rtx cannot read it \(.*\); export it again"):
        build_plan(tensorrt_rtx(), b"no model", (1, 1, 8, 8), "net", capability=(8, 9))


def test_a_package_without_onnx_is_refused(trt: Any, make_package: MakePackage) -> None:
    folder = make_package("bare")
    rewrite(folder, lambda description: description["weights"].pop("onnx"))
    with pytest.raises(PackageError, match="holds no ONNX weights, which TensorRT-RTX needs"):
        build_ahead(load_package(folder), (1, 1, *SHAPE), precision="f32", capability=(8, 9))


@pytest.mark.realdata
def test_a_foreign_package_is_built(trt: Any, realdata: Path, tmp_path: Path) -> None:
    package = load_package(realdata / "bioimageio_unet2d_nuclei")
    for precision in PRECISIONS:
        made = build_ahead(package, (1, 1, *SHAPE), precision=precision, capability=(12, 0), folder=tmp_path)
        assert made.bytes > 500_000


@pytest.fixture
def unknown_edition() -> Iterator[None]:
    """What is known of installed editions is forgotten before and after."""
    tensorrt_of.cache_clear()
    yield
    tensorrt_of.cache_clear()


@pytest.mark.usefixtures("unknown_edition")
def test_a_missing_package_names_its_extra(package: ModelPackage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    with pytest.raises(
        EngineError, match=r"tensorrt_rtx is not installed; pip install 'scope-streamer\[rtx\]'"
    ):
        build_ahead(package, shape_of(package), precision="f32", capability=(8, 9))


@pytest.mark.usefixtures("unknown_edition")
@pytest.mark.parametrize(
    "source",
    ["import a_library_of_theirs", "raise OSError('libtensorrt.so: cannot open')", "assert False, 'no'"],
    ids=["a package", "a library", "an assertion"],
)
def test_a_package_that_cannot_be_loaded_says_why(
    package: ModelPackage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str
) -> None:
    (tmp_path / "tensorrt_rtx.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tensorrt_rtx", raising=False)
    with pytest.raises(EngineError, match=r"tensorrt_rtx cannot be loaded \(.+\); pip install"):
        build_ahead(package, shape_of(package), precision="f32", capability=(8, 9))


@without_a_card
def test_running_needs_a_card(package: ModelPackage) -> None:
    with pytest.raises(EngineError, match="engine tensorrt-rtx: no NVIDIA GPU"):
        compile_tensorrt_rtx(package, shape_of(package), precision="f32", threads=1)


@without_a_card
@pytest.mark.parametrize(
    "spoil",
    [bytes, lambda plan: plan[:1000], lambda plan: b"x" * 1000],
    ids=["empty", "cut off", "another file"],
)
def test_a_plan_that_does_not_load_is_one_line(
    trt: Any, package: ModelPackage, tmp_path: Path, spoil: Callable[[bytes], bytes]
) -> None:
    """Sound, cut and foreign: none loads where there is no card, and the process lives."""
    torch = pytest.importorskip("torch")
    shape = shape_of(package)
    key = plan_key(package, shape, precision="f32", capability=(8, 9))
    made = build_ahead(package, shape, precision="f32", capability=(8, 9), folder=tmp_path)
    plan = made.path.read_bytes()[-made.bytes :]
    nowhere = Card(device=torch.device("cpu"), name="a card", capability=(8, 9), driver="")
    with pytest.raises(EngineError, match=r"its plan does not load on a card \(.+\); update the driver"):
        run_plan(tensorrt_rtx(), spoil(plan), key, nowhere)


@pytest.mark.gpu
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", list_packages())
def test_a_shipped_package_holds_its_test_output_on_the_card(name: str, precision: Precision) -> None:
    pytest.importorskip("tensorrt_rtx")
    if absent := absence("tensorrt-rtx"):
        pytest.skip(absent.reason)
    found = check(load_package(name), engine="tensorrt-rtx", precision=precision)
    assert found.holds, found.words


@pytest.mark.gpu
def test_an_output_stays_the_callers_on_the_card(package: ModelPackage) -> None:
    pytest.importorskip("tensorrt_rtx")
    if absent := absence("tensorrt-rtx"):
        pytest.skip(absent.reason)
    run = compile_tensorrt_rtx(package, shape_of(package), precision="f16", threads=1)
    shown = np.random.default_rng(3).poisson(2.0, shape_of(package)).astype(np.float32)
    first = run(shown)
    kept = first.copy()
    assert not np.array_equal(run(shown + 5), kept)
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(run(shown), kept)


@pytest.mark.gpu
def test_kernels_are_remembered_for_the_card(
    package: ModelPackage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("tensorrt_rtx")
    if absent := absence("tensorrt-rtx"):
        pytest.skip(absent.reason)
    monkeypatch.setenv(cache.FOLDER_VARIABLE, str(tmp_path))
    first = compile_tensorrt_rtx(package, shape_of(package), precision="f16", threads=1)
    kept = {path.name for path in tmp_path.glob("*.engine")}
    again = compile_tensorrt_rtx(package, shape_of(package), precision="f16", threads=1)
    assert len(kept) == 2  # the plan, and what it was compiled to
    assert {path.name for path in tmp_path.glob("*.engine")} == kept
    assert first.key == again.key


@pytest.mark.gpu
def test_a_card_that_others_fill_is_short_of_memory(package: ModelPackage) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("tensorrt_rtx")
    if absent := absence("tensorrt-rtx"):
        pytest.skip(absent.reason)
    free, _ = torch.cuda.mem_get_info()
    filled = torch.empty(free - (128 << 20), dtype=torch.uint8, device="cuda")
    with pytest.raises(MemoryShortError, match="smaller frames or tiles"):
        compile_tensorrt_rtx(package, (1, 1, 4096, 4096), precision="f32", threads=1)
    del filled
    torch.cuda.empty_cache()
