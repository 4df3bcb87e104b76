"""A measurement for the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from streamer.apps.bench.compare import Comparison
from streamer.apps.bench.figures import PERCENTILES, figures, needed
from streamer.apps.bench.report import BenchReport, Measured, Phase
from streamer.apps.bench.timeline import BACK

#: Stages that are told in full below others, in their indented lines.
_GUARD = "guard "
_SHORT = {"n too small": "n small"}


def tables(report: BenchReport) -> Iterator[RenderableType]:
    """Machine, warnings, then each scenario."""
    yield machine_in_words(report)
    for warning in report.warnings:
        yield f"WARNING: {warning}"
    for scenario in report.scenarios:
        yield ""
        yield from _scenario(scenario)
    yield ""
    yield (
        "ms; each row by itself: the percentiles of a sum are not the sum of percentiles. A percentile needs "
        f"n >= 10/(1-p): {', '.join(f'p{name} {needed(name)}' for name in PERCENTILES)}; below, n small."
    )


def machine_in_words(report: BenchReport) -> str:
    """What it ran on, in one line."""
    machine = report.machine
    load = "unknown" if report.load_before is None else f"{report.load_before:.1f}"
    commit = f" {report.commit[:8]}" if report.commit else ""
    return (
        f"{machine.cpu}, {machine.cores} cores, {machine.instruction_set}, {machine.memory_gb:g} GB, "
        f"{machine.gpu or 'no NVIDIA GPU'}, {machine.system}; streamer {report.versions.get('streamer', '?')}"
        f"{commit}, {report.form}, {report.date}, load before {load}"
    )


def engines_in_words(scenario: Measured) -> str:
    """The compiled networks, the newest of each role."""
    keys = [found[-1] for found in scenario.engines.values() if found]
    return "; ".join(
        f"{key.get('runtime', '?')} {key.get('precision', '?')} on {key.get('threads', '?')} threads"
        for key in keys
    )


def of_bare_networks(scenario: Measured) -> float | None:
    """Frames per second of the whole path over those of both networks alone; None where it was not measured.

    Under the same engine, in the same rounds, with nothing else in the process; the whole path has the second
    inference for halves in it, too.
    """
    saturated, bare = scenario.phase("saturated"), scenario.phase("batches of 50")
    if not (saturated and bare and saturated.frames_per_s and bare.frames_per_s):
        return None
    return saturated.frames_per_s / bare.frames_per_s


def comparison_table(found: Comparison) -> Iterator[RenderableType]:
    """Ratios with their intervals."""
    for warning in found.warnings:
        yield f"WARNING: {warning}"
    table = Table(title="second over first, medians", title_justify="left")
    for heading in ("scenario", "phase", "stage"):
        table.add_column(heading)
    for heading in ("n", "ratio", "95 % interval"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for line in found.lines:
        ratio = interval = ""
        if line.ratio is not None:
            ratio, interval = f"{line.ratio:.3g}", f"{line.low:.3g} to {line.high:.3g}"
        n = f"{line.n[0]}, {line.n[1]}"
        names = (Text(name) for name in (line.scenario, line.phase, line.stage))  # a file's text is no markup
        table.add_row(*names, n, ratio, interval, line.words)
    yield table
    for words in found.left_out:
        yield f"left out: {words}"


def _scenario(scenario: Measured) -> Iterator[RenderableType]:
    words = f"{scenario.name}: {scenario.words}; {scenario.model}, {scenario.segmenter}"
    words += f" every {scenario.segment_every} frames" if scenario.segment_every > 1 else ""
    yield Text(words, style="bold")
    yield f"engines: {engines_in_words(scenario)}"
    if scenario.sustained:
        style = "green" if scenario.sustained.sustained else "bold red"
        yield Text(scenario.sustained.words, style=style)
    for phase in (*scenario.phases, *scenario.baselines):
        yield _phase(phase)
        if phase.frames:
            yield _frames(phase)
    yield from (f"- {words}" for words in (*_faster(scenario), *scenario.not_measured))


def _phase(phase: Phase) -> Table:
    table = Table(title=Text(f"{phase.name}: {phase.words}", style="italic"), title_justify="left")
    table.add_column("stage", no_wrap=True)
    for heading in ("n", *(f"p{name}" for name in PERCENTILES), "max"):
        table.add_column(heading, justify="right", no_wrap=True)
    for stage in phase.stages:
        said = figures(stage.values_ms)
        name = f"  {stage.name.removeprefix(_GUARD)}" if stage.name.startswith(_GUARD) else stage.name
        numbers = (said.get(f"p{each}", "") for each in PERCENTILES)
        table.add_row(Text(name), str(said["n"]), *map(_number, numbers), _number(said.get("max", "")))
    return table


def _frames(phase: Phase) -> str:
    assert phase.frames is not None
    became = phase.frames
    rate = "" if phase.frames_per_s is None else f", {phase.frames_per_s:.3g} verdicts a second"
    return (
        f"{became.exposed} frames exposed: {became.recorded} recorded, {became.processed} processed, "
        f"{became.passed_over} passed over, {became.lost} lost; {became.waited_at_the_end} waited for their "
        f"verdict when the last one was exposed{rate}"
    )


def _faster(scenario: Measured) -> Iterator[str]:
    """Baselines in times of ours, where both samples carry a median."""
    if (share := of_bare_networks(scenario)) is not None:
        yield f"throughput: {share:.2f} of the bare networks under the same engine, in the same rounds"
    ours = next((phase.stage(BACK) for phase in scenario.phases if phase.name == "idle"), None)
    if ours is None or len(ours.values_ms) < needed("50"):
        return
    ours_ms = figures(ours.values_ms)["p50"]
    for phase in scenario.baselines:
        stage = phase.stages[0]
        theirs_ms = figures(stage.values_ms).get("p50")
        if isinstance(theirs_ms, float) and isinstance(ours_ms, float):
            yield (
                f"{phase.name}, {stage.name}: {theirs_ms / ours_ms:.2g} times our median of {BACK} "
                "(which has guards and recording in it)"
            )


def _number(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return _SHORT.get(str(value), str(value))
