"""Find, read and check a profile's TOML file."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path

from pydantic import ValidationError

from streamer.errors import ProfileError
from streamer.profile.explain import explain
from streamer.profile.models import HardwareProfile
from streamer.resources import entries

_MAX_BYTES = 1_000_000


def list_profiles() -> dict[str, Path]:
    """Names and files of the profiles that can be named, the user's own before the bundled ones."""
    return {path.stem: path for path in entries("hardware_profiles") if path.suffix == ".toml"}


def load_profile(name_or_path: str | Path) -> HardwareProfile:
    """A profile by name, or by the path of its TOML file.

    Raises:
        ProfileError: one line per problem, each with value, place and cure.
    """
    path = _find(name_or_path)
    place = "/".join(path.parts[-2:])
    try:
        profile = HardwareProfile.model_validate(_read(path, place))
    except ValidationError as error:
        raise ProfileError(explain(error, place)) from None
    if profile.name != path.stem:
        raise ProfileError(
            f'{place}: [profile] name = "{profile.name}"; use "{path.stem}", the name of the file, '
            "because recordings quote it"
        )
    return profile


def _find(name_or_path: str | Path) -> Path:
    path = Path(name_or_path)
    if "://" in str(name_or_path):
        raise ProfileError(f"{name_or_path}: an address, no profile; use Hook(profile, endpoint)")
    if path.suffix == ".toml" or len(path.parts) > 1:
        if not path.is_file():
            raise ProfileError(f"{path}: no such file; `streamer profiles list` shows the profiles there are")
        return path
    known = list_profiles()
    if str(name_or_path) in known:
        return known[str(name_or_path)]
    close = difflib.get_close_matches(str(name_or_path), known, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    names = ", ".join(known) or "none"
    raise ProfileError(f'no profile is called "{name_or_path}"; {hint}known: {names}; or give a .toml file')


def _read(path: Path, place: str) -> dict[str, object]:
    if path.stat().st_size > _MAX_BYTES:
        raise ProfileError(f"{place}: larger than {_MAX_BYTES} bytes; a profile is a short TOML file")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProfileError(f"{place}: not TOML: {error}; correct it there") from None
    except OSError as error:
        raise ProfileError(f"{place}: cannot be read ({error.strerror}); check its permissions") from None
