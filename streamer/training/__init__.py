"""Training: examples of every kind, the loop, the judgement, and the package it leaves.

A `Recipe` holds every setting; it is stored in the package, whose model card tells how to do it again.
"""

from streamer.training.describe import DataStory, Trained
from streamer.training.evaluate import judge_denoiser, judge_segmenter, low_dose_exposures
from streamer.training.examples import Batch, Examples
from streamer.training.export import export_package, load_network
from streamer.training.fields import Field, draw_batch, make_field, make_fields
from streamer.training.history import History, Progress
from streamer.training.loop import Rhythm, fit
from streamer.training.losses import batch_loss
from streamer.training.recipe import ARCHITECTURES, CLASSES, Kind, Recipe, denoiser_architecture
from streamer.training.tasks import SegmenterExamples, SimulatedExamples

__all__ = [
    "ARCHITECTURES",
    "CLASSES",
    "Batch",
    "DataStory",
    "Examples",
    "Field",
    "History",
    "Kind",
    "Progress",
    "Recipe",
    "Rhythm",
    "SegmenterExamples",
    "SimulatedExamples",
    "Trained",
    "batch_loss",
    "denoiser_architecture",
    "draw_batch",
    "export_package",
    "fit",
    "judge_denoiser",
    "judge_segmenter",
    "load_network",
    "low_dose_exposures",
    "make_field",
    "make_fields",
]
