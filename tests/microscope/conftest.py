"""A small fast rig, watched for hangs and for threads left behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from remembering import OpenRig

from streamer.microscope import SimulatedRig, open_rig, scene_settings
from streamer.profile import load_profile


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


@pytest.fixture
def small_rig() -> OpenRig:
    """Opens a 48x48 rig of the low-dose profile; `frame_ms` and fields of the scene can be given."""

    def open_small(
        *, frame_ms: float = 1.0, seed: int = 7, **changes: Any
    ) -> AbstractContextManager[SimulatedRig]:
        profile = load_profile("abberior_er_low")
        # A detector so noisy that a dark frame has something to show.
        changes = {"shape_yx": (48, 48), "dark_counts_per_s": 1e5, **changes}
        return open_rig(profile, scene_settings(profile, seed=seed, **changes), frame_ms=frame_ms)

    return open_small
