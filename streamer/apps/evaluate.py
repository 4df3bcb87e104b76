"""Judge model packages, or any method's predictions, where the truth is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from streamer.analysis.tables import write_tables
from streamer.apps.evaluate_options import EvaluateOptions, require_one_kind_of_input
from streamer.apps.evaluate_recorded import of_images, of_pairs
from streamer.apps.evaluate_simulated import of_specimens

__all__ = ["EvaluateOptions", "evaluate"]

Tick = Callable[[str, int, int], None]


def evaluate(options: EvaluateOptions, tick: Tick = lambda *_: None) -> dict[str, Any]:
    """Judge, compare in pairs, and write tables and pictures where a folder is given.

    Returns what evaluation.json holds:
        about: seed, frames, size, and how the networks were run;
        levels: for each structure and level (None: not told, or not simulated), `methods` (name -> report of
            `streamer.analysis.judge`), `comparisons` (first, second, metrics as of `compare_all`), `range`
            (what the range guard says, by model).

    Errors: UsageError, SourceError for input that cannot be judged; PackageError, EngineError for models that
    cannot be run.
    """
    require_one_kind_of_input(options)
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
    if options.predicted is not None and options.truth is not None:
        evaluation = of_images(options, options.predicted, options.truth)
    elif options.pairs is not None:
        evaluation = of_pairs(options, options.pairs, tick)
    else:
        evaluation = of_specimens(options, tick)
    if options.out is not None:
        write_tables(evaluation, options.out)
    return evaluation
