"""Other structures than the ER, and what the range guard says of their results."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.models_measure import measured, row
from bench.models_methods import Method
from streamer.analysis import REFERENCE_RATIO, HeldOut, held_out
from streamer.apps.compose import Composer, ModelSettings, load_models
from streamer.core import Frame, Verdict
from streamer.profile import load_profile
from streamer.simulation import LOW_DOSE, STRUCTURES, emitter_map_scene

#: The profile whose thresholds the guard takes.
PROFILE = "abberior_er_low"
#: The filter that stands for all of them here.
FILTER = "Anscombe + NLM"
#: Folder of the real emitter maps below the shared data.
MAPS = "sted_emitter_maps"


def structures(
    methods: Sequence[Method],
    guard: Guard,
    box_sum: float,
    seed: int,
    count: int,
    size_px: int,
    data: Path | None,
) -> Iterator[dict[str, Any]]:
    """Rows of every structure and kind of real emitter map, with the guard's verdicts.

    Filters are those tuned on the ER at the same level, as a user would have them.
    """
    chosen = [method for method in methods if method.kind != "filter" or method.name == FILTER]
    for name in STRUCTURES:
        frames = held_out(name, count, seed, box_sum, size_px)
        yield _structure(name, name, chosen, frames, guard, seed)
    for name, maps in emitter_maps(data).items() if data is not None else ():
        frames = tuple(mapped(path, box_sum) for path in maps[: max(count, 2)])
        yield _structure(f"real map, {name}", None, chosen, frames, guard, seed)


def _structure(
    title: str,
    structure: str | None,
    methods: Sequence[Method],
    frames: Sequence[HeldOut],
    guard: Guard,
    seed: int,
) -> dict[str, Any]:
    reports = {method.name: measured(method, frames, seed, structure)[0] for method in methods}
    ours = next(reports[method.name] for method in methods if method.kind == "ours")
    rows = [row(method, reports[method.name], ours, seed) for method in methods]
    verdicts = [guard(frame) for frame in frames]
    return {
        "structure": title,
        "frames": len(frames),
        "rows": rows,
        "guard": {
            "flagged": sum(verdict.status != "pass" for verdict in verdicts),
            "misfit": [verdict.values.get("misfit") for verdict in verdicts],
            "said": sorted({verdict.meaning for verdict in verdicts if verdict.status != "pass"}),
        },
    }


class Guard:
    """The range guard as a run of a model has it: denoise, segment, judge.

    Args:
        model: the denoiser.
        segmenter: None takes the denoiser's partner.

    Raises:
        StreamerError: the model or its segmenter cannot be used.
    """

    def __init__(self, model: str, segmenter: str | None = None) -> None:
        settings = ModelSettings(model=model, segmenter=segmenter)
        composer = Composer(load_profile(PROFILE), load_models(settings))
        self._stages = composer.stages(planned=1)
        self._guard = next(guard for guard in composer.guards(planned=1) if guard.name == "range")

    def __call__(self, frame: HeldOut) -> Verdict:
        """Its verdict on one frame."""
        counts = Frame(pixels=frame.counts.astype(np.uint16), seq=0)
        result = self._stages.segment(self._stages.denoise(counts))
        _, verdict = self._guard.step(self._guard.start(), result)
        return verdict


def emitter_maps(data: Path) -> dict[str, list[Path]]:
    """Files of real emitter maps below a data folder, by what they show; at least two of each kind."""
    found: dict[str, list[Path]] = {}
    for path in sorted((data / MAPS).rglob("examples/*/*.npy")):
        found.setdefault(path.parent.name, []).append(path)
    return {name: paths for name, paths in found.items() if len(paths) > 1}


def mapped(path: Path, box_sum: float) -> HeldOut:
    """One real emitter map seen by the simulated microscope; `box_sum` is the median in foreground boxes."""
    seed = zlib.crc32(f"{path.parent.name}/{path.stem}".encode())
    scene = emitter_map_scene(np.load(path), seed=seed, box_sum=box_sum)
    exposure = scene.expose(0, 0.0, LOW_DOSE)
    rng = np.random.default_rng((seed, 44))
    reference = REFERENCE_RATIO * (exposure.signal + exposure.background).astype(np.float64)
    a, b = (rng.poisson(reference).astype(np.float32) for _ in range(2))
    return HeldOut(
        seed=seed,
        counts=exposure.counts.astype(np.float32),
        truth=exposure.signal,
        background=exposure.background,
        labels=exposure.labels,
        reference_a=a,
        reference_b=b,
        pixel_nm=scene.settings.pixel_nm,
    )
