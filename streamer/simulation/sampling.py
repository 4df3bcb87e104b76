"""Drawing specimens for training, validation and test: other seeds and other ranges for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from streamer.errors import UsageError
from streamer.simulation.brightness import at_box_sum
from streamer.simulation.settings import LOW_DOSE, Light, SceneSettings, Structure
from streamer.simulation.structures import actin_rings, microtubules, mitochondria, puncta

Split = Literal["train", "validation", "test"]
Ranges = Mapping[str, Mapping[str, tuple[float, float]]]

#: What can be drawn; a structure's place in this row is part of its seeds.
STRUCTURES = ("er", "microtubules", "mitochondria", "actin-rings", "puncta")
_GROWN: Mapping[str, tuple[Callable[..., Structure], Ranges]] = MappingProxyType(
    {
        "microtubules": (microtubules.Microtubules, microtubules.RANGES),
        "mitochondria": (mitochondria.Mitochondria, mitochondria.RANGES),
        "actin-rings": (actin_rings.ActinRings, actin_rings.RANGES),
        "puncta": (puncta.Puncta, puncta.RANGES),
    }
)
#: Ranges that other structures share with the ER.
_SHARED = ("cell_offset_um", "out_of_focus", "haze")
#: Of the mitochondria drawn, those stained in the outer membrane.
OUTER = 0.4

#: Median photon sum of foreground boxes that the default settings give at the low dose (measured over seeds).
DEFAULT_BOX_SUM = 28.0
#: Chance that a field holds no cell.
EMPTY = 0.04

#: Low and high end of each uniform draw. Tests reach beyond training in structure, motion and background.
RANGES: Ranges = MappingProxyType(
    {
        "train": {
            "mesh_um": (0.65, 1.6),
            "tubule_nm": (65.0, 105.0),
            "tubule_spread": (0.05, 0.2),
            "missing_fraction": (0.03, 0.3),
            "dynamic_fraction": (0.05, 0.3),
            "sheet_fraction": (0.0, 0.4),
            "fenestration": (0.0, 0.15),
            "curvature_nm": (20.0, 90.0),
            "rearrangement_nm_per_s": (5.0, 40.0),
            "cell_offset_um": (3.0, 18.0),
            "out_of_focus": (0.03, 0.25),
            "haze": (0.01, 0.08),
        },
        "test": {
            "mesh_um": (0.6, 1.8),
            "tubule_nm": (60.0, 110.0),
            "tubule_spread": (0.05, 0.22),
            "missing_fraction": (0.02, 0.33),
            "dynamic_fraction": (0.05, 0.35),
            "sheet_fraction": (0.02, 0.45),
            "fenestration": (0.0, 0.18),
            "curvature_nm": (15.0, 100.0),
            "rearrangement_nm_per_s": (5.0, 50.0),
            "cell_offset_um": (4.0, 14.0),
            "out_of_focus": (0.03, 0.28),
            "haze": (0.01, 0.09),
        },
    }
)
#: Median box sums aimed at (drawn log-uniformly): training sees healthy x2 down to nearly gone.
BOX_SUMS: Mapping[Split, tuple[float, float]] = MappingProxyType(
    {"train": (2.0, 80.0), "validation": (2.0, 80.0), "test": (24.5, 33.0)}
)
_STREAMS: Mapping[Split, int] = MappingProxyType({"train": 11, "validation": 12, "test": 13})


def sample_settings(
    split: Split, seed: int, shape_yx: tuple[int, int] = (600, 600), structure: str = "er"
) -> tuple[SceneSettings, Light, float]:
    """Draw one specimen, the light on it and a time in seconds at which to look.

    Equal seeds of different splits or structures share nothing. Validation draws from training's ranges. Test
    draws always hold a cell and keep Rahm's low-dose light; brightness then sets a median box sum of 20-40
    (ER), or of 24.5-33 exactly as drawn (other structures, by `foreground_box_sum`, which takes a rendering).
    The others also vary depletion power, and one field in 25 is empty.

    Errors: UsageError for an unknown structure.
    """
    if structure not in STRUCTURES:
        raise UsageError(f"structure = {structure!r}; use one of {', '.join(STRUCTURES)}")
    if structure == "er":
        return _sample_er(split, seed, shape_yx)
    rng = np.random.default_rng((_STREAMS[split] + 100 * STRUCTURES.index(structure), seed))
    build, _ = _GROWN[structure]
    drawn: dict[str, Any] = {
        name: float(rng.uniform(*ends)) for name, ends in ranges_of(structure, split).items()
    }
    own = {name: drawn.pop(name) for name in tuple(drawn) if name not in SceneSettings.__slots__}
    if structure == "mitochondria":
        own["stain"] = "outer" if rng.random() < OUTER else "inner"
    box_sum = _draw_box_sum(split, rng)
    light, drawn["cell_radius_um"] = _draw_light(split, rng)
    settings = SceneSettings(
        seed=int(rng.integers(2**62)), shape_yx=shape_yx, structure=build(**own), **drawn
    )
    time_s = float(rng.uniform(0.0, 3_600.0))
    return at_box_sum(settings, light, time_s, box_sum), light, time_s


def ranges_of(structure: str, split: Split) -> Mapping[str, tuple[float, float]]:
    """Low and high end of each uniform draw of a structure; validation draws from training's."""
    chosen = "test" if split == "test" else "train"
    if structure == "er":
        return RANGES[chosen]
    _, ranges = _GROWN[structure]
    return {**ranges[chosen], **{name: RANGES[chosen][name] for name in _SHARED}}


def _sample_er(split: Split, seed: int, shape_yx: tuple[int, int]) -> tuple[SceneSettings, Light, float]:
    """Shipped models state these draws' seeds: the order of the draws must stay."""
    rng = np.random.default_rng((_STREAMS[split], seed))
    drawn: dict[str, Any] = {name: float(rng.uniform(*ends)) for name, ends in ranges_of("er", split).items()}
    box_sum = _draw_box_sum(split, rng)
    light, drawn["cell_radius_um"] = _draw_light(split, rng)
    defaults = SceneSettings(seed=0)
    # A narrower PSF collects less: keep the photons where they were drawn.
    volume = (defaults.saturation_mw + light.depletion_mw) / (defaults.saturation_mw + LOW_DOSE.depletion_mw)
    settings = SceneSettings(
        seed=int(rng.integers(2**62)),
        shape_yx=shape_yx,
        photons_per_uw_us=defaults.photons_per_uw_us * box_sum / DEFAULT_BOX_SUM * volume,
        **drawn,
    )
    return settings, light, float(rng.uniform(0.0, 3_600.0))


def _draw_box_sum(split: Split, rng: np.random.Generator) -> float:
    low, high = BOX_SUMS[split]
    return float(low * (high / low) ** rng.random())


def _draw_light(split: Split, rng: np.random.Generator) -> tuple[Light, float]:
    """The light, and the radius of the cell; the test split draws neither."""
    if split == "test":
        return LOW_DOSE, 16.0
    depletion_mw = LOW_DOSE.depletion_mw * float(rng.uniform(0.6, 1.5))
    return replace(LOW_DOSE, depletion_mw=depletion_mw), 0.0 if rng.random() < EMPTY else 16.0
