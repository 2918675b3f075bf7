"""What a model sees in each frame of a clip: decoded in one thread, looked at in another, and kept in a file.

The file outlives a kill: a second run with the same settings takes from it what was seen already, bit by bit the same,
and goes on behind it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from av.video.reformatter import VideoReformatter

from fosbury.inference.answers import plain_pose, pose_of, record_of
from fosbury.inference.predict import Predictor
from fosbury.media.video import decode, to_image, upright
from fosbury.metrics.match import box_iou
from fosbury.pose import Frame, Pose
from fosbury.video.ahead import ahead
from fosbury.video.shots import SIDE, CameraMotion, CutFinder

DRAWN = 0.2
"""Least score of a joint that counts as seen."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How a clip is gone through.

    Attributes
    ----------
    batch : int
        Frames that the model is given at once.
    depth : int
        Frames that may wait between two steps; 0: one step after the other.
    stride : int
        Every so many frames are looked at, those in between only where something moves.
    motion : float
        How far a joint may move between two frames that were looked at, in sides of the person's box, for those in
        between to be interpolated.
    """

    batch: int = 4
    depth: int = 16
    stride: int = 1
    motion: float = 0.05


@dataclass(frozen=True, eq=False)
class Answer:
    """What was seen in a frame.

    Attributes
    ----------
    index : int
    timestamp_ms : float
    cut : bool
        Whether a new shot begins here.
    camera : (float, float)
        How far what stands still has moved across and down since the frame before, in pixels.
    poses : list of Pose, or None
        None where the frame was not looked at, since little moves between its neighbours.
    latency_ms : float
        What the look took.
    size : (int, int)
        Width and height of the frame, upright.
    """

    index: int
    timestamp_ms: float
    cut: bool
    camera: tuple[float, float]
    poses: list[Pose] | None
    latency_ms: float
    size: tuple[int, int]


@dataclass(frozen=True, eq=False)
class _Shown:
    index: int
    timestamp_ms: float
    cut: bool
    camera: tuple[float, float]
    image: np.ndarray


class Kept:
    """File of the answers so far, a line to each, in the order of the frames; a context manager.

    Parameters
    ----------
    path : Path
    settings : str
        Digest of all that decides an answer: a file of others is begun anew.
    """

    def __init__(self, path: Path, settings: str):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("r+b" if path.is_file() else "w+b")
        if record_of(self._file.readline()) != {"settings": settings}:
            self._file.seek(0)
            self._write({"settings": settings})

    def _write(self, record: dict[str, object]) -> None:
        self._file.write((json.dumps(record) + "\n").encode())
        self._file.truncate()
        self._file.flush()

    def read(self) -> Iterator[Answer]:
        """Yield the answers of whole groups; the file stands behind them then."""
        whole, group = self._file.tell(), []
        while (record := record_of(self._file.readline())) is not None:
            group.append(record)
            if record["last"]:
                yield from map(_answer, group)
                whole, group = self._file.tell(), []
        self._file.seek(whole)

    def add(self, answers: Sequence[Answer]) -> None:
        """Append the answers of a group of frames."""
        for answer in answers:
            poses = None if answer.poses is None else [plain_pose(pose) for pose in answer.poses]
            self._write(
                {
                    "index": answer.index,
                    "timestamp_ms": answer.timestamp_ms,
                    "cut": answer.cut,
                    "camera": answer.camera,
                    "latency_ms": answer.latency_ms,
                    "size": answer.size,
                    "poses": poses,
                    "last": answer is answers[-1],
                }
            )

    def __enter__(self) -> Kept:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def _answer(record: dict[str, Any]) -> Answer:
    poses, (width, height), (across, down) = record["poses"], record["size"], record["camera"]
    return Answer(
        record["index"],
        record["timestamp_ms"],
        record["cut"],
        (across, down),
        None if poses is None else [pose_of(each) for each in poses],
        record["latency_ms"],
        (width, height),
    )


def look(
    path: Path, predictor: Predictor, pace: Pace, kept: Kept, *, notes: list[str] | None = None
) -> Iterator[Answer]:
    """Yield what a model sees in each frame of a clip, in the order of time.

    Parameters
    ----------
    path : Path
    predictor : Predictor
    pace : Pace
    kept : Kept
        What it holds already is not looked at again.
    notes : list of str, optional
        Is appended to: what was odd about the file.

    Raises
    ------
    BadInput
        As `media.video.decode`.
    """
    looked: Answer | None = None
    count = 0
    for answer in kept.read():
        yield answer
        looked = answer if answer.poses is not None else looked
        count = answer.index + 1
    if looked is not None:
        _remember(predictor, path, looked)
    for group in _groups(ahead(_shown(path, count, notes), pace.depth), pace.batch * pace.stride):
        answers = _seen(group, predictor, pace, looked, str(path))
        kept.add(answers)
        yield from answers
        looked = answers[-1]


def _groups(shown: Iterable[_Shown], size: int) -> Iterator[list[_Shown]]:
    """Frames that are looked at together, the same wherever a run was stopped: each ends at a multiple of ``size``."""
    group: list[_Shown] = []
    for each in shown:
        group.append(each)
        if each.index % size == 0:
            yield group
            group = []
    if group:
        yield group


def _shown(path: Path, start: int, notes: list[str] | None) -> Iterator[_Shown]:
    """Pictures of a clip from a frame on; cuts and the camera's way are looked for from the first on."""
    cuts, pan, small = CutFinder(), CameraMotion(), VideoReformatter()
    for index, timestamp_ms, frame in decode(path, notes=notes):
        scale = SIDE / max(frame.width, frame.height)
        width, height = (max(2, round(side * scale)) for side in (frame.width, frame.height))
        luma = upright(small.reformat(frame, width=width, height=height, format="gray").to_ndarray(), frame)
        cut, (across, down) = cuts(luma), pan(luma)
        if index >= start:
            image = to_image(frame)
            camera = round(across * image.shape[1], 2), round(down * image.shape[0], 2)
            yield _Shown(index, timestamp_ms, cut, camera, image)


def _seen(shown: Sequence[_Shown], predictor: Predictor, pace: Pace, before: Answer | None, video: str) -> list[Answer]:
    """Look at every so many frames and at the last one, then at those in between where something moves."""
    answers = [_unseen(each) for each in shown]
    first = [at for at, each in enumerate(shown) if each.index % pace.stride == 0 or at == len(shown) - 1]
    _ask(shown, first, predictor, video, answers)
    nearer: list[int] = []
    begin, left = 0, before
    for at in first:
        inside = range(begin, at)
        cut = any(shown[each].cut for each in (*inside, at))
        if inside and (cut or left is None or _moves(left, answers[at], pace.motion)):
            nearer += inside
        begin, left = at + 1, answers[at]
    _ask(shown, nearer, predictor, video, answers)
    return answers


def _ask(
    shown: Sequence[_Shown], which: Sequence[int], predictor: Predictor, video: str, answers: list[Answer]
) -> None:
    if not which:
        return
    chosen = [shown[at] for at in which]
    begin = time.perf_counter()
    found = predictor.predict([each.image for each in chosen], [_frame(each, video) for each in chosen])
    took = round((time.perf_counter() - begin) * 1000 / len(chosen), 2)
    for at, poses in zip(which, found, strict=True):
        answers[at] = replace(answers[at], poses=poses, latency_ms=took)


def _unseen(shown: _Shown) -> Answer:
    height, width = shown.image.shape[:2]
    return Answer(shown.index, shown.timestamp_ms, shown.cut, shown.camera, None, 0.0, (width, height))


def _frame(shown: _Shown, video: str) -> Frame:
    height, width = shown.image.shape[:2]
    return Frame("", width, height, video=video, frame=shown.index, timestamp_ms=shown.timestamp_ms)


def _moves(before: Answer, after: Answer, most: float) -> bool:
    """Whether anybody moves farther than ``most`` from one frame to the other, comes, or goes."""
    first, second = before.poses or [], after.poses or []
    if len(first) != len(second):
        return True
    if not first:
        return False
    overlaps = box_iou(np.array([pose.box for pose in first]), np.array([pose.box for pose in second]))
    pairs = overlaps.argmax(axis=1)
    if len(set(pairs.tolist())) < len(first) or overlaps.max(axis=1).min() <= 0:
        return True
    for pose, other in zip(first, (second[at] for at in pairs), strict=True):
        seen = (pose.confidence >= DRAWN) & (other.confidence >= DRAWN)
        way = np.linalg.norm(pose.keypoints - other.keypoints, axis=1)[seen]
        if not way.size or np.nanmax(way) > most * (pose.box[2:] - pose.box[:2]).max():
            return True
    return False


def _remember(predictor: Predictor, path: Path, last: Answer) -> None:
    """Tell a source of boxes that follows the athlete where it had them, as if it had never been stopped."""
    provider = predictor.provider
    if provider is not None and last.poses:
        provider.video, provider.last = str(path), last.poses[0]
        provider.usual = last.poses[0].score
