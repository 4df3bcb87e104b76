"""`streamer attach`: look at a run."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Annotated

import typer

from streamer.cli import options
from streamer.cli.groups import Page, grouped
from streamer.errors import UsageError
from streamer.shell import quoted

if TYPE_CHECKING:
    from rich.console import Console

    from streamer.apps.attach import Attached
    from streamer.apps.registry import Going

EXIT_USAGE = 2


@grouped
def attach(
    *,
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN|URL]",
            help="Folder of a recording, or address of a page; default what goes on here.",
        ),
    ] = None,
    terminal: Annotated[
        bool, typer.Option("--terminal", "-t", help="Show it in this terminal instead of a browser.")
    ] = False,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only say where the page is.")] = False,
    control: options.Control = False,
    page: Page,
) -> None:
    """Look at a run: one that goes on here, one that is over, or one elsewhere by the address of its page.

    A run that goes on is shown live, a recording from its first frame to its last. Ctrl-C ends the look, and
    never the run.

    Examples:
      streamer attach
      streamer attach runs/cell7
      streamer attach --terminal "http://127.0.0.1:8765/?token=..."
    """
    from streamer.apps.attach import find, show_in_terminal

    found = find(run)
    if isinstance(found, list):
        typer.echo("\n".join(_choice(found)))
        raise typer.Exit(EXIT_USAGE)
    console = options.console(False)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if terminal:
            show_in_terminal(found, console=console)
        else:
            _in_browser(found, page, control=control, opens=not no_browser, console=console)
    except KeyboardInterrupt:
        return


def _choice(runs: list[Going]) -> list[str]:
    lines = [f"{len(runs)} runs go on here; look at one of them:"]
    for going in runs:
        since = time.strftime("%H:%M", time.localtime(going.started_wall_s))
        lines.append(f"  streamer attach {quoted(going.run)}  ({going.command}, since {since})")
    return lines


def _in_browser(found: Attached, page: Page, *, control: bool, opens: bool, console: Console) -> None:
    """Show the page that there is; a recording without one gets one of its own, until Ctrl-C."""
    from streamer.apps.attach import check_page, page_of, show_page
    from streamer.apps.watched import open_browser

    say = options.say_to(console)

    def show(url: str) -> None:
        say([f"watch: {url}"])
        if opens and not open_browser(url):
            say(["no browser to open here; open the address in one that reaches this machine"])

    if found.url:
        if control or page != Page():
            raise UsageError(f"{found.url}: is served elsewhere; leave out --control and the page's options")
        if not_checked := check_page(found.url):
            say([not_checked])
        return show(found.url)
    own = control or page != Page()
    if found.going and not own and (url := page_of(found.going)):
        return show(url)
    show_page(found, page.place(), control=control, on_ready=show, on_words=say)
