"""`streamer replay`: recorded frames through the same path."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from streamer.cli import options
from streamer.cli.groups import Networks, RunPage, grouped

if TYPE_CHECKING:
    from streamer.apps.replay import ReplayReport


@grouped
def replay(
    *,
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="A RUN, OME-Zarr, NDTiff, TIFF files or folders.")
    ],
    out: options.Out = None,
    profile: Annotated[
        str | None, typer.Option(help="Hardware profile; default the one a RUN was recorded under.")
    ] = None,
    offset: Annotated[
        float | None,
        typer.Option(min=-65535, max=65535, help="Grey level of no light, as stored in the files."),
    ] = None,
    pixel_nm: Annotated[
        float | None,
        typer.Option(min=0.001, max=1e6, help="Pixel size; default the recording's or the profile's."),
    ] = None,
    speed: Annotated[
        Literal["realtime", "max"],
        typer.Option(help="At the pace of the acquisition, or at full speed."),
    ] = "max",
    networks: Networks,
    segment_every: options.SegmentEvery = None,
    calibration: options.Calibration = None,
    page: RunPage,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Denoise, segment, judge and record recorded frames anew; a RUN's verdicts are compared.

    Examples:
      streamer replay runs/demo-2026-05-01T10-00-00
      streamer replay images/ --profile abberior_er_low --offset 32768 --out runs/images
    """
    from streamer.apps.replay import ReplaySettings
    from streamer.apps.replay import replay as run_replay

    settings = ReplaySettings(
        paths=tuple(paths),
        out=options.recording(out, "replay"),
        profile=profile,
        offset_adu=offset,
        pixel_nm=pixel_nm,
        models=networks.settings(),
        segment_every=segment_every,
        calibration=calibration,
        speed=speed,
    )
    watching, console = page.watching(by_default=False), options.console(as_json)
    with options.interruptible(settings.out), _progress(console, quiet or as_json) as tick:
        report = run_replay(settings, watching=watching, on_frame=tick, on_words=options.say_to(console))
    typer.echo(json.dumps(asdict(report), indent=2) if as_json else _in_words(report))


@contextmanager
def _progress(console: Console, hidden: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar with the time left, from the first frame on; what to tell it is frames done, of how many."""
    columns = (TextColumn("replay"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=hidden) as bar:
        task = bar.add_task("replay", total=None, visible=False)
        yield lambda done, of: bar.update(task, completed=done, total=of, visible=True)


def _in_words(report: ReplayReport) -> str:
    lines = list(report.notes)
    for guard, counts in report.verdicts.items():
        said = ", ".join(f"{status} {frames}" for status, frames in sorted(counts.items()))
        lines.append(f"{guard}: {said}; {report.words[guard]}")
    if (compared := report.comparison) is not None:
        lines.append(f"verdicts: {compared.identical} of {compared.frames} frames as in the recorded run")
        if compared.differing:
            lines.append(f"differing frames: {', '.join(map(str, compared.differing))}")
        if compared.models_changed:
            lines.append(f"other files than in the recorded run: {', '.join(compared.models_changed)}")
        if compared.engines_changed:
            lines.append(f"computed otherwise than then: {'; '.join(compared.engines_changed)}")
    return "\n".join([*lines, options.in_words(asdict(report.summary) | {"report": report.report})])
