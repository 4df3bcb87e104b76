"""Which addresses the link may use, with and without keys."""

from __future__ import annotations

import pytest

from streamer.errors import UsageError
from streamer.wire import check_endpoint


@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1:5555", "tcp://localhost:1"])
def test_loopback_needs_no_keys(endpoint: str) -> None:
    assert check_endpoint(endpoint, keys=False) == endpoint


@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1:*", "tcp://*:5555", "tcp://*:*"])
def test_any_port_and_any_interface_are_for_listening_only(endpoint: str) -> None:
    assert check_endpoint(endpoint, keys=True, listen=True) == endpoint
    with pytest.raises(UsageError, match="use an address such as"):
        check_endpoint(endpoint, keys=True)


@pytest.mark.parametrize("endpoint", ["tcp://0.0.0.0:5555", "tcp://gpu-box:5555", "tcp://10.1.2.3:5555"])
def test_what_others_can_reach_needs_keys(endpoint: str) -> None:
    assert check_endpoint(endpoint, keys=True) == endpoint
    with pytest.raises(UsageError, match="streamer keys new"):
        check_endpoint(endpoint, keys=False)


@pytest.mark.parametrize(
    "endpoint", ["tcp://127.0.0.1:99999", "tcp://127.999.0.1:5555", "ipc://x", "", "5555", "tcp://a b:1"]
)
def test_what_is_no_address_is_refused_with_the_cure(endpoint: str) -> None:
    with pytest.raises(UsageError, match="use an address such as"):
        check_endpoint(endpoint, keys=True)
