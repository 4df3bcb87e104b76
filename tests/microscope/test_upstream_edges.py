"""What upstream does today and the hook works around: when one of these fails, upstream has mended it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.live

SCRIPT = Path(__file__).with_name("upstream_edges.py")


def seen(edge: str) -> dict[str, Any]:
    command = [sys.executable, "-W", "ignore", str(SCRIPT), edge]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_properties_of_a_list_of_events_are_never_applied() -> None:
    """Why `Hook.events` hands on every event alone, also out of a list."""
    powers = seen("merged properties")
    assert len(powers["set"]) == 3
    assert len(set(powers["set"])) == 1
    assert seen("single properties")["set"] == powers["asked"]


def test_an_abort_takes_the_end_of_the_events_along_and_hangs() -> None:
    """Why the hook follows every `abort()` by a `mark_finished()`."""
    assert seen("abort alone")["hangs"] is True
    assert seen("abort and finish")["hangs"] is False
