"""The search: it climbs, keeps what diverged, goes on after an interruption, and scores as in the paper."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from streamer.errors import PackageError, RunError, UsageError
from streamer.training.recipe import Recipe
from streamer.training.search import PAPER, Metrics, Trial, Trials, narrowed, search

BASE = Recipe(steps=20, patch_px=192, batch=4, learning_rate=3e-5)


def train_once(recipe: Recipe) -> Metrics:
    """A training that likes a learning rate of 1e-4 and the published loss, and diverges at high rates."""
    if recipe.learning_rate > 4e-4:
        raise RunError(f"training: loss = {1e9 * recipe.learning_rate:g} at step 3 (limit 1000)")
    skill = (recipe.loss == "rms-edge") - abs(math.log10(recipe.learning_rate / 1e-4)) - recipe.l2
    return Metrics(ssim=0.8 + skill / 10, mae=2.0 - skill / 10, resolution_nm=100.0 - skill)


def run(folder: Path, trials: int = 14, seed: int = 1, base: Recipe = BASE) -> Trials:
    return search(train_once, base, trials, folder, seed, lambda _: None)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Trials:
    return run(tmp_path_factory.mktemp("search"), trials=30)


def test_the_first_run_is_the_base_itself(done: Trials) -> None:
    assert done.runs[0].options == {}
    assert done.runs[0].metrics == train_once(BASE)


def test_every_setting_comes_from_the_space(done: Trials) -> None:
    for trial in done.runs[1:]:
        recipe = replace(BASE, **trial.options)
        assert 1e-5 <= recipe.learning_rate <= 1e-3
        for alternatives in PAPER.values():
            fits = [all(getattr(recipe, k) == v for k, v in each.items()) for each in alternatives]
            assert sum(fits) == 1


def test_runs_that_diverge_stay_in_the_table_and_are_the_worst(done: Trials) -> None:
    lost = [trial for trial in done.runs if trial.metrics is None]
    assert lost
    assert all("limit 1000" in trial.problem for trial in lost)
    assert {total for trial, total in done.ranked() if trial.metrics is None} == {0.0}
    assert [trial for trial, _ in done.ranked()][-len(lost) :] == lost
    assert len(done.best(99)) == len(done.runs) - len(lost)


def test_it_learns_from_the_runs(done: Trials) -> None:
    """Behind the random runs the sampler goes where the total score is high; by chance it is near 0.5."""

    def mean(runs: tuple[Trial, ...]) -> float:
        chosen = {trial.number for trial in runs}
        totals = [t for trial, t in zip(done.runs, done.totals(), strict=True) if trial.number in chosen]
        return sum(totals) / len(totals)

    assert mean(done.runs[20:]) > mean(done.runs[:10]) + 0.1
    assert done.best(1)[0].loss == "rms-edge"


def test_equal_seeds_search_alike_and_others_do_not(tmp_path: Path) -> None:
    first, again, other = (run(tmp_path / name, 4, seed) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert first == again
    assert first.runs[1].options != other.runs[1].options


def test_a_search_that_was_interrupted_ends_as_if_it_was_not(tmp_path: Path) -> None:
    calls: list[Recipe] = []

    def pull_the_plug(recipe: Recipe) -> Metrics:
        calls.append(recipe)
        if len(calls) == 13:
            raise KeyboardInterrupt
        return train_once(recipe)

    with pytest.raises(KeyboardInterrupt):
        search(pull_the_plug, BASE, 14, tmp_path / "cut", 1, lambda _: None)
    stored = json.loads((tmp_path / "cut" / "search.json").read_text())
    assert len(stored["runs"]) == 12
    assert run(tmp_path / "cut") == run(tmp_path / "whole")


def test_a_finished_search_runs_nothing_again(tmp_path: Path) -> None:
    first = run(tmp_path, 3)
    assert search(lambda _: pytest.fail("ran again"), BASE, 3, tmp_path, 1, lambda _: None) == first


@pytest.mark.parametrize(
    ("base", "seed", "words"),
    [
        (BASE, 2, "search seed = 1, now it is 2; repeat the options, or delete"),
        (replace(BASE, steps=30), 1, "steps = 20, now it is 30; repeat the options, or delete"),
    ],
    ids=["seed", "base"],
)
def test_a_table_of_another_search_is_refused(tmp_path: Path, base: Recipe, seed: int, words: str) -> None:
    run(tmp_path, 1)
    with pytest.raises(UsageError, match=words):
        run(tmp_path, 2, seed, base)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"seed": 1, "base": 3, "runs": []}'])
def test_a_damaged_table_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "search.json").write_text(text)
    with pytest.raises(UsageError, match=r"search\.json: is no table of a search; delete it"):
        run(tmp_path, 1)


def test_what_is_no_divergence_ends_the_search(tmp_path: Path) -> None:
    def broken(recipe: Recipe) -> Metrics:
        raise PackageError("er-denoise: cannot be read")

    with pytest.raises(PackageError):
        search(broken, BASE, 3, tmp_path, 1, lambda _: None)


def test_the_total_score_is_the_mean_of_the_metrics_scaled_over_all_runs() -> None:
    found = [
        Metrics(ssim=0.9, mae=1.0, resolution_nm=80.0),
        Metrics(ssim=0.5, mae=3.0, resolution_nm=100.0),
        Metrics(ssim=0.8, mae=2.0, resolution_nm=95.0),
        None,
        Metrics(ssim=0.9, mae=1.0, resolution_nm=math.nan),
    ]
    runs = tuple(Trial(number=n, options={}, metrics=metrics) for n, metrics in enumerate(found))
    totals = Trials(base=BASE, seed=1, runs=runs).totals()
    assert totals == pytest.approx((1.0, 0.0, (0.75 + 0.5 + 0.25) / 3, 0.0, 2 / 3))


def test_patches_of_another_size_show_about_as_many_pixels(done: Trials) -> None:
    for trial in done.runs[1:]:
        recipe = replace(BASE, **trial.options)
        assert recipe.batch == max(1, round(4 * 192**2 / recipe.patch_px**2))


def test_a_space_can_be_narrowed_down_to_what_fits() -> None:
    space = narrowed(PAPER, lambda options: options.get("patch_px", 0) < 100 and options.get("loss") != "mae")
    assert "patch_px" not in space
    assert [each["loss"] for each in space["loss"]] == ["rms-edge", "mse", "poisson"]
    assert space["clip"] == PAPER["clip"]


def test_the_file_and_the_terminal_show_every_run(tmp_path: Path) -> None:
    def no_resolution(recipe: Recipe) -> Metrics:
        return replace(train_once(recipe), resolution_nm=math.nan)

    seen: list[int] = []
    trials = search(no_resolution, BASE, 12, tmp_path, 1, lambda now: seen.append(len(now.runs)))
    assert seen == list(range(1, 13))
    stored = json.loads((tmp_path / "search.json").read_text())
    assert stored == json.loads(json.dumps(trials.to_dict()))
    assert stored["runs"][0]["metrics"]["resolution_nm"] is None
    assert [each["total"] for each in stored["runs"]] == list(trials.totals())
    assert any(each["diverged"] and each["problem"] for each in stored["runs"])
    out = io.StringIO()
    Console(file=out, width=200).print(trials.table())
    assert len(out.getvalue().splitlines()) == 1 + 12
    assert out.getvalue().count("diverged") == sum(each["diverged"] for each in stored["runs"])
