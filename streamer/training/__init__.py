"""Training on simulated specimens: fields with fresh noise, the loop, the judgement, the package it leaves.

A `Recipe` holds every setting; it is stored in the package, whose model card tells how to do it again.
"""

from streamer.training.curve import History
from streamer.training.describe import Trained
from streamer.training.evaluate import judge_denoiser, judge_segmenter, low_dose_exposures
from streamer.training.export import export_package, load_network
from streamer.training.fields import Batch, Field, draw_batch, make_field, make_fields
from streamer.training.loop import Progress, Rhythm, fit
from streamer.training.recipe import ARCHITECTURES, CLASSES, Kind, Recipe
from streamer.training.tasks import denoiser_task, segmenter_task

__all__ = [
    "ARCHITECTURES",
    "CLASSES",
    "Batch",
    "Field",
    "History",
    "Kind",
    "Progress",
    "Recipe",
    "Rhythm",
    "Trained",
    "denoiser_task",
    "draw_batch",
    "export_package",
    "fit",
    "judge_denoiser",
    "judge_segmenter",
    "load_network",
    "low_dose_exposures",
    "make_field",
    "make_fields",
    "segmenter_task",
]
