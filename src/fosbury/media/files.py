"""Opening files that strangers made: the checks that every kind of file needs, and names that stay in their folder."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path, PurePosixPath

from fosbury.errors import BadInput

LFS_POINTER = b"version https://git-lfs.github.com/spec/"
"""How every Git LFS pointer begins (git-lfs, docs/spec.md)."""

MAX_FOLDERS, MAX_NAME = 30, 1000
"""Of a name in a stranger's file; systems end at paths of 1,024 (macOS) or 4,096 bytes."""


def check_file(path: str | Path) -> Path:
    """Return ``path`` if it is a file with content of its own.

    Raises
    ------
    BadInput
        If it is absent, a folder, empty, unreadable, or a Git LFS pointer.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise BadInput(path, "is a folder", "name the file in it")
        if path.exists() and not path.is_file():
            raise BadInput(path, "is not a regular file", "name a file")
        with path.open("rb") as file:
            head = file.read(len(LFS_POINTER))
    except FileNotFoundError:
        raise BadInput(path, "does not exist", "check the name and the folder") from None
    except PermissionError:
        raise BadInput(path, "may not be read", "give yourself the right to read it") from None
    except (OSError, ValueError) as error:
        raise BadInput(path, f"cannot be opened ({error})"[:200], "check the name and the folder") from None
    if not head:
        raise BadInput(path, "is empty", "copy or export it again")
    if head == LFS_POINTER:
        raise BadInput(path, "is a Git LFS pointer, not the file itself", "run 'git lfs pull' where it came from")
    return path


def sha256_of(path: str | Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unsafe_name(name: str) -> str | None:
    """Say why ``name``, taken from a stranger's file, must not be joined to a folder; None where it may.

    Examples
    --------
    >>> unsafe_name("../../etc/passwd")
    "climbs out of its folder by '..'"
    >>> unsafe_name("train/im0001.jpg") is None
    True
    """
    if not name.strip() or name.strip("./") == "":
        return "is empty"
    if re.search(r"[\x00-\x1f\x7f]", name):
        return "holds a control character"
    if "\\" in name:
        return "holds a backslash"
    if "://" in name:
        return "is an internet address"
    if name.startswith(("/", "~")):
        return "is an absolute path"
    if re.match(r"[A-Za-z]:", name):
        return "begins with a drive letter"
    parts = PurePosixPath(name).parts
    if ".." in parts:
        return "climbs out of its folder by '..'"
    if any(len(part.encode("utf-8", "surrogatepass")) > 255 for part in parts):
        return "is longer than a file name can be"
    if len(parts) > MAX_FOLDERS or len(name) > MAX_NAME:
        return f"lies deeper than {MAX_FOLDERS} folders or is longer than {MAX_NAME} letters"
    return None
