"""A look at a run from another command: one that goes on here, one that is over, one elsewhere."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, NoReturn
from urllib.parse import parse_qs, urlsplit, urlunsplit

from rich.console import Console

from streamer.apps.page import Page, PageOptions, PageOrder
from streamer.apps.registry import Going, going_on, going_on_in
from streamer.errors import StreamerError, UsageError
from streamer.preview import Feed, watch
from streamer.recording import RunFolder, is_run, read_info

#: How often it is asked whether another processor has gone on with the run.
ASK_EVERY_S = 1.0
#: How long a page may take to say that it is there.
PAGE_ANSWERS_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """What to look at: a page elsewhere (`url`), or a recording here, and how it goes on if it does."""

    url: str = ""
    run: Path | None = None
    going: Going | None = None


def find(named: str | None) -> Attached | list[Going]:
    """What the user named; by default the one run that goes on here, or all of them where they are several.

    Args:
        named: folder of a recording, or address of a page with its token.

    Raises:
        UsageError: nothing goes on here, no recording lies there, or the address lacks its token.
        SourceError: a recording that this version cannot read.
    """
    if named is None:
        return _the_one_going_on()
    if urlsplit(named).scheme in ("http", "https"):
        if not parse_qs(urlsplit(named).query).get("token"):
            raise UsageError(f"{named}: lacks its token; copy the whole address, with ?token=...")
        return Attached(url=named)
    run = Path(named)
    if not is_run(run):
        raise UsageError(f"{named}: holds no recording; give the folder of one, or the address of a page")
    read_info(RunFolder(run))
    return Attached(run=run, going=going_on_in(run))


def _the_one_going_on() -> Attached | list[Going]:
    runs = going_on()
    if not runs:
        raise UsageError(
            "no run of yours goes on here; give the folder of a recording, or the address of a page with its "
            "token"
        )
    if len(runs) > 1:
        return runs
    return Attached(run=runs[0].run, going=runs[0])


def check_page(url: str) -> str:
    """Ask a page elsewhere whether it is there and takes this link.

    Gives what the user should know of it in words, or nothing.

    Args:
        url: its address with its token.

    Raises:
        UsageError: the link is none.
        LinkError: nobody answers there, or the token is not right.
    """
    try:
        from streamer.preview.remote import RemoteFeed, UntrustedError  # not in the base install

        with RemoteFeed(url) as remote:
            remote.check(PAGE_ANSWERS_S)
    except ImportError:
        return ""
    except UntrustedError as error:  # of another certificate than ours, browsers know or ask
        return f"not checked: {error}"
    return ""


def page_of(going: Going) -> str:
    """Address of the page that a run has already; empty without one that answers."""
    parts = urlsplit(going.page)
    if parts.scheme != "http":  # of another one the certificate may be known to browsers only
        return going.page
    health = urlunsplit((parts.scheme, parts.netloc, "/health", "", ""))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(health, timeout=PAGE_ANSWERS_S):
            return going.page
    except (OSError, ValueError, urllib.error.URLError):
        return ""


def show_page(
    attached: Attached,
    options: PageOptions,
    *,
    control: bool,
    on_ready: Callable[[str], None],
    on_words: Callable[[list[str]], None],
) -> NoReturn:
    """Serve a page of its own for a recording here, until Ctrl-C.

    Args:
        attached: the recording.
        options: where to serve it.
        control: the page may do what the run allows.
        on_ready: told the address with its token.
        on_words: told what the user should know, a line each.

    Raises:
        KeyboardInterrupt: the user has seen enough.
        UsageError: the run does not go on, or does not allow control.
        StreamerError: the page cannot be served.
    """
    assert attached.run is not None
    trouble: SimpleQueue[StreamerError] = SimpleQueue()
    order = PageOrder(run=attached.run, options=options, **_heard_at(attached.going, control=control))
    with Page(order, on_ready=on_ready, on_words=on_words, on_given_up=trouble.put) as page:
        while True:
            try:
                raise trouble.get(timeout=ASK_EVERY_S)
            except Empty:
                if going := going_on_in(attached.run):
                    page.follow(**_heard_at(going, control=control and bool(going.requests)))


def _heard_at(going: Going | None, *, control: bool) -> dict[str, Any]:
    """Where a page hears of the run, and may ask for something."""
    if control and going is None:
        raise UsageError("--control: the run is over; leave the option out to look back")
    if control and going is not None and not going.requests:
        raise UsageError(f"--control: {going.run} was started without it; start runs with --control")
    heard_at: dict[str, Any] = {"publisher": going.publisher if going else None}
    if control and going is not None:
        heard_at |= {"requests": going.requests, "secret": going.secret}
    return heard_at


def show_in_terminal(attached: Attached, *, console: Console) -> None:
    """The terminal's view of a run that goes on, until it is over.

    Raises:
        KeyboardInterrupt: the user has seen enough.
        UsageError: the run is over, or says nothing while it goes on.
        StreamerError: the page elsewhere does not let us in.
    """
    if attached.url:
        from streamer.preview.remote import RemoteFeed  # not in the base install

        with RemoteFeed(attached.url) as remote:
            watch(remote, console=console, over=lambda: remote.ended, glances=remote)
        return
    run, going = attached.run, attached.going
    assert run is not None
    if going is None or going.publisher is None:
        why = "is over" if going is None else "is a replay, which only a page shows"
        raise UsageError(f"--terminal: {run} {why}; leave the option out")
    while going and going.publisher:
        publisher = going.publisher
        with Feed(publisher) as feed:
            last = watch(feed, console=console, over=partial(_has_moved, run, publisher), run=run)
        if last and last.state in ("stopped", "finished", "failed"):
            return
        going = going_on_in(run)


def _has_moved(run: Path, publisher: str) -> bool:
    """Whether the run has ended, or another processor goes on with it."""
    going = going_on_in(run)
    return going is None or going.publisher != publisher
