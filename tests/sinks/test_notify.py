"""Telling others of decisions: whatever they do, the run goes on and what became of it is known."""

from __future__ import annotations

import ast
import json
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamer.core import Decision, Frame, Outcome, Verdict
from streamer.errors import RecordingError, UsageError
from streamer.sinks.notify import WAITING_MAX, Notifier
from streamer.sinks.targets import Notice, check_target, post, run_command
from streamer.wire import Order

PYTHON = sys.executable
NOTICE = Notice(run="/data/run", action="stop", reason="stopped: the cell has faded", by="guards", seq=41)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


class Server(ThreadingHTTPServer):
    """A web server that does what its path says, and remembers what it was told."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.told: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.over, self.first = threading.Event(), threading.Event()
        self.taking = threading.Lock()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are what is tested here."""

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{path}"


class Answering(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.taking:
            self.server.paths.append(self.path)
            self.server.told.append(body)
        what, _, argument = self.path[1:].partition("/")
        if what == "hang":
            self.server.over.wait(30)
        elif what == "second-hangs":
            (self.server.first if len(self.server.told) == 1 else self.server.over).wait(30)
            self.send_response(200)
            self.end_headers()
        elif what == "drip":  # a byte now and then: never silent, never done
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while not self.server.over.wait(0.05):
                self.wfile.write(b"X-a: b\r\n")
        elif what == "junk":
            self.wfile.write(b"\x00\x01 no http\r\n\r\n")
        else:
            self.send_response(int(what))
            if argument == "file":
                self.send_header("Location", "file:///etc/hostname")
            if argument == "here":
                self.send_header("Location", self.server.url("200"))
            self.end_headers()

    def do_GET(self) -> None:
        self.server.paths.append(f"GET {self.path}")
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.over.set()
    server.first.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_address_is_told_the_notice_as_json(server: Server) -> None:
    assert post(server.url("200"), NOTICE, 5) == ""
    assert server.told[0]["action"] == "stop"
    assert server.told[0]["reason"] == NOTICE.reason
    assert (server.told[0]["run"], server.told[0]["seq"], server.told[0]["evidence"]) == ("/data/run", 41, [])


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("500", "it answers 500"),
        ("404", "it answers 404"),
        ("302/file", "it answers 302 .*redirection, which is not followed"),
        ("307/here", "it answers 307 .*redirection, which is not followed"),
        ("hang", r"no answer within 0\.3 s"),
        ("junk", "it cannot be reached: BadStatusLine"),
    ],
)
def test_an_address_that_does_not_take_it_is_known_by_its_trouble(
    server: Server, path: str, why: str
) -> None:
    assert re.search(why, post(server.url(path), NOTICE, 0.3 if path == "hang" else 5))
    assert len(server.paths) == 1  # nothing was followed, nothing tried twice


def test_an_address_where_nobody_listens_is_known() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        assert "it cannot be reached" in post(url, NOTICE, 5)
    assert post("file:///etc/hostname", NOTICE, 5) == "only http:// and https:// are used"


def test_a_command_gets_the_notice_on_stdin_and_in_its_environment(tmp_path: Path) -> None:
    out = tmp_path / "told"
    script = tmp_path / "script.py"
    script.write_text(
        "import os, sys\n"
        "names = ('ACTION', 'REASON', 'RUN')\n"
        "told = sys.stdin.read(), *(os.environ['STREAMER_' + name] for name in names), sys.argv[1]\n"
        f"open({str(out)!r}, 'w').write(repr(told))\n"
    )
    assert run_command(f"{PYTHON} {script} '; touch {tmp_path}/shell'", NOTICE, 20) == ""
    told = ast.literal_eval(out.read_text())
    assert json.loads(told[0])["seq"] == 41
    assert told[1:4] == ("stop", NOTICE.reason, "/data/run")
    assert told[4] == f"; touch {tmp_path}/shell"  # no shell has read it
    assert not (tmp_path / "shell").exists()


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (f"{PYTHON} -c 'import time; time.sleep(60)'", "did not end within 0.5 s and was killed"),
        (f"{PYTHON} -c 'raise SystemExit(3)'", "exit code 3"),
        (f"{PYTHON} -c 'import sys; sys.exit(\"no\\tnetwork\")'", "exit code 1: no network"),
        ("no-such-command-here --now", "does not start"),
        ("/etc/hostname", "does not start"),
        (f"{PYTHON} -c 'import os; os.kill(os.getpid(), 9)'", "exit code -9"),
    ],
    ids=["hangs", "fails", "complains", "missing", "no program", "killed"],
)
def test_a_command_that_does_not_do_it_is_known_by_its_trouble(command: str, why: str) -> None:
    assert why in run_command(command, NOTICE, 0.5 if "sleep" in command else 20)


def test_a_command_that_complains_without_end_is_kept_short_and_killed_with_what_it_started() -> None:
    flood = "import sys\nwhile True: sys.stderr.write('x' * 100000)"
    trouble = run_command(f'{PYTHON} -c "{flood}"', NOTICE, 0.5)
    assert trouble == "it did not end within 0.5 s and was killed"


def test_what_a_command_leaves_in_the_background_is_not_waited_for() -> None:
    leaves = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(3)'])"
    started_s = time.monotonic()
    assert run_command(f'{PYTHON} -c "{leaves}"', NOTICE, 30) == ""
    assert time.monotonic() - started_s < 30


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("file:///etc/passwd", "begins with http"),
        ("ftp://host/x", "begins with http"),
        ("http://", "begins with http"),
        ("http://host:port/", "begins with http"),
        ("no-such-command-here", "no such command"),
        ("   ", "no such command"),
        ("mail 'me", "close every quotation mark"),
    ],
)
def test_what_could_never_be_told_is_refused_before_the_run(target: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        check_target("--on-stop", target)


@pytest.mark.parametrize("target", ["https://hooks.example.org/T0/B1?x=y", f"{PYTHON} -c 'pass'"])
def test_what_can_be_told_is_not_refused(target: str) -> None:
    check_target("--on-stop", target)


class Told:
    """What a notifier has recorded and said."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.words: list[str] = []

    def notifier(self, *, on_stop: str = "", on_decision: str = "", timeout_s: float = 20) -> Notifier:
        return Notifier(
            run="/data/run",
            on_stop=on_stop,
            on_decision=on_decision,
            record=lambda row: self.rows.append(dict(row)),
            say=self.words.extend,
            timeout_s=timeout_s,
        )


def until(true: Callable[[], Any]) -> None:
    deadline_s = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline_s, "it did not come true"
        time.sleep(0.01)


def outcome(seq: int, action: Any, *verdicts: Verdict) -> Outcome:
    decision = Decision(action=action, reason=f"{action} it", evidence=verdicts)
    return Outcome(frame=Frame(pixels=np.zeros((2, 2), np.uint16), seq=seq), decision=decision)


def test_stops_go_to_the_one_every_decision_and_request_to_the_other(server: Server) -> None:
    told = Told()
    notifier = told.notifier(on_stop=server.url("200/stop"), on_decision=server.url("200/decision"))
    verdict = Verdict(guard="photons", status="reject", measured=1.0, limit=2.0, meaning="faded")
    notifier.put(outcome(1, "continue"))
    notifier.put(outcome(2, "adjust"))
    notifier.put(outcome(3, "stop", verdict))
    notifier.asked(Order(number=1, action="pause", seq=4, reason="paused from the page"), by="the page")
    notifier.asked(Order(number=2, action="stop", seq=5, reason="stopped from the page"), by="the page")
    notifier.failed("the disk is full", seq=6)
    notifier.finish()
    sent = list(zip(server.paths, (notice["seq"] for notice in server.told), strict=True))
    at = {path: [seq for to, seq in sent if to == path] for path in server.paths}
    assert at["/200/decision"] == [2, 3, 4, 5]
    assert sorted(at["/200/stop"]) == [3, 5, 6]  # at the same time
    stopped = next(notice for notice in server.told if notice["seq"] == 3)
    assert stopped["evidence"][0]["guard"] == "photons"
    by = {notice["seq"]: notice["by"] for notice in server.told}
    assert (by[3], by[5], by[6]) == ("guards", "the page", "run")
    assert all(row["ok"] and row["kind"] == "notified" for row in told.rows)
    assert told.rows[0]["target"] == "http://127.0.0.1"  # what follows may be a secret
    assert len(told.words) == len(told.rows) == 7


def test_nobody_waits_for_a_target_that_hangs(server: Server) -> None:
    told = Told()
    notifier = told.notifier(on_stop=server.url("hang"), timeout_s=30)
    notifier.put(outcome(0, "stop"))
    assert told.rows == []
    server.over.set()
    notifier.finish()
    assert len(told.rows) == 1


def test_at_the_end_of_a_run_all_that_hang_have_the_time_of_one(server: Server) -> None:
    told = Told()
    notifier = told.notifier(on_decision=server.url("hang"), timeout_s=0.5)
    for seq in range(3):
        notifier.put(outcome(seq, "adjust"))
    notifier.finish()
    assert [row["ok"] for row in told.rows] == [False] * 3
    assert told.rows[-1]["detail"] == "earlier notices took all the time that was left at the end of the run"
    assert told.words[0].endswith("was NOT told of it: no answer within 0.5 s")


def test_a_stop_is_told_while_the_target_of_decisions_hangs(server: Server) -> None:
    told = Told()
    notifier = told.notifier(on_stop=server.url("200"), on_decision=server.url("hang"), timeout_s=60)
    for seq in range(WAITING_MAX + 5):
        notifier.put(outcome(seq, "adjust"))
    notifier.put(outcome(99, "stop"))
    until(lambda: any(row["ok"] for row in told.rows))
    assert not server.over.is_set()
    assert [(row["on"], row["seq"]) for row in told.rows if row["ok"]] == [("stop", 99)]
    server.over.set()
    notifier.finish()


def test_at_the_end_a_stop_has_its_own_time_beside_decisions_that_hang(server: Server) -> None:
    told = Told()
    hangs = f"{PYTHON} -c 'import time; time.sleep(60)'"
    notifier = told.notifier(on_stop=server.url("200"), on_decision=hangs, timeout_s=1.0)
    for seq in range(4):
        notifier.put(outcome(seq, "adjust"))
    notifier.failed("disk full", seq=4)
    notifier.put(outcome(5, "stop"))
    notifier.finish()
    assert sorted(row["seq"] for row in told.rows if row["on"] == "stop" and row["ok"]) == [4, 5]
    assert not [row for row in told.rows if row["on"] == "decision" and row["ok"]]


def test_a_stop_does_not_wait_for_a_notice_of_another_that_hangs(server: Server) -> None:
    told = Told()
    notifier = told.notifier(on_stop=server.url("second-hangs"), timeout_s=60)
    notifier.put(outcome(0, "stop"))
    until(lambda: server.told)
    server.over.set()  # from here on only the first waits
    notifier.failed("disk full", seq=1)
    until(lambda: told.rows)
    assert [(row["action"], row["ok"]) for row in told.rows] == [("failed", True)]
    server.first.set()
    notifier.finish()
    assert [row["action"] for row in told.rows] == ["failed", "stop"]


def test_who_had_less_than_its_time_at_the_end_is_not_blamed(server: Server) -> None:
    told = Told()
    notifier = told.notifier(on_decision=server.url("second-hangs"), timeout_s=3.0)
    notifier.put(outcome(0, "adjust"))
    notifier.put(outcome(1, "adjust"))
    until(lambda: server.told)
    way = notifier._ways["decision"]
    way._last_s = time.monotonic() + 1.0  # as if the run had ended 2 s ago
    server.first.set()
    way.end()
    way.join()
    first, second = told.rows
    assert first["ok"]
    assert re.fullmatch(
        r"no answer within [01]\.\d s; no more time was left at the end of the run", second["detail"]
    )


def test_a_server_that_drips_has_no_longer_than_one_that_hangs(server: Server) -> None:
    told = Told()
    notifier = told.notifier(on_stop=server.url("drip"), timeout_s=0.4)
    notifier.put(outcome(0, "stop"))
    notifier.finish()
    assert [row["detail"] for row in told.rows] == ["no answer within 0.4 s"]


def test_a_command_that_hangs_at_the_end_is_killed(tmp_path: Path) -> None:
    told = Told()
    notifier = told.notifier(on_stop=f"{PYTHON} -c 'import time; time.sleep(60)'", timeout_s=0.5)
    notifier.put(outcome(0, "stop"))
    notifier.finish()
    assert "was killed" in told.rows[0]["detail"]
    assert told.rows[0]["target"] == PYTHON


def test_what_comes_faster_than_it_can_be_told_is_left_out_and_recorded(server: Server) -> None:
    told = Told()
    notifier = told.notifier(on_decision=server.url("hang"), timeout_s=0.5)
    for seq in range(WAITING_MAX + 10):
        notifier.put(outcome(seq, "adjust"))
    left_out = [row for row in told.rows if row["detail"] == f"{WAITING_MAX} others wait"]
    assert 9 <= len(left_out) <= 10
    server.over.set()
    notifier.finish()
    assert len(told.rows) == WAITING_MAX + 10


@pytest.mark.parametrize("error", [RecordingError("disk full")])
def test_a_disk_that_takes_no_row_hurts_nobody(server: Server, error: Exception) -> None:
    words: list[str] = []

    def record(_: object) -> None:
        raise error

    notifier = Notifier(run="r", on_stop=server.url("200"), on_decision="", record=record, say=words.extend)
    notifier.put(outcome(0, "stop"))
    notifier.finish()
    assert words == ["--on-stop (stop at frame 0): http://127.0.0.1 was told of it"]


def test_without_targets_there_is_nothing_to_wait_for() -> None:
    told = Told()
    notifier = told.notifier()
    notifier.put(outcome(0, "stop"))
    notifier.finish()
    assert (told.rows, told.words) == ([], [])
