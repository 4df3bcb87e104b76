"""What follows one run: its recording and its publisher; whoever watches is woken when there is news.

All that touches the recording happens in one thread, so that nothing of it needs a lock, and the event loop,
which serves everybody, never waits for a disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self, TypeVar

from streamer.errors import StreamerError, UsageError
from streamer.preview.recorded_snapshot import as_fields, snapshot_of
from streamer.preview.server import ahead, telling
from streamer.preview.server.messages import ViewWanted
from streamer.preview.server.pictures import Picture, Pictures
from streamer.preview.server.publisher import Publisher
from streamer.preview.server.settings import PageSettings
from streamer.preview.server.states import States
from streamer.preview.server.telling import Now, Told
from streamer.preview.server.views import Choice
from streamer.preview.snapshot import Snapshot
from streamer.reading import Entry, View, WatchedRun
from streamer.recording import is_run

#: Between two looks at a recording that nobody announces, that somebody announces, and that nobody writes.
ALONE_S, ANNOUNCED_S, CLOSED_S = 0.1, 0.5, 1.0
#: A run without its publisher is not missed before so long without a frame.
PATIENCE_S = 3.0
#: The first pages are served before what only forecasts need is loaded.
WARM_AFTER_S = 1.0
#: Least time between two looks at a run whose frames wait: it needs the machine more than its viewers do.
BEHIND_S = 0.9

_OVER = ("stopped", "finished", "failed")
_CLOSED = ("stopped", "finished", "left")

Result = TypeVar("Result")

_log = logging.getLogger(__name__)


class Watcher:
    """One run, for all pages.

    Args:
        settings: recording, publisher, and whether something may be asked.

    Raises:
        LinkError: the publisher's address is not one.
        UsageError: no recording that can be read, and nobody announces one.
    """

    def __init__(self, settings: PageSettings) -> None:
        self._settings = settings
        self._run: WatchedRun | None = None
        self._pictures: Pictures | None = None
        self._states: States | None = None
        self._foresees = False
        self._has_report = False
        self._why_none = ""
        self._snapshot: dict[str, Any] | None = None
        self._recorded: dict[str, Any] | None = None
        self._state = "waiting"
        self._moved_s = time.monotonic()  # when something last came
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="streamer-page-run")
        self._awake = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._viewers: set[asyncio.Event] = set()
        self._is_resting = False
        #: Counts what came that pages should hear of, and that with every end of a rest.
        self.news = self.turn = 0
        #: Changes whenever a page must be told everything again: another recording.
        self.edition = 0
        self._publisher: Publisher | None = None
        if settings.publisher is None:
            self._open()
        else:
            with contextlib.suppress(UsageError):
                self._open()
            self._publisher = Publisher(settings.publisher, self._on_news)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._publisher is not None:
            self._publisher.close()
        self._thread.shutdown(cancel_futures=True)

    @contextlib.contextmanager
    def woken(self, event: asyncio.Event) -> Any:
        """`event` is set at news, as long as this lasts."""
        self._viewers.add(event)
        try:
            yield
        finally:
            self._viewers.discard(event)

    @property
    def viewers(self) -> int:
        """How many pages are open."""
        return len(self._viewers)

    async def follow(self) -> None:
        """Follow the run until cancelled."""
        self._loop = asyncio.get_running_loop()
        self._loop.call_later(WARM_AFTER_S, self._warm_up)
        while True:
            self._awake.clear()
            is_behind = self._is_behind
            try:
                if await self.in_thread(self._update):
                    self._wake()
            except Exception:  # a page that does not follow any more looks like a run that has stopped
                _log.exception("the recording cannot be followed; trying again")
            if is_behind:
                await asyncio.sleep(BEHIND_S)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._awake.wait(), self._pause_s())

    def _warm_up(self) -> None:
        """Load what takes long in a thread of its own, which neither pages nor pictures wait for."""

        def load() -> None:
            try:
                ahead.warm_up()
            except ImportError:
                return _log.exception("no forecast can be made")
            self._foresees = True
            return self._call(self._wake)

        threading.Thread(target=load, name="streamer-page-warm", daemon=True).start()

    def _call(self, what: Callable[[], object]) -> None:
        """Have the event loop do something, from any thread."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(what)

    async def in_thread(self, work: Callable[..., Result], *args: Any) -> Result:
        """Do something with the recording."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *args)

    async def hello(self, told: Told) -> str:
        """Everything so far."""
        return await self.in_thread(self._hello, told)

    def _hello(self, told: Told) -> str:
        return telling.hello(self._run, self._settings.run.name, self.now(), told, self._why_none)

    async def state(self, view: View | None, told: Told) -> list[str]:
        """What is new to a page that looks at `view`."""
        return await self.in_thread(self._state_of, view, told)

    def _state_of(self, view: View | None, told: Told) -> list[str]:
        if self._states is None:
            return telling.state(None, view, self.now(), told)
        return self._states.new(view, self.now(), told)

    async def picture(
        self, wanted: ViewWanted, choice: Choice, unless: Entry | None
    ) -> tuple[Entry, Picture] | None:
        """The frame that a page wants, unless it has it; `choice` remembers the view.

        Raises:
            ValueError: the run has no such position, channel or z.
            SourceError: its pixels are missing or damaged.
        """
        return await self.in_thread(self._picture, wanted, choice, unless)

    def _picture(
        self, wanted: ViewWanted, choice: Choice, unless: Entry | None
    ) -> tuple[Entry, Picture] | None:
        entry = self._pictures.entry(wanted, choice) if self._pictures else None
        if entry is None or self._pictures is None or entry == unless:
            return None
        is_next = wanted.seq is None and unless is not None  # nobody has just clicked for it
        if is_next and not self._pictures.is_made(wanted, entry) and self._rests(self._pictures.rested_s):
            return None
        self._pictures.is_behind = self._is_behind
        try:
            return entry, self._pictures.picture(wanted, entry)
        except StreamerError as error:
            raise UnseenError(entry, str(error)) from error

    def _rests(self, until_s: float) -> bool:
        """Whether live pictures have to wait; pages are woken when they need not any more."""
        left_s = until_s - time.monotonic()
        if left_s <= 0:
            return False
        if not self._is_resting and self._loop is not None:
            self._is_resting = True
            self._loop.call_soon_threadsafe(self._loop.call_later, left_s, self._rested)
        return True

    def _rested(self) -> None:
        self._is_resting = False
        self.turn += 1
        for event in self._viewers:
            event.set()

    async def strip(
        self, wanted: ViewWanted | None, choice: Choice, count: int, width: int
    ) -> tuple[str, bytes] | None:
        """Thumbnails over the run, one by one, so that live images come between them; None before a frame."""
        entries = await self.in_thread(self._spread, wanted, choice, count)
        seen = [entry for entry in entries if await self.in_thread(self._thumbnail, entry, width)]
        return await self.in_thread(self._strip, seen, width) if seen else None

    def _spread(self, wanted: ViewWanted | None, choice: Choice, count: int) -> list[Entry]:
        if self._run is None or self._pictures is None or not self._run.index.views():
            return []
        view = self._pictures.view_of(wanted, choice) if wanted else self._run.index.views()[0]
        return [] if view is None else self._run.index.spread(view, count)

    def _thumbnail(self, entry: Entry, width: int) -> bool:
        assert self._pictures is not None
        try:
            self._pictures.thumbnail(entry, width)
        except StreamerError:  # said where the frame itself is looked at
            return False
        return True

    def _strip(self, entries: list[Entry], width: int) -> tuple[str, bytes]:
        assert self._run is not None
        assert self._pictures is not None
        return telling.strip_of(entries, self._pictures, width, self._run.series.first_wall_s)

    def now(self) -> Now:
        """The run at this moment."""
        snapshot = self._published()
        over = (snapshot or {}).get("state", self._state) in (*_OVER, *_CLOSED)
        link = self.link
        return Now(
            snapshot=snapshot,
            link=link,
            control=telling.control(self._settings.requests, over and link == "closed"),
            foresees=self._foresees,
            report=over and self._has_report,
        )

    def _published(self) -> dict[str, Any] | None:
        """The run's own words; those of its recording where it is silent, and has not said how it ended."""
        mine, recorded = self._snapshot, self._recorded
        if mine is None or recorded is None:
            return recorded or mine
        is_newer = recorded["seq"] > mine["seq"] or self.link == "closed"
        silent = not self._is_connected and mine["state"] not in _OVER
        return recorded if silent and is_newer else mine

    @property
    def link(self) -> str:
        """Whether news come: "live", "lost", or "closed" where the run is over."""
        over = (self._snapshot or {}).get("state") in _OVER
        if self._is_connected and not over:
            return "live"
        if over or self._state in _CLOSED:
            return "closed"
        still_s = time.monotonic() - self._moved_s
        # Another processor may have gone on, whose address nobody has told us: the recording shows it.
        return "live" if self._publisher is None or still_s < PATIENCE_S else "lost"

    @property
    def _is_behind(self) -> bool:
        return self._publisher is not None and self._publisher.behind

    @property
    def _is_connected(self) -> bool:
        return self._publisher is not None and self._publisher.connected

    def _open(self) -> None:
        try:
            self._run = WatchedRun(self._settings.run)
        except UsageError as error:
            if (words := str(error) if is_run(self._settings.run) else "") != self._why_none:
                self._why_none = words
                self.edition += 1
            raise
        self._pictures, self._states, self._why_none = Pictures(self._run), States(self._run), ""
        self.edition += 1

    def _update(self) -> bool:
        """Take what is new; whether there is anything."""
        before = self._known()
        self._has_report = self._settings.report.is_file()
        if self._run is None:
            with contextlib.suppress(UsageError):
                self._open()
        if self._run is None:
            return True
        self._run.update()
        self._state = self._run.state
        changed = before != self._known()
        if changed:
            self._moved_s = time.monotonic()
        if (changed or self._recorded is None) and not (self._is_connected and self._snapshot):
            self._recorded = snapshot_of(self._run)
        return changed or self._settings.publisher is not None

    def _known(self) -> tuple[object, ...]:
        """Whatever pages hear of; it changes with it."""
        seen = (self._run.series.rows, self._run.log.total) if self._run else (0, 0)
        return self.edition, self._state, self._has_report, *seen

    def _pause_s(self) -> float:
        if self._is_connected:
            return ANNOUNCED_S
        return CLOSED_S if self._state in _CLOSED else ALONE_S

    def _on_news(self, snapshot: Snapshot | None) -> None:
        """From the publisher's thread."""
        if snapshot is not None:
            self._snapshot = as_fields(snapshot)
        self._call(self._awake.set)

    def _wake(self) -> None:
        self.news += 1
        self.turn += 1
        for event in self._viewers:
            event.set()


class UnseenError(Exception):
    """A frame that cannot be shown, and why.

    Attributes:
        entry: of the frame.
    """

    def __init__(self, entry: Entry, words: str) -> None:
        super().__init__(words)
        self.entry = entry
