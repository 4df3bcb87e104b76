"""Figures that say no more than their sample can carry."""

from __future__ import annotations

import numpy as np
import pytest

from bench.measure import begun, keeping_up, machine, percentiles, ratio


@pytest.mark.parametrize(
    ("n", "named"),
    [
        (1, ["n", "p50", "max"]),
        (99, ["n", "p50", "p90", "p95", "max"]),
        (100, ["n", "p50", "p90", "p95", "p99", "max"]),
        (1000, ["n", "p50", "p90", "p95", "p99", "p99.9", "max"]),
    ],
)
def test_a_percentile_needs_enough_samples(n: int, named: list[str]) -> None:
    assert list(percentiles([float(value) for value in range(n)])) == named


def test_percentiles_are_those_of_the_samples() -> None:
    figures = percentiles([float(value) for value in range(1001)])
    expected = {"n": 1001, "p50": 500, "p90": 900, "p95": 950, "p99": 990, "p99.9": 999, "max": 1000}
    assert figures == pytest.approx(expected)


def test_the_interval_of_a_ratio_holds_the_true_one_as_often_as_it_says() -> None:
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    print("seed", seed)
    random, held = np.random.default_rng(seed), 0
    for _ in range(200):
        base = random.normal(80, 4, 20)  # busy moments hit both of a pair
        figures = ratio((0.97 * base + random.normal(0, 1, 20)).tolist(), base.tolist())
        held += figures["low"] <= 0.97 <= figures["high"]
    # Binomial: 95 % nominal, a little less for a bootstrap over 20; fewer than 165 has odds below 1e-6.
    assert held >= 165


def test_the_ratio_is_that_of_the_means_with_its_repetitions() -> None:
    figures = ratio([90.0, 98.0], [100.0, 100.0])
    assert (figures["n"], figures["ratio"]) == (2, pytest.approx(0.94))
    assert (figures["low"], figures["high"]) == (pytest.approx(0.9), pytest.approx(0.98))


@pytest.mark.parametrize(("measured", "base"), [([], []), ([1.0], [1.0, 2.0])], ids=["none", "no pairs"])
def test_a_ratio_of_nothing_is_refused(measured: list[float], base: list[float]) -> None:
    with pytest.raises(ValueError, match=r"repetition|homogeneous"):
        ratio(measured, base)


def test_no_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="no sample"):
        percentiles([])


@pytest.mark.parametrize(
    ("behind", "lost", "word"), [(10, 0, "keeps up"), (11, 0, "saturated"), (0, 1, "saturated")]
)
def test_a_load_says_whether_the_processor_was_saturated(behind: int, lost: int, word: str) -> None:
    assert word in keeping_up(2.0, 100, behind, lost)


def test_the_machine_is_named_with_its_cores_memory_and_versions() -> None:
    stated = machine()
    assert stated["cpu"]
    assert stated["physical_cores"] >= 1
    assert stated["ram_gb"] > 0
    assert {"python", "numpy", "pycromanager", "pymmcore"} <= stated["versions"].keys()


def test_a_measurement_begins_with_its_command_date_and_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/somewhere/bench/engines.py", "--model", "my model"])
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    stated = begun()
    variables = "ONEDNN_MAX_CPU_ISA=AVX2 OMP_NUM_THREADS=1"
    assert stated["command"] == f"{variables} python -m bench.engines --model 'my model'"
    assert stated["date"].endswith("+00:00")
    assert stated["machine"]["cpu"]
    assert stated["amx"] is False  # whatever the processor has, it may not use it
    assert "load_before" in stated
