"""What a Micro-Manager core says of its camera and devices; one that does not answer costs no frame."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from streamer.hook.frames import bit_depth, number

#: What a device says in more characters than this is cut.
MAX_TEXT = 500
#: A property that could not be read so often is given up.
MAX_FAILURES = 3


def describe_core(core: Any) -> dict[str, object]:
    """What a core reports of its camera: exposure_ms, binning, pixel_um, shape [y, x], bit_depth.

    Takes `pymmcore.CMMCore` and its kin as well as Pycro-Manager's `Core`; what cannot be read is left out.
    """
    facts = {
        "exposure_ms": number(_ask(core, "getExposure")),
        "binning": _binning(_ask(core, "getProperty", _ask(core, "getCameraDevice"), "Binning")),
        "pixel_um": number(_ask(core, "getPixelSizeUm")) or None,  # 0 stands for "not calibrated"
        "bit_depth": bit_depth(_ask(core, "getImageBitDepth")),
        "shape": [_whole(_ask(core, name)) for name in ("getImageHeight", "getImageWidth")],
    }
    return {name: fact for name, fact in facts.items() if fact is not None and fact != [None, None]}


class StateReader:
    """Reads the device properties that a profile wants with every frame.

    Args:
        wanted: (device, property) pairs.

    Attributes:
        unread: times that a property could not be read.
        first_trouble: which, and why, the first time; empty while all is well.
    """

    def __init__(self, wanted: Sequence[tuple[str, str]]) -> None:
        self._wanted = tuple(dict.fromkeys(wanted))
        self._core: Any = None
        self._failures: Counter[str] = Counter()
        self.unread = 0
        self.first_trouble = ""

    def use(self, core: Any) -> None:
        """Ask `core` for what is not stated with a frame."""
        self._core = core

    def read(self, stated: Mapping[str, object]) -> dict[str, str | float]:
        """Values by `Device-Property`: as stated with the frame, else from the core's cache.

        The cache is no device access: it takes microseconds on the thread of the engine. A property that is
        not in it is read once, which puts it there; one that failed a few times is asked for no more.
        """
        state: dict[str, str | float] = {}
        for device, name in self._wanted:
            key = f"{device}-{name}"
            try:
                value = stated[key] if key in stated else self._ask(device, name)
            except Exception as error:  # whatever a device adapter throws
                self.unread += 1
                self._failures[key] += 1
                self.first_trouble = self.first_trouble or f"{key}: {error}"
                continue
            as_number = number(value)
            state[key] = str(value)[:MAX_TEXT] if as_number is None else as_number
        return state

    def bit_depth(self) -> int | None:
        """Bits of the camera as the core states them now; None without a core, or if it states nonsense."""
        return None if self._core is None else bit_depth(_ask(self._core, "getImageBitDepth"))

    def _ask(self, device: str, name: str) -> object:
        if self._core is None:
            raise LookupError("not stated with the frame, no core to ask; use hook.attach(..., core=core)")
        if self._failures[f"{device}-{name}"] >= MAX_FAILURES:
            raise LookupError("failed before")
        try:
            return _method(self._core, "getPropertyFromCache")(device, name)
        except Exception:  # not there yet
            return _method(self._core, "getProperty")(device, name)


def _method(core: Any, name: str) -> Any:
    """A core's method under its own name, or in snake case as Pycro-Manager spells it."""
    return getattr(core, name, None) or getattr(core, re.sub("([A-Z])", r"_\1", name).lower())


def _ask(core: Any, name: str, *arguments: object) -> object:
    try:
        return _method(core, name)(*arguments)
    except Exception:  # cameras need not have it
        return None


def _whole(value: object) -> int | None:
    as_number = number(value)
    return None if as_number is None else int(as_number)


def _binning(value: object) -> int | None:
    """Of "2" or "2x2"; None where both directions differ."""
    sides = set(str(value).lower().split("x"))
    return int(side) if len(sides) == 1 and (side := sides.pop()).isdigit() else None
