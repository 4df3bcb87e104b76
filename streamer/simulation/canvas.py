"""What a specimen is drawn on, and what it must be able to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Emitters = NDArray[np.float32]
Labels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """The padded field that the blur needs.

    Attributes:
        shape_yx: pixels of the padded field.
        corner_px: pixels before the field's own first row and column.
        pixel_um: pixel size.
    """

    shape_yx: tuple[int, int]
    corner_px: int
    pixel_um: float

    def to_pixels(self, points_um: Points) -> Points:
        """[n, 2] um from the field's corner to pixels of the padded field; centres stand at whole numbers."""
        pixels: Points = points_um / self.pixel_um + (self.corner_px - 0.5)
        return pixels


class Specimen(Protocol):
    """Something to look at, as a pure function of time."""

    def maps(self, canvas: Canvas, time_s: float) -> tuple[Emitters, Labels]:
        """Fluorophores per pixel, and classes (0 background, from 1 structure), both on the padded field."""
        ...
