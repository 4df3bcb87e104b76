"""`streamer live`: beside a running acquisition."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from streamer.cli import options
from streamer.cli.groups import Networks, RunPage, Telling, grouped
from streamer.errors import UsageError
from streamer.wire import DEFAULT_ENDPOINT, DEFAULT_SILENCE_S

EXIT_FAILED, EXIT_STOPPED = 1, 3


@grouped
def live(
    *,
    profile: Annotated[
        str | None, typer.Option(help="Hardware profile: name or TOML file; --resume knows it.")
    ] = None,
    out: options.Out = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Go on in this recording, which its processor left.")
    ] = None,
    endpoint: Annotated[
        str, typer.Option(help="Address to listen at for the hook; other than loopback needs --keys.")
    ] = DEFAULT_ENDPOINT,
    keys: Annotated[
        Path | None, typer.Option(help="This side's key file; `streamer keys new` makes them.")
    ] = None,
    silence_s: Annotated[
        float, typer.Option(min=1, max=1e6, help="Close the recording when the hook is silent for so long.")
    ] = DEFAULT_SILENCE_S,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Decide and record, but leave the microscope alone.")
    ] = False,
    operator: Annotated[str, typer.Option(help="Who runs this; for run.json.")] = "",
    sample: Annotated[str, typer.Option(help="What is imaged; for run.json.")] = "",
    dye: Annotated[str, typer.Option(help="What it is stained with; for run.json.")] = "",
    note: Annotated[str, typer.Option(help="Anything else worth knowing later; for run.json.")] = "",
    networks: Networks,
    segment_every: options.SegmentEvery = None,
    calibration: options.Calibration = None,
    page: RunPage,
    control: options.Control = False,
    telling: Telling,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Wait for a hook, then denoise, segment, judge, show and record its frames; a guard may stop it.

    Ctrl-C closes the recording. A processor that dies is started again and goes on in the same recording;
    after a crash of the whole machine, --resume does. Exit code 3 says that a guard stopped the run, 1 that
    frames are missing or that the hook went silent.

    Examples:
      streamer live --profile abberior_er_low
      streamer live --profile my_rig.toml --out runs/cell7 --sample "COS-7, day 3" --dye "SiR-Halo"
      streamer live --resume runs/cell7
    """
    from streamer.apps.live import live as run_live
    from streamer.apps.processor import ProcessorSettings

    if (profile is None) == (resume is None):
        raise UsageError("streamer live: give --profile for a new recording or --resume RUN, one of them")
    if resume and out:
        raise UsageError(f"--out {out}: --resume goes on in {resume}; leave out --out")
    if resume and calibration:
        raise UsageError(
            f"--calibration {calibration}: {resume} holds what was taken from its own; leave it out"
        )
    if resume and segment_every:
        raise UsageError(f"--segment-every {segment_every}: {resume} goes on as it began; leave it out")
    told = {"operator": operator, "sample": sample, "dye": dye, "note": note}
    settings = ProcessorSettings(
        profile=profile,
        out=resume or options.recording(out, "live"),
        resume=resume is not None,
        endpoint=endpoint,
        keys=keys,
        silence_s=silence_s,
        dry_run=dry_run,
        models=networks.settings(),
        segment_every=segment_every,
        calibration=calibration,
        control=control,
        on_stop=telling.on_stop,
        on_decision=telling.on_decision,
        notes={name: words for name, words in told.items() if words},
    )
    hidden = quiet or as_json
    watching, console = page.watching(by_default=not hidden), options.console(as_json)
    with options.interruptible(settings.out):
        summary = run_live(
            settings,
            console=console,
            quiet=hidden,
            watching=watching,
            on_ready=lambda ready: console.print(f"listening at {ready['endpoint']}", highlight=False),
            on_words=options.say_to(console),
        )
    typer.echo(json.dumps(summary, indent=2) if as_json else options.in_words(summary))
    if summary["silent"] or summary["dropped"]:
        raise typer.Exit(EXIT_FAILED)
    if summary["stop"] and "by" not in summary["stop"]:  # what a person asked for was done as asked
        raise typer.Exit(EXIT_STOPPED)
