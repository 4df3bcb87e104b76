"""The report of a run: everything gathered, drawn and written into one file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from streamer.reading import Tail, WatchedRun
from streamer.recording import Row
from streamer.recording.files import writing
from streamer.report import missing
from streamer.report.counted import count
from streamer.report.sheet import sheet
from streamer.report.story import Told

#: Name of a run's report in its folder.
REPORT_FILE = "report.html"
_DECISIONS_MAX = 100_000
_BATCH = 2000


def write_report(path: Path, out: Path | None = None) -> Path:
    """Write the report of the run in folder `path` as one HTML file, and give its place.

    Args:
        path: the RUN folder: closed, still growing, or left by a processor that died.
        out: where to write; None takes `report.html` in the folder.

    Raises:
        UsageError: no recording, or one that this version cannot read.
        RecordingError: the file cannot be written.
    """
    target = path / REPORT_FILE if out is None else out
    page = render(path)
    draft = target.with_name(f".{target.name}.{os.getpid()}.new")
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(page, encoding="utf-8", errors="replace")
        draft.replace(target)
    return target


def render(path: Path) -> str:
    """The report as HTML.

    Raises:
        UsageError: no recording, or one that this version cannot read.
    """
    run = WatchedRun(path)
    while run.update():
        pass
    environment = Environment(
        loader=PackageLoader("streamer.report", "template"), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("report.html").render(sheet(run, _told(run)))


def _told(run: WatchedRun) -> Told:
    decisions = Tail(run.folder.decisions)
    return Told(
        info=run.info,
        numbers=run.summary(),
        counted=count(_rows(run.folder.frames)),
        decisions=decisions.new(_DECISIONS_MAX),
        damaged=run.damaged_rows,
        unknown=missing.unknown(run),
        decisions_kept=run.folder.decisions.is_file() and not decisions.damaged,
    )


def _rows(frames: Path) -> Iterator[Row]:
    tail = Tail(frames)
    while rows := tail.new(_BATCH):
        yield from rows
