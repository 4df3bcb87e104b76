"""Half precision between convolutions: the rule, in ONNX and in torch, and what it leaves in f32."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any

import luck
import numpy as np
import pytest

from streamer.engines.check import relative_rms
from streamer.engines.half import between, onnx_in
from streamer.engines.half_torch import traced
from streamer.engines.key import Precision
from streamer.engines.network import load_network
from streamer.errors import EngineError, PackageError
from streamer.package import ModelPackage, list_packages, load_package

onnx = pytest.importorskip("onnx")
torch = pytest.importorskip("torch")

#: Between the rounding of 11 and of 8 binary digits, summed over a network of ours.
TOLERANCE = {"f32": 1e-5, "f16": 5e-3, "bf16": 5e-2}
#: One of each architecture: the tests are the same for all that share it.
NAMES = ("er-denoise-causal", "er-segment-live")
HALVES: list[Precision] = ["f16", "bf16"]


@pytest.mark.parametrize(
    ("chain", "expected"),
    [
        pytest.param("rrcrr", "..c..", id="one"),
        pytest.param("rcrcr", ".crc.", id="what lies between two"),
        pytest.param("rrr", "...", id="none"),
    ],
)
def test_the_rule_on_a_chain(chain: str, expected: str) -> None:
    nodes = [((f"x{index}",), (f"x{index + 1}",)) for index in range(len(chain))]
    found = between(nodes, lambda index: chain[index] == "c")
    assert "".join(kind if index in found else "." for index, kind in enumerate(chain)) == expected


def test_the_rule_beside_a_chain() -> None:
    nodes = [
        (("x",), ("a",)),  # convolution
        (("a",), ("side",)),  # reaches no other
        (("x",), ("skip",)),  # comes from none
        (("a", "skip"), ("b",)),  # between
        (("b",), ("y",)),  # convolution
    ]
    assert between(nodes, lambda index: index in (0, 4)) == {0, 3, 4}


def worst(found: np.ndarray[Any, Any], expected: np.ndarray[Any, Any]) -> float:
    return max(relative_rms(found[:, c], expected[:, c]) for c in range(expected.shape[1]))


def run(content: bytes, shown: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A model as OpenVINO computes it, in float32 with the weights as they were rounded."""
    core = pytest.importorskip("openvino").Core()
    model = core.read_model(BytesIO(content))
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    return np.array(core.compile_model(model, "CPU", settings)([shown])[0])


@pytest.mark.parametrize("precision", HALVES)
@pytest.mark.parametrize("name", NAMES)
def test_a_bundled_package_in_half_holds_its_output(name: str, precision: Precision) -> None:
    package = load_package(name)
    assert package.description.weights.onnx
    content = onnx_in(package.read(package.description.weights.onnx), precision, name)
    model = onnx.load_model_from_string(content)
    (given,), (made,) = model.graph.input, model.graph.output
    assert {value.type.tensor_type.elem_type for value in (given, made)} == {onnx.TensorProto.FLOAT}
    half = {"f16": onnx.TensorProto.FLOAT16, "bf16": onnx.TensorProto.BFLOAT16}[precision]
    weights = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    assert {weights[each] for node in convolutions for each in node.input[1:]} == {half}
    if precision == "f16":  # convolutions in bf16 came with opset 22, TensorRT takes them from earlier ones
        onnx.checker.check_model(model, full_check=True)
    assert worst(run(content, package.test_input()), package.test_output()) < TOLERANCE[precision]


#: f16 is slow on a processor: of one network only.
TRACED = [("er-denoise-causal", "bf16"), ("er-segment-live", "f32"), ("er-segment-live", "f16")]


@pytest.mark.parametrize(("name", "precision"), TRACED)
def test_a_bundled_network_traced_in_half_gives_what_it_gave(name: str, precision: Precision) -> None:
    package = load_package(name)
    network, _ = load_network(package)
    shown = torch.from_numpy(np.ascontiguousarray(package.test_input()[:, :, 32:96, 32:80]))
    graph: Any = traced(network, shown, precision)
    with torch.inference_mode():
        found, expected = graph(shown), network(shown)
    assert found.dtype == torch.float32
    assert worst(found.numpy(), expected.numpy()) < TOLERANCE[precision]
    kept = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}[precision]
    convolved = {value.dtype for value in graph.state_dict().values() if value.ndim == 4}
    assert convolved == {kept}  # rounded once, not in every frame


def model_of(nodes: Sequence[Any], weights: Sequence[Any], *, functions: Sequence[Any] = ()) -> bytes:
    h, kind = onnx.helper, onnx.TensorProto.FLOAT
    ends = [h.make_tensor_value_info(name, kind, [1, 1, 8, 8]) for name in "xy"]
    graph = h.make_graph(list(nodes), "graph", ends[:1], ends[1:], list(weights))
    opsets = [h.make_opsetid("", 18), h.make_opsetid("ours", 1)]
    model = h.make_model(graph, opset_imports=opsets, functions=list(functions), ir_version=10)
    return bytes(model.SerializeToString())


def node(kind: str, given: str, made: str, **settings: Any) -> Any:
    domain = settings.pop("domain", "")
    return onnx.helper.make_node(kind, given.split(), made.split(), name=made, domain=domain, **settings)


def kernel(name: str = "w", scale: float = 1.0) -> Any:
    values = scale * np.random.default_rng(luck.seed()).normal(size=(1, 1, 3, 3))
    return onnx.numpy_helper.from_array(values.astype(np.float32), name)


def test_a_network_that_ends_in_a_convolution_gives_f32() -> None:
    content = model_of([node("Conv", "x w", "y", pads=[1] * 4)], [kernel()])
    shown = np.random.default_rng(1).normal(size=(1, 1, 8, 8)).astype(np.float32)
    found = run(onnx_in(content, "f16", "net"), shown)
    assert found.dtype == np.float32
    assert 0 < relative_rms(found, run(content, shown)) < 2e-3


def test_what_an_operator_wants_in_f32_stays_so() -> None:
    """The scales of a resize, a cast of the network's own, and a weight that is read outside, too."""
    scales = onnx.numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales")
    nodes = [
        node("Conv", "x w", "a", pads=[1] * 4),
        node("Resize", "a no-region scales", "b", mode="nearest"),
        node("Cast", "b", "c", to=onnx.TensorProto.FLOAT),
        node("Conv", "c w", "d", pads=[1] * 4, strides=[2, 2]),
        node("ReduceMax", "w", "top", keepdims=0),
        node("Mul", "d top", "y"),
    ]
    nodes[1].input[1] = ""
    content = model_of(nodes, [kernel(), scales])
    changed = onnx.load_model_from_string(onnx_in(content, "f16", "net"))
    onnx.checker.check_model(changed, full_check=True)
    stored = {tensor.name: tensor.data_type for tensor in changed.graph.initializer}
    assert stored == {"w": onnx.TensorProto.FLOAT, "scales": onnx.TensorProto.FLOAT}
    shown = np.random.default_rng(1).normal(size=(1, 1, 8, 8)).astype(np.float32)
    assert relative_rms(run(onnx_in(content, "f16", "net"), shown), run(content, shown)) < 2e-3


def test_functions_of_a_model_are_written_out() -> None:
    body = [node("Conv", "a w", "b", pads=[1] * 4)]
    twice = onnx.helper.make_function(
        "ours", "Blur", ["a", "w"], ["b"], body, [onnx.helper.make_opsetid("", 18)]
    )
    content = model_of([node("Blur", "x w", "y", domain="ours")], [kernel()], functions=[twice])
    changed = onnx.load_model_from_string(onnx_in(content, "bf16", "net"))
    assert [each.op_type for each in changed.graph.node] == ["Cast", "Conv", "Cast"]


def branches() -> bytes:
    made = [onnx.ValueInfoProto(name="z")]
    same = onnx.helper.make_graph([node("Identity", "x", "z")], "same", [], made)
    nodes = [
        node("ReduceMax", "x", "top", keepdims=0),
        node("Cast", "top", "yes", to=onnx.TensorProto.BOOL),
        node("If", "yes", "y", then_branch=same, else_branch=same),
    ]
    return model_of(nodes, [])


@pytest.mark.parametrize(
    ("content", "precision", "said"),
    [
        pytest.param(
            lambda: b"not a model", "bf16", "net: not an ONNX model .*; export it again", id="no model"
        ),
        pytest.param(branches, "bf16", "net: holds branches or loops, .*use f32", id="branches"),
        pytest.param(
            lambda: model_of([node("Conv", "x w", "y", pads=[1] * 4)], [kernel(scale=1e6)]),
            "f16",
            "net: weight w is too large for f16; use bf16 or f32",
            id="a weight beyond f16",
        ),
    ],
)
def test_what_cannot_be_halved_is_said(content: Callable[[], bytes], precision: Precision, said: str) -> None:
    with pytest.raises(EngineError, match=said):
        onnx_in(content(), precision, "net")


def test_f32_needs_no_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert onnx_in(b"as it is", "f32", "net") == b"as it is"
    with pytest.raises(EngineError, match=r"pip install 'scope-streamer\[rtx\]', or use f32"):
        onnx_in(b"as it is", "f16", "net")


class Shared(torch.nn.Module):
    """A convolution used twice, whose weight is read beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, x: Any) -> Any:
        return self.conv(torch.relu(self.conv(x))) + self.conv.weight.amax()


class Undecided(torch.nn.Module):
    """A network whose path depends on the pixels."""

    def forward(self, x: Any) -> Any:
        return x * 2 if x.sum() > 0 else x


def test_a_weight_that_is_read_outside_stays_f32() -> None:
    torch.manual_seed(luck.seed())
    network, shown = Shared().eval(), torch.randn(1, 1, 16, 16)
    graph: Any = traced(network, shown, "bf16")
    with torch.inference_mode():
        assert relative_rms(graph(shown).numpy(), network(shown).numpy()) < 2e-2
    assert graph.state_dict()["conv.weight"].dtype == torch.float32
    assert graph.state_dict()["conv.bias"].dtype == torch.bfloat16


def test_a_network_that_ends_in_a_convolution_gives_f32_in_torch() -> None:
    network, shown = torch.nn.Conv2d(1, 2, 3).eval(), torch.randn(1, 1, 16, 16)
    with torch.inference_mode():
        assert traced(network, shown, "bf16")(shown).dtype == torch.float32
    assert network.weight.dtype == torch.float32  # the network itself is left alone


def test_what_cannot_be_traced_is_said() -> None:
    shown = torch.randn(1, 1, 16, 16)
    with pytest.raises(EngineError, match=r"cannot be traced whole .*; use engine openvino or torch"):
        traced(Undecided().eval(), shown, "f32")
    network = torch.nn.Conv2d(1, 1, 3).eval()
    torch.nn.init.constant_(network.weight, 1e6)
    with pytest.raises(EngineError, match="too large for f16; use bf16 or f32"):
        traced(network, shown, "f16")


def test_a_package_without_a_network_of_ours_is_refused() -> None:
    package = load_package(list_packages()["er-segment-live"])
    weights = package.description.weights.model_copy(update={"pytorch_state_dict": None})
    bare = ModelPackage(
        folder=package.folder, description=package.description.model_copy(update={"weights": weights})
    )
    with pytest.raises(PackageError, match="holds no PyTorch weights for a network of ours"):
        load_network(bare)
