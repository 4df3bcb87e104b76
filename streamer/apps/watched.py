"""What lets others see a run while it goes on, and what is left for them to see at its end."""

from __future__ import annotations

import threading
import webbrowser
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from streamer.apps.page import Page, PageOptions, PageOrder
from streamer.apps.registry import Entry, Going
from streamer.errors import StreamerError
from streamer.recording import RunFolder
from streamer.shell import quoted

#: Browsers that would take the terminal over; they show no picture either.
TEXT_BROWSERS = ("www-browser", "links", "elinks", "lynx", "w3m")

Say = Callable[[list[str]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """How a run may be watched.

    Attributes:
        page: the page, where one is wanted.
        opens_browser: show it in a browser as soon as it is up.
    """

    page: PageOptions | None = None
    opens_browser: bool = False


#: Nobody watches.
NOT_WATCHED = Watching()


class Watched:
    """A run's entry among those that go on here, its page, and at its end its report; none can hurt the run.

    Args:
        run: folder of the recording; it need not be there yet.
        command: what the user typed: live, demo or replay.
        watching: how it may be watched.
        on_words: told what the user should know, a line each.
    """

    def __init__(self, run: Path, command: str, watching: Watching, on_words: Say) -> None:
        #: Where the run's report lies, once it has ended; None where there is none.
        self.report: str | None = None
        self._on_words, self._opens_browser = on_words, watching.opens_browser
        self._run, self._command = run, command
        self._entry: Entry | None = None
        self._page: Page | None = None
        self._wanted = watching.page

    def follow(self, ready: Mapping[str, Any]) -> None:
        """Where the run is heard from now on.

        Args:
            ready: what a processor said when it was: "preview", and with --control "requests" and "secret".
        """
        heard_at: dict[str, Any] = {
            "publisher": ready.get("preview"),
            "requests": ready.get("requests"),
            "secret": ready.get("secret") or "",
        }
        if self._entry:
            self._entry.say(**heard_at)
        else:
            self._entry = Entry(Going(run=self._run, command=self._command, **heard_at))
        if self._page:
            self._page.follow(**heard_at)
        elif self._wanted:
            order = PageOrder(run=self._run, options=self._wanted, **heard_at)
            self._page = Page(
                order, on_ready=self._is_up, on_words=self._on_words, on_given_up=self._is_given_up
            )
            self._page.start()

    def _is_up(self, url: str) -> None:
        self._say_page(url)
        self._on_words([f"watch: {url}"])
        if self._opens_browser and not open_browser(url):
            self._on_words(["no browser to open here; open the address in one that reaches this machine"])

    def _is_given_up(self, trouble: StreamerError) -> None:
        self._say_page("")
        self._on_words([f"no page: {trouble}; the run goes on without it"])

    def _say_page(self, url: str) -> None:
        if self._entry:
            self._entry.say(page=url)

    def _write_report(self) -> None:
        report = write_its_report(self._run, self._on_words)
        self.report = None if report is None else str(report)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The run is over: nobody finds it among those that go on, and its page ends.

        A run that ended in an error, or was interrupted before its first frame, gets no report.
        """
        try:
            if kind is None or (kind is KeyboardInterrupt and _has_frames(self._run)):
                self._write_report()  # while the page shows how the run ended
        finally:
            if self._page:
                self._page.close()
            if self._entry:
                self._entry.close()


def _has_frames(run: Path) -> bool:
    frames = RunFolder(run).frames
    return frames.exists() and frames.stat().st_size > 0


def open_browser(url: str) -> bool:
    """Show an address in the user's browser; False where there is none with windows."""
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return False
    if getattr(browser, "name", "") in TEXT_BROWSERS:
        return False
    threading.Thread(target=browser.open, args=(url,), daemon=True).start()  # some wait for the window's end
    return True


def write_its_report(run: Path, on_words: Say) -> Path | None:
    """The report of a run that has ended; what keeps it from being written is said, and no error."""
    later = f"`streamer report {quoted(run)}` makes one"
    try:
        from streamer.report import write_report  # not in the base install

        report: Path = write_report(run)
        return report
    except KeyboardInterrupt:
        on_words([f"no report: interrupted; {later}"])
    except ModuleNotFoundError as error:
        on_words([f"no report: {error.name} is not installed; pip install 'scope-streamer[processor]'"])
    except Exception as error:  # whatever it is, the run was sound and its recording is whole
        on_words([f"no report: {error}; {later}"])
    return None
