"""The engine cache: built once, never half, never another's; an engine that cannot be kept is still used."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import luck
import numpy as np
import pytest

from streamer.engines import EngineKey, cache, lock

KEY = EngineKey(
    weights_sha256="0" * 64,
    device="a card",
    instruction_set="sm_89",
    runtime="tensorrt",
    runtime_version="1",
    shape=(1, 1, 608, 608),
    precision="f32",
    threads=0,
)
ENGINE = np.random.default_rng(luck.seed()).bytes(5000)

#: A child process: builds KEY in the folder argv[1] as `how` says, telling of it on standard output.
CHILD = """
import os, signal, sys, time
from pathlib import Path
from streamer.engines import EngineKey, cache

KEY = {key!r}
ENGINE = {engine!r}

def build():
    print("building", flush=True)
    {how}
    return ENGINE

{before}
assert cache.cached(KEY, build, folder=Path(sys.argv[1])) == ENGINE
print("done", flush=True)
"""


def child(folder: Path, how: str = "pass", before: str = "") -> subprocess.Popen[str]:
    code = CHILD.format(key=KEY, engine=ENGINE, how=how, before=before)
    command = [sys.executable, "-c", code, str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def never() -> bytes:
    raise AssertionError("built although it was kept")


def get(folder: Path, build: Callable[[], bytes] = lambda: ENGINE, key: EngineKey = KEY) -> bytes:
    return cache.cached(key, build, folder=folder)


def test_an_engine_is_built_once(tmp_path: Path) -> None:
    assert get(tmp_path / "made") == ENGINE
    assert get(tmp_path / "made", never) == ENGINE
    (path,) = (tmp_path / "made").iterdir()
    header = cache.header_of(path)
    assert header["key"] == json.loads(json.dumps(KEY.to_dict()))
    assert header["bytes"] == len(ENGINE)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"weights_sha256": "1" * 64}, id="weights"),
        pytest.param({"device": "another card"}, id="device"),
        pytest.param({"instruction_set": "sm_86"}, id="instruction set"),
        pytest.param({"driver": "580.1"}, id="driver"),
        pytest.param({"runtime_version": "2"}, id="version"),
        pytest.param({"shape": (1, 1, 608, 600)}, id="shape"),
        pytest.param({"precision": "bf16"}, id="precision"),
    ],
)
def test_another_key_is_another_engine(tmp_path: Path, change: dict[str, object]) -> None:
    get(tmp_path)
    other = replace(KEY, **change)  # type: ignore[arg-type]
    assert get(tmp_path, lambda: b"another", other) == b"another"
    assert get(tmp_path, never) == ENGINE


def bent(content: bytes, how: str) -> bytes:
    """A file's content, damaged."""
    head = len(cache.MAGIC)
    length = int.from_bytes(content[head : head + 4], "big")
    words = content[head + 4 : head + 4 + length]
    other = words.replace(b"a card", b"B card")
    deep = b"[" * 60_000
    return {
        "empty": b"",
        "cut in the header": content[: head + 20],
        "cut in the engine": content[:-1],
        "grown": content + b"x",
        "a bit turned": content[:-1] + bytes([content[-1] ^ 1]),
        "another version": content.replace(b"engine/1", b"engine/0"),
        "foreign": np.random.default_rng(luck.seed()).bytes(3000),
        "a huge header claimed": content[:head] + b"\xff" * 4 + content[head + 4 :],
        "a header that is no JSON": content[: head + 4] + b"{" * length + content[head + 4 + length :],
        "a deep header": content[:head] + len(deep).to_bytes(4, "big") + deep,
        "a header of a list": content[:head] + b"\0\0\0\x02[]",
        "a header that lacks": content[:head] + b"\0\0\0\x02{}",
        "of another key": content.replace(words, other),
    }[how]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("empty", "is no engine of this version"),
        ("cut in the header", "is damaged"),
        ("cut in the engine", r"is damaged \(4999 bytes of engine, 5000 stated\)"),
        ("grown", r"is damaged \(5001 bytes of engine, 5000 stated\)"),
        ("a bit turned", r"is damaged \(its sha256 differs\)"),
        ("another version", "is no engine of this version"),
        ("foreign", "is no engine of this version"),
        ("a huge header claimed", r"is damaged \(a header of 4294967295 bytes\)"),
        ("a header that is no JSON", "its header is not JSON"),
        ("a deep header", "is damaged"),
        ("a header of a list", "lacks key, sha256 or bytes"),
        ("a header that lacks", "lacks key, sha256 or bytes"),
        ("of another key", "holds an engine of another key"),
    ],
)
def test_an_unsound_file_is_built_again_with_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, how: str, said: str
) -> None:
    get(tmp_path)
    path = cache.entry(KEY, tmp_path)
    path.write_bytes(bent(path.read_bytes(), how))
    assert get(tmp_path) == ENGINE
    (line,) = caplog.messages
    caplog.clear()
    assert str(path) in line
    assert get(tmp_path, never) == ENGINE
    assert not caplog.messages
    assert re.search(said, line)


def test_a_size_that_is_only_claimed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sparse.engine"
    header = json.dumps({"key": {}, "sha256": "", "bytes": 3 << 30}).encode()
    head = cache.MAGIC + len(header).to_bytes(4, "big") + header
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + (3 << 30))  # a hole: no byte on the disk
    with pytest.raises(ValueError, match="is damaged"):
        cache.header_of(path)


def test_a_build_that_fails_keeps_nothing(tmp_path: Path) -> None:
    def fail() -> bytes:
        raise RuntimeError("no such layer")

    with pytest.raises(RuntimeError, match="no such layer"):
        get(tmp_path, fail)
    assert not list(tmp_path.iterdir())
    assert get(tmp_path) == ENGINE


def test_two_processes_build_once(tmp_path: Path) -> None:
    both = [child(tmp_path, how="time.sleep(0.5)") for _ in range(2)]
    told = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert sorted(out for out, _ in told) == ["building\ndone\n", "done\n"]


def test_of_many_that_hold_the_lock_each_is_alone(tmp_path: Path) -> None:
    inside, most = [0], []

    def hold() -> None:
        for _ in range(20):
            with lock.alone(tmp_path / "one.lock"):
                inside[0] += 1
                most.append(inside[0])
                inside[0] -= 1

    lock_s, lock.LOOK_S = lock.LOOK_S, 0.0
    try:
        threads = [threading.Thread(target=hold) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
    finally:
        lock.LOOK_S = lock_s
    assert most == [1] * 80
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
@pytest.mark.parametrize(
    ("how", "before", "left"),
    [
        pytest.param("time.sleep(60)", "", 0, id="while building"),
        pytest.param(
            "pass",
            "Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)",
            1,
            id="between writing and renaming",
        ),
    ],
)
def test_a_killed_builder_leaves_nothing_to_wait_for(
    tmp_path: Path, how: str, before: str, left: int
) -> None:
    with child(tmp_path, how, before) as process:
        assert process.stdout
        assert process.stdout.readline() == "building\n"
        if not left:
            process.send_signal(signal.SIGKILL)
        assert process.wait(timeout=60) == -signal.SIGKILL
    assert len(list(tmp_path.glob("*.part"))) == left
    assert not cache.entry(KEY, tmp_path).exists()
    assert get(tmp_path) == ENGINE
    assert not list(tmp_path.glob("*.part"))


def test_who_waits_too_long_builds_as_well(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    path = cache.entry(KEY, tmp_path).with_suffix(".lock")
    held = cache.alone
    monkeypatch.setattr(cache, "alone", lambda path: held(path, patience_s=0))
    with lock.alone(path):
        assert get(tmp_path) == ENGINE
    waited, gave_up = caplog.messages
    assert "another process builds this engine; waiting for it" in waited
    assert "its builder has not ended after 0 s" in gave_up


def test_a_folder_that_cannot_be_made_costs_only_the_keeping(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert get(tmp_path / "file" / "engines") == ENGINE
    assert "cannot be kept" in caplog.messages[-1]


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX")
def test_a_read_only_folder_costs_only_the_keeping(tmp_path: Path) -> None:
    if not os.geteuid():
        pytest.skip("root may write everywhere")
    tmp_path.chmod(0o500)
    assert get(tmp_path) == ENGINE


@pytest.mark.skipif(sys.platform == "win32", reason="limits are POSIX")
def test_a_disk_without_room_costs_only_the_keeping(tmp_path: Path) -> None:
    limit = "import resource; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    limit += "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))"
    process = child(tmp_path, before=limit)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "building\ndone\n")
    assert "this engine cannot be kept (File too large); it is built anew each time" in err
    assert not list(tmp_path.iterdir())


def test_the_oldest_used_leave(tmp_path: Path) -> None:
    keys = [replace(KEY, device=f"card {number}") for number in range(3)]
    for age, key in enumerate(keys[:2]):
        get(tmp_path, key=key)
        os.utime(cache.entry(key, tmp_path), (time.time() - 100 + age,) * 2)
    get(tmp_path, never, keys[0])  # used again: no longer the oldest
    cache.cached(keys[2], lambda: ENGINE, folder=tmp_path, max_bytes=2 * (len(ENGINE) + 1000))
    assert [cache.entry(key, tmp_path).exists() for key in keys] == [True, False, True]
    cache.cached(KEY, lambda: ENGINE, folder=tmp_path, max_bytes=10)
    assert [path.suffix for path in tmp_path.glob("*.engine")] == [".engine"]
    assert get(tmp_path, never) == ENGINE


def test_the_folder_is_the_users_or_the_stated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(cache.FOLDER_VARIABLE, raising=False)
    assert cache.cache_folder().parts[-2:] == ("scope-streamer", "engines")
    monkeypatch.setenv(cache.FOLDER_VARIABLE, str(tmp_path))
    assert cache.cached(KEY, lambda: ENGINE) == ENGINE
    assert cache.entry(KEY) == cache.entry(KEY, tmp_path)
    assert cache.entry(KEY).is_file()
