"""What can be told of a decision: a command, or a web address. Whatever becomes of it comes back as words."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import IO
from urllib.parse import urlsplit

from streamer.errors import UsageError
from streamer.wire.requests import cleaned

#: Bytes of a command's complaint that are kept.
COMPLAINT_MAX = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What is told, as JSON.

    Attributes:
        run: folder of the recording.
        action: stop, pause, resume, adjust; "failed" for a run that could not go on.
        reason: why, in words.
        by: "guards", where a person asked, or "run" for its failure.
        seq: the frame.
        wall_time_s: when.
        evidence: what the guards measured.
    """

    run: str
    action: str
    reason: str
    by: str
    seq: int
    wall_time_s: float = field(default_factory=time.time)
    evidence: Sequence[Mapping[str, object]] = ()


def check_target(option: str, target: str) -> None:
    """Refuse what could never be told anything.

    Raises:
        UsageError: another scheme than http and https, no command, or one that is not there.
    """
    if is_address(target):
        if not _is_web(target):
            raise UsageError(f"{option} {target}: use an address that begins with http:// or https://")
        return
    try:
        words = _words(target)
    except ValueError as error:
        raise UsageError(f"{option} {target}: {error}; close every quotation mark") from None
    if not words or shutil.which(words[0]) is None:
        raise UsageError(f"{option} {target}: no such command; give a program's path and its arguments")


def is_address(target: str) -> bool:
    """Whether a target is a web address and no command."""
    return re.match(r"\s*[A-Za-z][A-Za-z0-9+.-]*://", target) is not None


def shown(target: str) -> str:
    """A target without what may be secret in it: an address's path, a command's arguments."""
    if is_address(target):
        parts = urlsplit(target)
        return f"{parts.scheme}://{parts.hostname}"
    return _words(target)[0]


def post(url: str, notice: Notice, timeout_s: float) -> str:
    """POST a notice as JSON; why it did not arrive, empty if it did. A redirection is not followed.

    Args:
        url: an http or https address.
        notice: what is told.
        timeout_s: for each step of the exchange.
    """
    if not _is_web(url):
        return "only http:// and https:// are used"
    # By hand, because the usual opener would follow to other places and schemes, with the notice or without.
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
    ):
        opener.add_handler(handler)
    headers = {"Content-Type": "application/json", "User-Agent": "scope-streamer"}
    request = urllib.request.Request(url, data=_body(notice), headers=headers, method="POST")
    try:
        with opener.open(request, timeout=timeout_s):
            return ""
    except urllib.error.HTTPError as error:
        with error:
            moved = " and a redirection, which is not followed" if 300 <= error.code < 400 else ""
            return f"it answers {error.code} {cleaned(str(error.reason), 80)}{moved}"
    except TimeoutError:
        return f"no answer within {timeout_s:.1f} s"
    except urllib.error.URLError as error:
        if isinstance(error.reason, TimeoutError):
            return f"no answer within {timeout_s:.1f} s"
        return f"it cannot be reached: {cleaned(str(error.reason), 200)}"
    except (OSError, ValueError, http.client.HTTPException) as error:  # it breaks off, or speaks no HTTP
        return f"it cannot be reached: {type(error).__name__}: {cleaned(str(error), 200)}"


def run_command(command: str, notice: Notice, timeout_s: float) -> str:
    """Run a command, without a shell, with a notice on its stdin; why it failed, empty if it did not.

    `STREAMER_ACTION`, `STREAMER_REASON` and `STREAMER_RUN` are in its environment. It is killed with all
    that it started when its time is over.
    """
    told = {
        "STREAMER_ACTION": notice.action,
        "STREAMER_REASON": notice.reason,
        "STREAMER_RUN": notice.run,
    }
    try:
        process = subprocess.Popen(
            _words(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, **told},
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return f"it does not start: {cleaned(str(error), 200)}"
    assert process.stdin is not None
    assert process.stderr is not None
    complaint = bytearray()
    threading.Thread(target=_feed, args=(process.stdin, _body(notice)), daemon=True).start()
    reader = threading.Thread(target=_keep_last, args=(process.stderr, complaint), daemon=True)
    reader.start()
    until_s = time.monotonic() + timeout_s
    while process.poll() is None and time.monotonic() < until_s:
        time.sleep(0.02)
    is_late = process.poll() is None
    if is_late:
        _kill_all(process)
    reader.join(0.5)  # what it has left running in the background may hold the pipe open for long
    if is_late:
        return f"it did not end within {timeout_s:.1f} s and was killed"
    if process.returncode:
        words = cleaned(complaint.decode(errors="replace"), COMPLAINT_MAX)
        return f"it ended with exit code {process.returncode}{': ' if words else ''}{words}"
    return ""


def _feed(stdin: IO[bytes], body: bytes) -> None:
    with contextlib.suppress(OSError):  # it may not care, or be gone
        stdin.write(body)
    with contextlib.suppress(OSError):
        stdin.close()


def _keep_last(stderr: IO[bytes], kept: bytearray) -> None:
    with stderr:
        while chunk := os.read(stderr.fileno(), 4096):
            kept += chunk
            del kept[:-COMPLAINT_MAX]


def _kill_all(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def _body(notice: Notice) -> bytes:
    return json.dumps(asdict(notice), default=str).encode()


def _words(command: str) -> list[str]:
    return shlex.split(command, posix=os.name != "nt")


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url.strip())
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, say
        return False
