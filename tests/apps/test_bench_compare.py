"""Two measurements against each other: words that follow from an interval, and none for unlike machines."""

from __future__ import annotations

import pytest
from bench_sample import MACHINE, measured, report, rounds, typical

from streamer.apps.bench.compare import compare
from streamer.apps.bench.report import BenchReport, Stage
from streamer.apps.bench.timeline import BACK
from streamer.errors import UsageError


def with_median(median_ms: float, *, seed: int, each: int = 30) -> BenchReport:
    return report(measured(Stage(name=BACK, rounds_ms=rounds(median_ms, seed=seed, each=each))))


@pytest.mark.parametrize(
    ("first_ms", "second_ms", "words"),
    [(50.0, 30.0, "faster"), (50.0, 80.0, "slower"), (50.0, 50.2, "no difference seen")],
)
def test_the_words_follow_from_the_interval(first_ms: float, second_ms: float, words: str) -> None:
    (line,) = compare(with_median(first_ms, seed=1), with_median(second_ms, seed=2)).lines
    assert line.words == words
    assert line.low is not None
    assert line.high is not None
    assert line.low <= second_ms / first_ms <= line.high


def test_too_few_frames_carry_no_ratio() -> None:
    (line,) = compare(with_median(50, seed=1), with_median(10, seed=2, each=2)).lines
    assert (line.ratio, line.words, line.n) == (None, "n too small", (180, 12))


def test_a_measurement_against_itself_shows_no_difference() -> None:
    assert {line.words for line in compare(typical(), typical()).lines} == {"no difference seen"}


def test_unlike_machines_are_refused_with_what_differs() -> None:
    other = MACHINE.model_copy(update={"instruction_set": "amx-bf16", "gpu": "a card"})
    second = typical().model_copy(update={"machine": other})
    with pytest.raises(UsageError, match=r"avx2 and amx-bf16; gpu: none and a card.*--anyway"):
        compare(typical(), second)


def test_unlike_machines_are_compared_anyway_with_a_warning() -> None:
    second = typical().model_copy(update={"machine": MACHINE.model_copy(update={"cores": 8})})
    found = compare(typical(), second, anyway=True)
    assert found.lines
    assert "cores: 2 and 8" in found.warnings[0]


def test_what_makes_a_measurement_doubtful_is_passed_on() -> None:
    second = typical().model_copy(
        update={"warnings": ["the machine was busy"], "form": "full", "versions": {"openvino": "9"}}
    )
    warnings = " | ".join(compare(typical(), second).warnings)
    assert "the second: the machine was busy" in warnings
    assert "the first is quick, the second full" in warnings
    assert "openvino none and 9" in warnings


@pytest.mark.parametrize(
    ("change", "words"),
    [({"shape_yx": (64, 64)}, r"shape_yx is \(600, 600\) in the first"), ({"model": "mine"}, "model is")],
)
def test_other_frames_or_models_are_not_compared(change: dict[str, object], words: str) -> None:
    changed = typical().scenarios[0].model_copy(update=change)
    with pytest.raises(UsageError, match=words):
        compare(typical(), report(changed))


def test_what_only_one_has_is_named() -> None:
    first = report(*typical().scenarios, measured(name="camera-2048"))
    second = report(*typical().scenarios, measured(name="two-channel-10hz"))
    assert compare(first, second).left_out == (
        "camera-2048: only in the first",
        "two-channel-10hz: only in the second",
    )
