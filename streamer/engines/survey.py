"""One package on every engine of this machine: how far each strays, and how long it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from streamer.engines.check import Agreement, agreement
from streamer.engines.choice import Tried, in_words
from streamer.engines.cpu import usable_cores
from streamer.engines.key import Engine, Precision
from streamer.engines.ladder import LADDER, LAST_RESORT, absence, absences, precisions
from streamer.engines.select import compile_one, for_test, in_one_line
from streamer.engines.trial import timed
from streamer.errors import StreamerError
from streamer.package import ModelPackage

#: sound: within tolerance. strays: not. cannot: this package does not run on this engine; its words say why.
Verdict = Literal["sound", "strays", "cannot"]
#: Every engine is timed for so many frames, or until its share of the time is spent.
ROUNDS, BUDGET_S = 7, 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One engine at one precision.

    Attributes:
        engine, precision: which.
        verdict: what came of it.
        words: why not; empty where it is sound.
        agreement: with the test output; None where it gave none.
        shape_yx: of the frames that were timed.
        ms: median time of a frame; None where it was not timed.
        n: frames timed.
        threads: it computed with.
    """

    engine: str
    precision: Precision | Literal["-"]
    verdict: Verdict
    words: str = ""
    agreement: Agreement | None = None
    shape_yx: tuple[int, int] | None = None
    ms: float | None = None
    n: int = 0
    threads: int | None = None


def survey(
    package: ModelPackage,
    *,
    engines: Sequence[str] = LADDER,
    precision: Precision | None = None,
    shape_yx: tuple[int, int] | None = None,
    threads: int | None = None,
) -> list[Row]:
    """A row for each precision that each present engine offers; absent engines are left out.

    Args:
        package: the model.
        engines: names, or all of the ladder.
        precision: only this one, where the engine offers it.
        shape_yx: of the frames that are timed; None takes the test input's.
        threads: of engines on the processor; None takes the physical cores.
    """
    height, width = package.test_input().shape[-2:]
    shape = shape_yx or (height, width)
    rows: list[Row] = []
    compiled: dict[int, Engine] = {}
    for name in (name for name in engines if absence(name) is None):
        try:
            offered = [each for each in precisions(name) if precision in (None, each)]
        except StreamerError as error:
            rows.append(Row(engine=name, precision="-", verdict="cannot", words=str(error)))
            continue
        for each in offered:
            row, engine = _row(package, name, each, shape, threads or usable_cores())
            if engine is not None:
                compiled[len(rows)] = engine
            rows.append(row)
    return _with_times(rows, compiled, shape)


def auto_of(rows: Sequence[Row]) -> str:
    """What `auto` takes by these rows, in one line; empty where it can take none."""
    tried = [
        Tried(row.engine, row.precision, row.ms)
        for row in rows
        if row.verdict == "sound" and row.ms is not None and row.precision != "-"
    ]
    refused = [row.words for row in rows if row.verdict != "sound" and row.engine != LAST_RESORT]
    return in_words(tried, refused=refused, absent=absences()) if tried else ""


def _row(
    package: ModelPackage, name: str, precision: Precision, shape_yx: tuple[int, int], threads: int
) -> tuple[Row, Engine | None]:
    """How far the engine strays, and itself for the frames that will be timed."""
    row = Row(engine=name, precision=precision, verdict="sound", threads=threads)
    try:
        found = agreement(package, for_test(package, name, precision, threads))
    except StreamerError as error:
        return replace(row, verdict="cannot", words=str(error)), None
    except RuntimeError as error:
        return replace(row, verdict="cannot", words=in_one_line(name, precision, error)), None
    row = replace(row, agreement=found)
    if not found.holds:
        row = replace(row, verdict="strays", words=f"{name} {precision} strays")
    try:
        return row, compile_one(package, shape_yx, name, precision, threads)
    except StreamerError as error:  # sound, but not for frames of this shape
        return replace(row, words=str(error)), None


def _with_times(rows: list[Row], compiled: dict[int, Engine], shape_yx: tuple[int, int]) -> list[Row]:
    try:
        times = timed(list(compiled.values()), rounds=ROUNDS, budget_s=BUDGET_S)
    except RuntimeError as error:
        words = f"frames of {list(shape_yx)}: {str(error).splitlines()[0][:200]}"
        return [replace(row, words=row.words or words) for row in rows]
    for index, time in zip(compiled, times, strict=True):
        rows[index] = replace(rows[index], shape_yx=shape_yx, ms=time.ms, n=time.n)
    return rows
