"""Later rounds: frames of which a model that has learnt from earlier ones is in doubt.

The model is shown each frame in four turns. Views of one frame that disagree, joints that leap from look to look and
limbs of an unlikely length tell that it is wrong where its confidence does not (`score`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from fosbury.errors import BadInput
from fosbury.files import draft, write_csv
from fosbury.inference.boxes import search
from fosbury.inference.protocol import PoseModel
from fosbury.inference.vote import Ballot, elect
from fosbury.labelling.jump import Jump, Motion
from fosbury.labelling.score import leaps, limb_unlikelihood, mean_rank
from fosbury.labelling.select import blurred
from fosbury.media.extract import MANIFEST, read_manifest
from fosbury.media.files import sha256_of
from fosbury.media.video import decode, to_image
from fosbury.pose import Pose
from fosbury.progress import Bar
from fosbury.refinement import VoteSettings

LOOKS_A_SECOND = 12.5
"""How often the model looks: ten times in a flight of 0.8 s, which is half of the frames of 25 a second."""
CAP = 2.0
"""Frames of one clip at most, in even shares of the budget."""
DOUBTFUL = 2
"""The more doubtful frames among which the most diverse are chosen, in budgets."""
CACHE, TABLE = ".looks", "doubt.csv"


@dataclass(frozen=True, eq=False)
class Looks:
    """What a model saw in a clip: arrays over the N frames that it looked at.

    Attributes
    ----------
    frame, seconds : ndarray, shape (N,)
    keypoints : ndarray, shape (N, K, 2)
        That its views agree on most; NaN where it found nobody.
    doubt, side : ndarray, shape (N,)
        Mean doubt of the vote over the views in mm-equivalents, and the longer side of the person's box in pixels.
    """

    frame: np.ndarray
    seconds: np.ndarray
    keypoints: np.ndarray
    doubt: np.ndarray
    side: np.ndarray


def look_at(clip: Path, model: PoseModel, cache: Path, digest: str) -> Looks:
    """Let a model look at a clip, one frame in memory at a time, or read what it saw of the same bytes before.

    Parameters
    ----------
    clip : Path
    model : PoseModel
    cache : Path
        Folder that keeps what was seen.
    digest : str
        SHA-256 of the model.
    """
    path = cache / f"{sha256_of(clip)[:16]}-{digest[:16]}.npz"
    try:
        with np.load(path, allow_pickle=False) as kept:
            return Looks(**{field.name: kept[field.name] for field in fields(Looks)})
    except (OSError, ValueError, KeyError, EOFError):
        pass
    rows, due = [], -np.inf
    with Bar(f"looking at {clip.name}", "frame", leave=False) as bar:
        for index, milliseconds, frame in decode(clip):
            if milliseconds >= due:
                due = milliseconds + 1000.0 / LOOKS_A_SECOND - 1.0  # times are rounded to less than a millisecond
                rows.append((index, milliseconds / 1000, *look_turned(model, to_image(frame))))
            bar.update()
    looks = Looks(*(np.array(column) for column in zip(*rows, strict=True)))
    with draft(path) as unfinished, unfinished.open("wb") as file:
        np.savez_compressed(file, **{field.name: getattr(looks, field.name) for field in fields(Looks)})
    return looks


def look_turned(model: PoseModel, picture: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Keypoints that the views of a picture in four turns agree on, their mean doubt, and the size of the person."""
    views = [np.ascontiguousarray(np.rot90(picture, turn)) for turn in range(4)]
    answers = [[search(model, view)] for view in views] if model.needs_boxes else model.predict(views)
    height, width = picture.shape[:2]
    poses = [turned_back(found[0], turn, width, height) for turn, found in enumerate(answers) if found]
    if not poses:
        return np.full((len(model.skeleton), 2), np.nan), np.nan, np.nan
    ballot = Ballot(max(poses, key=lambda pose: pose.score).box, tuple(poses), model.skeleton)
    chosen = elect(ballot, VoteSettings().bandwidth)
    known = chosen.doubt is not None and bool(np.isfinite(chosen.doubt).any())
    return chosen.keypoints, float(np.nanmean(chosen.doubt)) if known else np.nan, ballot.side  # type: ignore[arg-type]


def turned_back(pose: Pose, turn: int, width: int, height: int) -> Pose:
    """Pose of a picture that `numpy.rot90` turned ``turn`` times, in the picture as it was (width x height)."""
    points = np.vstack([pose.keypoints, pose.box.reshape(2, 2)])
    for left in range(turn, 0, -1):
        side = width if left % 2 else height
        points = np.stack([side - points[:, 1], points[:, 0]], axis=-1)
    corners = points[-2:]
    return replace(pose, keypoints=points[:-2], box=np.concatenate([corners.min(axis=0), corners.max(axis=0)]))


@dataclass(frozen=True, eq=False)
class Later:
    """Chooses the frames of a later round; called by `select.select_frames`.

    Attributes
    ----------
    clips : sequence of Path
    model : PoseModel
    digest : str
        SHA-256 of the model.
    output : Path
        Gets ``doubt.csv``, and keeps what the model saw.
    budget : int
    already : sequence of Path
        Folders of frames that are labelled: these are not chosen again.
    """

    clips: Sequence[Path]
    model: PoseModel
    digest: str
    output: Path
    budget: int
    already: Sequence[Path] = ()

    def __call__(self, motions: Mapping[str, Motion], jumps: Mapping[str, Jump]) -> dict[str, list[int]]:
        """Frames of each clip, the first to be chosen first."""
        labelled = frames_in(self.already)
        looks = {clip.name: look_at(clip, self.model, self.output / CACHE, self.digest) for clip in self.clips}
        doubts = [
            (
                each.doubt,
                leaps(each.keypoints, each.seconds, each.side),
                limb_unlikelihood(each.keypoints, each.side, self.model.skeleton.limbs),
            )
            for each in looks.values()
        ]
        together = [np.concatenate(part) for part in zip(*doubts, strict=True)]
        scores = mean_rank(together)
        where = [(name, int(frame)) for name, each in looks.items() for frame in each.frame]
        rows = zip(where, scores, *together, strict=True)
        table = [(*place, *(f"{value:.3f}" if np.isfinite(value) else None for value in rest)) for place, *rest in rows]
        write_csv(self.output / TABLE, [("clip", "frame", "score", "views_mm", "leap", "limbs"), *table])
        digests = {clip.name: sha256_of(clip) for clip in self.clips}
        usable = {
            (name, frame): float(score)
            for (name, frame), score in zip(where, scores, strict=True)
            if np.isfinite(score)
            and (digests[name], frame) not in labelled
            and not blurred(motions[name].sharpness)[frame]
        }
        return doubtful_and_diverse(usable, motions, self.budget)


def frames_in(folders: Sequence[Path]) -> set[tuple[str, int]]:
    """SHA-256 of the clip and index of every frame in folders that this project extracted frames into."""
    found: set[tuple[str, int]] = set()
    for folder in folders:
        manifests = [read_manifest(path.parent) for path in sorted(folder.rglob(MANIFEST))]
        if not manifests:
            raise BadInput(folder, f"holds no {MANIFEST}", "give a folder of frames that `fosbury select` made")
        found |= {(each.sha256, index) for each in manifests if each is not None for index in each.frames}
    return found


def doubtful_and_diverse(
    scores: Mapping[tuple[str, int], float], motions: Mapping[str, Motion], budget: int
) -> dict[str, list[int]]:
    """Choose the most diverse of the most doubtful frames, no clip more than its cap.

    Parameters
    ----------
    scores : mapping of (str, int) to float
        Doubt of each frame of a clip.
    motions : mapping of str to Motion
    budget : int

    Returns
    -------
    dict of str to list of int
        ``min(budget, frames)`` in all, unless the cap leaves fewer.
    """
    cap = int(np.ceil(CAP * budget / max(len(motions), 1)))
    ranked = sorted(scores, key=lambda place: (-scores[place], place))
    count: dict[str, int] = dict.fromkeys(motions, 0)
    pool: list[tuple[str, int]] = []
    for place in ranked:
        if len(pool) < DOUBTFUL * budget and count[place[0]] < DOUBTFUL * cap:
            pool.append(place)
            count[place[0]] += 1
    chosen: dict[str, list[int]] = {name: [] for name in motions}
    looks = np.array([motions[name].looks[frame].ravel() for name, frame in pool], dtype=float)
    for each in k_centre_order(looks):
        name, frame = pool[each]
        if sum(map(len, chosen.values())) < budget and len(chosen[name]) < cap:
            chosen[name].append(frame)
    return chosen


def k_centre_order(points: np.ndarray) -> list[int]:
    """All of N points of shape (N, D): the first, then always the one furthest from all before it (Gonzalez 1985)."""
    distance = np.full(len(points), np.inf)
    order: list[int] = []
    for _ in range(len(points)):
        order.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.linalg.norm(points - points[order[-1]], axis=1))
        distance[order] = -1.0
    return order


def digest_of(model: Path) -> str:
    """SHA-256 of a model file, or of all files of a package together."""
    if model.is_file():
        return sha256_of(model)
    files = sorted(path for path in model.rglob("*") if path.is_file())
    return hashlib.sha256("".join(map(sha256_of, files)).encode()).hexdigest()
