"""Form labels and descriptions of pictures as a table: ``frame_path,label,description``, and ``keep`` if there is one.

`fosbury review` writes such a table, `fosbury import --label-table` reads it.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from fosbury.errors import BadInput, BadInputs
from fosbury.media.files import check_file
from fosbury.pose import Dataset, Frame

COLUMNS = ("frame_path", "label", "description")
KEEP = "keep"
KEPT, DROPPED = "yes", "no"
"""Values of the column `KEEP`; an empty cell says nothing."""


@dataclass(frozen=True)
class FrameLabel:
    """What a row says of a picture; ``keep`` is False where it is to be left out."""

    label: str | None
    description: str | None
    keep: bool = True


def read_label_table(path: str | Path) -> dict[str, FrameLabel]:
    """Read a table of labels.

    Parameters
    ----------
    path : str or Path
        UTF-8 CSV with the columns ``frame_path`` and ``label``, and ``description`` and ``keep`` (``yes`` or ``no``) if
        there are some; others are passed over. An empty cell says nothing.

    Returns
    -------
    dict of str to FrameLabel
        By path, as it is written.

    Raises
    ------
    BadInput, BadInputs
        If it is no such table, or a row names no picture or one that an earlier row labels in another way, or says
        neither yes nor no of keeping it.
    """
    path = check_file(path)
    hint = f"write a CSV file with the columns {','.join(COLUMNS)}"
    labels: dict[str, FrameLabel] = {}
    problems: list[str] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file)
            if not {"frame_path", "label"} <= set(table.fieldnames or ()):
                raise BadInput(path, "has no columns frame_path and label", hint)
            for row in table:
                name = (row["frame_path"] or "").strip()
                label, description = ((row.get(column) or "").strip() or None for column in COLUMNS[1:])
                keep = (row.get(KEEP) or "").strip().lower()
                given = FrameLabel(label, description, keep != DROPPED)
                if keep not in ("", KEPT, DROPPED):
                    problems.append(f"line {table.line_num} says '{keep}' under {KEEP}, which is neither yes nor no")
                if not name:
                    problems.append(f"line {table.line_num} names no picture")
                elif labels.setdefault(name, given) != given:
                    problems.append(f"line {table.line_num} labels {name} in another way than a line before it")
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInput(path, f"is not a CSV file in UTF-8 ({error})", hint) from None
    if problems:
        raise BadInputs(path, problems, "correct these lines")
    return labels


def with_labels(dataset: Dataset, labels: Mapping[str, FrameLabel], where: Path) -> Dataset:
    """Give frames the labels and descriptions of a table, which count before those of the files of labels.

    Frames that the table does not keep are left out.

    Parameters
    ----------
    dataset : Dataset
    labels : mapping of str to FrameLabel
        By a path that ends with a frame's ``file_name``, or by the end of one that is unique.
    where : Path
        The table.

    Raises
    ------
    BadInput, BadInputs
        If the name of a row fits several frames, or no frame is kept.

    Returns
    -------
    Dataset
        With notes that list the rows that fit no frame, and the frames that are left out.
    """
    fits: dict[str, list[int]] = defaultdict(list)
    for index, frame in enumerate(dataset.frames):
        parts = PurePosixPath(frame.file_name).parts
        for start in range(len(parts)):
            fits["/".join(parts[start:])].append(index)
    whole = {frame.file_name: index for index, frame in enumerate(dataset.frames)}
    chosen: dict[int, FrameLabel] = {}
    problems, absent = [], []
    for name, given in labels.items():
        places = _places(name, fits, whole)
        if len(places) > 1:
            problems.append(f"{name} may be any of {', '.join(dataset.frames[at].file_name for at in places[:3])}")
        elif places:
            chosen[places[0]] = given
        else:
            absent.append(name)
    if problems:
        raise BadInputs(where, problems, "name them with their folders")
    frames: list[Frame] = []
    dropped: list[str] = []
    for index, frame in enumerate(dataset.frames):
        given = chosen.get(index, FrameLabel(None, None))
        if not given.keep:
            dropped.append(frame.file_name)
            continue
        label, description = given.label or frame.label, given.description or frame.description
        frames.append(replace(frame, label=label, description=description))
    if dropped and not frames:
        raise BadInput(where, "keeps none of the pictures", f"write yes under {KEEP} for some")
    notes = [f"rows of {where.name} that fit no picture ({len(absent)}): {', '.join(absent)}"] if absent else []
    if dropped:
        notes.append(f"pictures that {where.name} does not keep, left out ({len(dropped)}): {', '.join(dropped)}")
    return replace(dataset, frames=tuple(frames), notes=(*dataset.notes, *notes))


def _places(name: str, ends: Mapping[str, list[int]], whole: Mapping[str, int]) -> list[int]:
    parts = PurePosixPath(name).parts
    for start in range(len(parts)):
        at = whole.get("/".join(parts[start:]))
        if at is not None:
            return [at]
    return ends.get("/".join(parts), [])
