"""Labels as the lists of a COCO file, put together by readers of other formats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fosbury.errors import BadInput
from fosbury.formats.coco.categories import MANY_JOINTS, MIN_SHARED_JOINTS
from fosbury.formats.coco.images import Locate
from fosbury.media.files import unsafe_name
from fosbury.pose import NOT_LABELLED, Frame

Joint = tuple[float, float, int]
"""x and y in pixels, and COCO's visibility."""


@dataclass
class Content:
    """Images and people, joints by name.

    Attributes
    ----------
    joints : dict of str to list of str
        By category, in the order of the format; a joint that a person has and nobody declared comes after them.
    bones : dict of str to list of tuple of str
        By category.
    images : list of dict
        As in a COCO file.
    """

    joints: dict[str, list[str]] = field(default_factory=dict)
    bones: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    images: list[dict[str, Any]] = field(default_factory=list)
    people: list[tuple[int, str, Mapping[str, Joint], Sequence[float] | None]] = field(default_factory=list)

    def add_image(self, name: str, size: tuple[int, int] | None, **fields: Any) -> int:
        """Add an image of ``size`` (width, height), None to take it from the file; returns its id.

        ``fields`` are those of an image of a COCO file, as ``formats.coco`` lists them.
        """
        sides = {} if size is None else {"width": size[0], "height": size[1]}
        number = len(self.images) + 1
        stated = {key: value for key, value in fields.items() if value is not None}
        self.images.append({"id": number, "file_name": name, **sides, **stated})
        return number

    def add_person(
        self, image: int, joints: Mapping[str, Joint], box: Sequence[float] | None = None, category: str = "person"
    ) -> None:
        """Add a person on an image; ``box`` is ``x1, y1, x2, y2`` in pixels."""
        known = self.joints.setdefault(category, [])
        known += [joint for joint in joints if joint not in known]
        self.people.append((image, category, joints, box))

    def lists(self) -> dict[str, list[Any]]:
        """Return ``images``, ``annotations`` and ``categories`` as in a COCO file."""
        ids = {name: number for number, name in enumerate(self.joints, 1)}
        categories = [
            {"id": ids[name], "name": name, "keypoints": joints, "skeleton": _pairs(joints, self.bones.get(name, ()))}
            for name, joints in self.joints.items()
        ]
        annotations = []
        for number, (image, category, joints, box) in enumerate(self.people, 1):
            keypoints: list[float] = []
            for joint in self.joints[category]:
                x, y, visibility = joints.get(joint, (0.0, 0.0, NOT_LABELLED))
                keypoints += [x, y, visibility] if visibility else [0, 0, 0]
            record: dict[str, Any] = {"id": number, "image_id": image, "category_id": ids[category]}
            if box is not None:
                x1, y1, x2, y2 = box
                record["bbox"] = [x1, y1, x2 - x1, y2 - y1]
            annotations.append({**record, "keypoints": keypoints})
        return {"images": self.images, "annotations": annotations, "categories": categories}


def _pairs(joints: Sequence[str], bones: Sequence[tuple[str, str]]) -> list[list[int]]:
    at = {joint: number for number, joint in enumerate(joints, 1)}
    return [[at[a], at[b]] for a, b in bones if a in at and b in at]


def claim_box(joints: Mapping[str, Joint], boxes: list[Sequence[float]]) -> Sequence[float] | None:
    """Take, out of ``boxes``, the smallest that holds at least half of a person's joints (8 are enough).

    Parameters
    ----------
    joints : mapping of str to Joint
    boxes : list
        ``x1, y1, x2, y2`` each; the one that is taken is gone from it.

    Returns
    -------
    sequence of float, or None
        The box; None where none holds them.
    """
    points = np.array([(x, y) for x, y, visibility in joints.values() if visibility]).reshape(-1, 2)
    fitting = []
    for index, box in enumerate(boxes):
        low, high = np.array(box[:2]), np.array(box[2:])
        inside = int(((points >= low) & (points <= high)).all(axis=1).sum())
        if len(points) and inside >= min(MANY_JOINTS, MIN_SHARED_JOINTS * len(points)):
            fitting.append((-inside, float(np.prod(high - low)), index))
    return boxes.pop(min(fitting)[2]) if fitting else None


def check_clips(path: Path, content: Content, images: Locate | None) -> None:
    """Refuse labels of a clip that is not there, nor any of its frames as a picture.

    Parameters
    ----------
    path : Path
    content : Content
        Of images that name their clip.
    images : callable, optional
        As `formats.registry.Reader` has it.

    Raises
    ------
    BadInput
        Naming the clips.
    """
    there: dict[str, bool] = {}
    for entry in content.images if images is not None else ():
        name, clip = entry["file_name"], entry.get("video")
        if clip is None or there.get(clip) or unsafe_name(name) or unsafe_name(clip):
            continue
        picture = images(Frame(name, 0, 0, video=clip, frame=entry["frame"])) if images is not None else None
        there[clip] = picture is None or picture.is_file()
    missing = [clip for clip, found in there.items() if not found]
    if missing:
        first = next(entry["file_name"] for entry in content.images if entry.get("video") == missing[0])
        problem = f"labels frames of {' and '.join(missing)}, which is not there, nor are its frames, such as {first}"
        raise BadInput(path, problem, "put the clip beside it, or name the folder of clip or pictures with --images")
