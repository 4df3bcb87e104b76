"""A measured calibration written into the text of a profile, whose comments and order stay."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from streamer.errors import ProfileError
from streamer.profile.explain import explain
from streamer.profile.models import HardwareProfile

_TABLE = "[detector.calibration]"


def with_calibration(text: str, name: str, lines: Mapping[str, str], place: str) -> str:
    """The text of a profile with a new name and new values in [detector.calibration].

    Args:
        text: of a sound profile.
        name: of the new profile.
        lines: a whole line of TOML for each key.
        place: the new file, for errors.

    Raises:
        ProfileError: the text cannot be changed so; the lines are to be pasted by hand.
    """
    changed = re.sub(r'(?m)^(name\s*=\s*)(".*?"|\'.*?\')', lambda found: f'{found[1]}"{name}"', text, count=1)
    head, found, rest = _parted(changed)
    if found:
        body, after = _until_next_table(rest)
        kept = [line for line in body if not re.match(rf"\s*({'|'.join(lines)})\s*=", line)]
        changed = "\n".join([*head, _TABLE, *lines.values(), *_without_ends(kept), "", *after])
    else:
        changed = "\n".join([*_without_ends(head), "", _TABLE, *lines.values()])
    changed = changed.rstrip("\n") + "\n"
    try:
        profile = HardwareProfile.model_validate(tomllib.loads(changed))
    except tomllib.TOMLDecodeError:
        profile = None
    except ValidationError as error:
        raise ProfileError(explain(error, place)) from None
    if profile is None or profile.name != name:
        raise ProfileError(
            f"{place}: the profile is written in a way that cannot be changed here; copy it, and paste the "
            f"lines under {_TABLE} yourself"
        )
    return changed


def write_profile(path: Path, text: str, *, force: bool = False) -> None:
    """Write a profile; another file of that name stays unless `force` is given.

    Raises:
        ProfileError: it exists, or cannot be written.
    """
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ProfileError(
            f"{path}: exists and is not overwritten; choose another name, or add --force"
        ) from None
    except OSError as error:
        raise ProfileError(f"{path}: cannot be written ({error.strerror}); choose another place") from None


def _parted(text: str) -> tuple[list[str], bool, list[str]]:
    """Lines before the table's head, whether there is one, and lines after it."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if re.match(r"\s*\[\s*detector\s*\.\s*calibration\s*\]", line):
            return lines[:number], True, lines[number + 1 :]
    return lines, False, []


def _until_next_table(lines: list[str]) -> tuple[list[str], list[str]]:
    for number, line in enumerate(lines):
        if line.lstrip().startswith("["):
            return lines[:number], lines[number:]
    return lines, []


def _without_ends(lines: list[str]) -> list[str]:
    """Without empty lines at the end."""
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    return lines
