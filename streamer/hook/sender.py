"""The hook's own thread: owns the sockets and the backlog, so that the engine's threads own nothing.

A frame's way: `put` copies its pixels on the engine's thread, into a slot of the ring where one is free. This
thread takes it into the backlog, sends it when the processor gives credit, and forgets it when the processor
reports it, or a frame after it, as recorded. What is said with the processor is `Dialogue`, what the rules
allow to be sent `Outbox`, what a connection is `Session`, how long a silence is borne `Patience`.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import zmq

from streamer.core import Frame
from streamer.hook.calls import Calls
from streamer.hook.dialogue import Dialogue
from streamer.hook.outbox import Outbox
from streamer.hook.packing import Packer
from streamer.hook.patience import Patience
from streamer.hook.session import Session
from streamer.wire import (
    Alive,
    Backlog,
    Done,
    End,
    Hello,
    Order,
    Parcel,
    Policy,
    Report,
    check_endpoint,
    is_loopback,
    load_hook_keys,
)
from streamer.wire.clock import host_clock

_log = logging.getLogger(__name__)

#: Between two attempts to be welcomed.
HELLO_S = 0.5
#: Frames on their way from the engine's thread to this one may take so much memory in any case.
MIN_WAY_BYTES = 1 << 24


class Sender(threading.Thread):
    """Sends frames in order, keeps them until they are acknowledged, hears decisions.

    Args:
        profile, endpoint, policy, planned: as in `Hook`.
        version: of the package, for the record.
        ram_bytes: memory for frames, wherever they are: up to a quarter is the ring, where there can be one;
            of what the ring leaves, half is for frames that wait, half for those on their way to this thread.
        spool_dir: folder of the spool files; default one of the user's own.
        disk_bytes: budget of the spool files.
        on_report: called on this thread with every report that asks for something, once; must not block.
        on_order: likewise with every order of a person.
        keys: key file of the hook; needed for any address but loopback.
        shared_memory: whether there may be a ring.

    Raises:
        UsageError: the endpoint or the keys cannot be used.
    """

    def __init__(
        self,
        *,
        profile: str,
        endpoint: str,
        policy: Policy,
        planned: int,
        version: str,
        ram_bytes: int,
        spool_dir: Path | None,
        disk_bytes: int,
        on_report: Callable[[Report], None],
        on_order: Callable[[Order], None] = lambda order: None,
        keys: Path | None = None,
        shared_memory: bool = True,
    ) -> None:
        super().__init__(name="streamer-sender", daemon=True)
        self._keys = load_hook_keys(keys) if keys else None
        self._endpoint = check_endpoint(endpoint, keys=keys is not None)
        hello = Hello(
            run=uuid.uuid4().hex,
            profile=profile,
            policy=policy,
            planned=planned,
            host=host_clock(),
            streamer=version,
        )
        self._calls = Calls()
        self._patience = Patience(endpoint)
        # Another machine cannot share memory, and an encrypted link does not know which machine it reaches.
        ring_bytes = ram_bytes // 4 if shared_memory and is_loopback(endpoint) else 0
        self._packer = Packer(ring_bytes=ring_bytes, on_ring=self._ring_is_there)
        spool = (spool_dir or _user_spool()) / hello.run
        self._backlog = Backlog(spool, ram_bytes=0, disk_bytes=disk_bytes, release=self._packer.give_back)
        self._ram_bytes = ram_bytes
        self._share_memory(ring_bytes)
        self._outbox = Outbox(self._backlog)
        self._dialogue = Dialogue(
            hello,
            outbox=self._outbox,
            patience=self._patience,
            endpoint=endpoint,
            counts=self._counts,
            on_report=on_report,
            on_order=on_order,
            on_unshared=self._packer.retire_ring,
        )
        # Two counts with one writer each, the engine's thread and this one, need no lock.
        self._handed_bytes = self._collected_bytes = 0
        self._give_up_s = 0.0
        self._gave_up = 0
        self._done = threading.Event()
        self.kept: Path | None = None
        self.start()

    @property
    def sent(self) -> int:
        """Frames sent at least once."""
        return self._outbox.sent

    @property
    def resent(self) -> int:
        """Sendings of a frame that had been sent before."""
        return self._outbox.resent

    @property
    def acknowledged(self) -> int:
        """Frames the processor has safe in its recording."""
        return self._outbox.acknowledged

    @property
    def spooled(self) -> int:
        """Frames that had to wait in the spool file."""
        return self._backlog.spooled

    @property
    def lost(self) -> int:
        """Frames given up because memory and spool were full."""
        return self._backlog.lost + self._gave_up

    @property
    def lag_ms(self) -> list[float]:
        """From the hand-over of a frame to its verdict, of the newest frames."""
        return list(self._outbox.lag_ms)

    @property
    def stopped_at(self) -> int | None:
        """The frame at which the processor asked for a stop."""
        return self._dialogue.stopped_at

    @property
    def stop_reason(self) -> str:
        """Why it did."""
        return self._dialogue.stop_reason

    @property
    def problem(self) -> str:
        """What is wrong with the link; empty while all is well."""
        return self._patience.problem

    @property
    def unwatched_s(self) -> float:
        """Since when a verdict is overdue, in seconds: 0 while no frame waits for one."""
        return self._patience.unwatched_s

    def put(self, frame: Frame) -> None:
        """Take over a copy of a frame, on any one thread; never blocks.

        Where there is no room for it, it is lost and counted.

        Raises:
            TypeError: the pixels are none that can be streamed.
            WireError: another part of the frame is none.
        """
        if self._handed_bytes - self._collected_bytes > self._way_bytes or self._done.is_set():
            self._gave_up += 1
            return
        parcel = self._packer.pack(frame)
        self._handed_bytes += parcel.size
        self._calls.put(partial(self._collect, parcel))
        self._patience.frame_waits()

    def tell(self, done: Done) -> None:
        """Let the processor know what the microscope has really done."""
        self._calls.put(partial(self._outbox.add, done))

    def describe(self, *, engine: str, camera: Mapping[str, object]) -> None:
        """Let the processor know what is acquired with; may come after the first frames."""
        self._calls.put(partial(self._describe, engine, camera))

    def close(self, acquired: int, timeout_s: float) -> None:
        """Say that no frame follows; wait for the processor, at most `timeout_s` without progress."""
        if not self._done.is_set():
            self._give_up_s = timeout_s
            self._calls.put(partial(self._end, End(acquired=acquired)))
        self.join()

    def run(self) -> None:
        """The thread: whatever happens to it, every frame is acknowledged, kept or counted as lost."""
        try:
            self._converse()
        except Exception as error:  # a bug or a broken socket must not take the frames along
            self._patience.problem = f"the link failed: {type(error).__name__}: {error}"
            _log.exception("no guard watches this run any more: the link failed; frames are kept")
            while self._outbox.end is None:
                self._calls.run_one()
        finally:
            self._keep_the_rest()
            self._patience.shout(self.lost, last=True)
            self._done.set()
            self._packer.close()
            self._calls.close()

    def _converse(self) -> None:
        """One connection after the other, until the processor has closed the recording or is given up."""
        context = zmq.Context()
        try:
            while not self._done.is_set():
                session = Session(context, self._endpoint, self._keys)
                self._dialogue.begin(session)
                try:
                    self._talk(session)
                finally:
                    session.close(linger_ms=500 if self._done.is_set() or self._patience.deserted else 0)
                    self._outbox.leave()
        finally:
            context.term()

    def _talk(self, session: Session) -> None:
        """Poll, hear, send, until this connection is over."""
        poller = zmq.Poller()
        poller.register(self._calls.fileno(), zmq.POLLIN)
        poller.register(session.socket, zmq.POLLIN)
        poller.register(session.monitor, zmq.POLLIN)
        while not self._done.is_set():
            self._wait(poller, session)
            self._calls.run_all()
            reason = self._dialogue.hear() or self._dialogue.speak()
            self._note_oldest()
            ended = self._outbox.end is not None
            if self._dialogue.closed or self._patience.is_over(ended=ended, give_up_s=self._give_up_s):
                self._done.set()
            self._patience.shout(self.lost)
            if reason:
                self._patience.left(reason)
                self._pause()
                return

    def _wait(self, poller: zmq.Poller, session: Session) -> None:
        poller.modify(session.socket, zmq.POLLIN | (zmq.POLLOUT if self._dialogue.wants_to_speak else 0))
        poller.poll(int(HELLO_S * 1000))

    def _pause(self) -> None:
        """Before the next connection: frames go on being collected."""
        until_s = time.monotonic() + HELLO_S
        while not self._done.is_set() and (left_s := until_s - time.monotonic()) > 0:
            self._calls.run_one(left_s)

    def _collect(self, parcel: Parcel) -> None:
        self._collected_bytes += parcel.size
        self._backlog.append(parcel)
        self._packer.make_ring(len(parcel.parts[-1]))

    def _describe(self, engine: str, camera: Mapping[str, object]) -> None:
        self._dialogue.announce(replace(self._dialogue.hello, engine=engine, camera=camera))
        if frame_bytes := _frame_bytes(camera):  # the ring can be there before the first frame
            self._packer.make_ring(frame_bytes)

    def _end(self, end: End) -> None:
        self._outbox.end = end
        self._patience.progress()

    def _ring_is_there(self, ring_bytes: int) -> None:
        """On the thread that made it."""
        self._calls.put(partial(self._use_ring, ring_bytes))

    def _use_ring(self, ring_bytes: int) -> None:
        self._share_memory(ring_bytes)
        if ring_bytes:
            self._dialogue.announce(self._packer.described(self._dialogue.hello))

    def _share_memory(self, ring_bytes: int) -> None:
        """Divide what the ring leaves between frames that wait and frames on their way here."""
        self._backlog.ram_bytes = (self._ram_bytes - ring_bytes) // 2
        self._way_bytes = max(self._backlog.ram_bytes, MIN_WAY_BYTES)

    def _note_oldest(self) -> None:
        oldest_ns = self._backlog.first_handed_ns
        if oldest_ns is not None or self._calls.empty():  # else a frame is on its way here
            self._patience.oldest_waits(oldest_ns)

    def _counts(self) -> Alive:
        return replace(self._outbox.counts(), lost=self.lost)

    def _keep_the_rest(self) -> None:
        try:
            self.kept = self._backlog.keep()
        except OSError as error:
            self._patience.problem = f"not all frames could be kept: {error}"


def _frame_bytes(camera: Mapping[str, object]) -> int:
    """Bytes of a frame of the camera that a core describes; 0 where it does not say."""
    match camera:
        case {"shape": [int(height), int(width)]}:
            depth = camera.get("bit_depth")
            return height * width * (1 if isinstance(depth, int) and depth <= 8 else 2)
    return 0


def _user_spool() -> Path:
    """The user's own folder for frames that no processor has taken; it survives a reboot."""
    from streamer.resources import spool_dir  # not at import: a script that streams need not pay for it

    return spool_dir()
