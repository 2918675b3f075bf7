"""COCO keypoints as a format of labels: how it is known, and where tools put its files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from fosbury.documents import parse_json
from fosbury.formats.coco.images import Locate
from fosbury.formats.coco.reading import read_coco, read_content
from fosbury.formats.coco.writing import write_coco
from fosbury.formats.layout import LABELS, LabelFile, bases, label_file
from fosbury.formats.registry import LabelFormat
from fosbury.formats.sets import ANNOTATIONS
from fosbury.media.extract import MANIFEST
from fosbury.media.files import check_file
from fosbury.pose import Dataset
from fosbury.skeleton import Skeleton

CVAT, ROBOFLOW = "person_keypoints_", "_annotations.coco.json"
ROBOFLOW_FOLDERS = ("", "train", "valid", "test")
_LIST = re.compile(r'"(?:images|annotations|categories)"\s*:\s*\[')
_LISTS = ("images", "annotations", "categories")
_NO_BOX = re.compile(rb'"bbox"\s*:\s*\[\s*0(?:\.0*)?\s*(?:,\s*0(?:\.0*)?\s*){3}\]')
_OTHERS = re.compile(r'"(?:dm_format_version|shapes)"')
"""Datumaro's and LabelMe's."""


def is_coco(name: str, head: str) -> bool:
    """Whether a JSON file is an object with one of COCO's lists, by its first bytes."""
    return head.lstrip().startswith("{") and bool(_LIST.search(head)) and not _OTHERS.search(head)


def read_export(
    path: Path,
    skeleton: Skeleton | None = None,
    images: Locate | None = None,
    on_problem: Literal["raise", "drop"] = "raise",
) -> Dataset:
    """Read a COCO file of whatever tool.

    COCO Annotator gives joints without an outline the box ``[0, 0, 0, 0]``, which is none (its `AnnotationModel`).

    Parameters
    ----------
    path : Path
    skeleton, images, on_problem
        As `formats.registry.Reader` has them.

    Raises
    ------
    BadInput, BadInputs
        As ``read_coco``.
    """
    data = check_file(path).read_bytes()
    content = parse_json(data, path, "export it again") if _NO_BOX.search(data) else None
    if not isinstance(content, dict) or not all(isinstance(content.get(key), list) for key in _LISTS):
        return read_coco(path, skeleton, images, on_problem)
    for record in content["annotations"]:
        if isinstance(record, dict) and record.get("bbox") == [0, 0, 0, 0]:
            del record["bbox"]
    return read_content(content, path, skeleton, images, on_problem=on_problem)


def find_coco(path: Path) -> list[LabelFile]:
    """Files of labels of a folder, in the layouts of this project, CVAT, and Roboflow; else whatever JSON it holds."""
    if path.is_file():
        return _files([path])
    for base in bases(path):
        if (base / ANNOTATIONS).is_file():
            return _files([base / ANNOTATIONS])
        labels = base / LABELS
        roboflow = [file for sub in ROBOFLOW_FOLDERS if (file := base / sub / ROBOFLOW).is_file()]
        loose = [file for file in base.glob("*.json") if not file.name.startswith(".") and file.name != MANIFEST]
        for files in (labels.glob(f"{CVAT}*.json"), labels.glob("*.json"), roboflow, loose):
            if found := _files(sorted(files)):
                return found
    return []


def _files(files: list[Path]) -> list[LabelFile]:
    alone = len(files) == 1
    return [label_file(file, _subset(file), alone=alone, shuffled=file.name == ROBOFLOW) for file in files]


def _subset(file: Path) -> str:
    return file.parent.name if file.name == ROBOFLOW else file.stem.removeprefix(CVAT)


def _write(dataset: Dataset, folder: Path) -> None:
    write_coco(dataset, folder / ANNOTATIONS)


FORMAT = LabelFormat(
    name="coco",
    what="COCO keypoints",
    suffixes=(".json",),
    matches=is_coco,
    read=read_export,
    find=find_coco,
    write=_write,
)
