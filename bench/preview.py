"""What the live view costs the pipeline, how soon a frame is on the screen, what a page keeps in memory.

    python -m bench.preview --out bench/results/preview.json
    python -m bench.preview --out preview.json --only load --short

Needs a Chromium, at `/usr/bin/chromium`. Parts that are left out stay in the file as they are. The numbers
mean something on a machine that does nothing else.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from bench import preview_load, preview_memory, preview_screen
from bench.acquisition import Part
from bench.measure import Options, machine
from streamer.errors import StreamerError

CONSOLE = Console(stderr=True)
app = typer.Typer(add_completion=False)

PARTS: Mapping[str, Part] = {
    name: Part(title=module.TITLE, method=module.METHOD, run=module.run)
    for name, module in {"load": preview_load, "screen": preview_screen, "memory": preview_memory}.items()
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


@app.command()
def main(
    out: Annotated[Path, typer.Option(help="Results; parts that are not run stay as they are.")],
    only: Annotated[str, typer.Option(help="Parts to run, with commas between them.")] = ",".join(PARTS),
    short: Annotated[bool, typer.Option("--short", help="Tiny sizes: no measurement.")] = False,
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
                parts[name] = measured(name, Options(folder=Path(place), quick=short))
        except StreamerError as error:
            failed = True
            CONSOLE.print(f"{name}: {error}", style="red")
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(parts, indent=2) + "\n", encoding="utf-8")
    raise typer.Exit(int(failed))


if __name__ == "__main__":
    app()
