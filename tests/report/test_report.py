"""The report of a run: whole, safe, in words, and with the numbers of the frames table."""

from __future__ import annotations

import html
import json
import os
import re
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
import pytest
from rows_of_a_run import BEGAN_S, row, stop, verdict, write_rows
from typer.testing import CliRunner
from written_run import write_run

from streamer.cli import report as command
from streamer.errors import UsageError
from streamer.report import units, write_report


class _Page(HTMLParser):
    """Text, table rows and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.words: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
            self._cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._cell = False

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self._cell:
            self.rows[-1][-1] += data

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def row(self, name: str, cells: int = 0) -> list[str]:
        """The first row of that name, with at least so many cells."""
        return next(row for row in self.rows if row and row[0] == name and len(row) >= cells)


def page_of(run: Path) -> _Page:
    return _Page(write_report(run).read_text(encoding="utf-8"))


def check_numbers_equal_the_table(run: Path) -> None:
    page, table = page_of(run), parquet.read_table(run / "frames.parquet").to_pydict()
    done = [n for n, processed in enumerate(table["processed"]) if processed]
    assert page.row("frames recorded")[1] == f"{len(table['seq']):,}"
    assert page.row("of these not processed")[1] == f"{len(table['seq']) - len(done):,}"
    spanned = table["seq"][-1] - table["seq"][0] + 1
    assert page.row("numbers missing")[1] == f"{spanned - len(table['seq']):,}"
    for name, column in (("frame to verdict (lag)", "lag_ms"), ("denoise", "denoise_ms")):
        values = [table[column][n] for n in done]
        carried = {50: 20, 95: 200, 99: 1000}
        expected = [
            units.number(np.percentile(values, p), 4) if len(values) >= n else "–" for p, n in carried.items()
        ]
        assert page.row(name)[1:] == [f"{len(values):,}", *expected, units.number(max(values), 4)]
    for guard in (name.removesuffix("_status") for name in table if name.endswith("_status")):
        statuses, measured = (
            table[f"{guard}_status"],
            [v for v in table[f"{guard}_measured"] if v is not None],
        )
        counts = [f"{statuses.count(word):,}" for word in ("pass", "flag", "reject")]
        ends = [units.number(measured[0], 4), units.number(measured[-1], 4)]
        assert page.row(guard.replace("_", " "), 9)[2:7] == [*counts, *ends]
    for line, values in ((name, table[name]) for name in table if name.startswith("dose_")):
        if line.endswith(" uJ/px"):
            assert units.energy(values[-1]) in page.text


@pytest.mark.live
def test_the_numbers_of_a_stopped_demo_equal_its_frames_table(
    quick_demo: tuple[Path, dict[str, Any]],
) -> None:
    run, said = quick_demo
    check_numbers_equal_the_table(run)
    page = page_of(run)
    assert "Stopped by a guard" in page.text
    assert f"On frame {said['stop']['frame']} the run was stopped" in page.text
    assert page.row("photons")[0] == "photons"
    pictures = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(pictures) == 12  # start, middle, end and the decision
    assert "The specimen was simulated" in page.text


def test_numbers_equal_the_table_with_gaps_skipped_frames_and_several_verdicts(tmp_path: Path) -> None:
    rows = []
    for seq in (n for n in range(1300) if n not in (17, 18, 500)):
        status = "reject" if seq > 1200 else "flag" if seq > 1100 else "pass"
        if seq % 10 == 3:
            rows.append(row(seq, processed=False, verdicts=[], timings_ms={}, lag_ms=0.0))
        else:
            light = verdict(status=status, measured=25 * 0.999**seq)
            rows.append(row(seq, light, verdict("similarity", measured=None if seq < 5 else 0.9, limit=None)))
    run = write_rows(tmp_path / "run", rows, [stop(1204)])
    check_numbers_equal_the_table(run.path)
    page = page_of(run.path)
    assert "3 frames of the numbering never arrived (17–18 and 500)" in page.text
    assert "Missing: 17–18, 500." in page.text
    assert "Guards rejected 89 frames, 8 % of those judged: 1,201–1,299." in page.text
    assert "130 frames (10 %) were recorded but not processed." in page.text


def test_it_needs_nothing_else_and_runs_nothing(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    page = page_of(run.path)
    assert not [tag for tag, _ in page.tags if tag in ("script", "link", "iframe", "object", "base")]
    for _, attributes in page.tags:
        for name in ("src", "href", "xlink:href"):
            assert not attributes.get(name) or (attributes[name] or "").startswith(("data:image/png", "#"))
        assert not any(name.startswith("on") for name in attributes)
    text = (run.path / "report.html").read_text(encoding="utf-8")
    assert "url(http" not in text
    assert "@import" not in text
    assert any(attributes.get("http-equiv") == "Content-Security-Policy" for _, attributes in page.tags)
    assert all(attributes.get("alt") for tag, attributes in page.tags if tag == "img")
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))


def test_words_of_strangers_are_escaped(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script> $\\frac{1}{2$ \ud800"
    rows = [row(seq, verdict(guard=f"g {evil}", view=evil, meaning=evil)) for seq in range(30)]
    rows[-1]["dose"] = {f"laser {evil} uJ/px": 1.0}
    rows[-1]["timings_ms"] = {evil: 1.0}
    mark = {"kind": "mark", "seq": 3, "wall_time_s": BEGAN_S, "note": evil, "by": evil}
    run = write_rows(
        tmp_path / "run",
        rows,
        [stop(29, evil), mark],
        closed=False,
        notes={"sample": "<b>", evil[:8]: [evil[:8]]},
    )
    written = write_report(run.path).read_text(encoding="utf-8")
    assert "<script" not in written
    assert html.escape("<script>alert(1)</script>") in written


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"closed": False}, "Left unfinished"),
        ({}, "Finished"),
        ({"decisions": [stop(59)]}, "Stopped by a guard"),
        (
            {
                "decisions": [
                    {
                        "kind": "request",
                        "seq": 59,
                        "action": "stop",
                        "reason": "lunch",
                        "wall_time_s": BEGAN_S,
                    }
                ]
            },
            "Stopped by hand",
        ),
        ({"rows": []}, "No frames"),
    ],
    ids=["left", "finished", "stopped", "by hand", "empty"],
)
def test_the_outcome_stands_at_the_top(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    told: dict[str, Any] = {"rows": [row(seq) for seq in range(60)], **change}
    run = write_rows(tmp_path / "run", told.pop("rows"), told.pop("decisions", ()), **told)
    long_ago_s = time.time() - 3600
    for path in (run.info, run.frames):
        os.utime(path, (long_ago_s, long_ago_s))
    page = page_of(run.path)
    assert words in page.text


def test_decisions_stand_with_evidence_and_what_became_of_them(tmp_path: Path) -> None:
    done = {"kind": "carried out", "seq": 40, "action": "stop", "ok": True, "safe_ms": 0.4, "ended_ms": 0.5}
    told = {"kind": "notified", "seq": 40, "action": "stop", "ok": False, "detail": "timed out after 10 s"}
    mark = {"kind": "mark", "seq": 5, "wall_time_s": BEGAN_S + 2.5, "note": "added drug", "by": "page"}
    dry = {**stop(20), "action": "continue", "withheld": "stop", "reason": "dry run: would have stopped"}
    rows = [row(seq) for seq in range(50)]
    page = page_of(write_rows(tmp_path / "run", rows, [mark, dry, stop(40), done, told]).path)
    text = page.text
    assert "added drug" in text
    assert "Dry run: stop would have been decided" in text
    assert "The light was safe 0.4 ms after the decision reached the microscope." in text
    assert "timed out after 10 s" in text
    assert page.row("photons")[1:5] == ["rejected", "6.03", "8", "retention 0.27"]
    assert "The processor was behind: it was decided when 9 frames after that one" in text


def test_several_views_have_curves_and_pictures_of_their_own(tmp_path: Path) -> None:
    axes = [{"time": n // 2, "channel": ("red", "blue")[n % 2]} for n in range(12)]
    page = page_of(write_run(tmp_path / "run", axes).path)
    titles = [words for words in page.words if words.startswith("channel ")]
    assert {"channel red", "channel blue"} <= set(titles)
    assert len([tag for tag, _ in page.tags if tag == "img"]) == 2 * 9 + 3


def test_a_recording_of_the_first_layout_is_reported(tmp_path: Path) -> None:
    new = (
        "image",
        "annotated_image",
        "annotated_place",
        "annotated_channels",
        "exposure_ms",
        "state",
        "light",
    )
    rows = []
    for seq in range(30):
        old = {key: value for key, value in row(seq).items() if key not in new} | {"annotated_index": None}
        old["verdicts"] = [{k: v for k, v in verdict().items() if k != "view"}]
        rows.append(old)
    run = write_rows(tmp_path / "run", rows, closed=False, format_version=1)
    assert "Recorded by an earlier version" in page_of(run.path).text


def test_damaged_rows_and_missing_pixels_are_said_and_left_out(tmp_path: Path) -> None:
    run = write_rows(tmp_path / "run", [row(seq) for seq in range(30)], closed=False)
    with run.frames.open("a") as stream:
        stream.write(
            '{"seq": 3\n[1]\n{"seq": "x"}\n{"seq": 30, "verdicts": [7], "dose": 4, "timings_ms": []}\n{"se'
        )
    page = page_of(run.path)
    assert page.row("frames recorded")[1] == "31"
    assert "3 lines of the record are damaged and left out" in page.text
    assert "raw.ome.zarr" in page.text  # its pixels are missing, and the report says so


@pytest.mark.parametrize(
    ("lost", "left", "words"),
    [
        (("frames.jsonl", "frames.parquet"), None, "frames.parquet is missing too"),
        (("frames.jsonl",), None, "frames.parquet still holds them"),
        ((), "", "is empty, and frames.parquet is not"),
        ((), "{garbled\n\x00\n", "none of their lines can be read"),
    ],
    ids=["gone", "table kept", "emptied", "garbled"],
)
def test_a_recording_without_its_rows_is_not_called_one_without_frames(
    tmp_path: Path, lost: tuple[str, ...], left: str | None, words: str
) -> None:
    run = write_rows(tmp_path / "run", [row(seq) for seq in range(30)])
    for name in lost:
        (run.path / name).unlink()
    if left is not None:
        run.frames.write_text(left)
    text = page_of(run.path).text
    assert "Rows missing" in text
    assert words in text
    assert "This report cannot know what was recorded, judged or lost" in text
    for claim in ("Nothing was recorded", "No frame was recorded", "unhindered", "numbers missing"):
        assert claim not in text


def test_a_frame_whose_row_is_garbled_is_not_called_lost(tmp_path: Path) -> None:
    run = write_rows(tmp_path / "run", [row(seq) for seq in range(30) if seq != 20])
    lines = run.frames.read_text().splitlines(keepends=True)
    run.frames.write_text("".join([*lines[:5], "{garbled\n", *lines[6:]]))
    text = page_of(run.path).text
    damaged = "one line of the rows is damaged, so that its frame's row cannot be read"
    assert damaged in text
    assert f"2 frames of the numbering have no row that can be read (5 and 20): {damaged}" in text
    assert "at least 1 of them never arrived" in text
    assert "unhindered" not in text


def test_without_the_file_of_decisions_none_is_denied(tmp_path: Path) -> None:
    run = write_rows(tmp_path / "run", [row(seq) for seq in range(30)])
    assert "unhindered" in page_of(run.path).text
    run.decisions.unlink()
    text = page_of(run.path).text
    assert "unhindered" not in text
    assert "whether there were any this report cannot know" in text


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "holds no recording"), ({"format_version": 3}, "newer streamer"), ("{", "damaged")],
    ids=["no run", "newer", "damaged"],
)
def test_what_is_no_recording_is_refused_with_the_cure(tmp_path: Path, content: object, words: str) -> None:
    if content is not None:
        (tmp_path / "run.json").write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(UsageError, match=words):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_the_command_writes_where_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import typer

    run = write_rows(tmp_path / "run", [row(seq) for seq in range(25)])
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    app = typer.Typer()
    app.command()(command.report)
    out = tmp_path / "folder" / "r.html"
    result = CliRunner().invoke(app, [str(run.path), "--out", str(out), "--open"])
    assert result.exit_code == 0, result.output
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert opened == [out.resolve().as_uri()]
    assert [path.name for path in out.parent.iterdir()] == ["r.html"]
