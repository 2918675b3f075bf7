"""A pinhole camera that stands still, turns after the athlete, and zooms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Camera:
    """One frame's camera.

    Attributes
    ----------
    place : ndarray, shape (3,)
        Millimetres.
    pan, tilt, roll : float
        Degrees: azimuth of the line of sight (from x to y), its elevation, and the turn of the picture.
    focal : float
        Pixels.
    width, height : int
        Pixels of the picture.
    """

    place: np.ndarray
    pan: float
    tilt: float
    roll: float
    focal: float
    width: int
    height: int

    @property
    def axes(self) -> np.ndarray:
        """Rows: right, down and forward in the world, shape (3, 3)."""
        pan, tilt, roll = np.radians([self.pan, self.tilt, self.roll])
        forward = np.array([np.cos(pan) * np.cos(tilt), np.sin(pan) * np.cos(tilt), np.sin(tilt)])
        right = np.array([np.sin(pan), -np.cos(pan), 0.0])
        down = np.cross(forward, right)
        return np.stack(
            [np.cos(roll) * right + np.sin(roll) * down, np.cos(roll) * down - np.sin(roll) * right, forward]
        )

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Project world points.

        Parameters
        ----------
        points : ndarray, shape (..., 3)

        Returns
        -------
        pixels : ndarray, shape (..., 2)
            In the convention of :mod:`fosbury.pose`: pixel i covers [i, i + 1).
        depth : ndarray, shape (...,)
            Distance along the line of sight, mm.
        """
        seen = (np.asarray(points, dtype=float) - self.place) @ self.axes.T
        depth = seen[..., 2]
        scale = self.focal / np.maximum(depth, 100.0)
        return seen[..., :2] * scale[..., None] + [self.width / 2, self.height / 2], depth


def aim(place: np.ndarray, target: np.ndarray) -> tuple[float, float]:
    """Pan and tilt in degrees that bring ``target`` to the middle of the picture."""
    x, y, z = np.asarray(target, dtype=float) - place
    return float(np.degrees(np.arctan2(y, x))), float(np.degrees(np.arctan2(z, np.hypot(x, y))))


VIEWS = {  # azimuth of the camera as seen from the bar's middle, degrees; 270 is the side of the approach
    "side": (-12.0, 14.0),
    "oblique": (-62.0, -16.0),
    "approach": (-84.0, -64.0),
    "behind": (22.0, 52.0),
}


def follow(
    targets: np.ndarray,
    size: tuple[int, int],
    stature: float,
    rng: np.random.Generator,
    view: str | None = None,
) -> tuple[Camera, ...]:
    """Cameras that follow a moving athlete from one place.

    Parameters
    ----------
    targets : ndarray, shape (T, 3)
        The middle of the athlete, mm.
    size : (int, int)
        Width and height of the picture in pixels.
    stature : float
        Millimetres; the athlete fills 45-66 % of the picture's height when upright.
    rng : numpy.random.Generator
    view : str, optional
        One of ``VIEWS``; drawn by chance where None.

    Returns
    -------
    tuple of Camera
    """
    width, height = size
    view = view or ("side", "side", "oblique", "oblique", "approach", "behind")[rng.integers(6)]
    azimuth = np.radians(rng.uniform(*VIEWS[view]))
    away = rng.uniform(7000, 15000)
    side = 1.0 if rng.random() < 0.5 else -1.0
    place = np.array([side * away * np.cos(azimuth), away * np.sin(azimuth), rng.uniform(1000, 2100)])
    smooth = _smooth(targets, 5)
    share = rng.uniform(0.45, 0.66)
    distance = np.linalg.norm(_smooth(targets, 15) - place, axis=1)
    focal = share * min(width, height) * distance / stature
    steps = np.arange(len(targets))
    shake = sum(
        rng.normal(0, 0.10 / k, (2, 1)) * np.sin(2 * np.pi * (k * steps / 23.0 + rng.random((2, 1)))) for k in (1, 2, 4)
    )
    off = rng.normal(0, 0.03, 2) * height
    roll = rng.normal(0, 1.5)
    cameras = []
    for index, target in enumerate(smooth):
        pan, tilt = aim(place, target)
        pan += np.degrees(off[0] / focal[index]) + shake[0, index] * 4
        tilt += np.degrees(off[1] / focal[index]) + shake[1, index] * 3
        cameras.append(Camera(place, pan, tilt, roll, float(focal[index]), width, height))
    return tuple(cameras)


def snap(
    target: np.ndarray,
    size: tuple[int, int],
    stature: float,
    rng: np.random.Generator,
    share: tuple[float, float] = (0.42, 0.88),
) -> Camera:
    """A camera for a single picture, from anywhere around the athlete, with varied size and place in the frame.

    ``share`` is the range of the stature's share of the picture's smaller side.
    """
    width, height = size
    azimuth, away = rng.uniform(0, 2 * np.pi), rng.uniform(4000, 14000)
    place = np.array([target[0] + away * np.cos(azimuth), target[1] + away * np.sin(azimuth), rng.uniform(500, 2600)])
    focal = rng.uniform(*share) * min(width, height) * np.linalg.norm(target - place) / stature
    pan, tilt = aim(place, target)
    pan += np.degrees(rng.normal(0, 0.10) * width / focal)
    tilt += np.degrees(rng.normal(0, 0.06) * height / focal)
    return Camera(place, pan, tilt, float(rng.normal(0, 4.0)), float(focal), width, height)


def _smooth(values: np.ndarray, window: int) -> np.ndarray:
    kernel = np.hanning(2 * window + 3)[1:-1]
    padded = np.pad(values, ((window, window), (0, 0)), mode="edge")
    return np.stack([np.convolve(column, kernel / kernel.sum(), mode="valid") for column in padded.T], axis=-1)
