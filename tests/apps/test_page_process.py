"""The page's process is kept up beside the run: killed, it comes back; hopeless, it is given up in words."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.error import URLError
from urllib.parse import parse_qs, urlsplit

import psutil
import pytest
from page_stand_in import dies_at_once, fails_at_once, page_stand_in, told

from streamer.apps import page as page_module
from streamer.apps.page import NICENESS, Page, PageOptions, PageOrder, page_process, port_trouble
from streamer.errors import StreamerError, UsageError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kill -9 and nice are POSIX")

ORDER = PageOrder(run=Path("run"))


def until(true: Callable[[], object], seconds: float = 120) -> None:
    deadline_s = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline_s, "it did not come true"
        time.sleep(0.02)


def told_if_up(url: str) -> dict[str, object]:
    try:
        return told(url)
    except (URLError, ConnectionError):
        return {}


@contextmanager
def a_page(order: PageOrder = ORDER, **how: object) -> Iterator[tuple[Page, list[str]]]:
    """A page that is up, and what it says."""
    said: list[str] = []
    with Page(order, on_words=said.extend, target=page_stand_in, **how) as page:  # type: ignore[arg-type]
        until(lambda: page.url)
        yield page, said


@contextmanager
def taken_port() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_a_killed_page_comes_back_at_the_same_address_with_the_same_token() -> None:
    ready: list[str] = []
    with a_page(on_ready=ready.append) as (page, said):
        url = page.url
        assert parse_qs(urlsplit(url).query)["token"] == [ORDER.token]
        for _ in range(3):
            first = told(url)["pid"]
            os.kill(first, signal.SIGKILL)
            until(lambda first=first: told_if_up(url).get("pid", first) != first)
        assert page.url == url
    assert ready == [url]
    assert sum("page process died (exit code -9)" in words for words in said) == 3


def test_the_page_gives_way_to_the_run_and_leaves_ctrl_c_to_the_command() -> None:
    with a_page() as (page, _):
        assert told(page.url)["niceness"] == min(os.nice(0) + NICENESS, 19)
        assert told(page.url)["deaf"]


def test_the_page_follows_a_run_to_its_next_processor() -> None:
    with a_page(replace(ORDER, publisher="tcp://127.0.0.1:1")) as (page, said):
        url = page.url
        before = told(url)
        page.follow(publisher="tcp://127.0.0.1:1")
        assert told(url) == before
        page.follow(publisher="tcp://127.0.0.1:2", requests="tcp://127.0.0.1:3", secret="s")
        until(lambda: told_if_up(url).get("publisher") == "tcp://127.0.0.1:2")
        assert (told(url)["requests"], told(url)["secret"]) == ("tcp://127.0.0.1:3", "s")
    assert not [words for words in said if "died" in words]


def test_the_page_ends_with_the_command() -> None:
    with a_page() as (page, _):
        process = psutil.Process(page.pid)
    assert not process.is_running()


ORPHAN = """
import sys, time
from pathlib import Path
from streamer.apps.page import Page, PageOrder
from page_stand_in import page_stand_in
if __name__ == "__main__":
    page = Page(PageOrder(run=Path("run")), target=page_stand_in)
    page.start()
    while not page.url:
        time.sleep(0.01)
    print(page.pid, flush=True)
    time.sleep(600)
"""


def test_the_page_ends_with_a_command_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "orphan.py"
    script.write_text(ORPHAN)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    command = [sys.executable, str(script)]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert parent.stdout is not None
    page = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.communicate()
    gone, _ = psutil.wait_procs([page], timeout=60)
    assert gone


def test_a_page_that_says_why_it_cannot_be_is_not_tried_again() -> None:
    given_up: list[StreamerError] = []
    order = replace(ORDER, options=PageOptions(port=_free_port()))
    with Page(order, target=fails_at_once, on_given_up=given_up.append):
        until(lambda: given_up)
    assert [str(trouble) for trouble in given_up] == ["no certificate"]


def test_a_page_that_dies_again_and_again_is_given_up() -> None:
    given_up: list[StreamerError] = []
    with Page(ORDER, target=dies_at_once, on_given_up=given_up.append, pauses_s=(0.0, 0.0)):
        until(lambda: given_up)
    assert "exit code 7" in str(given_up[0])


def test_where_the_usual_port_is_taken_another_one_is_found_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with taken_port() as port:
        monkeypatch.setattr(page_module, "DEFAULT_PORT", port)
        with a_page() as (page, said):
            found = urlsplit(page.url).port
            assert found != port
            assert said == [f"port {port} is taken; the page is at port {found}"]
            os.kill(page.pid or 0, signal.SIGKILL)
            until(lambda: len(said) > 1 and told_if_up(page.url))
            assert urlsplit(page.url).port == found


def test_a_port_that_the_user_insists_on_is_that_one_or_an_error() -> None:
    port = _free_port()
    PageOptions(port=port).check()
    with a_page(replace(ORDER, options=PageOptions(port=port))) as (page, said):
        assert urlsplit(page.url).port == port
        with pytest.raises(UsageError, match=f"--page {port}: Address already in use; choose another"):
            PageOptions(port=port).check()
    assert not said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (PageOptions(host="0.0.0.0"), "--behind-proxy"),
        (PageOptions(host="::"), "--behind-proxy"),
        (PageOptions(host="203.0.113.9", behind_proxy=True), "--page-host 203.0.113.9: Cannot assign"),
        (PageOptions(host="no such host", behind_proxy=True), "no address of this machine"),
        (PageOptions(certificate=Path("gone.pem")), "gone.pem"),
        (PageOptions(certificate_key=Path("gone.pem")), "--page-cert"),
        (PageOptions(origins=("scope.example.org",)), "https://"),
        (PageOptions(origins=("https://scope.example.org/page",)), "not an origin"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_page_that_could_not_come_up_is_refused_before_the_run(options: PageOptions, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        options.check()


def test_behind_a_proxy_other_machines_may_reach_the_page() -> None:
    PageOptions(host="0.0.0.0", behind_proxy=True, origins=("https://scope.example.org",)).check()


def test_a_missing_package_is_said_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("give_way", "ignore_terminal_signals"):  # this process is not the page's
        monkeypatch.setattr(page_module, name, lambda: None)
    monkeypatch.setitem(sys.modules, "streamer.preview.server", None)
    PageOptions().check()
    ours, theirs = multiprocessing.Pipe()
    page_process(ORDER, theirs)
    said = json.loads(ours.recv_bytes())
    assert "pip install 'scope-streamer[processor]'" in said["error"]
    for end in (ours, theirs):
        end.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    assert not port_trouble("127.0.0.1", port)
    return port
