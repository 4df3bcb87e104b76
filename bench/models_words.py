"""Numbers of docs/models.md as words: cells with intervals, verdicts, tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

#: Names of the trained baselines, without which a comparison is not complete.
REQUIRED_BASELINES = ("Noise2Void", "CARE U-Net")
UNDEFINED = "none"


def between(value: float | None, digits: int) -> str:
    """A number, or that there is none."""
    return UNDEFINED if value is None else f"{value:.{digits}f}"


def interval(ends: Sequence[float] | None, digits: int) -> str:
    """As in " (27.1 to 28.4)"; empty where there is none."""
    return "" if ends is None else f" ({ends[0]:.{digits}f} to {ends[1]:.{digits}f})"


def cell(found: Mapping[str, Any], digits: int) -> str:
    """A value with its interval."""
    return between(found["value"], digits) + interval(found["interval_95"], digits)


def percent(found: Mapping[str, Any]) -> str:
    """A share as a percentage with its interval."""
    if found["value"] is None:
        return UNDEFINED
    ends = found["interval_95"]
    shown = None if ends is None else [100 * end for end in ends]
    return f"{100 * found['value']:.2f} %{interval(shown, 2)}"


def reached(value: float | None, low: float | None = None, high: float | None = None) -> str:
    """Whether a value lies within what is asked, ends included."""
    if value is None or (low is not None and value < low) or (high is not None and value > high):
        return "**not reached**"
    return "reached"


def markdown(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table."""
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def machine_words(machine: Mapping[str, Any]) -> str:
    """Where it ran."""
    return (
        f"{machine['cpu']}, {machine['physical_cores']} cores, {machine['instruction_set']}, "
        f"Python {machine['versions']['python']}"
    )


def standing_of_ours(rows: Sequence[Mapping[str, Any]], name: str) -> str:
    """Best, equal-best with whom, or not reached because of whom, of raw, filters and baselines."""
    others = [row for row in rows if row["kind"] in ("raw", "filter", "baseline")]
    by = {
        word: [row["method"] for row in others if row["against"][name]["standing"] == word]
        for word in ("better", "equal")
    }
    if by["better"]:
        return f"**not reached**: {', '.join(by['better'])} better"
    return f"equal-best with {', '.join(by['equal'])}" if by["equal"] else "best"


def name_of(row: Mapping[str, Any]) -> str:
    """A method, in bold where it is ours."""
    return f"**{row['method']}**" if row["kind"] == "ours" else str(row["method"])
