"""Which models are measured, by which look, and what each predicts on a labelled set: kept row by row."""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fosbury.config import named_skeleton
from fosbury.errors import BadInput
from fosbury.files import write_json
from fosbury.formats.predictions import read_predictions, write_predictions
from fosbury.inference.boxes import LABELS, SEARCH
from fosbury.inference.joints import poses_in
from fosbury.inference.landmarks import TurnsBoxes
from fosbury.inference.predict import Predictor
from fosbury.inference.protocol import PoseModel
from fosbury.inference.registry import REFINERS, load_model
from fosbury.inference.vote import Vote
from fosbury.media.files import sha256_of
from fosbury.media.image import read_image
from fosbury.pose import Dataset, Pose
from fosbury.progress import progress
from fosbury.refinement import Refinement
from fosbury.skeleton import Skeleton

FREE, WEIGHTS, OURS = "free", "free weights, looks of this repository", "this repository"
"""Groups of rows: as the makers call it, untuned; their weights called otherwise; tuned here."""

ONE, MEDIAPIPE, VOTE = "one look", "as MediaPipe calls it", "vote"
ONCE, UPRIGHT = "one upright look", "two upright looks"
REFINEMENTS = {
    ONCE: Refinement(how="upright", upright_looks=1),
    UPRIGHT: Refinement(how="upright"),
    VOTE: Refinement(how="vote"),
}
GIVEN, UNAIDED = "given", "unaided"


@dataclass(frozen=True)
class ModelFile:
    """A model of the command line, ``[NAME=]FILE[@SIZE]``: ``SIZE`` is the side of its input in pixels."""

    name: str
    path: Path
    size: int | None = None

    @classmethod
    def read(cls, text: str) -> ModelFile:
        """Read it from the command line."""
        name, _, rest = text.rpartition("=")
        path, _, size = rest.rpartition("@") if rest.rpartition("@")[2].isdecimal() else (rest, "", "")
        if not Path(path).exists():
            raise argparse.ArgumentTypeError(f"{path}: is not there; check the path")
        return cls(name or Path(path).stem, Path(path), int(size) if size else None)

    def open(self) -> PoseModel:
        """Open the file."""
        return load_model(self.path, named_skeleton("coco17"), self.size)


@dataclass(frozen=True)
class Row:
    """A model and how it looks at people.

    Attributes
    ----------
    model : ModelFile
    group : {"free", "free weights, looks of this repository", "this repository"}
    look : str
    given, unaided : str or None
        Sources of boxes (``boxes.BoxProvider``) where the athlete is given, and where nobody says who it is; None: the
        model searches the whole picture.
    also : tuple of ModelFile
        Others whose views vote, too.
    """

    model: ModelFile
    group: str
    look: str
    given: str | None
    unaided: str | None
    also: tuple[ModelFile, ...] = ()

    @property
    def name(self) -> str:
        """What the table calls it."""
        return f"{' and '.join(each.name for each in (self.model, *self.also))}, {self.look}"


@dataclass(frozen=True, eq=False)
class Answer:
    """What a row predicts.

    Attributes
    ----------
    poses : dict of str to list of list of Pose
        ``given`` and ``unaided``: for each frame its poses, in the joints of the data set.
    joints : tuple of str
        What the model knows.
    passes : float or None
        How often the network looked at a person who was given; None where nobody can tell.
    milliseconds : float or None
        Where a file of predictions states it.
    """

    poses: dict[str, list[list[Pose]]]
    joints: tuple[str, ...]
    passes: float | None
    milliseconds: float | None = None


class Counted:
    """A model that counts its looks: pictures, or people of a top-down model."""

    def __init__(self, model: PoseModel):
        self.model, self.passes = model, 0
        self.skeleton, self.input_size, self.licence = model.skeleton, model.input_size, model.licence
        self.needs_boxes, self.temperature = model.needs_boxes, model.temperature
        if isinstance(model, TurnsBoxes):
            self.turns_boxes = True

    def predict(self, images: Sequence[np.ndarray], boxes: Sequence[np.ndarray] | None = None) -> list[list[Pose]]:
        """Answer as ``PoseModel.predict``."""
        self.passes += len(images) if boxes is None else sum(map(len, boxes))
        return self.model.predict(images, boxes)


def rows_of(
    free: Sequence[ModelFile],
    looked: Sequence[ModelFile],
    ours: Sequence[ModelFile],
    *,
    detector: Path | None,
    finder: Path | None,
    looks: Sequence[str],
    together: Sequence[ModelFile] = (),
) -> list[Row]:
    """List the rows: free models as their makers call them, free weights by this repository's looks, its own models.

    Parameters
    ----------
    free, looked, ours : sequence of ModelFile
    detector : Path or None
        BlazePose's. With it BlazePose is called as MediaPipe calls it.
    finder : Path or None
        A model that finds the people whom this repository looks at by top-down models, unaided; without it, and as free
        models, they search by themselves.
    looks : sequence of str
        Of `ONE`, `ONCE`, `UPRIGHT` and `VOTE`, those by which this repository looks.
    together : sequence of ModelFile
        Free weights that vote together.
    """
    rows = []
    for file in free:
        model = file.open()
        if detector and isinstance(model, TurnsBoxes) and model.skeleton.name == "blazepose":
            rows.append(Row(file, FREE, MEDIAPIPE, str(detector), str(detector)))
            continue
        rows.append(_looked(file, model, FREE, ONE, None))
    for group, files in ((WEIGHTS, looked), (OURS, ours)):
        for file in files:
            model = file.open()
            wanted = [look for look in looks if look != ONE or group == OURS or model.needs_boxes]
            rows += [_looked(file, model, group, look, finder) for look in wanted]
    if together:
        first, *others = together
        row = _looked(first, first.open(), WEIGHTS, VOTE, finder)
        place = max((place for place, each in enumerate(rows, 1) if each.group != OURS), default=0)
        rows.insert(place, replace(row, also=tuple(others)))
    return rows


def _looked(file: ModelFile, model: PoseModel, group: str, look: str, finder: Path | None) -> Row:
    """Row of a model that is handed the labelled box where it takes one, and unaided the finder's."""
    unaided = (str(finder) if finder else SEARCH) if model.needs_boxes else None
    return Row(file, group, look, LABELS if model.needs_boxes or look != ONE else None, unaided)


def opened(row: Row) -> tuple[PoseModel, list[Counted]]:
    """Open the model of a row: with its further looks, and its networks by themselves."""
    counted = [Counted(file.open()) for file in (row.model, *row.also)]
    refinement = REFINEMENTS.get(row.look)
    if refinement is None:
        return counted[0], counted
    if row.also:
        return Vote(counted[0], refinement.margin, refinement.vote, counted[1:]), counted
    return importlib.import_module(REFINERS[refinement.how]).refined(counted[0], refinement), counted


def answer(row: Row, dataset: Dataset, root: Path, work: Path, *, unaided: bool = True) -> Answer:
    """Predict a row, or read what an earlier run, killed or not, predicted of it.

    Parameters
    ----------
    row : Row
    dataset : Dataset
    root : Path
        Folder that its file names are relative to.
    work : Path
        Folder of what is done.
    unaided : bool
        Whether to predict without the athlete given, too.
    """
    opening: list[tuple[PoseModel, list[Counted]]] = []
    poses, passes, joints = {}, None, ()
    for protocol, boxes in ((GIVEN, row.given), *([(UNAIDED, row.unaided)] if unaided else [])):
        kept, about = (work / f"{_key(row, boxes, dataset)}{suffix}" for suffix in (".npz", ".json"))
        if not about.exists():
            opening = opening or [opened(row)]
            ((model, counted),) = opening
            before = sum(each.passes for each in counted)
            found = _predict(Predictor(model, boxes), dataset, root, f"{row.name}, {protocol}")
            made = sum(each.passes for each in counted) - before
            looks = made / sum(len(frame.people) for frame in dataset.frames)
            write_predictions(kept, dataset, {"poses": found})
            write_json(about, {"row": row.name, "joints": list(model.skeleton.joints), "passes": round(looks, 1)})
        said = json.loads(about.read_text(encoding="utf-8"))
        poses[protocol], joints = read_predictions(kept).models["poses"], tuple(said["joints"])
        passes = said["passes"] if passes is None else passes
    return Answer(poses, joints, passes)


def _predict(predictor: Predictor, dataset: Dataset, root: Path, title: str) -> list[list[Pose]]:
    """Predict picture by picture: no picture's answer depends on the others."""
    result = []
    for frame in progress(dataset.frames, title, "frame"):
        (found,) = predictor.predict([read_image(root / frame.file_name)], [frame])
        result.append(poses_in(found, predictor.model.skeleton, dataset.skeleton))
    return result


def _key(row: Row, boxes: str | None, dataset: Dataset) -> str:
    """Digest of everything that decides what a row predicts, but for the code."""
    digest = hashlib.sha256(b"".join(_content(each.path) for each in (row.model, *row.also)))
    digest.update(_content(Path(boxes)) if boxes and Path(boxes).suffix else repr(boxes).encode())
    settings = REFINEMENTS[row.look].model_dump_json() if row.look in REFINEMENTS else None
    for part in (row.look, row.model.size, settings, dataset.skeleton.joints):
        digest.update(repr(part).encode())
    for frame in dataset.frames:
        digest.update(repr((frame.file_name, frame.width, frame.height, frame.boxes.tolist())).encode())
    return digest.hexdigest()[:16]


def _content(path: Path) -> bytes:
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    return "".join(sha256_of(each) for each in files).encode()


def seconds_a_picture(rows: Sequence[Row], dataset: Dataset, root: Path, pictures: int) -> dict[str, list[float]]:
    """Time every row on the same pictures, unaided, one picture of each row after the other.

    Parameters
    ----------
    rows : sequence of Row
    dataset : Dataset
    root : Path
    pictures : int
        How many, evenly drawn; one more goes before them, uncounted.

    Returns
    -------
    dict of str to list of float
        By name of the row, for each picture seconds of processor time, over all threads, from the picture in memory to
        the pose: what else the machine does counts little in it.
    """
    predictors = {row.name: Predictor(opened(row)[0], row.unaided) for row in rows}
    drawn = dataset.frames[:: max(1, len(dataset) // pictures)][:pictures]
    seconds: dict[str, list[float]] = {name: [] for name in predictors}
    for number, frame in enumerate(progress([drawn[0], *drawn], "time", "frame")):
        picture = read_image(root / frame.file_name)
        for name, predictor in predictors.items():
            start = time.process_time()
            predictor.predict([picture], [frame])
            if number:
                seconds[name].append(time.process_time() - start)
    return seconds


LARGEST = 200_000_000  # bytes of a file of predictions
MOST_PEOPLE = 100  # in a picture of one
HINT = "write it with bench/apple_vision.swift, or by the form in its first lines"


def read_answer(path: Path, dataset: Dataset) -> tuple[str, Answer]:
    """Read what another program predicted: its name, and the poses of each frame.

    Parameters
    ----------
    path : Path
        JSON: ``model``, ``joints`` (names), ``frames`` (by file name a list of people, each with ``keypoints``, for
        each joint x, y in pixels and confidence, or null, and ``score``), and ``milliseconds`` (by file name), if it
        was timed.
    dataset : Dataset

    Raises
    ------
    BadInput
        If it is not such a file, or holds nothing of a frame.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise BadInput(path, f"has more than {LARGEST // 1_000_000} MB", HINT)
        content = json.loads(path.read_text(encoding="utf-8"))
        name, joints, frames = str(content["model"])[:60], tuple(map(str, content["joints"])), content["frames"]
        place = dataset.skeleton.match(joints)
        absent = [frame.file_name for frame in dataset.frames if Path(frame.file_name).name not in frames]
        if absent:
            raise BadInput(path, f"says nothing of {len(absent)} pictures, {absent[0]} first", "predict all of the set")
        if (place >= 0).sum() < 2:
            raise BadInput(path, f"names no two joints of skeleton '{dataset.skeleton.name}'", HINT)
        poses = [
            [_pose(person, place, len(joints)) for person in frames[Path(frame.file_name).name][:MOST_PEOPLE]]
            for frame in dataset.frames
        ]
        times = [float(value) for value in content.get("milliseconds", {}).values()]
    except BadInput:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise BadInput(path, f"does not hold predictions that can be read ({error!r})"[:160], HINT) from error
    found = [[pose for pose in of_frame if pose is not None] for of_frame in poses]
    milliseconds = statistics.median(times) if times else None
    return name, Answer({GIVEN: found, UNAIDED: found}, joints, None, milliseconds)


def _pose(person: dict, place: np.ndarray, joints: int) -> Pose | None:
    """Pose in the joints of ``place``, which says where among those of the file each is; None where nothing is."""
    points = np.array([each or (np.nan,) * 3 for each in person["keypoints"]], dtype=float)
    if points.shape != (joints, 3):
        raise ValueError(f"{len(points)} keypoints for {joints} joints")
    known = np.where((place < 0)[:, None], np.nan, points[place])
    there = np.isfinite(known[:, :2]).all(axis=1)
    if not there.any():
        return None
    box = np.concatenate([known[there, :2].min(axis=0), known[there, :2].max(axis=0)])
    keypoints = np.where(there[:, None], known[:, :2], np.nan)
    confidence = np.where(there, np.clip(np.nan_to_num(known[:, 2]), 0, 1), 0.0)
    return Pose(keypoints, confidence, box, float(person["score"]))


def known_joints(skeleton: Skeleton, answers: Sequence[Answer]) -> np.ndarray:
    """Joints of the labels that every row has, shape (K,)."""
    return np.logical_and.reduce([skeleton.match(each.joints) >= 0 for each in answers])
