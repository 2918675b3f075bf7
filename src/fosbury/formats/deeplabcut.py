"""DeepLabCut's labels: ``labeled-data/CLIP/CollectedData_SCORER.csv``, of one animal or several.

Every picture of a folder ``CLIP`` comes from one clip, so its name is the group of the frame. The size of a picture is
that of its file.
"""

from __future__ import annotations

import csv
import math
import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Literal

from fosbury.errors import BadInput, BadInputs
from fosbury.formats.coco import read_content
from fosbury.formats.coco.images import Locate
from fosbury.formats.content import Content, Joint
from fosbury.formats.layout import LabelFile, bases
from fosbury.formats.registry import LabelFormat
from fosbury.media.files import check_file
from fosbury.pose import VISIBLE, Dataset, Frame
from fosbury.skeleton import Skeleton

LABELLED = "labeled-data"
PREFIX = "CollectedData"
HEADERS = ("scorer", "individuals", "bodyparts", "coords")
"""First cells of the rows above the labels; ``individuals`` is there only for several animals."""
MOST_INDEX_COLUMNS = 3
"""Before the first coordinate: one path, or its folder, clip and file."""


@dataclass(frozen=True)
class _Table:
    """Columns (individual, joint, x or y) by their place, and the rows of a file, with the numbers of their lines."""

    columns: dict[int, tuple[str, str, str]]
    rows: list[tuple[int, str, list[str]]]


def read_deeplabcut(
    path: Path,
    skeleton: Skeleton | None = None,
    images: Locate | None = None,
    on_problem: Literal["raise", "drop"] = "raise",
) -> Dataset:
    """Read a file ``CollectedData_SCORER.csv``.

    Parameters
    ----------
    path : Path
    skeleton, images, on_problem
        As `formats.registry.Reader` has them; the sizes of the pictures are needed.

    Raises
    ------
    BadInput, BadInputs
        If it is no such table, holds what a model found, or has a problem that ``read_content`` finds.
    """
    table = _read(path)
    joints = list(dict.fromkeys(joint for _, joint, _ in table.columns.values()))
    content = Content(joints={"person": joints})
    problems: list[str] = []
    for line, name, cells in table.rows:
        people: dict[str, dict[tuple[str, str], float]] = {}
        for at, (individual, joint, axis) in table.columns.items():
            text = cells[at].strip() if at < len(cells) else ""
            try:
                value = float(text or "nan")
            except ValueError:
                problems.append(f"line {line}: {joint} has {axis} {text!r}, which is no number")
                continue
            if math.isfinite(value):
                people.setdefault(individual, {})[joint, axis] = value
        tries = picture_names(name)
        there = ((each, images(Frame(each, 0, 0))) for each in tries) if images is not None else ()
        picture = next((each for each, place in there if place and place.is_file()), tries[0])
        clip = PurePosixPath(tries[0]).parent.name or path.parent.name
        number = content.add_image(picture, None, group=clip or None)
        for found in people.values():
            placed: dict[str, Joint] = {
                joint: (found[joint, "x"], found[joint, "y"], VISIBLE)
                for joint in joints
                if (joint, "x") in found and (joint, "y") in found
            }
            if placed:
                content.add_person(number, placed)
    if problems and on_problem == "raise":
        raise BadInputs(path, problems, "correct these lines")
    return read_content(content.lists(), path, skeleton, images, on_problem=on_problem)


def picture_names(name: str) -> list[str]:
    """Names that a picture may have below a folder, the fullest first.

    Examples
    --------
    >>> picture_names("labeled-data/jump 1/img007.png")
    ['labeled-data/jump 1/img007.png', 'jump 1/img007.png', 'img007.png']
    """
    parts = PurePosixPath(name).parts
    return ["/".join(parts[at:]) for at in range(len(parts))] or [name]


def _read(path: Path) -> _Table:
    hint = "name the file CollectedData_SCORER.csv of DeepLabCut"
    if check_file(path).suffix.lower() == ".h5":
        raise BadInput(path, "is HDF5", "name the CSV file that DeepLabCut writes beside it")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [(number, row) for number, row in enumerate(csv.reader(file), 1) if any(row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInput(path, f"is not a CSV file in UTF-8 ({error})", hint) from None
    heads = {row[0]: row for _, row in islice(rows, len(HEADERS)) if row[0] in HEADERS}
    if not {"bodyparts", "coords"} <= heads.keys():
        raise BadInput(path, "has no rows 'bodyparts' and 'coords'", hint)
    coords, bodyparts = heads["coords"], heads["bodyparts"]
    if "likelihood" in coords:
        raise BadInput(path, "holds what a model found (likelihood), not labels", hint)
    first = next((at for at, cell in enumerate(coords[1:], 1) if cell), len(coords))
    if not 1 <= first <= MOST_INDEX_COLUMNS or len(bodyparts) != len(coords):
        raise BadInput(path, "has a head whose rows do not fit together", hint)
    individuals = heads.get("individuals", [])
    columns = {
        at: (individuals[at] if at < len(individuals) else "", bodyparts[at], axis)
        for at, axis in enumerate(coords)
        if at >= first and axis in ("x", "y")
    }
    return _Table(
        columns,
        [(number, _name(row[:first]), row) for number, row in rows[len(heads) :]],
    )


def _name(cells: list[str]) -> str:
    """Path of a row's picture, without the backslashes that DeepLabCut writes on Windows."""
    return "/".join(cell.strip() for cell in cells if cell.strip()).replace("\\", "/")


def _names(path: Path) -> list[str]:
    return [each for _, name, _ in _read(path).rows for each in picture_names(name)]


def find_deeplabcut(path: Path) -> list[LabelFile]:
    """Return the labels of a clip's folder, or of every clip of a project; HDF5 only where the CSV file is missing."""
    if path.is_file():
        return [_label_file(path, alone=True)]
    for base in bases(path):
        for pattern in (f"{PREFIX}*", f"*/{PREFIX}*", f"{LABELLED}/*/{PREFIX}*"):
            files = [file for file in sorted(base.glob(pattern)) if file.suffix.lower() in FORMAT.suffixes]
            tables = [file for file in files if file.suffix.lower() == ".csv"]
            tables += [file for file in files if file not in tables and file.with_suffix(".csv") not in tables]
            if tables:
                return [_label_file(file, alone=len(tables) == 1) for file in tables]
    return []


def _label_file(path: Path, *, alone: bool) -> LabelFile:
    around = path.absolute().parents
    folders = tuple(around[:3])
    return LabelFile(path, folders, path.parent, "" if alone else around[0].name)


def _is_deeplabcut(name: str, head: str) -> bool:
    return PurePosixPath(name).name.startswith(PREFIX) or bool(
        re.match(r"scorer,.*\r?\n(?:individuals,.*\r?\n)?bodyparts,", head)
    )


FORMAT = LabelFormat(
    name="deeplabcut",
    what="DeepLabCut's labels (CollectedData)",
    suffixes=(".csv", ".h5"),
    matches=_is_deeplabcut,
    read=read_deeplabcut,
    find=find_deeplabcut,
    names=_names,
)
