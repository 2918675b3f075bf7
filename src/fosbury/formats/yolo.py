"""The Ultralytics pose layout, written from a data set: images, labels, list files and ``data.yaml``."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import numpy as np
import yaml

from fosbury.errors import BadInput, BadInputs
from fosbury.files import replace_folder, work_folder
from fosbury.media.image import read_image, readable_name, true_suffix, write_image
from fosbury.pose import Dataset, Frame, Person
from fosbury.skeleton import Skeleton

TRUSTED = 0.5
"""Weight from which on a label is one: the loss of Ultralytics knows labels and none, and nothing in between."""


def write_yolo(
    splits: Mapping[str, Dataset], folder: Path, root: Path, repeats: Mapping[str, int] | None = None
) -> Path:
    """Write splits as an Ultralytics pose data set.

    Images are symbolic links (copies where the file system has none, PNG files in the place of GIF files) named after
    their whole path, so that equal names from different folders stay apart, with a suffix that Ultralytics reads: it
    passes over others. The folder is replaced as a whole, because Ultralytics trusts a label cache as long as the sizes
    of the files agree. ``data.yaml`` names its folder absolutely: it belongs in a work folder.

    Parameters
    ----------
    splits : mapping of str to Dataset
        ``train`` and ``val`` at least; all of one skeleton. File names are relative to ``root``.
    folder : Path
        Where to write; missing, empty, or written by this function before.
    root : Path
    repeats : mapping of str to int, optional
        How often a file is listed in its split's list; once where absent. Ultralytics loads it that often.

    Returns
    -------
    Path
        ``folder/data.yaml``.

    Raises
    ------
    BadInput
        If the folder holds something else, or a repeat is below 1.
    BadInputs
        If images are missing.
    """
    repeats = repeats or {}
    if few := sorted(name for name, count in repeats.items() if count < 1):
        raise BadInput(few[0], f"is to be listed {repeats[few[0]]} times", "repeat it once or more")
    if folder.exists() and any(folder.iterdir()) and not (folder / "data.yaml").is_file():
        raise BadInput(folder, "holds something other than a YOLO data set", "choose an empty folder")
    frames = [frame for part in splits.values() for frame in part.frames]
    if missing := [frame.file_name for frame in frames if not (root / frame.file_name).is_file()]:
        raise BadInputs(root, [f"{name} is missing" for name in missing[:20]], "put the images back")
    with work_folder(folder) as work:
        fresh = work / "set"
        for name, part in splits.items():
            _write_split(part, name, fresh, root, repeats)
        _write_description(splits, fresh / "data.yaml", folder)
        replace_folder(fresh, folder, work / "before")
    return folder / "data.yaml"


def _write_description(splits: Mapping[str, Dataset], path: Path, folder: Path) -> None:
    skeleton = next(iter(splits.values())).skeleton
    text = yaml.safe_dump(
        {"path": str(folder.absolute()), **{name: f"{name}.txt" for name in splits}, **description(skeleton)},
        sort_keys=False,
        default_flow_style=None,
    )
    path.write_text(text, encoding="utf-8")


def description(skeleton: Skeleton) -> dict[str, object]:
    """Return what ``data.yaml`` says of a skeleton: classes, joints, flip indices and OKS sigmas."""
    return {
        "names": {0: "person"},
        "kpt_shape": [len(skeleton), 3],
        "flip_idx": [int(index) for index in skeleton.flip_index],
        "kpt_oks_sigmas": [float(sigma) for sigma in skeleton.sigmas],
        "kpt_names": {0: list(skeleton.joints)},
    }


def label_lines(frame: Frame) -> list[str]:
    """Return one line for each person: ``0 cx cy w h`` and ``x y v`` for every joint, relative to the image.

    Boxes are clipped to the image, and a person outside it is left out. A joint outside the image is ``0 0 0``, because
    relative coordinates beyond 1 make Ultralytics discard the image; so is one whose training weight is below
    ``TRUSTED``. Every other joint keeps its visibility.
    """
    return [line for person in frame.people if (line := _line(person, frame)) is not None]


def _line(person: Person, frame: Frame) -> str | None:
    size = np.array([frame.width, frame.height], dtype=float)
    low, high = np.clip(person.box[:2], 0, size) / size, np.clip(person.box[2:], 0, size) / size
    if not (high > low).all():
        return None
    points = person.keypoints / size
    with np.errstate(invalid="ignore"):
        kept = (person.training_weights >= TRUSTED) & ((points >= 0) & (points <= 1)).all(axis=-1)
    points = np.where(kept[:, None], points, 0.0)
    seen = np.where(kept, person.visibility, 0)
    numbers = [*((low + high) / 2), *(high - low)]
    joints = [f"{x:.7f} {y:.7f} {v:d}" for (x, y), v in zip(points, seen, strict=True)]
    return " ".join(["0", *(f"{number:.7f}" for number in numbers), *joints])


def _write_split(part: Dataset, name: str, folder: Path, root: Path, repeats: Mapping[str, int]) -> None:
    images, labels = folder / "images" / name, folder / "labels" / name
    images.mkdir(parents=True)
    labels.mkdir(parents=True)
    listed: list[str] = []
    taken: set[str] = set()
    for frame in part.frames:
        source = (root / frame.file_name).absolute()
        kind = true_suffix(source)
        target = _flat_name(readable_name(frame.file_name, kind), taken)
        if kind == ".gif":
            write_image(images / target, read_image(source))
        else:
            _link(images / target, source)
        lines = label_lines(frame)
        (labels / target).with_suffix(".txt").write_text("".join(f"{x}\n" for x in lines), encoding="utf-8")
        listed += [f"./images/{name}/{target}\n"] * repeats.get(frame.file_name, 1)
    (folder / f"{name}.txt").write_text("".join(listed), encoding="utf-8")


def _link(link: Path, source: Path) -> None:
    try:
        link.symlink_to(source)
    except OSError:
        shutil.copyfile(source, link)


def _flat_name(file_name: str, taken: set[str]) -> str:
    """One name for a path, whose stem no other image of the split has: labels are found by the stem."""
    path = PurePosixPath(file_name)
    stem = "__".join(path.with_suffix("").parts)
    unique, count = stem, 1
    while unique.lower() in taken:
        count += 1
        unique = f"{stem}~{count}"
    taken.add(unique.lower())
    return f"{unique}{path.suffix}"
