"""Fields that hold structure, faint structure and nothing, with light from out of focus, and what is true."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter

from streamer.simulation import Light, Scene, SceneSettings, foreground_box_sum, sample_settings, sted_fwhm_nm
from streamer.simulation.optics import image_of

Image = NDArray[np.float32]
Split = Literal["train", "test"]

#: Low and high end of what is drawn for each field; tests reach beyond training.
#: empty, faint: shares of the field; gain: brightness of faint structure over that of the rest; wave_um: how
#: far regions reach; glow: light of another layer, over the mean of its image in focus.
RANGES: Mapping[Split, Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        "train": {
            "empty": (0.15, 0.5),
            "faint": (0.2, 0.4),
            "gain": (0.2, 0.5),
            "wave_um": (0.5, 1.2),
            "glow": (0.0, 0.3),
        },
        "test": {
            "empty": (0.1, 0.6),
            "faint": (0.15, 0.4),
            "gain": (0.15, 0.6),
            "wave_um": (0.4, 1.5),
            "glow": (0.0, 0.4),
        },
    }
)
#: Regions of a field.
EMPTY, FAINT, FULL = 0, 1, 2
#: Fluorophores that make structure, over those of a sheet.
LEAST_STAIN = 0.1
#: Share of the fields in which nothing is in focus anywhere.
BARE = 0.12


@dataclass(frozen=True, slots=True, kw_only=True)
class MixedField:
    """One frame of a field with regions, and the truth behind it; images are [y, x].

    Attributes:
        seed: of specimen and photons.
        box_sum: photons that the median foreground box of structure in full brightness expects.
        counts: uint16 detected photons.
        signal: expected photons in focus.
        labels: uint8 true classes, of faint structure, too.
        structure: whether there is structure in focus: a label, or at least `LEAST_STAIN` of the fluorophores
            of a sheet. Sheets and tubules that are half gone lose their label before their light.
        regions: uint8 `EMPTY`, `FAINT` or `FULL`.
        resolution_px: full width at half maximum of the exposure's point spread function, pixels.
    """

    seed: int
    box_sum: float
    counts: NDArray[np.uint16]
    signal: Image
    labels: NDArray[np.uint8]
    structure: NDArray[np.bool_]
    regions: NDArray[np.uint8]
    resolution_px: float


def mixed_field(split: Split, seed: int, size_px: int, box_sum: float, structure: str = "er") -> MixedField:
    """Draw a specimen, dim or empty parts of its field, add the light of a layer out of focus, and expose it.

    Equal seeds of different splits share nothing.
    """
    settings, light, time_s = sample_settings(split, seed, (size_px, size_px), structure)
    settings = replace(settings, cell_radius_um=16.0)  # the empty parts are drawn here
    rng = np.random.default_rng((("train", "test").index(split) + 61, seed))
    drawn = {name: float(rng.uniform(*ends)) for name, ends in RANGES[split].items()}
    regions = _regions(rng, size_px, drawn, settings.pixel_nm)
    signal, background, labels, there = _expected(settings, light, time_s, regions, drawn)
    found = foreground_box_sum(signal + background, np.where(regions == FULL, labels, np.uint8(0)))
    if rng.random() < BARE:  # as bright as before, but for the structure
        regions = np.zeros_like(regions)
        signal, background, labels, there = _expected(settings, light, time_s, regions, drawn)
    dark = settings.dark_counts_per_s * 1e-6 * light.exposure_us
    scale = 0.0 if np.isnan(found) else max(box_sum - 100 * dark, 0.0) / found
    mean = (signal + background).astype(np.float64) * scale + dark
    return MixedField(
        seed=seed,
        box_sum=box_sum,
        counts=rng.poisson(mean).astype(np.uint16),
        signal=signal * np.float32(scale),
        labels=labels,
        structure=there,
        regions=regions,
        resolution_px=sted_fwhm_nm(settings, light.depletion_mw) / settings.pixel_nm,
    )


def hallucinated(
    drawn: NDArray[np.uint8], structure: NDArray[np.bool_], resolution_px: float
) -> NDArray[np.bool_]:
    """[y, x] drawn pixels (`drawn` not 0) that lie more than a resolution length from any true structure.

    `structure`: [y, x] where it is. Distances are those of pixel centres. Where there is none, all that is
    drawn is hallucinated.
    """
    if not structure.any():
        return np.asarray(drawn != 0)
    far = distance_transform_edt(~structure) > resolution_px
    return np.asarray((drawn != 0) & far)


def _regions(
    rng: np.random.Generator, size_px: int, drawn: Mapping[str, float], pixel_nm: float
) -> NDArray[np.uint8]:
    """[y, x] regions with winding borders, of the shares that were drawn."""
    wave_px = drawn["wave_um"] * 1e3 / pixel_nm
    height = gaussian_filter(rng.standard_normal((size_px, size_px)), wave_px, mode="nearest")
    empty, faint = np.quantile(height, [drawn["empty"], drawn["empty"] + drawn["faint"]])
    regions: NDArray[np.uint8] = (height > empty).astype(np.uint8) + (height > faint).astype(np.uint8)
    return regions


def _expected(
    settings: SceneSettings,
    light: Light,
    time_s: float,
    regions: NDArray[np.uint8],
    drawn: Mapping[str, float],
) -> tuple[Image, Image, NDArray[np.uint8], NDArray[np.bool_]]:
    """Light in focus and out of it, in one unit, the true classes, and where there is structure."""
    scene = Scene(settings)
    emitters, labels = scene.emitters(time_s)
    gain = _beyond(np.array([0.0, drawn["gain"], 1.0], np.float32)[regions], scene, emitters.shape)
    signal, background = image_of(emitters * gain, settings, light.depletion_mw, 0.0)
    above = Scene(replace(settings, seed=settings.seed + 1, structure=None))
    glow = replace(settings, out_of_focus=drawn["glow"], haze=0.0)
    background = background + image_of(above.emitters(time_s)[0], glow, light.depletion_mw, 0.0)[1]
    sheet = 2.0 * settings.labels_per_um2 * (settings.pixel_nm / 1e3) ** 2  # fluorophores per pixel
    structure = (gain > 0) & ((labels != 0) | (emitters >= LEAST_STAIN * sheet))
    labels = np.where(gain > 0, labels, np.uint8(0))
    return scene.crop(signal), scene.crop(background), scene.crop(labels), scene.crop(structure)


def _beyond(gain: Image, scene: Scene, shape: tuple[int, ...]) -> Image:
    """The field's gain on the padded field, continued beyond its borders."""
    inside = np.zeros(shape, np.bool_)
    scene.crop(inside)[:] = True
    corner = [int(inside.any(axis=1 - axis).argmax()) for axis in (0, 1)]
    pads = [(at, padded - at - own) for at, padded, own in zip(corner, shape, gain.shape, strict=True)]
    return np.pad(gain, pads, mode="edge")
