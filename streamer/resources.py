"""Where bundled and user-owned data lie: the one locator of profiles and models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import platformdirs

Kind = Literal["hardware_profiles", "models"]

_PACKAGE = Path(__file__).parent


def search_path(kind: Kind) -> tuple[Path, ...]:
    """Folders searched for `kind`, the user's own before the bundled ones.

    A wheel carries the data in `streamer/_data/<kind>`; a checkout has it beside `streamer/`.
    """
    user = Path(platformdirs.user_data_dir("scope-streamer", appauthor=False)) / kind
    in_wheel = _PACKAGE / "_data" / kind
    in_checkout = _PACKAGE.parent / kind
    bundled = in_wheel if in_wheel.is_dir() else in_checkout
    return (user, bundled)


def entries(kind: Kind) -> Iterator[Path]:
    """Every profile file or model folder on the search path; an earlier folder hides a later one."""
    seen: set[str] = set()
    for folder in search_path(kind):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.name not in seen and not path.name.startswith((".", "_")):
                seen.add(path.name)
                yield path


def spool_dir() -> Path:
    """The user's folder for frames that wait for a processor; made by whoever writes there."""
    return Path(platformdirs.user_state_dir("scope-streamer", appauthor=False)) / "spool"
