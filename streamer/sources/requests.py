"""What people who watch ask of a run, over a socket of its own: nobody who asks can hold up a frame."""

from __future__ import annotations

import contextlib
import logging
import queue
import secrets
import threading
import time
from collections.abc import Callable

import zmq

from streamer.wire.errors import WireError
from streamer.wire.requests import MAX_BYTES, Answer, Request, decode_request, encode_answer
from streamer.wire.waker import Waker

_log = logging.getLogger(__name__)

#: How often the thread looks whether it shall end.
TICK_MS = 100
#: After a message that is refused the next is looked at so much later: who floods or guesses does it slowly.
REFUSED_S = 0.02
#: Requests that wait for the microscope at a time; as many stops again.
AT_ONCE = 8


class RequestsSource:
    """Listens on loopback for requests that know the run's secret.

    Each is carried out on a thread of its own: a stop does not wait for a pause that waits for an exposure.

    Args:
        answer: carries out one request; called on any thread, several at a time.

    Attributes:
        endpoint: where it listens.
        secret: what a request must know; of this processor only.
        refused: messages that were no requests, or did not know the secret.
    """

    def __init__(self, answer: Callable[[Request], Answer]) -> None:
        self._answer = answer
        self.secret = secrets.token_hex(16)
        self.refused = 0
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.setsockopt(zmq.LINGER, 200)
        self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_BYTES)
        self._socket.setsockopt(zmq.RCVHWM, 16)
        self._socket.bind("tcp://127.0.0.1:*")
        self.endpoint = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self._answers: queue.SimpleQueue[tuple[bytes, Answer, threading.Thread | None]] = queue.SimpleQueue()
        self._waker = Waker()
        self._under_way: list[threading.Thread] = []
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="streamer-requests", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Listen no more; requests that are being carried out are answered first."""
        self._closing.set()
        self._waker.wake()
        self._thread.join()
        self._waker.close()

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._waker.fileno(), zmq.POLLIN)
        try:
            while not self._closing.is_set() or self._still_under_way() or not self._answers.empty():
                poller.poll(TICK_MS)
                self._waker.clear()
                self._say_answers()
                if not self._closing.is_set() and self._socket.poll(0):
                    self._hear(self._socket.recv_multipart())
        finally:
            self._socket.close()
            self._context.term()

    def _still_under_way(self) -> int:
        self._under_way = [thread for thread in self._under_way if thread.is_alive()]
        return len(self._under_way)

    def _say_answers(self) -> None:
        while not self._answers.empty():
            peer, answer, thread = self._answers.get()
            self._under_way = [each for each in self._under_way if each is not thread]
            with contextlib.suppress(zmq.ZMQError):  # of one who went away meanwhile
                self._socket.send_multipart([peer, b"", encode_answer(answer)], zmq.NOBLOCK)

    def _hear(self, parts: list[bytes]) -> None:
        """Take one message: the peer, an empty part, as a REQ socket puts it there, and the request."""
        peer = parts[0]
        try:
            if len(parts) != 3 or parts[1]:
                raise WireError(f"message has {len(parts) - 2} parts; use 1")
            request = decode_request(parts[2], self.secret)
        except WireError as error:
            self.refused += 1
            self._answers.put((peer, Answer(ok=False, text=f"not understood: {error}"), None))
            time.sleep(REFUSED_S)
            return
        if self._still_under_way() >= AT_ONCE * (2 if request.action == "stop" else 1):
            words = f"{request.action} refused: {len(self._under_way)} others wait for the microscope"
            self._answers.put((peer, Answer(ok=False, text=words), None))
            return
        name = f"streamer-{request.action}"
        thread = threading.Thread(target=self._carry_out, args=(peer, request), name=name, daemon=True)
        self._under_way.append(thread)
        thread.start()

    def _carry_out(self, peer: bytes, request: Request) -> None:
        try:
            answer = self._answer(request)
        except Exception as error:  # whoever asks must be answered
            _log.exception("the request %s failed", request.action)
            answer = Answer(ok=False, text=f"{request.action} failed: {type(error).__name__}: {error}")
        self._answers.put((peer, answer, threading.current_thread()))
        self._waker.wake()
