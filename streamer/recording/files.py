"""Writing files so that a reader never meets half of one, and a full disk ends in a cure."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streamer.errors import RecordingError

_CURES = {
    errno.ENOSPC: "disk full; free space or record to another disk (what was acknowledged is readable)",
    errno.EDQUOT: "disk quota used up; free space or record to another disk",
    errno.ENOENT: "cannot be made here; choose another folder with --out",
    errno.ENOTDIR: "cannot be made here; choose another folder with --out",
    errno.EROFS: "file system is read-only; choose another folder with --out",
    errno.EACCES: "may not be written; choose another folder with --out or change its permissions",
    errno.EPERM: "may not be written; choose another folder with --out or change its permissions",
}


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an `OSError` of the body into a `RecordingError` that names `path` and the cure."""
    try:
        yield
    except OSError as error:
        cure = _CURES.get(error.errno or 0, f"{error.strerror or error}; check the disk and record again")
        raise RecordingError(f"{path}: {cure}") from error


def replace_file(path: Path, data: bytes) -> None:
    """Put `data` in place of `path` in one step: a reader sees the old file or the new one, whole.

    Windows refuses to replace a file that a reader has open at that moment, so it is tried for 0.2 s.
    """
    draft = path.with_name(path.name + ".new")
    draft.write_bytes(data)
    for _ in range(20):
        try:
            draft.replace(path)
        except PermissionError:
            time.sleep(0.01)
        else:
            return
    draft.replace(path)
