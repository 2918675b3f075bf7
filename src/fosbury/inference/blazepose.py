"""BlazePose (Bazarevsky et al. 2020): its points by name, what its landmark network and its detector answer.

The constants are those of MediaPipe 0.10.14 (``pose_landmark``, ``pose_detection``), whose files these networks are.
Nothing here runs a network.
"""

from __future__ import annotations

import numpy as np

from fosbury.inference.landmarks import PADDING, Answer
from fosbury.metrics.match import box_iou
from fosbury.skeleton import Skeleton

LICENCE = "Apache-2.0"
INPUT = (256, 256)
HEAT_MAPS = (64, 64, 39)
VALUES = 5
POINTS = 39
"""33 landmarks, the two alignment points of the next crop, and four that MediaPipe does not use."""

_SIDES = ("left", "right")
LANDMARKS = (
    "nose",
    *(f"{side}_{part}" for side in _SIDES for part in ("eye_inner", "eye", "eye_outer")),
    *(
        f"{side}_{part}"
        for part in (
            *("ear", "mouth", "shoulder", "elbow", "wrist", "pinky", "index", "thumb"),
            *("hip", "knee", "ankle", "heel", "foot"),
        )
        for side in _SIDES
    ),
)
"""The 33 landmarks in the network's order, called as the skeletons of conf/skeleton call them; MediaPipe's
``left_foot_index``, the tip of the foot, is ``left_foot``."""

COMPOSED = ("neck", "head_top")
ABOVE_EARS = 0.68
"""How far the top of the head lies beyond the ears, in distances of the shoulders from the ears: by Drillis and
Contini's statures (shoulders .818, ears .926, top of the head 1)."""

JOINTS = (*LANDMARKS, *COMPOSED)

_COCO = {"nose": 0.026, "eye": 0.025, "ear": 0.035, "shoulder": 0.079, "elbow": 0.072, "wrist": 0.062}
_COCO |= {"hip": 0.107, "knee": 0.087, "ankle": 0.089}
_FEET = {"heel": 0.092, "foot": 0.068}  # COCO-WholeBody
# Without a published sigma at the scale of a body: as the nearest joint that has one; neck and head as in lsp14.
_NEAREST = {"eye_inner": 0.025, "eye_outer": 0.025, "mouth": 0.026, "pinky": 0.062, "index": 0.062, "thumb": 0.062}
_NEAREST |= {"neck": 0.079, "head_top": 0.079}
_SIGMAS = _COCO | _FEET | _NEAREST
_LIMBS = (("shoulder", "elbow", 0.186), ("elbow", "wrist", 0.146), ("hip", "knee", 0.245), ("knee", "ankle", 0.246))
_CHAINS = (
    *(("nose", "eye_inner"), ("eye_inner", "eye"), ("eye", "eye_outer"), ("eye_outer", "ear")),
    *(("neck", "shoulder"), ("shoulder", "elbow"), ("elbow", "wrist")),
    *(("wrist", "pinky"), ("wrist", "index"), ("wrist", "thumb")),
    *(("shoulder", "hip"), ("hip", "knee"), ("knee", "ankle"), ("ankle", "heel"), ("heel", "foot")),
)


def _named(part: str, side: str) -> str:
    return part if part in JOINTS else f"{side}_{part}"


SKELETON = Skeleton.from_mapping(
    {
        "name": "blazepose",
        "joints": JOINTS,
        "sigmas": {joint: _SIGMAS[joint.removeprefix("left_").removeprefix("right_")] for joint in JOINTS},
        "pairs": [[joint, joint.replace("left", "right")] for joint in JOINTS if joint.startswith("left")],
        "bones": [
            *([_named(start, side), _named(end, side)] for side in _SIDES for start, end in _CHAINS),
            *(["left_mouth", "right_mouth"], ["left_hip", "right_hip"], ["neck", "head_top"]),
        ],
        "trunk": {f"{part}s": [f"{side}_{part}" for side in _SIDES] for part in ("shoulder", "hip")},
        # Winter's shares of stature, as in conf/skeleton/coco17.yaml.
        "limbs": [
            [f"{side}_{start}", f"{side}_{end}", share]
            for start, end, share in (*_LIMBS, ("shoulder", "hip", 0.288))
            for side in _SIDES
        ],
    },
    where="BlazePose",
)
"""The 33 landmarks, and the neck and the top of the head as `composed` puts them together."""


def composed(points: np.ndarray) -> np.ndarray:
    """Put neck and top of the head together from landmarks.

    The neck is the middle of the shoulders. The top of the head lies on the line from there through the middle of the
    ears, `ABOVE_EARS` of that way farther on: it moves with the head, but not with its nod.

    Parameters
    ----------
    points : ndarray, shape (..., 33, 2)

    Returns
    -------
    ndarray, shape (..., 2, 2)
    """
    neck, ears = (
        sum(points[..., LANDMARKS.index(f"{side}_{part}"), :] for side in _SIDES) / 2 for part in ("shoulder", "ear")
    )
    return np.stack([neck, ears + ABOVE_EARS * (ears - neck)], axis=-2)


def _composed_confidence(confidence: np.ndarray) -> np.ndarray:
    """Of each composed joint the least of the landmarks that it is made of."""
    needed = (("shoulder",), ("shoulder", "ear"))
    places = [[LANDMARKS.index(f"{side}_{part}") for part in parts for side in _SIDES] for parts in needed]
    return np.stack([confidence[..., place].min(axis=-1) for place in places], axis=-1)


def read_answer(output: np.ndarray, person: np.ndarray, heat: np.ndarray) -> Answer:
    """Read what the landmark network answers to one input.

    Parameters
    ----------
    output : ndarray, shape (195,)
        For each of 39 points x, y, z in pixels of the input, and the logits of being visible and of being in the
        picture.
    person : ndarray, shape (1,)
        How likely the square shows a person.
    heat : ndarray, shape (64, 64, 39)
        Logits of the points being there.

    Returns
    -------
    points : ndarray, shape (1, 35, 2)
        In the joints of `SKELETON`.
    confidence : ndarray, shape (1, 35)
    score : ndarray, shape (1,)
        How likely the square shows a person.
    """
    values = output.reshape(POINTS, VALUES)[: len(LANDMARKS)].astype(float)
    points = drawn_to_heat(values[:, :2], heat[..., : len(LANDMARKS)])
    confidence = sigmoid(values[:, 3]) * sigmoid(values[:, 4])
    joints = np.concatenate([points, composed(points)])
    sure = np.concatenate([confidence, _composed_confidence(confidence)])
    return joints[None], sure[None], np.clip(person.astype(float), 0.0, 1.0)


WINDOW = 7
"""Cells of a heat map, across and down, that a point is drawn within."""
CLEAR = 0.5
"""Least peak in the window that draws a point."""


def drawn_to_heat(points: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Move each point to the middle of the heat around it, where its heat map has a clear peak, as MediaPipe does.

    Parameters
    ----------
    points : ndarray, shape (K, 2)
        Pixels of the input.
    heat : ndarray, shape (H, W, K)
        Logits.

    Returns
    -------
    ndarray, shape (K, 2)
    """
    rows, columns = heat.shape[:2]
    scale = np.array([columns / INPUT[1], rows / INPUT[0]])
    moved = points.astype(float)
    for index, (x, y) in enumerate(np.trunc(np.clip(points * scale, -1e6, 1e6)).astype(int)):
        if not (0 <= x < columns and 0 <= y < rows):
            continue
        left, top = max(0, x - WINDOW // 2), max(0, y - WINDOW // 2)
        share = sigmoid(heat[top : y + WINDOW // 2 + 1, left : x + WINDOW // 2 + 1, index].astype(float))
        if share.max() >= CLEAR:
            down, across = np.indices(share.shape)
            middle = np.array([(share * (across + left)).sum(), (share * (down + top)).sum()]) / share.sum()
            moved[index] = middle / scale
    return moved


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """From a logit to a share in [0, 1]."""
    return 1 / (1 + np.exp(-np.clip(logits, -100, 100)))


DETECTOR_INPUT = (224, 224)
DETECTOR_VALUES = 12
"""Of each anchor: box x, y, width, height, then x, y of the four alignment points, in pixels from the anchor."""
_CELLS = ((28, 2), (14, 2), (7, 6))  # cells in a row and anchors in a cell, of the strides 8, 16, and three times 32
ANCHORS = sum(row * row * each for row, each in _CELLS)
DETECTED = 0.5
"""Least score of a person, MediaPipe's ``min_detection_confidence``."""
SAME_PERSON = 0.3
"""Boxes that overlap by more (IoU) are one person's, and are averaged by score."""
ROOM = 1.25
"""Side of the square that MediaPipe looks at, in diameters of the circle around the person."""

ALIGNMENT = Skeleton.from_mapping(
    {
        "name": "blazepose_alignment",
        "joints": ["mid_hip", "body_rim", "mid_shoulder", "upper_body_rim"],
        "sigmas": dict.fromkeys(["mid_hip", "body_rim", "mid_shoulder", "upper_body_rim"], 0.107),
        "trunk": {"shoulders": ["body_rim"], "hips": ["mid_hip"]},
    },
    where="BlazePose's detector",
)
"""What the detector finds of a person: the middle of the circle around the whole body, and the point of its rim above
the head as the body is turned, so that its trunk leans as the person does; the same for the upper body."""


def anchors() -> np.ndarray:
    """Middles of the detector's anchors, shape (2254, 2), in pixels of its input."""
    grids = []
    for row, each in _CELLS:
        y, x = np.mgrid[:row, :row].reshape(2, -1)
        grids.append(np.repeat((np.column_stack([x, y]) + 0.5) * (DETECTOR_INPUT[0] / row), each, axis=0))
    return np.concatenate(grids)


def read_detections(output: np.ndarray, logits: np.ndarray, least: float = DETECTED) -> list[tuple[np.ndarray, float]]:
    """Read what the detector answers: people, the surest first.

    Parameters
    ----------
    output : ndarray, shape (2254, 12)
    logits : ndarray, shape (2254,)
        Of the scores.
    least : float
        Least score of a person.

    Returns
    -------
    list of (ndarray, float)
        The four alignment points, shape (4, 2), in pixels of the input, and the score.
    """
    scores = sigmoid(logits.astype(float))
    kept = np.flatnonzero(scores >= least)
    kept = kept[np.argsort(-scores[kept], kind="stable")]
    values, middles, scores = output[kept].astype(float), anchors()[kept], scores[kept]
    centres, half = values[:, :2] + middles, values[:, 2:4] / 2
    boxes = np.concatenate([centres - half, centres + half], axis=1)
    points = values[:, 4:].reshape(-1, len(ALIGNMENT), 2) + middles[:, None]
    people, left = [], np.arange(len(kept))
    while left.size:
        same = box_iou(boxes[left[:1]], boxes[left])[0] > SAME_PERSON
        same[0] = True
        group = left[same]
        people.append((np.average(points[group], axis=0, weights=scores[group]), float(scores[left[0]])))
        left = left[~same]
    return people


def place_of(points: np.ndarray) -> np.ndarray:
    """Return the box x1, y1, x2, y2 of which a square of `PADDING` boxes is the one that MediaPipe looks at.

    Parameters
    ----------
    points : ndarray, shape (4, 2)
        In the joints of `ALIGNMENT`.
    """
    middle, rim = points[:2]
    half = float(np.linalg.norm(rim - middle)) * ROOM / PADDING
    return np.concatenate([middle - half, middle + half])
