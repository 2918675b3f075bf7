"""Unpacking of archives that strangers made: what is wanted of them, and nothing outside the folder."""

from __future__ import annotations

import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from fosbury.errors import BadInput, BadInputs
from fosbury.media.files import unsafe_name
from fosbury.progress import progress

MAX_MEMBERS = 200_000
MAX_UNPACKED = 50 * 2**30
"""Bytes; a season of phone clips is below this."""
MAX_RATIO = 1000
"""Unpacked over packed size; JSON seldom packs better than 50 to 1, and deflate's limit is 1032."""


def member_names(path: Path) -> list[str]:
    """Names of an archive's files.

    Raises
    ------
    BadInput, BadInputs
        As `unpack`.
    """
    with _opened(path) as (_, members):
        return [member.filename for member in members]


def unpack(path: Path, folder: Path, suffixes: tuple[str, ...]) -> None:
    """Unpack the files with one of these suffixes.

    Parameters
    ----------
    path : Path
        A ``.zip``.
    folder : Path
        Is made; gets the files.
    suffixes : tuple of str
        In small letters.

    Raises
    ------
    BadInput, BadInputs
        If it is damaged, unpacks to more than a set needs or there is room for, or has a file that is a link, is
        encrypted, or would lie outside ``folder``.
    """
    with _opened(path) as (archive, members):
        for member in progress(members, "unpacking", "file"):
            if not member.filename.lower().endswith(suffixes) or member.filename.startswith("__MACOSX/"):
                continue
            copy = folder / PurePosixPath(member.filename)
            copy.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as packed, copy.open("wb") as file:
                shutil.copyfileobj(packed, file, 2**20)
    folder.mkdir(exist_ok=True)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[zipfile.ZipFile, list[zipfile.ZipInfo]]]:
    """Yield an archive and its checked files; what is wrong with it, or with reading it, is bad input."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            _check_members(path, members)
            yield archive, members
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise BadInput(path, f"is a damaged archive ({error})", "export or copy it again") from None
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise BadInput(path, "holds a file and a folder of one name", "pack the set again") from None
    except (OSError, ValueError, struct.error) as error:
        if getattr(error, "filename", None) is not None:  # the disk, not the archive
            raise
        raise BadInput(path, f"is a damaged archive ({error})", "export or copy it again") from None


def _check_members(path: Path, members: Sequence[zipfile.ZipInfo]) -> None:
    total = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    free = shutil.disk_usage(path.parent).free
    if len(members) > MAX_MEMBERS or total > MAX_UNPACKED or total > MAX_RATIO * max(packed, 1):
        problem = f"unpacks to {len(members)} files and {total / 2**30:.1f} GiB, which no labelled set needs"
        raise BadInput(path, problem, "unpack it yourself and import the folder")
    if total > free:
        raise BadInput(path, f"needs {total / 2**30:.1f} GiB, and {free / 2**30:.1f} are free", "free some space")
    problems = [
        f"{member.filename[:120]!r} {reason}"
        for member in members
        if (reason := unsafe_name(member.orig_filename))
        or (reason := "is a link" if stat.S_ISLNK(member.external_attr >> 16) else None)
        or (reason := "is encrypted" if member.flag_bits & 1 else None)
    ]
    if problems:
        raise BadInputs(path, problems, "pack the set again without them")
