"""What tests of several rooms share."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import hypothesis
import luck
import pytest
from apps_cli import QUICK, Cli, run_cli
from tiny_package import MakePackage, build_tiny_package

# How long an example takes says nothing on a machine that others use, too.
hypothesis.settings.register_profile(
    "gate",
    derandomize=not luck.WANTED,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("gate")


@pytest.fixture(scope="session", autouse=True)
def _user_folders(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Frames that tests leave with a hook, and engines, do not end in the user's own folders (Linux)."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))
    os.environ["STREAMER_ENGINE_CACHE"] = str(tmp_path_factory.mktemp("engines"))


@pytest.fixture(scope="session")
def realdata() -> Path:
    """The folder of real images; tests that use it carry the marker `realdata`."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("STREAMER_TEST_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"{folder}: no real images here; set STREAMER_TEST_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def tiny_package_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny package, built once."""
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("tiny")
    build_tiny_package(folder)
    return folder


@pytest.fixture
def make_package(tiny_package_source: Path, tmp_path: Path) -> MakePackage:
    """Copies of the tiny package that a test may damage."""

    def make(name: str) -> Path:
        return Path(shutil.copytree(tiny_package_source, tmp_path / "models" / name))

    return make


@pytest.fixture(scope="session")
def cli() -> Cli:
    """The command line."""
    return run_cli


@pytest.fixture(scope="session")
def quick_demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The recording of a fast demo with the demo's own bleaching, and its report."""
    out = tmp_path_factory.mktemp("demo") / "run"
    done = run_cli("demo", "--out", out, *QUICK)
    assert done.code == 0, done.err
    return out, done.json
