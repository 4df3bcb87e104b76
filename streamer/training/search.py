"""A search over training options, scored as in the paper: every run against all the others.

Rahm et al. let short runs compete and rank them by a total score: the mean of SSIM, mean absolute error and
resolution, each scaled 0-1 over all runs. Such a score is no function of one run: each new run may move those
before it. A sampler that is told a score once and for all would learn from numbers that no longer hold. Here
every proposal comes from a fresh optuna study which holds all runs so far with the total scores they have
now, so the sampler (a tree-structured Parzen estimator) always climbs the score that ranks the runs.

Run 0 is the base recipe itself: what the search has to beat. Runs that diverge score 0 and stay in the table.
The table is stored after every run; a search that was interrupted goes on and ends as if it never had been.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from streamer.errors import RunError, UsageError
from streamer.training.recipe import Recipe

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Options = Mapping[str, Any]
#: The alternatives of each option, as settings of a recipe; one of each is drawn.
Space = Mapping[str, Sequence[Options]]

#: The paper's options, and beside them our own defaults: "torch", "norm", and losses that it does not name.
#: Its patches of 200 pixels are 192, which every network can divide; its activations belong to a network.
PAPER: Space = MappingProxyType(
    {
        "initialiser": tuple(
            {"initialiser": name} for name in ("torch", "glorot-uniform", "lecun-uniform", "orthogonal")
        ),
        "clip": (
            {"clip_by": "norm", "clip": 0.5},
            {"clip_by": "value", "clip": 0.1},
            {"clip_by": "value", "clip": 0.01},
            {"clip_by": "value", "clip": 0.001},
        ),
        "l2": ({"l2": 0.0}, {"l2": 0.001}, {"l2": 0.01}),
        "loss": tuple({"loss": name} for name in ("rms-edge", "mae", "mse", "poisson")),
        "patch_px": ({"patch_px": 128}, {"patch_px": 192}, {"patch_px": 256}, {"patch_px": 304}),
    }
)
#: Lowest and highest learning rate, drawn log-uniformly (paper).
LEARNING_RATES = (1e-5, 1e-3)
#: Runs whose options are drawn at random before the sampler learns from them.
RANDOM_RUNS = 10
#: Settings that a search may change, in the order of the table.
SEARCHED = ("initialiser", "clip_by", "clip", "l2", "loss", "learning_rate", "patch_px", "batch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """What a run is ranked by, on validation images; NaN where it cannot be measured (then it is the worst).

    Attributes:
        ssim: structural similarity, higher is better.
        mae: mean absolute error, photons, lower is better.
        resolution_nm: by Fourier ring correlation, lower is better.
    """

    ssim: float
    mae: float
    resolution_nm: float


#: +1 where higher is better, -1 where lower is.
_BETTER = {"ssim": 1.0, "mae": -1.0, "resolution_nm": -1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One run: the settings that differ from the base, and its metrics, or what ended it."""

    number: int
    options: Options
    metrics: Metrics | None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """All runs of a search so far."""

    base: Recipe
    seed: int
    runs: tuple[Trial, ...]

    def totals(self) -> tuple[float, ...]:
        """Total score of each run, 0-1: the mean of the metrics, each scaled over all runs; 0 if diverged."""
        scaled = [_scaled([_signed(run, name) for run in self.runs]) for name in _BETTER]
        return tuple(float(np.mean(values)) for values in zip(*scaled, strict=True))

    def ranked(self) -> tuple[tuple[Trial, float], ...]:
        """Runs and their total scores, the best first, those that diverged last."""
        pairs = zip(self.runs, self.totals(), strict=True)
        return tuple(sorted(pairs, key=lambda pair: (pair[0].metrics is None, -pair[1], pair[0].number)))

    def best(self, count: int) -> tuple[Recipe, ...]:
        """Recipes of the best runs, to be trained to convergence with more steps; none that diverged."""
        finished = [run for run, _ in self.ranked() if run.metrics is not None]
        return tuple(replace(self.base, **run.options) for run in finished[:count])

    def to_dict(self) -> dict[str, Any]:
        """JSON of the search: base, seed, and every run with its settings, metrics and total score."""
        totals = self.totals()
        return {
            "base": _plain(asdict(self.base)),
            "seed": self.seed,
            "runs": [
                {
                    "number": run.number,
                    "options": dict(run.options),
                    "metrics": _plain(asdict(run.metrics)) if run.metrics else None,
                    "diverged": run.metrics is None,
                    "problem": run.problem,
                    "total": total,
                }
                for run, total in zip(self.runs, totals, strict=True)
            ],
        }

    def table(self) -> Table:
        """All runs for the terminal, the best first."""
        table = Table("run", *SEARCHED, "SSIM", "MAE", "nm", "total", box=None, pad_edge=False)
        for run, total in self.ranked():
            recipe = asdict(replace(self.base, **run.options))
            settings = [f"{v:.3g}" if isinstance(v, float) else str(v) for v in map(recipe.get, SEARCHED)]
            found = (
                [f"{v:.4g}" for v in asdict(run.metrics).values()] if run.metrics else ["-"] * len(_BETTER)
            )
            table.add_row(str(run.number), *settings, *found, f"{total:.3f}" if run.metrics else "diverged")
        return table


def search(
    train_once: Callable[[Recipe], Metrics],
    base: Recipe,
    trials: int,
    folder: Path,
    seed: int,
    report: Callable[[Trials], None],
    *,
    space: Space = PAPER,
) -> Trials:
    """Run `trials` short trainings in all and keep their table in `folder`/search.json.

    Args:
        train_once: trains by a recipe, which states few steps, and measures; RunError where it diverges.
        base: recipe of run 0; the others change only what `space` and `LEARNING_RATES` say.
        trials: runs in all, those of an earlier call with the same base, seed and folder included.
        folder: of the table; made where it is missing.
        seed: of the proposals; equal seeds and equal metrics propose the same.
        report: told after every run.
        space: alternatives to draw from.

    Errors: UsageError where the folder holds a search with another base or seed, or a damaged table.
    """
    path = folder / "search.json"
    folder.mkdir(parents=True, exist_ok=True)
    done = _resume(path, Trials(base=base, seed=seed, runs=()))
    while len(done.runs) < trials:
        options = _propose(done, space) if done.runs else {}
        done = replace(done, runs=(*done.runs, _run(train_once, base, len(done.runs), options)))
        _store(path, done)
        report(done)
    return done


def narrowed(space: Space, allowed: Callable[[Options], bool]) -> Space:
    """The alternatives that are allowed; an option that has none left stays as in the base."""
    kept = {name: tuple(filter(allowed, choices)) for name, choices in space.items()}
    return {name: choices for name, choices in kept.items() if choices}


def _run(train_once: Callable[[Recipe], Metrics], base: Recipe, number: int, options: Options) -> Trial:
    """One training; a divergence is a result."""
    try:
        metrics = train_once(replace(base, **options))
    except RunError as error:
        return Trial(number=number, options=options, metrics=None, problem=str(error))
    return Trial(number=number, options=options, metrics=metrics)


def _propose(done: Trials, space: Space) -> Options:
    """Settings for the next run, from a study in which all runs have the total scores they have now."""
    import optuna  # its own import takes a second, which only a search should cost

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    ranges = _ranges(space)
    # Seeded by the number of the run, so that an interrupted search goes on as if it never had been.
    state = np.random.SeedSequence((done.seed, 41, len(done.runs))).generate_state(1)
    sampler = optuna.samplers.TPESampler(seed=int(state[0]), n_startup_trials=RANDOM_RUNS)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for run, total in zip(done.runs, done.totals(), strict=True):
        drawn = _drawn(replace(done.base, **run.options), space)
        if drawn is not None:
            study.add_trial(optuna.create_trial(params=drawn, distributions=ranges, value=total))
    drawn = study.ask(ranges).params
    options: dict[str, Any] = {"learning_rate": float(drawn["learning_rate"])}
    for name, alternatives in space.items():
        options |= alternatives[drawn[name]]
    return options | {"batch": _batch(replace(done.base, **options), done.base)}


def _ranges(space: Space) -> dict[str, BaseDistribution]:
    """What optuna draws: the number of an alternative for each option, and the learning rate."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    low, high = LEARNING_RATES
    ranges: dict[str, BaseDistribution] = {"learning_rate": FloatDistribution(low, high, log=True)}
    return ranges | {name: CategoricalDistribution(range(len(several))) for name, several in space.items()}


def _drawn(recipe: Recipe, space: Space) -> dict[str, Any] | None:
    """What a sampler would have drawn for a recipe; None for one outside the space."""
    drawn: dict[str, Any] = {"learning_rate": recipe.learning_rate}
    for name, alternatives in space.items():
        for index, settings in enumerate(alternatives):
            if all(getattr(recipe, key) == value for key, value in settings.items()):
                drawn[name] = index
    inside = LEARNING_RATES[0] <= recipe.learning_rate <= LEARNING_RATES[1]
    return drawn if inside and len(drawn) == len(space) + 1 else None


def _batch(recipe: Recipe, base: Recipe) -> int:
    """As many patches as show about as many pixels as the base's: the paper's 36 of 128 to 6 of 304 px."""
    return max(1, round(base.batch * (base.patch_px / recipe.patch_px) ** 2))


def _signed(run: Trial, name: str) -> float:
    """A metric such that higher is better; NaN where there is none."""
    return _BETTER[name] * float(getattr(run.metrics, name)) if run.metrics else math.nan


def _scaled(values: Sequence[float]) -> NDArray[np.float64]:
    """0 for the lowest to 1 for the highest; 1 where all are the same, 0 for what is not finite."""
    found = np.array(values)
    finite = np.isfinite(found)
    if not finite.any():
        return np.zeros(len(found))
    low, high = found[finite].min(), found[finite].max()
    share = (found - low) / (high - low) if high > low else np.ones(len(found))
    return np.where(finite, share, 0.0)


def _store(path: Path, done: Trials) -> None:
    """Write the table whole or not at all."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(done.to_dict(), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    partial.replace(path)


def _resume(path: Path, fresh: Trials) -> Trials:
    """The search of the table where there is one."""
    if not path.exists():
        return fresh
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        before, now = ({"search seed": each["seed"]} | each["base"] for each in (told, fresh.to_dict()))
        runs = tuple(_trial(run) for run in told["runs"])
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"{path}: is no table of a search; delete it to start anew") from None
    for name, value in now.items():
        if before.get(name) != value:
            raise UsageError(
                f"{path}: was made with {name} = {before.get(name)}, now it is {value}; "
                "repeat the options, or delete the file to start anew"
            )
    return replace(fresh, runs=runs)


def _trial(run: Mapping[str, Any]) -> Trial:
    """A run of the table."""
    told = run["metrics"]
    metrics = told and Metrics(**{name: math.nan if v is None else v for name, v in told.items()})
    return Trial(number=run["number"], options=run["options"], metrics=metrics, problem=run["problem"])


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON has it: lists for tuples, and nothing for what is not finite."""
    finite = {n: None if isinstance(v, float) and not math.isfinite(v) else v for n, v in values.items()}
    return dict(json.loads(json.dumps(finite)))
