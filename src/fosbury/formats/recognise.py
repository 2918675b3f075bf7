"""Whose labels a file, a folder or an archive holds, by its first bytes, and which export of that tool can be read.

One table, `KINDS`: what can be read comes first, then the more telling marks. Nothing is parsed, unpacked or followed:
of each file at most ``HEAD`` bytes are looked at, of a folder or archive at most ``MOST_FILES`` files.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath

from fosbury.errors import BadInput

HEAD = 2**18
"""Bytes of a file that are looked at; CVAT writes its labels' attributes before the first picture."""
MOST_FILES = 40
MOST_ENTRIES = 20_000
DEEPEST = 4
"""Folders below the one that was named."""

_CVAT = "in CVAT, export the task as 'COCO Keypoints 1.0'; it holds skeletons and leaves out single points"
_SLEAP_IO = "convert it with sleap-io: save_coco(load_file('{}'), 'annotations.json')"
_NO_EXPORT = "it exports no COCO keypoints: label the pictures with a skeleton in CVAT, or convert the file yourself"


@dataclass(frozen=True)
class Kind:
    """Labels of one tool.

    Attributes
    ----------
    name : str
        Short, for a table of readers.
    what : str
        What it is, to say after "is" or "holds".
    suffixes : tuple of str
        Of the files that are looked at.
    looks : callable
        From a file's name and the text of its first bytes to whether it is of this kind.
    hint : str
        Which export can be read; empty where this one can.
    """

    name: str
    what: str
    suffixes: tuple[str, ...]
    looks: Callable[[str, str], bool]
    hint: str = ""


def _has(*marks: str) -> Callable[[str, str], bool]:
    """Every one of these regular expressions is found."""
    patterns = [re.compile(mark) for mark in marks]
    return lambda name, head: all(pattern.search(head) for pattern in patterns)


def _cvat(shapes: str, mode: str) -> Callable[[str, str], bool]:
    """CVAT's XML that holds ``shapes``, or says ``mode`` if it holds neither pictures nor tracks."""

    def looks(name: str, head: str) -> bool:
        if not re.search(r"<annotations>\s*<version>1\.", head):
            return False
        first = re.search(r"<(image|track)\s", head)
        return first[1] == shapes if first else f"<mode>{mode}</mode>" in head

    return looks


KINDS = (
    Kind(
        "coco",
        "COCO",
        (".json",),
        _has(r"^\s*\{", r'"(?:images|annotations|categories)"\s*:\s*\[', r'^(?![\s\S]*"(?:dm_format_version|shapes)")'),
    ),
    Kind(
        "cvat_video", "CVAT's XML of a video ('CVAT for video 1.1')", (".xml",), _cvat("track", "interpolation"), _CVAT
    ),
    Kind("cvat_images", "CVAT's XML of images ('CVAT for images 1.1')", (".xml",), _cvat("image", "annotation"), _CVAT),
    Kind(
        "roboflow_yolo_pose",
        "Roboflow's YOLO pose labels (data.yaml)",
        (".yaml", ".yml"),
        _has(r"(?m)^kpt_shape\s*:", r"(?m)^roboflow\s*:"),
        "in Roboflow, download the version in the format 'COCO Keypoint'",
    ),
    Kind(
        "yolo_pose",
        "YOLO pose labels of Ultralytics or CVAT (data.yaml)",
        (".yaml", ".yml"),
        _has(r"(?m)^kpt_shape\s*:"),
        f"{_CVAT}; CVAT also takes these files ('Ultralytics YOLO Pose 1.0')",
    ),
    Kind(
        "yolo_boxes",
        "YOLO labels of boxes without joints (data.yaml)",
        (".yaml", ".yml"),
        _has(r"(?m)^names\s*:", r"(?m)^(?:train|val|nc)\s*:"),
        "label the joints with a skeleton and export as 'COCO Keypoints'",
    ),
    Kind(
        "darknet",
        "YOLO 1.1 (Darknet) labels, boxes without joints",
        (".data", ".names"),
        lambda name, head: PurePosixPath(name).name in ("obj.data", "obj.names"),
        _CVAT,
    ),
    Kind(
        "label_studio",
        "Label Studio's JSON",
        (".json",),
        _has(r"^\s*\[", r'"(?:keypointlabels|completed_by|from_name|to_name|annotator)"\s*:'),
        "export as 'COCO': it holds keypoints since mid 2025, if every label of KeyPointLabels has a model_index",
    ),
    Kind(
        "via", "VIA's JSON (VGG Image Annotator)", (".json",), _has(r'"(?:_via_\w+|shape_attributes)"\s*:'), _NO_EXPORT
    ),
    Kind("labelme", "LabelMe's JSON", (".json",), _has(r'"shapes"\s*:\s*\['), _NO_EXPORT),
    Kind(
        "datumaro",
        "Datumaro's JSON",
        (".json",),
        _has(r'"dm_format_version"|"categories"\s*:\s*\{\s*"(?:label|points)"'),
        "convert it with Datumaro to the format 'coco_person_keypoints'",
    ),
    Kind(
        "openpose",
        "what OpenPose found (JSON), not labels",
        (".json",),
        _has(r'"pose_keypoints_2d"\s*:'),
        "correct poses in a labelling tool and export as 'COCO Keypoints'",
    ),
    Kind(
        "coco_results",
        "results of a model in COCO's form (a list), not labels",
        (".json",),
        _has(r"^\s*\[", r'"image_id"\s*:', r'"score"\s*:'),
        "correct poses in a labelling tool and export as 'COCO Keypoints'",
    ),
    Kind(
        "sleap",
        "SLEAP's labels (.slp)",
        (".slp",),
        lambda name, head: True,
        _SLEAP_IO.format("labels.slp"),
    ),
    Kind(
        "deeplabcut",
        "DeepLabCut's labels (CollectedData)",
        (".csv", ".h5"),
        lambda name, head: (
            PurePosixPath(name).name.startswith("CollectedData")
            or bool(re.match(r"scorer,.*\r?\n(?:individuals,.*\r?\n)?bodyparts,", head))
        ),
        _SLEAP_IO.format("CollectedData_NAME.csv"),
    ),
    Kind(
        "pascal_voc",
        "Pascal VOC XML, boxes without joints",
        (".xml",),
        _has(r"<annotation>", r"<(?:object|filename|folder)>"),
        "label the joints with a skeleton and export as 'COCO Keypoints'",
    ),
    Kind(
        "yolo_text",
        "YOLO's text labels without their data.yaml",
        (".txt",),
        _has(r"^\s*\d{1,4}(?:[ \t]+-?\d+(?:\.\d+)?(?:e-?\d+)?){4,}[ \t]*(?:\r?\n|$)"),
        "they do not name the joints: export from the tool that made them as 'COCO Keypoints'",
    ),
)
_SUFFIXES = tuple(dict.fromkeys(suffix for kind in KINDS for suffix in kind.suffixes))


def recognise(path: str | Path) -> tuple[Kind, str] | None:
    """Find out whose labels a file, a folder or a ``.zip`` holds.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    tuple of Kind and str, or None
        The first of `KINDS` that a file of it is of, and that file's name below ``path`` (empty for a file itself).
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
            return _first(iter([(path.name, _head_of(path))]), alone=True)
    except (OSError, ValueError, RuntimeError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error):
        return None
    return None


def refuse_other_tools(path: str | Path) -> None:
    """Refuse labels of a tool whose files cannot be read.

    Raises
    ------
    BadInput
        Saying whose labels they are, and which export can be read.
    """
    found = recognise(path)
    if found is not None and found[0].hint:
        kind, name = found
        where = f" in {name}" if name else ""
        verb = "holds" if name else "is"
        raise BadInput(path, f"{verb} {kind.what}{where}, which cannot be read yet", kind.hint)


def _first(files: Iterator[tuple[str, str]], alone: bool = False) -> tuple[Kind, str] | None:
    best: tuple[int, str] | None = None
    for name, head in files:
        suffix = PurePosixPath(name).suffix.lower()
        for rank, kind in enumerate(KINDS if best is None else KINDS[: best[0]]):
            if suffix in kind.suffixes and kind.looks(name, head):
                best = rank, "" if alone else name
                break
    return None if best is None else (KINDS[best[0]], best[1])


def _of_folder(folder: Path) -> Iterator[tuple[str, str]]:
    entries = islice(_walk(folder), MOST_ENTRIES)
    for name in _telling(entry.relative_to(folder).as_posix() for entry in entries):
        yield name, _head_of(folder / name)


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
            yield name, _text(file.read(HEAD))


def _telling(names: Iterator[str]) -> list[str]:
    """The names that may tell most: by suffix in the order of the table, and the least deep; a few of each suffix."""
    by_suffix: dict[str, list[str]] = {suffix: [] for suffix in _SUFFIXES}
    for name in names:
        found = by_suffix.get(PurePosixPath(name).suffix.lower())
        if found is not None and len(found) < MOST_FILES // 4:
            found.append(name)
    return [name for found in by_suffix.values() for name in found][:MOST_FILES]


def _head_of(path: Path) -> str:
    with path.open("rb") as file:
        return _text(file.read(HEAD))


def _text(head: bytes) -> str:
    return head.decode("utf-8-sig", "replace")
