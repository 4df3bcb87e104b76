"""Whether somebody is writing a recording at this moment."""

from __future__ import annotations

from pathlib import Path

from streamer.recording.lock import LOCK_FILE

_LOCKS = Path("/proc/locks")


def is_locked(folder: Path) -> bool | None:
    """Whether a process of this machine holds the recording's lock; None where the system does not tell.

    The lock is never tried: for a moment a writer that comes just then would be refused.
    """
    try:
        state = (folder / LOCK_FILE).stat()
        listed = _LOCKS.read_text()
    except OSError:
        return None
    return any(
        line.split()[5:6] and line.split()[5].endswith(f":{state.st_ino}") for line in listed.splitlines()
    )
