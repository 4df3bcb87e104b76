"""Drawing specimens for training, validation and test: other seeds and other ranges for each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from streamer.simulation.settings import LOW_DOSE, Light, SceneSettings

Split = Literal["train", "validation", "test"]

#: Median photon sum of foreground boxes that the default settings give at the low dose (measured over seeds).
DEFAULT_BOX_SUM = 28.0
#: Chance that a field holds no cell.
EMPTY = 0.04

#: Low and high end of each uniform draw. Tests reach beyond training in structure, motion and background.
RANGES: Mapping[Split, Mapping[str, tuple[float, float]]] = MappingProxyType(
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
    split: Split, seed: int, shape_yx: tuple[int, int] = (600, 600)
) -> tuple[SceneSettings, Light, float]:
    """Draw one specimen, the light on it and a time in seconds at which to look.

    Equal seeds of different splits share nothing. Validation draws from training's ranges. Test draws always
    hold a cell and keep Rahm's low-dose light; brightness then sets a median box sum of 20-40. The others
    also vary depletion power, and one field in 25 is empty.
    """
    rng = np.random.default_rng((_STREAMS[split], seed))
    structure: dict[str, Any] = {
        name: float(rng.uniform(*ends))
        for name, ends in RANGES["test" if split == "test" else "train"].items()
    }
    low, high = BOX_SUMS[split]
    box_sum = low * (high / low) ** rng.random()
    depletion_mw = LOW_DOSE.depletion_mw
    if split != "test":
        depletion_mw *= float(rng.uniform(0.6, 1.5))
        structure["cell_radius_um"] = 0.0 if rng.random() < EMPTY else 16.0
    light = Light(
        excitation_uw=LOW_DOSE.excitation_uw,
        depletion_mw=depletion_mw,
        dwell_us=LOW_DOSE.dwell_us,
        line_accumulation=LOW_DOSE.line_accumulation,
    )
    defaults = SceneSettings(seed=0)
    # A narrower PSF collects less: keep the photons where they were drawn.
    volume = (defaults.saturation_mw + depletion_mw) / (defaults.saturation_mw + LOW_DOSE.depletion_mw)
    settings = SceneSettings(
        seed=int(rng.integers(2**62)),
        shape_yx=shape_yx,
        photons_per_uw_us=defaults.photons_per_uw_us * box_sum / DEFAULT_BOX_SUM * volume,
        **structure,
    )
    return settings, light, float(rng.uniform(0.0, 3_600.0))
