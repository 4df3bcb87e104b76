"""One writer a recording: a lock of the operating system, which vanishes with the process that holds it."""

from __future__ import annotations

import errno
import logging
import os
import sys
import weakref
from pathlib import Path

from streamer.errors import RecordingError
from streamer.recording.files import writing

LOCK_FILE = ".lock"

_TAKEN = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)

_log = logging.getLogger(__name__)


class WriterLock:
    """Held from its making until `release`, its collection, or the death of the process.

    Raises:
        RecordingError: somebody else holds it, in this process or another.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / LOCK_FILE
        with writing(path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        self.release = weakref.finalize(self, os.close, descriptor)
        try:
            _lock(descriptor)
        except OSError as error:
            if error.errno in _TAKEN:
                self.release()
                raise RecordingError(
                    f"{folder}: another processor is writing this recording; let it end, or choose another "
                    "folder with --out"
                ) from None
            # Some network drives have no locks; a recording there is worth more than a lock.
            _log.warning("%s: cannot be locked (%s); let one processor write there", folder, error.strerror)


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
