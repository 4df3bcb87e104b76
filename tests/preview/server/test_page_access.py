"""Who is let in, and what lies behind the addresses of the page."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pages import TOKEN, Growing, Page, certificate_in, served
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import connect

from streamer.errors import LinkError, UsageError
from streamer.preview.server import PageSettings, access
from streamer.preview.server.app import PAGE_FOLDER
from streamer.preview.server.settings import check


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Growing]:
    run = Growing(tmp_path_factory.mktemp("access") / "run")
    run.put(3)
    yield run
    run.leave()


@pytest.fixture
def page(run: Growing) -> Iterator[Page]:
    with served(run.folder.path) as page:
        yield page


@pytest.fixture
def http(page: Page) -> Iterator[httpx.Client]:
    """A browser without a cookie."""
    with httpx.Client(base_url=page.http, trust_env=False) as http:
        yield http


@pytest.mark.parametrize(
    ("address", "headers"),
    [
        ("/", {}),
        ("/?token=", {}),
        ("/?token=wrong", {}),
        (f"/?token={TOKEN}x", {}),
        ("/?token=%ff%00", {}),
        ("/static/js/main.js", {}),
        ("/report", {}),
        ("/snapshot.json", {}),
        ("/nothing", {}),
        ("/", {"Authorization": "Bearer wrong"}),
        ("/", {"Authorization": f"Basic {TOKEN}"}),
        ("/", {"Cookie": "streamer-1=x; $=; =;;"}),
    ],
)
def test_without_the_token_there_is_nothing_but_the_cure(
    http: httpx.Client, address: str, headers: dict[str, str]
) -> None:
    answer = http.get(address, headers=headers)
    assert answer.status_code == 403
    assert "needs its link" in answer.text
    assert "set-cookie" not in answer.headers


def test_the_link_opens_the_page_and_leaves_a_cookie(http: httpx.Client, page: Page) -> None:
    opened = http.get(f"/?token={TOKEN}")
    assert opened.status_code == 200
    assert opened.text == (PAGE_FOLDER / "index.html").read_text()
    cookie = opened.headers["set-cookie"]
    assert cookie.startswith(f"streamer-{page.place.split(':')[1]}=")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Secure" not in cookie
    assert TOKEN not in cookie
    assert http.get("/").status_code == 200  # by the cookie alone
    assert http.get("/static/js/main.js").headers["content-type"].startswith("text/javascript")


def test_every_answer_forbids_foreign_content_and_frames(http: httpx.Client) -> None:
    for address in ("/", f"/?token={TOKEN}", "/static/js/main.js", "/nothing", "/health"):
        headers = http.get(address).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"


def test_health_says_nothing_else_and_needs_no_token(http: httpx.Client) -> None:
    assert http.get("/health").json() == {"ok": True}


def test_the_newest_numbers_by_a_header(http: httpx.Client) -> None:
    answer = http.get("/snapshot.json", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.json()["recorded"] == 3
    assert answer.json()["state"] == "running"


def test_the_report_is_there_when_it_is(http: httpx.Client, run: Growing) -> None:
    http.get(f"/?token={TOKEN}")
    missing = http.get("/report")
    assert missing.status_code == 404
    assert "no report yet" in missing.text
    report = run.folder.path / "report.html"
    report.write_text("<p>good</p>")
    found = http.get("/report")
    report.unlink()
    assert found.text == "<p>good</p>"
    assert "script-src" not in found.headers["content-security-policy"]
    assert "default-src 'none'" in found.headers["content-security-policy"]


@pytest.mark.parametrize(
    "path",
    [
        "/static/../server/app.py",
        "/static/..%2fserver%2fapp.py",
        "/static/%2e%2e/%2e%2e/__init__.py",
        "/static/js/../../server/serve.py",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/static/..%5c..%5cserver%5capp.py",
        "/static/js",
        "/static/",
        "/static/vendor/LICENSE",
        "/static/js/main.js%00.html",
        "/static/" + "a" * 3000,
        "/report/../run.json",
        "/report/..%2frun.json",
        "/run.json",
        "/frames.jsonl",
    ],
)
def test_no_address_leads_to_another_file(page: Page, path: str) -> None:
    """Over a plain socket: clients tidy such addresses up."""
    answer = _plain(page, f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n")
    assert answer.split(b" ", 2)[1] == b"404"
    assert b"import" not in answer
    assert b"root:" not in answer


@pytest.mark.parametrize(
    "request_",
    ["\x00\x01\x02\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/1.1\r\nA: " + "a" * 80_000],
)
def test_what_is_no_request_is_refused(page: Page, http: httpx.Client, request_: str) -> None:
    answer = _plain(page, request_)
    assert not answer or answer.split(b" ", 2)[1] in (b"400", b"431")
    assert http.get("/health").status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_put_there(http: httpx.Client, method: str) -> None:
    http.get(f"/?token={TOKEN}")
    assert http.request(method, "/", content=b"x" * 100).status_code == 405


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        pytest.param({}, 4401, id="nothing"),
        pytest.param({"Authorization": "Bearer wrong"}, 4401, id="wrong token"),
        pytest.param({"Authorization": f"Bearer {TOKEN}", "Origin": "https://evil.org"}, 4403, id="foreign"),
        pytest.param({"Authorization": f"Bearer {TOKEN}", "Origin": "null"}, 4403, id="sandboxed"),
        pytest.param({"Authorization": f"Bearer {TOKEN}", "Origin": "http://[::"}, 4403, id="malformed"),
        pytest.param({"cookie": True}, 4403, id="cookie without origin"),
        pytest.param({"cookie": True, "Origin": "http://127.0.0.1:1"}, 4403, id="other port"),
        pytest.param({"cookie": True, "own": "https"}, 4403, id="other scheme"),
    ],
)
def test_a_connection_is_refused_with_its_reason(
    page: Page, http: httpx.Client, headers: dict[str, Any], code: int
) -> None:
    with (
        pytest.raises(ConnectionClosedError) as closed,
        page.viewer(headers=_known(page, http, headers)) as viewer,
    ):
        viewer.hear("hello")
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == code


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        pytest.param("/ws", {"Authorization": f"Bearer {TOKEN}"}, id="a program"),
        pytest.param("/ws", {"cookie": True, "own": "http"}, id="our page"),
        pytest.param(f"/ws?token={TOKEN}", {"own": "http"}, id="our page without cookies"),
    ],
)
def test_a_connection_is_let_in(page: Page, http: httpx.Client, path: str, headers: dict[str, Any]) -> None:
    with page.viewer(path, headers=_known(page, http, headers)) as viewer:
        assert viewer.hear("hello")["protocol"] == 1


def test_pages_of_a_proxy_are_let_in_where_they_are_named(run: Growing) -> None:
    named = {"origins": ("https://scope.lab.org/",), "behind_proxy": True}
    headers = {"Authorization": f"Bearer {TOKEN}", "Origin": "https://scope.lab.org"}
    with served(run.folder.path, **named) as page, page.viewer(headers=headers) as viewer:
        assert viewer.hear("hello")["protocol"] == 1


@pytest.mark.parametrize(
    ("named", "secure"),
    [
        pytest.param({"origins": ("https://scope.lab.org",), "behind_proxy": True}, True, id="https"),
        pytest.param({"origins": ("https://scope.lab.org",)}, True, id="https, proxy unsaid"),
        pytest.param({"origins": ("http://scope.lab.org",), "behind_proxy": True}, False, id="http"),
        pytest.param({}, False, id="this machine"),
    ],
)
def test_the_cookie_travels_encrypted_where_the_page_does(
    run: Growing, named: dict[str, Any], secure: bool
) -> None:
    with served(run.folder.path, **named) as page:
        cookie = httpx.get(page.url, trust_env=False).headers["set-cookie"]
    assert ("; Secure" in cookie) is secure


def test_wrong_tokens_are_counted_and_the_right_one_still_opens(http: httpx.Client) -> None:
    codes = [http.get(f"/?token={number}").status_code for number in range(40)]
    assert codes[0] == 403
    assert codes[-1] == 429
    assert http.get(f"/?token={TOKEN}").status_code == 200


def test_strangers_cannot_use_up_what_the_holder_of_the_token_may_ask(
    run: Growing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All come from one address, as behind a proxy."""
    for name in ("REQUESTS", "CONNECTS", "WRONG"):
        monkeypatch.setattr(access, name, (0.0, 3))
    with served(run.folder.path) as page:
        with httpx.Client(base_url=page.http, trust_env=False) as stranger:
            codes = [stranger.get("/?token=wrong").status_code for _ in range(5)]
        assert codes == [403, 403, 403, 429, 429]
        for _ in range(5):
            with (
                pytest.raises((InvalidStatus, ConnectionClosedError)),
                page.viewer(headers={"Authorization": "Bearer wrong"}) as refused,
            ):
                refused.hear("hello")
        with httpx.Client(base_url=page.http, trust_env=False) as holder:
            assert holder.get(f"/?token={TOKEN}").status_code == 200
            known = _known(page, holder, {"cookie": True, "own": "http"})  # once more by the link
            assert holder.get("/").status_code == 200  # by the cookie
            assert holder.get("/").status_code == 429  # has a budget, too
        for headers in (known, {"Authorization": f"Bearer {TOKEN}"}):
            with page.viewer(headers=headers) as viewer:
                assert viewer.hear("hello")["protocol"] == 1


def test_https_by_a_given_certificate(run: Growing, tmp_path: Path) -> None:
    certificate, key = certificate_in(tmp_path)
    trust = ssl.create_default_context(cafile=certificate)
    settings = {"certificate": certificate, "certificate_key": key}
    with served(run.folder.path, **settings) as page:
        assert page.url.startswith("https://127.0.0.1:")
        with httpx.Client(verify=trust, trust_env=False) as http:
            assert "Secure" in http.get(page.url).headers["set-cookie"]
        origin = {"Authorization": f"Bearer {TOKEN}", "Origin": page.http}
        with page.viewer(headers=origin, ssl=trust) as viewer:
            assert viewer.hear("hello")["protocol"] == 1
        with socket.create_connection(("127.0.0.1", int(page.place.split(":")[1])), 10) as plain:
            plain.sendall(b"GET /health HTTP/1.1\r\n\r\n")
            assert b"200 OK" not in plain.recv(100)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"token": ""}, "token is empty", id="no token"),
        pytest.param({"host": "0.0.0.0"}, "other computers could read along", id="open to others"),
        pytest.param({"host": "scope.lab.org"}, "other computers could read along", id="a name"),
        pytest.param({"certificate": "cert.pem"}, "cert.pem: No such file", id="no certificate"),
        pytest.param({"certificate_key": "key.pem"}, "key without its certificate", id="key alone"),
        pytest.param({"certificate": "junk.pem"}, "no usable certificate", id="junk"),
    ],
)
def test_what_cannot_be_served_is_refused_with_the_cure(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    (tmp_path / "junk.pem").write_text("junk")
    paths = {k: tmp_path / v if k.startswith("certificate") else v for k, v in changes.items()}
    with pytest.raises(UsageError, match=words):
        check(PageSettings(**{"run": tmp_path, "token": TOKEN, **paths}))


def test_a_port_that_is_taken_is_said(run: Growing, page: Page) -> None:
    taken = int(page.place.split(":")[1])
    with pytest.raises(UsageError, match="choose another --page"), served(run.folder.path, port=taken):
        pass


@pytest.mark.parametrize("changes", [{"port": 70_000}, {"host": "256.1.1.1", "behind_proxy": True}])
def test_a_place_that_is_none_is_said(run: Growing, changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="page at"), served(run.folder.path, **changes):
        pass


def test_a_publisher_whose_address_is_none_is_said(run: Growing) -> None:
    with pytest.raises(LinkError, match="nowhere"), served(run.folder.path, publisher="nowhere"):
        pass


def test_the_link_names_no_token_in_a_log(run: Growing, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"), served(run.folder.path) as page:
        httpx.get(page.url, trust_env=False)
        with connect(
            f"ws://{page.place}/ws?token={TOKEN}",
            additional_headers={"Origin": page.http},
            proxy=None,
        ) as socket_:
            socket_.recv(timeout=60)
    ours = [
        record.getMessage() for record in caplog.records if record.name.startswith(("uvicorn", "streamer"))
    ]
    assert not [words for words in ours if TOKEN in words]


def _known(page: Page, http: httpx.Client, headers: dict[str, Any]) -> dict[str, str]:
    """Headers with our own origin and the cookie of our page where they are asked for."""
    known = {key: value for key, value in headers.items() if key not in ("cookie", "own")}
    if "cookie" in headers:
        http.get(f"/?token={TOKEN}")
        known["Cookie"] = "; ".join(f"{name}={value}" for name, value in http.cookies.items())
    if "own" in headers:
        known["Origin"] = f"{headers['own']}://{page.place}"
    return known


def _plain(page: Page, request: str) -> bytes:
    host, port = page.place.split(":")
    with socket.create_connection((host, int(port)), 10) as plain:
        plain.sendall(request.encode())
        plain.shutdown(socket.SHUT_WR)
        try:
            return plain.recv(1 << 16)
        except ConnectionResetError:
            return b""
