"""The jump as bones over time: curved approach, take-off, flight, arch, leg kick, landing; and single upright poses.

The jump is written for a left-footed jumper, who comes from the right (positive x); a right-footed one is its mirror.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline, PchipInterpolator

from fosbury.synth.body import (
    ANGLES,
    ROOT,
    Body,
    Bones,
    centre_of_mass,
    pose_bones,
    rotation,
    soles,
)
from fosbury.synth.figure import Figure

GRAVITY = 9810.0
CONTACT = 0.16  # seconds that the take-off foot is on the ground
MAT_HEIGHT = 700.0
COLUMNS = (*ROOT, *ANGLES)
COLUMN = {name: index for index, name in enumerate(COLUMNS)}


@dataclass(frozen=True, eq=False)
class Jump:
    """A jump sampled at the frames' times.

    Attributes
    ----------
    bones : Bones
        T time steps in the world.
    stage : tuple of str
        ``approach``, ``takeoff`` (from planting the foot to leaving the ground), ``air`` or ``landing`` (from touching
        the mat).
    bar : float
        Height of the bar's middle above the ground, mm.
    """

    bones: Bones
    stage: tuple[str, ...]
    bar: float


def _cycle(points: list[tuple[float, float]]) -> CubicSpline:
    share, value = np.array(points).T
    return CubicSpline(np.append(share, 1.0), np.append(value, value[0]), bc_type="periodic")


# A leg's running cycle from foot strike (0) to the next strike of the same foot (1), degrees; after the sagittal curves
# in Novacheck, "The biomechanics of running", Gait & Posture 7 (1998), figures 4-6, with a sprinter's higher knee.
_HIP = _cycle([(0, 36), (0.15, 12), (0.30, -14), (0.45, -4), (0.62, 38), (0.75, 66), (0.88, 54)])
_KNEE = _cycle([(0, 16), (0.13, 36), (0.30, 14), (0.45, 72), (0.60, 112), (0.75, 88), (0.90, 34)])
_ANKLE = _cycle([(0, -2), (0.14, -18), (0.30, 34), (0.45, 30), (0.65, 8), (0.85, -4)])
_STANCE = 0.30


def gait(cycle: np.ndarray, vigour: np.ndarray | float = 1.0, elbow: float = 90.0) -> np.ndarray:
    """Angles of running.

    Parameters
    ----------
    cycle : ndarray, shape (T,)
        Phase of the left leg in cycles; the right leg is half a cycle away.
    vigour : float or ndarray, shape (T,)
        1 for the approach run, about 0.4 for walking.
    elbow : float
        Mean bend of the elbows, degrees.

    Returns
    -------
    ndarray, shape (T, C)
        Columns as ``COLUMNS``.
    """
    pose = np.zeros((len(cycle), len(COLUMNS)))
    swing = np.cos(2 * np.pi * (cycle - 0.78))
    for side, shift, sign in (("left", 0.0, 1.0), ("right", 0.5, -1.0)):
        phase = (cycle + shift) % 1.0
        arm = -sign * swing
        pose[:, COLUMN[f"{side}_hip_flex"]] = _HIP(phase) * vigour
        pose[:, COLUMN[f"{side}_knee"]] = 6 + _KNEE(phase) * vigour
        pose[:, COLUMN[f"{side}_ankle"]] = _ANKLE(phase) * vigour
        pose[:, COLUMN[f"{side}_hip_abduct"]] = 2.0
        pose[:, COLUMN[f"{side}_shoulder_flex"]] = vigour * (-8 + 46 * arm)
        pose[:, COLUMN[f"{side}_shoulder_abduct"]] = 12.0
        pose[:, COLUMN[f"{side}_shoulder_turn"]] = -14.0
        pose[:, COLUMN[f"{side}_elbow"]] = elbow + 18 * arm * vigour
    pose[:, COLUMN["spine_twist"]] = 12 * swing * vigour
    pose[:, COLUMN["neck_twist"]] = -10 * swing * vigour
    pose[:, COLUMN["spine_flex"]] = 4.0
    pose[:, COLUMN["lean"]] = 6.0 * vigour
    return pose


def _row(**angles: float) -> np.ndarray:
    """Make a key pose; ``hip``, ``knee``, ... without a side set both sides."""
    row = np.zeros(len(COLUMNS))
    for name, value in angles.items():
        for column in (name,) if name in COLUMN else (f"left_{name}", f"right_{name}"):
            row[COLUMN[column]] = value
    return row


# Key poses of the jump: share of the flight (negative: seconds before leaving the ground, positive above 1: seconds
# after touching the mat, plus 1) and angles. Yaw is a share of the turn from the run to the back facing the bar.
_KEYS: tuple[tuple[float, np.ndarray], ...] = (
    (
        -0.16,
        _row(lean=-13, roll=-13, left_hip_flex=40, left_knee=10, left_ankle=-2, right_hip_flex=-4, right_knee=80)
        + _row(right_ankle=20, left_shoulder_flex=-38, right_shoulder_flex=-30, elbow=52, shoulder_abduct=16),
    ),
    (
        -0.08,
        _row(lean=-5, roll=-6, left_hip_flex=14, left_knee=34, left_ankle=-16, right_hip_flex=48, right_knee=108)
        + _row(left_shoulder_flex=15, right_shoulder_flex=40, elbow=82, shoulder_abduct=16, yaw=0.03),
    ),
    (
        0.0,
        _row(lean=2, roll=3, left_hip_flex=-12, left_knee=5, left_ankle=46, right_hip_flex=88, right_knee=102)
        + _row(left_shoulder_flex=112, right_shoulder_flex=148, elbow=58, shoulder_abduct=18, yaw=0.10)
        + _row(neck_twist=-18, spine_flex=-4, right_ankle=8),
    ),
    (
        0.14,
        _row(pitch=10, yaw=0.38, left_hip_flex=-10, left_knee=24, ankle=42, right_hip_flex=70, right_knee=94)
        + _row(left_shoulder_flex=100, right_shoulder_flex=158, elbow=42, shoulder_abduct=24, spine_flex=-8)
        + _row(neck_twist=-24, hip_abduct=5),
    ),
    (
        0.28,
        _row(pitch=28, yaw=0.74, left_hip_flex=-4, left_knee=46, ankle=38, right_hip_flex=36, right_knee=86)
        + _row(left_shoulder_flex=52, right_shoulder_flex=126, elbow=32, shoulder_abduct=32, spine_flex=-20)
        + _row(neck_twist=-20, neck_flex=-6, hip_abduct=9),
    ),
    (
        0.40,
        _row(pitch=58, yaw=0.96, left_hip_flex=-14, right_hip_flex=-2, left_knee=70, right_knee=80, ankle=34)
        + _row(left_shoulder_flex=8, right_shoulder_flex=40, elbow=24, shoulder_abduct=38, spine_flex=-44)
        + _row(neck_twist=-8, neck_flex=-22, hip_abduct=12),
    ),
    (
        0.50,
        _row(pitch=84, yaw=1.0, left_hip_flex=-25, right_hip_flex=-22, knee=96, ankle=30, spine_flex=-58)
        + _row(shoulder_flex=-8, elbow=18, shoulder_abduct=38, neck_flex=-30, hip_abduct=13),
    ),
    (
        0.59,
        _row(pitch=101, yaw=1.02, hip_flex=-14, knee=98, ankle=28, spine_flex=-46, shoulder_flex=-6, elbow=16)
        + _row(shoulder_abduct=40, neck_flex=-12, hip_abduct=13),
    ),
    (
        0.68,
        _row(pitch=113, yaw=1.02, hip_flex=34, knee=80, ankle=24, spine_flex=-18, shoulder_flex=4, elbow=16)
        + _row(shoulder_abduct=48, neck_flex=14, hip_abduct=11),
    ),
    (
        0.78,
        _row(pitch=119, yaw=1.03, hip_flex=72, knee=34, ankle=18, spine_flex=4, shoulder_flex=12, elbow=18)
        + _row(shoulder_abduct=58, neck_flex=30, hip_abduct=9),
    ),
    (
        0.88,
        _row(pitch=122, yaw=1.03, hip_flex=82, knee=16, ankle=18, spine_flex=11, shoulder_flex=16, elbow=18)
        + _row(shoulder_abduct=64, neck_flex=35, hip_abduct=9),
    ),
    (
        1.0,
        _row(pitch=125, yaw=1.03, hip_flex=88, knee=12, ankle=16, spine_flex=15, shoulder_flex=14, elbow=20)
        + _row(shoulder_abduct=72, neck_flex=38, hip_abduct=9),
    ),
    (
        1.14,
        _row(pitch=134, yaw=1.04, hip_flex=100, knee=22, ankle=16, spine_flex=24, shoulder_flex=10, elbow=26)
        + _row(shoulder_abduct=78, neck_flex=42, hip_abduct=11),
    ),
    (
        1.60,
        _row(pitch=140, yaw=1.04, hip_flex=108, knee=48, ankle=12, spine_flex=28, shoulder_flex=10, elbow=34)
        + _row(shoulder_abduct=74, neck_flex=40, hip_abduct=14),
    ),
)


def _styled_keys(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Key times and poses of one athlete's way to jump."""
    times = np.array([time for time, _ in _KEYS])
    poses = np.stack([pose for _, pose in _KEYS])
    steady = rng.normal(0, 1.0, len(COLUMNS))
    wobble = rng.normal(0, 1.0, poses.shape)
    size = np.full(len(COLUMNS), 3.0)
    for name, index in COLUMN.items():
        if "shoulder" in name or "elbow" in name:
            size[index] = 8.0
        elif "knee" in name or "hip_flex" in name:
            size[index] = 4.5
        elif name in ROOT:
            size[index] = 0.0 if name == "yaw" else 2.0
    poses = poses + size * (0.8 * steady + 0.45 * wobble)
    air = (times > 0.05) & (times <= 1.0)
    arch = np.exp(-(((times - 0.50) / 0.15) ** 2)) * air
    poses[:, COLUMN["spine_flex"]] += arch * rng.uniform(-12, 10)
    for side in ("left", "right"):
        poses[:, COLUMN[f"{side}_knee"]] += arch * rng.uniform(-25, 15)
    arms = rng.random()
    if arms < 0.25:  # one arm reaches ahead over the bar
        poses[:, COLUMN["right_shoulder_flex"]] += arch * rng.uniform(70, 130)
    elif arms < 0.40:  # both arms beside the head
        for side in ("left", "right"):
            poses[:, COLUMN[f"{side}_shoulder_flex"]] += arch * rng.uniform(90, 140)
    elif arms < 0.60:  # hands on the hips' sides
        for side in ("left", "right"):
            poses[:, COLUMN[f"{side}_shoulder_abduct"]] -= arch * 20
    if rng.random() < 0.3:  # single-arm action at take-off
        poses[times <= 0.05, COLUMN["left_shoulder_flex"]] *= rng.uniform(0.2, 0.6)
    for side in ("left", "right"):
        for name, low, high in (("elbow", 0, 150), ("knee", 2, 140)):
            column = COLUMN[f"{side}_{name}"]
            poses[:, column] = np.clip(poses[:, column], low, high)
    return times, poses


def _orientation(pose: np.ndarray, heading: np.ndarray | float, turn: float, skew: float) -> np.ndarray:
    """Pelvis orientation: heading and lean of the runner, then the backward rotation about the bar."""
    yaw = heading + pose[:, COLUMN["yaw"]] * turn
    upright = rotation("z", yaw) @ rotation("x", pose[:, COLUMN["roll"]]) @ rotation("y", pose[:, COLUMN["lean"]])
    return rotation("z", skew) @ rotation("x", -pose[:, COLUMN["pitch"]]) @ rotation("z", -skew) @ upright


def jump(body: Body, figure: Figure, rng: np.random.Generator, fps: float, *, approach: int, landing: int) -> Jump:
    """Let a left-footed athlete jump.

    Parameters
    ----------
    body : Body
    figure : Figure
        Its skin tells when the athlete touches the mat and how high the bar may lie.
    rng : numpy.random.Generator
    fps : float
    approach : int
        Frames before the take-off foot is planted.
    landing : int
        Frames after the mat is touched.

    Returns
    -------
    Jump
    """
    key_times, keys = _styled_keys(rng)
    rise = rng.uniform(0.82, 1.06) * (body.stature / 1850) * (850.0 if body.female else 980.0)
    heading = rng.uniform(138.0, 152.0)
    skew = rng.uniform(-16.0, 12.0)
    turn = 270.0 + skew - heading
    radius, run_speed = rng.uniform(7500, 11000), rng.uniform(5800, 6900)
    across, along = rng.uniform(1750, 2050), -rng.uniform(1700, 2600)
    take_off = np.array([rng.uniform(500, 1000), -rng.uniform(760, 900)])
    cadence, vigour = rng.uniform(1.95, 2.25), rng.uniform(0.92, 1.08)
    up_speed = np.sqrt(2 * GRAVITY * rise)
    start_com = _com_at_take_off(body, keys, key_times, heading, turn, skew)
    fall = max(rise + start_com - (MAT_HEIGHT + 330.0), 200.0)
    flight = up_speed / GRAVITY + np.sqrt(2 * fall / GRAVITY)
    seconds = np.where(key_times < 0, key_times, np.where(key_times <= 1, key_times * flight, flight + key_times - 1))
    curve = PchipInterpolator(seconds, keys, axis=0)

    def posed(times: np.ndarray) -> tuple[Bones, np.ndarray]:
        pose = curve(np.clip(times, seconds[0], seconds[-1]))
        before = np.minimum(times + CONTACT, 0.0)
        cycle = (times + CONTACT) * cadence
        run = gait(cycle, vigour)
        run[:, COLUMN["roll"]] = -np.degrees(np.arctan2(run_speed**2 / radius, GRAVITY)) * 0.62
        share = np.clip(-before / 0.12, 0, 1)[:, None]
        share = share**2 * (3 - 2 * share)
        pose = share * run + (1 - share) * pose
        arc = np.degrees(-before * run_speed / radius)
        return pose_bones(body, pose[:, len(ROOT) :], _orientation(pose, heading - arc, turn, skew)), cycle

    def grounded(times: np.ndarray) -> Bones:
        """Bones of the run and the take-off, feet on the ground."""
        bones, cycle = posed(times)
        before = -np.minimum(times + CONTACT, 0.0)
        angle = np.radians(heading) - before * run_speed / radius
        path = radius * np.stack(
            [np.sin(angle) - np.sin(np.radians(heading)), np.cos(np.radians(heading)) - np.cos(angle)], axis=-1
        )
        contact = np.clip(times, -CONTACT, 0.0)
        speed = np.array([along, across]) * 1.15
        step = ((2 * cycle) % 1.0) / 2.0
        hop = np.where(
            (step > _STANCE) & (times < -CONTACT), 45.0 * np.sin(np.pi * (step - _STANCE) / (0.5 - _STANCE)), 0.0
        )
        shift = np.zeros((len(times), 3))
        shift[:, :2] = take_off + contact[:, None] * speed + path
        shift[:, 2] = hop - soles(body, bones)[..., 2].min(axis=1)
        return bones.moved(shift)

    origin = centre_of_mass(body, grounded(np.zeros(1)))[0]

    def flying(times: np.ndarray) -> Bones:
        """Bones in the air; the centre of mass falls freely."""
        bones, _ = posed(times)
        path = origin + np.stack([along * times, across * times, up_speed * times - GRAVITY * times**2 / 2], axis=-1)
        return bones.moved(path - centre_of_mass(body, bones))

    grid = np.arange(0.0, flight + 0.3, 0.01)
    fine = flying(grid)
    skin = np.stack([figure.vertices(fine, i) for i in range(len(grid))])
    on_mat = (skin[..., 2] < MAT_HEIGHT + 5) & (skin[..., 1] > 60)
    touch = int(np.argmax(on_mat.any(axis=1))) if on_mat.any() else len(grid) - 1
    over_bar = (np.abs(skin[: touch + 1, :, 1]) < 45) & (grid[: touch + 1, None] > 0.1)
    bar = float(skin[: touch + 1, :, 2][over_bar].min()) - rng.uniform(35, 80)

    offset = rng.uniform(0, 1 / fps)
    before = np.arange(-approach, 0) / fps - CONTACT - offset
    after = np.arange(before[-1] + 1 / fps, grid[touch] + (landing + 0.5) / fps, 1 / fps)
    times = np.concatenate([before, after])
    stage = tuple(
        "approach" if t < -CONTACT else "takeoff" if t <= 0 else "air" if t < grid[touch] else "landing" for t in times
    )
    ground, air = times <= 0, (times > 0) & (times < grid[touch])
    parts = [grounded(times[ground]), flying(times[air])]
    late = times[times >= grid[touch]]
    if len(late):
        parts.append(_landed(body, figure, posed(late)[0], fine, grid, touch, late, (along, across)))
    bones = Bones(np.concatenate([p.origin for p in parts]), np.concatenate([p.frame for p in parts]))
    return Jump(bones, stage, bar)


def _com_at_take_off(
    body: Body, keys: np.ndarray, key_times: np.ndarray, heading: np.ndarray | float, turn: float, skew: float
) -> float:
    pose = keys[[int(np.argmin(np.abs(key_times)))]]
    bones = pose_bones(body, pose[:, len(ROOT) :], _orientation(pose, heading, turn, skew))
    return float(centre_of_mass(body, bones)[0, 2] - soles(body, bones)[..., 2].min())


def _landed(
    body: Body,
    figure: Figure,
    bones: Bones,
    fine: Bones,
    grid: np.ndarray,
    touch: int,
    times: np.ndarray,
    speed: tuple[float, float],
) -> Bones:
    """Let the athlete sink into the mat: the lowest skin goes down and comes half back, the drift dies away."""
    since = times - grid[touch]
    lowest = np.array([figure.vertices(bones, i)[:, 2].min() for i in range(len(times))])
    depth = 130 * (1 - np.exp(-since / 0.05)) - 60 * (1 - np.exp(-np.maximum(since - 0.1, 0) / 0.12))
    contact = centre_of_mass(body, Bones(fine.origin[[touch]], fine.frame[[touch]]))[0]
    drift = 0.11 * (1 - np.exp(-since / 0.11))
    com = centre_of_mass(body, bones)
    shift = np.zeros((len(times), 3))
    shift[:, 0] = contact[0] + 0.8 * speed[0] * drift - com[:, 0]
    shift[:, 1] = contact[1] + 0.8 * speed[1] * drift - com[:, 1]
    shift[:, 2] = MAT_HEIGHT - depth - lowest
    return bones.moved(shift)


def run(body: Body, rng: np.random.Generator, fps: float, frames: int) -> Bones:
    """Make an approach run on its own, feet on the ground: upright clips."""
    times = np.arange(-frames, 0) / fps
    cycle, vigour = times * rng.uniform(1.9, 2.3) + rng.random(), rng.uniform(0.85, 1.1)
    radius, speed = rng.uniform(8000, 14000), rng.uniform(5200, 6800)
    pose = gait(cycle, vigour)
    pose += rng.normal(0, 2.5, len(COLUMNS))
    pose[:, COLUMN["roll"]] = -np.degrees(np.arctan2(speed**2 / radius, GRAVITY)) * 0.6
    pose[:, COLUMN["yaw"]] = 0.0
    heading = np.radians(rng.uniform(138, 152)) + times * speed / radius
    bones = pose_bones(body, pose[:, len(ROOT) :], _orientation(pose, np.degrees(heading), 0.0, 0.0))
    step = ((2 * cycle) % 1.0) / 2.0
    hop = np.where(step > _STANCE, 45.0 * np.sin(np.pi * (step - _STANCE) / (0.5 - _STANCE)), 0.0)
    velocity = speed * np.stack([np.cos(heading), np.sin(heading)], axis=-1)
    shift = np.zeros((frames, 3))
    shift[:, :2] = np.cumsum(velocity, axis=0) / fps
    shift[:, :2] += np.array([600.0, -1500.0]) - shift[-1, :2]
    shift[:, 2] = hop - soles(body, bones)[..., 2].min(axis=1)
    return bones.moved(shift)


def upright_pose(body: Body, rng: np.random.Generator) -> Bones:
    """One upright pose on the spot, facing anywhere: running, walking, standing, or leaving the ground.

    Parameters
    ----------
    body : Body
    rng : numpy.random.Generator

    Returns
    -------
    Bones
        One time step, lowest sole at height 0.
    """
    kind = rng.random()
    if kind < 0.55:
        pose = gait(rng.random(1), rng.uniform(0.7, 1.15))
    elif kind < 0.70:
        pose = gait(rng.random(1), rng.uniform(0.25, 0.5), elbow=rng.uniform(10, 40))
    elif kind < 0.85:
        share = rng.uniform(0, 3)
        low = int(share)
        rows = np.stack([pose for _, pose in _KEYS[:4]])
        pose = ((1 - share + low) * rows[low] + (share - low) * rows[low + 1])[None]
        pose[:, COLUMN["pitch"]] = 0
        if rng.random() < 0.5:
            swap = [COLUMN[c.replace("left", "#").replace("right", "left").replace("#", "right")] for c in COLUMNS]
            pose = pose[:, swap]
    else:
        pose = gait(rng.random(1), 0.1, elbow=12)
        if rng.random() < 0.6:
            for side in ("left", "right"):
                pose[:, COLUMN[f"{side}_shoulder_flex"]] = rng.uniform(-20, 175)
                pose[:, COLUMN[f"{side}_shoulder_abduct"]] = rng.uniform(5, 95)
                pose[:, COLUMN[f"{side}_elbow"]] = rng.uniform(5, 130)
    pose = pose + rng.normal(0, 5.0, len(COLUMNS))
    arms = [i for name, i in COLUMN.items() if "shoulder" in name or "elbow" in name]
    pose[:, arms] += rng.normal(0, 12.0, len(arms))
    for name in ("neck_twist", "neck_flex"):
        pose[:, COLUMN[name]] += rng.normal(0, 14.0)
    for side in ("left", "right"):
        pose[:, COLUMN[f"{side}_knee"]] = np.clip(pose[:, COLUMN[f"{side}_knee"]], 2, 135)
        pose[:, COLUMN[f"{side}_elbow"]] = np.clip(pose[:, COLUMN[f"{side}_elbow"]], 2, 145)
    pose[:, COLUMN["yaw"]] = 0.0
    bones = pose_bones(body, pose[:, len(ROOT) :], _orientation(pose, rng.uniform(0, 360), 0.0, 0.0))
    shift = np.zeros((1, 3))
    shift[:, 2] = -soles(body, bones)[..., 2].min(axis=1)
    return bones.moved(shift)
