"""scope-streamer: live denoising, segmentation and guards beside a super-resolution microscope.

Importing is lazy: `from streamer import Hook` pulls numpy and zmq, nothing else, because it runs
inside the microscope's own process.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamer.hook import Hook

__version__ = "0.1.0"
__all__ = ["Hook", "__version__"]

_LAZY = {"Hook": "streamer.hook"}


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'streamer' has no attribute {name!r}")
