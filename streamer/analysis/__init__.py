"""Judging predictions where the truth is known: held-out specimens, reports with intervals, comparisons."""

from streamer.analysis.held_out import REFERENCE_RATIO, TEST_FRAMES, TEST_SEED, HeldOut, held_out, laid_out
from streamer.analysis.judge import Denoise, compare, judge, judge_images
from streamer.analysis.measures import MEASURES, compare_all
from streamer.analysis.stacks import held_out_stacks

__all__ = [
    "MEASURES",
    "REFERENCE_RATIO",
    "TEST_FRAMES",
    "TEST_SEED",
    "Denoise",
    "HeldOut",
    "compare",
    "compare_all",
    "held_out",
    "held_out_stacks",
    "judge",
    "judge_images",
    "laid_out",
]
