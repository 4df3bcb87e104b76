"""The sender among faults of others: another version, a full disk."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from streamer.core import Frame, Outcome
from streamer.hook.outbox import Outbox
from streamer.hook.sender import Sender
from streamer.sources.live import LiveSource
from streamer.wire import Backlog, Parcel, Report, Welcome

#: A side of version 1, as far as the other can tell: it writes that number and takes no other.
VERSION_1 = """
import sys
from streamer.wire import codec
codec.VERSION, codec.PREAMBLE = 1, b"scope-streamer/1"
"""
OLD_PROCESSOR = """
from streamer.sources.live import LiveSource
source = LiveSource("tcp://127.0.0.1:*", profile="p", ram_bytes=10**6, silence_s=30)
print(source.endpoint, flush=True)
sys.stdin.read()
print(*source.counts().refused, sep="\\n")
source.finish()
source.close(0)
"""
OLD_HOOK = """
import time
from pathlib import Path
from streamer.hook.sender import Sender
sender = Sender(profile="p", endpoint=sys.argv[1], policy="lossless", planned=0, version="0", ram_bytes=10**6,
                spool_dir=Path(sys.argv[2]), disk_bytes=10**6, on_report=print)
give_up_s = time.monotonic() + 60
while not sender.problem and time.monotonic() < give_up_s:
    time.sleep(0.01)
print(sender.problem)
sender.close(0, 0.1)
"""


def wait_until(true: Callable[[], object], seconds: float = 60) -> None:
    give_up_s = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < give_up_s, "it did not come true"
        time.sleep(0.005)


def a_sender(endpoint: str, spool: Path, ram_bytes: int = 10**6) -> Sender:
    return Sender(
        profile="p",
        endpoint=endpoint,
        policy="lossless",
        planned=0,
        version="0",
        ram_bytes=ram_bytes,
        spool_dir=spool,
        disk_bytes=10**9,
        on_report=lambda report: None,
    )


def a_frame(seq: int, side: int = 40) -> Frame:
    return Frame(pixels=np.full((side, side), seq, np.uint16), seq=seq, hook_ns=time.monotonic_ns())


def test_a_processor_of_version_1_is_named_with_the_cure_and_frames_are_kept(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", VERSION_1 + OLD_PROCESSOR],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as processor:
        assert processor.stdout
        endpoint = processor.stdout.readline().strip()
        sender = a_sender(endpoint, tmp_path)
        sender.put(a_frame(0))
        wait_until(lambda: sender.problem)
        problem = sender.problem
        sender.close(1, 0.1)
        refused, _ = processor.communicate()
    old = "wire version '1'; this side speaks 3: update the older one"
    assert problem == f"the processor at {endpoint} does not speak our wire: {old}"
    assert "wire version '3'; this side speaks 1: update the older one" in refused
    assert sender.kept
    assert (sender.sent, sender.lost) == (0, 0)


def test_a_hook_of_version_1_is_told_so_and_counted(tmp_path: Path) -> None:
    source = LiveSource("tcp://127.0.0.1:*", profile="p", ram_bytes=10**6, silence_s=30)
    command = [sys.executable, "-c", VERSION_1 + OLD_HOOK, source.endpoint, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "wire version '3'; this side speaks 1: update the older one" in done.stdout
    assert "wire version '1'; this side speaks 3: update the older one" in source.counts().refused
    assert source.hello is None
    source.finish()
    source.close(0)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 3 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    try:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", disk], capture_output=True
        )
    except FileNotFoundError:
        pytest.skip("file systems cannot be mounted here")
    if mounted.returncode:
        pytest.skip("file systems cannot be mounted here")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_on_a_full_spool_disk_the_run_goes_on_and_what_is_lost_is_counted_and_shouted(
    small_disk: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    later = LiveSource("tcp://127.0.0.1:*", profile="p", ram_bytes=10**6, silence_s=30)
    endpoint = later.endpoint
    later.finish()
    later.close(0)
    sender = a_sender(endpoint, small_disk / "spool", ram_bytes=10**6)
    for seq in range(60):  # 7.5 MB
        sender.put(a_frame(seq, side=250))
    wait_until(lambda: sender.lost and sender.lost + len(sender._backlog) == 60)
    wait_until(lambda: "frames are lost: no room in memory or in the spool folder" in caplog.text)
    assert sender.spooled > 10
    lost = sender.lost
    source = LiveSource(endpoint, profile="p", ram_bytes=10**6, silence_s=30)
    seqs = []
    frames = source.frames()
    for _ in range(60 - lost):
        frame = next(frames)
        assert (frame.pixels == frame.seq).all()
        seqs.append(frame.seq)
        source.reply(Outcome(frame=frame))
    wait_until(lambda: sender.acknowledged == 60 - lost)
    sender.put(a_frame(60))  # there is room again
    last = next(frames)
    source.reply(Outcome(frame=last))
    wait_until(lambda: sender.acknowledged == 61 - lost)
    counts = source.counts()
    source.finish()
    source.close(len(seqs) + 1)
    sender.close(61, 1)
    assert (last.seq, counts.received, counts.missing) == (60, 61 - lost, lost)
    assert seqs == sorted(set(seqs))
    assert (sender.lost, sender.acknowledged) == (lost, 61 - lost)


def test_lags_of_a_long_run_are_those_of_its_newest_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamer.hook.outbox.LAGS_KEPT", 10)
    outbox = Outbox(Backlog(tmp_path / "spool", ram_bytes=10**6, disk_bytes=0))
    outbox.welcome(Welcome(next_seq=0, until=100))
    for seq in range(25):
        outbox.backlog.append(Parcel(seq=seq, parts=[b"", b""], handed_ns=0))
        outbox.next()
        outbox.report(Report(seq=seq, processed=True, action="continue"), now_ns=seq * 10**6)
    assert list(outbox.lag_ms) == list(range(15, 25))
