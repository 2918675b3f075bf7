"""Official weights: fetched once, when a person asks for them, and checked against a known digest."""

from __future__ import annotations

import os
import shutil
import tempfile
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO

from tqdm import tqdm

from fosbury.errors import BadInput, WorkFailed
from fosbury.inference.packages import fetch_member, package_file
from fosbury.media.files import sha256_of

MIRROR = "FOSBURY_WEIGHTS_MIRROR"
SCHEMES = ("https", "http", "file")
CHUNK = 1 << 20
SHA256_DIGITS = 64


def verify_checksum(path: str | Path, sha256: str | None, name: str, url: str | None) -> Path:
    """See that the weights to start from are there and are the ones meant.

    Parameters
    ----------
    path : str or Path
    sha256 : str or None
        What the file must hash to, or how that begins; None: anything.
    name : str
        The option of conf/model, as ``fosbury fetch`` takes it.
    url : str or None
        Where the weights can be fetched from; None: nowhere.

    Returns
    -------
    Path
        ``path``.

    Raises
    ------
    BadInput
        If the file is missing or is another one.
    """
    path = Path(path)
    get = f"run `fosbury fetch {name}`" if url else "put it there, or name another file with -S model.weights=FILE"
    if not path.is_file():
        raise BadInput(path, f"is missing, and model '{name}' starts from it", get)
    if sha256 is not None and not sha256_of(path).startswith(sha256):
        yours = "set model.sha256=null if these weights are yours"
        raise BadInput(path, f"is not the file that model '{name}' names by its SHA-256", f"{get}, or {yours}")
    return path


def obtain_weights(path: str | Path, sha256: str | None, name: str, url: str | None) -> bool:
    """Fetch weights that have an address and a digest; see that others are there.

    Parameters
    ----------
    path, sha256, name, url
        As for `verify_checksum`.

    Returns
    -------
    bool
        Whether they were fetched: False where they were there already.

    Raises
    ------
    BadInput, WorkFailed
        As `verify_checksum` and `fetch_weights`.
    """
    if url is None or sha256 is None:
        verify_checksum(path, sha256, name, url)
        return False
    return fetch_weights(url, path, sha256)


def source_url(url: str, mirror: str | None = None) -> str:
    """Return the address to fetch from: ``url``, or the file of the same name below the mirror.

    Parameters
    ----------
    url : str
    mirror : str, optional
        ``FOSBURY_WEIGHTS_MIRROR`` if not given.
    """
    mirror = mirror if mirror is not None else os.environ.get(MIRROR, "").strip()
    return f"{mirror.rstrip('/')}/{url.rsplit('/', 1)[-1]}" if mirror else url


def fetch_weights(url: str, path: str | Path, sha256: str, mirror: str | None = None) -> bool:
    """Fetch a file once; nothing is written unless its digest is right.

    Parameters
    ----------
    url : str
        https, http or file; or a file in a package, see `fosbury.inference.packages`.
    path : str or Path
        Where the file belongs.
    sha256 : str
        What it must hash to, or how that begins: OpenMMLab publishes the first eight digits of its files only.
    mirror : str, optional
        Address of a folder that holds a file of the same name; ``FOSBURY_WEIGHTS_MIRROR`` if not given.

    Returns
    -------
    bool
        False if the right file was there already.

    Raises
    ------
    BadInput
        If the address is not one, another file is in the way, or what came is not the file meant.
    WorkFailed
        If the file could not be fetched.
    """
    path, address = Path(path), source_url(url, mirror)
    if path.exists():
        if path.is_file() and sha256_of(path).startswith(sha256):
            return False
        raise BadInput(path, "is in the way: it is not the file to be fetched", "move it away and fetch again")
    source = package_file(address)
    if source is None:
        _check_address(address)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".fetch-") as folder:
        draft = Path(folder) / path.name
        if source is not None:
            fetch_member(source, draft)
        else:
            _download(address, draft, path)
        found = sha256_of(draft)
        if not found.startswith(sha256):
            raise BadInput(
                address, f"has SHA-256 {found[:12]}..., not {sha256[:12]}...", "nothing was kept; use another source"
            )
        draft.replace(path)
    return True


def _check_address(address: str) -> None:
    if address.partition(":")[0].lower() not in SCHEMES:
        raise BadInput(MIRROR, f"'{address}' is not an address", "set it to one that begins with https:// or file://")
    if not (address.isascii() and address.isprintable()) or " " in address:
        hint = "write them as in '%20' for a space"
        raise BadInput(MIRROR, f"'{address}' holds characters that no address has", hint)


def _download(address: str, draft: Path, path: Path) -> None:
    """Fetch from an address into ``draft``; ``path`` is where the file will be, for messages."""
    try:
        with urllib.request.urlopen(address, timeout=60) as response, draft.open("wb") as stream:
            _copy(response, stream, int(response.headers.get("Content-Length") or 0), path.name)
    except (HTTPException, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise WorkFailed(
            f"{address}: could not be fetched ({reason}); try again, download it elsewhere and put it at {path}, "
            f"or set {MIRROR} to a folder or address that has it."
        ) from None


def _copy(response: BinaryIO, stream: BinaryIO, total: int, name: str) -> None:
    with tqdm.wrapattr(response, "read", total=total or None, desc=name, disable=None) as source:
        shutil.copyfileobj(source, stream, CHUNK)
