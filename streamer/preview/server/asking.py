"""What pages ask of the run: one request at a time from each page, a few at a time from all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from streamer.preview.server.messages import Asked
from streamer.wire.requests import REQUEST_ACTIONS, Request, ask

#: Requests under way, of all pages together.
AT_ONCE = 4

Answered = Callable[[bool, str], None]


class Asker:
    """The way to the run.

    Args:
        endpoint, secret: of the run; None where it takes no requests.
    """

    def __init__(self, endpoint: str | None, secret: str) -> None:
        self._endpoint, self._secret = endpoint, secret
        self._under_way: dict[object, asyncio.Task[None]] = {}

    def ask(
        self, who: object, asked: Asked, control: Mapping[str, Any], host: str, answered: Answered
    ) -> None:
        """Ask the run for what a page wants; `answered` is called once, with whether it was done, in words.

        Args:
            who: the page; it waits for one answer at a time.
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
        if who in self._under_way or len(self._under_way) >= AT_ONCE:
            return answered(False, "The run has not answered the last request yet. Wait for it.")
        action = next(action for action in REQUEST_ACTIONS if action == asked.action)
        request = Request(action=action, note=asked.note, by=f"the page at {host}"[:80])
        task = asyncio.create_task(self._carry(self._endpoint, request, answered))
        self._under_way[who] = task
        task.add_done_callback(lambda _: self._under_way.pop(who, None))
        return None

    async def _carry(self, endpoint: str, request: Request, answered: Answered) -> None:
        # Not given up where the page goes: a stop that was asked for is a stop.
        answer = await asyncio.to_thread(ask, endpoint, self._secret, request)
        answered(answer.ok, answer.text)
