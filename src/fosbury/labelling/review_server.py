"""The page of a review: served to this machine alone, by the standard library.

What keeps others out: the server listens on the loopback address only; a request must name it as its host, so that a
page elsewhere cannot reach it under a name of its own (DNS rebinding); every path begins with a token that is new in
each run and that other users of the machine do not know; a change needs it once more in a header, and must not come
from another origin. A picture is named by its number in the list, never by a path. All texts reach the page as JSON
and are set as text; the page may load nothing but this server's pictures (Content-Security-Policy).
"""

from __future__ import annotations

import json
import re
import secrets
import socketserver
import sys
import threading
from functools import lru_cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2

from fosbury.errors import BadInput
from fosbury.labelling.review import Decision, Review, clean
from fosbury.media.image import encode_jpeg, read_image, true_suffix

LOOPBACK = "127.0.0.1"
TOKEN_HEADER = "X-Fosbury-Token"
LARGEST_POST = 2**16
"""Bytes; the fields of a picture have at most 8,100 letters, of up to 6 bytes in JSON."""
PAGE = Path(__file__).with_name("review.html")
SMALL = 84
"""Height of a thumbnail in pixels."""
_TYPES = {".jpg": "image/jpeg", ".png": "image/png", ".webp": "image/webp", ".gif": "image/gif", ".bmp": "image/bmp"}
_KEPT_SMALL = 4096
_DECODERS = 2


class ReviewServer(ThreadingHTTPServer):
    """Serves one review.

    Parameters
    ----------
    review : Review
    port : int
        0 takes a free one.

    Attributes
    ----------
    url : str
        Of the page; it holds the token.
    """

    daemon_threads = True

    def __init__(self, review: Review, port: int = 0):
        self.review = review
        self.token = secrets.token_urlsafe(24)
        self.page = PAGE.read_text(encoding="utf-8")
        self._decoding = threading.Semaphore(_DECODERS)
        self.small = lru_cache(_KEPT_SMALL)(self._small)
        try:
            super().__init__((LOOPBACK, port), _Handler)
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

    def picture(self, index: int) -> tuple[bytes, str]:
        """Bytes of a picture, and their type; what browsers do not show becomes a JPEG."""
        path = self.review.pictures[index].path
        kind = _TYPES.get(true_suffix(path))
        if kind is not None:
            return path.read_bytes(), kind
        with self._decoding:
            return encode_jpeg(read_image(path)), _TYPES[".jpg"]

    def _small(self, index: int) -> bytes:
        with self._decoding:
            picture = read_image(self.review.pictures[index].path)
        height, width = picture.shape[:2]
        size = max(1, min(3 * SMALL, round(width * SMALL / height))), SMALL
        return encode_jpeg(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), 80)


class _Refused(Exception):
    """A request that is not answered: the status, and why."""

    def __init__(self, status: HTTPStatus, reason: str):
        super().__init__(reason)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    server: ReviewServer
    protocol_version = "HTTP/1.1"
    timeout = 30.0

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def _answer(self, work: Any) -> None:
        try:
            body, kind, headers = work(self._asked())
            self._send(HTTPStatus.OK, body, kind, headers)
        except _Refused as refused:
            self._fail(refused.status, str(refused))
        except BadInput as error:
            self._fail(HTTPStatus.CONFLICT if self.command == "POST" else HTTPStatus.NOT_FOUND, str(error))
        except OSError as error:
            if isinstance(error, ConnectionError | TimeoutError):
                self.close_connection = True
                return
            self._fail(HTTPStatus.INTERNAL_SERVER_ERROR, f"{error.filename}: {error.strerror}")

    def _asked(self) -> list[str]:
        """Parts of the path behind the token."""
        if self.headers.get_all("Host", []) not in [[host] for host in self.server.hosts()]:
            raise _Refused(HTTPStatus.FORBIDDEN, "this address is not served")
        token, _, rest = urlsplit(self.path).path.removeprefix("/").partition("/")
        if not secrets.compare_digest(token.encode(), self.server.token.encode()):
            raise _Refused(HTTPStatus.FORBIDDEN, "open the address that fosbury review printed")
        return rest.split("/")

    def _get(self, asked: list[str]) -> tuple[bytes, str, dict[str, str]]:
        match asked:
            case [""]:
                nonce = secrets.token_urlsafe(16)
                policy = (
                    f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src 'self'; "
                    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
                )
                page = self.server.page.replace("NONCE", nonce).encode()
                return page, "text/html; charset=utf-8", {"Content-Security-Policy": policy}
            case ["state"]:
                return _json(self.server.review.to_json())
            case ["picture", number]:
                return *self.server.picture(self._index(number)), {"Cache-Control": "private, max-age=3600"}
            case ["small", number]:
                return self.server.small(self._index(number)), "image/jpeg", {"Cache-Control": "private, max-age=3600"}
        raise _Refused(HTTPStatus.NOT_FOUND, "there is no such page")

    def _post(self, asked: list[str]) -> tuple[bytes, str, dict[str, str]]:
        said = self._body()
        match asked:
            case ["decide", number]:
                keep = said.get("keep")
                if not (keep is None or isinstance(keep, bool)):
                    raise _Refused(HTTPStatus.BAD_REQUEST, "keep is neither true, false nor null")
                texts = {field: self._text(said, field) for field in ("label", "description", "note")}
                self.server.review.decide(self._index(number), Decision(keep, **texts))
                return _json({"saved": True})
            case ["rename"]:
                old, new = self._text(said, "old", "label"), self._text(said, "new", "label")
                if not (old and new):
                    raise _Refused(HTTPStatus.BAD_REQUEST, "a label has no name")
                return _json({"renamed": self.server.review.rename(old, new)})
        raise _Refused(HTTPStatus.NOT_FOUND, "there is no such page")

    def _body(self) -> dict[str, Any]:
        token = self.headers.get(TOKEN_HEADER, "")
        if not secrets.compare_digest(token.encode(), self.server.token.encode()):
            raise _Refused(HTTPStatus.FORBIDDEN, "the token is not of this run")
        origin = self.headers.get("Origin")
        if origin is not None and origin not in {f"http://{host}" for host in self.server.hosts()}:
            raise _Refused(HTTPStatus.FORBIDDEN, "another page may not change anything")
        if self.headers.get_content_type() != "application/json":
            raise _Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "only JSON is taken")
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch(r"[0-9]{1,12}", length):
            raise _Refused(HTTPStatus.LENGTH_REQUIRED, "the length is not said")
        if int(length) > LARGEST_POST:
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {LARGEST_POST} bytes are not taken")
        try:
            said = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            raise _Refused(HTTPStatus.BAD_REQUEST, "is not JSON") from None
        if not isinstance(said, dict):
            raise _Refused(HTTPStatus.BAD_REQUEST, "is not an object")
        return said

    def _text(self, said: dict[str, Any], key: str, field: str = "") -> str:
        try:
            return clean(said.get(key), field or key)
        except BadInput as error:
            raise _Refused(HTTPStatus.BAD_REQUEST, str(error)) from None

    def _index(self, number: str) -> int:
        if not re.fullmatch(r"[0-9]{1,7}", number) or int(number) >= len(self.server.review.pictures):
            raise _Refused(HTTPStatus.NOT_FOUND, "there is no such picture")
        return int(number)

    def _fail(self, status: HTTPStatus, reason: str) -> None:
        self.close_connection = True  # what was sent may not have been read
        self._send(status, *_json({"problem": reason}))

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
        return "fosbury"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal shows the address and what was decided."""


def _json(value: object) -> tuple[bytes, str, dict[str, str]]:
    return json.dumps(value).encode(), "application/json", {}
