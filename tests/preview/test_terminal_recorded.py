"""The terminal view of a real recording, painted, in a real terminal, and as the picture in the docs."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from apps_cli import run_cli
from played import rows_of, snapshot_of, up_to
from rich.console import Console
from written_run import growing_run, outcome, write_run

from streamer.preview import Snapshot, View, watch
from streamer.preview.blocks import UPPER_HALF
from streamer.preview.recorded import RecordedGlances
from streamer.recording import RunInfo, close_run, create_run
from streamer.recording.lock import LOCK_FILE

#: A demo that keeps up on a laptop.
CALM = ("--size", "256", "--frame-ms", "200", "--seed", "5", "--quiet")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("recorded") / "run").path


def test_a_glance_at_a_recording_knows_curves_forecast_log_and_pictures(recording: Path) -> None:
    glance = RecordedGlances(recording).glance()
    assert glance is not None
    assert set(glance.traces) == {"photons", "similarity", "lag"}
    photons = glance.traces["photons"]
    assert photons.values[-1] == pytest.approx(25 * 0.98**39)
    assert photons.ahead[0] > photons.ahead[-1]
    assert re.match(r"light for about \d+ frames \(\d+ to \d+\), 0:\d\d", glance.left)
    assert [(each.name, each.seq) for each in glance.pictures] == [
        ("denoised, frame", 39),
        ("camera, frame", 39),
    ]
    assert glance.pictures[0].width_um == pytest.approx(64 * 0.02)
    assert glance.pictures[0].doubtful.sum() == 40  # the tile that no photon supports
    assert any("signal is gone" in line.text for line in glance.log)
    assert not glance.notice


def test_a_recording_is_waited_for_and_seen_to_grow(tmp_path: Path) -> None:
    glances = RecordedGlances(tmp_path / "run")
    assert glances.glance() is None
    with growing_run(tmp_path / "run") as (_, put):
        for seq in range(3):
            put(outcome(seq, {"time": seq}))
            wait_for(lambda seq=seq: [each.seq for each in glances.glance().pictures] == [seq, seq])
            assert len(glances.glance().traces["lag"].values) == seq + 1


def test_a_damaged_recording_gives_a_notice_and_never_an_error(recording: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(recording, tmp_path / "run"))
    for chunk in (copy / "annotated.ome.zarr" / "0" / "c").rglob("*"):
        if chunk.is_file():
            chunk.write_bytes(b"no pixels")
    glance = RecordedGlances(copy).glance()
    assert glance is not None
    assert "damaged" in glance.notice
    assert glance.traces["photons"].values
    (copy / "run.json").write_text('{"format_version": 99}')
    assert "newer" in RecordedGlances(copy).glance().notice


def test_without_pictures_none_is_read(recording: Path) -> None:
    glance = RecordedGlances(recording, with_pictures=False).glance()
    assert glance is not None
    assert (glance.pictures, glance.notice) == ((), "")


class Unheard:
    """A run of which nothing is heard."""

    def newest(self, timeout_s: float) -> Snapshot | None:
        return None


def unheard(run: Path, *, terminal: bool) -> tuple[Snapshot | None, str]:
    """What is known, and was printed, of a run that is over before anything was heard of it."""
    console = Console(file=io.StringIO(), width=160, height=30, force_terminal=terminal)
    last = watch(Unheard(), console=console, over=lambda: True, run=run)
    return last, console.file.getvalue()


@pytest.mark.parametrize(("terminal", "word"), [(True, "STOPPED"), (False, "stopped after")])
def test_how_a_run_ended_that_was_not_heard_is_told_from_its_recording(
    recording: Path, terminal: bool, word: str
) -> None:
    last, printed = unheard(recording, terminal=terminal)
    assert last is not None
    assert (last.state, last.recorded) == ("stopped", 40)
    assert word in printed
    assert "signal is gone" in printed


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
def test_a_run_that_ended_without_a_frame_says_so(tmp_path: Path, terminal: bool) -> None:
    close_run(create_run(tmp_path / "run", RunInfo()))
    last, printed = unheard(tmp_path / "run", terminal=terminal)
    assert last is not None
    assert (last.state, last.recorded) == ("finished", 0)
    assert "finished" in printed.lower()


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="who writes a recording is seen on Linux only")
@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
def test_a_run_that_broke_off_unheard_is_not_said_to_have_finished(
    recording: Path, tmp_path: Path, terminal: bool
) -> None:
    run = up_to(recording, 20, tmp_path / "run")
    (run / LOCK_FILE).unlink()
    (run / LOCK_FILE).touch()  # nobody holds it
    last, printed = unheard(run, terminal=terminal)
    assert last is None
    assert "its recording is not closed: what recorded it has ended" in printed


def test_a_run_that_goes_on_elsewhere_is_not_said_to_have_ended(tmp_path: Path) -> None:
    with growing_run(tmp_path / "run") as (_, put):
        put(outcome(0, {"time": 0}))
        assert unheard(tmp_path / "run", terminal=False) == (None, "")


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """tmux with a server of its own: `tmux("new-session", ...)` gives what it says."""
    if not shutil.which("tmux"):
        pytest.skip("tmux is not installed; apt install tmux, to see the view in a real terminal")
    socket = tmp_path / "tmux"

    def run(*words: str) -> str:
        command = ["tmux", "-S", str(socket), "-f", "/dev/null", *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout

    yield run
    subprocess.run(["tmux", "-S", str(socket), "kill-server"], capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (140, 45)])
def test_a_real_terminal_shows_it_whole(
    recording: Path, tmp_path: Path, tmux: Callable[..., str], columns: int, rows: int
) -> None:
    run = up_to(recording, 39, tmp_path / "run")
    player = Path(__file__).with_name("played.py")
    roots = os.pathsep.join(map(str, (player.parents[2], player.parent)))
    settings = f"-u COLUMNS -u LINES PYTHONPATH={roots} TERM=tmux-256color COLORTERM=truecolor"
    program = f"env {settings} {sys.executable} {player} {run} 60"
    tmux("new-session", "-d", "-x", str(columns), "-y", str(rows), program)
    wait_for(lambda: UPPER_HALF * 10 in tmux("capture-pane", "-p"))
    shown = tmux("capture-pane", "-p").splitlines()
    assert len(shown) <= rows
    assert [row[:1] for row in shown[:3]] == ["╭", "│", "│"]
    assert shown[1].lstrip("│ ").startswith("RUNNING")
    assert any(row.startswith("╰") and row.endswith("╯") for row in shown)
    text = "\n".join(shown)
    for words in (
        "frame 39/60",
        "light for about",
        "photons",
        "similarity",
        "dose",
        "denoised, frame 39",
        "■ unsupported",
    ):
        assert words in text
    assert ("camera, frame" in text) is (columns > 100)
    assert re.search(r"\x1b\[38;2;|\x1b\[.*;2;", tmux("capture-pane", "-p", "-e"))


def test_the_picture_in_the_docs(recording: Path, tmp_path: Path) -> None:
    """With $STREAMER_SCREENSHOTS=FOLDER a demo's 70th frame is painted into preview-terminal.svg there."""
    folder = os.environ.get("STREAMER_SCREENSHOTS")
    whole, frames = recording, 35
    if folder:
        whole, frames = tmp_path / "demo", 70
        assert run_cli("demo", "--out", whole, *CALM).code == 0
    run = up_to(whole, frames, tmp_path / "run")
    console = Console(
        width=110, height=32, record=True, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    view, rows = View(), rows_of(run)
    for n in range(1, frames + 1):
        view.update(snapshot_of(rows[:n], "demo-0001", 260))
    glance = RecordedGlances(run).glance()
    assert glance is not None
    view.look(glance)
    console.print(view.render(console))
    drawn = console.export_svg(title="streamer attach --terminal")
    assert f"frame {frames}/260" in drawn.replace("&#160;", " ")
    if folder:
        Path(folder, "preview-terminal.svg").write_text(drawn)


def wait_for(what: Callable[[], object], timeout_s: float = 60.0) -> None:
    give_up_s = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < give_up_s, "it never came"
        time.sleep(0.02)
