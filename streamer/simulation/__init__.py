"""A simulated low-dose STED microscope: specimen, optics, photons, bleaching and detector, with ground truth.

Pure physics on numpy and scipy. `Scene` exposes frames; `sample_settings` draws specimens for training and
tests.
"""

from __future__ import annotations

from streamer.simulation.bleaching import bleaching_for, frame_dose_uw_us, survival_at
from streamer.simulation.detector import camera_grey_levels, count_photons
from streamer.simulation.optics import sted_fwhm_nm
from streamer.simulation.sampling import sample_settings
from streamer.simulation.scene import Exposure, Scene
from streamer.simulation.settings import LOW_DOSE, REFERENCE_DOSE, Light, SceneSettings

__all__ = [
    "LOW_DOSE",
    "REFERENCE_DOSE",
    "Exposure",
    "Light",
    "Scene",
    "SceneSettings",
    "bleaching_for",
    "camera_grey_levels",
    "count_photons",
    "frame_dose_uw_us",
    "sample_settings",
    "sted_fwhm_nm",
    "survival_at",
]
