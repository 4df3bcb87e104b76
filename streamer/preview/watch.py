"""Follows a run until it ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.live import Live

from streamer.preview.blocks import can_show
from streamer.preview.glance import Glances
from streamer.preview.snapshot import Snapshot
from streamer.preview.terminal import View
from streamer.preview.words import line, summary

#: Longest wait for news before the view looks at the clock.
POLL_S = 0.25
#: A pipe or log gets a line this often.
LINE_EVERY_S = 5.0
#: A terminal is painted anew, and what is beside the snapshots is read, at most this often.
PAINT_EVERY_S, GLANCE_EVERY_S = 0.2, 0.7
#: A terminal without news is painted this often, so that it can say so.
SILENCE_EVERY_S = 1.0
#: States after which nothing follows.
ENDED = ("stopped", "finished", "failed")
#: How a run ended that did not say so itself, as a snapshot or in words; None where it did, or goes on.
Ending = Snapshot | str | None


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
    run: Path | None = None,
    glances: Glances | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Snapshot | None:
    """Show a run until its last snapshot says that it is over; returns that snapshot.

    A terminal gets the live view; a pipe gets a plain line every few seconds; with `quiet` there is nothing.
    Where `over` comes before that snapshot, how the run ended is taken from its recording.

    Args:
        feed: the run.
        console: where to show it.
        quiet: show nothing.
        over: tells from elsewhere that the run has ended.
        run: its folder, for pictures, forecast and log; it need not be there yet.
        glances: the same from elsewhere, such as `streamer.preview.RemoteFeed`.
        clock: seconds, monotonic.
    """
    if quiet:
        return _follow(feed, _Silent(), over)
    if not console.is_terminal:
        return _follow(feed, _Lines(console, clock), over, run)
    if glances is None and run is not None:
        from streamer.preview.recorded import RecordedGlances  # what reads images is not in every install

        glances = RecordedGlances(run, with_pictures=can_show(console))
    view = View()
    with Live(view.render(console), console=console, auto_refresh=False) as live:
        return _follow(feed, _Painted(view, live, glances, clock), over, run)


class _Shown(Protocol):
    """What a run is shown on: told every snapshot, None after a time without one, and the end."""

    def show(self, snapshot: Snapshot | None) -> None: ...

    def end(self, how: Ending) -> None: ...


def _follow(
    feed: Newest, shown: _Shown, over: Callable[[], bool], run: Path | None = None
) -> Snapshot | None:
    last: Snapshot | None = None
    while not (last and last.state in ENDED):
        snapshot = feed.newest(POLL_S)
        last = snapshot or last
        shown.show(snapshot)
        if snapshot is None and over():
            how = _ending(run)
            shown.end(how)
            return how if isinstance(how, Snapshot) else last
    shown.end(None)
    return last


def _ending(run: Path | None) -> Ending:
    if run is None:
        return "the run is over; nothing more is heard of it"
    with suppress(ImportError):  # what reads recordings is not in every install
        from streamer.preview.recorded_snapshot import ending_of

        return ending_of(run)
    return None


class _Silent:
    def show(self, snapshot: Snapshot | None) -> None:
        pass

    def end(self, how: Ending) -> None:
        pass


class _Lines:
    """A plain line every few seconds."""

    def __init__(self, console: Console, clock: Callable[[], float]) -> None:
        self._console, self._clock = console, clock
        self._printed_s = -float("inf")

    def show(self, snapshot: Snapshot | None) -> None:
        if snapshot is not None and self._clock() - self._printed_s >= LINE_EVERY_S:
            self._console.print(line(snapshot), markup=False, highlight=False, soft_wrap=True)
            self._printed_s = self._clock()

    def end(self, how: Ending) -> None:
        if how is not None:
            words = how if isinstance(how, str) else summary(how)
            self._console.print(words, markup=False, highlight=False, soft_wrap=True)


class _Painted:
    """The view, painted anew when there is news, and now and then while there is none."""

    def __init__(self, view: View, live: Live, glances: Glances | None, clock: Callable[[], float]) -> None:
        self._view, self._live, self._glances, self._clock = view, live, glances, clock
        self._heard_s = self._painted_s = self._glanced_s = -float("inf")

    def show(self, snapshot: Snapshot | None) -> None:
        now_s = self._clock()
        if snapshot is not None:
            self._view.update(snapshot)
            self._heard_s = now_s
        if now_s - self._painted_s < (PAINT_EVERY_S if snapshot is not None else SILENCE_EVERY_S):
            return
        if now_s - self._glanced_s >= GLANCE_EVERY_S:
            self._glance()
        if self._view.snapshot is not None:
            self._view.silent_s = now_s - self._heard_s
        self._paint()

    def end(self, how: Ending) -> None:
        if isinstance(how, Snapshot):
            known = self._view.snapshot
            self._view.update(replace(how, run=known.run) if known else how)  # it may be named by its path
        self._view.over = how if isinstance(how, str) else ""
        self._glance()
        self._paint()

    def _glance(self) -> None:
        """Look beside the snapshots; the time that takes counts, so that it stays a small part."""
        glance = self._glances.glance() if self._glances is not None else None
        if glance is not None:
            self._view.look(glance)
        self._glanced_s = self._clock()

    def _paint(self) -> None:
        self._live.update(self._view.render(self._live.console), refresh=True)
        self._painted_s = self._clock()
