"""Pictures of docs/guards.md: delays by scenario, and light over time with what the guards said of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter

from bench.guards_measures import first_after, oracle_of, statuses, stop_of
from bench.guards_movies import CASES
from bench.guards_store import Record
from bench.guards_table import STOPPING
from bench.models_picture import save
from streamer.profile import HardwareProfile

#: Colours that colour-blind eyes tell apart (Okabe and Ito).
COLOURS = {"pass": "#dddddd", "flag": "#e69f00", "reject": "#d55e00"}
#: Height of the strip of verdicts, photons.
STRIP = 2.0
FIRST, STOP = "#56b4e9", "#d55e00"


def draw(records: Sequence[Record], profile: HardwareProfile, folder: Path) -> None:
    """Write guards-delays.png and, where there are such runs, guards-light.png."""
    folder.mkdir(parents=True, exist_ok=True)
    if delayed := _delayed(records):
        save(delays_figure(delayed, profile), folder / "guards-delays.png")
    if shown := _shown(records):
        save(light_figure(shown, profile), folder / "guards-light.png")


def _delayed(records: Sequence[Record]) -> Mapping[str, Sequence[Record]]:
    """Runs in which something happens that should stop them, by case."""
    wanted = [
        name
        for name, case in CASES.items()
        if case.should == "stop" and case.onset is not None and not case.life
    ]
    found = {name: [record for record in records if record["case"] == name] for name in wanted}
    return {name: runs for name, runs in found.items() if runs}


def delays_figure(delayed: Mapping[str, Sequence[Record]], profile: HardwareProfile) -> Figure:
    """Frames from the event to the first word of a guard that stops, and to the stop; a dot is a run."""
    figure = Figure(figsize=(8, 0.45 * len(delayed) + 1.2), dpi=110, layout="constrained")
    axes, rng = figure.subplots(), np.random.default_rng(0)
    for row, runs in enumerate(delayed.values()):
        first = [first_after(record, STOPPING) for record in runs]
        stops = [(stop_of(record, profile), record["onset"]) for record in runs]
        late = [stop - onset for stop, onset in stops if stop is not None]
        for values, colour, shift in ((first, FIRST, 0.15), (late, STOP, -0.15)):
            found = np.array([value for value in values if value is not None and value >= 0], float)
            places = row + shift + rng.uniform(-0.08, 0.08, found.size)
            axes.scatter(found + 1, places, s=12, color=colour, alpha=0.6, linewidths=0)
    axes.set_yticks(
        range(len(delayed)), [f"{CASES[name].tells} ({len(runs)})" for name, runs in delayed.items()]
    )
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator([1, 2, 3, 5, 10, 20, 50, 100, 200]))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("frames since it began, 1 is the first")
    axes.invert_yaxis()
    for label, colour in (("first word of a guard that stops", FIRST), ("stop", STOP)):
        axes.scatter([], [], s=20, color=colour, label=label)
    axes.legend(loc="lower center", bbox_to_anchor=(0.3, 1.0), ncols=2, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _shown(records: Sequence[Record]) -> list[tuple[str, Record, str]]:
    """Title, run and guard of each panel: alarms that are right, and the healthy run with most false ones."""
    panels = []
    fading = [record for record in records if record["case"] == "fade-twice-800"]
    if fading:
        panels.append(("a true alarm: bleaching to the floor", fading[0], "photons"))
    healthy = [record for record in records if record["case"] == "long-healthy"]
    if healthy:
        worst = max(healthy, key=lambda record: _flagged(record, "bleaching"))
        panels.append(("healthy: the run of full length with most alarms", worst, "bleaching"))
    return panels


def _flagged(record: Record, guard: str) -> int:
    return sum(status != "pass" for status in statuses(record, guard))


def light_figure(panels: Sequence[tuple[str, Record, str]], profile: HardwareProfile) -> Figure:
    """Photons per foreground box over time, a strip of what a guard says, floor, oracle and stop."""
    figure = Figure(figsize=(8, 2.9 * len(panels)), dpi=110, layout="constrained")
    for axes, (title, record, guard) in zip(
        figure.subplots(len(panels), 1, squeeze=False)[:, 0], panels, strict=True
    ):
        _light(axes, record, guard, profile)
        axes.set_title(f"{title} (guard {guard})", loc="left", fontsize=10)
    return figure


def _light(axes: Axes, record: Record, guard: str, profile: HardwareProfile) -> None:
    seqs, levels = np.array(record["curve"]).T
    axes.plot(seqs, levels, ".", color="#56b4e9", markersize=4)
    changes = record["guards"][guard]
    ends = [*(first for first, _ in changes[1:]), record["frames"]]
    for status, colour in COLOURS.items():
        spans = [
            (first, end - first) for (first, said), end in zip(changes, ends, strict=True) if said == status
        ]
        axes.broken_barh(spans, (0, STRIP), facecolors=colour, label=status)
    axes.axhline(profile.guards.photons.floor, color="#888888", linewidth=1)
    if record.get("life"):
        axes.axvline(oracle_of(record), color="#009e73", linestyle="--", label="oracle")
    stop = stop_of(record, profile)
    if stop is not None:
        axes.axvline(stop, color="#000000", label="stop")
    axes.set_ylim(bottom=0)
    axes.set_xlim(0, record["frames"])
    axes.set_xlabel("frame")
    axes.set_ylabel("photons per foreground box")
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8, ncols=5)
    axes.spines[["top", "right"]].set_visible(False)
