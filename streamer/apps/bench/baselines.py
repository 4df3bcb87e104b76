"""What a user would write instead: the same two networks in the callback of the acquisition engine."""

from __future__ import annotations

import contextlib
import importlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from multiprocessing.connection import Connection
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from streamer.apps.bench.camera import simulated
from streamer.apps.children import ignore_terminal_signals
from streamer.core import Calibration, Frame
from streamer.engines import ENGINES, Precision, compile_engine
from streamer.engines.cpu import usable_cores
from streamer.errors import EngineError, PackageError, StreamerError
from streamer.package import ModelPackage, load_package
from streamer.pipeline import denoise, padded_shape, segment

BaselineName = Literal["PyTorch eager", "ONNX Runtime", "batches of 50"]
BATCH = 50

WORDS: Mapping[BaselineName, str] = {
    "PyTorch eager": "both networks eagerly in f32 inside an image_process_fn, frame by frame, on a GPU "
    "where PyTorch has one: no guards, no recording, the engine waits meanwhile",
    "ONNX Runtime": "both networks by ONNX Runtime on the CPU in f32 inside an image_process_fn, frame by "
    "frame: no guards, no recording, the engine waits meanwhile",
    "batches of 50": "in DeepCAD-RT's manner: 50 frames are gathered, then computed by the engine that our "
    "own rows use; a frame waits for the rest of its batch and for all 50 to be computed",
}
#: Frames before those that count.
WARM_UP = 2

Image = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """How one of our networks was compiled; as in its engine key."""

    engine: str
    precision: Precision
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineSettings:
    """What a baseline's process needs to know; plain values, so that it survives a spawn.

    Attributes:
        name: of the baseline.
        denoiser, segmenter: ids or folders of the packages.
        denoiser_by, segmenter_by: how they are compiled in our own rows.
        shape_yx: of one channel.
        channels: side by side on the sensor.
    """

    name: BaselineName
    denoiser: str
    segmenter: str
    denoiser_by: Compiled
    segmenter_by: Compiled
    shape_yx: tuple[int, int]
    channels: int


def baseline_process(told: tuple[BaselineSettings, Connection], link: Connection) -> None:
    """Target of a spawned process.

    Sends {"ready": words about threads}, or {"missing": why it cannot be measured}; answers each
    {"frames": n, "seconds": s} that comes through the other connection with {"ms": of each frame}.
    """
    settings, orders = told
    ignore_terminal_signals()

    def say(message: Mapping[str, Any]) -> None:
        with contextlib.suppress(OSError):
            link.send_bytes(json.dumps(message).encode())

    try:
        run = in_the_callback(settings)
        images = simulated((settings.shape_yx[0], settings.shape_yx[1] * settings.channels))
        for image in (images * WARM_UP)[:WARM_UP]:
            run(image)
    except StreamerError as error:
        say({"missing": str(error)})
        return
    say({"ready": f"{_threads(settings.denoiser_by)} threads"})
    with contextlib.suppress(EOFError, OSError):
        while order := orders.recv_bytes(4096):
            say({"ms": _timed(run, images, **json.loads(order))})


def in_the_callback(settings: BaselineSettings) -> Callable[[NDArray[np.uint16]], None]:
    """What is done with one camera frame [y, x] before the callback returns.

    Raises:
        EngineError: what it needs is not installed, or cannot compile the networks.
        PackageError: a package lacks the weights.
    """
    denoiser = load_package(settings.denoiser).require("denoiser")
    segmenter = load_package(settings.segmenter).require("segmenter")
    if denoiser.test_input().shape[1] != 1:
        raise EngineError(f"{denoiser.id}: is shown further images beside a frame; a callback has one")
    multiples = denoiser.size_multiple, segmenter.size_multiple
    first, second = (
        partial(_always, _network(settings.name, package, padded_shape(settings.shape_yx, multiple), ours))
        for package, multiple, ours in (
            (denoiser, multiples[0], settings.denoiser_by),
            (segmenter, multiples[1], settings.segmenter_by),
        )
    )

    def process(image: NDArray[np.uint16]) -> None:
        for part in np.split(image, settings.channels, axis=1):
            frame = Frame(pixels=part, seq=0)
            denoised = denoise(
                frame, calibration=Calibration(), network_for=first, size_multiple=multiples[0]
            )
            segment(denoised, network_for=second, size_multiple=multiples[1])

    return process


def batch_latencies(compute_ms: float, interval_ms: float, size: int = BATCH) -> list[float]:
    """Of each frame of a batch: it waits for those after it, then for all of them to be computed."""
    return [(size - 1 - place) * interval_ms + size * compute_ms for place in range(size)]


def _timed(
    run: Callable[[NDArray[np.uint16]], None], images: list[NDArray[np.uint16]], frames: int, seconds: float
) -> list[float]:
    """Milliseconds of each frame, until `frames` or `seconds` are over; at least one."""
    taken: list[float] = []
    started_s = time.monotonic()
    while len(taken) < max(1, frames) and (not taken or time.monotonic() - started_s < seconds):
        begun = time.perf_counter()
        run(images[len(taken) % len(images)])
        taken.append(1e3 * (time.perf_counter() - begun))
    return taken


def _threads(ours: Compiled) -> int:
    """As many as ours; where ours computes on a GPU, all that what a user writes for the CPU would take."""
    return ours.threads if ours.engine in ("openvino", "torch") else usable_cores()


def _always(network: Callable[[Image], Image], shape_yx: tuple[int, int]) -> Callable[[Image], Image]:
    return network


def _network(
    name: BaselineName, package: ModelPackage, shape_yx: tuple[int, int], ours: Compiled
) -> Callable[[Image], Image]:
    if name == "batches of 50":
        return compile_engine(
            package, shape_yx, engine=ours.engine, precision=ours.precision, threads=ours.threads
        )
    threads = _threads(ours)
    if name == "ONNX Runtime":
        return _onnxruntime(package, threads)
    shape = (1, package.test_input().shape[1], *shape_yx)
    eager = ENGINES["torch"](package, shape, precision="f32", threads=threads)  # refuses what cannot run
    torch: Any = importlib.import_module("torch")
    return _eager_on_gpu(package, torch) if torch.cuda.is_available() else eager


def _eager_on_gpu(package: ModelPackage, torch: Any) -> Callable[[Image], Image]:
    """What a user with a card writes: there and back for each network, in f32."""
    weights = package.description.weights.pytorch_state_dict
    assert weights is not None  # else it could not run on the CPU
    assert package.config.architecture is not None
    network = importlib.import_module("streamer.networks").build(package.config.architecture)
    network.load_state_dict(torch.load(BytesIO(package.read(weights)), weights_only=True))
    network.eval().to("cuda")

    def run(tensor: Image) -> Image:
        with torch.inference_mode():
            output = network(torch.from_numpy(np.ascontiguousarray(tensor)).to("cuda"))
            return np.asarray(output.cpu().numpy(), dtype=np.float32)

    return run


def _onnxruntime(package: ModelPackage, threads: int) -> Callable[[Image], Image]:
    """The package's ONNX weights under ONNX Runtime.

    Raises:
        EngineError: it is not installed, or refuses the model.
        PackageError: the package holds no ONNX weights.
    """
    try:
        runtime: Any = importlib.import_module("onnxruntime")
    except ImportError:
        raise EngineError("onnxruntime is not installed; pip install onnxruntime") from None
    if package.description.weights.onnx is None:
        raise PackageError(f"{package.id}: holds no ONNX weights, which ONNX Runtime needs; export them")
    runtime.disable_telemetry_events()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    content = package.read(package.description.weights.onnx)
    try:
        session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own classes, which are only there when it is
        problem = str(error).strip().splitlines()[-1]
        raise EngineError(f"{package.id}: ONNX Runtime cannot load it ({problem})") from None
    (given,) = (one.name for one in session.get_inputs())

    def network(tensor: Image) -> Image:
        output: Image = session.run(None, {given: tensor})[0]
        return output

    return network
