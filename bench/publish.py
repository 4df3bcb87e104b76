"""docs/performance.md from the numbers in bench/results: python -m bench.publish"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

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
SIGNS = {"most": "<=", "least": ">="}


def page(results: Path = RESULTS) -> str:
    """The page as the template and the results make it."""
    text = TEMPLATE.read_text(encoding="utf-8")
    for name, section in SECTIONS.items():
        file = results / f"{name}.json"
        said = section(json.loads(file.read_text(encoding="utf-8")) if file.exists() else None)
        text = text.replace(f"<!-- {name} -->", said)
    return text


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
    stated = ["", f"{_machine(report['machine'])}."] if "machine" in report else []
    counts = {name: count for name, count in report.items() if name != "machine"}
    rows = [f"| {name.replace('_', ' ')} | {_number(count)} |" for name, count in counts.items()]
    return "\n".join(
        [KILLS, f"{_verdict(complete and clean)}.", "", "| count | |", "|---|---|", *rows, *stated]
    )


def reached(row: Mapping[str, Any]) -> bool | None:
    """Whether the row keeps its limit; None where nothing was asked, or the sample cannot tell."""
    asked = row["asked"]
    if asked is None or asked["figure"] not in row["figures"]:
        return None
    value = row["figures"][asked["figure"]]
    return bool(value <= asked["limit"] if asked["at"] == "most" else value >= asked["limit"])


def _part(name: str, part: Mapping[str, Any], bench: str) -> str:
    quick = " **A quick run: no measurement.**" if part["quick"] else ""
    load = "unknown" if part["load_before"] is None else f"{part['load_before']:.2f}"
    stated = (
        f"`python -m bench.{bench} --only {name}`, {part['date']}, load before {load}; "
        f"{_machine(part['machine'])}.{quick}"
    )
    tables = [
        "\n".join(_table(list(rows)))
        for _, rows in groupby(part["rows"], key=lambda row: list(row["figures"]))
    ]
    return "\n\n".join([f"### {part['title']}", part["method"], *tables, stated])


def _machine(machine: Mapping[str, Any]) -> str:
    amx = "with" if (machine["flags"] or {}).get("amx_bf16") else "without"
    return (
        f"{machine['cpu']}, {machine['physical_cores']} cores, {machine['instruction_set']}, {amx} AMX, "
        f"{machine['ram_gb']} GB, {machine['system']}, Python {machine['versions']['python']}"
    )


def _table(rows: list[Mapping[str, Any]]) -> Iterator[str]:
    """Rows that state the same figures."""
    names = list(rows[0]["figures"])
    yield f"| what | load | {' | '.join(names)} | asked | |"
    yield "|---" * (len(names) + 4) + "|"
    for row in rows:
        figures = " | ".join(_number(row["figures"][name]) for name in names)
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
    return "reached" if is_reached else "**not reached**"


def _number(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.0f}" if value == round(value) or abs(value) >= 1000 else f"{value:.4g}"
    return str(value)


SECTIONS = {
    "bench": frames,
    "bench-gpu": frames,
    "acquisition": acquisition,
    "preview": preview,
    "kills": kills,
}

if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
