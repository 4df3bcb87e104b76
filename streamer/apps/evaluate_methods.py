"""The methods under judgement, and what is said of them side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

import streamer
from streamer.analysis import Denoise, compare_all
from streamer.apps.evaluate_options import EvaluateOptions
from streamer.apps.evaluated import RangeOpinion, denoise_by, remembered
from streamer.errors import UsageError
from streamer.package import ModelPackage, load_package

Image = NDArray[np.float32]

#: Method that every table holds beside the models: the frame as it is.
RAW = "raw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A method under judgement; the raw frame has no package."""

    name: str
    denoise: Denoise
    package: ModelPackage | None = None


def methods_of(options: EvaluateOptions) -> list[Method]:
    """Raw and every model, under names that differ.

    Raises:
        UsageError: a model denoises several detection channels together.
    """
    packages = [load_package(name).require("denoiser") for name in options.models]
    for package in packages:
        if package.channels > 1:
            raise UsageError(
                f"{package.id}: denoises {package.channels} detection channels together, single images are "
                "judged here; its README says how good it is on each"
            )
    ids = [package.id for package in packages]
    methods = [Method(name=RAW, denoise=remembered(lambda photons, *_: (photons, None)))]
    for index, package in enumerate(packages):
        name = package.id if ids.count(package.id) == 1 else f"{package.id} ({index + 1})"
        methods.append(
            Method(name=name, denoise=remembered(denoise_by(package, **how(options))), package=package)
        )
    return methods


def how(options: EvaluateOptions) -> dict[str, Any]:
    """Arguments of an engine."""
    return {"engine": options.engine, "precision": options.precision, "threads": options.threads}


def level_of(
    options: EvaluateOptions,
    methods: Sequence[Method],
    reports: Mapping[str, Mapping[str, Any]],
    shown: Sequence[tuple[Image, ...]],
    seed: int,
) -> dict[str, Any]:
    """Reports by method, every pair of them compared, and the range guard's opinion on what is `shown`."""
    pairs = [(first, second) for second, first in combinations(reports, 2)]
    opinions = {
        method.name: RangeOpinion(method.package, **how(options)).of(shown, method.denoise)
        for method in methods
        if method.package is not None
    }
    return {
        "methods": dict(reports),
        "comparisons": [
            {"first": a, "second": b, "metrics": compare_all(reports[a], reports[b], seed)} for a, b in pairs
        ],
        "range": opinions,
    }


def versions(options: EvaluateOptions) -> dict[str, Any]:
    """What the numbers depend on: this software, the precision, every file of the models."""
    packages = {name: load_package(name) for name in options.models}
    return {
        "scope-streamer": streamer.__version__,
        "precision": options.precision,
        "models": {package.id: package.hashes() for package in packages.values()},
    }
