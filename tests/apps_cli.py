"""The command line as users meet it: in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Small and quick, but a whole run: bleaching goes by frame, not by the clock.
QUICK = ("--size", "256", "--frame-ms", "80", "--seed", "5", "--quiet", "--json")


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Done]


def run_cli(*args: object, cwd: Path | None = None, timeout_s: float = 600) -> Done:
    """`streamer ARGS` in a process of its own."""
    command = [sys.executable, "-m", "streamer", *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, cwd=cwd)
    return Done(done.returncode, done.stdout, done.stderr)
