"""What the hook costs an acquisition, how fast frames and stops travel, what a long run keeps.

    python -m bench.acquisition --out bench/results/acquisition.json
    python -m bench.acquisition --only stop --quick

Each part runs in a process of its own, because a Micro-Manager core is one per process, and says when and on
what machine it ran. Parts that are left out stay in the file as they are.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from bench import callback, long, rate, stop, transport
from bench.measure import Options, Row, machine
from streamer.apps.children import Child
from streamer.errors import StreamerError

CONSOLE = Console(stderr=True)
app = typer.Typer(add_completion=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One group of numbers: its heading, how they are taken, and what takes them."""

    title: str
    method: str
    run: Callable[[Options], list[Row]]


PARTS: Mapping[str, Part] = {
    name: Part(title=module.TITLE, method=module.METHOD, run=module.run)
    for name, module in {
        "callback": callback,
        "rate": rate,
        "transport": transport,
        "stop": stop,
        "long": long,
    }.items()
}


def measured(name: str, options: Options) -> dict[str, Any]:
    """One part with all that its numbers depend on, as plain values."""
    part, started_s = PARTS[name], time.monotonic()
    stated = {
        "title": part.title,
        "method": part.method,
        "quick": options.quick,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_before": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "machine": machine(),
    }
    rows = [asdict(row) for row in part.run(options)]
    return {**stated, "seconds": round(time.monotonic() - started_s, 1), "rows": rows}


def part_process(told: tuple[str, Options], link: Connection) -> None:
    """Target of a part's process."""
    try:
        answer: dict[str, Any] = {"part": measured(*told)}
    except StreamerError as error:
        answer = {"error": str(error), "exit_code": error.exit_code}
    link.send_bytes(json.dumps(answer).encode())


def in_own_process(name: str, options: Options) -> dict[str, Any]:
    """`measured` in a fresh process.

    Raises:
        StreamerError: the part failed, or its process died.
    """
    with Child(name, part_process, (name, options), if_it_dies="its part is missing") as child:
        part: dict[str, Any] = child.expect("part")
    return part


@app.command()
def main(
    out: Annotated[Path, typer.Option(help="Results; parts that are not run stay as they are.")],
    only: Annotated[str, typer.Option(help="Parts to run, with commas between them.")] = ",".join(PARTS),
    quick: Annotated[bool, typer.Option("--quick", help="Tiny sizes: no measurement.")] = False,
    with_inference: Annotated[
        bool, typer.Option("--with-inference", help="Long run, again with it.")
    ] = False,
    folder: Annotated[Path | None, typer.Option(help="Disk for recordings; default the system's.")] = None,
) -> None:
    """Run the parts and write what they measured."""
    chosen = only.split(",")
    if unknown := set(chosen) - set(PARTS):
        raise typer.BadParameter(f"no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    parts = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}
    failed = False
    for name in chosen:
        CONSOLE.print(f"{name} ...")
        try:
            with tempfile.TemporaryDirectory(dir=folder, prefix=f"bench-{name}-") as place:
                options = Options(folder=Path(place), quick=quick, with_inference=with_inference)
                parts[name] = in_own_process(name, options)
        except StreamerError as error:
            failed = True
            CONSOLE.print(f"{name}: {error}", style="red")
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(parts, indent=2) + "\n", encoding="utf-8")
    raise typer.Exit(int(failed))


if __name__ == "__main__":
    app()
