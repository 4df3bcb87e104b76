"""How frames pass through a card: memory made once, copies and computing each on a stream of its own.

A lane is the memory of one frame under way. With two of them the next frame is copied to the card while the
one before is computed. On the CPU (tests) the same order holds and everything is done when a call returns.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from streamer.engines.key import EngineKey, require_shape

if TYPE_CHECKING:
    import torch

#: One is copied while the other is computed.
LANES = 2
#: Runs before the first frame: they choose algorithms, compile, take memory.
_WARM_UP = 3


class Lane:
    """Memory of one frame under way, on both sides of the bus.

    Attributes:
        given, made: page-locked memory of the host, float32.
        input, output: memory of the device; their addresses never change.
    """

    def __init__(self, device: torch.device, shape: tuple[int, ...], made: tuple[int, ...]) -> None:
        import torch

        locked = device.type == "cuda"
        self.given: NDArray[np.float32] = (host := torch.zeros(shape, pin_memory=locked)).numpy()
        self.made: NDArray[np.float32] = (back := torch.zeros(made, pin_memory=locked)).numpy()
        self.host, self.back = host, back
        self.input = torch.zeros(shape, device=device)
        self.output = torch.zeros(made, device=device)
        # Waits without spinning: the core is the acquisition engine's meanwhile.
        cuda: Any = torch.cuda  # its streams and events are not typed
        self.done: Any = cuda.Event(blocking=True) if locked else None


class Lanes:
    """An engine that computes on a device.

    Args:
        key: what its output depends on.
        device: of PyTorch.
        made: shape of the output, (1, k, y, x).
        prepare: gives, for a lane, what computes `lane.output` from `lane.input` when it is called: enqueued
            on the current stream, without waiting. Called once a lane, on the stream that computes.
    """

    def __init__(
        self,
        key: EngineKey,
        device: torch.device,
        made: tuple[int, ...],
        prepare: Callable[[Lane], Callable[[], None]],
    ) -> None:
        import torch

        self.key = key
        self._no_gradients = torch.inference_mode  # of a thread, so entered by every call
        with self._no_gradients():
            self._streams = Streams(device)
            self._lanes = [Lane(device, key.shape, made) for _ in range(LANES)]
            self._streams.settle()  # their memory was written on the stream of whoever makes this
            with self._streams.computing():
                self._launches = {lane: prepare(lane) for lane in self._lanes}
            self._streams.settle()

    def __call__(self, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        """[1, c, y, x] to a new [1, k, y, x]."""
        self._start(self._lanes[0], tensor)
        return self._finish(self._lanes[0])

    def overlapped(self, tensors: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """Outputs of several frames in their order, the next one copied while one is computed.

        For frames that wait already: each comes out one frame later than it could. Until the last has come
        out, the engine takes no other frames.
        """
        under_way: deque[Lane] = deque()
        for lane, tensor in zip(cycle(self._lanes), tensors, strict=False):
            if len(under_way) == len(self._lanes):
                yield self._finish(under_way.popleft())
            self._start(lane, tensor)
            under_way.append(lane)
        while under_way:
            yield self._finish(under_way.popleft())

    def _start(self, lane: Lane, tensor: NDArray[np.float32]) -> None:
        require_shape(tensor, self.key)
        np.copyto(lane.given, tensor)
        with self._no_gradients():
            with self._streams.uploading():
                lane.input.copy_(lane.host, non_blocking=True)
            with self._streams.computing():
                self._launches[lane]()
            with self._streams.downloading():
                lane.back.copy_(lane.output, non_blocking=True)
                if lane.done is not None:
                    lane.done.record()

    def _finish(self, lane: Lane) -> NDArray[np.float32]:
        if lane.done is not None:
            lane.done.synchronize()
        return lane.made.copy()  # the next frame writes there


class Streams:
    """Three streams of a card, each of which goes on when the one before has got so far; none on the CPU."""

    def __init__(self, device: torch.device) -> None:
        import torch

        cuda: Any = torch.cuda  # its streams and events are not typed
        self._on: Callable[[Any], contextlib.AbstractContextManager[Any]] = cuda.stream
        self._streams: tuple[Any, ...] = ()
        if device.type == "cuda":
            self._streams = tuple(cuda.Stream(device) for _ in range(3))
            self._streams[1].wait_stream(cuda.current_stream(device))
        self._wait: Callable[[], None] = partial(cuda.synchronize, device)

    def uploading(self) -> contextlib.AbstractContextManager[Any]:
        """Copies to the card."""
        return self._at(0)

    def computing(self) -> contextlib.AbstractContextManager[Any]:
        """After what was copied there so far."""
        return self._at(1)

    def downloading(self) -> contextlib.AbstractContextManager[Any]:
        """After what was computed so far."""
        return self._at(2)

    def settle(self) -> None:
        """Wait until the card has done all, on whichever stream: no frame shall wait for it later."""
        if self._streams:
            self._wait()

    def _at(self, place: int) -> contextlib.AbstractContextManager[Any]:
        if not self._streams:
            return contextlib.nullcontext()
        if place:
            self._streams[place].wait_stream(self._streams[place - 1])
        return self._on(self._streams[place])


def warmed(launch: Callable[[], None]) -> Callable[[], None]:
    """`launch`, after a few runs."""
    for _ in range(_WARM_UP):
        launch()
    return launch


class Recorder:
    """Records what is enqueued as CUDA graphs, which are then replayed whole; a launch costs one call.

    All take the memory between layers from one pool: lanes are computed in turn.
    """

    def __init__(self) -> None:
        self._pool: Any = None

    def __call__(self, launch: Callable[[], None]) -> Callable[[], None]:
        """What replays `launch`. Called on the stream that computes."""
        import torch

        warmed(launch)
        graph = torch.cuda.CUDAGraph()
        stream = torch.cuda.current_stream()
        # "thread_local": what other threads ask of the card meanwhile is their own affair.
        with torch.cuda.graph(graph, pool=self._pool, stream=stream, capture_error_mode="thread_local"):
            launch()
        self._pool = graph.pool()
        return Recording(graph, launch)


class Recording:
    """A recorded graph, and what it was recorded of: weights, engine, buffers, which no graph holds.

    The graph comes first, so that it is given up before what it reads from.
    """

    def __init__(self, graph: Any, launch: Callable[[], None]) -> None:
        self._graph, self._launch = graph, launch

    def __call__(self) -> None:
        """Replay it."""
        self._graph.replay()
