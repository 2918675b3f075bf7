"""Walking as bones over time, and when each foot is on the ground.

The sagittal angles of a leg follow the curves of natural cadence in Winter, *Biomechanics and Motor Control of Human
Movement*, 4th ed., appendix A, read at some ten moments of the cycle. Bones move forward as the foot on the ground
stands still.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import uniform_filter1d

from fosbury.synth.body import ANGLES, ROOT, Body, Bones, pose_bones, rotation, soles

STANCE = 0.62
"""Share of the cycle that a foot is on the ground, from its strike."""
_COLUMNS = (*ROOT, *ANGLES)
_FINE = 4  # steps of the integration between two frames


def _curve(points: list[tuple[float, float]]) -> CubicSpline:
    share, value = np.array(points).T
    return CubicSpline(np.append(share, 1.0), np.append(value, value[0]), bc_type="periodic")


# Degrees by share of the cycle, from the strike of the foot; an ankle is positive where the toes point down.
_HIP = _curve(
    [(0, 28), (0.1, 24), (0.2, 14), (0.3, 3), (0.4, -5), (0.5, -10), (0.6, -4), (0.7, 12), (0.8, 26), (0.9, 31)]
)
_KNEE = _curve(
    [(0, 4), (0.07, 13), (0.15, 18), (0.25, 14), (0.4, 5), (0.5, 11), (0.6, 38), (0.7, 62), (0.8, 48), (0.92, 9)]
)
_ANKLE = _curve([(0, 0), (0.07, 5), (0.2, -3), (0.4, -9), (0.48, -8), (0.6, 17), (0.7, 7), (0.85, -1)])


@dataclass(frozen=True, eq=False)
class Walk:
    """A walk sampled at the frames' times.

    Attributes
    ----------
    bones : Bones
        T time steps in the world; the way leads along x, forward is ``direction``.
    stance : ndarray of bool, shape (T, 2)
        Whether the left and the right foot are on the ground.
    direction : float
        1 or -1.
    """

    bones: Bones
    stance: np.ndarray
    direction: float


def walk(body: Body, rng: np.random.Generator, fps: float, frames: int) -> Walk:
    """Let a person walk straight on.

    Parameters
    ----------
    body : Body
    rng : numpy.random.Generator
    fps : float
    frames : int

    Returns
    -------
    Walk
    """
    cadence, vigour = rng.uniform(0.78, 1.05), rng.uniform(0.8, 1.12)
    start, direction = rng.random(), 1.0 if rng.random() < 0.5 else -1.0
    style = rng.normal(0, 2.0, len(ANGLES))
    steps = np.arange((frames - 1) * _FINE + 1) / (_FINE * fps)
    cycle = start + steps * cadence
    pose = {name: np.zeros(len(steps)) for name in ANGLES}
    swing = np.cos(2 * np.pi * cycle)
    for side, late, sign in (("left", 0.0, 1.0), ("right", 0.5, -1.0)):
        phase = (cycle + late) % 1.0
        pose[f"{side}_hip_flex"] = _HIP(phase) * vigour
        pose[f"{side}_knee"] = 2.0 + _KNEE(phase) * vigour
        pose[f"{side}_ankle"] = _ANKLE(phase) * vigour
        pose[f"{side}_hip_abduct"] = np.full(len(steps), 1.5)
        pose[f"{side}_shoulder_flex"] = -4.0 - 20.0 * sign * swing * vigour
        pose[f"{side}_shoulder_abduct"] = np.full(len(steps), 9.0)
        pose[f"{side}_elbow"] = 22.0 - 8.0 * sign * swing
    angles = np.stack([pose[name] + own for name, own in zip(ANGLES, style, strict=True)], axis=-1)
    for side in ("left", "right"):
        knee = ANGLES.index(f"{side}_knee")
        angles[:, knee] = np.maximum(angles[:, knee], 0.0)
    heading = 0.0 if direction > 0 else 180.0
    turn = rotation("z", heading + 4.0 * swing) @ rotation("x", 3.0 * np.sin(2 * np.pi * cycle))
    bones = pose_bones(body, angles, turn @ rotation("y", np.full(len(steps), 2.0)))
    ground = soles(body, bones)
    shift = np.zeros((len(steps), 3))
    shift[:, 0] = _forward(ground, direction, window=max(3, round(0.08 * fps * _FINE)))
    shift[:, 2] = -uniform_filter1d(ground[..., 2].min(axis=1), max(3, round(0.06 * fps * _FINE)), mode="nearest")
    stance = np.stack([(cycle + late) % 1.0 < STANCE for late in (0.0, 0.5)], axis=-1)
    moved = bones.moved(shift)
    return Walk(Bones(moved.origin[::_FINE], moved.frame[::_FINE]), stance[::_FINE], direction)


def _forward(ground: np.ndarray, direction: float, window: int) -> np.ndarray:
    """Way of the hips, shape (T,), by which the lowest point of the soles stands still."""
    lowest = ground[..., 2].argmin(axis=1)[:-1]
    moves = np.diff(ground[..., 0], axis=0)[np.arange(len(ground) - 1), lowest]
    ahead = np.maximum(-moves * direction, 0.0) * direction
    return np.concatenate([[0.0], np.cumsum(uniform_filter1d(ahead, window, mode="nearest"))])
