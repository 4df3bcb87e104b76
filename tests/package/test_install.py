"""A package of somebody else's becomes the user's own once it is found sound, whole or not at all."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streamer.cli import models
from streamer.errors import EngineError, PackageError
from streamer.package import ModelPackage, install_package, list_packages

STAND_IN = Path(__file__).parents[1] / "foreign_nuclei"


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own models, empty."""
    folder = tmp_path / "own" / "models"
    paths = lambda kind: (folder,)  # noqa: E731
    monkeypatch.setattr("streamer.package.install.search_path", paths)
    monkeypatch.setattr("streamer.resources.search_path", paths)
    return folder


def anything(package: ModelPackage) -> None:
    assert package.description.name


def zipped(folder: Path, path: Path, **more: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.iterdir():
            archive.write(file, file.name)
        for name, content in more.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_an_imported_package_can_be_named(own: Path, tmp_path: Path, packed: bool) -> None:
    source = zipped(STAND_IN, tmp_path / "Some Network.zip") if packed else STAND_IN
    arguments = ["import", str(source), "--as", "nuclei"]
    done = CliRunner().invoke(models.app, arguments, catch_exceptions=False)
    assert done.output.startswith("openvino ")
    assert f"nuclei: in {own / 'nuclei'}" in done.output
    assert "config.streamer.kind" in done.output
    assert list_packages() == {"nuclei": own / "nuclei"}
    assert {path.name for path in own.iterdir()} == {"nuclei"}


def test_its_name_is_that_of_the_file(own: Path, tmp_path: Path) -> None:
    source = zipped(STAND_IN, tmp_path / "Some Network.zip")
    assert install_package(source, accept=anything).id == "some-network"
    with pytest.raises(PackageError, match="exists and is not overwritten; give another name with --as"):
        install_package(source, accept=anything)


def test_what_is_not_accepted_leaves_nothing(own: Path) -> None:
    def refuse(package: ModelPackage) -> None:
        raise EngineError("strays")

    with pytest.raises(EngineError):
        install_package(STAND_IN, accept=refuse)
    assert not own.exists()


@pytest.mark.parametrize("name", ["../evil", "C:\\evil", ".hidden", "with space", "x" * 200])
def test_a_name_that_is_none_is_refused(own: Path, name: str) -> None:
    with pytest.raises(PackageError, match="is no name for a model"):
        install_package(STAND_IN, name, accept=anything)


@pytest.mark.parametrize("path", ["../evil", "/evil", "..\\evil", "c:evil"])
def test_a_zip_that_reaches_outside_is_refused(own: Path, tmp_path: Path, path: str) -> None:
    with pytest.raises(PackageError, match="would lie outside the package"):
        install_package(zipped(STAND_IN, tmp_path / "p.zip", **{path: b"x"}), accept=anything)
    assert not own.exists()


def test_a_zip_that_unpacks_to_too_much_is_refused(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamer.package.install.MAX_BYTES", 4000)
    with pytest.raises(PackageError, match="unpacks to more than"):
        install_package(zipped(STAND_IN, tmp_path / "p.zip"), accept=anything)
    with pytest.raises(PackageError, match="more than 1000 files or"):
        install_package(STAND_IN, accept=anything)


def test_what_is_neither_folder_nor_zip_is_refused(own: Path, tmp_path: Path) -> None:
    (tmp_path / "p.zip").write_bytes(b"PK not at all")
    for path in (tmp_path / "p.zip", tmp_path / "nowhere"):
        with pytest.raises(PackageError, match="neither a folder nor a readable"):
            install_package(path, accept=anything)


def test_links_are_not_followed(own: Path, tmp_path: Path) -> None:
    folder = tmp_path / "linked"
    shutil.copytree(STAND_IN, folder)
    (tmp_path / "secret").write_text("mine")
    (folder / "notes.txt").symlink_to(tmp_path / "secret")
    package = install_package(folder, accept=anything)
    assert {path.name for path in package.folder.iterdir()} == {path.name for path in STAND_IN.iterdir()}
