"""What a page for this machine alone needs of a server: loopback, a token, and a refusal of other hosts and origins."""

from __future__ import annotations

import json
import secrets
import socketserver
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from fosbury.errors import BadInput

LOOPBACK = "127.0.0.1"
TOKEN_HEADER = "X-Fosbury-Token"


class LocalServer(ThreadingHTTPServer):
    """Serve a page on the loopback address, behind a token that is new in each run.

    Parameters
    ----------
    handler : type of LocalHandler
    port : int
        0 takes a free one.

    Attributes
    ----------
    url : str
        Of the page; it holds the token.
    """

    daemon_threads = True

    def __init__(self, handler: type[LocalHandler], port: int = 0):
        self.token = secrets.token_urlsafe(24)
        try:
            super().__init__((LOOPBACK, port), handler)
        except OSError as error:
            problem = f"cannot be used ({(error.strerror or str(error)).lower()})"
            raise BadInput(f"--port {port}", problem, "choose another, or 0 for a free one") from None
        self.url = f"http://{LOOPBACK}:{self.server_port}/{self.token}/"

    def server_bind(self) -> None:
        """Bind without asking a name server for this machine's name, as the standard library does."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = LOOPBACK, self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that went away."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    def hosts(self) -> set[str]:
        """Return what a request may name as its host."""
        return {f"{name}:{self.server_port}" for name in (LOOPBACK, "localhost")}


class Refused(Exception):
    """A request that is not answered: the status, and why."""

    def __init__(self, status: HTTPStatus, reason: str):
        super().__init__(reason)
        self.status = status


class LocalHandler(BaseHTTPRequestHandler):
    """Answer requests that name this server and its token; ``_get`` and ``_post`` are the page's own."""

    server: LocalServer
    protocol_version = "HTTP/1.1"
    timeout = 30.0

    def do_GET(self) -> None:
        """Answer a request for something."""
        self._answer(self._get)

    def do_POST(self) -> None:
        """Answer a request to change something."""
        self._answer(self._post)

    def _answer(self, work: Any) -> None:
        try:
            body, kind, headers = work(self._asked())
            self._send(HTTPStatus.OK, body, kind, headers)
        except Refused as refused:
            self.fail(refused.status, str(refused))
        except BadInput as error:
            self.fail(HTTPStatus.CONFLICT if self.command == "POST" else HTTPStatus.NOT_FOUND, str(error))
        except OSError as error:
            if isinstance(error, ConnectionError | TimeoutError):
                self.close_connection = True
                return
            self.fail(HTTPStatus.INTERNAL_SERVER_ERROR, f"{error.filename}: {error.strerror}")

    def _asked(self) -> list[str]:
        """Parts of the path behind the token."""
        if self.headers.get_all("Host", []) not in [[host] for host in self.server.hosts()]:
            raise Refused(HTTPStatus.FORBIDDEN, "this address is not served")
        token, _, rest = urlsplit(self.path).path.removeprefix("/").partition("/")
        if not secrets.compare_digest(token.encode(), self.server.token.encode()):
            raise Refused(HTTPStatus.FORBIDDEN, "open the address that fosbury review printed")
        return rest.split("/")

    def _get(self, asked: list[str]) -> tuple[bytes, str, dict[str, str]]:
        raise Refused(HTTPStatus.NOT_FOUND, "there is no such page")

    def _post(self, asked: list[str]) -> tuple[bytes, str, dict[str, str]]:
        raise Refused(HTTPStatus.NOT_FOUND, "there is no such page")

    def check_change(self) -> None:
        """Refuse a change without the token in its header, or from another origin."""
        token = self.headers.get(TOKEN_HEADER, "")
        if not secrets.compare_digest(token.encode(), self.server.token.encode()):
            raise Refused(HTTPStatus.FORBIDDEN, "the token is not of this run")
        origin = self.headers.get("Origin")
        if origin is not None and origin not in {f"http://{host}" for host in self.server.hosts()}:
            raise Refused(HTTPStatus.FORBIDDEN, "another page may not change anything")

    def fail(self, status: HTTPStatus, reason: str) -> None:
        """Send a refusal, with its reason."""
        self.close_connection = True  # what was sent may not have been read
        self._send(status, *json_answer({"problem": reason}))

    def _send(self, status: HTTPStatus, body: bytes, kind: str, headers: dict[str, str]) -> None:
        self.send_response(status)
        usual = {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        if self.close_connection:
            usual["Connection"] = "close"
        for name, value in (usual | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        """Return a name without versions."""
        return "fosbury"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal shows the address and what was decided."""


def json_answer(value: object) -> tuple[bytes, str, dict[str, str]]:
    """Return a value as the body, type and headers of an answer."""
    return json.dumps(value).encode(), "application/json", {}
