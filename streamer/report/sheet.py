"""What stands on the page of a report, part by part; the template only sets it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from markupsafe import Markup

import streamer
from streamer.reading import WatchedRun
from streamer.report import story, units
from streamer.report.charting import Charts, charts_of
from streamer.report.charts import Band, Setting
from streamer.report.counted import GuardCount
from streamer.report.decisions import decided
from streamer.report.provenance import provenance
from streamer.report.samples import VIEWS_SHOWN, Sampler
from streamer.report.story import Told

#: Entries of the log, rows of the guards' table, ranges of missing numbers that are printed.
LOG_SHOWN, GUARDS_SHOWN, GAPS_SHOWN = 80, 60, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number that stands large: its name, value and unit, and what it is to be held against."""

    name: str
    value: str
    unit: str = ""
    of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of numbers with its heading; of each row the first is its name."""

    title: str
    rows: tuple[tuple[str, ...], ...]
    heads: tuple[str, ...] = ()
    caption: str = ""


def sheet(run: WatchedRun, told: Told) -> dict[str, Any]:
    """All that the template needs, by name."""
    unit = "grey levels, scaled" if run.info.calibration.get("provisional") else "photons a pixel"
    sampler = Sampler(run.folder, run.index, run.series.first_wall_s, unit)
    samples = sampler.overview()
    shown, more = decided(told.decisions, run.series.first_wall_s, sampler.at)
    log, log_left_out = _log(run)
    guards = [_guard_row(found) for found in told.counted.guards.values()]
    further = len(guards) - GUARDS_SHOWN
    return {
        "version": streamer.__version__,
        "css": Markup(files("streamer.report").joinpath("template/report.css").read_text(encoding="utf-8")),
        "name": run.folder.path.resolve().name,
        "subtitle": _subtitle(told),
        "headline": story.headline(told),
        "notices": _notices(run, told, sampler),
        "paragraphs": story.paragraphs(told),
        "figures": list(_figures(told)) if told.numbers["frames"] else [],
        "samples": samples,
        "samples_caption": _samples_caption(len(run.index.views())),
        "charts": _charts(run, told),
        "behind": "Horizontal: frame number. Shaded: frames that a guard rejected. Upright line: a decision.",
        "clock": "reading a frame" if story.is_replay(run.info) else "the hook's taking a frame",
        "guards": guards[:GUARDS_SHOWN],
        "guards_left_out": f"{further:,} further rows are in frames.parquet." if further > 0 else "",
        "many_views": len(told.counted.views) > 1,
        "decisions": shown,
        "undecided": story.unhindered(told),
        "decisions_left_out": f"{more:,} further ones stand in decisions.jsonl." if more else "",
        "tables": [] if told.unknown else list(_tables(told)),
        "log": log,
        "log_left_out": log_left_out,
        "provenance": provenance(run.folder, run.info),
        "footer": _footer(run),
    }


def _subtitle(told: Told) -> str:
    rig = told.info.profile.get("profile")
    notes = told.info.notes
    parts = [
        str(rig.get("name", "")) if isinstance(rig, dict) else "",
        *(str(notes.get(key) or "") for key in ("operator", "sample", "dye")),
        units.moment(told.info.started_wall_s),
    ]
    return " · ".join(part for part in parts if part)


def _notices(run: WatchedRun, told: Told, sampler: Sampler) -> list[str]:
    """What a reader must know before the rest."""
    notices = [
        said.text
        for said in run.log.entries
        if said.kind == "notice" and ("damaged and left out" in said.text or "cannot be read" in said.text)
    ]
    if told.unknown:
        cure = "Restore the files of the recording from a copy, and make the report again."
        notices.insert(0, f"This report cannot know what was recorded: {told.unknown}. {cure}")
    if run.info.format_version < 2:
        notices.append(
            "Recorded by an earlier version, which kept less: what is not stated was not recorded."
        )
    return [*notices, *dict.fromkeys(sampler.problems)][:12]


def _figures(told: Told) -> Iterator[Figure]:
    numbers = told.numbers
    planned = story.planned_of(told)
    missing = f"{numbers['missing']:,} missing" if numbers["missing"] else "none missing"
    yield Figure(
        name="frames recorded",
        value=f"{numbers['frames']:,}",
        of=f"of {planned:,} planned, {missing}" if planned else missing,
    )
    judged, rejected = told.counted.judged, told.counted.rejected.count
    yield Figure(name="rejected by a guard", value=f"{rejected:,}", of=f"of {judged:,} judged")
    yield from _light_left(told)
    doses = [(line, value) for line, value in numbers["dose"].items() if line.endswith("J/cm2")]
    if line_value := (doses or list(numbers["dose"].items()))[:1]:
        line, value = line_value[0]
        amount, _, unit = units.light(line, value).partition(" ")
        yield Figure(name="dose", value=amount, unit=unit, of=units.line_name(line))
    lag = numbers["lag_ms"]
    if lag["n"]:
        middle = lag["p50"] if lag["p50"] is not None else lag["max"]
        amount, _, unit = units.milliseconds(middle).partition(" ")
        worst = "the longest" if lag["p50"] is None else f"median; longest {units.milliseconds(lag['max'])}"
        yield Figure(name="frame to verdict", value=amount, unit=unit, of=worst)


def _light_left(told: Told) -> Iterator[Figure]:
    """The photons of the view that has fewest at the end."""
    known = [found for (guard, _), found in told.counted.guards.items() if guard == "photons" and found.last]
    if not known:
        return
    least = min(known, key=lambda found: found.last[1] if found.last else math.inf)
    first, last = least.first, least.last
    if first and last and first[1] > 0:
        floor = f", floor {units.number(least.limit)}" if least.limit is not None else ""
        yield Figure(
            name="light left at the end",
            value=units.share(last[1], first[1]).removesuffix(" %"),
            unit="%",
            of=f"{units.number(first[1])} to {units.number(last[1])} photons a box{floor}",
        )


def _samples_caption(views: int) -> str:
    more = f" {views - VIEWS_SHOWN} further views are in the recording." if views > VIEWS_SHOWN else ""
    return (
        "Square-root scale, in which photon noise is even. Pictures of one view share one scale, that of its "
        f"first frame, so that fading is seen as it was.{more}"
    )


def _charts(run: WatchedRun, told: Told) -> Charts:
    numbers = told.numbers
    if not numbers["frames"]:
        return Charts(first=(), guards=(), light=(), speed=())
    decisions = [
        row.get("seq") for row in told.decisions if row.get("kind") == "decision" and not row.get("withheld")
    ]
    setting = Setting(
        first_seq=numbers["first_seq"],
        last_seq=numbers["last_seq"],
        rejected=told.counted.rejected.held,
        decided=[seq for seq in decisions if isinstance(seq, int)][:50],
    )
    curves = tuple(run.series.curves().values())
    return charts_of(curves, setting, _forecast(run, told))


def _forecast(run: WatchedRun, told: Told) -> tuple[str, Band, str] | None:
    """How long the light would have lasted, where the run was not stopped because it had gone."""
    if story.stop_of(told.decisions) is not None or len(told.counted.views) > 1:
        return None
    view = next(iter(told.counted.views), "")
    found = run.forecast(view, horizon=max(told.numbers["last_seq"] - told.numbers["first_seq"], 20) // 4)
    if found is None:
        return None
    band = Band(seq=found.seq, median=found.median, low=found.low, high=found.high)
    return (
        (f"photons [{view}]" if view else "photons"),
        band,
        f"Dotted: forecast with its 90 % band: {found.words}.",
    )


def _guard_row(found: GuardCount) -> dict[str, str]:
    first, last = (units.number(end[1], 4) if end else units.ABSENT for end in (found.first, found.last))
    return {
        "name": found.guard.replace("_", " "),
        "view": found.view,
        "judged": f"{found.judged:,}",
        "passed": f"{found.passed:,}",
        "flagged": f"{found.flagged:,}",
        "rejected": f"{found.rejected:,}",
        "first": first,
        "last": last,
        "limit": units.number(found.limit, 4),
        "said": found.said,
    }


def _tables(told: Told) -> Iterator[Table]:
    numbers = told.numbers
    if numbers["lag_ms"]["n"]:
        named = {"frame to verdict (lag)": numbers["lag_ms"], **numbers["stage_ms"]}
        yield Table(
            title="Latency",
            heads=("milliseconds", "n", "p50", "p95", "p99", "longest"),
            rows=tuple(
                (
                    name,
                    f"{found['n']:,}",
                    *(units.number(found[key], 4) for key in ("p50", "p95", "p99", "max")),
                )
                for name, found in named.items()
            ),
            caption=(
                "A percentile is given where at least ten frames lie beyond it: p50 from 20 frames, "
                "p95 from 200, p99 from 1,000."
            ),
        )
    yield from _gaps(told)


def _gaps(told: Told) -> Iterator[Table]:
    """Frames that are missing or waited, and what the link saw."""
    numbers, missing = told.numbers, told.counted.missing
    rows = [
        ("frames recorded", f"{numbers['frames']:,}"),
        ("of these not processed", f"{numbers['frames'] - numbers['processed']:,}"),
        ("numbers missing", f"{numbers['missing']:,}"),
        ("longest queue", f"{told.counted.longest_queue[0]:,}"),
    ]
    link = told.info.source.get("link")
    for key, words in _LINK.items():
        value = link.get(key) if isinstance(link, dict) else None
        if isinstance(value, int) and not isinstance(value, bool):
            rows.append((words, f"{value:,}"))
    held = [
        f"{first:,}–{last:,}" if last > first else f"{first:,}" for first, last in missing.held[:GAPS_SHOWN]
    ]
    more = missing.left_out + len(missing.held) - len(held)
    caption = f"Missing: {', '.join(held)}{f' and {more:,} further ranges' if more else ''}." if held else ""
    yield Table(title="Gaps and queue", rows=tuple(rows), caption=caption)


_LINK = {
    "sent": "sent by the hook",
    "resent": "sent again",
    "duplicates": "arrived twice and refused once",
    "spooled": "waited on the microscope's disk",
    "lost": "given up by the hook",
}


def _log(run: WatchedRun) -> tuple[list[dict[str, str]], str]:
    """The first and the last entries."""
    entries = run.log.entries
    half = LOG_SHOWN // 2
    shown = entries if len(entries) <= LOG_SHOWN else [*entries[:half], *entries[-half:]]
    left_out = run.log.left_out + len(entries) - len(shown)
    rows = [
        {
            "seq": f"{said.seq:,}" if said.seq >= 0 else "",
            "time": time.strftime("%H:%M:%S", time.localtime(said.wall_time_s))
            if said.wall_time_s > 0
            else "",
            "text": said.text,
            "gravity": said.gravity,
        }
        for said in shown
    ]
    return (
        rows,
        f"{left_out:,} entries between the first and the last {half} are left out." if left_out else "",
    )


def _footer(run: WatchedRun) -> str:
    return (
        f"Made by streamer {streamer.__version__} on {units.moment(time.time())} from the recording "
        f"{run.folder.path.resolve().name}. Every number of a frame stands in its frames.parquet; "
        "streamer replay computes the verdicts again from the raw frames."
    )
