"""The joints of a clip as a long table: a row for each joint of each frame."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from fosbury.files import draft
from fosbury.skeleton import Skeleton
from fosbury.video.outputs.json import frame_of
from fosbury.video.outputs.registry import Clip
from fosbury.video.settle import Settled

HEAD = ("frame_index", "timestamp_ms", "person_id", "phase", "pose_score", "keypoint", "x", "y", "score")


def open_output(path: Path, skeleton: Skeleton, work: Path) -> CsvOutput:
    """Begin a file; see ``registry``."""
    return CsvOutput(path, skeleton, work)


class CsvOutput:
    """A frame without an athlete has one row, whose joint is empty."""

    def __init__(self, path: Path, skeleton: Skeleton, work: Path):
        self.path, self.skeleton, self.unfinished = path, skeleton, work / "table.csv"
        self._file = self.unfinished.open("w", encoding="utf-8", newline="")
        self._rows = csv.writer(self._file, lineterminator="\n")
        self._rows.writerow(HEAD)

    def add(self, settled: Settled) -> None:
        """Take a frame."""
        frame = frame_of(settled, self.skeleton)
        begin = [frame.get(name) for name in HEAD[:5]]
        for joint in frame["keypoints"] or [{}]:
            self._rows.writerow([*begin, *(joint.get(name) for name in ("name", "x", "y", "score"))])

    def finish(self, clip: Clip) -> None:
        """Put the whole file in its place."""
        self._file.close()
        put(self.unfinished, self.path)


def put(unfinished: Path, path: Path) -> None:
    """Copy a finished file to its place, whole or not at all."""
    with draft(path) as whole, whole.open("wb") as file, unfinished.open("rb") as source:
        while part := source.read(1 << 20):
            file.write(part)


def columns(pose_keypoints: np.ndarray, confidence: np.ndarray) -> list[str]:
    """Cells x, y, score of every joint, empty where it was not found.

    Parameters
    ----------
    pose_keypoints : ndarray, shape (K, 2)
    confidence : ndarray, shape (K,)
    """
    cells: list[str] = []
    for (x, y), score in zip(pose_keypoints, confidence, strict=True):
        there = np.isfinite(x) and np.isfinite(y)
        cells += [f"{x:.2f}", f"{y:.2f}", f"{score:.4f}"] if there else ["", "", ""]
    return cells
