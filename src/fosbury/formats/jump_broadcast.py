"""The labels of the set jump-broadcast (University of Augsburg): ``keypoints/*.csv`` with 20 joints.

An event is a video. The pictures are ``annotated_frames/EVENT/EVENT_(FRAME).jpg``, the frame in five digits; their
sizes are those of the files.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Literal

from fosbury.errors import BadInput, BadInputs
from fosbury.formats.coco import read_content
from fosbury.formats.coco.findings import number_of
from fosbury.formats.coco.images import Locate
from fosbury.formats.content import Content, Joint
from fosbury.formats.layout import LabelFile, bases
from fosbury.formats.registry import LabelFormat
from fosbury.media.files import check_file
from fosbury.pose import VISIBLE, Dataset, Frame
from fosbury.skeleton import Skeleton

KEYPOINTS, FRAMES = "keypoints", "annotated_frames"
ARM = {"sho": "shoulder", "elb": "elbow", "wri": "wrist", "han": "hand"}
LEG = {"hip": "hip", "kne": "knee", "ank": "ankle", "hee": "heel", "toe": "foot"}
"""Joints by the last three letters of a column; the tip of a foot is called as in conf/skeleton."""
JOINTS = {
    "head": "head",
    "neck": "neck",
    **{
        f"{side[0]}{short}": f"{side}_{name}"
        for limb in (ARM, LEG)
        for side in ("right", "left")
        for short, name in limb.items()
    },
}
_HINT = "name a file of the folder 'keypoints' of the set"


def read_jump_broadcast(
    path: Path,
    skeleton: Skeleton | None = None,
    images: Locate | None = None,
    on_problem: Literal["raise", "drop"] = "raise",
) -> Dataset:
    """Read ``train.csv`` or ``val.csv``; a joint whose ``_s`` is not above 0 is not labelled.

    Parameters
    ----------
    path : Path
    skeleton, images, on_problem
        As `formats.registry.Reader` has them; the sizes of the pictures are needed.

    Raises
    ------
    BadInput, BadInputs
        If it is no such table, or has a problem that ``read_content`` finds.
    """
    content = Content(joints={"person": list(JOINTS.values())})
    numbers: dict[tuple[str, int], int] = {}
    problems: list[str] = []
    for row in _rows(path):
        event, frame = row["event"], row["frame_num"]
        if not event or not (frame or "").isdecimal():
            problems.append(f"a row names event {event!r} and frame {frame!r}")
            continue
        key = (event, int(frame))
        if key not in numbers:
            tries = picture_names(*key)
            there = ((each, images(Frame(each, 0, 0))) for each in tries) if images is not None else ()
            name = next((each for each, place in there if place and place.is_file()), tries[0])
            numbers[key] = content.add_image(name, None, video=event, frame=key[1])
        joints: dict[str, Joint] = {}
        for short, joint in JOINTS.items():
            x, y, seen = (_number(row.get(f"{short}_{part}")) for part in "xys")
            if seen is not None and seen > 0 and x is not None and y is not None:
                joints[joint] = (x, y, VISIBLE)
        if joints:
            content.add_person(numbers[key], joints)
    if problems and on_problem == "raise":
        raise BadInputs(path, problems, "correct these lines")
    return read_content(content.lists(), path, skeleton, images, on_problem=on_problem)


def picture_names(event: str, frame: int) -> list[str]:
    """Names that a picture may have below a folder.

    Examples
    --------
    >>> picture_names("final_1", 12)
    ['annotated_frames/final_1/final_1_(00012).jpg', 'final_1/final_1_(00012).jpg']
    """
    name = f"{event}/{event}_({frame:05d}).jpg"
    return [f"{FRAMES}/{name}", name]


def _number(text: str | None) -> float | None:
    try:
        return number_of(float(text or ""))
    except ValueError:
        return None


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with check_file(path).open(newline="", encoding="utf-8-sig") as file:
            lines = [line for line in file if line.strip() and not line.startswith("#")]
        table = csv.DictReader(lines, delimiter=";")
        rows = list(table)
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInput(path, f"is not a CSV file in UTF-8 ({error})", _HINT) from None
    wanted = ["event", "frame_num", *(f"{short}_{part}" for short in JOINTS for part in "xys")]
    lacking = [name for name in wanted if name not in (table.fieldnames or ())]
    if lacking:
        raise BadInput(path, f"has no column {lacking[0]} ({len(lacking)} are missing)", _HINT)
    return rows


def _names(path: Path) -> list[str]:
    rows = [row for row in _rows(path) if (row["frame_num"] or "").isdecimal()]
    return [name for row in rows for name in picture_names(row["event"], int(row["frame_num"]))]


def find_jump_broadcast(path: Path) -> list[LabelFile]:
    """Return ``keypoints/*.csv`` of the set's folder, or of ``keypoints`` itself."""
    if path.is_file():
        return [_label_file(path, alone=True)]
    for base in bases(path):
        for folder in (base / KEYPOINTS, base):
            files = [file for file in sorted(folder.glob("*.csv")) if FORMAT.sniff(file)]
            if files:
                return [_label_file(file, alone=len(files) == 1) for file in files]
    return []


def _label_file(path: Path, *, alone: bool) -> LabelFile:
    folder = path.absolute().parent
    base = folder.parent if folder.name == KEYPOINTS else folder
    return LabelFile(path, (base, folder), base / "videos", "" if alone else path.stem)


def _is_jump_broadcast(name: str, head: str) -> bool:
    return re.match(r"(?:#.*\r?\n|\s*\r?\n)*event;frame_num;", head) is not None and "rsho_x" in head


FORMAT = LabelFormat(
    name="jump_broadcast",
    what="labels of the set jump-broadcast",
    suffixes=(".csv",),
    matches=_is_jump_broadcast,
    read=read_jump_broadcast,
    find=find_jump_broadcast,
    names=_names,
)
