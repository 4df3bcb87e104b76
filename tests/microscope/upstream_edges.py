"""Upstream behaviour that the hook works around, each in a process of its own; prints what was seen."""

from __future__ import annotations

import faulthandler
import json
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

from numpy.typing import NDArray

from streamer.microscope import open_rig, scene_settings
from streamer.microscope.unicore import open_acquisition
from streamer.profile import load_profile

#: A hang is what some of these are about: show where and leave.
HANG_S = 8.0

Rig = Any


def merged_properties(rig: Rig) -> dict[str, object]:
    """Events in one list that differ in their properties only."""
    powers = [1.0, 2.0, 3.0]
    with open_acquisition(lambda image, tags: None) as acquisition:
        acquisition.acquire(
            [
                {"axes": {"time": t}, "properties": [["Excitation", "Power_uW", str(power)]]}
                for t, power in enumerate(powers)
            ]
        )
    return {"asked": powers, "set": [exposure.light.excitation_uw for exposure in rig.camera.log]}


def single_properties(rig: Rig) -> dict[str, object]:
    """The same events from a generator."""
    powers = [1.0, 2.0, 3.0]

    def events() -> Iterator[dict[str, Any]]:
        for t, power in enumerate(powers):
            yield {"axes": {"time": t}, "properties": [["Excitation", "Power_uW", str(power)]]}

    with open_acquisition(lambda image, tags: None) as acquisition:
        acquisition.acquire(events())
    return {"asked": powers, "set": [exposure.light.excitation_uw for exposure in rig.camera.log]}


def aborted(rig: Rig, *, finish: bool) -> dict[str, object]:
    """abort() after the closing None was queued, while a generator is pending."""
    exposing, closing = threading.Event(), threading.Event()

    def process(image: NDArray[Any], tags: dict[str, Any]) -> None:
        exposing.set()

    def events() -> Iterator[dict[str, Any]]:
        for t in range(100_000):
            if exposing.is_set():
                closing.wait()
            yield {"axes": {"time": t}}

    with open_acquisition(process) as acquisition:
        acquisition.acquire(events())
        exposing.wait()

        def abort() -> None:
            acquisition.mark_finished()  # as `with Acquisition` does when its block ends
            acquisition.abort()
            if finish:
                acquisition.mark_finished()
            closing.set()

        abort()
        if not finish:
            acquisition._event_thread.join(HANG_S / 2)
            hangs = acquisition._event_thread.is_alive()
            acquisition.mark_finished()
            return {"hangs": hangs}
    return {"hangs": False}


EDGES: dict[str, Callable[[Rig], dict[str, object]]] = {
    "merged properties": merged_properties,
    "single properties": single_properties,
    "abort alone": lambda rig: aborted(rig, finish=False),
    "abort and finish": lambda rig: aborted(rig, finish=True),
}


def main(edge: str) -> None:
    faulthandler.dump_traceback_later(3 * HANG_S, exit=True)
    profile = load_profile("abberior_er_low")
    with open_rig(profile, scene_settings(profile, seed=1, shape_yx=(48, 48)), frame_ms=1.0) as rig:
        rig.arm()
        seen = EDGES[edge](rig)
    print(json.dumps(seen))


if __name__ == "__main__":
    main(sys.argv[1])
