"""`streamer bench`: what a frame costs on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from streamer.cli import options
from streamer.cli.groups import Networks, grouped
from streamer.errors import UsageError

app = typer.Typer(invoke_without_command=True)

#: Wide enough for a table of percentiles where the terminal does not say how wide it is.
WIDTH = 110


@app.callback()
@grouped
def bench(
    *,
    context: typer.Context,
    full: Annotated[
        bool, typer.Option("--full/--quick", help="Samples for p99, or all within five minutes.")
    ] = False,
    scenario: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this one; may be given again; see --list."),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Name the scenarios and leave.")] = False,
    baseline: Annotated[
        bool,
        typer.Option("--baseline", help="Measure what a user would write instead, too, in the same rounds."),
    ] = False,
    camera: Annotated[
        Literal["replayed", "rig"],
        typer.Option(help="Frames made beforehand, or for sted-600 a simulated rig on a real engine."),
    ] = "replayed",
    networks: Networks,
    segment_every: options.SegmentEvery = None,
    json_path: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write everything that was measured.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw it: .png, or .html with all tables.")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where to record meanwhile; default the system's temporary folder."),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            min=0.1, max=1e5, help="For each phase, instead of the form's, to try it or to look longer."
        ),
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=32, max=8192, help="Pixels of square frames, to try it; no measurement.")
    ] = None,
) -> None:
    """Measure latency and throughput end to end, idle and saturated, stage by stage.

    A camera's process hands simulated frames to the real hook; the real processor denoises, segments, judges
    and records them in a folder that is removed afterwards. How long it will take is said before it begins.

    Examples:
      streamer bench
      streamer bench --scenario sted-600 --baseline --json out.json --picture out.png
      streamer bench --full --json full.json
      streamer bench compare before.json after.json
    """
    if context.invoked_subcommand is not None:
        return
    from streamer.apps.bench.report import write_report
    from streamer.apps.bench.run import BenchSettings
    from streamer.apps.bench.run import bench as measure
    from streamer.apps.bench.scenarios import SCENARIOS, in_words
    from streamer.apps.bench.tables import tables

    if list_:
        for one in SCENARIOS.values():
            typer.echo(f"{one.name:18} {one.words}")
        return
    _check_files(json_path, picture)
    settings = BenchSettings(
        scenarios=tuple(scenario or ()),
        form="full" if full else "quick",
        baseline=baseline,
        models=networks.settings(),
        segment_every=segment_every,
        camera=camera,
        folder=folder,
        seconds=seconds,
        size_px=size,
    )
    planned_s, terminal = settings.planned_s, Console(stderr=True)
    form = "full" if full else "quick; --full carries further percentiles and takes longer"
    terminal.print(f"this takes {in_words(planned_s)} ({form})", highlight=False)
    with options.interruptible(Path("bench.json")), _progress(terminal, planned_s) as tick:
        report = measure(settings, tick=tick)
    if json_path:
        write_report(report, json_path)
    if picture:
        from streamer.apps.bench.picture import draw

        draw(report, picture)
    out = Console()
    out = out if out.is_terminal else Console(width=WIDTH)
    for part in tables(report):
        out.print(part, highlight=False, markup=False)


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(metavar="A.json", help="Before: of `streamer bench --json`.")],
    second: Annotated[Path, typer.Argument(metavar="B.json", help="After.")],
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Compare measurements of unlike machines, with a warning.")
    ] = False,
) -> None:
    """The medians of B over those of A, stage by stage: faster, slower, or no difference seen.

    Example: streamer bench compare before.json after.json
    """
    from streamer.apps.bench.compare import compare as hold_against
    from streamer.apps.bench.report import read_report
    from streamer.apps.bench.tables import comparison_table

    found = hold_against(read_report(first), read_report(second), anyway=anyway)
    out = Console()
    out = out if out.is_terminal else Console(width=WIDTH)
    for part in comparison_table(found):
        out.print(part, highlight=False, markup=False)


def _check_files(json_path: Path | None, picture: Path | None) -> None:
    """Before anything is measured: what cannot be written is known now.

    Raises:
        UsageError: so it is.
    """
    if picture and picture.suffix.lower() not in (".png", ".html"):
        raise UsageError(f"--picture {picture}: unknown kind of file; use .png or .html")
    for option, path in (("--json", json_path), ("--picture", picture)):
        if path is not None and path.is_dir():
            raise UsageError(f"{option} {path}: is a folder; name a file")
        if path is not None and not path.parent.is_dir():
            raise UsageError(f"{option} {path}: {path.parent} is no folder; make it first")


@contextmanager
def _progress(console: Console, planned_s: float) -> Iterator[Callable[[str, float], None]]:
    """A bar of what was planned; what to tell it is what is being done, and how much of the plan is over."""
    words = TextColumn(f"of about {planned_s:.0f} s, {{task.description}}")
    columns = (BarColumn(), TimeElapsedColumn(), words)
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=planned_s)
        said = ""

        def tick(words: str, seconds: float) -> None:
            nonlocal said
            bar.update(task, completed=min(seconds, planned_s), description=words)
            if not console.is_terminal and words != said:
                said = words
                console.print(words, highlight=False)

        yield tick
