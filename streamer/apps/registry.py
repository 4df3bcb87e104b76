"""Runs that go on here, so that `streamer attach` finds them: one entry a run, for this user alone."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import sys
import threading
import time
import warnings
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import platformdirs

from streamer.errors import RecordingError
from streamer.recording import WriterLock
from streamer.recording.lock import LOCK_FILE

ENTRY_FILE = "run.json"
#: An entry is a few hundred bytes; nothing longer is read.
ENTRY_MAX_BYTES = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Going:
    """A run that goes on.

    Attributes:
        run: folder of the recording, absolute.
        command: what the user typed: live, demo or replay.
        publisher: address of its snapshots; None where nothing is published.
        requests, secret: where wishes go, and what lets them in; None and empty without --control.
        page: address of its page with the token; empty without one.
        started_wall_s: when it began, seconds since 1970.
    """

    run: Path
    command: str = ""
    publisher: str | None = None
    requests: str | None = None
    secret: str = ""
    page: str = ""
    started_wall_s: float = field(default_factory=time.time)


class Entry:
    """The entry of a run of this process; whatever is wrong with the folder of entries, the run goes on.

    Args:
        going: what to say of the run.
    """

    def __init__(self, going: Going) -> None:
        self.going = replace(going, run=going.run.absolute())
        self._folder: Path | None = None
        self._writing = threading.Lock()
        self._lock: WriterLock | None = None
        with contextlib.suppress(OSError, RecordingError):
            folder = runs_dir() / f"{os.getpid()}-{secrets.token_hex(8)}"
            folder.mkdir(mode=0o700, parents=True)
            self._lock = WriterLock(folder)
            self._folder = folder
            self._write()

    def say(self, **changed: Any) -> None:
        """Say something else of the run: fields of `Going`."""
        with self._writing, contextlib.suppress(OSError):
            self.going = replace(self.going, **changed)
            self._write()

    def _write(self) -> None:
        if self._folder is None:
            return
        draft = self._folder / (ENTRY_FILE + ".new")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(asdict(self.going), file, default=str)
        draft.replace(self._folder / ENTRY_FILE)

    def close(self) -> None:
        """The run is over."""
        if self._lock:
            self._lock.release()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def runs_dir() -> Path:
    """Folder of the entries; made so that only this user can look inside.

    Raises:
        OSError: it belongs to somebody else, or cannot be made.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where the system has no such folder, one in /tmp does
        folder = Path(platformdirs.user_runtime_dir("scope-streamer", appauthor=False)) / "runs"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if sys.platform != "win32":
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            raise PermissionError(f"{folder}: not this user's")
        folder.chmod(0o700)
    return folder


def going_on() -> list[Going]:
    """The runs of this user that go on here, oldest first; entries of dead ones are removed."""
    try:
        folders = list(runs_dir().iterdir())
    except OSError:
        return []
    found = []
    for folder in folders:
        going = _read(folder / ENTRY_FILE)
        if going is None:
            continue  # another process is just making it
        if _is_held(folder) or _is_held(going.run):
            found.append(going)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return sorted(found, key=lambda going: going.started_wall_s)


def going_on_in(run: Path) -> Going | None:
    """The entry of the run in this folder, if it goes on."""
    return next((going for going in reversed(going_on()) if _is_same(going.run, run)), None)


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _is_held(folder: Path) -> bool:
    """Whether somebody writes there: a processor may outlive the command that started it."""
    if not (folder / LOCK_FILE).exists():
        return False
    try:
        WriterLock(folder).release()
    except RecordingError:
        return True
    return False


def _read(path: Path) -> Going | None:
    try:
        with path.open("rb") as file:
            fields = json.loads(file.read(ENTRY_MAX_BYTES))
        return _going(fields)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _going(fields: dict[str, Any]) -> Going:
    """One entry, each field of its type; what another version added is left out."""
    texts = {name: str(fields.get(name, "")) for name in ("command", "secret", "page")}
    return Going(
        run=Path(fields["run"]),
        publisher=_address(fields.get("publisher")),
        requests=_address(fields.get("requests")),
        started_wall_s=float(fields["started_wall_s"]),
        **texts,
    )


def _address(value: object) -> str | None:
    return None if value is None else str(value)
