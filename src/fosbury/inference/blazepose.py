"""BlazePose (Bazarevsky et al. 2020): its points by name, what its landmark network and its detector answer.

The constants are those of MediaPipe 0.10.14 (``pose_landmark``, ``pose_detection``), whose files these networks are.
Nothing here runs a network.
"""

from __future__ import annotations

import numpy as np

from fosbury.inference.landmarks import Answer
from fosbury.skeleton import Skeleton

LICENCE = "Apache-2.0"
INPUT = (256, 256)
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


def read_answer(output: np.ndarray, person: np.ndarray) -> Answer:
    """Read what the landmark network answers.

    Parameters
    ----------
    output : ndarray, shape (B, 195)
        For each of 39 points x, y, z in pixels of the input, and the logits of being visible and of being in the
        picture.
    person : ndarray, shape (B, 1)
        How likely the square shows a person.

    Returns
    -------
    points : ndarray, shape (B, 35, 2)
        In the joints of `SKELETON`.
    confidence : ndarray, shape (B, 35)
    score : ndarray, shape (B,)
        How likely the square shows a person.
    """
    values = output.reshape(len(output), POINTS, VALUES)[:, : len(LANDMARKS)].astype(float)
    points, confidence = values[..., :2], sigmoid(values[..., 3]) * sigmoid(values[..., 4])
    joints = np.concatenate([points, composed(points)], axis=1)
    sure = np.concatenate([confidence, _composed_confidence(confidence)], axis=1)
    return joints, sure, np.clip(person.reshape(-1).astype(float), 0.0, 1.0)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """From a logit to a share in [0, 1]."""
    return 1 / (1 + np.exp(-np.clip(logits, -100, 100)))
