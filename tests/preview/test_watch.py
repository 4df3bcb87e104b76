"""Following a run: live in a terminal, in lines through a pipe, silently when asked."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from snapshots import message

from streamer.preview import Snapshot, parse_snapshot, watch


class Scripted:
    """A feed and the clock it runs on: each entry arrives a second after the one before."""

    def __init__(self, *messages: bytes | BaseException | None) -> None:
        self._messages = list(messages)
        self.now_s = 0.0

    def newest(self, timeout_s: float) -> Snapshot | None:
        self.now_s += 1.0
        following = self._messages.pop(0) if self._messages else None
        return None if following is None else parse_snapshot(following)

    def clock(self) -> float:
        return self.now_s


def watched(feed: Scripted, *, terminal: bool = False, quiet: bool = False) -> str:
    console = Console(file=io.StringIO(), width=80, height=24, force_terminal=terminal)
    watch(feed, console=console, quiet=quiet, over=lambda: feed.now_s > 100, clock=feed.clock)
    return console.file.getvalue()


RUN = [message(seq=seq) for seq in range(12)]
FINISHED = message(seq=12, state="finished")


def test_a_pipe_gets_a_plain_line_every_few_seconds() -> None:
    printed = watched(Scripted(*RUN, FINISHED))
    heads = [row.split(",")[0] for row in printed.splitlines()]
    assert heads == [f"running: frame {n}/260" for n in (1, 6, 11)]
    assert "\x1b" not in printed


def test_a_terminal_gets_the_live_view() -> None:
    printed = watched(Scripted(*RUN, FINISHED), terminal=True)
    assert "similarity" in printed
    assert "\x1b[" in printed


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
def test_quiet_prints_nothing(terminal: bool) -> None:
    assert watched(Scripted(*RUN, FINISHED), terminal=terminal, quiet=True) == ""


@pytest.mark.parametrize("state", ["stopped", "finished", "failed"])
def test_the_view_ends_with_the_run(state: str) -> None:
    feed = Scripted(*RUN, message(seq=12, state="stopping"), None, message(seq=13, state=state), *RUN)
    watched(feed)
    assert feed.now_s == 15


def test_silence_is_waited_for_until_the_run_is_known_to_be_over() -> None:
    feed = Scripted(*[None] * 20, *RUN)
    watched(feed)
    assert feed.now_s > 100


def test_the_last_snapshot_is_returned() -> None:
    feed = Scripted(*RUN, FINISHED)
    last = watch(feed, console=Console(file=io.StringIO()), quiet=True, clock=feed.clock)
    assert last is not None
    assert (last.seq, last.state) == (12, "finished")
