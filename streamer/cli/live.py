"""`streamer live`: beside a running acquisition."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from streamer.cli import options
from streamer.wire import DEFAULT_ENDPOINT, DEFAULT_SILENCE_S

EXIT_FAILED, EXIT_STOPPED = 1, 3


def live(
    profile: Annotated[str, typer.Option(help="Hardware profile: name or TOML file.")],
    out: options.Out = None,
    endpoint: Annotated[
        str, typer.Option(help="Loopback address to listen at for the hook.")
    ] = DEFAULT_ENDPOINT,
    silence_s: Annotated[
        float, typer.Option(min=1, max=1e6, help="Close the recording when the hook is silent for so long.")
    ] = DEFAULT_SILENCE_S,
    model: options.Model = None,
    segmenter: options.Segmenter = None,
    engine: options.Engine = "auto",
    precision: options.Precision = "auto",
    threads: options.Threads = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Wait for a hook, then denoise, segment, judge, show and record its frames; a guard may stop it.

    Ctrl-C closes the recording. Exit code 3 says that a guard stopped the run, 1 that frames are missing or
    that the hook went silent.

    Examples:
      streamer live --profile abberior_er_low
      streamer live --profile my_rig.toml --out runs/cell7 --endpoint tcp://127.0.0.1:6000
    """
    from streamer.apps.live import live as run_live
    from streamer.apps.processor import ProcessorSettings

    settings = ProcessorSettings(
        profile=profile,
        out=options.recording(out, "live"),
        endpoint=endpoint,
        silence_s=silence_s,
        models=options.models(model, segmenter, engine, precision, threads),
    )
    console = options.console(as_json)
    with options.interruptible(settings.out):
        summary = run_live(
            settings,
            console=console,
            quiet=quiet or as_json,
            on_ready=lambda address: console.print(f"listening at {address}", highlight=False),
        )
    typer.echo(json.dumps(summary, indent=2) if as_json else options.in_words(summary))
    if summary["silent"] or summary["dropped"]:
        raise typer.Exit(EXIT_FAILED)
    if summary["stop"]:
        raise typer.Exit(EXIT_STOPPED)
