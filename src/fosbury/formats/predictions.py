"""Predicted poses of labelled frames in one small file (NumPy's .npz).

So models are compared without being run again.

For each model ``NAME/frame`` (P,) tells which of ``files`` a pose is of, with ``NAME/keypoints`` (P, K, 2) in pixels,
``NAME/confidence`` (P, K), ``NAME/box`` (P, 4) and ``NAME/score`` (P,), all in float32. Where poses have doubts
there is ``NAME/doubt`` (P, K) in mm-equivalents, NaN for those without. Nothing in it is ever unpickled, and the same
poses give the same bytes.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fosbury.errors import BadInput
from fosbury.files import draft
from fosbury.pose import Dataset, Pose

PARTS = ("keypoints", "confidence", "box", "score")
DOUBT = "doubt"
MAX_UNPACKED = 2**31
"""Bytes; ten million poses of 17 joints."""
HINT = "run 'dvc repro' to make it again"


@dataclass(frozen=True, eq=False)
class Predictions:
    """What models predicted on the same frames.

    Attributes
    ----------
    joints : tuple of str
        Names, in the order of the keypoints.
    files : tuple of str
        Frames, by ``file_name``.
    models : dict of str to list of list of Pose
        For each model the poses of each frame.
    """

    joints: tuple[str, ...]
    files: tuple[str, ...]
    models: dict[str, list[list[Pose]]]


def write_predictions(path: Path, dataset: Dataset, models: Mapping[str, Sequence[Sequence[Pose]]]) -> None:
    """Write the poses of every model on the frames of a data set.

    Parameters
    ----------
    path : Path
    dataset : Dataset
    models : mapping of str to sequence of sequence of Pose
        For each model the poses of each frame, in the joints of the data set.
    """
    joints = len(dataset.skeleton)
    shapes = {"keypoints": (-1, joints, 2), "confidence": (-1, joints), "box": (-1, 4), "score": (-1,)}
    arrays: dict[str, np.ndarray] = {
        "joints": np.array(dataset.skeleton.joints, dtype=str),
        "files": np.array([frame.file_name for frame in dataset.frames], dtype=str),
        "models": np.array(list(models), dtype=str),
    }
    for name, frames in models.items():
        poses = [pose for found in frames for pose in found]
        owner = np.repeat(np.arange(len(frames)), [len(found) for found in frames])
        arrays[f"{name}/frame"] = owner.astype(np.int32)
        for part in PARTS:
            values = np.array([getattr(pose, part) for pose in poses], dtype=np.float32)
            arrays[f"{name}/{part}"] = values.reshape(shapes[part])
        if any(pose.doubt is not None for pose in poses):
            unknown = np.full(joints, np.nan)
            doubts = [unknown if pose.doubt is None else pose.doubt for pose in poses]
            arrays[f"{name}/{DOUBT}"] = np.array(doubts, dtype=np.float32)
    with draft(path) as unfinished, unfinished.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def read_predictions(content: bytes | Path, where: str | Path | None = None) -> Predictions:
    """Read poses back.

    Parameters
    ----------
    content : bytes or Path
    where : str or Path, optional
        What to call it in a message.

    Raises
    ------
    BadInput
        If it is absent or no such file.
    """
    where = where or (content if isinstance(content, Path) else "predictions")
    try:
        data = content.read_bytes() if isinstance(content, Path) else content
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(member.file_size for member in archive.infolist()) > MAX_UNPACKED:
                raise ValueError("it unpacks to more than poses need")
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            joints, files, models = (_names(arrays[key]) for key in ("joints", "files", "models"))
            found = {name: _poses(arrays, name, len(files), len(joints)) for name in models}
            return Predictions(joints, files, found)
    except FileNotFoundError:
        raise BadInput(where, "is not there", HINT) from None
    except Exception as error:  # NumPy lets out whatever its readers of zip, header and tokens raise
        raise BadInput(where, "does not hold predictions that can be read", HINT) from error


def _names(array: np.ndarray) -> tuple[str, ...]:
    if array.ndim != 1 or array.dtype.kind != "U" or len(set(array.tolist())) < len(array):
        raise ValueError("it does not list names")
    return tuple(array.tolist())


def _poses(arrays: Mapping[str, np.ndarray], name: str, frames: int, joints: int) -> list[list[Pose]]:
    found: list[list[Pose]] = [[] for _ in range(frames)]
    owner = arrays[f"{name}/frame"]
    if owner.ndim != 1 or owner.dtype.kind != "i" or ((owner < 0) | (owner >= frames)).any():
        raise ValueError("a pose of no frame")
    parts = [arrays[f"{name}/{part}"] for part in PARTS]
    shapes = [(len(owner), *shape) for shape in ((joints, 2), (joints,), (4,), ())]
    if [part.shape for part in parts] != shapes or any(part.dtype.kind != "f" for part in parts):
        raise ValueError("its arrays do not belong together")
    doubts = arrays.get(f"{name}/{DOUBT}", np.full((len(owner), joints), np.nan))
    if doubts.shape != (len(owner), joints) or doubts.dtype.kind != "f":
        raise ValueError("doubts of other poses")
    parts = [part.astype(float) for part in (*parts, doubts)]
    for frame, keypoints, confidence, box, score, doubt in zip(owner, *parts, strict=True):
        pose = Pose(keypoints, confidence, box, float(score), doubt if np.isfinite(doubt).any() else None)
        found[frame].append(pose)
    return found
