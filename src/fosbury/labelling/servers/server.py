"""Requests to a server with a token: JSON and files, within limits, and what is refused said in one sentence.

Nothing beyond the standard library is needed. The token comes from the environment only and is never shown.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.client import HTTPException
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Self
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from fosbury.documents import parse_json
from fosbury.errors import BadInput, WorkFailed

SECONDS = 120
MAX_ANSWER = 2**30
"""Bytes; an export has about 20 kB for a picture, so this is of 50,000."""
_CHUNK = 2**20


class _NoRedirect(HTTPRedirectHandler):
    """A redirect would carry the token to another address."""

    def redirect_request(self, *args: Any, **keywords: Any) -> None:
        return None


@dataclass
class LabelServer:
    """A server and the right to use it; a class of its own for each tool.

    Attributes
    ----------
    url : str
    token : str
        As the person has it.
    """

    url: str
    token: str = field(repr=False)
    tool: ClassVar[str] = "labelling tool"
    """Its name in messages."""
    variable: ClassVar[str] = "TOKEN"
    """Variable of the environment with the token."""
    given: ClassVar[str] = "of that server"
    """Where a person gets a token."""
    accept: ClassVar[str] = "*/*"

    @classmethod
    def connect(cls, url: str) -> Self:
        """Return the server of an address, with the token of the environment.

        Raises
        ------
        BadInput
            If the address is none, or there is no token.
        """
        try:
            parts = urlsplit(url)
            plain = parts.scheme in ("http", "https") and parts.hostname and not (parts.username or parts.query)
        except ValueError:
            raise BadInput("--server", "is no address", "give it as https://labels.example.org") from None
        if not plain:
            hint = "give it as https://labels.example.org"
            raise BadInput("--server", f"is '{parts.hostname or url}', no plain address", hint)
        token = os.environ.get(cls.variable, "").strip()
        if not token:
            raise BadInput(cls.variable, "is not set", f"export it with the access token {cls.given}")
        if not re.fullmatch(r"[!-~]+", token):
            raise BadInput(cls.variable, "holds more than a token", f"export it with the access token {cls.given}")
        return cls(url.rstrip("/"), token)

    def authority(self) -> str:
        """Return what the header ``Authorization`` says."""
        return f"Token {self.token}"

    def renew(self) -> bool:
        """Forget what the server gave for the token; whether there was anything, and a try again may help."""
        return False

    def ask(self, way: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
        """Send a request, bytes or anything that JSON can say, and return the JSON of the answer."""
        text = BytesIO()
        self.send(way, path, body, headers, into=text)
        return self.parsed(text)

    def parsed(self, text: BytesIO) -> Any:
        """JSON of an answer; None where it is empty."""
        hint = f"check that --server is a {self.tool}"
        return parse_json(text.getvalue(), Path(self.url), hint) if text.getvalue() else None

    def send(
        self, way: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, *, into: BinaryIO
    ) -> Message:
        """Send a request, write the answer into a file, and return its headers.

        Raises
        ------
        BadInput
            If the server refuses the token or the request, or answers more than `MAX_ANSWER`.
        WorkFailed
            If it cannot be reached or fails.
        """
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Accept": self.accept} | dict(headers or {})
        try:
            return self.exchange(
                way, path, data=data, headers={**headers, "Authorization": self.authority()}, into=into
            )
        except HTTPError as error:
            if error.code == 401 and self.renew():
                try:
                    return self.exchange(
                        way, path, data=data, headers={**headers, "Authorization": self.authority()}, into=into
                    )
                except HTTPError as again:
                    error = again
            raise self.refusal(error, path) from None

    def exchange(
        self, way: str, path: str, *, data: bytes | None, headers: Mapping[str, str], into: BinaryIO
    ) -> Message:
        """Send one request as it is.

        Raises
        ------
        HTTPError
            If the server refuses it.
        """
        request = Request(f"{self.url}{path}", data=data, headers=dict(headers), method=way)
        size = 0
        try:
            with build_opener(_NoRedirect).open(request, timeout=SECONDS) as response:
                while part := response.read(_CHUNK):
                    size += len(part)
                    if size > MAX_ANSWER:
                        hint = f"check that --server is a {self.tool}"
                        raise BadInput(self.url, f"answers more than {MAX_ANSWER / 2**20:.0f} MiB", hint)
                    into.write(part)
                if response.length:
                    raise WorkFailed(f"{self.url}: broke off in the middle of an answer; run this again.")
                return Message() if response.headers is None else response.headers
        except HTTPError:
            raise
        except (HTTPException, OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise WorkFailed(f"{self.url}: cannot be reached ({reason}); check --server, and run this again.") from None

    def refusal(self, error: HTTPError, path: str) -> Exception:
        """Return what is raised for an answer that is none."""
        at = path.split("?")[0]
        if error.code in (401, 403):
            return BadInput(self.url, "refuses the token", f"set {self.variable} to one {self.given}")
        if error.code == 404:
            return BadInput(self.url, f"knows no {at}", "check --server and --project")
        if error.code < 400:
            return BadInput(self.url, "sends requests to another address", "give that one as --server")
        said = error.read(300).decode("utf-8", "replace").replace(self.token, "***")
        if error.code < 500:
            return BadInput(self.url, f"answers {error.code} to {at}: {said}", "correct what it names")
        return WorkFailed(f"{self.url}: failed with {error.code} at {at}; run this again later.")

    def own_path(self, address: str) -> str:
        """Path of an address that the server gave: it is asked there, at its own address, whatever host that names."""
        parts = urlsplit(address)
        below = urlsplit(self.url).path
        path = parts.path.removeprefix(below) if below else parts.path
        if not path.startswith("/"):
            raise BadInput(self.url, "gives an address that is none", f"check that --server is a {self.tool}")
        return path + (f"?{parts.query}" if parts.query else "")
