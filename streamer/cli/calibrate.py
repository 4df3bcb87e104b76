"""`streamer calibrate`: what a camera's grey levels are, and what a model and the guards make of no light."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from streamer.cli import options
from streamer.cli.groups import Networks, grouped
from streamer.errors import UsageError
from streamer.shell import quoted

if TYPE_CHECKING:
    from streamer.apps.calibrate import CalibrateReport
    from streamer.apps.calibrate_camera import CameraReport

_CAMERA, _NULLS, _SIMULATED = "Camera", "Guards", "Simulated frames"


@grouped
def calibrate(
    *,
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="Of the rig: a name, or a TOML file.")],
    dark: Annotated[
        Path | None, typer.Option(help="Movie of the rig without light: a RUN, OME-Zarr, NDTiff or TIFF.")
    ] = None,
    photon_transfer: Annotated[
        bool,
        typer.Option(
            "--photon-transfer",
            help="Measure gain, offset and read noise from --flat and --dark.",
            rich_help_panel=_CAMERA,
        ),
    ] = False,
    flat: Annotated[
        Path | None, typer.Option(help="Series of evenly lit frames.", rich_help_panel=_CAMERA)
    ] = None,
    write: Annotated[
        Path | None,
        typer.Option(metavar="NEW.toml", help="Write a profile with them.", rich_help_panel=_CAMERA),
    ] = None,
    simulate: Annotated[
        str | None,
        typer.Option(
            metavar="dark,er",
            help="Frames without light, a healthy structure, or both.",
            rich_help_panel=_NULLS,
        ),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(help="Recording of a healthy specimen on this rig.", rich_help_panel=_NULLS),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Of the calibration; default PROFILE-MODEL.calibration.json.",
            rich_help_panel=_NULLS,
        ),
    ] = None,
    frames: Annotated[
        int | None,
        typer.Option(help="To simulate; default 300 dark, 60 healthy.", rich_help_panel=_SIMULATED),
    ] = None,
    size_px: Annotated[
        int | None, typer.Option(help="Their size; default the profile's.", rich_help_panel=_SIMULATED)
    ] = None,
    dark_counts: Annotated[
        float | None,
        typer.Option(min=0, help="Dark counts per second and pixel.", rich_help_panel=_SIMULATED),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=10**6, rich_help_panel=_SIMULATED)] = 0,
    networks: Networks,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure a camera, or what a model and the guards make of frames without light.

    Details: docs/calibrating.md.

    Examples:
      streamer calibrate rig2 --photon-transfer --flat flat.tif --dark dark.tif --write rig2b.toml
      streamer calibrate rig2b.toml --model er-denoise-live --dark dark.tif
      streamer calibrate abberior_er_low --simulate dark,er
    """
    console = options.console(as_json)
    try:
        with _progress(console, quiet or as_json) as tick:
            if photon_transfer or flat or write:
                told = (simulate, run, out, frames, size_px, dark_counts)
                _require_photon_transfer(photon_transfer, flat, dark, any(each is not None for each in told))
                lines = _camera(profile, flat, dark, write, force, as_json, tick)
            else:
                from streamer.apps.calibrate import CalibrateSettings
                from streamer.apps.calibrate import calibrate as run_calibration

                report = run_calibration(
                    CalibrateSettings(
                        profile=profile,
                        models=networks.settings(),
                        dark=dark,
                        run=run,
                        simulate=_names(simulate),
                        frames=frames,
                        size_px=size_px,
                        seed=seed,
                        dark_counts_per_s=dark_counts,
                        out=out,
                        force=force,
                    ),
                    tick,
                )
                lines = _of_guards(report, as_json)
    except KeyboardInterrupt:
        typer.echo("interrupted; nothing was written", err=True)
        raise typer.Exit(options.EXIT_CTRL_C) from None
    typer.echo("\n".join(lines))


def _names(simulate: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (simulate or "").split(",") if part.strip())


def _require_photon_transfer(asked: bool, flat: Path | None, dark: Path | None, other: bool) -> None:
    if not asked:
        raise UsageError("--flat and --write: are of --photon-transfer; add it, or leave them out")
    if flat is None or dark is None:
        missing = "--flat" if flat is None else "--dark"
        raise UsageError(
            f"{missing}: is missing; --photon-transfer needs a series of evenly lit frames and one without "
            "light: --flat PATH --dark PATH"
        )
    if other:
        raise UsageError("--photon-transfer: measures the camera and no model; leave other options out")


def _camera(
    profile: str,
    flat: Path | None,
    dark: Path | None,
    write: Path | None,
    force: bool,
    as_json: bool,
    tick: Callable[[str, int, int], None],
) -> list[str]:
    from streamer.apps.calibrate_camera import CameraSettings, calibrate_camera

    assert flat is not None
    assert dark is not None
    report = calibrate_camera(
        CameraSettings(profile=profile, flat=flat, dark=dark, write=write, force=force), tick
    )
    return [json.dumps(asdict(report), indent=1)] if as_json else list(_in_words(report))


def _of_guards(report: CalibrateReport, as_json: bool) -> list[str]:
    if not as_json:
        return [*report.words, str(report.path)]
    stored = report.calibration.model_dump(mode="json")
    return [json.dumps({"path": str(report.path), "words": report.words, "calibration": stored}, indent=1)]


def _in_words(report: CameraReport) -> Iterator[str]:
    found = report.found
    yield from (f"warning: {line}" for line in found.warnings)
    yield f"the flat has {found.flat_photons:.3g} photo-electrons a pixel"
    if found.hot:
        first = ", ".join(f"[{y}, {x}]" for y, x in found.hot_px[:5])
        more = ", ..." if found.hot > 5 else ""
        yield f"{found.hot} hot or noisy pixels are left out: {first}{more}"
    yield "\n".join(["", "[detector.calibration]", *report.toml.values(), ""])
    if report.written:
        yield f"{report.written} written; check it: streamer profiles check {quoted(report.written)}"


@contextmanager
def _progress(console: Console, hidden: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A bar with the time left for each stage."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=console, disable=hidden, transient=True) as bar:

        def tick(stage: str, done: int, of: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=of)
            bar.update(tasks[stage], completed=done, total=of)

        yield tick
