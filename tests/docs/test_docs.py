"""What README and docs promise: every command and snippet is run, every link leads somewhere."""

from __future__ import annotations

import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from apps_cli import Cli
from typer.core import TyperGroup
from typer.main import get_command

from streamer.analysis import held_out
from streamer.cli.main import app
from streamer.core import Frame, Result
from streamer.guards import Guard
from streamer.guards.conformance import GuardConformance

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]

#: Options that make a documented command quick, without changing what it shows.
QUICKLY = {
    "demo": "--size 256 --frame-ms 40 --quiet",
    "demo --page": "--bleaching 0 --frames 20",
    "demo --on-stop": "--bleaching 4",
    "models check": "--shape 64 64 --threads 1",
    "evaluate": "--frames 2 --size-px 96 --threads 1",
    "train": "--patch-px 32 --batch 1 --threads 1 --every 1000",
    "train --simulate": "--fields 1 --field-px 96 --test-frames 2",
}
#: With these, what is judged is recorded, and as large as it is.
RECORDED = {"--pairs", "--predicted"}
#: Run by tests of their own: they wait for a microscope, until somebody has seen enough, or take minutes.
ELSEWHERE = ("streamer live", "streamer attach", "streamer bench")


def blocks(language: str) -> Iterator[tuple[str, str]]:
    """Page and text of every code block."""
    for page in PAGES:
        for block in re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            yield page.name, block


def commands() -> list[Any]:
    """Every `streamer ...` line of a console block, once."""
    lines = (line for _, block in blocks("console") for line in block.splitlines())
    return [line for line in dict.fromkeys(lines) if line.startswith("streamer ")]


@pytest.fixture(scope="module")
def workplace(quick_demo: tuple[Path, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the documented paths exist."""
    folder = tmp_path_factory.mktemp("docs")
    shutil.copytree(quick_demo[0], folder / "runs" / "demo")
    (folder / "tell.py").write_text("import json, sys; json.load(sys.stdin)")
    (folder / "images").mkdir()
    counts = np.random.default_rng(1).poisson(0.3, (2, 64, 64)).astype(np.uint16)
    tifffile.imwrite(folder / "images" / "cell.tif", counts, photometric="minisblack")
    _expose(folder)
    return folder


def _expose(folder: Path) -> None:
    """Two fields at a low and a high dose, and a prediction of them beside the truth."""
    for number, frame in enumerate(held_out("er", 2, 8, box_sum=84.0, size_px=160)):
        images: dict[str, np.ndarray] = {
            "pairs/low": frame.counts.astype(np.uint16),
            "pairs/high": frame.reference_a.astype(np.uint16),
            "predicted": frame.reference_b,
            "truth": frame.truth,
        }
        for place, image in images.items():
            (folder / place).mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(folder / place / f"cell{number}.tif", image)


@pytest.mark.live
@pytest.mark.parametrize("command", [line for line in commands() if not line.startswith(ELSEWHERE)])
def test_documented_commands_run(cli: Cli, workplace: Path, command: str) -> None:
    words = shlex.split(command)[1:]
    quickly = " ".join(QUICKLY.get(" ".join(words[:count]), "") for count in (1, 2))
    if words[0] == "evaluate" and RECORDED & set(words):
        quickly = ""
    done = cli(*words, *shlex.split(quickly), cwd=workplace)
    assert done.code == 0, done.err


@pytest.mark.parametrize("command", [line for line in commands() if line.startswith(ELSEWHERE)])
def test_documented_commands_that_wait_are_understood(command: str) -> None:
    group = get_command(app)
    name, *args = shlex.split(command)[1:]
    assert isinstance(group, TyperGroup)
    group.commands[name].make_context(name, args).close()


@pytest.mark.live
def test_the_recording_page_reads_a_recording(workplace: Path) -> None:
    (snippet,) = (block for page, block in blocks("python") if page == "recording.md")
    checks = "assert raw.shape[0] == len(table) == denoised.shape[0] == trust.shape[0] and decisions\n"
    subprocess.run([sys.executable, "-c", snippet + checks], cwd=workplace, check=True)


@pytest.fixture(scope="module")
def brightness(tmp_path_factory: pytest.TempPathFactory) -> Guard[Any]:
    """The guard of the guards page."""
    (snippet,) = (block for page, block in blocks("python") if page == "guards.md")
    page = tmp_path_factory.mktemp("guards_page") / "brightness.py"
    page.write_text(snippet)
    guard: Guard[Any] = runpy.run_path(str(page))["Brightness"](limit=0.2)
    return guard


class TestTheGuardOfTheGuardsPage(GuardConformance):
    @pytest.fixture(autouse=True)
    def _made(self, brightness: Guard[Any]) -> None:
        self._brightness = brightness

    def make(self) -> Guard[Any]:
        return self._brightness


def test_the_guard_of_the_guards_page_judges(brightness: Guard[Any]) -> None:
    for photons, status in ((0.1, "pass"), (0.7, "flag"), (np.nan, "flag")):
        image = np.full((20, 20), photons, np.float32)
        labels = np.zeros((20, 20), np.uint8)
        frame = Frame(pixels=labels, seq=0)
        result = Result(frame=frame, photons=image, denoised=image, labels=labels)
        _, verdict = brightness.step(brightness.start(), result)
        assert verdict.status == status
        assert (verdict.measured is None) == np.isnan(photons)


SCRIPT = """
import pathlib, sys
import mm_test_adapters
from pycromanager import Core, start_headless, stop_headless
adapters = mm_test_adapters.device_adapter_path()
config = pathlib.Path(adapters) / "MMConfig_demo.cfg"
start_headless(str(adapters), config_file=str(config), python_backend=True)
Core().set_property("Camera", "PixelType", "16bit")
Core().set_exposure(2)
folder, events = sys.argv[1], [{"axes": {"time": index}} for index in range(6)]
"""


@pytest.mark.live
def test_the_three_lines_of_the_readme_stream_an_acquisition_to_the_processor(tmp_path: Path) -> None:
    (snippet,) = (block for page, block in blocks("python") if page == "README.md")
    (command,) = (line for line in commands() if line.startswith("streamer live"))
    live = subprocess.Popen(
        [sys.executable, "-m", *command.split(), "--out", str(tmp_path / "run"), "--quiet"],
        stdout=subprocess.PIPE,
        text=True,
    )
    script = SCRIPT + snippet + "stop_headless()\nassert hook.report().acknowledged == 6, hook.report()\n"
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "raw")], check=True, timeout=120)
    out, _ = live.communicate(timeout=60)
    assert live.returncode == 0, out
    assert "6 frames received, 6 recorded, 6 processed, 0 dropped" in out


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_the_two_commands_of_the_readme_are_those_that_ci_runs() -> None:
    ci = (ROOT / ".ci" / "run").read_text()
    readme = (ROOT / "README.md").read_text()
    for marker in ("tests", "demo"):
        assert f"readme {marker}" in ci
        assert re.search(rf"<!-- {marker} -->\n```console\npython3 -m venv .*\n```", readme)
