"""What a page server is told once, and whether that can be served."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from streamer.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSettings:
    """One page about one run; plain values, so that they can cross to another process.

    Attributes:
        run: folder of the recording; it need not be there yet where there is a publisher.
        publisher: ZeroMQ address of the run's snapshots; None looks at the recording only.
        host, port: where to listen; port 0 takes a free one.
        token: who knows it may look.
        certificate, certificate_key: PEM files for https; the key may lie in the certificate's file.
        origins: pages of other addresses that may connect, such as https://scope.lab.org of a proxy.
        behind_proxy: a proxy in front encrypts, so that other hosts may be served without a certificate.
        viewers_max: most pages that are open at a time.
        requests: ZeroMQ address for what the page asks of the run; None where it only watches.
        requests_secret: what proves there that the page may ask.
    """

    run: Path
    publisher: str | None = None
    host: str = "127.0.0.1"
    port: int = 0
    token: str
    certificate: Path | None = None
    certificate_key: Path | None = None
    origins: tuple[str, ...] = ()
    behind_proxy: bool = False
    viewers_max: int = 32
    requests: str | None = None
    requests_secret: str = ""

    @property
    def report(self) -> Path:
        """Where the run's report lies, once there is one."""
        return self.run / "report.html"


def check(settings: PageSettings) -> None:
    """Refuse what must not be served.

    Raises:
        UsageError: no token, a certificate that cannot be used, or other hosts without encryption.
    """
    if not settings.token:
        raise UsageError("page: token is empty; give one that cannot be guessed")
    if settings.certificate is not None:
        _load(settings.certificate, settings.certificate_key)
    elif settings.certificate_key is not None:
        raise UsageError(f"{settings.certificate_key}: a key without its certificate; give --page-cert, too")
    elif not is_loopback(settings.host) and not settings.behind_proxy:
        raise UsageError(
            f"page on {settings.host}: other computers could read along; "
            "give --page-cert and --page-key, or --behind-proxy where a proxy encrypts, or use 127.0.0.1"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _load(certificate: Path, key: Path | None) -> None:
    def refuse_password() -> str:
        raise UsageError(f"{key or certificate}: the key has a password; give one without")

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=refuse_password)
    except ssl.SSLError as error:  # is an OSError, too
        words = error.reason or "not readable as PEM"
        raise UsageError(
            f"{certificate}: no usable certificate ({words}); give PEM files that belong together"
        ) from None
    except OSError as error:
        name = certificate if not certificate.is_file() else key
        raise UsageError(
            f"{name}: {error.strerror}; give the PEM file of a certificate and of its key"
        ) from None
