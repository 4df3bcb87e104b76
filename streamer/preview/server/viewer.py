"""One page that watches: what it is sent, and when.

One image is under way at a time: the next one follows when the page says that it is on the screen, and then
it is the newest. States that could not be sent are left out, points and log never are: they are looked up
when there is room. So a slow page gets fewer frames, and one that sleeps holds nothing but its own socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import time

from starlette.websockets import WebSocket, WebSocketDisconnect

from streamer.preview.server import telling
from streamer.preview.server.access import Rate
from streamer.preview.server.asking import Asker
from streamer.preview.server.messages import Asked, Drawn, StripWanted, ViewWanted, parse
from streamer.preview.server.telling import Told
from streamer.preview.server.views import Choice
from streamer.preview.server.watcher import UnseenError, Watcher
from streamer.reading import Entry

#: Least time between two states. All pages are told at multiples of it, so that they can be told the same.
STATE_S = 0.2
#: A page that takes nothing for so long is given up.
SEND_S = 30.0
#: Messages of a page: for ever, at once; and not understood in all.
MESSAGES_PER_S, MESSAGES_BURST, ERRORS_MAX = 50.0, 100, 20

CLOSE_TOKEN, CLOSE_ORIGIN, CLOSE_SLOW, CLOSE_FULL = 4401, 4403, 4408, 4429


class Viewer:
    """One WebSocket that was let in.

    Args:
        socket: accepted already.
        watcher: the run.
        asker: takes what the page asks of the run.
    """

    def __init__(self, socket: WebSocket, watcher: Watcher, asker: Asker) -> None:
        self._socket, self._watcher, self._asker = socket, watcher, asker
        self._wake, self._strip_wanted = asyncio.Event(), asyncio.Event()
        self._told = Told()
        self._edition = -1
        self._wanted: ViewWanted | None = None
        self._choice = Choice()
        self._shown: Entry | None = None  # of the view that is wanted now
        self._under_way: int | None = None
        self._looked = -1  # turn of the watcher
        self._strip: StripWanted | None = None
        self._strip_made: tuple[str, bytes] | None = None
        self._answers: list[str] = []
        self._heard = -1  # news of the watcher
        self._state_due = True
        self._next_state_s = 0.0

    async def run(self) -> None:
        """Serve it until it goes, is given up, or the page ends."""
        with self._watcher.woken(self._wake):
            self._wake.set()
            works = (self._listen, self._speak, self._make_strips)
            tasks = [asyncio.create_task(work()) for work in works]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                ended = await asyncio.gather(*tasks, return_exceptions=True)
        for error in ended:
            expected = (WebSocketDisconnect, asyncio.CancelledError, OSError)
            if isinstance(error, BaseException) and not isinstance(error, expected):
                raise error

    async def _listen(self) -> None:
        rate, errors = Rate(MESSAGES_PER_S, MESSAGES_BURST), 0
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            if not rate.allows(""):
                return await self._give_up("too many messages")
            try:
                self._take(message.get("text"))
            except ValueError as error:
                errors += 1
                if errors > ERRORS_MAX:
                    return await self._give_up("too many messages that were not understood")
                self._answers.append(telling.error(f"not understood: {error}"))
            self._wake.set()

    def _take(self, text: str | None) -> None:
        if text is None:
            raise ValueError("not a text")
        match parse(text):
            case ViewWanted() as wanted:
                self._wanted, self._shown, self._looked = wanted, None, -1
            case Drawn(seq) if seq == self._under_way:
                self._under_way = None
            case StripWanted() as wanted:
                self._strip = wanted
                self._strip_wanted.set()
            case Asked() as asked:
                self._ask(asked)

    def _ask(self, asked: Asked) -> None:
        def answered(ok: bool, words: str) -> None:
            self._answers.append(telling.answer(asked.id, ok, words))
            self._wake.set()

        host = self._socket.client.host if self._socket.client else ""
        self._asker.ask(self, asked, self._watcher.now().control, host, answered)

    async def _speak(self) -> None:
        while True:
            await self._woken()
            if self._edition != self._watcher.edition:
                self._edition, self._shown, self._looked = self._watcher.edition, None, -1
                await self._send(await self._watcher.hello(self._told))
            while self._answers:
                await self._send(self._answers.pop(0))
            await self._send_image()
            await self._send_state()
            await self._send_strip()

    async def _woken(self) -> None:
        """Wait for news, or until a state may follow the last one."""
        left_s = self._next_state_s - time.monotonic() if self._state_due else None
        if left_s is None or left_s > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), left_s)
        self._wake.clear()
        if self._heard != self._watcher.news:
            self._heard, self._state_due = self._watcher.news, True

    async def _send_state(self) -> None:
        now_s = time.monotonic()
        if not self._state_due or now_s < self._next_state_s:
            return
        self._state_due, self._next_state_s = False, (now_s // STATE_S + 1) * STATE_S
        for message in await self._watcher.state(self._choice.view, self._told):
            await self._send(message)

    async def _send_image(self) -> None:
        wanted = self._wanted
        if wanted is None or self._under_way is not None or self._looked == self._watcher.turn:
            return
        self._looked = self._watcher.turn
        try:
            found = await self._watcher.picture(wanted, self._choice, self._shown)
        except UnseenError as unseen:
            self._shown = unseen.entry
            return await self._send(telling.error(f"frame {unseen.entry.seq} cannot be shown: {unseen}"))
        except ValueError as error:
            self._wanted = None
            return await self._send(telling.error(str(error)))
        if found is None or wanted is not self._wanted:
            return None
        self._shown, picture = found
        self._under_way = picture.seq
        await self._send(picture.message)

    async def _make_strips(self) -> None:
        """Beside the live images: it takes longer than they do."""
        while True:
            await self._strip_wanted.wait()
            self._strip_wanted.clear()
            wanted = self._strip
            if wanted is None:
                continue
            with contextlib.suppress(ValueError):  # a view that is none was said with its image
                self._strip_made = await self._watcher.strip(
                    self._wanted, self._choice, wanted.count, wanted.width
                )
            self._wake.set()

    async def _send_strip(self) -> None:
        made, self._strip_made = self._strip_made, None
        for message in made or ():
            await self._send(message)

    async def _send(self, message: str | bytes) -> None:
        try:
            async with asyncio.timeout(SEND_S):
                if isinstance(message, str):
                    await self._socket.send_text(message)
                else:
                    await self._socket.send_bytes(message)
        except TimeoutError:
            await self._give_up("too slow")
            raise WebSocketDisconnect(CLOSE_SLOW) from None

    async def _give_up(self, why: str) -> None:
        with contextlib.suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
            async with asyncio.timeout(1.0):
                await self._socket.close(CLOSE_SLOW, why)
