"""Write a set of labelled clips: videos and COCO keypoints, as a person would drop them in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from fosbury.documents import read_yaml
from fosbury.errors import BadInput
from fosbury.files import replace_folder, work_folder
from fosbury.media.video import write_video
from fosbury.pose import NOT_LABELLED, body_area
from fosbury.progress import progress
from fosbury.synth.clips import BONES, JOINTS, Label, render_clip

LIMITS = {
    "clips": (1, 10_000),
    "seed": (0, 2**31),
    "width": (64, 1920),
    "height": (64, 1920),
    "fps": (10, 240),
    "fixed_every": (0, 10_000),
}


@dataclass(frozen=True)
class Recipe:
    """How many clips of the built-in athlete there are, and of which kind.

    Attributes
    ----------
    clips : int
    seed : int
        The first clip's seed; the others follow.
    width, height : int
        Pixels, even.
    fps : int
        Frames a second.
    fixed_every : int
        Every n-th clip is filmed by a camera that stands still: n; none where 0.
    """

    clips: int = 30
    seed: int = 1
    width: int = 256
    height: int = 256
    fps: int = 25
    fixed_every: int = 3


def read_recipe(path: str | Path) -> Recipe:
    """Read ``data/synthetic/params.yaml``.

    Raises
    ------
    BadInput
        If the file is missing or unreadable, or a value is not what ``LIMITS`` allow.
    """
    path = Path(path)
    values = read_yaml(path, "correct it or restore it from git")
    if not isinstance(values, Mapping):
        raise BadInput(path, "holds no keys", f"give {', '.join(LIMITS)}")
    return _checked(path, values)


def _checked(path: Path, values: Mapping[str, Any]) -> Recipe:
    known = [field.name for field in fields(Recipe)]
    for key, value in values.items():
        if key not in known:
            raise BadInput(path, f"has the unknown key '{key}'", f"use {', '.join(known)}")
        low, high = LIMITS[key]
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise BadInput(path, f"'{key}' is {value!r}", f"give a whole number from {low} to {high}")
        if key in ("width", "height") and value % 2:
            raise BadInput(path, f"'{key}' is {value}", "give an even number, as video needs")
    return Recipe(**values)


def clip_name(index: int) -> str:
    """File stem of the clip with this index, counted from 0."""
    return f"clip{index + 1:02d}"


def is_fixed(index: int, fixed_every: int) -> bool:
    """Whether a camera that stands still films the clip with this index, counted from 0: every n-th, the n-th first."""
    return fixed_every > 0 and (index + 1) % fixed_every == 0


def _annotation(label: Label, number: int) -> dict[str, Any]:
    x1, y1, x2, y2 = label.box
    keypoints: list[float] = []
    for (x, y), seen in zip(label.keypoints, label.visibility, strict=True):
        keypoints += [0, 0, 0] if seen == NOT_LABELLED else [round(float(x), 3), round(float(y), 3), int(seen)]
    return {
        "id": number,
        "image_id": number,
        "category_id": 1,
        "bbox": [round(float(v), 3) for v in (x1, y1, x2 - x1, y2 - y1)],
        "area": round(body_area(label.box), 2),
        "iscrowd": 0,
        "num_keypoints": int((label.visibility > NOT_LABELLED).sum()),
        "keypoints": keypoints,
        "keypoints_3d": np.round(label.keypoints_3d, 1).tolist(),
        "stature_px": round(label.stature_px, 3),
    }


def write_set(
    folder: str | Path,
    clips: int,
    seed: int,
    size: tuple[int, int] = (256, 256),
    *,
    fps: float = 25.0,
    upright: bool = False,
    crf: int = 20,
    fixed_every: int = 0,
) -> None:
    """Render clips and write them with their labels.

    Parameters
    ----------
    folder : str or Path
        The set; replaced as a whole when everything is written. Gets ``videos/clipNN.mp4`` (H.264) and
        ``annotations.json`` (COCO keypoints; images also carry ``video``, ``frame``, ``timestamp_ms``, ``phase``,
        ``group`` and ``stature_mm``, annotations ``keypoints_3d`` in mm and the true ``stature_px``). An
        annotation's ``area`` is ``pose.body_area`` of its box, as that of an imported label that gives none.
    clips : int
        How many; clip i has the seed ``seed + i``.
    seed : int
    size : (int, int)
        Width and height in pixels, even.
    fps : float
    upright : bool
        Approach runs only.
    crf : int
        x264's quality.
    fixed_every : int
        See `Recipe`.
    """
    folder = Path(folder)
    with work_folder(folder) as work:
        made = work / "set"
        (made / "videos").mkdir(parents=True)
        content = _render_set(
            made / "videos",
            clips=clips,
            seed=seed,
            size=size,
            fps=fps,
            upright=upright,
            crf=crf,
            fixed_every=fixed_every,
        )
        text = json.dumps(content, separators=(",", ":")) + "\n"
        (made / "annotations.json").write_text(text, encoding="utf-8")
        replace_folder(made, folder, work / "before")


def _render_set(
    videos: Path,
    *,
    clips: int,
    seed: int,
    size: tuple[int, int],
    fps: float,
    upright: bool,
    crf: int,
    fixed_every: int,
) -> dict[str, Any]:
    """Write the clips; return their labels as COCO keypoints."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for index in progress(range(clips), "built-in athlete", "clip"):
        name = clip_name(index)
        frames, labels = render_clip(seed + index, size, fps, upright=upright, fixed=is_fixed(index, fixed_every))
        write_video(videos / f"{name}.mp4", frames, fps, crf=crf)
        for frame, label in enumerate(labels):
            number = len(images) + 1
            images.append(
                {
                    "id": number,
                    "file_name": f"{name}/{frame:06d}.jpg",
                    "width": size[0],
                    "height": size[1],
                    "video": f"{name}.mp4",
                    "frame": frame,
                    "timestamp_ms": round(1000.0 * frame / fps, 3),
                    "phase": label.phase,
                    "group": name,
                    "stature_mm": label.stature_mm,
                }
            )
            # A body wholly outside the picture or behind the mat leaves nothing to label.
            if label.area > 0 and (label.visibility > NOT_LABELLED).any():
                annotations.append(_annotation(label, number))
    category = {
        "id": 1,
        "name": "athlete",
        "supercategory": "person",
        "keypoints": list(JOINTS),
        "skeleton": [[a + 1, b + 1] for a, b in BONES],
    }
    return {
        "info": {"description": "Built-in athlete: rendered high jumps", "version": "1"},
        "licenses": [{"id": 1, "name": "Apache-2.0"}],
        "categories": [category],
        "images": images,
        "annotations": annotations,
    }
