"""docs/wire.md says what the code does, and its stand-alone sender works."""

from __future__ import annotations

import ast
import importlib.util
import re
import threading
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from streamer.core import Decision, Frame, Outcome
from streamer.sources.live import LiveSource
from streamer.wire.codec import _FRAME_FIELDS, VERSION
from streamer.wire.messages import KINDS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "wire.md").read_text()
SENDER = DOCS / "examples" / "send_frames.py"


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_names_every_field_of_a_message(kind: str) -> None:
    rows = [row for row in PAGE.splitlines() if row.startswith(f"| `{kind}`")]
    told = set(re.findall(r"`(\w+)`", rows[0])) - {kind}
    known = (
        {*_FRAME_FIELDS, "shape", "dtype"} if KINDS[kind] is Frame else {f.name for f in fields(KINDS[kind])}
    )
    assert told | {"kind"} == known | {"kind"} or rows[0].endswith("as above |")


def test_the_page_is_of_this_version() -> None:
    assert f"scope-streamer/{VERSION}" in PAGE


def test_the_stand_alone_sender_imports_nothing_of_ours() -> None:
    tree = ast.parse(SENDER.read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert names <= {"json", "sys", "time", "uuid", "numpy", "zmq"}


@pytest.mark.parametrize("stop_at", [None, 20], ids=["to its end", "until a guard says stop"])
def test_the_stand_alone_sender_streams_to_a_processor(stop_at: int | None) -> None:
    spec = importlib.util.spec_from_file_location("send_frames", SENDER)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    source = LiveSource("tcp://127.0.0.1:*", profile="p", ram_bytes=10**6, silence_s=30)
    seqs: list[int] = []

    def record() -> None:
        for frame in source.frames():
            assert (frame.pixels == frame.seq).all()
            seqs.append(frame.seq)
            action = "stop" if frame.seq == stop_at else "continue"
            source.reply(Outcome(frame=frame, decision=Decision(action=action)))
        source.close(len(seqs))

    processor = threading.Thread(target=record)
    processor.start()
    images = (np.full((20, 30), seq, np.uint16) for seq in range(300))
    recorded = module.send_frames(source.endpoint, "p", images)
    processor.join(10)
    assert seqs == list(range(recorded))
    assert recorded == 300 if stop_at is None else stop_at < recorded < 300
