"""Whether an engine gives what its package's test tensors promise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.engines.key import Engine, Precision
from streamer.package import ModelPackage, apply_steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far an engine strayed from the package's test output, and how far it may."""

    relative_rms: float
    tolerance: float

    @property
    def holds(self) -> bool:
        """Within tolerance; an output that is not a number is not."""
        return self.relative_rms <= self.tolerance


def relative_rms(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Root mean square of the difference over that of what was expected; NaN for another shape."""
    if found.shape != expected.shape:
        return float("nan")
    reference = float(np.linalg.norm(expected.ravel().astype(np.float64)))
    difference = float(np.linalg.norm((found.astype(np.float64) - expected).ravel()))
    return difference / reference if reference else difference


def agreement(package: ModelPackage, engine: Engine) -> Agreement:
    """Run the test input through `engine` (compiled for its shape) and the package's own steps."""
    source, target = package.description.inputs[0], package.description.outputs[0]
    prepared = apply_steps(source.preprocessing, package.test_input(), source.axis_names)
    output = apply_steps(target.postprocessing, engine(prepared), target.axis_names)
    return Agreement(
        relative_rms=relative_rms(output, package.test_output()),
        tolerance=tolerance(package, engine.key.precision),
    )


def tolerance(package: ModelPackage, precision: Precision) -> float:
    """How far an engine of that precision may stray, as the package says."""
    stated = package.config.tolerance
    return stated.relative_rms_bf16 if precision == "bf16" else stated.relative_rms_f32
