"""Whose labels a file, a folder or an archive holds, by its first bytes, and which export of that tool can be read.

The formats of the registry come first, then `TOOLS`, one table of what cannot be read, the more telling marks first.
Nothing is parsed, unpacked or followed: of each file at most ``HEAD`` bytes are read, of a folder or archive at most
``MOST_FILES`` files.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath

from fosbury.errors import BadInput
from fosbury.formats.registry import FORMATS, HEAD, FileKind, LabelFormat, all_formats, head_of, label_format, text_of

OWN = next(iter(FORMATS))
"""The format that the project stores."""
MOST_FILES = 40
MOST_ENTRIES = 20_000
DEEPEST = 4
"""Folders below the one that was named."""

_CVAT = "in CVAT, label a skeleton and export the task as 'CVAT for images 1.1' or 'COCO Keypoints 1.0'"
_NO_EXPORT = "it exports no COCO keypoints: label the pictures with a skeleton in CVAT, or convert the file yourself"


@dataclass(frozen=True, kw_only=True)
class ForeignTool(FileKind):
    """Labels of a tool whose files cannot be read.

    Attributes
    ----------
    hint : str
        Which export can be read.
    """

    hint: str


def _has(*marks: str) -> Callable[[str, str], bool]:
    """Every one of these regular expressions is found."""
    patterns = [re.compile(mark) for mark in marks]
    return lambda name, head: all(pattern.search(head) for pattern in patterns)


TOOLS = (
    ForeignTool(
        name="yolo_boxes",
        what="YOLO labels of boxes without joints (data.yaml)",
        suffixes=(".yaml", ".yml"),
        matches=_has(r"(?m)^names\s*:", r"(?m)^(?:train|val|nc)\s*:"),
        hint="label the joints with a skeleton and export as 'COCO Keypoints'",
    ),
    ForeignTool(
        name="darknet",
        what="YOLO 1.1 (Darknet) labels, boxes without joints",
        suffixes=(".data", ".names"),
        matches=lambda name, head: PurePosixPath(name).name in ("obj.data", "obj.names"),
        hint=_CVAT,
    ),
    ForeignTool(
        name="via",
        what="VIA's JSON (VGG Image Annotator)",
        suffixes=(".json",),
        matches=_has(r'"(?:_via_\w+|shape_attributes)"\s*:'),
        hint=_NO_EXPORT,
    ),
    ForeignTool(
        name="labelme", what="LabelMe's JSON", suffixes=(".json",), matches=_has(r'"shapes"\s*:\s*\['), hint=_NO_EXPORT
    ),
    ForeignTool(
        name="datumaro",
        what="Datumaro's JSON",
        suffixes=(".json",),
        matches=_has(r'"dm_format_version"|"categories"\s*:\s*\{\s*"(?:label|points)"'),
        hint="convert it with Datumaro to the format 'coco_person_keypoints'",
    ),
    ForeignTool(
        name="openpose",
        what="what OpenPose found (JSON), not labels",
        suffixes=(".json",),
        matches=_has(r'"pose_keypoints_2d"\s*:'),
        hint="correct poses in a labelling tool and export as 'COCO Keypoints'",
    ),
    ForeignTool(
        name="coco_results",
        what="results of a model in COCO's form (a list), not labels",
        suffixes=(".json",),
        matches=_has(r"^\s*\[", r'"image_id"\s*:', r'"score"\s*:'),
        hint="correct poses in a labelling tool and export as 'COCO Keypoints'",
    ),
    ForeignTool(
        name="pascal_voc",
        what="Pascal VOC XML, boxes without joints",
        suffixes=(".xml",),
        matches=_has(r"<annotation>", r"<(?:object|filename|folder)>"),
        hint="label the joints with a skeleton and export as 'COCO Keypoints'",
    ),
    ForeignTool(
        name="yolo_text",
        what="YOLO's text labels without their data.yaml",
        suffixes=(".txt",),
        matches=_has(r"^\s*\d{1,4}(?:[ \t]+-?\d+(?:\.\d+)?(?:e-?\d+)?){4,}[ \t]*(?:\r?\n|$)"),
        hint="import the folder that holds their data.yaml, which names the joints, or export as 'COCO Keypoints'",
    ),
)


def kinds() -> tuple[FileKind, ...]:
    """Return all that can be recognised: what can be read, then what cannot."""
    return (*all_formats(), *(tool for tool in TOOLS if tool.name not in FORMATS))


def recognise(path: str | Path) -> tuple[FileKind, str] | None:
    """Find out whose labels a file, a folder or a ``.zip`` holds.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    tuple of FileKind and str, or None
        The first of `kinds` that a file of it is of, and that file's name below ``path`` (empty for a file itself).
        None where no file is of a known kind, or none can be read.
    """
    path = Path(path)
    try:
        if path.is_dir():
            return _first(_of_folder(path))
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return _first(_of_archive(archive))
        if path.is_file():
            return _first(iter([(path.name, head_of(path))]), alone=True)
    except (OSError, ValueError, RuntimeError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error):
        return None
    return None


def refuse_other_tools(path: str | Path, wanted: Collection[LabelFormat] | None = None) -> None:
    """Refuse labels of a tool whose files cannot be read, or of another format than one that is wanted.

    Parameters
    ----------
    path : str or Path
    wanted : collection of LabelFormat, optional
        The project's own, COCO keypoints, if not given.

    Raises
    ------
    BadInput
        Saying whose labels they are, and what to do: which export can be read, or which format to name.
    """
    found = recognise(path)
    if found is None or (wanted is not None and found[0] in wanted):
        return
    kind, name = found
    what = f"holds {kind.what} in {name}" if name else f"is {kind.what}"
    if isinstance(kind, ForeignTool):
        raise BadInput(path, f"{what}, which cannot be read yet", kind.hint)
    if wanted is not None:
        others = " or ".join(each.what for each in wanted)
        raise BadInput(path, f"{what}, not {others}", f"import it with --format {kind.name}")
    if kind.name != OWN:
        raise BadInput(path, f"{what}, not {label_format(OWN).what}", "bring it in with 'fosbury import' first")


def _first(files: Iterator[tuple[str, str]], alone: bool = False) -> tuple[FileKind, str] | None:
    candidates, best = kinds(), None
    for name, head in files:
        suffix = PurePosixPath(name).suffix.lower()
        for rank, kind in enumerate(candidates):
            if suffix in kind.suffixes and kind.matches(name, head):
                candidates, best = candidates[:rank], (kind, "" if alone else name)
                break
    return best


def _of_folder(folder: Path) -> Iterator[tuple[str, str]]:
    entries = islice(_walk(folder), MOST_ENTRIES)
    for name in _telling(entry.relative_to(folder).as_posix() for entry in entries):
        yield name, head_of(folder / name)


def _walk(folder: Path, depth: int = 0) -> Iterator[Path]:
    inner = []
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith((".", "__")) or entry.is_symlink():
            continue
        if entry.is_file():
            yield entry
        elif entry.is_dir() and depth < DEEPEST:
            inner.append(entry)
    for entry in inner:
        yield from _walk(entry, depth + 1)


def _of_archive(archive: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    members = (member for member in archive.namelist()[:MOST_ENTRIES] if not member.startswith("__MACOSX/"))
    for name in _telling(members):
        with archive.open(name) as file:
            yield name, text_of(file.read(HEAD))


def _telling(names: Iterator[str]) -> list[str]:
    """Choose the most telling names: by suffix in the order of the table, and the least deep; a few of each suffix."""
    by_suffix: dict[str, list[str]] = {suffix: [] for kind in kinds() for suffix in kind.suffixes}
    for name in names:
        found = by_suffix.get(PurePosixPath(name).suffix.lower())
        if found is not None and len(found) < MOST_FILES // 4:
            found.append(name)
    return [name for found in by_suffix.values() for name in found][:MOST_FILES]
