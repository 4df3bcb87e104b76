"""How the C library hands out memory to this process."""

from __future__ import annotations

import ctypes
import platform
from functools import cache

#: mallopt(3): keep every buffer in one heap that is never given back. Plain PyTorch asks for the same large
#: buffers at every frame, and by default each comes fresh from the system and goes back.
MALLOC_SETTINGS = {"M_MMAP_MAX": (-4, 0), "M_TRIM_THRESHOLD": (-1, 2**31 - 1), "M_ARENA_MAX": (-8, 1)}


@cache
def keep_buffers() -> bool:
    """Tell glibc to keep what is freed, for the rest of this process; whether it will. Others are left alone.

    For a process of our own that runs PyTorch, never for one that belongs to somebody else.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all(mallopt(number, value) for number, value in MALLOC_SETTINGS.values())
