"""CUDA through PyTorch: kernels fused by torch.compile, replayed as one CUDA graph, channels last.

Equal keys give equal bits: convolutions take cuDNN's own choice of a deterministic algorithm rather than the
winner of a race, so do fused kernels, and f32 is f32 (no TF32).
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any

from streamer.engines.card import exact, in_short, memory_of, require_card
from streamer.engines.half import RULE, require_half
from streamer.engines.half_torch import traced
from streamer.engines.key import EngineKey, Precision
from streamer.engines.lanes import Lane, Lanes, Recorder
from streamer.engines.network import load_network
from streamer.package import ModelPackage

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

_LOG = logging.getLogger(__name__)

#: Of two ways to sum, none is chosen by a race on the card that is here.
COMPILE_OPTIONS = {"deterministic": True}

Step = Callable[["Tensor"], "Tensor"]


def compile_cuda(
    package: ModelPackage, shape: tuple[int, int, int, int], *, precision: Precision, threads: int
) -> Lanes:
    """The package's network for inputs of `shape` (1, c, y, x) on the NVIDIA card that PyTorch uses.

    Args:
        package: with PyTorch weights for a network of ours.
        shape: of every input.
        precision: f32, f16 or bf16.
        threads: not used; the card computes.

    Raises:
        EngineError: there is no card that will do, its memory is too small, or the network cannot be traced.
        PackageError: the package holds no PyTorch weights for a network of ours.
    """
    require_half(precision, "cuda")
    card = require_card("cuda")
    torch = importlib.import_module("torch")
    network, digest = load_network(package)
    with torch.inference_mode(), memory_of(package.id, shape, "cuda"):
        example = torch.zeros(shape, device=card.device)
        step = channels_last(network.to(card.device), example, precision)
        with exact():
            step, how = _fused(step, example)
            key = EngineKey(
                weights_sha256=digest,
                device=card.name,
                instruction_set=card.instruction_set,
                runtime="cuda",
                runtime_version=f"torch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}, {how}, "
                f"casts {RULE}",
                shape=shape,
                precision=precision,
                threads=0,
                driver=card.driver,
            )
            return lanes_of(step, key, card.device)


def channels_last(network: nn.Module, example: Tensor, precision: Precision) -> Step:
    """The network as a function of a float32 tensor, with memory laid out as tensor cores want it."""
    torch = importlib.import_module("torch")
    graph: Any = traced(network, example, precision)
    graph = graph.to(memory_format=torch.channels_last)

    def step(tensor: Tensor) -> Tensor:
        made: Tensor = graph(tensor.contiguous(memory_format=torch.channels_last))
        return made.contiguous()

    return step


def lanes_of(step: Step, key: EngineKey, device: torch.device) -> Lanes:
    """The engine that runs `step`, recorded once a lane where there is a card to replay it on."""
    torch = importlib.import_module("torch")
    made = tuple(step(torch.zeros(key.shape, device=device)).shape)
    recorder = Recorder()

    def prepare(lane: Lane) -> Callable[[], None]:
        def launch() -> None:
            lane.output.copy_(step(lane.input))

        return recorder(launch) if device.type == "cuda" else launch

    return Lanes(key, device, made, prepare)


def _fused(step: Step, example: Tensor) -> tuple[Step, str]:
    """The step with its kernels fused, or as it is with a line that says why."""
    torch = importlib.import_module("torch")
    try:
        fused: Step = torch.compile(
            _of_its_own_code(step), fullgraph=True, dynamic=False, options=COMPILE_OPTIONS
        )
        fused(example)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # whatever the compiler, Triton or a C compiler raise
        _LOG.warning(
            "engine cuda: kernels cannot be fused here (%s); they run one by one in a CUDA graph. "
            "torch.compile needs Triton (on Windows: pip install triton-windows) and a C compiler",
            in_short(error),
        )
        return step, "not fused"
    return fused, "fused"


def _of_its_own_code(step: Step) -> Step:
    """The same function: steps share their code, of which torch.compile compiles eight at most."""
    if isinstance(step, FunctionType):
        step.__code__ = step.__code__.replace()
    return step
