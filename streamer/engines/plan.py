"""TensorRT's plans, in both editions (`tensorrt`, `tensorrt_rtx`): built from ONNX, loaded and run.

A plan holds a network whole: TensorRT has no slower path for an operator that it lacks, building fails.
Loading a plan runs code from it: plans come from our own cache, whose entries carry a sha256.
"""

from __future__ import annotations

import hashlib
import importlib
import re
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from streamer.engines.card import Card
from streamer.engines.key import EngineKey
from streamer.engines.lanes import Lane, Lanes, Recorder, warmed
from streamer.engines.memory import says_memory
from streamer.errors import EngineError, MemoryShortError

#: Lines of TensorRT's log that are kept to say why something failed.
_KEPT_LINES = 50
#: Where in TensorRT's own source an error arose: of no use to who reads it.
_PLACES = re.compile(r" In \w+ at \S+(:\d+)?")
_BUILDING = threading.Lock()
#: What to do where the card's memory is too small.
MEMORY_CURE = "end what else uses the card, or use smaller frames or tiles"

#: Gives, for a loaded engine, the runtime configuration of its contexts, then what must outlive them as well.
Settings = Callable[[Any], tuple[Any, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorRT:
    """One edition of TensorRT.

    Attributes:
        name: of the engine, for errors.
        module: its Python package.
        log: gets its errors; TensorRT takes one for the whole process.
    """

    name: str
    module: Any
    log: Any

    @property
    def problem(self) -> str:
        """The last error that it told, in one line."""
        return self.log.lines[-1] if self.log.lines else "no reason given"

    @property
    def is_short(self) -> bool:
        """Whether memory did not do, by what it told since its log was last cleared."""
        return any(map(says_memory, self.log.lines))

    def failed(self, words: str, cure: str) -> EngineError:
        """The error of what failed, with the problem: `MemoryShortError` where memory did not do."""
        if self.is_short:
            return MemoryShortError(f"{words} ({self.problem}); {MEMORY_CURE}")
        return EngineError(f"{words} ({self.problem}); {cure}")


@cache
def tensorrt_of(package: str, engine: str, cure: str) -> TensorRT:
    """An edition of TensorRT by the name of its package.

    Raises:
        EngineError: it is not installed, or cannot be loaded.
    """
    try:
        module = importlib.import_module(package)
    except ImportError as error:
        if error.name == package:
            raise EngineError(f"engine {engine}: {package} is not installed; {cure}") from None
        raise EngineError(f"engine {engine}: {package} cannot be loaded ({error}); {cure}") from None
    except Exception as error:  # its libraries, loaded by ctypes
        raise EngineError(f"engine {engine}: {package} cannot be loaded ({error}); {cure}") from None
    return TensorRT(name=engine, module=module, log=_log(module))


def _log(module: Any) -> Any:
    class Log(module.ILogger):  # type: ignore[misc]  # known only when it is there
        """Errors, newest last."""

        def __init__(self) -> None:
            super().__init__()
            self.lines: deque[str] = deque(maxlen=_KEPT_LINES)

        def log(self, severity: Any, message: str) -> None:
            if severity in (module.ILogger.ERROR, module.ILogger.INTERNAL_ERROR):
                self.lines.append(one_line(message))

    return Log()


def one_line(message: str) -> str:
    """What TensorRT told in one line, without where in its own source."""
    return _PLACES.sub("", " ".join(message.split()))[:300]


def parse(tensorrt: TensorRT, content: bytes, place: str) -> tuple[Any, Any, Any]:
    """A serialised ONNX model as a network: builder, network, and the parser, which owns the weights.

    Raises:
        EngineError: it is no ONNX model, or holds operators that TensorRT lacks: all of them are named.
    """
    trt = tensorrt.module
    builder = trt.Builder(tensorrt.log)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, tensorrt.log)
    if parser.parse(content):
        return builder, network, parser
    errors = [parser.get_error(index) for index in range(parser.num_errors)]
    lacking = [f"{error.node_operator()} ({error.node_name()})" for error in errors if error.node_operator()]
    if lacking:
        raise EngineError(
            f"{place}: {tensorrt.name} lacks the operator {', '.join(lacking)}; use engine openvino, or "
            "export the network without it"
        )
    problem = errors[0].desc() if errors else tensorrt.problem
    raise EngineError(f"{place}: {tensorrt.name} cannot read it ({problem}); export it again")


def build_plan(
    tensorrt: TensorRT,
    content: bytes,
    shape: tuple[int, int, int, int],
    place: str,
    *,
    capability: tuple[int, int] | None = None,
) -> bytes:
    """A plan for inputs of `shape`, from a serialised ONNX model that says itself in what it computes.

    Args:
        tensorrt: the edition.
        content: the model, with one input; of several outputs the first is kept.
        shape: of every input.
        place: of the weights, for errors.
        capability: of the card that it is for; None for the one that is here.

    Raises:
        EngineError: an operator is lacking, or the model cannot be built for that shape or card.
    """
    with _BUILDING:
        tensorrt.log.lines.clear()
        builder, network, _parser = parse(tensorrt, content, place)
        if network.num_inputs != 1:
            raise EngineError(f"{place}: has {network.num_inputs} inputs; only a network of one can run")
        for index in range(network.num_outputs - 1, 0, -1):
            network.unmark_output(network.get_output(index))
        network.get_input(0).shape = shape
        plan = builder.build_serialized_network(network, _config(tensorrt.module, builder, capability))
        if plan is None:
            raise tensorrt.failed(
                f"{place}: {tensorrt.name} cannot build it for {list(shape)}",
                "use another shape, precision or engine",
            )
        return bytes(plan)


def _config(trt: Any, builder: Any, capability: tuple[int, int] | None) -> Any:
    config = builder.create_builder_config()
    config.clear_flag(trt.BuilderFlag.TF32)  # f32 is f32
    if capability is not None:
        config.num_compute_capabilities = 1
        config.set_compute_capability(getattr(trt.ComputeCapability, "SM{}{}".format(*capability)), 0)
    return config


def run_plan(
    tensorrt: TensorRT, plan: bytes, key: EngineKey, card: Card, settings: Settings | None = None
) -> Lanes:
    """The engine that runs a plan on the card.

    Args:
        tensorrt: the edition that built it.
        plan: as built.
        key: of the engine; its shape is the plan's. The engine's own key names the plan, too: built again, it
            may be another, with other bits.
        card: to run on.
        settings: of the loaded engine's runtime, which then replays graphs by itself; without them they are
            recorded here.

    Raises:
        EngineError: the plan is not for this card, version or shape.
        MemoryShortError: the card's memory is too small.
    """
    trt = tensorrt.module
    importlib.import_module("torch").zeros(1, device=card.device)  # loading wants a context of CUDA
    tensorrt.log.lines.clear()
    runtime = trt.Runtime(tensorrt.log)
    engine = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        raise tensorrt.failed(
            f"engine {tensorrt.name}: its plan does not load on {card.name}",
            "update the driver, or build it again with `streamer models compile`",
        )
    given, made = _ends(tensorrt, engine, key)
    configured = settings(engine) if settings else ()
    recorder = Recorder()

    def prepare(lane: Lane) -> Callable[[], None]:
        context = _context(tensorrt, engine, configured[:1])
        for name, tensor in ((given, lane.input), (made, lane.output)):
            context.set_tensor_address(name, tensor.data_ptr())
        launch = Launch(tensorrt, context, (runtime, engine, *reversed(configured)))
        return warmed(launch) if configured else recorder(launch)

    version = f"{key.runtime_version}, plan {hashlib.sha256(plan).hexdigest()[:12]}"
    shape = tuple(engine.get_tensor_shape(made))
    return Lanes(replace(key, runtime_version=version), card.device, shape, prepare)


def _ends(tensorrt: TensorRT, engine: Any, key: EngineKey) -> tuple[str, str]:
    """Names of the input and the output; float32, of the key's shape.

    Raises:
        EngineError: they are not.
    """
    trt = tensorrt.module
    names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
    inputs = [name for name in names if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT]
    outputs = [name for name in names if name not in inputs]
    sound = (
        len(inputs) == len(outputs) == 1
        and tuple(engine.get_tensor_shape(inputs[0])) == key.shape
        and all(engine.get_tensor_dtype(name) == trt.float32 for name in names)
    )
    if not sound:
        raise EngineError(
            f"engine {tensorrt.name}: its plan is not one of float32 {list(key.shape)}; remove it from the "
            "cache"
        )
    return inputs[0], outputs[0]


def _context(tensorrt: TensorRT, engine: Any, config: tuple[Any, ...]) -> Any:
    """What holds the memory between layers; each lane has one of its own.

    Raises:
        MemoryShortError: there is no room for it, or no other reason is given.
        EngineError: there is.
    """
    context = engine.create_execution_context(*config)
    if context is not None:
        return context
    if not tensorrt.log.lines:
        raise MemoryShortError(f"engine {tensorrt.name}: no room on the card to run it; {MEMORY_CURE}")
    cure = "update the driver, or use engine cuda"
    raise tensorrt.failed(f"engine {tensorrt.name}: cannot run its plan", cure)


class Launch:
    """Enqueues one inference on the current stream.

    Args:
        tensorrt: the edition.
        context: with its addresses set.
        kept: what the context was made with and does not hold itself, oldest first: let go from its end,
            after the context.
    """

    def __init__(self, tensorrt: TensorRT, context: Any, kept: tuple[Any, ...]) -> None:
        self._context, self._kept, self._tensorrt = context, kept, tensorrt
        self._cuda = importlib.import_module("torch").cuda

    def __call__(self) -> None:
        """Enqueue it.

        Raises:
            EngineError: the card refuses.
        """
        if not self._context.execute_async_v3(self._cuda.current_stream().cuda_stream):
            words = f"engine {self._tensorrt.name}: the card refused a frame"
            raise self._tensorrt.failed(words, "start again, or use another engine")
