"""HDF5 of strangers: the arrays and attributes that lie in the file itself, of a size that labels have."""

from __future__ import annotations

import pickletools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from fosbury.errors import BadInput
from fosbury.media.files import check_file

MAGIC = b"\x89HDF\r\n\x1a\n"
MOST_BYTES = 2**29
"""Of one array; a million frames of 20 joints are 320 MB."""
_HINT = "save or export it again"


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Yield an HDF5 file, open to be read.

    Parameters
    ----------
    path : Path

    Yields
    ------
    h5py.File

    Raises
    ------
    BadInput
        If it is no HDF5, is damaged, or h5py is not installed.
    """
    with check_file(path).open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise BadInput(path, "is not an HDF5 file", _HINT)
    try:
        import h5py
    except ImportError:
        raise BadInput(path, "is HDF5, and h5py is not installed", "run uv pip install '.[hdf5]'") from None
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise BadInput(path, f"is HDF5 that cannot be read ({error})"[:200], _HINT) from None


def item(file: Any, path: Path, name: str) -> Any:
    """Return the group or array of this name, which lies in the file itself; None where there is none.

    Parameters
    ----------
    file : h5py.File
    path : Path
        What a message calls it.
    name : str
        Names with ``/`` between them.

    Raises
    ------
    BadInput
        If it is a link to another place or file, or an array whose numbers lie in other files.
    """
    import h5py

    found = file
    for part in name.split("/"):
        if not isinstance(found, h5py.Group) or part not in found:
            return None
        link = found.get(part, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise BadInput(path, f"has a link for '{name[:80]}'", "save it with its data in it")
        found = found[part]
    if isinstance(found, h5py.Dataset) and (found.external or found.is_virtual):
        raise BadInput(path, f"keeps '{name[:80]}' in other files", "save it with its data in it")
    return found


def array(file: Any, path: Path, name: str) -> np.ndarray:
    """Read an array whole.

    Parameters
    ----------
    file, path, name
        As for `item`.

    Raises
    ------
    BadInput
        If there is none, it is larger than ``MOST_BYTES``, or as `item`.
    """
    import h5py

    found = item(file, path, name)
    if not isinstance(found, h5py.Dataset):
        raise BadInput(path, f"has no array '{name[:80]}'", _HINT)
    if found.nbytes > MOST_BYTES:
        raise BadInput(path, f"has an array '{name[:80]}' of {found.nbytes / 2**20:.0f} MiB", "import it in parts")
    return found[()]


def texts(values: Any) -> list[str]:
    """Texts of an array of them, or of bytes.

    Examples
    --------
    >>> texts(np.array([b"hip", b"knee"]))
    ['hip', 'knee']
    """
    flat = np.ravel(values).tolist()
    return [each.decode("utf-8", "replace") if isinstance(each, bytes) else str(each) for each in flat]


def plain(pickled: bytes) -> Any:
    """Read lists, tuples, texts and whole numbers out of a pickle without running it.

    PyTables keeps the names of columns so. No object is made and nothing is imported: any other instruction of a
    pickle (Python, ``pickletools``) is refused.

    Parameters
    ----------
    pickled : bytes

    Raises
    ------
    ValueError
        If it holds anything else.

    Examples
    --------
    >>> import pickle
    >>> plain(pickle.dumps([(1, ["hip", "knee"])], 0))
    [(1, ['hip', 'knee'])]
    """
    mark = object()
    stack: list[Any] = []
    memo: dict[int, Any] = {}

    def since_mark() -> list[Any]:
        at = len(stack) - 1 - next(n for n, each in enumerate(reversed(stack)) if each is mark)
        taken = stack[at + 1 :]
        del stack[at:]
        return taken

    try:
        for opcode, value, _ in pickletools.genops(pickled):
            name = opcode.name
            if name in ("PROTO", "FRAME"):
                continue
            if name == "STOP":
                return stack.pop()
            if name == "MARK":
                stack.append(mark)
            elif name in _LITERALS:
                stack.append(value)
            elif name in ("EMPTY_LIST", "EMPTY_TUPLE"):
                stack.append([] if name == "EMPTY_LIST" else ())
            elif name in ("LIST", "TUPLE"):
                stack.append(since_mark() if name == "LIST" else tuple(since_mark()))
            elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
                count = int(name[-1])
                stack[-count:] = [tuple(stack[-count:])]
            elif name in ("APPEND", "APPENDS"):
                more = [stack.pop()] if name == "APPEND" else since_mark()
                stack[-1].extend(more)
            elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
                memo[len(memo) if value is None else int(value)] = stack[-1]
            elif name in ("GET", "BINGET", "LONG_BINGET"):
                stack.append(memo[int(value or 0)])
            else:
                raise ValueError(f"holds {name}")
    except (IndexError, KeyError, StopIteration, AttributeError, RecursionError) as error:
        raise ValueError(f"is damaged ({type(error).__name__})") from None
    raise ValueError("has no end")


_LITERALS = (
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "STRING", "BINSTRING", "SHORT_BINSTRING"),
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "NONE"),
)
