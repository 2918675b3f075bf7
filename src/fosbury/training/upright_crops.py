"""Training pictures of the kind that a second look meets: a labelled person from nearer, turned upright."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from fosbury.inference.rotated_crop import RotatedCrop, lean
from fosbury.media.image import read_image, write_image
from fosbury.pose import Dataset, Frame, Person
from fosbury.progress import progress

MARGINS = 1.25, 2.0  # side of the square in longer sides of the box, from and to
SHIFT = 0.08  # of the square, either way
SWAY = 0.25  # standard deviation, radians: no model judges the trunk better than that
QUALITY = 95


def upright_crops(dataset: Dataset, root: Path, folder: Path, seed: int) -> Dataset:
    """Cut every labelled person out, turned so that the trunk stands upright, give or take.

    Parameters
    ----------
    dataset : Dataset
        File names are relative to ``root``.
    root : Path
    folder : Path
        Where the pictures go, as JPEG.
    seed : int
        Of margin, shift and sway.

    Returns
    -------
    Dataset
        One frame a person, in the order of the data set, phase and group kept; file names are relative to ``root``.

    Raises
    ------
    BadInput
        If a picture cannot be read.
    """
    chance = np.random.default_rng(seed)
    frames: list[Frame] = []
    for frame in progress(dataset.frames, "upright crops", "frame"):
        picture = read_image(root / frame.file_name)
        for person in (each for each in frame.people if each.labelled.any()):
            margin, sway = chance.uniform(*MARGINS), chance.normal(0, SWAY)
            shift = chance.uniform(-SHIFT, SHIFT, 2) * (person.box[2:] - person.box[:2]).max() * margin
            angle = lean(person.keypoints, dataset.skeleton) + sway
            square = RotatedCrop.around(person.box + np.tile(shift, 2), margin, angle)
            file = folder / f"{len(frames):06}.jpg"
            write_image(file, square.warp(picture), QUALITY)
            name = Path(os.path.relpath(file, root)).as_posix()
            people = tuple(_turned(each, square) for each in frame.people)
            frames.append(replace(frame, file_name=name, width=square.side, height=square.side, people=people))
    return replace(dataset, frames=tuple(frames))


def _turned(person: Person, square: RotatedCrop) -> Person:
    """Move a person into pixels of the square; the box keeps its distance to the joints."""
    if not person.labelled.any():
        return replace(person, box=square.box(person.box))
    keypoints = square.points(person.keypoints)
    low, high = np.nanmin(person.keypoints, axis=0), np.nanmax(person.keypoints, axis=0)
    margin_px = max(0.0, float(np.concatenate([low - person.box[:2], person.box[2:] - high]).mean()))
    box = np.concatenate([np.nanmin(keypoints, axis=0) - margin_px, np.nanmax(keypoints, axis=0) + margin_px])
    return replace(person, keypoints=keypoints, box=box)
