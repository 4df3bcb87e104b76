"""ERnet as an ONNX file whose transformer goes row by row of windows, so that a processor's cache holds it.

PyTorch's exporter would write every block out over the whole image, and take minutes. Here it writes the
network around the blocks, and one block; the blocks of a group then become the body of one `Scan` over rows,
each with its own weights.
"""

from __future__ import annotations

import copy
from pathlib import Path

import onnx
import torch
from onnx import GraphProto, ModelProto, NodeProto, compose, helper, numpy_helper
from torch import Tensor, nn

from streamer.errors import RunError
from streamer.networks.ernet import CHANNELS, SIZE_MULTIPLE, WINDOW, Block, Blocks, ERnet, Folded, on_planes
from streamer.training.graph import checked, exported

#: Domain of the nodes that stand for a group's blocks until their graph is put in.
_PLACE = "place"
#: Axis of the rows in [b, 64, 4, rows, columns].
_ROWS = 3
#: What a group calls its blocks.
_BLOCKS = "residual_group"
_IN, _OUT = "windows", "mixed"


class _Place(nn.Module):
    """Stands for the blocks of a group: a node without content."""

    def __init__(self, group: int) -> None:
        super().__init__()
        self.group = group

    def forward(self, windows: Tensor) -> Tensor:
        place = f"{_PLACE}::{self.group}"
        return torch.onnx.ops.symbolic(place, (windows,), dtype=windows.dtype, shape=windows.shape)


class _One(nn.Module):
    """A block whose weights are inputs, so that the exporter merges them with nothing."""

    def forward(self, windows: Tensor, weights: list[Tensor]) -> Tensor:
        return on_planes(windows, Folded(*weights))


def export_ernet(network: ERnet, path: Path) -> None:
    """Write weights and graph into one file, free in height and width (even).

    The input is called `image`, [1, 1, y, x], the output `probabilities` or `logits`, [1, 4, y, x].

    Errors: RunError where this torch cannot.
    """
    if not hasattr(torch.onnx, "ops"):
        raise RunError(f"{path}: torch {torch.__version__} cannot write ERnet's graph; use 2.8 or newer")
    shell = copy.deepcopy(network).eval()
    for number, group in enumerate(shell.groups()):
        setattr(group, _BLOCKS, _Place(number))
    step = {axis: SIZE_MULTIPLE * torch.export.Dim(name) for axis, name in ((2, "rows"), (3, "columns"))}
    output = "probabilities" if network.probabilities else "logits"
    model = exported(shell, (torch.zeros(1, 1, 12, 16),), (step,), inputs=("image",), output=output)
    block = _block(network.groups()[0].residual_group.each()[0])
    for node in model.graph.node:
        if node.domain == _PLACE:
            _fill(node, _chain(block, network.groups()[int(node.op_type)].residual_group))
    kept = [entry for entry in model.opset_import if entry.domain != _PLACE]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    onnx.save(checked(model), path)


def _block(block: Block) -> ModelProto:
    """The graph of any block: `_IN` and its folded weights to `_OUT`."""
    weights = [weight.detach() for weight in block.folded()]
    examples = (torch.zeros(1, CHANNELS, WINDOW, 8), weights)
    sizes = ({_ROWS: torch.export.Dim("columns")}, [None] * len(weights))
    return checked(exported(_One(), examples, sizes, inputs=(_IN, *Folded._fields), output=_OUT))


def _fill(node: NodeProto, body: GraphProto) -> None:
    """Make the node that stands for a group's blocks the `Scan` that computes them."""
    scan = helper.make_node(
        "Scan",
        list(node.input),
        list(node.output),
        name=f"blocks_{node.op_type}",
        body=body,
        num_scan_inputs=1,
        scan_input_axes=[_ROWS],
        scan_output_axes=[_ROWS],
    )
    node.CopyFrom(scan)


def _chain(block: ModelProto, blocks: Blocks) -> GraphProto:
    """The graph of one block, once for each of `blocks` with its weights, one behind the other."""
    parts = [_weighted(block, weights, f"{number}_") for number, weights in enumerate(blocks.each())]
    whole = parts[0]
    for number, part in enumerate(parts[1:], start=1):
        whole = compose.merge_models(whole, part, [(f"{number - 1}_{_OUT}", f"{number}_{_IN}")])
    graph: GraphProto = whole.graph
    return graph


def _weighted(block: ModelProto, weights: Block, prefix: str) -> ModelProto:
    """The graph of a block with weights in the place of all inputs but the first."""
    part: ModelProto = compose.add_prefix(block, prefix)
    del part.graph.input[1:]
    for name, weight in weights.folded()._asdict().items():
        held = numpy_helper.from_array(weight.detach().contiguous().numpy(), f"{prefix}{name}")
        part.graph.initializer.append(held)
    return part
