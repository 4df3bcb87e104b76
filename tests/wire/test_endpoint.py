from __future__ import annotations

import pytest

from streamer.errors import UsageError
from streamer.wire import require_loopback


@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1:5555", "tcp://localhost:1"])
def test_loopback_is_accepted(endpoint: str) -> None:
    assert require_loopback(endpoint) == endpoint


def test_any_port_is_for_listening_only() -> None:
    assert require_loopback("tcp://127.0.0.1:*", any_port=True)
    with pytest.raises(UsageError, match="use a loopback address"):
        require_loopback("tcp://127.0.0.1:*")


@pytest.mark.parametrize(
    "endpoint",
    [
        "tcp://0.0.0.0:5555",
        "tcp://*:5555",
        "tcp://gpu-box:5555",
        "tcp://127.0.0.1:99999",
        "tcp://127.999.0.1:5555",
        "ipc://x",
        "",
        "5555",
    ],
)
def test_everything_else_is_refused_with_the_cure(endpoint: str) -> None:
    with pytest.raises(UsageError, match="use a loopback address"):
        require_loopback(endpoint)
