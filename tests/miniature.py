"""A processor in miniature: a real socket and the real wire, answers by a script instead of guards."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

import numpy as np
import zmq

from streamer.core import Decision, Frame
from streamer.wire import (
    Alive,
    Bye,
    Closed,
    Done,
    End,
    Hello,
    Message,
    Report,
    Welcome,
    decode,
    encode,
)

CONTINUE = Decision(action="continue")


class Processor(threading.Thread):
    """Takes every frame and answers frame n with `script[n]`.

    Attributes:
        frames: what came, in order.
        done: what the microscope says it did.
        hellos: how the hook introduced itself.
        answering: whether frames are answered; the hook is unwatched while not.
    """

    def __init__(self, script: Mapping[int, Decision] | None = None) -> None:
        super().__init__(daemon=True)
        self.script = dict(script or {})
        self.frames: list[Frame] = []
        self.done: list[Done] = []
        self.hellos: list[Hello] = []
        self.answering = True
        self._unanswered: list[int] = []
        self._over = threading.Event()
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.bind("tcp://127.0.0.1:*")
        self.endpoint = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self.start()

    def run(self) -> None:
        peer, spoke_s = b"", 0.0
        while not self._over.is_set():
            if self._socket.poll(20):
                peer, *parts = self._socket.recv_multipart()
                for answer in self._answers(decode(parts)):
                    self._say(peer, answer)
            if self.answering:
                for seq in self._unanswered:
                    self._say(peer, self._report(seq))
                self._unanswered.clear()
            if peer and time.monotonic() - spoke_s > 0.5:
                self._say(peer, Alive())
                spoke_s = time.monotonic()
        self._socket.close(0)
        self._context.term()

    def close(self) -> None:
        """End, also without a hook."""
        self._over.set()
        self.join(10)

    def actions(self) -> list[str]:
        """What the microscope did, in order."""
        return [done.action for done in self.done]

    def wait_for(self, what: Callable[[], object], timeout_s: float = 60.0) -> None:
        """Return as soon as something is so."""
        give_up_s = time.monotonic() + timeout_s
        while not what():
            assert time.monotonic() < give_up_s, f"waited {timeout_s:g} s in vain"
            time.sleep(0.005)

    def _say(self, peer: bytes, message: Message) -> None:
        self._socket.send_multipart([peer, *(bytes(part) for part in encode(message))])

    def _answers(self, message: Message) -> list[Message]:
        match message:
            case Hello():
                self.hellos.append(message)
                here = len(self.frames)
                return [Welcome(next_seq=here, recorded_until=here, until=1 << 40, done=len(self.done))]
            case Frame():
                self.frames.append(message)
                self._unanswered.append(message.seq)
            case Done():
                self.done.append(message)
            case End():
                return [Closed(recorded=len(self.frames))]
            case Bye():
                self._over.set()
        return []

    def _report(self, seq: int) -> Report:
        decision = self.script.get(seq, CONTINUE)
        return Report(
            seq=seq,
            processed=True,
            action=decision.action,
            reason=decision.reason,
            change=dict(decision.change),
            pause_s=decision.pause_s,
        )


def image(seq: int) -> np.ndarray:
    """An image that says which it is."""
    return np.full((20, 30), seq, np.uint16)
