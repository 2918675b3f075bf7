"""Go through pictures one by one: keep or drop each, give it a form label, a description and a note.

What a person decides is a table that `fosbury import --label-table` reads, written whole at every change.
"""

from __future__ import annotations

import csv
import threading
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fosbury.errors import BadInput
from fosbury.files import write_csv
from fosbury.formats.coco import read_coco, skeleton_of
from fosbury.formats.label_table import COLUMNS, DROPPED, KEEP, KEPT, read_label_table
from fosbury.formats.layout import LabelFile, find_label_files
from fosbury.formats.recognise import refuse_other_tools
from fosbury.formats.registry import LabelFormat, all_formats
from fosbury.labelling.bones import with_bones
from fosbury.labelling.pictures import Picture, gather
from fosbury.media.files import check_file
from fosbury.pose import Dataset, Frame
from fosbury.skeleton import Skeleton

NOTE = "note"
HEAD = (*COLUMNS, KEEP, NOTE)
"""Columns that are written, before those that the table had besides."""
MOST_LETTERS = {"label": 100, "description": 4000, NOTE: 4000}
"""Of a field; a page of text has about 3,000."""


@dataclass(frozen=True)
class Decision:
    """What a person decided on a picture; ``keep`` is None as long as it is open."""

    keep: bool | None = None
    label: str = ""
    description: str = ""
    note: str = ""


@dataclass(frozen=True, eq=False)
class Reviewed:
    """Pictures to go through.

    Attributes
    ----------
    pictures : tuple of Picture
        Each under the name that the table calls it.
    skeleton : Skeleton or None
        Of the labels; None where there are none.
    notes : tuple of str
        What the reader of the labels dropped or found odd.
    folder : Path or None
        That the names of labelled pictures are relative to.
    """

    pictures: tuple[Picture, ...]
    skeleton: Skeleton | None
    notes: tuple[str, ...] = ()
    folder: Path | None = None


def find_pictures(source: str | Path, images: str | Path | None = None) -> Reviewed:
    """Find the pictures to go through, with the joints that are labelled in them.

    Parameters
    ----------
    source : str or Path
        A file of labels of any format that can be imported, a folder that holds one, or a folder of pictures.
    images : str or Path, optional
        Folder that the names in the labels are relative to; looked for beside the labels without it.

    Raises
    ------
    BadInput, BadInputs
        If there is no picture, or the labels cannot be read.
    """
    source = Path(source)
    if not source.is_dir():
        check_file(source)
    if images is not None and not Path(images).is_dir():
        raise BadInput(images, "is not a folder", "name the folder of the pictures with --images")
    for kind in all_formats():
        files = [file for file in find_label_files(kind, source) if kind.sniff(file.path)]
        if len(files) > 1:
            names = ", ".join(str(file.path.relative_to(source)) for file in files[:3])
            raise BadInput(source, f"holds {len(files)} files of labels ({names})", "name one of them")
        if files:
            return _of_labels(kind, files[0], images)
    if source.is_file():
        refuse_other_tools(source, all_formats())
        raise BadInput(source, "holds no labels that can be read", "give a folder of pictures, or a file of labels")
    found = gather([source], skeleton_of("nobody", ["nose"]))
    name = source.resolve().name  # so that two folders with the same names never share a row
    return _named([Picture(each.path, replace(each.frame, file_name=_below(name, each))) for each in found], None)


def _below(folder: str, picture: Picture) -> str:
    return f"{folder}/{picture.frame.file_name}" if folder else picture.frame.file_name


def _of_labels(kind: LabelFormat, file: LabelFile, images: str | Path | None) -> Reviewed:
    folders = file.folders if images is None else (Path(images) / file.prefix, Path(images))
    names = _names(kind, file)
    folder = max(folders, key=lambda each: (sum((each / name).is_file() for name in names), each.is_dir()))

    def locate(frame: Frame) -> Path:
        return folder / frame.file_name

    if not any((folder / name).is_file() for name in names):
        problem = f"none of its {len(names)} pictures is in {folder}"
        raise BadInput(file.path, problem, "name their folder with --images; frames of clips: fosbury frames CLIP...")
    if kind.name == "coco":
        dataset = read_coco(file.path, None, locate, "drop", keep_empty=True)
    else:
        dataset = kind.read(file.path, None, locate, "drop")
    pictures = [Picture(locate(frame), frame) for frame in dataset.frames]
    return replace(_named(pictures, dataset), folder=folder)


def _names(kind: LabelFormat, file: LabelFile) -> Sequence[str]:
    if kind.names is not None:
        return kind.names(file.path)
    if kind.name == "coco":
        return [frame.file_name for frame in read_coco(file.path, None, None, "drop", keep_empty=True).frames]
    return [frame.file_name for frame in kind.read(file.path, None, None, "drop").frames]


def _named(pictures: Sequence[Picture], dataset: Dataset | None) -> Reviewed:
    for picture in pictures:
        try:
            picture.frame.file_name.encode("utf-8")
        except UnicodeEncodeError:
            raise BadInput(picture.path, "has a name that is not text", "rename it") from None
    notes = () if dataset is None else dataset.notes
    return Reviewed(tuple(pictures), None if dataset is None else with_bones(dataset.skeleton), notes)


def clean(text: object, field: str) -> str:
    """Return what a person typed into a field as it is written: without control characters and spaces around it.

    Parameters
    ----------
    text : object
        Whatever came.
    field : str
        A key of `MOST_LETTERS`; a label is one line.

    Raises
    ------
    BadInput
        If it is no text, or too long.
    """
    if not isinstance(text, str):
        raise BadInput(field, "is not text", "write text")
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    if field == "label":
        lines = " ".join(lines.split())
    plain = "".join(letter for letter in lines if letter == "\n" or unicodedata.category(letter) not in ("Cc", "Cs"))
    plain = unicodedata.normalize("NFC", plain).strip()
    if len(plain) > MOST_LETTERS[field]:
        raise BadInput(field, f"has {len(plain)} letters", f"write at most {MOST_LETTERS[field]}")
    return plain


class Review:
    """Decisions on pictures, and the table that they are in.

    Parameters
    ----------
    reviewed : Reviewed
    table : str or Path
        A CSV file; where it exists, its decisions are gone on from, and what it holds besides is kept.

    Raises
    ------
    BadInput, BadInputs
        If the table is no such table.
    """

    def __init__(self, reviewed: Reviewed, table: str | Path):
        self.pictures, self.skeleton = reviewed.pictures, reviewed.skeleton
        self.table = Path(table)
        self.decisions = [_stated(picture.frame) for picture in self.pictures]
        self.more: tuple[str, ...] = ()
        self.strangers: list[dict[str, str]] = []
        self._extra: list[dict[str, str]] = [{} for _ in self.pictures]
        self._lock = threading.RLock()
        self._seen = _mark(self.table)
        if self._seen is not None:
            self._read()

    def _read(self) -> None:
        read_label_table(self.table)
        at = {picture.frame.file_name: index for index, picture in enumerate(self.pictures)}
        with self.table.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file, restkey="", restval="")
            self.more = tuple(name for name in rows.fieldnames or () if name not in HEAD)
            for row in rows:
                row.pop("", None)
                index = at.get(row["frame_path"], at.get(row["frame_path"].strip()))
                if index is None:
                    self.strangers.append(row)
                    continue
                keep = {KEPT: True, DROPPED: False}.get((row.get(KEEP) or "").strip().lower())
                try:
                    texts = {field: clean(row.get(field) or "", field) for field in MOST_LETTERS}
                except BadInput as error:
                    problem = f"line {rows.line_num}: {error.where} {error.problem}"
                    raise BadInput(self.table, problem, error.hint) from None
                stated = self.decisions[index]
                if keep is not False:  # a row that says nothing leaves what the labels say
                    texts["label"] = texts["label"] or stated.label
                    texts["description"] = texts["description"] or stated.description
                self.decisions[index] = Decision(keep, **texts)
                self._extra[index] = {name: row[name] for name in self.more}

    def decide(self, index: int, decision: Decision) -> None:
        """Put a decision into the table.

        Raises
        ------
        BadInput
            If another program changed the table since, which is then left as it is.
        """
        with self._lock:
            decisions = list(self.decisions)
            decisions[index] = decision
            self._save(decisions)

    def rename(self, old: str, new: str) -> int:
        """Give every picture of the label ``old`` the label ``new``; returns how many these are."""
        with self._lock:
            decisions = [replace(each, label=new) if each.label == old else each for each in self.decisions]
            count = sum(each.label == old for each in self.decisions)
            if count:
                self._save(decisions)
            return count

    def _save(self, decisions: list[Decision]) -> None:
        if _mark(self.table) != self._seen:
            problem = "was changed by another program or another review"
            raise BadInput(self.table, problem, "end this review and start it again: it goes on from the table")
        head = (*HEAD, *self.more)
        rows: list[Sequence[object]] = [head]
        for picture, decision, extra in zip(self.pictures, decisions, self._extra, strict=True):
            said = (decision.label, decision.description, _word(decision.keep), decision.note)
            others = tuple(extra.get(name, "") for name in self.more)
            if decision.keep is False:
                said = ("", *said[1:])
            if any(said) or any(others):
                rows.append((picture.frame.file_name, *said, *others))
        rows += [tuple(row.get(name, "") for name in head) for row in self.strangers]
        write_csv(self.table, rows)
        self._seen = _mark(self.table)
        self.decisions = decisions

    def counts(self) -> tuple[int, int, int]:
        """How many pictures are kept, dropped, and open."""
        found = Counter(decision.keep for decision in self.decisions)
        return found[True], found[False], found[None]

    def to_json(self) -> dict[str, Any]:
        """Return what the page needs: pictures, joints and decisions."""
        skeleton = self.skeleton
        return {
            "table": str(self.table),
            "joints": list(skeleton.joints) if skeleton else [],
            "bones": [list(bone) for bone in skeleton.bones] if skeleton else [],
            "pairs": [list(pair) for pair in skeleton.pairs] if skeleton else [],
            "limits": MOST_LETTERS,
            "frames": [_frame(picture.frame) for picture in self.pictures],
            "decisions": [vars(decision) for decision in self.decisions],
        }


def _stated(frame: Frame) -> Decision:
    """Return what the labels say of a frame already."""
    return Decision(label=frame.label or "", description=frame.description or "")


def _word(keep: bool | None) -> str:
    return "" if keep is None else KEPT if keep else DROPPED


def _mark(path: Path) -> tuple[int, int, int] | None:
    """Return what changes whenever a file is written; None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _frame(frame: Frame) -> dict[str, Any]:
    people = [
        [
            [round(float(x), 1), round(float(y), 1), int(seen)] if seen else None
            for (x, y), seen in zip(person.keypoints, person.visibility, strict=True)
        ]
        for person in frame.people
        if person.labelled.any()
    ]
    clip = None if frame.video is None else f"{frame.video}, frame {frame.frame}"
    size = {"width": frame.width, "height": frame.height}
    return {"name": frame.file_name, **size, "clip": clip, "phase": frame.phase, "people": people}
