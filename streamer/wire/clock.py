"""Whether two processes share a monotonic clock."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def host_clock() -> str:
    """Identity of this machine's monotonic clock since boot; empty where it cannot be told.

    Only Linux's CLOCK_MONOTONIC is known to be one clock for all processes of a boot; elsewhere, and
    for two machines, durations are taken on one side alone.
    """
    if sys.platform == "linux" and _BOOT_ID.exists():
        return f"{socket.gethostname()}/{_BOOT_ID.read_text().strip()}"
    return ""
