"""One builder an engine: a lock of the operating system, which vanishes with the process that holds it."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

#: How often a process that waits for another's engine looks again.
LOOK_S = 0.1
#: No engine of ours takes as long to build: who holds the lock for longer hangs.
PATIENCE_S = 1800.0

_TAKEN = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
_LOG = logging.getLogger(__name__)


@contextlib.contextmanager
def alone(path: Path, *, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Hold the lock file `path`, waiting while another thread or process does; it is gone afterwards.

    Where no lock can be had (a read-only folder, a drive without locks, a holder that hangs) one line in the
    log says so and the work is done all the same: an engine built twice is better than none.
    """
    try:
        descriptor, held = _take(path, patience_s)
    except OSError as error:
        _LOG.warning("%s: cannot be locked (%s); this engine may be built twice", path, error.strerror)
        yield
        return
    try:
        yield
    finally:
        if held and sys.platform != "win32":  # whoever waits sees that it is gone, and makes another
            with contextlib.suppress(OSError):
                path.unlink()
        os.close(descriptor)
        if held and sys.platform == "win32":  # there an open file cannot go; one that others wait for stays
            with contextlib.suppress(OSError):
                path.unlink()


def _take(path: Path, patience_s: float) -> tuple[int, bool]:
    """The open lock file, and whether it is held; not after `patience_s`."""
    until, told = time.monotonic() + patience_s, False
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(descriptor)
            if _is_still(path, descriptor):
                return descriptor, True
            os.close(descriptor)
            continue
        except OSError as error:
            if error.errno not in _TAKEN:
                os.close(descriptor)
                raise
        if not told:
            _LOG.info("%s: another process builds this engine; waiting for it", path.stem)
            told = True
        if time.monotonic() > until:
            _LOG.warning(
                "%s: its builder has not ended after %.0f s; building it here, too", path.stem, patience_s
            )
            return descriptor, False
        os.close(descriptor)
        time.sleep(LOOK_S)


def _is_still(path: Path, descriptor: int) -> bool:
    """Whether the path leads to the open file: another that held the lock before may have removed it."""
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    return False


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
