"""A page on a real port about a recording that grows, and a viewer that understands what it is sent."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
import zmq
from numpy.typing import NDArray
from websockets.sync.client import connect

from streamer.core import Decision, Frame, Outcome, Result, Verdict
from streamer.preview.server import PageSettings, serve
from streamer.recording import RunFolder, RunInfo, Scale, create_run, write_info
from streamer.sinks import AnnotatedSink, DecisionsSink, Drawn, FramesSink, RawSink

TOKEN = "a-token-of-the-tests"
PLANE = (48, 64)
WAIT_S = 90.0
LAYERS = ("raw", "denoised", "uncertainty", "segmentation", "trust")

#: A processor's snapshot, see `streamer.preview.snapshot`.
SNAPSHOT: Mapping[str, Any] = {
    "run": "told",
    "state": "running",
    "seq": 0,
    "planned": None,
    "received": 1,
    "recorded": 1,
    "processed": 1,
    "dropped": 0,
    "waiting": 0,
    "lag_ms": 12.0,
    "fps": 5.0,
    "timings_ms": {},
    "dose": {},
    "verdicts": [],
    "decision": {"action": "continue", "reason": ""},
    "elapsed_s": 1.0,
}


def counts(seq: int, plane: tuple[int, int] = PLANE) -> NDArray[np.uint16]:
    """What the camera saw in frame `seq`."""
    return np.random.default_rng(seq).poisson(4, plane).astype(np.uint16)


class Growing:
    """A recording that grows by a frame at a time, with the sinks of a real run."""

    def __init__(self, path: Path, plane: tuple[int, int] = PLANE) -> None:
        self.info = RunInfo(pixel_nm=20.0, profile={"profile": {"name": "a rig"}, "guards": {"photons": {}}})
        self.folder: RunFolder = create_run(path, self.info)
        self.plane, self.seq = plane, 0
        scale = Scale(pixel_um=0.02, interval_s=0.6)
        self._raw = RawSink(self.folder, scale)
        annotated = AnnotatedSink(self.folder, scale, _draw, self._raw.part_of)
        rows = FramesSink(self.folder, raw=self._raw.take, annotated=annotated.take, dose=_dose)
        self._decisions = DecisionsSink(self.folder)
        self._sinks = (annotated, self._decisions, rows)

    def put(self, count: int = 1, *, axes: Mapping[str, Any] | None = None, stop: str = "") -> int:
        """Record further frames; gives the number of the last one."""
        for _ in range(count):
            self._put(self.seq, axes or {"time": self.seq}, stop)
            self.seq += 1
        return self.seq - 1

    def _put(self, seq: int, axes: Mapping[str, Any], stop: str) -> None:
        pixels = counts(seq, self.plane)
        frame = Frame(pixels=pixels, seq=seq, axes=axes, metadata={}, wall_time_s=1.7e9 + seq)
        smooth = pixels * np.float32(0.25)
        result = Result(
            frame=frame,
            photons=smooth,
            denoised=smooth,
            labels=(pixels % 3).astype(np.uint8),
            uncertainty=np.sqrt(smooth),
        )
        view = ", ".join(f"{axis} {axes[axis]}" for axis in ("position", "z", "channel") if axis in axes)
        verdict = Verdict(
            guard="photons",
            status="pass",
            measured=20.0 * 0.99**seq,
            limit=8.0,
            meaning="enough light",
            view=view,
        )
        outcome = Outcome(
            frame=frame, results=(result,), verdicts=(verdict,), timings_ms={"denoise": 3.0}, lag_ms=9.0
        )
        if stop:
            outcome = replace(outcome, decision=Decision(action="stop", reason=stop, evidence=(verdict,)))
        self._raw.put(frame)
        for sink in self._sinks:
            sink.put(outcome)

    def leave(self) -> None:
        """Stop writing, as a processor that dies."""
        for sink in self._sinks:
            sink.close()
        assert self.folder.lock is not None
        self.folder.lock.release()

    def close(self) -> None:
        """End the run."""
        write_info(self.folder, self.info.model_copy(update={"state": "closed", "ended_wall_s": time.time()}))
        self.leave()


class Speaking:
    """A processor's publisher."""

    def __init__(self) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.PUB)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.bind("tcp://127.0.0.1:*")
        self.endpoint = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)

    def say(self, **changes: Any) -> None:
        """Publish a snapshot."""
        self.say_bytes(json.dumps({**SNAPSHOT, **changes}).encode())

    def say_bytes(self, message: bytes) -> None:
        self._socket.send(message)

    def close(self) -> None:
        self._socket.close()
        self._context.term()


class Page:
    """A page that is served.

    Attributes:
        url: with the token.
        place: host and port.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.place = url.split("/")[2]
        self.http = url.split("/?")[0]

    def viewer(self, path: str = "/ws", **known: Any) -> Viewer:
        """A viewer, by default one that is let in by its header."""
        headers = known.pop("headers", {"Authorization": f"Bearer {TOKEN}"})
        scheme = "wss" if self.http.startswith("https") else "ws"
        url = f"{scheme}://{self.place}{path}"
        return Viewer(
            connect(url, additional_headers=headers, max_size=1 << 26, compression=None, proxy=None, **known)
        )


@contextmanager
def served(run: Path, **changes: Any) -> Iterator[Page]:
    """The page of a recording, in a thread of its own."""
    settings = PageSettings(**{"run": run, "token": TOKEN, **changes})
    over, ready, urls, errors = threading.Event(), threading.Event(), [], []

    def work() -> None:
        try:
            serve(settings, on_ready=lambda url: (urls.append(url), ready.set()), stop=over.is_set)
        except BaseException as error:
            errors.append(error)
        ready.set()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert ready.wait(WAIT_S), "the page is not there"
    if errors:
        raise errors[0]
    try:
        yield Page(urls[0])
    finally:
        over.set()
        thread.join(WAIT_S)
        assert not thread.is_alive(), "the page does not end"
        assert not errors, errors


class Image:
    """A binary message, taken apart."""

    def __init__(self, message: bytes) -> None:
        (length,) = struct.unpack("<I", message[:4])
        self.header: dict[str, Any] = json.loads(message[4 : 4 + length])
        self.body = zlib.decompress(message[4 + length :])

    @property
    def seq(self) -> int:
        return int(self.header["seq"])

    def pixels(self, name: str) -> NDArray[np.uint8]:
        """[y, x] bytes of a layer."""
        shape = self.header["height"], self.header["width"]
        names = [layer["name"] for layer in self.header["layers"]]
        assert len(self.body) == len(names) * shape[0] * shape[1]
        stack = np.frombuffer(self.body, np.uint8).reshape(len(names), *shape)
        return np.asarray(stack[names.index(name)])

    def values(self, name: str) -> NDArray[np.float64]:
        """[y, x] values of a grey layer, by the protocol's formula."""
        layer = next(each for each in self.header["layers"] if each["name"] == name)
        assert layer["scale"] == "sqrt"
        share = (self.pixels(name) / 255.0) ** 2
        return np.asarray(layer["low"] + share * (layer["high"] - layer["low"]))


class Viewer:
    """One WebSocket, with everything that came over it so far.

    Attributes:
        draws: whether every image is drawn as soon as it comes.
    """

    def __init__(self, connecting: connect) -> None:
        self._connecting = connecting
        self.draws = False
        self.texts: list[dict[str, Any]] = []
        self.images: list[Image] = []

    def say(self, kind: str, **fields: Any) -> None:
        """Send a message."""
        self.socket.send(json.dumps({"type": kind, **fields}))

    def look(self, **changes: Any) -> None:
        """Ask for images."""
        wanted = {"position": None, "channel": "", "z": None, "seq": None, "region": None}
        size = {"width": 640, "height": 640, "layers": list(LAYERS)}
        self.say("view", **{**wanted, **size, **changes})

    def until(self, found: Callable[[], Any], timeout_s: float = WAIT_S) -> Any:
        """Take messages until something is so."""
        deadline_s = time.monotonic() + timeout_s
        while not (value := found()):
            left_s = deadline_s - time.monotonic()
            assert left_s > 0, f"in vain; heard {[text['type'] for text in self.texts]}"
            try:
                self._take(self.socket.recv(timeout=left_s))
            except TimeoutError:
                continue
        return value

    def hear(self, kind: str) -> dict[str, Any]:
        """The next text of a kind."""
        heard = len(self.texts)
        return dict(self.until(lambda: next((t for t in self.texts[heard:] if t["type"] == kind), None)))

    def image(self, *, drawn: bool = True) -> Image:
        """The next image; by default it is drawn at once."""
        seen = len(self.images)
        self.until(lambda: len(self.images) > seen)
        image = self.images[seen]
        if drawn and not self.draws and image.header["kind"] == "image":
            self.say("drawn", seq=image.seq)
        return image

    def image_of(self, seq: int) -> Image:
        """The live image of a frame; those before it are drawn, too."""
        while (image := self.image()).seq != seq:
            pass
        return image

    def drain(self) -> None:
        """Take what has come, until the page has answered something said after it."""
        number = len(self.texts) + 1_000_000
        self.say("ask", id=number, action="mark", note="")
        self.until(lambda: any(t["type"] == "answer" and t["id"] == number for t in self.texts))

    def states(self) -> list[dict[str, Any]]:
        return [text for text in self.texts if text["type"] == "state"]

    def _take(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            self.images.append(Image(message))
            if self.draws:
                self.say("drawn", seq=self.images[-1].seq)
        else:
            self.texts.append(json.loads(message))

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Self:
        self.socket = self._connecting.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._connecting.__exit__(None, None, None)


def _draw(result: Result) -> Drawn:
    supported = (result.labels > 0).astype(np.uint8) * np.uint8(2)
    images = {"denoised": result.denoised, "uncertainty": result.uncertainty}
    return Drawn(images=images, labels={"segmentation": result.labels, "trust": supported})


def _dose(frame: Frame) -> tuple[dict[str, float], dict[str, float]]:
    return {"excitation 640 nm uJ/px": 0.1}, {"excitation 640 nm uJ/px": 0.1 * (frame.seq + 1)}


def certificate_in(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key, new."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed: no certificate can be made here")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    made = ["-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", "/CN=127.0.0.1"]
    options = ["-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([openssl, "req", "-x509", *options, *made, *names], check=True, capture_output=True)
    return certificate, key
