"""The joints of a clip as ``.trc``, which OpenSim and Pose2Sim read.

As Sports2D writes it for one camera: x to the right, y up from the lower edge of the picture, z 0. Without a scale the
unit is the pixel, which the format has no word for; the head says ``m`` so that readers take it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fosbury.files import draft
from fosbury.skeleton import Skeleton
from fosbury.video.outputs.registry import Clip
from fosbury.video.settle import Settled

HEAD = (
    *("DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units"),
    *("OrigDataRate", "OrigDataStartFrame", "OrigNumFrames"),
)


def open_output(path: Path, skeleton: Skeleton, work: Path) -> TrcOutput:
    """Begin a file; see ``registry``."""
    return TrcOutput(path, skeleton, work)


class TrcOutput:
    """A row for each frame; an absent joint has empty cells."""

    def __init__(self, path: Path, skeleton: Skeleton, work: Path):
        self.path, self.skeleton, self.rows = path, skeleton, work / "rows.trc"
        self._file = self.rows.open("w", encoding="utf-8", newline="\n")

    def add(self, settled: Settled) -> None:
        """Take a frame."""
        pose, height = settled.pose, settled.answer.size[1]
        cells = []
        for x, y in np.full((len(self.skeleton), 2), np.nan) if pose is None else pose.keypoints:
            cells += [f"{x:.3f}", f"{height - y:.3f}", "0.000"] if np.isfinite(x) and np.isfinite(y) else ["", "", ""]
        begin = [str(settled.answer.index), f"{settled.answer.timestamp_ms / 1000:.6f}"]
        self._file.write("\t".join([*begin, *cells]) + "\n")

    def finish(self, clip: Clip) -> None:
        """Put the whole file in its place."""
        self._file.close()
        names, count = self.skeleton.joints, len(self.skeleton)
        rate = f"{clip.fps:.6g}"
        head = [
            ["PathFileType", "4", "(X/Y/Z)", self.path.name],
            list(HEAD),
            [rate, rate, str(clip.frames), str(count), "m", rate, "0", str(clip.frames)],
            ["Frame#", "Time", *(cell for name in names for cell in (name, "", ""))],
            ["", "", *(f"{axis}{number}" for number in range(1, count + 1) for axis in "XYZ")],
        ]
        with draft(self.path) as whole, whole.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines("\t".join(row) + "\n" for row in head)
            with self.rows.open(encoding="utf-8") as rows:
                file.writelines(rows)
