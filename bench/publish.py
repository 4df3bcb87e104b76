"""docs/performance.md from the numbers in bench/results: python -m bench.publish"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from bench.engines_page import engines, ernet, roofline
from bench.frames_page import flow, joint
from bench.tables import NOT_REACHED, REACHED, machine_in_words, stated_of
from streamer.apps.bench.figures import TOO_SMALL, needed
from streamer.apps.bench.markdown import in_markdown
from streamer.apps.bench.report import BenchReport

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "performance.md"
#: The page without what is measured anew; a comment marks where each results file goes.
TEMPLATE = ROOT / "bench" / "performance.md"
RESULTS = ROOT / "bench" / "results"
KILLS = """\
`python -m bench.kills` kills the processor at random moments of one acquisition. Asked: exposed = sent =
unique recorded, nothing lost, nothing twice, raw pixels those that the camera exposed:"""
NOT_MEASURED = "Not measured yet: `{command}`."
#: What a report becomes.
Section = Callable[[Mapping[str, Any]], str]
#: Results files with a section of their own, and the command that fills them, but for the file.
STUDIES: Mapping[str, tuple[Section, str]] = {
    "roofline": (roofline, "roofline --published --ernet --json"),
    "ernet": (ernet, "ernet --json"),
    "joint": (joint, "joint --model FOLDER --json"),
    "flow": (flow, "flow --threads 2 --out"),
}
#: Runs of `bench.engines` that the page waits for; others that lie beside them are shown, too.
ENGINES = {
    "engines-er-denoise-live": "engines --model er-denoise-live --json",
    "engines-er-segment-live": "engines --model er-segment-live --json",
    "engines-unet-rcan": "engines --published --shape 600 600 --repeats 10 --json",
}
SIGNS = {"most": "<=", "least": ">="}


def page(results: Path = RESULTS) -> str:
    """The page as the template and the results make it."""
    text = TEMPLATE.read_text(encoding="utf-8")
    said = {name: section(_report(results, name)) for name, section in SECTIONS.items()}
    said |= {name: _study(results, name, *study) for name, study in STUDIES.items()}
    said["engines"] = _engines(results)
    for name, words in said.items():
        text = text.replace(f"<!-- {name} -->", words)
    return text


def _report(results: Path, name: str) -> dict[str, Any] | None:
    file = results / f"{name}.json"
    report: dict[str, Any] | None = json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
    return report


def _study(results: Path, name: str, section: Section, command: str) -> str:
    """The section of one results file, or what fills it."""
    report = _report(results, name)
    whole = f"python -m bench.{command} bench/results/{name}.json"
    return section(report) if report else NOT_MEASURED.format(command=whole)


def _engines(results: Path) -> str:
    """Every run of `bench.engines` that is there or waited for."""
    there = {file.stem: "engines --json" for file in results.glob("engines-*.json")}
    commands = there | ENGINES
    return "\n\n".join(_study(results, name, engines, commands[name]) for name in sorted(commands))


def acquisition(parts: Mapping[str, Any] | None, bench: str = "acquisition") -> str:
    """Every part of `bench.acquisition`, or of another one like it: when, where, how, and its tables."""
    if not parts:
        return NOT_MEASURED.format(command=f"python -m bench.{bench} --out bench/results/{bench}.json")
    return "\n\n".join(_part(name, part, bench) for name, part in parts.items())


def preview(parts: Mapping[str, Any] | None) -> str:
    """Every part of `bench.preview`."""
    return acquisition(parts, "preview")


def frames(report: Mapping[str, Any] | None) -> str:
    """A measurement of `streamer bench`: what a frame costs on one machine."""
    if not report:
        return NOT_MEASURED.format(command="streamer bench --full --baseline --json bench/results/FILE.json")
    return in_markdown(BenchReport.model_validate(report))


def kills(report: Mapping[str, Any] | None) -> str:
    """The report of `bench.kills`: where every frame ended up."""
    if not report:
        return NOT_MEASURED.format(command="python -m bench.kills > bench/results/kills.json")
    complete = report["exposed"] == report["sent"] == report["unique_recorded"] == report["acknowledged"]
    clean = report["raw_equals_exposed"] and not report["recorded_twice"] and not report["lost"]
    stated = ["", f"{machine_in_words(report['machine'])}."] if "machine" in report else []
    counts = {name: count for name, count in report.items() if name != "machine"}
    rows = [f"| {name.replace('_', ' ')} | {_number(count)} |" for name, count in counts.items()]
    return "\n".join(
        [KILLS, f"{_verdict(complete and clean)}.", "", "| count | |", "|---|---|", *rows, *stated]
    )


def reached(row: Mapping[str, Any]) -> bool | None:
    """Whether the row keeps its limit; None where nothing was asked, or the sample cannot tell."""
    asked, figures = row["asked"], carried(row["figures"])
    if asked is None or asked["figure"] not in figures or figures[asked["figure"]] == TOO_SMALL:
        return None
    value = figures[asked["figure"]]
    return bool(value <= asked["limit"] if asked["at"] == "most" else value >= asked["limit"])


def carried(figures: Mapping[str, Any]) -> dict[str, Any]:
    """The figures, percentiles only as far as n carries them, see `streamer.apps.bench.figures`."""
    n = figures.get("n", math.inf)
    return {
        name: TOO_SMALL if re.fullmatch(r"p[\d.]+", name) and n < needed(name[1:]) else value
        for name, value in figures.items()
    }


def _part(name: str, part: Mapping[str, Any], bench: str) -> str:
    stated = f"`python -m bench.{bench} --only {name}`, {stated_of(part)}"
    tables = [
        "\n".join(_table(list(rows)))
        for _, rows in groupby(part["rows"], key=lambda row: list(row["figures"]))
    ]
    return "\n\n".join([f"### {part['title']}", part["method"], *tables, stated])


def _table(rows: list[Mapping[str, Any]]) -> Iterator[str]:
    """Rows that state the same figures."""
    names = list(rows[0]["figures"])
    yield f"| what | load | {' | '.join(names)} | asked | |"
    yield "|---" * (len(names) + 4) + "|"
    for row in rows:
        figures = " | ".join(map(_number, carried(row["figures"]).values()))
        what = f"{row['what']}, {row['unit']}" if row["unit"] else row["what"]
        yield f"| {what} | {row['load']} | {figures} | {_asked(row)} | {_said_of(row)} |"


def _asked(row: Mapping[str, Any]) -> str:
    asked = row["asked"]
    return f"{asked['figure']} {SIGNS[asked['at']]} {_number(asked['limit'])}" if asked else ""


def _said_of(row: Mapping[str, Any]) -> str:
    verdict = reached(row)
    if verdict is None:
        return "sample too small" if row["asked"] else "stated"
    return _verdict(verdict)


def _verdict(is_reached: bool) -> str:
    return REACHED if is_reached else f"**{NOT_REACHED}**"


def _number(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.0f}" if value == round(value) or abs(value) >= 1000 else f"{value:.4g}"
    return str(value)


SECTIONS: Mapping[str, Callable[[Any], str]] = {
    "bench": frames,
    "bench-gpu": frames,
    "acquisition": acquisition,
    "preview": preview,
    "kills": kills,
}

if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
