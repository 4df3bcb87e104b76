"""Which addresses the link may use."""

from __future__ import annotations

import re

from streamer.errors import UsageError

#: Where a processor listens and a hook looks for it, unless told otherwise.
DEFAULT_ENDPOINT = "tcp://127.0.0.1:5555"

#: A hook that says nothing for so long is given up.
DEFAULT_SILENCE_S = 30.0

_LOOPBACK = re.compile(r"tcp://(127\.0\.0\.1|localhost):(\d{1,5}|\*)$")


def require_loopback(endpoint: str, *, any_port: bool = False) -> str:
    """`endpoint`, if it is a loopback TCP address; `any_port` allows `*`, for listening.

    Raises:
        UsageError: it is no TCP address, or one that other machines could reach.
    """
    match = _LOOPBACK.match(endpoint)
    if match and (any_port if match[2] == "*" else 0 < int(match[2]) < 65536):
        return endpoint
    raise UsageError(
        f"--endpoint {endpoint}: use a loopback address such as tcp://127.0.0.1:5555; "
        "to reach another machine, tunnel the port (ssh -L 5555:127.0.0.1:5555 gpu-box)"
    )
