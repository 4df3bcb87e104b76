"""A simulated low-dose STED microscope: specimen, optics, photons, bleaching, detector, and ground truth.

Pure physics on numpy and scipy. `Scene` exposes frames; `sample_settings` draws specimens of any structure
for training and tests; `emitter_map_scene` images a given map; `StackScene` takes z-stacks.
"""

from __future__ import annotations

from streamer.simulation.bleaching import bleaching_for, frame_dose_uw_us, survival_at
from streamer.simulation.brightness import at_box_sum, foreground_box_sum
from streamer.simulation.depth import StackExposure, StackScene
from streamer.simulation.detector import camera_grey_levels, count_photons
from streamer.simulation.emitter_maps import emitter_map_scene
from streamer.simulation.optics import sted_fwhm_nm
from streamer.simulation.sampling import STRUCTURES, sample_settings
from streamer.simulation.scene import Exposure, Scene
from streamer.simulation.settings import LOW_DOSE, REFERENCE_DOSE, Light, SceneSettings

__all__ = [
    "LOW_DOSE",
    "REFERENCE_DOSE",
    "STRUCTURES",
    "Exposure",
    "Light",
    "Scene",
    "SceneSettings",
    "StackExposure",
    "StackScene",
    "at_box_sum",
    "bleaching_for",
    "camera_grey_levels",
    "count_photons",
    "emitter_map_scene",
    "foreground_box_sum",
    "frame_dose_uw_us",
    "sample_settings",
    "sted_fwhm_nm",
    "survival_at",
]
