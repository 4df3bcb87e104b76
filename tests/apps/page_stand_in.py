"""What stands in for the page where only its process is of interest: says what it was told, by HTTP."""

from __future__ import annotations

import json
import os
import signal
from http.server import BaseHTTPRequestHandler, HTTPServer
from multiprocessing.connection import Connection
from typing import Any
from urllib.request import ProxyHandler, build_opener

from streamer.apps.page import PageOrder, give_way


def page_stand_in(order: PageOrder, link: Connection) -> None:
    """Target of a page process."""
    give_way()
    told = {
        "pid": os.getpid(),
        "niceness": os.nice(0),
        "deaf": signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        "publisher": order.publisher,
        "requests": order.requests,
        "secret": order.secret,
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(told).encode())

        def log_message(self, *words: object) -> None:
            pass

    server = HTTPServer((order.options.host, order.options.port or 0), Handler)
    server.timeout = 0.05
    url = f"http://{order.options.host}:{server.server_port}/?token={order.token}"
    link.send_bytes(json.dumps({"ready": url}).encode())
    while not link.poll(0):
        server.handle_request()


def fails_at_once(order: PageOrder, link: Connection) -> None:
    """A page that says why it cannot be."""
    link.send_bytes(json.dumps({"error": "no certificate", "exit_code": 2}).encode())


def dies_at_once(order: PageOrder, link: Connection) -> None:
    """A page that is killed before it is up."""
    os._exit(7)


def told(url: str) -> Any:
    """What the page at this address was told."""
    with build_opener(ProxyHandler({})).open(url, timeout=60) as answer:
        return json.load(answer)
