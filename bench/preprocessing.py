"""What another way to bring a picture to the network's size costs: the ways of a phone beside the one measured here.

This repository letterboxes: the picture keeps its shape, is resized bilinearly and padded with grey. A phone's
frameworks offer others, and one of them is often the default. The same model and labels go through each. "A picture"
is the mean change of a picture's error, either way: what a single picture may meet where the mean hardly moves.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from pictures import add_arguments, labelled_pictures

from fosbury.config import named_skeleton
from fosbury.inference.letterbox import Letterbox
from fosbury.inference.predict import measure
from fosbury.inference.protocol import PoseModel
from fosbury.inference.registry import load_model
from fosbury.pose import Pose

Prepared = tuple[np.ndarray, np.ndarray]
"""The input, uint8 (H, W, 3), and the matrix (2, 3) from pixels of the picture to those of the input."""


def main() -> None:
    """Measure every way on one labelled set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--image-size", type=int, help="pixels; an exported file has its own")
    asked = parser.parse_args()
    model = load_model(asked.model, named_skeleton("coco17"), asked.image_size)
    models = {name: Phone(model, way) for name, way in WAYS.items()}
    with TemporaryDirectory() as work:
        dataset, root = labelled_pictures(asked, Path(work))
        measured = measure({"letterbox": model, **models}, dataset, root)
    plain = measured["letterbox"].evaluation
    height, width = model.input_size
    print(f"{len(dataset)} pictures, {asked.model.name}, {width} x {height} px; mm-equivalents")
    print(f"{'':24} {'error':>7} {'change':>7} {'a picture':>9} {'unaided':>8} {'missed':>7}")
    for name, each in measured.items():
        own = each.evaluation.group_metrics()
        change = own.error_mm - plain.group_metrics().error_mm
        moved = np.abs(each.evaluation.frame_errors()[1] - plain.frame_errors()[1]).mean()
        print(
            f"{name:24} {own.error_mm:7.1f} {change:+7.1f} {moved:9.1f} {own.error_mm_unaided:8.1f} {own.missed:7.3f}"
        )


class Phone:
    """A model whose pictures are brought to its size in another way.

    Parameters
    ----------
    model : PoseModel
    way : callable
        Picture and size (height, width) to `Prepared`.
    """

    def __init__(self, model: PoseModel, way: Callable[[np.ndarray, tuple[int, int]], Prepared]):
        self.model, self.way = model, way
        self.skeleton, self.input_size, self.licence = model.skeleton, model.input_size, model.licence
        self.needs_boxes, self.temperature = model.needs_boxes, model.temperature

    def predict(self, images: Sequence[np.ndarray], boxes: Sequence[np.ndarray] | None = None) -> list[list[Pose]]:
        """Find the people in each RGB image; see ``PoseModel.predict``."""
        answers = []
        for image in images:
            pixels, matrix = self.way(image, self.input_size)
            answers.append([_back(pose, matrix) for pose in self.model.predict([pixels], boxes)[0]])
        return answers


def _back(pose: Pose, matrix: np.ndarray) -> Pose:
    scale, shift = np.diag(matrix[:, :2]), matrix[:, 2]
    corners = (pose.box.reshape(2, 2) - shift) / scale
    return replace(pose, keypoints=(pose.keypoints - shift) / scale, box=corners.ravel())


def stretched(picture: np.ndarray, size: tuple[int, int]) -> Prepared:
    """Stretch the whole picture to the shape of the network (Vision's ``scaleFill``)."""
    height, width = size
    scale = np.array([width / picture.shape[1], height / picture.shape[0]])
    pixels = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
    return pixels, np.column_stack([np.diag(scale), np.zeros(2)])


def centre_crop(picture: np.ndarray, size: tuple[int, int]) -> Prepared:
    """Cut the middle of the picture, as large as fills the input (Vision's ``centerCrop``); the rest is not seen."""
    target = np.array(size[::-1], dtype=float)
    shape = np.array(picture.shape[1::-1], dtype=float)
    part = np.maximum(np.floor(target / (target / shape).max()), 1).astype(int)
    left, top = ((shape - part) // 2).astype(int)
    pixels, matrix = stretched(picture[top : top + part[1], left : left + part[0]], size)
    matrix[:, 2] = -np.diag(matrix[:, :2]) * (left, top)
    return pixels, matrix


def by_area(picture: np.ndarray, size: tuple[int, int]) -> Prepared:
    """Letterboxed, each pixel the mean of those that it covers, as image libraries shrink pictures smoothly."""
    place = Letterbox.fit(picture.shape[:2], size)
    smaller = cv2.resize(picture, place.inner[::-1], interpolation=cv2.INTER_AREA)
    return replace(place, shape=place.inner).image(smaller), np.column_stack([np.diag(place.gain), place.offset])


def padded_black(picture: np.ndarray, size: tuple[int, int]) -> Prepared:
    """Letterboxed with black in place of grey."""
    place = Letterbox.fit(picture.shape[:2], size)
    pixels = np.zeros((*size, 3), np.uint8)
    rows, columns = (
        slice(start, start + length) for start, length in zip((place.top, place.left), place.inner, strict=True)
    )
    pixels[rows, columns] = place.image(picture)[rows, columns]
    return pixels, np.column_stack([np.diag(place.gain), place.offset])


WAYS = {
    "stretched": stretched,
    "centre crop": centre_crop,
    "resampled by area": by_area,
    "padded with black": padded_black,
}


if __name__ == "__main__":
    main()
