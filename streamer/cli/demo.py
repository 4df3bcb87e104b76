"""`streamer demo`: the whole product, without a microscope."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import typer

from streamer.cli import options
from streamer.cli.groups import Networks, RunPage, Telling, grouped
from streamer.shell import quoted


@grouped
def demo(
    *,
    out: options.Out = None,
    seed: Annotated[int, typer.Option(min=0, help="Of specimen and photons.")] = 1,
    scenario: Annotated[
        Literal["healthy", "bleach", "shutter", "defocus", "leave", "dark"],
        typer.Option(
            help="What happens: nothing, the dye fades, light, focus or cell are lost, or all dark."
        ),
    ] = "bleach",
    bleaching: Annotated[
        float | None,
        typer.Option(min=0, max=1e4, help="Times the demo's rate: 0.5 stops later, 0 never."),
    ] = None,
    frames: Annotated[
        int | None, typer.Option(min=1, help="Frames planned; default as the scenario needs.")
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=64, max=4096, help="Frame height and width in pixels; default 600.")
    ] = None,
    frame_ms: Annotated[
        float | None,
        typer.Option(min=1, max=600_000, help="Time an exposure takes; default the profile's."),
    ] = None,
    profile: Annotated[str, typer.Option(help="Hardware profile of the simulated rig.")] = "abberior_er_low",
    policy: Annotated[
        Literal["lossless", "latest"], typer.Option(help="Process every frame, or only the newest.")
    ] = "lossless",
    networks: Networks,
    calibration: options.Calibration = None,
    page: RunPage,
    control: options.Control = False,
    telling: Telling,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """A simulated low-dose STED run on a real acquisition engine, until a guard stops it; two minutes.

    Examples:
      streamer demo
      streamer demo --bleaching 0 --frames 50
      streamer demo --scenario defocus
      streamer demo --json --seed 3 > run.json
    """
    from streamer.apps.demo import DemoSettings
    from streamer.apps.demo import demo as run_demo
    from streamer.apps.scenarios import SCENARIOS

    usual = SCENARIOS[scenario]
    settings = DemoSettings(
        out=options.recording(out, "demo"),
        profile=profile,
        frames=usual.frames if frames is None else frames,
        bleaching=usual.bleaching if bleaching is None else bleaching,
        seed=seed,
        shape_yx=(size, size) if size else None,
        frame_ms=frame_ms,
        policy=policy,
        models=networks.settings(),
        calibration=calibration,
        control=control,
        scenario=scenario,
        on_stop=telling.on_stop,
        on_decision=telling.on_decision,
    )
    hidden = quiet or as_json
    watching, console = page.watching(by_default=not hidden), options.console(as_json)
    with options.interruptible(settings.out):
        report = run_demo(
            settings, console=console, quiet=hidden, watching=watching, on_words=options.say_to(console)
        )
    typer.echo(json.dumps(report, indent=2) if as_json else _in_words(report))
    if not report["as_it_should"]:
        raise typer.Exit(1)


#: What became of the frames, in the order of their way.
COUNTS = ("exposed", "acquired", "recorded", "processed", "dropped")


def _in_words(report: dict[str, Any]) -> str:
    lag, stop = report["lag_ms"], report["stop"]
    equal = "equal" if report["raw_equals_exposed"] else "DIFFER from"
    ended = (
        f"frame {stop['frame']}: {stop['reason']}" if stop else f"not stopped in {report['exposed']} frames"
    )
    as_it_should = "as it should" if report["as_it_should"] else "NOT as it should"
    counts = ", ".join(f"{report[word]} {word}" for word in COUNTS)
    return "\n".join(
        [
            f"{ended} ({as_it_should})",
            f"frames: {counts}; recorded pixels {equal} the camera's",
            f"lag {lag.get('p50', 0):.0f} ms (p50), {lag.get('p99', 0):.0f} ms (p99); "
            f"queue at most {report['waiting_max']}",
            f"recording: {report['recording']}",
            *options.afterwards(report["recording"], report["report"]),
            f"replay it: streamer replay {quoted(report['recording'])}",
        ]
    )
