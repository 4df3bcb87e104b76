"""Seeds of tests that would hold for any: the same in every run, so that no gate depends on luck.

`STREAMER_TEST_SEED` takes another number, or `random` to look further; a test prints what it drew.
"""

from __future__ import annotations

import os
import random

STATED = os.environ.get("STREAMER_TEST_SEED", "20261121")
#: Whether other numbers are wanted in every run.
WANTED = STATED == "random"


def seed(below: int = 2**31) -> int:
    """A number from 0 to `below` - 1."""
    drawn = random.SystemRandom().randrange(below) if WANTED else int(STATED) % below
    print(f"seed {drawn}")
    return drawn


def seeds(count: int, below: int = 2**31) -> list[int]:
    """`count` of them."""
    draws = random.Random(seed())
    return [draws.randrange(below) for _ in range(count)]
