"""A measurement for a page of the documentation: docs/performance.md is made of these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from streamer.apps.bench.figures import PERCENTILES, figures
from streamer.apps.bench.report import BenchReport, Measured, Phase, Stage
from streamer.apps.bench.scenarios import MAIN, SCENARIOS
from streamer.apps.bench.tables import engines_in_words, machine_in_words, of_bare_networks
from streamer.apps.bench.timeline import BARE, OWN

#: What the main scenario's idle phase is asked to keep: stage, percentile, ms at most.
ASKED = ((OWN, "p50", 15.0), (OWN, "p99", 30.0), (BARE, "p50", 5.0))


def in_markdown(report: BenchReport) -> str:
    """Machine, then a section for each scenario."""
    parts = [
        f"`streamer bench{' --full' if report.form == 'full' else ''}`: {machine_in_words(report)}.",
        *(f"**{warning}**" for warning in report.warnings),
        *(part for scenario in report.scenarios for part in _scenario(scenario)),
    ]
    return "\n\n".join(parts)


def asked(scenario: Measured) -> Mapping[str, bool | None]:
    """Whether each limit is kept; None where the sample cannot tell. Of other scenarios, nothing."""
    idle = scenario.phase("idle")
    if idle is None or (scenario.name, scenario.shape_yx) != (MAIN, SCENARIOS[MAIN].sensor_yx):
        return {}
    found: dict[str, bool | None] = {}
    for name, percentile, limit_ms in ASKED:
        stage = idle.stage(name)
        value = figures(stage.values_ms).get(percentile) if stage else None
        kept = value <= limit_ms if isinstance(value, float) else None
        found[f"{name}: {percentile} <= {limit_ms:g} ms"] = kept
    return found


def _scenario(scenario: Measured) -> Iterator[str]:
    yield f"### {scenario.name}"
    said = f" {scenario.sustained.words}." if scenario.sustained else ""
    engines = f"; {engines_in_words(scenario)}" if scenario.engines else ""
    yield f"{scenario.words}; {scenario.model}, {scenario.segmenter}{engines}.{said}"
    words = {True: "reached", False: "**not reached**", None: "sample too small"}
    if limits := asked(scenario):
        yield "Asked: " + "; ".join(f"{limit}: {words[kept]}" for limit, kept in limits.items()) + "."
    if (share := of_bare_networks(scenario)) is not None:
        yield f"Throughput: {share:.2f} of the bare networks under the same engine, in the same rounds."
    for phase in (*scenario.phases, *scenario.baselines):
        yield f"*{phase.name}*: {phase.words}."
        yield _table(phase)


def _table(phase: Phase) -> str:
    heads = ["stage, ms", "n", *(f"p{name}" for name in PERCENTILES), "max"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    return "\n".join([*lines, *(_row(stage) for stage in phase.stages)])


def _row(stage: Stage) -> str:
    said = figures(stage.values_ms)
    cells = [said["n"], *(said.get(f"p{name}", "") for name in PERCENTILES), said.get("max", "")]
    return f"| {stage.name} | {' | '.join(map(_number, cells))} |"


def _number(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return str(value)
