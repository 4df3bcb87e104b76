"""Whether an engine gives what its package's test tensors promise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.engines.key import Engine, Precision
from streamer.errors import PackageError
from streamer.package import ModelPackage, Tensor, apply_steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far an engine strayed from the package's test output, and how far it may.

    Attributes:
        channels: `relative_rms` of each quantity of the output, by the name of its channel.
        tolerance: the most that any of them may be.
        max_error: largest absolute difference, in units of the output.
    """

    channels: Mapping[str, float]
    tolerance: float
    max_error: float

    @property
    def relative_rms(self) -> float:
        """That of the worst channel; NaN if any is."""
        return float(np.max(list(self.channels.values())))

    @property
    def holds(self) -> bool:
        """Within tolerance; an output that is not a number is not."""
        return self.relative_rms <= self.tolerance

    @property
    def words(self) -> str:
        """How far, in words: one number, or one for each of several channels."""
        if len(self.channels) == 1:
            return f"{self.relative_rms:.2g}"
        return ", ".join(f"{rms:.2g} ({name})" for name, rms in self.channels.items())


def relative_rms(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Root mean square of the difference over that of what was expected; NaN for another shape."""
    if found.shape != expected.shape:
        return float("nan")
    reference = float(np.linalg.norm(expected.ravel().astype(np.float64)))
    difference = float(np.linalg.norm((found.astype(np.float64) - expected).ravel()))
    return difference / reference if reference else difference


def agreement(package: ModelPackage, engine: Engine) -> Agreement:
    """Run the test input through `engine` (compiled for its shape) and the package's own steps.

    Raises:
        PackageError: the test output has another number of channels than the description names.
    """
    source, target = package.description.inputs[0], package.description.outputs[0]
    prepared = apply_steps(source.preprocessing, package.test_input(), source.axis_names)
    output = apply_steps(target.postprocessing, engine(prepared), target.axis_names)
    expected = package.test_output()
    alike = output.shape == expected.shape
    return Agreement(
        channels=_by_channel(package, output, expected),
        tolerance=tolerance(package, engine.key.precision),
        max_error=float(np.max(np.abs(output - expected))) if alike else float("nan"),
    )


def require_channels(package: ModelPackage, tensor: Tensor, shape: tuple[int, ...]) -> None:
    """Refuse a test tensor with another number of channels than its description names.

    Raises:
        PackageError: so it is.
    """
    named = tensor.channel_names
    if named and shape[1:2] != (len(named),):
        raise PackageError(
            f"{package.id}/{tensor.test_tensor.source}: has shape {list(shape)}, but {tensor.id} names "
            f"{len(named)} channels ({', '.join(named)}); export the package again"
        )


def tolerance(package: ModelPackage, precision: Precision) -> float:
    """How far an engine of that precision may stray, as the package says."""
    return package.config.tolerance.of(precision)


def _by_channel(
    package: ModelPackage, found: NDArray[np.float32], expected: NDArray[np.float32]
) -> Mapping[str, float]:
    """Each channel against its own scale: errors of a small one would not show beside a large one's."""
    target = package.description.outputs[0]
    require_channels(package, target, expected.shape)
    if found.shape != expected.shape or expected.ndim != 4:
        return {target.id: relative_rms(found, expected)}
    named = target.channel_names
    names = named if len(set(named)) == expected.shape[1] else tuple(map(str, range(expected.shape[1])))
    return {name: relative_rms(found[:, c], expected[:, c]) for c, name in enumerate(names)}
