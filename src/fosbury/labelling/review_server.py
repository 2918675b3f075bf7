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
import threading
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

import cv2

from fosbury.errors import BadInput
from fosbury.labelling.review import Decision, Review, clean
from fosbury.media.image import encode_jpeg, read_image, true_suffix
from fosbury.serving import LocalHandler, LocalServer, Refused, json_answer

LARGEST_POST = 2**16
"""Bytes; the fields of a picture have at most 8,100 letters, of up to 6 bytes in JSON."""
PAGE = Path(__file__).with_name("review.html")
SMALL = 84
"""Height of a thumbnail in pixels."""
_TYPES = {".jpg": "image/jpeg", ".png": "image/png", ".webp": "image/webp", ".gif": "image/gif", ".bmp": "image/bmp"}
_KEPT_SMALL = 4096
_DECODERS = 2


class ReviewServer(LocalServer):
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

    def __init__(self, review: Review, port: int = 0):
        self.review = review
        self.page = PAGE.read_text(encoding="utf-8")
        self._decoding = threading.Semaphore(_DECODERS)
        self.small = lru_cache(_KEPT_SMALL)(self._small)
        super().__init__(_Handler, port)

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


class _Handler(LocalHandler):
    server: ReviewServer

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
                return json_answer(self.server.review.to_json())
            case ["picture", number]:
                return *self.server.picture(self._index(number)), {"Cache-Control": "private, max-age=3600"}
            case ["small", number]:
                return self.server.small(self._index(number)), "image/jpeg", {"Cache-Control": "private, max-age=3600"}
        raise Refused(HTTPStatus.NOT_FOUND, "there is no such page")

    def _post(self, asked: list[str]) -> tuple[bytes, str, dict[str, str]]:
        self.check_change()
        said = self._body()
        match asked:
            case ["decide", number]:
                keep = said.get("keep")
                if not (keep is None or isinstance(keep, bool)):
                    raise Refused(HTTPStatus.BAD_REQUEST, "keep is neither true, false nor null")
                texts = {field: self._text(said, field) for field in ("label", "description", "note")}
                self.server.review.decide(self._index(number), Decision(keep, **texts))
                return json_answer({"saved": True})
            case ["rename"]:
                old, new = self._text(said, "old", "label"), self._text(said, "new", "label")
                if not (old and new):
                    raise Refused(HTTPStatus.BAD_REQUEST, "a label has no name")
                return json_answer({"renamed": self.server.review.rename(old, new)})
        raise Refused(HTTPStatus.NOT_FOUND, "there is no such page")

    def _body(self) -> dict[str, Any]:
        if self.headers.get_content_type() != "application/json":
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "only JSON is taken")
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch(r"[0-9]{1,12}", length):
            raise Refused(HTTPStatus.LENGTH_REQUIRED, "the length is not said")
        if int(length) > LARGEST_POST:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {LARGEST_POST} bytes are not taken")
        try:
            said = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            raise Refused(HTTPStatus.BAD_REQUEST, "is not JSON") from None
        if not isinstance(said, dict):
            raise Refused(HTTPStatus.BAD_REQUEST, "is not an object")
        return said

    def _text(self, said: dict[str, Any], key: str, field: str = "") -> str:
        try:
            return clean(said.get(key), field or key)
        except BadInput as error:
            raise Refused(HTTPStatus.BAD_REQUEST, str(error)) from None

    def _index(self, number: str) -> int:
        if not re.fullmatch(r"[0-9]{1,7}", number) or int(number) >= len(self.server.review.pictures):
            raise Refused(HTTPStatus.NOT_FOUND, "there is no such picture")
        return int(number)
