"""Formats of labels that can be read: one table.

A new format is a module of this package that holds a `LabelFormat` named ``FORMAT``, and one entry in `FORMATS`. What
all of them have in common (archives, pictures that must be there and sound, groups, copying) is in ``importing.py``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from fosbury.errors import BadInput

if TYPE_CHECKING:
    from fosbury.formats.coco.images import Locate
    from fosbury.formats.layout import LabelFile
    from fosbury.pose import Dataset
    from fosbury.skeleton import Skeleton

FORMATS = {
    "coco": "fosbury.formats.coco.format",
    "cvat_images": "fosbury.formats.cvat.images",
    "cvat_video": "fosbury.formats.cvat.video",
    "cvat_video_every": "fosbury.formats.cvat.video_every",
    "yolo_pose": "fosbury.formats.yolo_pose",
    "label_studio": "fosbury.formats.label_studio",
    "deeplabcut": "fosbury.formats.deeplabcut",
    "sleap": "fosbury.formats.sleap",
    "jump_broadcast": "fosbury.formats.jump_broadcast",
}
"""Name, as ``--format`` takes it, and module; the first is the project's own, and the surest is taken before others."""
AUTO = "auto"
"""As a format's name: the one that the files are of."""
HEAD = 2**18
"""Bytes of a file by which it is known; CVAT writes its labels' attributes before the first picture."""


@dataclass(frozen=True, kw_only=True)
class FileKind:
    """Files of one tool, known by a name and the first bytes.

    Attributes
    ----------
    name : str
    what : str
        What it is, to say after "is" or "holds".
    suffixes : tuple of str
        Of its files of labels, in small letters.
    matches : callable
        From a file's name and the text of its first `HEAD` bytes to whether it is of this kind.
    """

    name: str
    what: str
    suffixes: tuple[str, ...]
    matches: Callable[[str, str], bool]

    def sniff(self, path: Path) -> bool:
        """Whether a file is of this kind; nothing of it is parsed."""
        return path.suffix.lower() in self.suffixes and self.matches(path.name, head_of(path))


class Reader(Protocol):
    """Read one file of labels.

    Parameters
    ----------
    path : Path
    skeleton : Skeleton, optional
        Joints are matched to it by name; without it the joints are those that the file names.
    images : callable, optional
        From a frame to the picture that must exist with the size that the labels state; None for a frame without one.
    on_problem : {"raise", "drop"}
        Whether a problem refuses the file, or leaves out what it concerns with a note.
    """

    def __call__(
        self,
        path: Path,
        skeleton: Skeleton | None = None,
        images: Locate | None = None,
        on_problem: Literal["raise", "drop"] = "raise",
    ) -> Dataset:
        """See `Reader`."""
        ...


@dataclass(frozen=True, kw_only=True)
class LabelFormat(FileKind):
    """Labels that can be read, and written where the tool takes them back.

    Attributes
    ----------
    read : Reader
    find : callable, optional
        From a folder, or a file that a person named, to the files of labels in the layouts that the tool exports;
        where not given, to those that `sniff` knows.
    names : callable, optional
        From a file of labels to the names that its pictures may have, where it does not state their sizes, so that
        `read` needs the pictures.
    unnamed : callable, optional
        From a file of labels to how many joints it has without naming them, 0 where it names them; such are named by a
        skeleton that `read` is given.
    write : callable, optional
        Write the files of labels of a data set into a folder that exists.
    pictures : str
        Folder for the pictures below the one that `write` fills; their names are relative to it.
    loses : tuple of str
        Fields of `Frame` and `Person` that `write` cannot keep; ``occlusion`` is the difference of visibility 1 and 2.
    """

    read: Reader
    find: Callable[[Path], Sequence[LabelFile]] | None = None
    names: Callable[[Path], Sequence[str]] | None = None
    unnamed: Callable[[Path], int] | None = None
    write: Callable[[Dataset, Path], None] | None = None
    pictures: str = "images"
    loses: tuple[str, ...] = ()


def label_format(name: str) -> LabelFormat:
    """Return the format of this name.

    Raises
    ------
    BadInput
        If there is none.
    """
    if name not in FORMATS:
        raise BadInput("--format", f"is '{name}'", f"choose one of {', '.join((AUTO, *FORMATS))}")
    return importlib.import_module(FORMATS[name]).FORMAT


def all_formats() -> tuple[LabelFormat, ...]:
    """Return every format that can be read, in the order of `FORMATS`."""
    return tuple(label_format(name) for name in FORMATS)


def head_of(path: Path) -> str:
    """Text of a file's first `HEAD` bytes; empty where it cannot be read."""
    try:
        with path.open("rb") as file:
            return text_of(file.read(HEAD))
    except OSError:
        return ""


def text_of(head: bytes) -> str:
    """Text of the first bytes of a file, of whatever encoding."""
    return head.decode("utf-8-sig", "replace")
