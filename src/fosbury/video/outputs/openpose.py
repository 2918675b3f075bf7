"""The joints of a clip as OpenPose's ``--write_json``: a folder with a file for each frame."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from fosbury.files import put_folder, replace_folder
from fosbury.skeleton import Skeleton
from fosbury.video.outputs.registry import Clip
from fosbury.video.settle import Settled

VERSION = 1.3


def open_output(path: Path, skeleton: Skeleton, work: Path) -> OpenPoseOutput:
    """Begin a folder; see ``registry``."""
    return OpenPoseOutput(path, skeleton, work)


class OpenPoseOutput:
    """Joints in the skeleton's own order, 0 0 0 where one was not found, as OpenPose writes it."""

    def __init__(self, path: Path, skeleton: Skeleton, work: Path):
        self.path, self.skeleton, self.work = path, skeleton, work
        self.folder = work / "openpose"
        self.folder.mkdir()

    def add(self, settled: Settled) -> None:
        """Take a frame."""
        people = []
        if (pose := settled.pose) is not None:
            there = np.isfinite(pose.keypoints).all(axis=1)
            triples = np.where(there[:, None], np.column_stack([pose.keypoints, pose.confidence]), 0.0)
            people = [{"person_id": [settled.person_id], "pose_keypoints_2d": np.round(triples, 4).ravel().tolist()}]
        name = f"{self.path.name.removesuffix('_openpose')}_{settled.answer.index:012d}_keypoints.json"
        (self.folder / name).write_text(json.dumps({"version": VERSION, "people": people}), encoding="utf-8")

    def finish(self, clip: Clip) -> None:
        """Put the whole folder in its place."""
        if self.path.exists():
            replace_folder(self.folder, self.path, self.work / "former")
        else:
            put_folder(self.folder, self.path)
