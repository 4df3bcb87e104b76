"""A model package, compiled for every frame shape it meets."""

from __future__ import annotations

from typing import Literal

from streamer.engines import Engine, Precision, compile_engine
from streamer.package import ModelPackage


class Compiled:
    """The engines of one package by shape: compiled on first need, kept for the run.

    Args:
        package: the model.
        engine, precision, threads: as in `streamer.engines.compile_engine`.
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

    def __call__(self, shape_yx: tuple[int, int]) -> Engine:
        """The engine for `shape_yx`."""
        if shape_yx not in self._by_shape:
            self._by_shape[shape_yx] = compile_engine(
                self.package,
                shape_yx,
                engine=self._engine,
                precision=self._precision,
                threads=self._threads,
            )
        return self._by_shape[shape_yx]

    @property
    def keys(self) -> list[dict[str, object]]:
        """Keys of the engines compiled so far, for the record."""
        return [dict(engine.key.to_dict()) for engine in self._by_shape.values()]
