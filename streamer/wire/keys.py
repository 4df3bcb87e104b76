"""Keys of the link, as files: who may talk to whom on anything but loopback.

CURVE keys in ZeroMQ's own Z85 text. The processor's file has its secret and the public keys of the hooks it
takes; a hook's file has its secret and the processor's public key.
"""

from __future__ import annotations

import os
import re
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import zmq

from streamer.errors import UsageError

PROCESSOR_FILE, HOOK_FILE = "processor.key", "hook.key"

_Z85 = re.compile(r"[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")
_MAX_FILE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ProcessorKeys:
    """What a processor knows: its own pair and the public keys of its hooks."""

    public: str
    secret: str
    hooks: frozenset[str]

    def guard(self, link: zmq.Socket[bytes]) -> None:
        """Let the socket take nobody whose key is not allowed; the ZAP handler decides."""
        link.curve_server = True
        link.curve_secretkey = self.secret.encode()


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class HookKeys:
    """What a hook knows: its own pair and its processor's public key."""

    public: str
    secret: str
    processor: str

    def guard(self, link: zmq.Socket[bytes]) -> None:
        """Let the socket talk to nobody but this processor."""
        link.curve_serverkey = self.processor.encode()
        link.curve_publickey = self.public.encode()
        link.curve_secretkey = self.secret.encode()


def new_keys(folder: Path) -> tuple[Path, Path]:
    """Make a processor's and a hook's key file in `folder`, readable by this user only.

    Raises:
        UsageError: one of them is there already, or cannot be written.
    """
    require_curve()
    (processor, processor_secret), (hook, hook_secret) = _pair(), _pair()
    texts = {
        folder / PROCESSOR_FILE: (
            "# For the processor alone: streamer live --keys processor.key\n"
            f'secret = "{processor_secret}"\n'
            "# Public keys of the hooks that may connect; add one for each further microscope.\n"
            f'hooks = ["{hook}"]\n'
        ),
        folder / HOOK_FILE: (
            "# For the microscope: Hook(..., keys='hook.key')\n"
            f'secret = "{hook_secret}"\n'
            f'processor = "{processor}"\n'
        ),
    }
    if there := [str(path) for path in texts if path.exists()]:
        raise UsageError(
            f"{', '.join(there)}: already there, and keys are not overwritten; use another --out"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            _write_secret(path, text)
    except OSError as error:
        raise UsageError(f"--out {folder}: {error.strerror}; use a folder of your own") from None
    return folder / PROCESSOR_FILE, folder / HOOK_FILE


def load_processor_keys(path: Path) -> ProcessorKeys:
    """The keys in a processor's file.

    Raises:
        UsageError: it cannot be read, is open to other users, or holds no such keys.
    """
    table = _load(path, {"secret", "hooks"})
    hooks = table["hooks"]
    if not isinstance(hooks, list) or not hooks:
        raise UsageError(f"{path}: hooks = {hooks!r:.60}; use a list of the public keys of hooks")
    secret = _key(path, "secret", table["secret"])
    allowed = frozenset(_key(path, "hooks", hook) for hook in hooks)
    return ProcessorKeys(public=_public(path, secret), secret=secret, hooks=allowed)


def load_hook_keys(path: Path) -> HookKeys:
    """The keys in a hook's file.

    Raises:
        UsageError: as `load_processor_keys`.
    """
    table = _load(path, {"secret", "processor"})
    secret = _key(path, "secret", table["secret"])
    processor = _key(path, "processor", table["processor"])
    return HookKeys(public=_public(path, secret), secret=secret, processor=processor)


def require_curve() -> None:
    """Raise UsageError where ZeroMQ was built without encryption."""
    if not zmq.has("curve"):
        raise UsageError("keys: this ZeroMQ has no CURVE encryption; pip install --force-reinstall pyzmq")


def _pair() -> tuple[str, str]:
    public, secret = zmq.curve_keypair()
    return public.decode(), secret.decode()


def _public(path: Path, secret: str) -> str:
    require_curve()
    try:
        return zmq.curve_public(secret.encode()).decode()
    except (zmq.ZMQError, ValueError):
        raise UsageError(f"{path}: secret is no CURVE key; make new ones with: streamer keys new") from None


def _write_secret(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def _load(path: Path, names: set[str]) -> dict[str, object]:
    try:
        if sys.platform != "win32" and path.stat().st_mode & 0o077:
            raise UsageError(f"{path}: other users can read this secret; chmod 600 {path}")
        with path.open("rb") as file:
            table = tomllib.loads(file.read(_MAX_FILE_BYTES).decode())
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; make keys with: streamer keys new") from None
    except ValueError as error:  # no TOML, or no text
        raise UsageError(f"{path}: {error}; make keys with: streamer keys new") from None
    if table.keys() != names:
        has = ", ".join(sorted(table)) or "nothing"
        raise UsageError(f"{path}: has {has}; this side needs {' and '.join(sorted(names))}")
    return table


def _key(path: Path, name: str, value: object) -> str:
    """A key; the message never shows it."""
    if not isinstance(value, str) or not _Z85.fullmatch(value):
        raise UsageError(f"{path}: {name} is no CURVE key of 40 characters; make new ones: streamer keys new")
    return value
