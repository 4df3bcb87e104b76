"""Which addresses the link may use: this machine's own freely, others with keys."""

from __future__ import annotations

import re

from streamer.errors import UsageError

#: Where a processor listens and a hook looks for it, unless told otherwise.
DEFAULT_ENDPOINT = "tcp://127.0.0.1:5555"

#: A hook that says nothing for so long is given up.
DEFAULT_SILENCE_S = 30.0

_TCP = re.compile(r"tcp://(?P<host>[A-Za-z0-9.\-]{1,253}|\*):(?P<port>\d{1,5}|\*)")
_BYTE = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_IPV4 = re.compile(rf"{_BYTE}(?:\.{_BYTE}){{3}}")


def is_loopback(endpoint: str) -> bool:
    """Whether only this machine can reach the address."""
    match = _TCP.fullmatch(endpoint)
    return match is not None and match["host"] in ("127.0.0.1", "localhost")


def check_endpoint(endpoint: str, *, keys: bool, listen: bool = False) -> str:
    """`endpoint`, if the link may use it.

    Args:
        endpoint: a TCP address.
        keys: whether the link is encrypted and knows its peers; only then may others reach it.
        listen: allow `*`, for any interface and for any free port.

    Raises:
        UsageError: it is no TCP address, or one that other machines could reach without keys.
    """
    match = _TCP.fullmatch(endpoint)
    if not match or not _is_host(match["host"], listen) or not _is_port(match["port"], listen):
        raise UsageError(f"--endpoint {endpoint}: use an address such as {DEFAULT_ENDPOINT}")
    if not keys and not is_loopback(endpoint):
        raise UsageError(
            f"--endpoint {endpoint}: other machines could reach it; give both sides their keys "
            f"(streamer keys new, then --keys processor.key and Hook(keys='hook.key')), "
            f"or use a loopback address such as {DEFAULT_ENDPOINT}"
        )
    return endpoint


def _is_host(host: str, listen: bool) -> bool:
    if host == "*":
        return listen
    return not re.fullmatch(r"[\d.]+", host) or bool(_IPV4.fullmatch(host))


def _is_port(port: str, listen: bool) -> bool:
    return listen if port == "*" else 0 < int(port) < 65536
