"""How often are the guards wrong, and how late? Simulated runs whose truth is known, judged as in a real run.

    python -m bench.guards --out bench/results/guards.json --resume --minutes 60
    python -m bench.guards --out bench/results/guards.json --resume --only long-healthy
    python -m bench.guards --out bench/results/guards.json --resume --only time
    python -m bench.guards --out bench/results/guards.json --resume --only table --images docs/images \
        --docs docs/guards.md

Runs are kept one by one beside the results, as JSON lines, so that the study can be done in parts; the tables
are made from whatever is there. `--only time` wants a quiet machine.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from bench.guards_films import Films
from bench.guards_movies import CASES, SEEDS, SMALL_PX, Case
from bench.guards_page import page, put_into
from bench.guards_picture import draw
from bench.guards_runs import BY_PHOTONS, PROFILE, Study, run
from bench.guards_store import Record, Store, usable
from bench.guards_table import tables
from bench.guards_time import times
from bench.measure import machine

CONSOLE = Console(stderr=True)
#: Runs of each case: 93 with one false stop, and 300 without a miss, are what the bounds need.
GOALS = {name: 93 if name.startswith("long") else 100 if name.startswith("gone") else 20 for name in CASES}
#: The same for the short form, and how its runs are shorter and smaller.
QUICK_GOALS = {
    "long-healthy": 1,
    "gone-shutter": 2,
    "gone-detector": 2,
    "gone-background": 2,
    "small-fade-once-250": 1,
    "all-dark": 1,
}
QUICK: Mapping[str, Mapping[str, Any]] = {
    "long-healthy": {"frames": 200, "size_px": SMALL_PX},
    "small-fade-once-250": {"size_px": SMALL_PX},
    "all-dark": {"size_px": SMALL_PX},
}
#: Seeds that each case has of its own: no two share a specimen.
SEEDS_EACH = 1000


def cases_of(quick: bool) -> tuple[Mapping[str, Case], Mapping[str, int]]:
    """Cases by name, and how many runs of each there shall be."""
    if not quick:
        return CASES, GOALS
    return {name: replace(CASES[name], **QUICK.get(name, {})) for name in QUICK_GOALS}, QUICK_GOALS


def still_to_run(
    done: Sequence[Record], goals: Mapping[str, int], only: str = ""
) -> Iterator[tuple[str, int]]:
    """Case and seed of each missing run, always of the case that is farthest from its goal."""
    taken = {(record["case"], record["seed"]) for record in done}
    counts = Counter(name for name, _ in taken)
    names = [name for name in goals if name.startswith(only)]
    while unfinished := [name for name in names if counts[name] < goals[name]]:
        name = min(unfinished, key=lambda name: counts[name] / goals[name])
        first = SEEDS_EACH * list(CASES).index(name)
        seed = next(seed for seed in range(first, first + SEEDS_EACH) if (name, seed) not in taken)
        taken.add((name, seed))
        counts[name] += 1
        yield name, seed


def study(
    store: Store,
    *,
    quick: bool = False,
    only: str = "",
    minutes: float = float("inf"),
    films: Films | None = None,
) -> list[Record]:
    """Run what is missing, as long as there is time; all runs that were judged with today's thresholds."""
    judges, (cases, goals) = Study(), cases_of(quick)
    hashes = {True: judges.thresholds(), False: judges.thresholds(BY_PHOTONS)}
    every = {name: case.every_guard for name, case in CASES.items()}
    done = usable(store.read(), hashes, every)
    until = time.monotonic() + 60 * minutes
    for name, seed in still_to_run(done, goals, only):
        if time.monotonic() > until:
            break
        began = time.process_time()
        store.add(run(judges, name, cases[name], seed, films))
        CONSOLE.print(f"{name} {seed}: {time.process_time() - began:.1f} s of CPU")
    found = usable(store.read(), hashes, every)
    if left_out := len(store.read()) - len(found):
        CONSOLE.print(f"{left_out} runs are of other thresholds or networks, and were left out")
    return found


def results_of(records: Sequence[Record], before: Mapping[str, Any], *, quick: bool) -> dict[str, Any]:
    """What the results file says; `before` is what it said, of which the times are kept."""
    judges = Study()
    return {
        "quick": quick,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "profile": PROFILE,
        "models": [package.id for package in _packages(judges)],
        "seeds": {"first": SEEDS, "each": SEEDS_EACH},
        "goals": dict(cases_of(quick)[1]),
        **tables(records, judges.composer.profile),
        **({"time": before["time"]} if "time" in before else {}),
    }


def _packages(judges: Study) -> tuple[Any, ...]:
    models = judges.composer.models
    return models.denoiser.package, models.segmenter.package


def main(
    out: Annotated[Path, typer.Option(help="JSON to write; runs are kept beside it.")],
    resume: Annotated[bool, typer.Option(help="Go on with the runs that are there.")] = False,
    only: Annotated[str, typer.Option(help="Cases that begin so; or 'time'; or 'table', no runs.")] = "",
    minutes: Annotated[float, typer.Option(help="Begin no run after so many.")] = float("inf"),
    quick: Annotated[bool, typer.Option(help="A few short runs; measures nothing.")] = False,
    films: Annotated[
        Path | None, typer.Option(help="Folder to keep simulated runs in, 150 MB per full run.")
    ] = None,
    images: Annotated[Path | None, typer.Option(help="Folder for pictures.")] = None,
    docs: Annotated[Path | None, typer.Option(help="Page that holds the tables.")] = None,
) -> None:
    """Run, judge, tabulate."""
    store = Store(path=out.with_name(f"{out.stem}_runs.jsonl"))
    if store.path.exists() and not resume:
        raise typer.BadParameter(f"{store.path} holds runs; give --resume to go on, or remove it")
    before = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}
    minutes = 0.0 if only in ("time", "table") else minutes
    records = study(store, quick=quick, only=only, minutes=minutes, films=Films(folder=films))
    if only == "time":
        before = {**before, "time": times(Study())}
    results = results_of(records, before, quick=quick)
    out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if images is not None:
        draw(records, Study().composer.profile, images)
    if docs is not None:
        docs.write_text(put_into(docs.read_text(encoding="utf-8"), results), encoding="utf-8")
    print(page(results))


if __name__ == "__main__":
    typer.run(main)
