"""What a model answered, in a file that outlives a kill: a line to each, of which the last may be cut off."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fosbury.inference.boxes import SOURCES
from fosbury.media.files import sha256_of
from fosbury.pose import Pose
from fosbury.refinement import Refinement

VERSION = 1
"""Raised when the same model would answer otherwise."""
DECIMALS = 3


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Which model is asked, and how.

    Attributes
    ----------
    model : Path
    boxes : str or None
        For a model that needs boxes: a source of ``boxes.BoxProvider``.
    refinement : Refinement
    """

    model: Path
    boxes: str | None
    refinement: Refinement

    def digest(self) -> str:
        """Digest of all that decides an answer beside the picture."""
        files = [self.model, *(Path(each) for each in self.refinement.also)]
        files += [Path(self.boxes)] if self.boxes and self.boxes not in SOURCES else []
        sums = [sha256_of(path) if path.is_file() else str(path) for path in files]
        parts = [VERSION, sums, self.boxes if self.boxes in SOURCES else None, self.refinement.model_dump(mode="json")]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class Answers:
    """A file of answers, each under a key; those of other settings are thrown away.

    Parameters
    ----------
    path : Path
    settings : str
        Of the answers that count.
    """

    def __init__(self, path: Path, settings: str):
        self.path = path
        self.known: dict[str, list[Pose]] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = 0
        for line in path.read_bytes().splitlines(keepends=True) if path.is_file() else ():
            record = record_of(line)
            if record is None or (whole == 0 and record != {"settings": settings}):
                break
            if whole:
                self.known[record["key"]] = [pose_of(each) for each in record["poses"]]
            whole += len(line)
        self.file = path.open("r+b" if whole else "wb")
        self.file.seek(whole)
        self.file.truncate()
        if not whole:
            self._write({"settings": settings})

    def _write(self, record: dict[str, Any]) -> None:
        self.file.write((json.dumps(record) + "\n").encode())
        self.file.flush()

    def get(self, key: str) -> list[Pose] | None:
        """Return what was answered; None where nothing was yet."""
        return self.known.get(key)

    def put(self, key: str, poses: Sequence[Pose]) -> list[Pose]:
        """Keep an answer, and return it as it will be read back."""
        plain = [plain_pose(pose, DECIMALS) for pose in poses]
        self._write({"key": key, "poses": plain})
        self.known[key] = [pose_of(each) for each in plain]
        return self.known[key]

    def close(self) -> None:
        """Close the file."""
        self.file.close()


def record_of(line: bytes) -> dict[str, Any] | None:
    """Read a line; None if it was cut off."""
    if not line.endswith(b"\n"):
        return None
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def plain_pose(pose: Pose, decimals: int | None = None) -> dict[str, Any]:
    """Return a pose as JSON takes it.

    Parameters
    ----------
    pose : Pose
    decimals : int, optional
        What is rounded to; every bit is kept without it.
    """
    parts = {name: getattr(pose, name) for name in ("keypoints", "confidence", "box", "doubt")}
    if decimals is not None:
        parts = {name: None if value is None else np.round(value, decimals) for name, value in parts.items()}
    score = pose.score if decimals is None else round(pose.score, decimals)
    return {name: None if value is None else value.tolist() for name, value in parts.items()} | {"score": score}


def pose_of(record: dict[str, Any]) -> Pose:
    """Return the pose that `plain_pose` wrote."""
    doubt = None if record["doubt"] is None else np.array(record["doubt"], dtype=float)
    keypoints, confidence, box = (np.array(record[name], dtype=float) for name in ("keypoints", "confidence", "box"))
    return Pose(keypoints, confidence, box, record["score"], doubt)
