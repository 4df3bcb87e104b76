"""What pages ask of the run: one request at a time from each page, a few at a time from all; stops always.

A stop has a way of its own: it waits neither for a pause that waits for an exposure, nor for other pages.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from streamer.preview.server.messages import Asked
from streamer.wire.requests import REQUEST_ACTIONS, Answer, Request, ask

#: Requests under way, of all pages together; as many stops again.
AT_ONCE = 4
STOPS_AT_ONCE = 8

Answered = Callable[[bool, str], None]


class Asker:
    """The way to the run.

    Args:
        endpoint, secret: of the run; None where it takes no requests.
    """

    def __init__(self, endpoint: str | None, secret: str) -> None:
        self._endpoint, self._secret = endpoint, secret
        self._stops = _Way(STOPS_AT_ONCE, "streamer-page-stop")
        self._others = _Way(AT_ONCE, "streamer-page-ask")

    def ask(
        self, who: object, asked: Asked, control: Mapping[str, Any], host: str, answered: Answered
    ) -> None:
        """Ask the run for what a page wants; `answered` is called once, with whether it was done, in words.

        Args:
            who: the page; it waits for one answer at a time, and beside it for that to one stop.
            asked: what it wants.
            control: what pages may ask now.
            host: where the page is.
            answered: takes the answer.
        """
        if not control["allowed"] or self._endpoint is None:
            return answered(False, str(control["why_not"]))
        if asked.action not in control["actions"]:
            return answered(
                False, f"{asked.action!r} cannot be asked for; {', '.join(control['actions'])} can"
            )
        way, why_not = self._others, "The run has not answered the last request yet. Wait for it."
        if asked.action == "stop":
            way, why_not = self._stops, "The stop was asked for already; its answer comes."
        if not way.is_free(who):
            return answered(False, why_not)
        action = next(action for action in REQUEST_ACTIONS if action == asked.action)
        request = Request(action=action, note=asked.note, by=f"the page at {host}"[:80])
        way.go(who, partial(ask, self._endpoint, self._secret, request), answered)
        return None

    def close(self) -> None:
        """Give the threads back as soon as what was asked for has its answer; nothing waits for that."""
        for way in (self._stops, self._others):
            way.close()


class _Way:
    """So many requests at a time on threads that nothing else uses; one of each page."""

    def __init__(self, at_once: int, name: str) -> None:
        self._at_once = at_once
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix=name)
        self._under_way: set[object] = set()

    def is_free(self, who: object) -> bool:
        return who not in self._under_way and len(self._under_way) < self._at_once

    def go(self, who: object, work: Callable[[], Answer], answered: Answered) -> None:
        # Not given up where the page goes: a stop that was asked for is a stop.
        loop = asyncio.get_running_loop()
        self._under_way.add(who)

        def done(answer: Answer) -> None:
            self._under_way.discard(who)
            answered(answer.ok, answer.text)

        def carried(future: Future[Answer]) -> None:
            error = future.exception()
            words = f"the run cannot be asked: {error}"
            answer = future.result() if error is None else Answer(ok=False, text=words)
            with contextlib.suppress(RuntimeError):  # the page has ended
                loop.call_soon_threadsafe(done, answer)

        self._threads.submit(work).add_done_callback(carried)

    def close(self) -> None:
        self._threads.shutdown(wait=False)
