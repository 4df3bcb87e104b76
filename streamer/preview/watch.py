"""Follows a run until it ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from rich.console import Console
from rich.live import Live

from streamer.preview.snapshot import Snapshot
from streamer.preview.terminal import View, line

#: Longest wait for news before the view looks at the clock.
POLL_S = 0.25
#: A pipe or log gets a line this often.
LINE_EVERY_S = 5.0
#: States after which nothing follows.
ENDED = ("stopped", "finished", "failed")


class Newest(Protocol):
    """Where snapshots come from; `streamer.preview.Feed` is one."""

    def newest(self, timeout_s: float) -> Snapshot | None:
        """The newest snapshot not seen yet, or None after the time."""
        ...


def watch(
    feed: Newest,
    *,
    console: Console,
    quiet: bool = False,
    over: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
) -> Snapshot | None:
    """Show a run until its last snapshot says that it is over; returns that snapshot.

    A terminal gets the live view; a pipe gets a plain line every few seconds; with `quiet` there is nothing.

    Args:
        feed: the run.
        console: where to show it.
        quiet: show nothing.
        over: tells from elsewhere that the run has ended.
        clock: seconds, monotonic.
    """
    view = View()
    is_live = console.is_terminal and not quiet
    live = Live(view.render(), console=console, auto_refresh=False) if is_live else None
    screen: AbstractContextManager[object] = live or nullcontext()
    with screen:
        _follow(feed, view, over, clock, live=live, lines=None if quiet or live else console)
    return view.snapshot


def _follow(
    feed: Newest,
    view: View,
    over: Callable[[], bool],
    clock: Callable[[], float],
    *,
    live: Live | None,
    lines: Console | None,
) -> None:
    printed_s = -float("inf")
    while not (view.snapshot and view.snapshot.state in ENDED):
        snapshot = feed.newest(POLL_S)
        if snapshot is None:
            if over():
                return
            continue
        view.update(snapshot)
        if live is not None:
            live.update(view.render(), refresh=True)
        if lines is not None and clock() - printed_s >= LINE_EVERY_S:
            lines.print(line(snapshot), markup=False, highlight=False, soft_wrap=True)
            printed_s = clock()
