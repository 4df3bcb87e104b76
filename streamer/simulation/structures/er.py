"""The endoplasmic reticulum: membranes of a network of tubules and sheets, 60-100 nm wide in live STED."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from streamer.metrics.compiled import compiled
from streamer.simulation import render
from streamer.simulation.canvas import Canvas, Emitters, Labels, Points
from streamer.simulation.network import Network, Tubules
from streamer.simulation.settings import SceneSettings

#: Length over which the sheets' texture repeats, in pixels.
TEXTURE_PX = 512


class Reticulum:
    """Membranes of one cell's ER; labels 1 tubule, 2 sheet."""

    def __init__(self, settings: SceneSettings) -> None:
        self._settings = settings
        self._network = Network(settings)
        self._texture = _sheet_texture(settings)

    def maps(self, canvas: Canvas, time_s: float) -> tuple[Emitters, Labels]:
        """As `streamer.simulation.canvas.Specimen` says."""

        def to_pixels(points: Points) -> Points:
            return canvas.to_pixels(self._network.cell.warp(points, time_s))

        tubules, sheets = self._network.at(time_s)
        tubules = self._in_view(tubules, canvas, time_s)
        membrane, in_tubule = render.tubule_maps(tubules, to_pixels, canvas.pixel_um, canvas.shape_yx)
        cover = render.sheet_map(sheets, to_pixels, canvas.pixel_um, canvas.shape_yx)
        per_pixel = np.float32(self._settings.labels_per_um2 * canvas.pixel_um**2)
        first = self._texture_place(time_s)
        labels = in_tubule * np.uint8(render.TUBULE)
        labels[cover > 0.5] = render.SHEET
        return _emitters(membrane, cover, self._texture, first, per_pixel), labels

    def _in_view(self, tubules: Tubules, canvas: Canvas, time_s: float) -> Tubules:
        """Those that may reach onto the padded field; half of the network lies beyond it."""
        cell = self._network.cell
        reach = cell.bent_um + tubules.radius_um.max(initial=0.0) + canvas.pixel_um
        corner = -canvas.corner_px * canvas.pixel_um - cell.drift_um(time_s)
        opposite = corner + np.array(canvas.shape_yx) * canvas.pixel_um
        low, high = np.minimum(tubules.start, tubules.end), np.maximum(tubules.start, tubules.end)
        return tubules.only(((high > corner - reach) & (low < opposite + reach)).all(axis=1))

    def _texture_place(self, time_s: float) -> tuple[int, int]:
        """Row and column of the sheets' texture on the padded field's first pixel."""
        settings = self._settings
        shift_um = self._network.cell.drift_um(time_s) + settings.rearrangement_nm_per_s * 1e-3 * np.sin(
            0.2 * time_s + np.array([0.0, 1.0])
        )
        row, column = (-round(shift) % TEXTURE_PX for shift in shift_um * 1000 / settings.pixel_nm)
        return row, column


@compiled
def _emitters(
    membrane: Emitters, cover: Emitters, texture: Emitters, first: tuple[int, int], per_pixel: np.float32
) -> Emitters:
    """[y, x] fluorophores of tubules and of sheets, which are two membranes, seen from above."""
    height, width = membrane.shape
    emitters = np.empty((height, width), np.float32)
    for row in range(height):
        folds = texture[(first[0] + row) % TEXTURE_PX]
        for column in range(width):
            sheets = np.float32(2.0) * cover[row, column] * folds[(first[1] + column) % TEXTURE_PX]
            emitters[row, column] = (membrane[row, column] + sheets) * per_pixel
    return emitters


def _sheet_texture(settings: SceneSettings) -> NDArray[np.float32]:
    """Relative membrane density of sheets, repeating: gentle folds of about 0.5 um, holes of about 0.1 um.

    Holes: Schroeder et al., J. Cell Biol. 218, 83 (2019) saw nanoholes in peripheral sheets by live STED.
    Their pixels stay labelled as sheet.
    """
    rng = np.random.default_rng((settings.seed, 3))
    folds = 1.0 + 0.15 * _smooth_noise(rng, 250.0 / settings.pixel_nm)
    holes = _smooth_noise(rng, 60.0 / settings.pixel_nm)
    edge = np.quantile(holes, 1.0 - settings.fenestration)
    texture: NDArray[np.float32] = np.clip(folds, 0.4, 1.6) * (holes <= edge)
    return texture


def _smooth_noise(rng: np.random.Generator, sigma_px: float) -> NDArray[np.float32]:
    """[TEXTURE_PX, TEXTURE_PX] Gaussian noise of unit variance, blurred and periodic."""
    noise = rng.standard_normal((TEXTURE_PX, TEXTURE_PX), np.float32)
    frequency = np.hypot(fft.fftfreq(TEXTURE_PX)[:, None], fft.rfftfreq(TEXTURE_PX)[None])
    blur = np.exp(-2.0 * (np.pi * sigma_px * frequency) ** 2).astype(np.float32)
    smooth: NDArray[np.float32] = fft.irfft2(fft.rfft2(noise) * blur, noise.shape)
    smooth /= smooth.std()
    return smooth
