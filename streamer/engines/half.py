"""Half precision where it pays and nowhere else, by one rule for every graph.

Convolutions (and matrix products) compute in bf16 or f16, and so does what lies between two of them. What
comes before the first and after the last stays in f32: there a network of ours takes roots and logarithms of
photons and squares them again, where 16 bits lack digits (bf16) or range (f16). Inputs and outputs are f32.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from streamer.engines.key import Precision
from streamer.errors import EngineError

#: Operators of ONNX whose output is of a type that they state themselves, or that choose parts of a graph.
_STATED = frozenset(
    [
        "Cast",
        "CastLike",
        "Constant",
        "ConstantOfShape",
        "EyeLike",
        "Range",
        "RandomNormal",
        "RandomUniform",
        "RandomNormalLike",
        "RandomUniformLike",
        "Bernoulli",
        "QuantizeLinear",
        "DequantizeLinear",
    ]
)
_ANCHORS = frozenset(("Conv", "ConvTranspose", "Gemm", "MatMul"))
#: Part of every key of an engine that was made by the rule: another rule, other bits.
RULE = 1


def between(
    nodes: Sequence[tuple[Iterable[str], Iterable[str]]], anchors: Callable[[int], bool]
) -> frozenset[int]:
    """Which of `nodes` (names of inputs and of outputs, in order of execution) are anchors or between two."""
    reached: set[str] = set()  # depends on an anchor
    after = set()
    for index, (inputs, outputs) in enumerate(nodes):
        if anchors(index) or not reached.isdisjoint(inputs):
            after.add(index)
            reached.update(outputs)
    wanted: set[str] = set()  # an anchor depends on it
    before = set()
    for index, (inputs, outputs) in reversed(list(enumerate(nodes))):
        if anchors(index) or not wanted.isdisjoint(outputs):
            before.add(index)
            wanted.update(inputs)
    return frozenset(after & before)


def require_half(precision: Precision, engine: str) -> None:
    """Refuse a precision that graphs are not cast to.

    Raises:
        EngineError: int8.
    """
    if precision not in ("f32", "f16", "bf16"):
        raise EngineError(f"engine {engine}: precision {precision} is not built; use f32, f16 or bf16")


def onnx_in(content: bytes, precision: Precision, place: str) -> bytes:
    """A serialised ONNX model that computes in `precision`; f32 as it is.

    Args:
        content: the model; its float tensors are float32.
        precision: f32, bf16 or f16.
        place: of the weights, for errors.

    Raises:
        EngineError: onnx is not installed, or the graph cannot be converted.
    """
    if precision == "f32":
        return content
    onnx = _onnx()
    try:
        model = onnx.load_model_from_string(content)
        if model.functions:
            model = onnx.inliner.inline_local_functions(model)
        model = onnx.shape_inference.infer_shapes(model)
    except Exception as error:  # protobuf's and onnx's own have no common root
        problem = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise EngineError(f"{place}: not an ONNX model ({problem}); export it again") from None
    if any(attribute.g.node or attribute.graphs for node in model.graph.node for attribute in node.attribute):
        raise EngineError(f"{place}: holds branches or loops, which {precision} cannot be set for; use f32")
    _Halving(onnx, model.graph, precision, place).run()
    return bytes(model.SerializeToString())


class _Halving:
    """One graph under change."""

    def __init__(self, onnx: Any, graph: Any, precision: Precision, place: str) -> None:
        self._onnx, self._graph, self._place = onnx, graph, place
        types = onnx.TensorProto
        self._float, self._half = types.FLOAT, types.BFLOAT16 if precision == "bf16" else types.FLOAT16
        nodes = graph.node
        self._core = between(
            [(tuple(node.input), tuple(node.output)) for node in nodes],
            lambda index: nodes[index].op_type in _ANCHORS,
        ) - {index for index, node in enumerate(nodes) if node.op_type in _STATED}
        values = (*graph.input, *graph.value_info, *graph.output)
        typed = {value.name: value.type.tensor_type.elem_type for value in values}
        self._weights = {tensor.name: tensor for tensor in graph.initializer}
        self._typed = typed | {name: tensor.data_type for name, tensor in self._weights.items()}
        self._made = {name for index in self._core for name in nodes[index].output}
        self._casts: dict[tuple[str, int], str] = {}
        self._nodes: list[Any] = []

    def run(self) -> None:
        only = self._weights_of_the_core()
        outputs = {value.name for value in self._graph.output}
        for index, node in enumerate(self._graph.node):
            core = index in self._core
            for slot, name in enumerate(node.input):
                if core and self._is_float(name) and not _keeps_float(node.op_type, slot):
                    if name in only:
                        self._round(name)
                    elif name not in self._made:
                        node.input[slot] = self._cast(name, self._half)
                elif name in self._made and self._is_float(name):
                    node.input[slot] = self._cast(name, self._float)
            self._nodes.append(node)
            for slot, name in enumerate(node.output):
                if core and name in outputs and self._is_float(name):  # the graph's own name stays f32
                    node.output[slot] = f"{name}/half"
                    self._append("Cast", f"{name}/half", name, self._float)
                    self._casts[name, self._float] = name
                    self._made.discard(name)
        kept = [value for value in self._graph.value_info if value.name not in self._made]
        del self._graph.value_info[:], self._graph.node[:]
        self._graph.value_info.extend(kept)
        self._graph.node.extend(self._nodes)

    def _is_float(self, name: str) -> bool:
        return bool(self._typed.get(name) == self._float)

    def _weights_of_the_core(self) -> set[str]:
        """Weights that nothing else reads, so that they can be rounded where they are."""
        inside: set[str] = set()
        outside: set[str] = {value.name for value in self._graph.output}
        for index, node in enumerate(self._graph.node):
            for slot, name in enumerate(node.input):
                halved = index in self._core and not _keeps_float(node.op_type, slot)
                (inside if halved else outside).add(name)
        return (inside & self._weights.keys()) - outside

    def _round(self, name: str) -> None:
        weight = self._weights[name]
        if weight.data_type == self._half:
            return  # a weight that two nodes share
        dtype = self._onnx.helper.tensor_dtype_to_np_dtype(self._half)
        with np.errstate(over="ignore"):
            rounded = self._onnx.numpy_helper.to_array(weight).astype(dtype)
        if not np.isfinite(rounded.astype(np.float32)).all():
            raise EngineError(f"{self._place}: weight {name} is too large for f16; use bf16 or f32")
        weight.CopyFrom(self._onnx.numpy_helper.from_array(rounded, name))
        self._made.add(name)

    def _cast(self, name: str, to: int) -> str:
        """The name of `name` in another type; cast once, before whoever is the first to need it."""
        if (name, to) not in self._casts:
            self._casts[name, to] = f"{name}/{'half' if to == self._half else 'float'}"
            self._append("Cast", name, self._casts[name, to], to)
        return self._casts[name, to]

    def _append(self, kind: str, given: str, made: str, to: int) -> None:
        self._nodes.append(self._onnx.helper.make_node(kind, [given], [made], name=f"{made}/cast", to=to))


def _keeps_float(kind: str, slot: int) -> bool:
    """Whether an operator's input is of its own type: the region and scales of a resize are f32."""
    return kind == "Resize" and slot in (1, 2)


def _onnx() -> Any:
    try:
        onnx = importlib.import_module("onnx")
        for part in ("helper", "inliner", "numpy_helper", "shape_inference"):
            importlib.import_module(f"onnx.{part}")
    except ImportError:
        raise EngineError(
            "precisions bf16 and f16 of ONNX weights need onnx, which is not installed; "
            "pip install 'scope-streamer[rtx]', or use f32"
        ) from None
    return onnx
