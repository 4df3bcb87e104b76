"""Engines that took long to build, kept between runs: one file an engine, made whole or not at all.

A file is `MAGIC`, the length of the header (4 bytes, big-endian), the header (JSON: key, sha256 and bytes of
the engine) and the engine. Its name is a digest of the key, so another weight, device, driver, version, shape
or precision is another file. The oldest used leave when all together grow too large.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

import platformdirs

from streamer.engines.key import EngineKey
from streamer.engines.lock import alone

MAGIC = b"scope-streamer engine/1\n"
SUFFIX = ".engine"
#: The folder, where it is not the user's own.
FOLDER_VARIABLE = "STREAMER_ENGINE_CACHE"
MAX_HEADER_BYTES = 1 << 16
MAX_ENGINE_BYTES = 2 << 30
#: Engines of a handful of packages, shapes and versions; the largest of ours have 70 MB.
MAX_CACHE_BYTES = 4 << 30

_LENGTH_BYTES = 4
_LOG = logging.getLogger(__name__)


def cache_folder() -> Path:
    """`$STREAMER_ENGINE_CACHE`, or `engines` in the user's cache folder."""
    stated = os.environ.get(FOLDER_VARIABLE)
    return Path(stated or Path(platformdirs.user_cache_dir("scope-streamer", appauthor=False)) / "engines")


def entry(key: EngineKey, folder: Path | None = None) -> Path:
    """The file that holds, or would hold, the engine of that key."""
    words = json.dumps(key.to_dict(), sort_keys=True).encode()
    return (folder or cache_folder()) / (hashlib.sha256(words).hexdigest()[:40] + SUFFIX)


def cached(
    key: EngineKey,
    build: Callable[[], bytes],
    *,
    folder: Path | None = None,
    max_bytes: int = MAX_CACHE_BYTES,
) -> bytes:
    """The engine of `key`: from the cache, or built, once among all processes, and kept.

    A damaged, stale or foreign file is built again, and an engine that cannot be kept is used all the same;
    each is one line in the log. What `build` raises is raised, and nothing is kept.

    Args:
        key: everything that the engine's output depends on.
        build: makes the serialised engine.
        folder: default `cache_folder()`.
        max_bytes: of all engines together.
    """
    path = entry(key, folder)
    with contextlib.suppress(OSError, ValueError):  # said below, by who builds it
        return _read(path, key)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with alone(path.with_suffix(".lock")):
        try:
            return _read(path, key)
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            _LOG.warning("%s: %s; building it again", path, error)
        engine = build()
        try:
            _write(path, key, engine)
        except OSError as error:
            _LOG.warning(
                "%s: this engine cannot be kept (%s); it is built anew each time", path, error.strerror
            )
        else:
            _make_room(path, max_bytes)
        return engine


def forget(key: EngineKey) -> None:
    """Drop the engine of that key: it is built again when it is next needed."""
    with contextlib.suppress(OSError):  # there is none, or another process reads it
        entry(key).unlink()


def header_of(path: Path) -> Mapping[str, object]:
    """What the head of an engine file says: `key`, `sha256`, `bytes`.

    Raises:
        ValueError: it is no engine file, with the reason.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return _header(file)


def _read(path: Path, key: EngineKey) -> bytes:
    """The engine, if the file is sound and of that key.

    Raises:
        ValueError: it is not, with the reason.
        OSError: there is none, or it cannot be read.
    """
    with path.open("rb") as file:
        header = _header(file)
        if header["key"] != json.loads(json.dumps(key.to_dict())):
            raise ValueError("holds an engine of another key")
        engine = file.read()
    if hashlib.sha256(engine).hexdigest() != header["sha256"]:
        raise ValueError("is damaged (its sha256 differs)")
    with contextlib.suppress(OSError):
        os.utime(path)  # the oldest used leave first
    return engine


def _header(file: BinaryIO) -> Mapping[str, object]:
    """The header; nothing is allocated by a length that the file only claims."""
    if file.read(len(MAGIC)) != MAGIC:
        raise ValueError("is no engine of this version")
    length = int.from_bytes(file.read(_LENGTH_BYTES), "big")
    if not 0 < length <= MAX_HEADER_BYTES:
        raise ValueError(f"is damaged (a header of {length} bytes)")
    try:
        header = json.loads(file.read(length))
    except (ValueError, RecursionError):
        raise ValueError("is damaged (its header is not JSON)") from None
    if not isinstance(header, dict) or not {"key", "sha256", "bytes"} <= header.keys():
        raise ValueError("is damaged (its header lacks key, sha256 or bytes)")
    rest = os.fstat(file.fileno()).st_size - len(MAGIC) - _LENGTH_BYTES - length
    if rest != header["bytes"] or rest > MAX_ENGINE_BYTES:
        raise ValueError(f"is damaged ({rest} bytes of engine, {str(header['bytes'])[:20]} stated)")
    return header


def _write(path: Path, key: EngineKey, engine: bytes) -> None:
    """Beside its place, then renamed: no reader ever sees half a file. The caller holds the lock."""
    if len(engine) > MAX_ENGINE_BYTES:  # `_header` would refuse it
        raise OSError(errno.EFBIG, f"larger than {MAX_ENGINE_BYTES >> 30} GiB")
    for left in path.parent.glob(f"{path.stem}.*.part"):  # of a builder that was killed
        with contextlib.suppress(OSError):
            left.unlink()
    header = {"key": key.to_dict(), "sha256": hashlib.sha256(engine).hexdigest(), "bytes": len(engine)}
    words = json.dumps(header).encode()
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            for piece in (MAGIC, len(words).to_bytes(_LENGTH_BYTES, "big"), words, engine):
                file.write(piece)
        part.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def _make_room(newest: Path, max_bytes: int) -> None:
    """Let the oldest used leave until all fit; the newest stays, however large."""
    found: list[tuple[float, int, Path]] = []
    for path in newest.parent.glob(f"*{SUFFIX}"):
        with contextlib.suppress(OSError):  # another process was quicker
            state = path.stat()
            found.append((state.st_mtime, state.st_size, path))
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total <= max_bytes:
            return
        if path != newest:
            with contextlib.suppress(OSError):  # on Windows, one that is being read
                path.unlink()
                total -= size
                _LOG.info("%s: left the cache, which holds %d MB at most", path.name, max_bytes >> 20)
