"""A model package, compiled for every frame shape it meets."""

from __future__ import annotations

import logging
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from streamer.engines import Choice, Engine, EngineKey, Precision, choose, keep_buffers
from streamer.errors import EngineError, MemoryShortError
from streamer.package import ModelPackage, apply_steps

_LOG = logging.getLogger(__name__)


class Compiled:
    """The engines of one package by shape: compiled on first need, kept for the run.

    Engine and precision are chosen at the first shape and stay, so that all frames of a run are computed
    alike; only where that engine cannot take another shape is there another choice.

    Args:
        package: the model.
        engine, precision, threads: as in `streamer.engines.choose`.
    """

    def __init__(
        self,
        package: ModelPackage,
        *,
        engine: str = "auto",
        precision: Precision | Literal["auto"] = "auto",
        threads: int | None = None,
    ) -> None:
        self.package = package
        self._engine, self._precision, self._threads = engine, precision, threads
        self._by_shape: dict[tuple[int, int], Engine] = {}
        self._chosen: Choice | None = None

    def __call__(self, shape_yx: tuple[int, int]) -> Engine:
        """The engine for `shape_yx`, with the package's own steps before and after it."""
        if shape_yx not in self._by_shape:
            engine = self._compile(shape_yx)
            described = self.package.description
            steps = described.inputs[0].preprocessing or described.outputs[0].postprocessing
            self._by_shape[shape_yx] = WithSteps(self.package, engine) if steps else engine
        return self._by_shape[shape_yx]

    @property
    def words(self) -> str:
        """Which engine computes it and why, in one line; empty until it is compiled."""
        return f"{self.package.id}: {self._chosen.words}" if self._chosen else ""

    @property
    def keys(self) -> list[dict[str, object]]:
        """Keys of the engines compiled so far, for the record."""
        return [dict(engine.key.to_dict()) for engine in self._by_shape.values()]

    def _compile(self, shape_yx: tuple[int, int]) -> Engine:
        if self._chosen is not None:
            key = self._chosen.engine.key
            try:
                return choose(
                    self.package,
                    shape_yx,
                    engine=key.runtime,
                    precision=key.precision,
                    threads=self._threads,
                ).engine
            except EngineError as error:
                if isinstance(error, MemoryShortError) and self.package.config.reach_px is not None:
                    raise  # whoever cuts frames into tiles makes them smaller
                _LOG.warning("%s; another engine is chosen for frames of %s", error, list(shape_yx))
        self._chosen = choose(
            self.package, shape_yx, engine=self._engine, precision=self._precision, threads=self._threads
        )
        if self._chosen.engine.key.runtime == "torch":
            keep_buffers()  # whoever has a `Compiled` is a process of ours, never the microscope's
        return self._chosen.engine


class WithSteps:
    """An engine between the pre- and postprocessing of its package."""

    def __init__(self, package: ModelPackage, engine: Engine) -> None:
        self._input, self._output = package.description.inputs[0], package.description.outputs[0]
        self._engine = engine

    @property
    def key(self) -> EngineKey:
        """That of the engine: the steps follow from the package."""
        return self._engine.key

    def __call__(self, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        """[1, c, y, x] to a new [1, k, y, x]."""
        prepared = apply_steps(self._input.preprocessing, tensor, self._input.axis_names)
        return apply_steps(self._output.postprocessing, self._engine(prepared), self._output.axis_names)
