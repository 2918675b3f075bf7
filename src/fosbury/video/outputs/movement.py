"""The joints of a clip as DeepLabCut's table of predictions, which ``movement`` and other tools open.

Three rows of head (scorer, bodyparts, coords), then x, y and likelihood of every joint for each frame.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from fosbury.skeleton import Skeleton
from fosbury.video.outputs.csv import columns, put
from fosbury.video.outputs.registry import Clip
from fosbury.video.settle import Settled

SCORER = "fosbury"


def open_output(path: Path, skeleton: Skeleton, work: Path) -> MovementOutput:
    """Begin a file; see ``registry``."""
    return MovementOutput(path, skeleton, work)


class MovementOutput:
    """A row for each frame."""

    def __init__(self, path: Path, skeleton: Skeleton, work: Path):
        self.path, self.skeleton, self.unfinished = path, skeleton, work / "deeplabcut.csv"
        self._file = self.unfinished.open("w", encoding="utf-8", newline="")
        self._rows = csv.writer(self._file, lineterminator="\n")
        triples = [name for name in skeleton.joints for _ in range(3)]
        self._rows.writerow(["scorer", *[SCORER] * len(triples)])
        self._rows.writerow(["bodyparts", *triples])
        self._rows.writerow(["coords", *["x", "y", "likelihood"] * len(skeleton)])

    def add(self, settled: Settled) -> None:
        """Take a frame."""
        pose, count = settled.pose, len(self.skeleton)
        points = np.full((count, 2), np.nan) if pose is None else pose.keypoints
        scores = np.zeros(count) if pose is None else pose.confidence
        self._rows.writerow([settled.answer.index, *columns(points, scores)])

    def finish(self, clip: Clip) -> None:
        """Put the whole file in its place."""
        self._file.close()
        put(self.unfinished, self.path)
