"""A network as an ONNX file that engines read without torch."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

import onnx
import torch
from torch import nn

from streamer.errors import RunError

OPSET = 18


def export_onnx(network: nn.Module, path: Path, *, channels: int, multiple: int, output: str) -> None:
    """Write weights and graph into one file, free in height and width (in steps of `multiple`).

    The input is called `photons`, [1, channels, y, x].
    """
    example = torch.zeros(1, channels, 4 * multiple, 4 * multiple)
    sizes = {2: multiple * torch.export.Dim("rows"), 3: multiple * torch.export.Dim("columns")}
    onnx.save(checked(exported(network, (example,), (sizes,), inputs=("photons",), output=output)), path)


def exported(
    network: nn.Module,
    examples: tuple[object, ...],
    sizes: tuple[object, ...],
    *,
    inputs: Sequence[str],
    output: str,
) -> onnx.ModelProto:
    """The graph of a network with its weights, called with `examples`; `sizes` names their free axes.

    Errors: RunError where this torch cannot.
    """
    # The exporter warns of its own deprecations, and logs what it would need for models that we have not.
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                network,
                examples,
                input_names=list(inputs),
                output_names=[output],
                opset_version=OPSET,
                dynamic_shapes=sizes,
                dynamo=True,
                verbose=False,
            )
    finally:
        logger.setLevel(level)
    if program is None:
        raise RunError(f"{output}: the ONNX exporter gave nothing; use torch 2.6 or newer")
    return program.model_proto


def checked(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without what the exporter noted of this machine, found valid."""
    _forget_sources(model)
    onnx.checker.check_model(model, full_check=True)
    return model


def _forget_sources(model: onnx.ModelProto) -> None:
    """Remove what the exporter notes of the machine it ran on: stack traces with paths."""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    for item in (*model.graph.node, *model.graph.value_info, *model.graph.initializer, *model.graph.input):
        del item.metadata_props[:]
        item.doc_string = ""
    for function in model.functions:
        del function.metadata_props[:]
        for node in function.node:
            del node.metadata_props[:]
            node.doc_string = ""
