"""DeepLabCut's labels: ``labeled-data/CLIP/CollectedData_SCORER.csv`` or ``.h5``, of one animal or several.

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
from typing import Any, Literal

import numpy as np

from fosbury.errors import BadInput, BadInputs
from fosbury.formats.coco import read_content
from fosbury.formats.coco.images import Locate
from fosbury.formats.content import Content, Joint
from fosbury.formats.hdf5 import array, item, opened, plain, texts
from fosbury.formats.layout import LabelFile, bases, path_ends
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
        tries = path_ends(name)
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


def _read(path: Path) -> _Table:
    return _read_hdf5(path) if check_file(path).suffix.lower() == ".h5" else _read_csv(path)


def _read_csv(path: Path) -> _Table:
    hint = "name the file CollectedData_SCORER.csv of DeepLabCut"
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


def _read_hdf5(path: Path) -> _Table:
    """Read what pandas wrote, in either of its layouts, ``fixed`` and ``table``."""
    hint = "name the CSV file that DeepLabCut writes beside it"
    with opened(path) as file:
        keys = [key for key in file if f"{key}/block0_values" in file or f"{key}/table" in file]
        if len(keys) != 1:
            raise BadInput(path, "is HDF5, but holds no single table of pandas", hint)
        read = _fixed if f"{keys[0]}/block0_values" in file else _appendable
        try:
            levels, columns, index, values = read(file, path, keys[0])
        except (ValueError, IndexError, TypeError, KeyError, AttributeError) as error:
            raise BadInput(path, f"is a table of pandas that cannot be read ({error})"[:200], hint) from None
    places = {name: at for at, name in enumerate(levels)}
    if not {"bodyparts", "coords"} <= places.keys() or values.shape != (len(index), len(columns)):
        raise BadInput(path, "has no columns 'bodyparts' and 'coords'", hint)
    coords = [column[places["coords"]] for column in columns]
    if "likelihood" in coords:
        raise BadInput(path, "holds what a model found (likelihood), not labels", "name the file CollectedData_SCORER")
    return _Table(
        {
            at: (column[places["individuals"]] if "individuals" in places else "", column[places["bodyparts"]], axis)
            for at, (column, axis) in enumerate(zip(columns, coords, strict=True))
            if axis in ("x", "y")
        },
        [
            (number, _name(list(name)), [repr(float(value)) for value in row])
            for number, (name, row) in enumerate(zip(index, values, strict=True), 1)
        ],
    )


_Frame = tuple[list[str], list[tuple[str, ...]], list[tuple[str, ...]], np.ndarray]
"""Names of the levels of the columns, columns, rows, and values, shape (rows, columns)."""


def _fixed(file: Any, path: Path, key: str) -> _Frame:
    levels, columns = _axis(file, path, f"{key}/axis0")
    _, index = _axis(file, path, f"{key}/axis1")
    values = np.full((len(index), len(columns)), np.nan)
    at = {column: place for place, column in enumerate(columns)}
    block = 0
    while item(file, path, f"{key}/block{block}_values") is not None:
        numbers = array(file, path, f"{key}/block{block}_values")
        _, items = _axis(file, path, f"{key}/block{block}_items")
        values[:, [at[column] for column in items]] = numbers.astype(float)
        block += 1
    return levels, columns, index, values


def _axis(file: Any, path: Path, name: str) -> tuple[list[str], list[tuple[str, ...]]]:
    """Names of the levels of an axis, and its entries: texts, or codes that point into the texts of each level."""
    if item(file, path, name) is not None:
        return [""], [(text,) for text in _texts_of(file, path, name)]
    named: list[str] = []
    parts: list[list[str]] = []
    while (level := item(file, path, f"{name}_level{len(parts)}")) is not None:
        said = _texts_of(file, path, f"{name}_level{len(parts)}")
        codes = array(file, path, f"{name}_label{len(parts)}").astype(int)
        parts.append([said[code] if code >= 0 else "" for code in codes.tolist()])
        named.append(_text_of(level.attrs.get("name")))
    return named, list(zip(*parts, strict=True))


def _texts_of(file: Any, path: Path, name: str) -> list[str]:
    if array(file, path, name).dtype.kind != "S":
        raise ValueError(f"{name.rpartition('/')[2]} holds no texts")
    return texts(array(file, path, name))


def _text_of(value: Any) -> str:
    """Text of an attribute, which PyTables writes as text, or as a pickle where it is one of numpy's."""
    return texts(value)[0] if isinstance(value, str | bytes) else str(value)


def _appendable(file: Any, path: Path, key: str) -> _Frame:
    rows = array(file, path, f"{key}/table")
    attributes = item(file, path, f"{key}/table").attrs, item(file, path, key).attrs
    ((_, stated),) = plain(bytes(attributes[1]["non_index_axes"]))
    columns = [tuple(str(part) for part in column) for column in stated]
    levels = list(HEADERS) if len(columns[0]) == len(HEADERS) else [each for each in HEADERS if each != "individuals"]
    blocks = sorted(name for name in rows.dtype.names or () if name.startswith("values_block_"))
    if len(blocks) != 1 or rows["index"].dtype.kind != "S":
        raise ValueError("more than numbers by names of pictures")
    return levels, columns, [(text,) for text in texts(rows["index"])], rows[blocks[0]].astype(float)


def _name(cells: list[str]) -> str:
    """Path of a row's picture, without the backslashes that DeepLabCut writes on Windows."""
    return "/".join(cell.strip() for cell in cells if cell.strip()).replace("\\", "/")


def _names(path: Path) -> list[str]:
    return [each for _, name, _ in _read(path).rows for each in path_ends(name)]


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
