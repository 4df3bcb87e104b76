"""Shared memory: the same bytes on both sides, nobody else's, and nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamer.wire import Ring, SharedSlots, WireError, ring

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="named memory has no files")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(ring, "_folder", lambda: tmp_path)
    return tmp_path


@pytest.fixture
def own() -> Iterator[Ring]:
    own = Ring(frame_bytes=5000, slots=3)
    yield own
    own.close()


def told(own: Ring, **changes: object) -> SharedSlots:
    values = {"name": own.name, "nonce": own.nonce, "slots": own.slots, "slot_bytes": own.slot_bytes}
    return SharedSlots(**{**values, **changes})


def test_what_the_hook_writes_is_read_in_place_and_cannot_be_written(own: Ring) -> None:
    slots = told(own)
    own.view(2, 5000)[:] = 7
    view = slots.view(2, 5000)
    assert view.readonly
    assert bytes(view) == b"\7" * 5000
    own.view(2, 5000)[0] = 8
    assert view[0] == 8


def test_slots_run_out_and_come_back(own: Ring) -> None:
    assert [own.take(5000) for _ in range(4)] == [0, 1, 2, None]
    own.give_back(1)
    assert own.take(own.slot_bytes + 1) is None
    assert own.take(1) == 1


def test_it_is_readable_by_its_user_only_and_leaves_nothing(own: Ring, folder: Path) -> None:
    assert (folder / own.name).stat().st_mode & 0o777 == 0o600
    own.close()
    assert list(folder.iterdir()) == []


BAD = {
    "foreign name": {"name": "../../etc/passwd"},
    "name of another": {"name": "scope-streamer-" + "0" * 32},
    "wrong nonce": {"nonce": "0" * 32},
    "short nonce": {"nonce": ""},
    "other size": {"slots": 2},
    "no slots": {"slots": 0},
    "huge": {"slots": 256, "slot_bytes": 1 << 40},
}


@pytest.mark.parametrize("change", BAD.values(), ids=BAD.keys())
def test_what_is_not_the_hooks_own_memory_is_refused(own: Ring, change: dict[str, object]) -> None:
    with pytest.raises(WireError, match="ring"):
        told(own, **change)


def test_a_link_is_not_followed(own: Ring, folder: Path) -> None:
    name = "scope-streamer-" + "1" * 32
    (folder / name).symlink_to(folder / own.name)
    with pytest.raises(WireError, match="ring"):
        told(own, name=name)


@pytest.mark.parametrize(("slot", "size"), [(3, 1), (-1, 1), (0, 9000)])
def test_what_lies_outside_is_refused(own: Ring, slot: int, size: int) -> None:
    with pytest.raises(WireError, match="the ring has 3"):
        told(own).view(slot, size)


def test_the_ring_of_a_killed_hook_is_removed_by_the_next_and_that_of_a_living_one_stays(
    own: Ring, folder: Path
) -> None:
    code = (
        "import sys, os; from pathlib import Path; from streamer.wire import ring; "
        "ring._folder = lambda: Path(sys.argv[1]); "
        "print(ring.Ring(frame_bytes=1, slots=1).name, flush=True); os._exit(9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True)
    left = folder / done.stdout.strip()
    assert left.is_file()
    Ring(frame_bytes=1, slots=1).close()
    assert not left.exists()
    assert (folder / own.name).exists()


def test_memory_that_is_not_there_leaves_no_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space"):
        Ring(frame_bytes=1, slots=1)
    assert list(folder.iterdir()) == []
