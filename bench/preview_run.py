"""A run that is watched: a real processor fed by a hook, its page, and viewers in processes of their own."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
from numpy.typing import NDArray
from websockets.exceptions import WebSocketException
from websockets.protocol import State
from websockets.sync.client import ClientConnection, connect

from bench.beside import ANY_PORT, PATIENCE_S
from streamer import Hook
from streamer.analysis import held_out
from streamer.apps.children import Child
from streamer.apps.page import NICENESS, Page, PageOptions, PageOrder
from streamer.apps.processor import ProcessorSettings, processor_process
from streamer.errors import ProcessDiedError

PROFILE = "abberior_er_low"
BOX_SUM, SEED, SPECIMENS = 28.0, 3, 4
#: Frames that may be on their way: one in the networks, one behind it, so that nothing waits for the feeder.
IN_FLIGHT = 2
POLL_S = 0.002
UP_WITHIN_S = 60.0
LAYERS = ["raw", "denoised", "segmentation", "trust"]


class Feed:
    """Hands frames to a hook: as fast as they are acknowledged, or at a steady pace.

    Attributes:
        sent: frames so far.
    """

    def __init__(self, hook: Hook, images: Sequence[NDArray[np.uint16]]) -> None:
        self.sent = 0
        self._hook, self._images = hook, images

    def as_fast_as_possible(self, frames: int) -> float:
        """Seconds until the last of so many frames was acknowledged."""
        started_s = time.monotonic()
        for _ in range(frames):
            self._wait_for(self.sent - IN_FLIGHT + 1)
            self._send()
        self._wait_for(self.sent)
        return time.monotonic() - started_s

    def at_a_pace(self, frames: int, interval_s: float) -> None:
        """One frame each `interval_s`."""
        started_s = time.monotonic()
        for number in range(frames):
            time.sleep(max(0.0, started_s + number * interval_s - time.monotonic()))
            self._send()
        self._wait_for(self.sent)

    def _send(self) -> None:
        image = self._images[self.sent % len(self._images)]
        self._hook.image_process_fn(image, {"Axes": {"time": self.sent}, "Exposure": 600.0})
        self.sent += 1

    def _wait_for(self, acknowledged: int) -> None:
        give_up_s = time.monotonic() + PATIENCE_S
        while self._hook.report().acknowledged < acknowledged:
            if time.monotonic() > give_up_s:
                raise ProcessDiedError(
                    f"the processor took no frame for {PATIENCE_S:g} s; nothing is measured"
                )
            time.sleep(POLL_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedRun:
    """A run under way: how to feed it, where it is recorded, and its page."""

    feed: Feed
    path: Path
    page: Page


def specimens(shape: tuple[int, int]) -> list[NDArray[np.uint16]]:
    """Counts of simulated specimens at the low dose."""
    side = max(shape)
    frames = held_out("er", SPECIMENS, SEED, box_sum=BOX_SUM, size_px=side)
    return [np.ascontiguousarray(one.counts[: shape[0], : shape[1]]).astype(np.uint16) for one in frames]


@contextmanager
def watched_run(path: Path, shape: tuple[int, int]) -> Iterator[WatchedRun]:
    """A processor with its networks that decides nothing, its hook, and its page at lower priority."""
    images = specimens(shape)
    settings = ProcessorSettings(
        profile=PROFILE, out=path, endpoint=ANY_PORT, shape_yx=shape, dry_run=True, seeds={"specimens": SEED}
    )
    with Child("processor", processor_process, settings, if_it_dies="a measurement is lost") as processor:
        ready = processor.expect("ready")
        with page_of(path, ready["preview"]) as page:
            hook = Hook(PROFILE, ready["endpoint"], spool_dir=path.parent / "spool")
            yield WatchedRun(feed=Feed(hook, images), path=path, page=page)
            hook.close(PATIENCE_S)
            processor.expect("summary")


@contextmanager
def page_of(path: Path, publisher: str | None) -> Iterator[Page]:
    """The page of a run, up."""
    up = threading.Event()
    order = PageOrder(run=path, options=PageOptions(), publisher=publisher)
    with Page(order, on_ready=lambda url: up.set()) as page:
        if not up.wait(UP_WITHIN_S):
            raise ProcessDiedError(f"the page was not up within {UP_WITHIN_S:g} s; nothing is measured")
        yield page


@contextmanager
def viewers(url: str, count: int, stalled: int, shape: tuple[int, int]) -> Iterator[list[BaseProcess]]:
    """Viewers in processes of their own: `count` that take every image, `stalled` that never read."""
    context = multiprocessing.get_context("spawn")
    up = context.Barrier(count + stalled + 1)
    started = [
        context.Process(target=view, args=(url, shape, number < stalled, up), daemon=True)
        for number in range(count + stalled)
    ]
    for process in started:
        process.start()
    try:
        up.wait(UP_WITHIN_S)
        yield started
    finally:
        for process in started:
            with suppress(ProcessLookupError):
                os.kill(process.pid or 0, signal.SIGCONT)
            process.kill()
            process.join(UP_WITHIN_S)


def view(url: str, shape: tuple[int, int], stalls: bool, up: Barrier) -> None:
    """One viewer: asks for the newest image with all that is drawn over it, and says when it has it.

    It decodes nothing: a real one does that on a computer of its own. Waits at `up` once it is served. Where
    the page gives it up, as it must one that stalls, it comes again.
    """
    os.nice(NICENESS)
    parts = urlsplit(url)
    token = parse_qs(parts.query)["token"][0]
    asked = {"type": "view", "position": None, "channel": "", "z": None, "seq": None, "region": None}
    asked |= {"width": shape[1], "height": shape[0], "layers": LAYERS}
    headers = {"Authorization": f"Bearer {token}"}
    is_first = True
    while True:
        with (
            suppress(WebSocketException, OSError),
            # No pings: both ends of a connection that is stopped for a block must not time out after it.
            connect(
                f"ws://{parts.netloc}/ws", additional_headers=headers, max_size=None, ping_interval=None
            ) as link,
        ):
            link.recv(UP_WITHIN_S)
            link.send(json.dumps(asked))
            if is_first:
                up.wait(UP_WITHIN_S)
                is_first = False
            _watch(link, stalls)


def _watch(link: ClientConnection, stalls: bool) -> None:
    """Take every image, or read nothing until the page gives the connection up."""
    while stalls and link.state is State.OPEN:
        time.sleep(1.0)
    for message in link:
        if isinstance(message, bytes):
            link.send(json.dumps({"type": "drawn", "seq": header_of(message)["seq"]}))


def header_of(message: bytes) -> dict[str, Any]:
    """The header of an image as the page server sends it."""
    (length,) = struct.unpack_from("<I", message)
    header: dict[str, Any] = json.loads(message[4 : 4 + length])
    return header


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Rows of the frames recorded so far."""
    lines = (path / "frames.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]
