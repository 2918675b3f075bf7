"""The joints of a clip as JSON; ``schema.json`` beside this module says what is in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from fosbury.files import draft
from fosbury.skeleton import Skeleton
from fosbury.video.gait import gait_of_lines
from fosbury.video.outputs.registry import Clip
from fosbury.video.settle import Settled

SCHEMA_VERSION = 1
SCHEMA = Path(__file__).with_name("schema.json")
_PIXELS, _SCORES, _TIMES = 2, 4, 3


def open_output(path: Path, skeleton: Skeleton, work: Path) -> JsonOutput:
    """Begin a file; see ``registry``."""
    return JsonOutput(path, skeleton, work)


class JsonOutput:
    """Frames go to a line each in the work folder, and under their head at the end."""

    def __init__(self, path: Path, skeleton: Skeleton, work: Path):
        self.path, self.skeleton, self.lines = path, skeleton, work / "frames.jsonl"
        self._file = self.lines.open("w", encoding="utf-8", newline="\n")

    def add(self, settled: Settled) -> None:
        """Take a frame."""
        self._file.write(json.dumps(frame_of(settled, self.skeleton), allow_nan=False) + "\n")
        self._file.flush()

    def finish(self, clip: Clip) -> None:
        """Put the whole file in its place."""
        self._file.close()
        head = {
            "schema_version": SCHEMA_VERSION,
            "settings": clip.settings,
            "meta": {
                "fps": round(clip.fps, 6),
                "width": clip.width,
                "height": clip.height,
                "frame_count": clip.frames,
            },
            "keypoint_format": list(self.skeleton.joints),
        }
        with self.lines.open(encoding="utf-8") as lines:
            if (gait := gait_of_lines(lines, self.skeleton)) is not None:
                head["gait"] = gait
        with (
            draft(self.path) as whole,
            whole.open("w", encoding="utf-8", newline="\n") as file,
            self.lines.open(encoding="utf-8") as lines,
        ):
            file.write(json.dumps(head, ensure_ascii=False)[:-1] + ', "frames": [\n')
            for index, line in enumerate(lines):
                file.write((",\n" if index else "") + line.rstrip("\n"))
            file.write("\n]}\n")


def frame_of(settled: Settled, skeleton: Skeleton) -> dict[str, Any]:
    """Return one frame as the schema has it: a joint that was not found is left out, as is a person.

    Parameters
    ----------
    settled : Settled
    skeleton : Skeleton
        Of its pose.
    """
    answer, pose = settled.answer, settled.pose
    frame: dict[str, Any] = {
        "frame_index": answer.index,
        "timestamp_ms": round(answer.timestamp_ms, _TIMES),
        "pose_score": 0.0 if pose is None else round(float(pose.score), _SCORES),
        "keypoints": [],
    }
    if pose is None:
        return frame
    frame["keypoints"] = [
        {
            "name": name,
            "x": round(float(x), _PIXELS),
            "y": round(float(y), _PIXELS),
            "score": round(float(score), _SCORES),
        }
        for name, (x, y), score in zip(skeleton.joints, pose.keypoints, pose.confidence, strict=True)
        if np.isfinite(x) and np.isfinite(y)
    ]
    frame["person_id"] = settled.person_id
    frame["box"] = [round(float(edge), _PIXELS) for edge in pose.box]
    if settled.phase is not None:
        frame["phase"] = settled.phase
    if settled.interpolated:
        frame["interpolated"] = True
    return frame
