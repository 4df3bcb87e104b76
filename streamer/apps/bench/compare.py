"""Two measurements of the same machine against each other, stage by stage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from streamer.apps.bench.figures import median_ratio, needed
from streamer.apps.bench.report import BenchReport, Measured, Phase
from streamer.errors import UsageError

Words = Literal["faster", "slower", "no difference seen", "n too small"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One stage of both.

    Attributes:
        scenario, phase, stage: which.
        n: frames of the first and of the second.
        ratio, low, high: median of the second over that of the first, and its 95 % interval; None where the
            samples cannot carry a median.
        words: what that says.
    """

    scenario: str
    phase: str
    stage: str
    n: tuple[int, int]
    ratio: float | None
    low: float | None
    high: float | None
    words: Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All stages that both have.

    Attributes:
        lines: of the stages.
        warnings: why not to take them at their word.
        left_out: what only one has, or has of other frames.
    """

    lines: tuple[Line, ...]
    warnings: tuple[str, ...]
    left_out: tuple[str, ...]


def compare(first: BenchReport, second: BenchReport, *, anyway: bool = False) -> Comparison:
    """The second over the first.

    Raises:
        UsageError: they were measured on unlike machines, and that is not asked for `anyway`; or they share
            nothing.
    """
    unlike = [
        f"{name}: {getattr(first.machine, name) or 'none'} and {getattr(second.machine, name) or 'none'}"
        for name in type(first.machine).model_fields
        if getattr(first.machine, name) != getattr(second.machine, name)
    ]
    if unlike and not anyway:
        raise UsageError(
            f"measured on unlike machines ({'; '.join(unlike)}): a ratio would say nothing about the "
            "software; measure both on one machine, or add --anyway"
        )
    lines, left_out = [], []
    for scenario in first.scenarios:
        other = second.scenario(scenario.name)
        if reason := _unlike_scenarios(scenario, other):
            left_out.append(f"{scenario.name}: {reason}")
        elif other is not None:
            lines += [line for pair in _phases(scenario, other) for line in _lines(scenario.name, *pair)]
    new = (one.name for one in second.scenarios if not first.scenario(one.name))
    left_out += [f"{name}: only in the second" for name in new]
    if not lines:
        raise UsageError(f"nothing in common to compare ({'; '.join(left_out) or 'no scenario in either'})")
    return Comparison(
        lines=tuple(lines),
        warnings=tuple(_warnings(first, second, unlike)),
        left_out=tuple(left_out),
    )


def _warnings(first: BenchReport, second: BenchReport, unlike: list[str]) -> Iterator[str]:
    if unlike:
        yield f"unlike machines ({'; '.join(unlike)}): the ratios compare machines as much as software"
    for report, which in ((first, "first"), (second, "second")):
        yield from (f"the {which}: {warning}" for warning in report.warnings)
    if first.form != second.form:
        yield f"the first is {first.form}, the second {second.form}"
    changed = [
        f"{name} {first.versions.get(name, 'none')} and {second.versions.get(name, 'none')}"
        for name in sorted(first.versions.keys() | second.versions.keys())
        if first.versions.get(name) != second.versions.get(name)
    ]
    if changed:
        yield f"other versions: {', '.join(changed)}"


def _unlike_scenarios(first: Measured, second: Measured | None) -> str:
    """Why two of a name cannot be compared; empty where they can."""
    if second is None:
        return "only in the first"
    for what in ("shape_yx", "channels", "model", "segmenter", "segment_every", "camera"):
        one, other = getattr(first, what), getattr(second, what)
        if one != other:
            return f"{what} is {one} in the first, {other} in the second"
    return ""


def _phases(first: Measured, second: Measured) -> Iterator[tuple[Phase, Phase]]:
    for phase in (*first.phases, *first.baselines):
        if (other := second.phase(phase.name)) is not None:
            yield phase, other


def _lines(scenario: str, first: Phase, second: Phase) -> Iterator[Line]:
    for stage in first.stages:
        if (other := second.stage(stage.name)) is None:
            continue
        n = len(stage.values_ms), len(other.values_ms)
        ratio = low = high = None
        words: Words = "n too small"
        if min(n) >= needed("50"):
            try:
                ratio, low, high = median_ratio(stage.rounds_ms, other.rounds_ms)
            except ValueError:  # a stage that takes no time
                ratio = low = high = 1.0
            words = "faster" if high < 1 else "slower" if low > 1 else "no difference seen"
        yield Line(
            scenario=scenario,
            phase=first.name,
            stage=stage.name,
            n=n,
            ratio=ratio,
            low=low,
            high=high,
            words=words,
        )
