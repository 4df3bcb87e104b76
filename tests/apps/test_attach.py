"""`streamer attach`: what it looks at, and a run that is watched while its processes are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

import psutil
import pytest
from apps_cli import run_cli
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from streamer.apps.attach import Attached, check_page, find, page_of, show_in_terminal, show_page
from streamer.apps.page import PageOptions
from streamer.apps.registry import Entry, Going
from streamer.apps.watched import NOT_WATCHED, Watched
from streamer.cli.main import app
from streamer.errors import LinkError, SourceError, UsageError
from streamer.preview.server import PageSettings, serve
from streamer.recording import RunFolder, RunInfo, close_run, create_run
from tests.preview.server.pages import certificate_in

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and nice are POSIX")

LIVE = ("live", "--profile", "abberior_er_low", "--endpoint", "tcp://127.0.0.1:*", "--control", "--page", "0")


@pytest.fixture(autouse=True)
def _nothing_else_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runtime").mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("BROWSER", "/nonexistent")


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    run = create_run(tmp_path / "closed", RunInfo())
    RunFolder(run.path).frames.touch()
    close_run(run)
    return run.path


def until(true: Callable[[], Any], seconds: float = 200) -> Any:
    deadline_s = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline_s, "it did not come true"
        time.sleep(0.05)
    return found


def status(url: str) -> int:
    """HTTP status of an address; 0 where nobody answers."""
    try:
        with build_opener(ProxyHandler({})).open(url, timeout=60) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code
    except OSError:
        return 0


class Command:
    """A command that goes on, and what it has said so far."""

    def __init__(self, *args: object) -> None:
        self.said: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "streamer", *map(str, args)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self.said.append(line.rstrip())

    def url(self) -> str:
        """Where its page is."""
        self.expect("watch: ")
        return next(line.removeprefix("watch: ") for line in self.said if line.startswith("watch: "))

    def expect(self, words: str) -> None:
        until(lambda: any(words in line for line in self.said) or self.process.poll() is not None)
        assert any(words in line for line in self.said), self.said

    def end(self) -> int:
        """Ctrl-C, as a terminal sends it; the exit code."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        code = self.process.wait(timeout=120)
        self._reader.join()
        return code


@contextmanager
def going(*args: object) -> Iterator[Command]:
    command = Command(*args)
    try:
        yield command
    finally:
        if command.process.poll() is None:
            os.killpg(command.process.pid, signal.SIGKILL)
        command.end()
        if command.process.stdout:
            command.process.stdout.close()


def children(command: Command) -> dict[str, psutil.Process]:
    """The command's processes: the page is the one that gives way."""
    found = psutil.Process(command.process.pid).children()
    spawned = [child for child in found if "spawn_main" in " ".join(child.cmdline())]
    own = psutil.Process(command.process.pid).nice()
    return {"page" if child.nice() > own else "processor": child for child in spawned}


def test_a_run_is_watched_while_its_processes_are_killed(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with going(*LIVE, "--out", out) as live:
        url = live.url()
        assert status(url) == 200
        assert status(url + "x") == status(url.split("?")[0]) == 403
        attached = run_cli("attach", "--no-browser")
        assert (attached.code, attached.out.strip()) == (0, f"watch: {url}"), attached.err

        for name in ("page", "processor"):
            children(live)[name].kill()
            live.expect(f"{name} process died (exit code -9)")
            until(lambda: len(children(live)) == 2)
            until(lambda: status(url) == 200)
        # the new processor's address has reached the page: it can ask for something
        until(lambda: "marked at frame 0" in asked(url, {"action": "mark", "note": "here"}))

        left = list(psutil.Process(live.process.pid).children(recursive=True))
        assert live.end() == 130
        assert live.said[-1] == f"interrupted; {out} is closed"
        assert not [line for line in live.said if "Traceback" in line]
        gone, alive = psutil.wait_procs(left, timeout=60)
        assert gone
        assert not alive
    marks = [json.loads(line) for line in (out / "decisions.jsonl").read_text().splitlines()]
    assert [(row["kind"], row["note"]) for row in marks] == [("mark", "here")]
    assert not list((tmp_path / "runtime").rglob("run.json"))


def asked(url: str, what: dict[str, str]) -> str:
    """What a page's run answers to a wish."""
    parts = urlsplit(url)
    token = {"Authorization": f"Bearer {parts.query.removeprefix('token=')}"}
    try:
        with connect(f"ws://{parts.netloc}/ws", additional_headers=token, proxy=None) as page:
            page.send(json.dumps({"type": "ask", "id": 7, **what}))
            while True:
                message = page.recv(timeout=60)
                if isinstance(message, str) and (answer := json.loads(message))["type"] == "answer":
                    return str(answer["text"])
    except (OSError, TimeoutError, WebSocketException):  # it is being renewed
        return ""


def test_a_closed_recording_is_looked_back_at_until_ctrl_c(closed: Path) -> None:
    with going("attach", closed, "--no-browser", "--page", 0) as attach:
        url = attach.url()
        assert status(url) == 200
        children(attach)["page"].kill()
        attach.expect("another one takes its place")
        until(lambda: status(url) == 200)
        assert attach.end() == 0
    assert status(url) == 0


def test_what_cannot_be_looked_at_is_said_in_one_line() -> None:
    done = run_cli("attach")
    assert done.code == 2
    assert done.err.startswith("error: no run of yours goes on here; give ")
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("nowhere",), "nowhere: holds no recording"),
        (("http://127.0.0.1:8765/",), "lacks its token"),
        (("http://127.0.0.1:8765/?token=",), "lacks its token"),
        (("http://127.0.0.1:8765/?token=t", "--page", "9000"), "is served elsewhere"),
        (("CLOSED", "--control"), "--control: the run is over"),
        (("CLOSED", "--terminal"), "is over; leave the option out"),
        (("CLOSED", "--page-host", "0.0.0.0"), "--behind-proxy"),
    ],
    ids=lambda value: "" if isinstance(value, str) else " ".join(value),
)
def test_bad_usage_names_the_cure(
    closed: Path, args: tuple[str, ...], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)  # this process keeps its own
    with pytest.raises(UsageError, match=words):
        app(["attach", *(str(closed) if arg == "CLOSED" else arg for arg in args)], standalone_mode=False)


def test_of_several_runs_each_is_named_with_its_command(tmp_path: Path) -> None:
    first, second = Going(run=tmp_path / "a", command="live"), Going(run=tmp_path / "b", command="demo")
    with Entry(first), Entry(second):
        done = run_cli("attach")
    assert done.code == 2
    assert done.out.splitlines()[0] == "2 runs go on here; look at one of them:"
    for run, command in ((first, "live"), (second, "demo")):
        assert f"  streamer attach {run.run}  ({command}, since " in done.out


def test_the_one_run_that_goes_on_is_found_also_by_its_folder(closed: Path) -> None:
    with Entry(Going(run=closed, publisher="tcp://127.0.0.1:1")) as entry:
        assert find(None) == Attached(run=closed, going=entry.going)
        assert find(str(closed)) == Attached(run=closed, going=entry.going)
    assert find(str(closed)) == Attached(run=closed)
    assert find("https://x.org/?token=t") == Attached(url="https://x.org/?token=t")


def test_a_recording_of_another_version_is_refused_with_the_cure(closed: Path) -> None:
    (closed / "run.json").write_text('{"format_version": 99}')
    with pytest.raises(SourceError, match="read it with the version that wrote it"):
        find(str(closed))


def test_a_page_that_does_not_answer_is_none() -> None:
    assert page_of(Going(run=Path(), page="http://127.0.0.1:9/?token=t")) == ""
    assert page_of(Going(run=Path())) == ""


@contextmanager
def served(run: Path, **how: Any) -> Iterator[str]:
    """A page of a recording; its address."""
    urls: list[str] = []
    over = threading.Event()
    settings = PageSettings(run=run, token="a-token-of-the-tests", **how)
    how_long = {"on_ready": urls.append, "stop": over.is_set}
    thread = threading.Thread(target=serve, args=(settings,), kwargs=how_long)
    thread.start()
    try:
        yield until(lambda: urls)[0]
    finally:
        over.set()
        thread.join(20)


@pytest.mark.parametrize("option", ["--no-browser", "--terminal"])
def test_an_address_that_leads_nowhere_is_said_before_it_is_shown(
    option: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)  # this process keeps its own
    with pytest.raises(LinkError, match=r"nobody answers .* is the run still going on"):
        app(["attach", "http://127.0.0.1:1/?token=t", option], standalone_mode=False)
    assert "watch:" not in capsys.readouterr().out


def test_a_wrong_token_is_said_before_the_address_is_shown(
    closed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)  # this process keeps its own
    with served(closed) as url:
        with pytest.raises(LinkError, match="the token is not right; copy the whole link"):
            app(["attach", url + "x", "--no-browser"], standalone_mode=False)
        assert "watch:" not in capsys.readouterr().out
        app(["attach", url, "--no-browser"], standalone_mode=False)
        assert capsys.readouterr().out.strip() == f"watch: {url}"


def test_a_page_whose_certificate_only_browsers_know_is_shown_with_a_word(
    closed: Path, tmp_path: Path
) -> None:
    certificate, key = certificate_in(tmp_path)
    with served(closed, certificate=certificate, certificate_key=key) as url:
        assert check_page(url).startswith(f"not checked: {url.split('?')[0]}: its certificate is not trusted")


def test_a_run_that_is_interrupted_before_its_first_frame_gets_no_report(closed: Path) -> None:
    words: list[str] = []
    with pytest.raises(KeyboardInterrupt), Watched(closed, "live", NOT_WATCHED, words.extend) as watched:
        raise KeyboardInterrupt
    assert (watched.report, words) == (None, [])
    assert not (closed / "report.html").exists()


def test_control_is_lent_only_by_runs_that_were_started_with_it(closed: Path) -> None:
    with Entry(Going(run=closed, publisher="tcp://127.0.0.1:1")) as entry:
        attached = Attached(run=closed, going=entry.going)
        with pytest.raises(UsageError, match="start runs with --control"):
            show_page(attached, PageOptions(), control=True, on_ready=print, on_words=print)


def test_a_replay_is_not_shown_in_the_terminal(closed: Path) -> None:
    attached = Attached(run=closed, going=Going(run=closed, command="replay"))
    with pytest.raises(UsageError, match="is a replay"):
        show_in_terminal(attached, console=None)  # type: ignore[arg-type]
