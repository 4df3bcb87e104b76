"""The rule of `streamer.engines.half` for a torch network: a graph with its casts written in."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from streamer.engines.half import between
from streamer.engines.key import Precision
from streamer.errors import EngineError

if TYPE_CHECKING:
    from torch import Tensor, nn

#: Operators of ATen that the rule turns on, by name without overload.
_ANCHORS = frozenset(
    [
        "conv1d",
        "conv2d",
        "conv3d",
        "convolution",
        "conv_transpose2d",
        "conv_transpose3d",
        "linear",
        "addmm",
        "mm",
        "bmm",
        "matmul",
    ]
)


def traced(network: nn.Module, example: Tensor, precision: Precision) -> nn.Module:
    """`network` as a graph for inputs like `example`, computing in `precision`; takes and gives float32.

    Weights may be shared with `network`. Both belong on the device where it is to run: a graph may name it.

    Args:
        network: in evaluation mode, float32.
        example: [1, c, y, x] float32.
        precision: f32, bf16 or f16.

    Raises:
        EngineError: the network cannot be traced whole.
    """
    import torch

    try:
        with torch.no_grad():
            exported = torch.export.export(network, (example,))
    except Exception as error:  # torch.export raises many kinds
        problem = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise EngineError(
            f"this network cannot be traced whole by PyTorch ({problem}); use engine openvino or torch"
        ) from None
    graph = _module(exported)
    if precision != "f32":
        _write_casts(graph, {"bf16": torch.bfloat16, "f16": torch.float16}[precision])
    traced_whole: nn.Module = graph
    return traced_whole


def _module(exported: Any) -> Any:
    """The graph's module, without the checks of inputs that newer versions write into it."""
    if "check_guards" in inspect.signature(exported.module).parameters:
        return exported.module(check_guards=False)
    return exported.module()


def _write_casts(module: Any, half: Any) -> None:
    import torch

    graph = module.graph
    nodes = list(graph.nodes)
    core = _core(nodes)
    casts: dict[tuple[Any, Any], Any] = {}

    def cast(node: Any, dtype: Any) -> Any:
        if (node, dtype) not in casts:
            with graph.inserting_after(node):
                casts[node, dtype] = graph.call_function(
                    torch.ops.aten._to_copy.default, (node,), {"dtype": dtype}
                )
        return casts[node, dtype]

    for node in nodes:
        for given in node.all_input_nodes:
            if node in core and given not in core and _is_float(given):
                node.replace_input_with(given, cast(given, half))
            elif node not in core and given in core and _is_float(given):
                node.replace_input_with(given, cast(given, torch.float32))
    _round_weights(module, casts, half)
    graph.lint()
    module.recompile()


def _core(nodes: list[Any]) -> frozenset[Any]:
    """The rule; operators that are told a type, or make a tensor out of nothing, keep it."""
    found = between(
        [([given.name for given in node.all_input_nodes], [node.name]) for node in nodes],
        lambda index: nodes[index].op == "call_function" and _name(nodes[index]) in _ANCHORS,
    )
    return frozenset(
        nodes[index]
        for index in found
        if nodes[index].op == "call_function" and not _states_its_type(nodes[index])
    )


def _round_weights(module: Any, casts: dict[tuple[Any, Any], Any], half: Any) -> None:
    """Weights that only the core reads are rounded where they lie, so that no frame casts them again."""
    import torch

    for (node, dtype), cast in list(casts.items()):
        if node.op != "get_attr" or dtype != half or set(node.users) != {cast}:
            continue
        owner, _, name = node.target.rpartition(".")
        holder = module.get_submodule(owner)
        rounded = getattr(holder, name).detach().to(half)
        if not torch.isfinite(rounded).all():
            raise EngineError(f"weight {node.target} is too large for f16; use bf16 or f32")
        if name in holder._parameters:
            holder._parameters[name] = torch.nn.Parameter(rounded, requires_grad=False)
        else:
            setattr(holder, name, rounded)
        cast.replace_all_uses_with(node)
        module.graph.erase_node(cast)


def _states_its_type(node: Any) -> bool:
    return "dtype" in node.kwargs or _name(node) in ("to", "type_as", "_to_copy")


def _name(node: Any) -> str:
    """`conv2d` of `aten.conv2d.default`."""
    return str(node.target).removeprefix("aten.").partition(".")[0]


def _is_float(node: Any) -> bool:
    import torch

    value = node.meta.get("val")
    return isinstance(value, torch.Tensor) and value.dtype == torch.float32
