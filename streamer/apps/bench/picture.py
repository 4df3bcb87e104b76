"""A measurement as a picture: where the time of a frame goes, and how long people wait for it."""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from streamer.apps.bench.figures import PERCENTILES, figures
from streamer.apps.bench.report import BenchReport, Measured, Phase
from streamer.apps.bench.tables import engines_in_words, machine_in_words
from streamer.apps.bench.timeline import BACK, ON_DISK
from streamer.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Parts of a frame's way, one after the other; told apart by colour-blind eyes, too (Okabe and Ito).
PARTS = {
    "camera to hook": "#999999",
    "wire": "#56b4e9",
    "queue": "#f0e442",
    "denoise": "#0072b2",
    "segment": "#009e73",
    "halves": "#cc79a7",
    "guards": "#d55e00",
    "recording": "#e69f00",
    "way back": "#000000",
}
LINES = {"idle": "#0072b2", "saturated": "#d55e00"}


def draw(report: BenchReport, path: Path) -> None:
    """Write a PNG, or an HTML page that needs nothing else, by the name of the file.

    Raises:
        UsageError: another kind of file.
    """
    if path.suffix.lower() not in (".png", ".html"):
        raise UsageError(f"--picture {path}: unknown kind of file; use .png or .html")
    content = io.BytesIO()
    figure(report).savefig(content, format="png", dpi=110)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() == ".png":
        path.write_bytes(content.getvalue())
    else:
        path.write_text(_page(report, content.getvalue()), encoding="utf-8")


def figure(report: BenchReport) -> Figure:
    """A row for each scenario: mean time by stage, and the share of frames that waited so long."""
    from matplotlib.figure import Figure

    rows = max(len(report.scenarios), 1)
    drawn = Figure(figsize=(13, 1.2 + 3.1 * rows), layout="constrained")
    drawn.suptitle(machine_in_words(report), fontsize=8)
    grid = drawn.subplots(rows, 2, squeeze=False)
    for scenario, (bars, curves) in zip(report.scenarios, grid, strict=False):
        _draw_parts(bars, scenario)
        _draw_waits(curves, scenario)
    return drawn


def _draw_parts(axes: Axes, scenario: Measured) -> None:
    phases = [phase for phase in scenario.phases if phase.stages]
    for place, phase in enumerate(phases):
        left = 0.0
        for name, colour in PARTS.items():
            mean_ms = _mean_share(phase, name)
            label = name if place == 0 else None
            axes.barh(place, mean_ms, left=left, color=colour, label=label, height=0.6)
            left += mean_ms
    axes.set_yticks(range(len(phases)), [phase.name for phase in phases])
    axes.invert_yaxis()
    axes.set_xlabel("ms, mean of a frame")
    said = scenario.sustained.words if scenario.sustained else ""
    axes.set_title(f"{scenario.name}: {scenario.words}\n{said}", fontsize=9, loc="left")
    if phases:
        axes.legend(fontsize=7, ncols=3, loc="best")


def _mean_share(phase: Phase, name: str) -> float:
    """Mean over all frames; a stage that only some frames have counts 0 for the others."""
    stage, of = phase.stage(name), phase.stage(ON_DISK)
    if stage is None or of is None or not of.values_ms:
        return 0.0
    return sum(stage.values_ms) / len(of.values_ms)


def _draw_waits(axes: Axes, scenario: Measured) -> None:
    for phase in scenario.phases:
        stage = phase.stage(BACK)
        if stage is None or phase.name not in LINES:
            continue
        values = np.sort(stage.values_ms)
        share = np.arange(1, len(values) + 1) / len(values)
        label = f"{phase.name}, n = {len(values)}"
        axes.step(values, 100 * share, where="post", color=LINES[phase.name], label=label)
    if scenario.sustained:
        interval_ms = 1e3 / scenario.sustained.rate_hz
        axes.axvline(interval_ms, color="#666666", linestyle=":", label="camera's interval")
    axes.set_xscale("log")
    axes.set_ylim(0, 101)
    axes.set_xlabel(f"ms, exposure end to {BACK}")
    axes.set_ylabel("% of frames")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=7, loc="best")


def _page(report: BenchReport, png: bytes) -> str:
    """The picture and all tables in one file."""
    parts = [f"<h2>{html.escape(one.name)}</h2>{_section(one)}" for one in report.scenarios]
    warnings = "".join(f"<p><b>{html.escape(words)}</b></p>" for words in report.warnings)
    picture = base64.b64encode(png).decode()
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>streamer bench</title>'
        "<style>body{font:14px sans-serif;max-width:1200px;margin:1em auto}td,th{text-align:right;"
        "padding:1px 8px}td:first-child,th:first-child{text-align:left}img{max-width:100%}</style>"
        f"<h1>streamer bench</h1><p>{html.escape(machine_in_words(report))}</p>{warnings}"
        f'<img alt="times by stage" src="data:image/png;base64,{picture}">{"".join(parts)}</html>\n'
    )


def _section(scenario: Measured) -> str:
    said = scenario.sustained.words if scenario.sustained else ""
    words = f"{scenario.words}; {scenario.model}, {scenario.segmenter}; {engines_in_words(scenario)}. {said}"
    tables = "".join(_table(phase) for phase in (*scenario.phases, *scenario.baselines))
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in scenario.not_measured)
    return f"<p>{html.escape(words)}</p>{tables}<ul>{notes}</ul>"


def _table(phase: Phase) -> str:
    heads = "".join(f"<th>{name}</th>" for name in ("stage", "n", *(f"p{p}" for p in PERCENTILES), "max"))
    rows = []
    for stage in phase.stages:
        said = figures(stage.values_ms)
        cells = [stage.name, said["n"], *(said.get(f"p{p}", "") for p in PERCENTILES), said.get("max", "")]
        told = (f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in cells)
        rows.append("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in told) + "</tr>")
    title = html.escape(f"{phase.name}: {phase.words}")
    return f"<h3>{title}</h3><table><tr>{heads}</tr>{''.join(rows)}</table>"
