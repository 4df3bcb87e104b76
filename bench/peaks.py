"""The most that this device computes and moves, measured: matrix products, convolutions, copies."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from streamer.engines import Precision
from streamer.engines.openvino import DEVICES, precisions_of
from streamer.errors import EngineError

#: Side of the matrices, and the convolution: channels, kernel, pixels a side.
MATRIX = 1024
CONVOLUTION = (64, 3, 256)
#: Far larger than any cache.
COPY_BYTES = 256 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """Something of known size that can be run; `amount` is its FLOP, or the bytes it moves."""

    name: str
    amount: float
    run: Callable[[], object]

    def per_second(self) -> float:
        """FLOP or bytes in a second, once."""
        begun = time.perf_counter()
        self.run()
        return self.amount / (time.perf_counter() - begun)


def peaks(threads: int, *, small: bool = False) -> list[Peak]:
    """Everything that can be run here, warm; `small` sizes show that it works and measure nothing."""
    side = 64 if small else MATRIX
    image = 32 if small else CONVOLUTION[2]
    precisions: tuple[Precision, ...] = ("f32", "bf16")
    made: list[Callable[[], Peak]] = [partial(copying, COPY_BYTES >> 8 if small else COPY_BYTES)]
    for precision in precisions:
        made.append(partial(torch_matmul, precision, side, threads))
        made.append(partial(openvino_matmul, precision, side, threads))
        made.append(partial(openvino_convolution, precision, image, threads))
    found = []
    for make in made:
        try:
            peak = make()
        except (EngineError, RuntimeError, ImportError):
            continue  # a precision or a library that is not here has no peak
        peak.run()
        found.append(peak)
    return found


def copying(size: int) -> Peak:
    """A copy in memory: what is read and what is written both count."""
    source = np.ones(size, dtype=np.uint8)
    target = source.copy()
    return Peak(name="copy", amount=2.0 * size, run=lambda: np.copyto(target, source))


def torch_matmul(precision: Precision, side: int, threads: int) -> Peak:
    """A square matrix product in PyTorch."""
    import torch

    torch.set_num_threads(threads)
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    a, b = (torch.rand(side, side).to(kind) for _ in range(2))
    return Peak(name=f"torch matmul {precision}", amount=2.0 * side**3, run=lambda: torch.matmul(a, b))


def openvino_matmul(precision: Precision, side: int, threads: int) -> Peak:
    """A square matrix times constant weights in OpenVINO."""
    ops = _operations()
    given = ops.parameter([side, side], np.float32)
    weights = np.random.default_rng(0).random((side, side), dtype=np.float32)
    run = _compiled(ops.matmul(given, ops.constant(weights), False, False), given, precision, threads)
    return Peak(name=f"openvino matmul {precision}", amount=2.0 * side**3, run=run)


def openvino_convolution(precision: Precision, size: int, threads: int) -> Peak:
    """A convolution that keeps its channels, in OpenVINO."""
    ops = _operations()
    channels, kernel, _ = CONVOLUTION
    given = ops.parameter([1, channels, size, size], np.float32)
    shape = (channels, channels, kernel, kernel)
    weights = np.random.default_rng(0).random(shape, dtype=np.float32)
    pads = [kernel // 2] * 2
    node = ops.convolution(given, ops.constant(weights), [1, 1], pads, pads, [1, 1])
    amount = 2.0 * size**2 * channels**2 * kernel**2
    return Peak(
        name=f"openvino convolution {precision}",
        amount=amount,
        run=_compiled(node, given, precision, threads),
    )


def _operations() -> Any:
    """OpenVINO's operations, loaded after `streamer.engines` saw to it that it reports to nobody."""
    precisions_of("openvino")
    return importlib.import_module("openvino.opset13")


def _compiled(node: Any, given: Any, precision: Precision, threads: int) -> Callable[[], object]:
    import openvino

    if precision not in precisions_of("openvino"):
        raise EngineError(f"{precision} is not possible here")
    settings = {
        "INFERENCE_PRECISION_HINT": precision,
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": threads,
    }
    model = openvino.Model([node], [given], "peak")
    request = openvino.Core().compile_model(model, DEVICES["openvino"], settings).create_infer_request()
    shape = tuple(given.get_partial_shape().to_shape())
    data = np.random.default_rng(1).random(shape, dtype=np.float32)
    request.set_input_tensor(openvino.Tensor(data))
    infer: Callable[[], object] = request.infer
    return infer
