"""Files and folders that appear whole or not at all, whoever else writes beside them."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fosbury.errors import BadInput

try:
    import fcntl
except ImportError:  # Windows: what a killed run left stays there
    fcntl = None  # type: ignore[assignment]

DRAFT, WORK = ".part", ".partial"
"""Suffixes of the folders of unfinished files and of unfinished folders; git and DVC pass over both."""
_SHOWN = 40
_IN_THE_WAY = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)


@contextmanager
def draft(path: str | Path) -> Iterator[Path]:
    """Yield a draft that takes the place of a file at the end and is gone after an error.

    It bears the file's name in a folder of its own beside it, so that two processes never write one draft, and a
    writer that puts the name into the content (torch) always puts the same.

    Parameters
    ----------
    path : str or Path
        Its folder is made; a file of that name is replaced.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", suffix=DRAFT, dir=path.parent) as folder:
        unfinished = Path(folder) / path.name
        yield unfinished
        unfinished.replace(path)


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write a file whole, by :func:`draft`."""
    with draft(path) as unfinished:
        unfinished.write_bytes(data)


def write_text(path: str | Path, text: str) -> None:
    """Write a UTF-8 file whole, by :func:`draft`, with line feeds on every system."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: str | Path, value: Any) -> None:
    """Write JSON whole, its keys in the order given, indented so that it reads well in a diff.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_csv(path: str | Path, rows: Iterable[Sequence[object]]) -> None:
    """Write CSV whole, the first row being its head; None becomes an empty cell."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    write_text(path, buffer.getvalue())


@contextmanager
def work_folder(target: str | Path) -> Iterator[Path]:
    """Yield an empty folder of this run's own beside ``target``, gone at the end with what is still in it.

    Each is locked as long as its run lives; those of runs that were killed are removed by the next for that target.

    Parameters
    ----------
    target : str or Path
        What is to be made; the folder that it lies in is made if absent.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{target.name[:_SHOWN]}."
    parent = _lock(target.parent, wait=True)  # so that nobody takes a folder for abandoned before it is locked
    try:
        for old in sorted(target.parent.glob(".*" + WORK)):
            if old.name.startswith(prefix) and (lock := _lock(old)) is not None:
                shutil.rmtree(old, ignore_errors=True)
                os.close(lock)
        work = Path(tempfile.mkdtemp(prefix=prefix, suffix=WORK, dir=target.parent))
        held = _lock(work)
    finally:
        _release(parent)
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
        _release(held)


def put_folder(made: Path, target: Path) -> None:
    """Rename a finished folder; nothing may bear the new name.

    Raises
    ------
    BadInput
        If something does, such as the result of another run: it stays as it is.
    """
    try:
        if os.path.lexists(target):  # an empty folder would give way to the rename
            raise _taken(target)
        made.rename(target)
    except OSError as error:
        if error.errno in _IN_THE_WAY:
            raise _taken(target) from None
        raise


def replace_folder(made: Path, target: Path, aside: Path, unchanged: Callable[[Path], bool] = lambda _: True) -> None:
    """Put a finished folder in the place of another, which may not exist.

    Parameters
    ----------
    made, target : Path
    aside : Path
        A free name in the caller's work folder: gets the former folder.
    unchanged : callable, optional
        Whether the former folder, at the place that it is given, is still the one that was to be replaced.

    Raises
    ------
    BadInput
        If another run changed it or put its result there; what it made stays.
    """
    try:
        target.rename(aside)
    except FileNotFoundError:
        pass
    else:
        if not unchanged(aside):
            aside.rename(target)
            raise _taken(target)
    try:
        put_folder(made, target)
    except BaseException:
        if aside.exists() and not os.path.lexists(target):
            aside.rename(target)
        raise


def _taken(target: Path) -> BadInput:
    problem = "was made or changed by another run at the same time"
    return BadInput(target, problem, "see what it holds, then choose another name or run this again")


def _lock(folder: Path, wait: bool = False) -> int | None:
    """Lock a folder for this process until the number that comes back is closed; None where that is not possible."""
    if fcntl is None:
        return None
    try:
        number = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(number, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        os.close(number)
        return None
    return number


def _release(lock: int | None) -> None:
    if lock is not None:
        os.close(lock)
