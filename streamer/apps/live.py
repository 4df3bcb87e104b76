"""A live run: the processor in a process of its own, the view in this one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from streamer.apps.children import Child
from streamer.apps.processor import ProcessorSettings, processor_process
from streamer.apps.watched import NOT_WATCHED, Say, Watched, Watching
from streamer.errors import ProcessDiedError
from streamer.preview import Feed, Snapshot, watch
from streamer.recording import RunFolder, is_run

#: A processor that dies so often in a row without recording a frame will not do better the next time.
FRUITLESS_DEATHS = 10

#: Told the addresses of a processor that is ready.
Told = Callable[[dict[str, Any]], None]


def live(
    settings: ProcessorSettings,
    *,
    console: Console,
    quiet: bool = False,
    watching: Watching = NOT_WATCHED,
    on_ready: Told = lambda ready: None,
    on_words: Say = lambda lines: None,
) -> dict[str, Any]:
    """Wait for a hook, process and show its run until it ends; the run's `Summary` as plain values.

    The summary also holds "report", where the report of the run lies; None where it could not be written.

    A processor that dies without a word is started again and goes on in the same recording: the hook keeps
    meanwhile what comes.

    Args:
        settings: what to run.
        console: where the view goes.
        quiet: no view in the terminal.
        watching: how else it may be watched.
        on_ready: told the addresses of each processor that is ready for the hook.
        on_words: told what the user should know meanwhile, a line each.

    Raises:
        KeyboardInterrupt: Ctrl-C; the recording is closed.
        ProcessDiedError: the processor dies again and again without recording a frame.
        StreamerError: as `streamer.apps.processor.run_processor`.
    """
    with Watched(settings.out, "live", watching, on_words) as watched:
        summary = _until_it_ends(settings, console, quiet, watched, on_ready, on_words)
    return {**summary, "report": watched.report}


def _until_it_ends(
    settings: ProcessorSettings,
    console: Console,
    quiet: bool,
    watched: Watched,
    on_ready: Told,
    on_words: Say,
) -> dict[str, Any]:
    """One processor after the other, should they die."""
    fruitless = 0

    def ready_at(ready: dict[str, Any]) -> None:
        nonlocal settings  # the hook looks for the next processor where it found this one
        settings = replace(settings, endpoint=ready["endpoint"])
        on_ready(ready)
        watched.follow(ready)

    while True:
        before = _rows(settings)
        try:
            with processor_child(settings, on_words) as processor:
                return _one_run(processor, settings.out, console, quiet, ready_at)
        except ProcessDiedError as death:
            fruitless = fruitless + 1 if _rows(settings) == before else 0
            if not is_run(settings.out) or fruitless == FRUITLESS_DEATHS:
                raise
            settings = replace(settings, resume=True, restarted=True)
            on_words([f"{death}; another one goes on"])


def _one_run(processor: Child, run: Path, console: Console, quiet: bool, ready_at: Told) -> dict[str, Any]:
    ready = processor.expect("ready")
    ready_at(ready)
    try:
        follow(ready["preview"], processor, run=run, console=console, quiet=quiet)
    except KeyboardInterrupt:
        processor.finish()
        with contextlib.suppress(ProcessDiedError):  # the user has ended the run: no other one goes on
            processor.expect("summary")
        raise
    summary: dict[str, Any] = processor.expect("summary")
    return summary


def processor_child(settings: ProcessorSettings, on_words: Say = lambda lines: None) -> Child:
    """The processor as a process of its own."""
    words = f"every frame it acknowledged is in {settings.out}"
    return Child("processor", processor_process, settings, if_it_dies=words, on_words=on_words)


def follow(preview: str, *children: Child, run: Path, console: Console, quiet: bool) -> None:
    """Show a run until it is over or one of the processes behind it has something to say."""
    with Feed(preview) as feed:
        watch(
            _Listening(feed, children),
            console=console,
            quiet=quiet,
            over=lambda: any(child.has_news() for child in children),
            run=run,
        )


class _Listening:
    """A feed between whose snapshots the children's words are heard: a fast run leaves no other moment."""

    def __init__(self, feed: Feed, children: Sequence[Child]) -> None:
        self._feed, self._children = feed, children

    def newest(self, timeout_s: float) -> Snapshot | None:
        """The feed's newest."""
        for child in self._children:
            child.has_news()
        return self._feed.newest(timeout_s)


def _rows(settings: ProcessorSettings) -> int:
    """Bytes of rows so far: more of them are more frames."""
    frames = RunFolder(settings.out).frames
    return frames.stat().st_size if frames.exists() else 0
