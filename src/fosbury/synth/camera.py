"""A pinhole camera: one that turns after the athlete and zooms, or one that a tripod holds still."""

from __future__ import annotations

from dataclasses import dataclass, replace

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


AWAY = (7000.0, 15000.0)
"""Millimetres from the bar's middle to a camera that follows, from and to."""

TRIPOD_AWAY = (4500.0, 10000.0)
"""The same for a camera that stands still: near enough for perspective to change the athlete's size."""

FILLED = 0.92
"""Part of a fixed camera's picture that the whole movement fills, across or down."""


def _place(rng: np.random.Generator, view: str | None, away: tuple[float, float]) -> np.ndarray:
    """Where the camera stands, shape (3,), mm."""
    view = view or ("side", "side", "oblique", "oblique", "approach", "behind")[rng.integers(6)]
    azimuth = np.radians(rng.uniform(*VIEWS[view]))
    distance = rng.uniform(*away)
    side = 1.0 if rng.random() < 0.5 else -1.0
    return np.array([side * distance * np.cos(azimuth), distance * np.sin(azimuth), rng.uniform(1000, 2100)])


def follow(
    targets: np.ndarray,
    size: tuple[int, int],
    stature: float,
    rng: np.random.Generator,
    *,
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
    place = _place(rng, view, AWAY)
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


def stand(
    points: np.ndarray, size: tuple[int, int], rng: np.random.Generator, view: str | None = None
) -> tuple[Camera, ...]:
    """Camera on a tripod, which neither turns nor zooms: the athlete comes nearer or goes away in perspective.

    Parameters
    ----------
    points : ndarray, shape (T, K, 3)
        What it has to see of the athlete, mm. The focal length is the longest that keeps all of it in the picture.
    size : (int, int)
        Width and height of the picture in pixels.
    rng : numpy.random.Generator
    view : str, optional
        One of ``VIEWS``; drawn by chance where None.

    Returns
    -------
    tuple of Camera
        T times the same.
    """
    place = _place(rng, view, TRIPOD_AWAY)
    half = np.array(size) / 2
    camera = Camera(place, *aim(place, points.mean(axis=(0, 1))), float(rng.normal(0, 1.0)), 1000.0, *size)
    for _ in range(3):  # the middle of a perspective picture moves a little when the camera turns
        pixels = camera.project(points)[0] - half
        right, down = (pixels.min(axis=(0, 1)) + pixels.max(axis=(0, 1))) / 2 / camera.focal
        camera = replace(camera, pan=camera.pan - np.degrees(right), tilt=camera.tilt - np.degrees(down))
    reach = np.abs(camera.project(points)[0] - half).max(axis=(0, 1))
    camera = replace(camera, focal=float(camera.focal * FILLED * (half / reach).min()))
    return (camera,) * len(points)


def snap(
    target: np.ndarray,
    size: tuple[int, int],
    stature: float,
    rng: np.random.Generator,
    *,
    share: tuple[float, float] = (0.42, 0.88),
) -> Camera:
    """Place a camera for a single picture anywhere around the athlete, with varied size and place in the frame.

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
