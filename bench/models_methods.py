"""The methods of the comparison, each as a function of photons: raw, tuned filters, model packages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bench.classical import GRIDS, Denoiser, Grid, Image
from streamer.analysis import Denoise, HeldOut
from streamer.core import Calibration, Frame
from streamer.engines import compile_engine
from streamer.errors import PackageError
from streamer.metrics.quality import linear_fit_psnr, median_box_sum
from streamer.package import ModelPackage, load_package
from streamer.pipeline.stages import denoise
from streamer.simulation import Scene, sample_settings

#: What the issue asks to be compared (raw, filter, baseline), the model that is judged, and others beside it.
Kind = Literal["raw", "filter", "baseline", "ours", "other"]
#: Seconds between the frames of a series: an exposure at once after the other, as in a live run.
INTERVAL_S = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One row of the table; `setting` is what a filter was tuned to, in words."""

    name: str
    kind: Kind
    setting: str
    denoise: Denoise


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningFrame:
    """Counts [y, x] of a specimen of the validation range, and the noise-free photons in focus."""

    counts: Image
    truth: Image


def tuning_frames(box_sum: float, count: int, seed: int, size_px: int) -> tuple[TuningFrame, ...]:
    """Frames of specimens that are neither test nor training, at one median box sum; never empty ones."""
    found: list[TuningFrame] = []
    index = seed * 1_000_000
    while len(found) < count:
        settings, light, time_s = sample_settings("validation", index, (size_px, size_px))
        exposure = Scene(settings).expose(0, time_s, light)
        expected = exposure.signal + exposure.background
        level = median_box_sum(expected, exposure.labels)
        if np.isfinite(level):
            scale = np.float32(box_sum / level)
            counts = np.random.default_rng((index, 41)).poisson(expected * scale).astype(np.float32)
            found.append(TuningFrame(counts=counts, truth=exposure.signal * scale))
        index += 1
    return tuple(found)


def tune(grid: Grid, frames: Sequence[TuningFrame]) -> tuple[str, Denoiser]:
    """The setting of a grid with the highest PSNR on tuning frames, after one linear fit over all of them."""
    truths = [frame.truth for frame in frames]

    def psnr(choice: tuple[str, Denoiser]) -> float:
        return linear_fit_psnr([choice[1](frame.counts) for frame in frames], truths).psnr_db

    return max(grid, key=psnr)


def raw_and_filters(frames: Sequence[TuningFrame], grids: Mapping[str, Grid] = GRIDS) -> Iterator[Method]:
    """The frame itself, and every classical filter with the setting that is best on tuning frames."""
    yield Method(name="raw", kind="raw", setting="", denoise=lambda photons: (photons, None))
    for name, grid in grids.items():
        setting, chosen = tune(grid, frames)
        yield Method(name=name, kind="filter", setting=setting, denoise=partial(_without_error, chosen))


def _without_error(denoiser: Denoiser, photons: Image) -> tuple[Image, None]:
    return denoiser(photons), None


class Packaged:
    """A model package as a function of photons [y, x], run by the stage and the engine of a live run.

    Of a denoiser with past frames, `past` says what came before a frame: it is asked for as many frames as
    the package wants, newest first.

    Raises:
        StreamerError: the package or its engine cannot be used.
    """

    def __init__(self, model: str) -> None:
        self.package: ModelPackage = load_package(model).require("denoiser")
        if self.package.config.context == "z":
            raise PackageError(f"{self.package.id}: looks at other slices, frames have none; use another")
        self._network_for = lru_cache(maxsize=2)(partial(compile_engine, self.package))
        self.past: Mapping[int, tuple[Image, ...]] = {}

    def __call__(self, photons: Image) -> tuple[Image, Image | None]:
        """Expected photons and their standard deviation, None where the package states none."""
        stage = denoise(
            Frame(pixels=photons.astype(np.uint16), seq=0),
            calibration=Calibration(),
            network_for=self._network_for,
            size_multiple=self.package.size_multiple,
            shown=lambda _, shown: np.stack([shown, *self._past_of(photons)]),
        )
        return stage.image, stage.uncertainty

    def remember(self, frames: Sequence[HeldOut], structure: str | None) -> None:
        """Expose what came before these frames, where the network looks at it; None: a specimen at rest."""
        count = self.package.past_frames
        self.past = {id(frame.counts): past_of(frame, count, structure) for frame in frames} if count else {}

    def _past_of(self, photons: Image) -> tuple[Image, ...]:
        """Frames before; those of a frame nobody knows have its mean brightness, as of an empty field."""
        count = self.package.past_frames
        known = self.past.get(id(photons))
        rng = np.random.default_rng((int(photons.sum()), 42))
        return known or tuple(
            rng.poisson(photons.mean(), photons.shape).astype(np.float32) for _ in range(count)
        )


def past_of(frame: HeldOut, count: int, structure: str | None) -> tuple[Image, ...]:
    """Counts [y, x] of the same specimen at the same dose, `INTERVAL_S` earlier each, newest first."""
    now = frame.truth + frame.background
    shape = now.shape[0], now.shape[1]
    before = [
        now if structure is None else _expected(structure, frame.seed, shape, index)
        for index in range(count + 1)
    ]
    scale = float(now.sum()) / float(before[0].sum())
    return tuple(
        np.random.default_rng((frame.seed, 43, index)).poisson(expected * scale).astype(np.float32)
        for index, expected in enumerate(before[1:])
    )


@lru_cache(maxsize=64)
def _expected(structure: str, seed: int, shape_yx: tuple[int, int], index: int) -> NDArray[np.float32]:
    """Expected photons [y, x] of a test specimen, `index` intervals before its frame."""
    settings, light, time_s = sample_settings("test", seed, shape_yx, structure)
    signal, background, _ = Scene(settings).expected(time_s - index * INTERVAL_S, light)
    return signal + background


class Remembered:
    """A method whose predictions of given frames are computed once: judged, drawn, and compared again."""

    def __init__(self, method: Denoise) -> None:
        self._method = method
        self._known: dict[int, tuple[Image, tuple[Image, Image | None]]] = {}

    def __call__(self, photons: Image) -> tuple[Image, Image | None]:
        """As the method; the image is kept, so that its place in memory stands for it."""
        if id(photons) not in self._known:
            self._known[id(photons)] = photons, self._method(photons)
        return self._known[id(photons)][1]
