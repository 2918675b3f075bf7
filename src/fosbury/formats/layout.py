"""Where files of labels lie in a folder, and where their pictures may lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from fosbury.formats.registry import LabelFormat
from fosbury.formats.sets import IMAGES, VIDEOS

LABELS = "annotations"
"""Folder in which tools put labels beside ``images``."""


@dataclass(frozen=True)
class LabelFile:
    """One file of labels.

    Attributes
    ----------
    path : Path
    folders : tuple of Path
        That the names of its pictures may be relative to, the likeliest first.
    videos : Path
        Folder of its clips.
    prefix : str
        Folder of its pictures in the new set, which keeps equal names of two files apart.
    shuffled : bool
        Whether the tool deals the frames of a clip over its files.
    """

    path: Path
    folders: tuple[Path, ...]
    videos: Path
    prefix: str = ""
    shuffled: bool = False


def label_file(path: Path, subset: str, *, alone: bool, shuffled: bool = False) -> LabelFile:
    """Say where the pictures of a file of labels may lie.

    Parameters
    ----------
    path : Path
    subset : str
        Name of the part of the set that the file labels.
    alone : bool
        Whether it is the only file of the set.
    shuffled : bool
        As `LabelFile` has it.
    """
    base = path.parent.parent if path.parent.name == LABELS else path.parent
    folders = (base / IMAGES / subset, base / IMAGES / "default", base / IMAGES, base / subset, base)
    videos = base / VIDEOS if (base / VIDEOS).is_dir() else base
    return LabelFile(path, folders, videos, "" if alone else subset, shuffled)


def path_ends(name: str) -> list[str]:
    """Names that a picture may have below a folder, the fullest first; neither a drive nor the root begins them.

    Examples
    --------
    >>> path_ends("labeled-data/jump 1/img007.png")
    ['labeled-data/jump 1/img007.png', 'jump 1/img007.png', 'img007.png']
    >>> path_ends("C:/jumps/a.png")
    ['jumps/a.png', 'a.png']
    """
    parts = [part for part in PurePosixPath(name).parts if part != "/" and not part.endswith(":")]
    return ["/".join(parts[at:]) for at in range(len(parts))] or [name]


def bases(folder: Path) -> list[Path]:
    """Return a folder, and the only folder in it, as archives often have it."""
    inner = [entry for entry in sorted(folder.iterdir()) if entry.is_dir() and not entry.name.startswith((".", "__"))]
    return [folder, *inner] if len(inner) == 1 else [folder]


def find_label_files(kind: LabelFormat, path: Path) -> Sequence[LabelFile]:
    """Files of labels of a format: the file itself, or those of a folder, in the layouts of the tool.

    A folder of several exports, each in a folder of its own, holds the files of all.

    Parameters
    ----------
    kind : LabelFormat
    path : Path
        A file is returned unread: what is wrong with it is for the reader to say.
    """
    files = _files_of(kind, path)
    if files or path.is_file():
        return files
    inner = [each for base in bases(path)[-1:] for each in sorted(base.iterdir()) if each.is_dir()]
    parts = {each: _files_of(kind, each) for each in inner if not each.name.startswith((".", "__"))}
    known = {each: found for each, found in parts.items() if any(kind.sniff(file.path) for file in found)}
    return [
        replace(file, prefix="/".join(filter(None, (each.name, file.prefix))))
        for each, found in known.items()
        for file in found
    ]


def _files_of(kind: LabelFormat, path: Path) -> Sequence[LabelFile]:
    if kind.find is not None:
        return kind.find(path)
    if path.is_file():
        return [label_file(path, path.stem, alone=True)]
    for base in bases(path):
        there = [file for folder in (base / LABELS, base) for file in sorted(folder.glob("*")) if file.is_file()]
        files = [file for file in there if not file.name.startswith(".") and kind.sniff(file)]
        if files:
            return [label_file(file, file.stem, alone=len(files) == 1) for file in files]
    return []
