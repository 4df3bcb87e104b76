"""Take a model package of somebody else's into the user's own folder: checked, copied, never overwritten."""

from __future__ import annotations

import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from streamer.errors import PackageError
from streamer.package.load import YAML_NAME, ModelPackage, load_package
from streamer.resources import search_path

#: Bounds of what strangers send; a network that runs live is far below them.
MAX_FILES, MAX_BYTES = 1000, 4 << 30
_CHUNK_BYTES = 1 << 20


def install_package(
    source: Path, name: str | None = None, *, accept: Callable[[ModelPackage], None]
) -> ModelPackage:
    """A folder or .zip of a bioimage.io package as a model of the user's own.

    Args:
        source: the package's folder, its bioimageio.yaml, or a .zip of it.
        name: how it shall be called; None takes the name of the folder or file.
        accept: raises where the package must not be taken; it sees it before anything is kept.

    Raises:
        PackageError: it is damaged or too large, its name will not do, or there is one of that name.
    """
    if source.name == YAML_NAME:
        source = source.parent
    called = name or re.sub(r"[^a-z0-9._-]+", "-", source.resolve().stem.lower()).strip("-.")
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,99}", called):
        raise PackageError(f"{called!r} is no name for a model; use letters, digits, - and _ (--as NAME)")
    target = search_path("models")[0] / called
    if target.exists():
        raise PackageError(f"{target}: exists and is not overwritten; give another name with --as")
    with _unpacked(source, called) as folder:
        accept(load_package(folder))
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", dir=target.parent) as beside:
            _copy(folder, Path(beside) / called)
            (Path(beside) / called).rename(target)  # whole or not at all
    return load_package(target)


@contextmanager
def _unpacked(source: Path, called: str) -> Iterator[Path]:
    """The folder of the package; that of a .zip goes away afterwards."""
    if source.is_dir():
        yield source
        return
    try:
        with zipfile.ZipFile(source) as archive, tempfile.TemporaryDirectory() as away:
            folder = Path(away) / called
            _extract(archive, folder, str(source))
            yield folder
    except (OSError, zipfile.BadZipFile) as error:
        raise PackageError(
            f"{source}: neither a folder nor a readable .zip ({error}); give a bioimage.io package"
        ) from None


def _extract(archive: zipfile.ZipFile, folder: Path, place: str) -> None:
    """Every file, counted while it is unpacked: the sizes that a .zip states may be lies."""
    infos = [info for info in archive.infolist() if not info.is_dir()]
    if len(infos) > MAX_FILES:
        raise PackageError(f"{place}: holds more than {MAX_FILES} files; give a bioimage.io package")
    left = MAX_BYTES
    for info in infos:
        path = PurePosixPath(info.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in path.name:
            raise PackageError(f"{place}: {info.filename} would lie outside the package; pack it again")
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(info) as packed, target.open("wb") as file:
            while chunk := packed.read(_CHUNK_BYTES):
                left -= len(chunk)
                if left < 0:
                    raise PackageError(f"{place}: unpacks to more than {MAX_BYTES >> 30} GiB")
                file.write(chunk)


def _copy(folder: Path, target: Path) -> None:
    """The plain files of a folder; what links lead to stays where it is."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    if len(files) > MAX_FILES or sum(path.stat().st_size for path in files) > MAX_BYTES:
        raise PackageError(
            f"{folder}: more than {MAX_FILES} files or {MAX_BYTES >> 30} GiB; give the package's own folder"
        )
    for path in files:
        copy = target / path.relative_to(folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
