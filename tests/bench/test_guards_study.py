"""The study of the guards: its short form, its shortcut, its bounds and its store."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench.guards import GOALS, cases_of, main, still_to_run, study
from bench.guards_measures import (
    at_least,
    at_most,
    exact,
    first_after,
    median_of,
    oracle_of,
    pooled,
    rate_of,
    statuses,
    stop_of,
    told_apart,
)
from bench.guards_movies import CASES, SMALL_PX, onset_of
from bench.guards_page import put_into
from bench.guards_rules import COLUMN, limit_between, limit_for, with_rules
from bench.guards_runs import BY_PHOTONS, ByPhotons, Statuses, Study
from bench.guards_store import Record, Store, usable
from bench.guards_table import STOPPING
from streamer.core import Frame, Verdict
from streamer.profile import load_profile
from streamer.simulation import foreground_box_sum

PROFILE = load_profile("simulated_sted")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[Record]]]:
    """The short form: its results file, and its records by case."""
    out = tmp_path_factory.mktemp("study") / "guards.json"
    main(out, quick=True)
    records = Store(path=out.with_name("guards_runs.jsonl")).read()
    return out, {name: [one for one in records if one["case"] == name] for name in CASES}


@pytest.mark.parametrize("name", ["gone-shutter", "gone-detector", "gone-background"])
def test_signal_gone_at_once_is_told_within_3_frames_and_stopped_soon(
    quick: tuple[Path, dict[str, list[Record]]], name: str
) -> None:
    for record in quick[1][name]:
        told, stop = first_after(record, STOPPING), stop_of(record, PROFILE)
        assert told is not None
        assert told <= 2
        assert stop is not None
        assert record["onset"] < stop <= record["onset"] + 6


def test_a_dark_run_is_stopped_as_soon_as_it_may_be(quick: tuple[Path, dict[str, list[Record]]]) -> None:
    [record] = quick[1]["all-dark"]
    assert stop_of(record, PROFILE) == PROFILE.policy.minimum_frames


def test_a_healthy_run_is_not_stopped(quick: tuple[Path, dict[str, list[Record]]]) -> None:
    [record] = quick[1]["long-healthy"]
    assert stop_of(record, PROFILE) is None
    assert set(statuses(record, "signal_map")) == {"pass"}


def test_bleaching_is_stopped_near_the_floor(quick: tuple[Path, dict[str, list[Record]]]) -> None:
    [record] = quick[1]["small-fade-once-250"]
    stop = stop_of(record, PROFILE)
    assert stop is not None
    assert stop == pytest.approx(record["life"], rel=0.25)
    assert oracle_of(record) == pytest.approx(record["life"], rel=0.35)


def test_the_results_state_machine_seeds_n_and_that_the_form_is_short(
    quick: tuple[Path, dict[str, list[Record]]],
) -> None:
    results = json.loads(quick[0].read_text(encoding="utf-8"))
    assert results["quick"] is True
    assert results["machine"]["cpu"]
    assert results["seeds"]["first"] > 0
    assert results["false_stops"]["n"] == 1
    assert results["gone_at_once"]["told"]["n"] == 6


def test_the_page_of_the_guards_says_what_the_results_say() -> None:
    results = json.loads((ROOT / "bench/results/guards.json").read_text(encoding="utf-8"))
    text = (ROOT / "docs/guards.md").read_text(encoding="utf-8")
    assert put_into(text, results) == text
    with pytest.raises(ValueError, match="study"):
        put_into("no place for it", results)


def test_a_study_with_all_its_runs_adds_none(quick: tuple[Path, dict[str, list[Record]]]) -> None:
    store = Store(path=quick[0].with_name("guards_runs.jsonl"))
    before = store.path.read_text(encoding="utf-8")
    study(store, quick=True)
    assert store.path.read_text(encoding="utf-8") == before


def test_inference_on_the_first_frames_alone_gives_the_verdicts_of_inference_on_all() -> None:
    judges, case = Study(), replace(CASES["gone-shutter"], size_px=120)
    seed, short, full = 5, Statuses(), Statuses()
    by_photons, stages, words = ByPhotons(judges), judges.stages(), []
    for seq, shot in enumerate(case.show(case, seed, judges.composer.profile)):
        frame = Frame(pixels=shot.counts, seq=seq)
        said = by_photons(frame)
        truly = {one.guard: one for one in stages.judge(stages.segment(stages.denoise(frame)))}
        short.add(seq, said)
        full.add(seq, [truly[name] for name in BY_PHOTONS])
        words += [one == truly[one.guard] for one in said]
    assert all(words)
    assert short.changes == full.changes
    assert short.changes["photons"][-1][1] == "reject"


def record_of(**guards: list[list[object]]) -> Record:
    return {"case": "all-shutter", "seed": 1, "frames": 40, "onset": 25, "guards": guards}


def test_the_policy_decides_about_records_as_in_a_run() -> None:
    gone = record_of(photons=[[0, "pass"], [26, "reject"]], signal_map=[[0, "pass"]])
    assert stop_of(gone, PROFILE) == 28
    assert first_after(gone, STOPPING) == 1
    assert first_after(gone, ["signal_map"]) is None
    assert stop_of(gone, PROFILE, {"signal_map": {"reject": "stop"}}) is None
    early = record_of(photons=[[0, "reject"], [10, "pass"]], signal_map=[[0, "pass"]])
    assert stop_of(early, PROFILE) is None


def movie(similarities: list[float | None], signal_px: int = 500) -> Record:
    samples = {"signal_px": [signal_px] * len(similarities), COLUMN: similarities}
    return {**record_of(photons=[[0, "pass"]]), "frames": len(similarities), "samples": samples}


@pytest.mark.parametrize("dark_is_higher", [False, True])
def test_the_rules_of_the_paper_ask_like_guards(dark_is_higher: bool) -> None:
    """Their network made noise of dark frames; one that leaves them empty makes them all alike."""
    low, high = ([0.5, 0.6], [0.9, 1.0])
    dark, healthy = (high, low) if dark_is_higher else (low, high)
    limit = limit_between(dark, healthy)
    assert limit is not None
    assert limit.value == pytest.approx(0.75)
    assert limit.errors == (0.0, 0.0)
    ruled = with_rules(movie([None, *healthy, *dark]), limit)
    assert statuses(ruled, "rule_similarity") == ["pass"] * 3 + ["reject"] * 2
    assert set(statuses(ruled, "rule_signal")) == {"pass"}
    assert set(statuses(with_rules(movie([None], signal_px=99), limit), "rule_signal")) == {"reject"}


def test_the_limit_of_the_papers_similarity_takes_nothing_from_the_run_that_it_judges() -> None:
    dark, healthy = [movie([None, 0.5]), movie([None, 0.3])], [movie([None, 0.9])]
    found = [limit_for(record, dark, healthy) for record in (*dark, None)]
    assert [round(each.value, 2) for each in found if each] == [0.6, 0.7, 0.7]
    assert limit_for(healthy[0], dark, healthy) is None
    mixed = limit_between([0.1, 0.2, 0.9], [0.3, 0.8, 1.0])
    assert mixed is not None
    assert mixed.errors == (pytest.approx(1 / 3), 0.0)


def test_a_guard_with_several_limits_is_told_apart_by_them() -> None:
    values = {"drift_of_limit": 1.2, "focus_of_limit": 0.4, "drift_px": 3.0}
    verdict = Verdict(guard="scene", status="flag", measured=None, limit=None, meaning="", values=values)
    assert dict(told_apart(verdict)) == {"scene": "flag", "scene: drift": "flag", "scene: focus": "pass"}


@pytest.mark.parametrize(("name", "ratio"), [("fade-haze-800", (1.5, 2.0)), ("fade-camera-800", (0.0, 0.3))])
def test_haze_and_camera_are_as_hard_as_they_say(name: str, ratio: tuple[float, float]) -> None:
    case = replace(CASES[name], size_px=SMALL_PX)
    shot = next(iter(case.show(case, 3, PROFILE)))
    structure = foreground_box_sum(shot.signal, shot.labels)
    haze = foreground_box_sum(shot.expected - shot.signal, shot.labels) / structure
    assert ratio[0] * 0.95 <= haze <= ratio[1] * 1.05
    assert 18 < structure < 36
    noise = case.detector.to_photons(shot.counts) - shot.expected
    assert noise.var() == pytest.approx(shot.expected.mean() + case.detector.read_noise_e**2, rel=0.05)
    assert noise.mean() == pytest.approx(0.0, abs=0.05)


def test_shares_are_told_of_the_frames_of_all_runs_too() -> None:
    assert pooled([0, 10], [100, 900]) == {"n": 2, "share": 0.01}
    many = pooled([0, 10] * 5, [100, 900] * 5)
    assert many["low"] < many["share"] == 0.01 < many["high"]
    assert pooled([], []) == {"n": 0}


def test_the_bounds_are_those_that_the_numbers_of_runs_were_chosen_for() -> None:
    assert at_most(1, 93) <= 0.05 < at_most(1, 92)
    assert at_least(299, 299) >= 0.99 > at_least(298, 298)
    assert at_most(0, 0) == 1.0
    assert exact(0, 10)["low"] == 0.0
    assert median_of([1.0, 2.0, 3.0]) == {"n": 3, "median": 2.0, "max": 3.0}
    assert median_of(list(range(6)))["low"] == 0
    assert median_of(list(range(10)))["low"] == 1
    assert rate_of([0, 10], [1000, 1000])["per_1000"] == 5.0
    assert GOALS["long-healthy"] >= 93
    assert sum(goal for name, goal in GOALS.items() if name.startswith("gone")) >= 299


def test_what_is_missing_most_is_run_first_and_no_two_cases_share_a_specimen() -> None:
    order = list(still_to_run([], {"all-dark": 2, "all-shutter": 1}))
    assert [name for name, _ in order] == ["all-dark", "all-shutter", "all-dark"]
    assert len({seed for _, seed in order}) == 3
    done = [{"case": name, "seed": seed} for name, seed in order]
    assert list(still_to_run(done, {"all-dark": 2, "all-shutter": 1})) == []


def test_a_store_keeps_whole_lines_and_leaves_out_what_other_thresholds_judged(tmp_path: Path) -> None:
    store = Store(path=tmp_path / "runs.jsonl")
    store.add({"case": "all-dark", "seed": 1, "thresholds": "old"})
    store.add({"case": "all-dark", "seed": 2, "thresholds": "new"})
    with store.path.open("a", encoding="utf-8") as file:
        file.write('{"case": "all')
    store.add({"case": "all-dark", "seed": 3, "thresholds": "new"})
    records = store.read()
    assert len(records) == 3
    assert [one["seed"] for one in usable(records, {True: "new", False: "x"}, {"all-dark": True})] == [2, 3]


def test_every_case_begins_and_ends_within_its_frames() -> None:
    for case in CASES.values():
        onset = onset_of(case, 7)
        assert onset is None or 0 <= onset < case.frames
    assert cases_of(quick=True)[0]["long-healthy"].frames < CASES["long-healthy"].frames
