"""Write a data set as COCO keypoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fosbury.files import write_text
from fosbury.formats.coco.people import WEIGHTS
from fosbury.pose import Dataset, Person

DECIMALS = 2


def write_coco(dataset: Dataset, path: str | Path) -> None:
    """Write a data set as COCO keypoints in its canonical form.

    Frames are sorted by ``file_name`` and numbered from 1, people keep their order within a frame, numbers have two
    decimals, and each record has a line of its own: the same data set gives the same bytes, and differences are read
    line by line.

    Parameters
    ----------
    dataset : Dataset
    path : str or Path
        Written under a temporary name and moved in place.
    """
    skeleton = dataset.skeleton
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for frame in sorted(dataset.frames, key=lambda frame: frame.file_name):
        extras = {
            "video": frame.video,
            "frame": frame.frame,
            "timestamp_ms": None if frame.timestamp_ms is None else _rounded(frame.timestamp_ms),
            "phase": frame.phase,
            "group": frame.group,
            "source": frame.source,
            "stature_mm": None if frame.stature_mm is None else _rounded(frame.stature_mm),
            "label": frame.label,
            "description": frame.description,
        }
        images.append(
            {
                "id": len(images) + 1,
                "file_name": frame.file_name,
                "width": frame.width,
                "height": frame.height,
                **{key: value for key, value in extras.items() if value is not None},
            }
        )
        for person in frame.people:
            annotations.append(_annotation(person, len(annotations) + 1, len(images)))
    category = {
        "id": 1,
        "name": "person",
        "keypoints": list(skeleton.joints),
        "skeleton": [[a + 1, b + 1] for a, b in skeleton.bones],
    }
    parts = [
        f'"{key}": [\n' + ",\n".join(json.dumps(record, allow_nan=False) for record in records) + "\n]"
        for key, records in (("images", images), ("annotations", annotations), ("categories", [category]))
    ]
    info = f'"info": {{"description": {json.dumps(skeleton.name)}}}'
    write_text(path, "{\n" + ",\n".join([info, *parts]) + "\n}\n")


def _rounded(value: float) -> float:
    return round(float(value), DECIMALS) + 0.0


def _annotation(person: Person, annotation_id: int, image_id: int) -> dict[str, Any]:
    keypoints: list[float] = []
    for (x, y), v in zip(person.keypoints, person.visibility, strict=True):
        keypoints += [_rounded(x), _rounded(y), int(v)] if v else [0, 0, 0]
    x1, y1, x2, y2 = (_rounded(value) for value in person.box)
    return {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": 1,
        "keypoints": keypoints,
        "num_keypoints": int(person.labelled.sum()),
        "bbox": [x1, y1, _rounded(x2 - x1), _rounded(y2 - y1)],
        "area": _rounded(person.area),
        "iscrowd": 0,
        **({} if person.weights is None else {WEIGHTS: [_rounded(weight) for weight in person.training_weights]}),
    }
