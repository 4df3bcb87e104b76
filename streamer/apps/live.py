"""A live run: the processor in a process of its own, the view in this one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.console import Console

from streamer.apps.children import Child
from streamer.apps.processor import ProcessorSettings, processor_process
from streamer.preview import Feed, watch


def live(
    settings: ProcessorSettings,
    *,
    console: Console,
    quiet: bool = False,
    on_ready: Callable[[str], None] = lambda endpoint: None,
) -> dict[str, Any]:
    """Wait for a hook, process and show its run until it ends; the run's `Summary` as plain values.

    Args:
        settings: what to run.
        console: where the view goes.
        quiet: no view.
        on_ready: told the address to give to the hook.

    Raises:
        KeyboardInterrupt: Ctrl-C; the recording is closed.
        StreamerError: as `streamer.apps.processor.run_processor`.
    """
    with processor_child(settings) as processor:
        ready = processor.expect("ready")
        on_ready(ready["endpoint"])
        try:
            follow(ready["preview"], processor, console=console, quiet=quiet)
        except KeyboardInterrupt:
            processor.finish()
            processor.expect("summary")
            raise
        summary: dict[str, Any] = processor.expect("summary")
        return summary


def processor_child(settings: ProcessorSettings) -> Child:
    """The processor as a process of its own."""
    words = f"every frame it acknowledged is in {settings.out}"
    return Child("processor", processor_process, settings, if_it_dies=words)


def follow(preview: str, *children: Child, console: Console, quiet: bool) -> None:
    """Show a run until it is over or one of the processes behind it has something to say."""
    with Feed(preview) as feed:
        watch(feed, console=console, quiet=quiet, over=lambda: any(child.has_news() for child in children))
