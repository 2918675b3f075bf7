"""Anthropometry and forward kinematics of the athlete.

Lengths are millimetres, angles degrees. The world's x runs along the bar, y across it towards the mat, z up. Every
bone has its own frame: x forward, y to the athlete's left, z up when the athlete stands straight; arms and legs hang
along -z.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BONES = (
    "pelvis",
    "lumbar",
    "chest",
    "neck",
    "head",
    *(
        f"{side}_{bone}"
        for side in ("left", "right")
        for bone in ("upper_arm", "forearm", "hand", "thigh", "shank", "foot")
    ),
)
BONE = {name: index for index, name in enumerate(BONES)}
MIRROR_BONE = np.array([BONE[n.replace("left", "#").replace("right", "left").replace("#", "right")] for n in BONES])

ROOT = ("yaw", "pitch", "lean", "roll")
ANGLES = (
    "spine_flex",
    "spine_side",
    "spine_twist",
    "neck_flex",
    "neck_side",
    "neck_twist",
    *(
        f"{side}_{angle}"
        for side in ("left", "right")
        for angle in (
            "shoulder_flex",
            "shoulder_abduct",
            "shoulder_turn",
            "elbow",
            "wrist",
            "hip_flex",
            "hip_abduct",
            "hip_turn",
            "knee",
            "ankle",
        )
    ),
)

# Joint of COCO17 -> bone at whose origin it lies; the face lies on the head.
JOINT_BONES = (
    *("head",) * 5,
    *("left_upper_arm", "right_upper_arm", "left_forearm", "right_forearm", "left_hand", "right_hand"),
    *("left_thigh", "right_thigh", "left_shank", "right_shank", "left_foot", "right_foot"),
)

# Segment masses as a share of the body's, and where along the segment its centre of mass lies
# (Winter, Biomechanics and Motor Control of Human Movement, 4th ed., table 4.1; the trunk's .497 is split in three).
MASS = {
    "pelvis": (0.142, 0.50),
    "lumbar": (0.139, 0.50),
    "chest": (0.216, 0.50),
    "neck": (0.020, 0.50),
    "head": (0.061, 0.60),
    "upper_arm": (0.028, 0.436),
    "forearm": (0.016, 0.430),
    "hand": (0.006, 0.506),
    "thigh": (0.100, 0.433),
    "shank": (0.0465, 0.433),
    "foot": (0.0145, 0.500),
}


def rotation(axis: str, degrees: np.ndarray | float) -> np.ndarray:
    """Rotation matrices about one axis.

    Parameters
    ----------
    axis : {"x", "y", "z"}
    degrees : array_like, shape (...,)

    Returns
    -------
    ndarray, shape (..., 3, 3)
    """
    radians = np.radians(np.asarray(degrees, dtype=float))
    cos, sin = np.cos(radians), np.sin(radians)
    matrix = np.zeros((*radians.shape, 3, 3))
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    fixed = "xyz".index(axis)
    matrix[..., fixed, fixed] = 1.0
    matrix[..., first, first] = matrix[..., second, second] = cos
    matrix[..., first, second], matrix[..., second, first] = -sin, sin
    return matrix


@dataclass(frozen=True)
class Body:
    """Proportions of one athlete.

    Attributes
    ----------
    stature : float
        Millimetres.
    female : bool
    girth : float
        Thickness of limbs and trunk against the average, about 0.85-1.15.
    shoulder, hip : float
        Half the distance between the shoulder (hip) joint centres, as a share of stature.
    """

    stature: float = 1800.0
    female: bool = False
    girth: float = 1.0
    shoulder: float = 0.100
    hip: float = 0.055

    # Winter, figure 4.1: shares of stature.
    upper_arm, forearm, hand, thigh, shank, ankle, foot = 0.186, 0.146, 0.108, 0.245, 0.246, 0.039, 0.152
    shoulder_to_hip = 0.288
    pelvis_share, lumbar_share = 0.24, 0.36
    neck_base, neck_length = 0.011, 0.047

    @classmethod
    def random(cls, rng: np.random.Generator) -> Body:
        """Draw an athlete: women 1.55-1.93 m, men 1.65-2.05 m, high jumpers' lean build."""
        female = bool(rng.random() < 0.5)
        low, high = (1550.0, 1930.0) if female else (1650.0, 2050.0)
        return cls(
            stature=round(float(low + (high - low) * rng.beta(2.5, 2.0))),
            female=female,
            girth=float(rng.uniform(0.88, 1.10) * (0.95 if female else 1.0)),
            shoulder=float(rng.normal(0.096 if female else 0.103, 0.002)),
            hip=float(rng.normal(0.057 if female else 0.053, 0.0015)),
        )

    @property
    def trunk(self) -> float:
        """Height of the shoulder line above the hip line, mm, when the spine is straight."""
        return self.stature * float(np.sqrt(self.shoulder_to_hip**2 - (self.shoulder - self.hip) ** 2))

    def length(self, bone: str) -> float:
        """Length of a bone in mm, by its name without the side."""
        trunk = {
            "pelvis": self.pelvis_share,
            "lumbar": self.lumbar_share,
            "chest": 1 - self.pelvis_share - self.lumbar_share,
        }
        if bone in trunk:
            return self.trunk * trunk[bone]
        share = {"neck": self.neck_length, "head": 0.124}.get(bone)
        return self.stature * (getattr(self, bone) if share is None else share)

    @property
    def face(self) -> np.ndarray:
        """Nose, left eye, right eye, left ear, right ear in the head's frame, shape (5, 3), mm."""
        unit = self.stature / 1800.0
        return unit * np.array([[110.0, 0, 88], [88, 33, 118], [88, -33, 118], [-4, 79, 100], [-4, -79, 100]])


@dataclass(frozen=True, eq=False)
class Bones:
    """Posed bones: ``origin`` (T, B, 3) in mm and ``frame`` (T, B, 3, 3) whose columns are forward, left, up."""

    origin: np.ndarray
    frame: np.ndarray

    def moved(self, shift: np.ndarray) -> Bones:
        """Translate every time step by ``shift``, shape (T, 3)."""
        return Bones(self.origin + shift[:, None], self.frame)

    def turned(self, rotations: np.ndarray) -> Bones:
        """Rotate every time step about the world's origin by ``rotations``, shape (T, 3, 3)."""
        return Bones(
            np.einsum("tij,tbj->tbi", rotations, self.origin),
            np.einsum("tij,tbjk->tbik", rotations, self.frame),
        )

    def mirrored(self) -> Bones:
        """Reflect in the plane x = 0: left limbs become right limbs, a left-footed jump a right-footed one."""
        origin = self.origin[:, MIRROR_BONE] * [-1.0, 1.0, 1.0]
        world, local = np.diag([-1.0, 1.0, 1.0]), np.diag([1.0, -1.0, 1.0])
        return Bones(origin, world @ self.frame[:, MIRROR_BONE] @ local)


def pose_bones(body: Body, angles: np.ndarray, rotations: np.ndarray) -> Bones:
    """Forward kinematics with the middle of the hips at the origin.

    Parameters
    ----------
    body : Body
    angles : ndarray, shape (T, A)
        Degrees, columns as ``ANGLES``. Flexion is positive forward (knees backward), abduction away from the body.
    rotations : ndarray, shape (T, 3, 3)
        Orientation of the pelvis.

    Returns
    -------
    Bones
    """
    angle = dict(zip(ANGLES, np.asarray(angles, dtype=float).T, strict=True))
    count = len(rotations)
    origin, frame = np.zeros((count, len(BONES), 3)), np.zeros((count, len(BONES), 3, 3))

    def put(bone: str, parent: str, offset: tuple[float, float, float], turn: np.ndarray) -> None:
        up = BONE[parent]
        origin[:, BONE[bone]] = origin[:, up] + frame[:, up] @ np.array(offset)
        frame[:, BONE[bone]] = frame[:, up] @ turn

    def bend(flex: np.ndarray, side: np.ndarray, twist: np.ndarray) -> np.ndarray:
        return rotation("z", twist) @ rotation("y", flex) @ rotation("x", side)

    frame[:, BONE["pelvis"]] = rotations
    half_spine = bend(*(angle[f"spine_{k}"] / 2 for k in ("flex", "side", "twist")))
    half_neck = bend(*(angle[f"neck_{k}"] / 2 for k in ("flex", "side", "twist")))
    put("lumbar", "pelvis", (0, 0, body.length("pelvis")), half_spine)
    put("chest", "lumbar", (0, 0, body.length("lumbar")), half_spine)
    put("neck", "chest", (0, 0, body.length("chest") + body.neck_base * body.stature), half_neck)
    put("head", "neck", (0, 0, body.length("neck")), half_neck)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        shoulder = (
            rotation("y", -angle[f"{side}_shoulder_flex"])
            @ rotation("x", sign * angle[f"{side}_shoulder_abduct"])
            @ rotation("z", sign * angle[f"{side}_shoulder_turn"])
        )
        hip = (
            rotation("y", -angle[f"{side}_hip_flex"])
            @ rotation("x", sign * angle[f"{side}_hip_abduct"])
            @ rotation("z", sign * angle[f"{side}_hip_turn"])
        )
        put(f"{side}_upper_arm", "chest", (0, sign * body.shoulder * body.stature, body.length("chest")), shoulder)
        put(
            f"{side}_forearm",
            f"{side}_upper_arm",
            (0, 0, -body.length("upper_arm")),
            rotation("y", -angle[f"{side}_elbow"]),
        )
        put(
            f"{side}_hand",
            f"{side}_forearm",
            (0, 0, -body.length("forearm")),
            rotation("y", -angle[f"{side}_wrist"]),
        )
        put(f"{side}_thigh", "pelvis", (0, sign * body.hip * body.stature, 0), hip)
        put(
            f"{side}_shank",
            f"{side}_thigh",
            (0, 0, -body.length("thigh")),
            rotation("y", angle[f"{side}_knee"]),
        )
        put(
            f"{side}_foot",
            f"{side}_shank",
            (0, 0, -body.length("shank")),
            rotation("y", angle[f"{side}_ankle"]),
        )
    return Bones(origin, frame)


def joints(body: Body, bones: Bones) -> np.ndarray:
    """COCO17 joints in the world.

    Returns
    -------
    ndarray, shape (T, 17, 3)
        Millimetres.
    """
    points = bones.origin[:, [BONE[name] for name in JOINT_BONES]].copy()
    head = BONE["head"]
    points[:, :5] = bones.origin[:, None, head] + np.einsum("tij,kj->tki", bones.frame[:, head], body.face)
    return points


def centre_of_mass(body: Body, bones: Bones) -> np.ndarray:
    """Whole-body centre of mass, shape (T, 3), from Winter's segment masses."""
    total, weight = np.zeros((len(bones.origin), 3)), 0.0
    for name, index in BONE.items():
        kind = name.removeprefix("left_").removeprefix("right_")
        mass, along = MASS[kind]
        reach = body.length(kind) * along
        local = {"foot": (reach * 0.5, 0, -20.0)}.get(
            kind, (0, 0, reach if kind in ("pelvis", "lumbar", "chest", "neck", "head") else -reach)
        )
        total += mass * (bones.origin[:, index] + bones.frame[:, index] @ np.array(local, dtype=float))
        weight += mass
    return total / weight


def soles(body: Body, bones: Bones) -> np.ndarray:
    """Heel and toe points of both feet, shape (T, 4, 3): what stands on the ground."""
    depth, length = body.ankle * body.stature, body.foot * body.stature
    local = np.array([[-0.22 * length, 0, -depth], [0.72 * length, 0, -depth]])
    feet = [BONE["left_foot"], BONE["right_foot"]]
    points = bones.origin[:, feet, None] + np.einsum("tfij,kj->tfki", bones.frame[:, feet], local)
    return points.reshape(len(points), 4, 3)
