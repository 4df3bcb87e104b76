"""Tables as a terminal and a page show them, and the words around them: where, when, and what was asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.models_words import markdown

Report = Mapping[str, Any]
REACHED, NOT_REACHED, NOT_MEASURED = "reached", "not reached", "not measured"
NEEDS_AMX = f"{NOT_MEASURED}: needs AMX"
#: A terminal that is narrower, or none at all, gets lines of this width.
WIDTH = 130
#: Libraries that compute, as `measure.machine` names their versions.
LIBRARIES = ("torch", "openvino", "onnxruntime")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A table of words, the first column to the left; `note` stands below it."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def on_page(self) -> str:
        """In Markdown; what was not reached stands out."""
        bold = {NOT_REACHED: f"**{NOT_REACHED}**"}
        table = markdown(self.heads, ([bold.get(cell, cell) for cell in row] for row in self.rows))
        return f"{table}\n\n{self.note}" if self.note else table

    def show(self, title: str) -> None:
        """On the terminal."""
        table = Table(title=title, caption=self.note or None)
        for number, head in enumerate(self.heads):
            table.add_column(head, justify="right" if number else "left")
        for row in self.rows:
            table.add_row(*map(Text, row))
        Console(width=max(Console().width, WIDTH)).print(table)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Something asked, what was found, and whether that is enough; None where nothing tells."""

    asked: str
    found: str
    kept: bool | None
    needs_amx: bool = False


def limits_sheet(report: Report, limits: Iterable[Limit]) -> Sheet:
    """Each limit with its verdict."""
    rows = tuple((limit.asked, limit.found, verdict(report, limit.kept, limit.needs_amx)) for limit in limits)
    return Sheet(heads=("asked", "found", ""), rows=rows)


def verdict(report: Report, kept: bool | None, needs_amx: bool = False) -> str:
    """Whether a limit is kept; a run without what it needs, or a quick one, cannot tell."""
    if needs_amx and not report["amx"]:
        return NEEDS_AMX
    if kept is None or report["quick"]:
        return NOT_MEASURED
    return REACHED if kept else NOT_REACHED


def section(report: Report, *sheets: Sheet) -> str:
    """The sheets, and when, where and how they were measured."""
    stated = f"`{report['command']}`, {stated_of(report, libraries(report))}"
    return "\n\n".join([*(sheet.on_page() for sheet in sheets if sheet.rows), stated])


def stated_of(report: Report, *more: str) -> str:
    """When, under which load, where and with what something was measured, as `measure.begun` found it."""
    quick = " **A quick run: no measurement.**" if report["quick"] else ""
    load = "unknown" if report["load_before"] is None else f"{report['load_before']:.2f}"
    where = ", ".join([machine_in_words(report["machine"]), *more])
    return f"{report['date']}, load before {load}; {where}.{quick}"


def machine_in_words(machine: Report) -> str:
    """Where something was measured."""
    amx = "with" if (machine["flags"] or {}).get("amx_bf16") else "without"
    return (
        f"{machine['cpu']}, {machine['physical_cores']} cores, {machine['instruction_set']}, {amx} AMX, "
        f"{machine['ram_gb']} GB, {machine['system']}, Python {machine['versions']['python']}"
    )


def libraries(report: Report) -> str:
    """Versions of what computed."""
    versions = report["machine"]["versions"]
    return ", ".join(f"{name} {versions.get(name, 'not installed')}" for name in LIBRARIES)


def times(value: Mapping[str, float]) -> str:
    """A ratio of `measure.ratio` with its interval."""
    return f"{value['ratio']:.2f}x ({value['low']:.2f}-{value['high']:.2f})"
