"""A page server that plays a synthetic run: what the page's own tests need of a microscope."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import socket
import struct
import threading
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

import streamer.preview

PAGE = Path(streamer.preview.__file__).parent / "page"
SIDE = 256
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
STAGES = {"denoise": 42.0, "segment": 6.0, "guards": 11.0}


class Cell:
    """Threads of a dim cell that fade; drawn once, moved and thinned frame by frame."""

    def __init__(self, side: int = SIDE) -> None:
        rng = np.random.default_rng(7)
        y, x = np.mgrid[0:side, 0:side] / side
        field = np.zeros((side, side))
        for _ in range(26):
            a, b, phase, tilt = rng.uniform((0.02, 1, 0, 0), (0.09, 3, 6.3, 3.1))
            u, v = np.cos(tilt) * x + np.sin(tilt) * y, -np.sin(tilt) * x + np.cos(tilt) * y
            line = v - rng.uniform(-0.7, 0.9) - a * np.sin(2 * np.pi * b * u + phase)
            field += np.exp(-((line / 0.0055) ** 2))
        body = np.exp(-((((x - 0.5) / 0.42) ** 2 + ((y - 0.5) / 0.36) ** 2) ** 2))
        self.truth = 2.6 * np.clip(field, 0, 1.6) * body + 0.05
        self.body, self.rng = body, rng

    def planes(self, seq: int) -> dict[str, Any]:
        level = 0.35 + 0.65 * math.exp(-seq / 160)
        truth = np.roll(self.truth, (seq // 7, seq // 5), (0, 1)) * level
        raw = np.random.default_rng(seq).poisson(truth).astype(np.float32)
        drawn = truth > 0.6 * level
        trust = np.where(drawn, np.where(truth > 1.3 * level, 2, 1), 0).astype(np.uint8)
        trust[150:180, 62:92][drawn[150:180, 62:92]] = 3  # less than the page warns of
        segmentation = np.where(drawn, np.where(truth > 2.9 * level, 2, 1), 0).astype(np.uint8)
        return {"raw": raw, "denoised": truth, "segmentation": segmentation, "trust": trust}


def message(header: dict[str, Any], body: bytes) -> bytes:
    head = json.dumps(header).encode()
    return struct.pack("<I", len(head)) + head + zlib.compress(body, 1)


class FakeRun:
    """State that a test turns; the server shows it to every viewer.

    Attributes:
        seq: newest frame; `go_on(n)` lets further ones come.
        said: messages of all pages, in their order.
    """

    def __init__(self, frames: int = 60, side: int = SIDE, planned: int | None = 260) -> None:
        self.cell, self.side, self.planned = Cell(side), side, planned
        self.seq, self.state, self.reason, self.link = frames - 1, "running", "", "live"
        self.verdict, self.name = "pass", "mitochondria-07"
        self.left_s: float | None = 412.0
        self.control, self.report, self.folder = True, False, "mitochondria-07"
        self.views: dict[str, list[Any]] = {"positions": [None], "channels": [""], "z": [None]}
        self.log: list[dict[str, Any]] = [
            self.entry(0, "begun", "info", "run begins: 260 frames planned, simulated microscope"),
            self.entry(31, "verdict", "warning", "similarity: the pictures change more than at the start"),
            self.entry(36, "verdict", "info", "similarity: in order again since frame 34"),
            self.entry(52, "mark", "info", "marked by the page: drug added"),
        ]
        self.said: list[dict[str, Any]] = []
        self.answers: dict[str, tuple[bool, str]] = {}
        self.damaged, self.carries = False, False

    def entry(self, seq: int, kind: str, gravity: str, text: str) -> dict[str, Any]:
        wall_s = 1_795_260_724 + 0.5 * seq
        return {"seq": seq, "wall_time_s": wall_s, "kind": kind, "gravity": gravity, "text": text}

    # ---- what is sent ----

    def curve_values(self, seq: int) -> dict[str, tuple[str, str, str, float, float | None]]:
        """Name, group, unit, value and limit of every curve at a frame."""
        wave = math.sin(seq / 3.1) + math.sin(seq / 1.7)
        level = 3 + 22 * math.exp(-seq / 160) + 0.3 * wave
        return {
            "photons": ("photons", "guard", "photons per box", level, 8.0),
            "similarity": ("similarity", "guard", "", 0.93 - 0.0003 * seq + 0.008 * wave, 0.84),
            "resolution": ("resolution", "resolution", "nm", 62 + seq * 0.06 + 1.4 * wave, None),
            "dose excitation 640 nm": ("dose excitation 640 nm", "dose", "uJ/px", 2.4e-6 * (seq + 1), None),
            "dose depletion 775 nm": ("dose depletion 775 nm", "dose", "uJ/px", 0.083 * (seq + 1), None),
            "lag": ("lag", "latency", "ms", 96 + 14 * wave, None),
            "waiting": ("waiting", "queue", "frames", float(max(0, round(2 * math.sin(seq / 9) ** 8))), None),
            **{stage: (stage, "latency", "ms", ms * (1 + 0.05 * wave), None) for stage, ms in STAGES.items()},
        }

    def curves(self) -> list[dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for seq in range(self.seq + 1):
            for key, (name, group, unit, value, limit) in self.curve_values(seq).items():
                curve = found.setdefault(
                    key,
                    {"key": key, "name": name, "group": group, "view": "", "unit": unit}
                    | {part: [] for part in ("seq", "time_s", "value", "limit")},
                )
                for part, one in (("seq", seq), ("time_s", seq * 0.5), ("value", value), ("limit", limit)):
                    curve[part].append(one)
        return list(found.values())

    def points(self, seq: int) -> list[dict[str, Any]]:
        return [
            {"key": key, "seq": seq, "time_s": seq * 0.5, "value": value, "limit": limit}
            for key, (_, _, _, value, limit) in self.curve_values(seq).items()
        ]

    def snapshot(self) -> dict[str, Any]:
        values = self.curve_values(self.seq)
        verdicts = [
            self.verdict_of("photons", values, f"{values['photons'][3]:.1f} photons per box"),
            self.verdict_of("similarity", values, "neighbouring pictures are less alike than at the start"),
        ]
        verdicts[1]["status"] = self.verdict
        if verdicts[0]["measured"] < verdicts[0]["limit"]:
            verdicts[0]["status"] = "reject"
        return {
            "run": self.name,
            "state": self.state,
            "seq": self.seq,
            "planned": self.planned,
            "received": self.seq + 1,
            "recorded": self.seq + 1,
            "processed": self.seq + 1,
            "dropped": 0,
            "waiting": 1,
            "lag_ms": values["lag"][3],
            "fps": 2.0,
            "timings_ms": STAGES,
            "dose": {"excitation 640 nm uJ/px": 2.4e-6 * self.seq},
            "verdicts": verdicts,
            "decision": {"action": "stop" if self.reason else "continue", "reason": self.reason},
            "elapsed_s": (self.seq + 1) * 0.5,
        }

    def verdict_of(self, guard: str, values: dict[str, Any], meaning: str) -> dict[str, Any]:
        return {
            "guard": guard,
            "status": "pass",
            "measured": values[guard][3],
            "limit": values[guard][4],
            "meaning": meaning,
            "values": {},
            "view": "",
        }

    def forecast(self) -> dict[str, Any]:
        ahead = np.arange(self.seq + 1, self.seq + 120, 4)
        median = 3 + 22 * np.exp(-ahead / 160)
        spread = 0.4 + 0.02 * (ahead - self.seq)
        return {
            "key": "photons",
            "seq": ahead.tolist(),
            "median": median.tolist(),
            "low": (median - spread).tolist(),
            "high": (median + spread).tolist(),
            "floor": 8.0,
        }

    def hello(self) -> dict[str, Any]:
        return {
            "type": "hello",
            "protocol": 1,
            "run": {
                "name": self.name,
                "path_name": self.folder,
                "state": self.state,
                "profile": "abberior_er_low",
                "pixel_um": 0.02,
                "planned": self.planned,
                "started_wall_s": 1_795_260_724.0,
                "model": "er_fused_causal",
                "guards": ["photons", "similarity"],
                "version": "0.1.0",
                "simulated": True,
            },
            "views": self.views,
            "control": {
                "allowed": self.control,
                "actions": ["stop", "pause", "resume", "mark"] if self.control else [],
                "why_not": "" if self.control else "the run was started without --control",
            },
            "legend": {
                "segmentation": {"1": "tubule", "2": "sheet"},
                "trust": {"1": "uncertain", "2": "supported", "3": "unsupported"},
            },
            "curves": self.curves(),
            "log": self.log,
            "log_left_out": 0,
        }

    def state_message(self, points: list[dict[str, Any]], log: list[dict[str, Any]]) -> dict[str, Any]:
        words = "light for about 800 frames"
        left = {"frames": 824.0, "low": 510.0, "high": None, "seconds": self.left_s, "words": words}
        return {
            "type": "state",
            "snapshot": self.snapshot(),
            "link": self.link,
            "report": self.report,
            "left": left,
            "points": points,
            "forecast": self.forecast(),
            "log": log,
            "now_wall_s": time.time(),
        }

    def image(self, wanted: dict[str, Any]) -> bytes:
        seq = self.seq if wanted["seq"] is None else min(wanted["seq"], self.seq)
        y, x, h, w = wanted["region"] or [0, 0, self.side, self.side]
        planes = self.cell.planes(seq)
        layers, body = [], b""
        for name in ("raw", "denoised", "segmentation", "trust"):
            if name not in wanted["layers"]:
                continue
            part = planes[name][y : y + h, x : x + w]
            if name in ("raw", "denoised"):
                top = float(planes[name].max())
                layers.append(
                    {"name": name, "low": 0.0, "high": top, "scale": "sqrt", "auto": [0.0, 0.75 * top]}
                )
                part = np.rint(255 * np.sqrt(part / top)).astype(np.uint8)
            else:
                layers.append({"name": name, "low": 0, "high": 3, "scale": "labels", "auto": None})
            body += part.tobytes()
        header = {
            "kind": "image",
            "seq": seq,
            "wall_time_s": time.time(),
            "time_s": seq * 0.5,
            "view": {"position": None, "channel": "", "z": None},
            "labels_seq": seq - 1 if self.carries and seq % 2 else None,
            "live": wanted["seq"] is None,
            "width": w,
            "height": h,
            "full": [self.side, self.side],
            "region": [y, x, h, w],
            "pixel_um": 0.02,
            "layers": layers,
        }
        return message(header, body[: len(body) // 2] if self.damaged else body)

    def strip(self, count: int, width: int) -> tuple[dict[str, Any], bytes]:
        stride = max(1, math.ceil((self.seq + 1) / count))
        seqs = list(range(0, self.seq + 1, stride))
        step = max(1, self.side // width)
        thumbs = [self.cell.planes(seq)["denoised"][::step, ::step] for seq in seqs]
        pixels = np.clip(np.sqrt(np.concatenate(thumbs) / 2.6) * 255, 0, 255).astype(np.uint8)
        height, wide = thumbs[0].shape
        entries = [{"seq": seq, "time_s": seq * 0.5} for seq in seqs]
        header = {"kind": "strip", "count": len(seqs), "width": wide, "height": height, "seqs": seqs}
        return {"type": "strip", "entries": entries, "width": wide, "height": height}, message(
            header, pixels.tobytes()
        )


class Viewer:
    """One connected page: one image in flight, everything else as it comes."""

    def __init__(self, run: FakeRun, socket: WebSocket) -> None:
        self.run, self.socket = run, socket
        self.wanted: dict[str, Any] | None = None
        self.in_flight, self.sent = False, object()
        self.seen, self.logged, self.state = run.seq, len(run.log), ""

    async def serve(self) -> None:
        await self.socket.accept()
        await self.socket.send_text(json.dumps(self.run.hello()))
        hearing = asyncio.ensure_future(self.hear())
        try:
            while not hearing.done():
                await self.tell()
                await asyncio.sleep(0.02)
        finally:
            hearing.cancel()
            with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                await hearing

    async def tell(self) -> None:
        run = self.run
        now = (run.seq, run.state, run.reason, run.verdict, run.link, run.report, len(run.log))
        if now != self.state:
            first = max(self.seen + 1, run.seq - 20_000)
            points = [point for seq in range(first, run.seq + 1) for point in run.points(seq)]
            text = json.dumps(run.state_message(points, run.log[self.logged :]))
            self.seen, self.logged, self.state = run.seq, len(run.log), now
            await self.socket.send_text(text)
        if self.wanted is None or self.in_flight:
            return
        key = (json.dumps(self.wanted), run.seq if self.wanted["seq"] is None else None)
        if key != self.sent:
            self.sent, self.in_flight = key, True
            await self.socket.send_bytes(run.image(self.wanted))

    async def hear(self) -> None:
        while True:
            heard = json.loads(await self.socket.receive_text())
            self.run.said.append(heard)
            match heard["type"]:
                case "view":
                    self.wanted = heard
                case "drawn":
                    self.in_flight = False
                case "strip":
                    words, pixels = self.run.strip(heard["count"], heard["width"])
                    await self.socket.send_text(json.dumps(words))
                    await self.socket.send_bytes(pixels)
                case "ask":
                    ok, text = self.run.answers.get(heard["action"], (True, f"{heard['action']} asked for"))
                    answer = {"type": "answer", "id": heard["id"], "ok": ok, "text": text}
                    await self.socket.send_text(json.dumps(answer))


class FakeServer:
    """The run at a port of this machine; `stop` and `start` again as a process that is killed would."""

    def __init__(self, run: FakeRun) -> None:
        self.run = run
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        async def page(_: Any) -> HTMLResponse:
            return HTMLResponse((PAGE / "index.html").read_text(), headers={"Content-Security-Policy": CSP})

        async def viewer(websocket: WebSocket) -> None:
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                await Viewer(self.run, websocket).serve()

        static = Mount("/static", StaticFiles(directory=PAGE))
        app = Starlette(routes=[Route("/", page), WebSocketRoute("/ws", viewer), static])
        config = uvicorn.Config(
            app,
            host="127.0.0.1",
            port=self.port,
            log_level="critical",
            ws="websockets-sansio",
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)
