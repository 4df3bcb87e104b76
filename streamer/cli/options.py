"""Options that several commands share, so that each is described once."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from streamer.shell import quoted

EXIT_CTRL_C = 130

Model = Annotated[str | None, typer.Option(help="Denoiser: id or folder of a model package.")]
Segmenter = Annotated[str | None, typer.Option(help="Segmenter; default the denoiser's partner.")]
Engine = Annotated[
    Literal["auto", "tensorrt", "tensorrt-rtx", "cuda", "openvino-gpu", "openvino", "torch"],
    typer.Option(help="auto takes the fastest that is here and computes rightly."),
]
Precision = Annotated[
    Literal["auto", "f32", "f16", "bf16"],
    typer.Option(help="Of the arithmetic; auto: a lower one where it holds and a trial is faster."),
]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads of the networks; default physical cores.")]
SegmentEvery = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=1000,
        metavar="K",
        help="Segment every K-th frame of a view, carry labels in between; default the profile's.",
    ),
]
Out = Annotated[Path | None, typer.Option(help="Folder of the recording; default runs/<time>.")]
Control = Annotated[
    bool, typer.Option("--control", help="The page may stop, pause and resume the run, and mark moments.")
]
Calibration = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Of `streamer calibrate`, for this profile and these models."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No live view, no page, only the summary.")]
Json = Annotated[bool, typer.Option("--json", help="Print the summary as JSON; no live view, no page.")]


def recording(out: Path | None, kind: str) -> Path:
    """The folder of a new recording: as told, else a fresh one under `runs`."""
    now_s = time.time()
    day = time.strftime("%Y-%m-%dT%H-%M-%S", time.localtime(now_s))
    return out or Path("runs") / f"{kind}-{day}-{int(now_s * 1000) % 1000:03}"


def console(as_json: bool) -> Console:
    """Where views go: beside JSON on stdout, to stderr."""
    return Console(stderr=as_json)


@contextmanager
def interruptible(out: Path) -> Iterator[None]:
    """Ctrl-C, or being asked to terminate, ends with exit code 130; by then the recording is closed."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        # The user has been heard: another Ctrl-C would only tear the end of Python's own, which waits for
        # processes that close the recording. Being asked to terminate still ends that.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        typer.echo(f"interrupted{_left(out)}", err=True)
        raise typer.Exit(EXIT_CTRL_C) from None


def _left(out: Path) -> str:
    """In what state an interrupted run leaves its recording."""
    try:
        state = json.loads((out / "run.json").read_bytes())["state"]
    except (OSError, ValueError, KeyError):
        return ""
    if state == "closed":
        return f"; {out} is closed"
    return f"; streamer live --resume {quoted(out)} goes on in it"


def say_to(console: Console) -> Callable[[list[str]], None]:
    """Lines for the user, beside a live view; an address stays in one piece, so that it can be clicked."""
    return lambda lines: console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)


def afterwards(recording: object, report: object) -> list[str]:
    """Where a run is to be looked at once it is over."""
    return [*([f"report: {report}"] if report else []), f"look back: streamer attach {quoted(recording)}"]


def in_words(summary: Mapping[str, Any]) -> str:
    """A run's `Summary` in a few lines."""
    lag, stop = summary["lag_ms"], summary["stop"]
    lines = [
        f"{summary['received']} frames received, {summary['recorded']} recorded, "
        f"{summary['processed']} processed, {summary['dropped']} dropped",
        f"recording: {summary['recording']}",
        *afterwards(summary["recording"], summary.get("report")),
    ]
    if lag.get("n"):
        lines.insert(1, f"lag {lag['p50']:.0f} ms (p50), {lag['p99']:.0f} ms (p99)")
    if stacks := summary["stacks"]:
        lines.append(
            f"{stacks['border']} of {stacks['slices']} slices lie beyond what signal supports of their "
            "stack; supported_z in the annotated images names the others"
        )
    if summary["first_seq"]:
        lines.append(f"frames before {summary['first_seq']} are in an earlier recording, or with the hook")
    if summary["refused"]:
        lines.append(f"refused messages: {dict(summary['refused'])}")
    if summary["silent"]:
        lines.append("the hook went silent; the recording holds all that arrived")
    return "\n".join([f"frame {stop['frame']}: {stop['reason']}", *lines] if stop else lines)
