"""Does it pay to take waiting frames in batches, or to put both networks into one graph?

    python -m bench.flow --shape 608 608 --repeats 30 --out bench/results/flow.json

OpenVINO, one static model each, every contender once a round: batches of 1 to 4 frames, in ms per frame, and
denoiser then segmenter as the pipeline runs them against one graph that gives image and classes.
"""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console

from bench.frames_page import AGREEMENT, flow_sheets
from bench.measure import begun, ratio
from streamer.engines import relative_rms
from streamer.engines.openvino import imported
from streamer.package import ModelPackage, load_package

ov = imported()  # so that it reports nothing to its maker
ops = importlib.import_module("openvino.opset13")
CONSOLE = Console(stderr=True)
BATCHES = (1, 2, 3, 4)
#: Precisions as OpenVINO calls them.
WORDS = {"f32": "FP32", "bf16": "BF16"}
MEAN_PHOTONS = 0.3
#: Fewer rounds, or smaller frames, show that it works and measure nothing.
FULL_REPEATS, FULL_PX = 20, 600

Image = NDArray[np.float32]
Call = Callable[[Image], Any]


def model_of(package: ModelPackage, shape: tuple[int, ...]) -> Any:
    """The package's graph for one shape (b, c, y, x)."""
    assert package.description.weights.onnx is not None
    model = ov.Core().read_model(BytesIO(package.read(package.description.weights.onnx)))
    model.reshape(list(shape))
    return model


def fused(denoiser: ModelPackage, segmenter: ModelPackage, shape_yx: tuple[int, int]) -> Any:
    """One graph: photons to the denoiser's output and the most probable class of every pixel."""
    first, second = (model_of(package, (1, 1, *shape_yx)) for package in (denoiser, segmenter))
    denoised = first.output(0).get_node().input_value(0)
    image = ops.slice(denoised, np.array([0]), np.array([1]), np.array([1]), np.array([1]))
    parameter = second.get_parameters()[0]
    parameter.output(0).replace(image.output(0))
    probabilities = second.output(0).get_node().input_value(0)
    best = ops.topk(probabilities, np.int64(1), 1, "max", "none", "i32")
    results = [ops.result(denoised), ops.result(ops.convert(best.output(1), "u8"))]
    return ov.Model(results, first.get_parameters(), "fused")


def compiled(model: Any, precision: str, threads: int) -> Any:
    """Compiled as the pipeline's engine is."""
    settings = {
        "INFERENCE_PRECISION_HINT": precision,
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": threads,
    }
    return ov.Core().compile_model(model, "CPU", settings)


def call_of(network: Any) -> Call:
    """An image to a copy of every output."""
    request = network.create_infer_request()
    outputs = range(len(network.outputs))

    def call(image: Image) -> list[NDArray[Any]]:
        request.infer({0: image}, share_inputs=True)
        return [np.array(request.get_output_tensor(number).data) for number in outputs]

    return call


def one_after_the_other(denoise: Call, segment: Call) -> Call:
    """As the pipeline does it, with the classes found in numpy."""

    def call(image: Image) -> list[NDArray[Any]]:
        denoised = denoise(image)[0]
        probabilities = segment(np.ascontiguousarray(denoised[:, :1]))[0]
        return [denoised, probabilities.argmax(axis=1).astype(np.uint8)[:, None]]

    return call


def interleaved(contenders: Mapping[str, tuple[Call, Image]], repeats: int) -> dict[str, list[float]]:
    """ms per frame of each, by turns; a batch of n counts n frames."""
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for name, (call, image) in contenders.items():
        call(image)
        call(image)
        CONSOLE.print(f"warm: {name}")
    for _ in range(repeats):
        for name, (call, image) in contenders.items():
            begun = time.perf_counter()
            call(image)
            taken[name].append((time.perf_counter() - begun) * 1e3 / len(image))
    return taken


def against(taken: Mapping[str, list[float]], base: str) -> dict[str, dict[str, float]]:
    """Median ms per frame of each, and the ratio to `base` with its interval."""
    return {name: {"median_ms": float(np.median(ms)), **ratio(ms, taken[base])} for name, ms in taken.items()}


def main(
    out: Annotated[Path, typer.Option(help="JSON to write.")],
    shape: Annotated[tuple[int, int], typer.Option(help="Rows and columns.")] = (608, 608),
    repeats: Annotated[int, typer.Option(min=1)] = FULL_REPEATS,
    threads: Annotated[int, typer.Option(min=1)] = 1,
    denoiser: Annotated[str, typer.Option(help="Package.")] = "er-denoise-live",
    segmenter: Annotated[str, typer.Option(help="Package.")] = "er-segment-live",
    precisions: Annotated[str, typer.Option(help="Those that the processor has are measured.")] = "f32,bf16",
) -> None:
    """Measure both questions."""
    report: dict[str, Any] = {
        **begun(),
        "shape": shape,
        "repeats": repeats,
        "threads": threads,
        "quick": repeats < FULL_REPEATS or min(shape) < FULL_PX,
    }
    packages = {"denoiser": load_package(denoiser), "segmenter": load_package(segmenter)}
    rng = np.random.default_rng(0)
    frames = rng.poisson(MEAN_PHOTONS, (max(BATCHES), 1, *shape)).astype(np.float32)
    found: dict[str, Any] = {}
    capable = ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    for precision in [name for name, word in WORDS.items() if name in precisions and word in capable]:
        for role, package in packages.items():
            contenders = {
                f"batch {n}": (
                    call_of(compiled(model_of(package, (n, 1, *shape)), precision, threads)),
                    frames[:n],
                )
                for n in BATCHES
            }
            found[f"{role} {precision}"] = against(interleaved(contenders, repeats), "batch 1")
        denoise, segment = (
            call_of(compiled(model_of(package, (1, 1, *shape)), precision, threads))
            for package in packages.values()
        )
        together = call_of(compiled(fused(*packages.values(), shape), precision, threads))
        pair = {"apart": one_after_the_other(denoise, segment), "fused": together}
        taken = interleaved({name: (call, frames[:1]) for name, call in pair.items()}, repeats)
        apart, one = (call(frames[:1]) for call in pair.values())
        found[f"both {precision}"] = against(taken, "apart") | {
            AGREEMENT: {
                "relative_rms": relative_rms(one[0], apart[0]),
                "equal_classes": float((one[1].reshape(shape) == apart[1].reshape(shape)).mean()),
            }
        }
    report["found"] = found
    for sheet in flow_sheets(report):
        sheet.show("flow")
    out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
