"""What stands around the athlete: backdrop, ground, mat, bar, uprights, light."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from fosbury.synth.camera import Camera
from fosbury.synth.motion import MAT_HEIGHT

BAR_RADIUS = 16.0
BAR_HALF = 2000.0
PER_DEGREE = 10  # pixels of the backdrop for one degree
SPAN, RISE = 120, 46  # degrees of the backdrop
MAT_X, MAT_Y = 2700.0, (110.0, 3300.0)


@dataclass(frozen=True, eq=False)
class Backdrop:
    """A picture of everything far away, by azimuth and elevation; the horizon lies in the middle row.

    Attributes
    ----------
    picture : ndarray of uint8, shape (RISE * PER_DEGREE, SPAN * PER_DEGREE, 3)
    """

    picture: np.ndarray

    def view(self, camera: Camera, centre: float) -> np.ndarray:
        """Return what the camera sees of it.

        Parameters
        ----------
        camera : Camera
        centre : float
            Azimuth in degrees at the middle of the picture.

        Returns
        -------
        ndarray of uint8, shape (height, width, 3)
        """
        step = np.degrees(1 / camera.focal) * PER_DEGREE
        roll = np.radians(camera.roll)
        cos, sin = step * np.cos(roll), step * np.sin(roll)
        rows, columns = self.picture.shape[:2]
        x = columns / 2 + (centre - camera.pan) * PER_DEGREE
        y = rows / 2 - camera.tilt * PER_DEGREE
        half = np.array([camera.width / 2, camera.height / 2])
        turn = np.array([[cos, -sin], [sin, cos]])
        matrix = np.hstack([turn, (np.array([x, y]) - turn @ half)[:, None]])
        return cv2.warpAffine(
            self.picture,
            matrix,
            (camera.width, camera.height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REFLECT_101,
        )


def _noise(rng: np.random.Generator, rows: int, columns: int, cell: int) -> np.ndarray:
    """Smooth noise, mean 0, shape (rows, columns, 1)."""
    small = rng.normal(0, 1, (rows // cell + 2, columns // cell + 2)).astype(np.float32)
    return cv2.resize(small, (columns, rows), interpolation=cv2.INTER_CUBIC)[..., None]


def _sky(rng: np.random.Generator, picture: np.ndarray, horizon: int) -> None:
    top, low = (
        ((70, 120, 200), (190, 214, 238)),
        ((150, 160, 172), (208, 212, 218)),
        ((96, 140, 206), (226, 222, 212)),
    )[rng.integers(3)]
    ramp = np.linspace(0, 1, horizon)[:, None, None]
    picture[:horizon] = np.array(top) * (1 - ramp) + np.array(low) * ramp
    cloud = _noise(rng, horizon, picture.shape[1], 60) + 0.5 * _noise(rng, horizon, picture.shape[1], 22)
    picture[:horizon] += np.clip(cloud - 0.2, 0, 1) * rng.uniform(10, 60)


def _stands(rng: np.random.Generator, picture: np.ndarray, horizon: int) -> None:
    columns = picture.shape[1]
    top = horizon - int(rng.uniform(60, 150))
    picture[top:horizon] = rng.uniform(50, 120)
    seats = np.array(((40, 80, 150), (150, 40, 40), (90, 90, 96), (196, 190, 180))[rng.integers(4)], dtype=float)
    for row in range(top + 6, horizon - 12, 9):
        picture[row : row + 7] = seats * rng.uniform(0.7, 0.95)
        for column in range(int(rng.integers(6)), columns - 6, 7):
            if rng.random() < 0.72:
                shirt = 0.45 * rng.uniform(30, 230, 3) + 0.55 * rng.uniform(50, 210)
                picture[row + 2 : row + 8, column : column + 5] = shirt
                picture[row - 1 : row + 2, column + 1 : column + 4] = (
                    (200, 160, 130) if rng.random() < 0.6 else (110, 78, 60)
                )
    picture[top - 8 : top] = rng.uniform(60, 200)


def _trees(rng: np.random.Generator, picture: np.ndarray, horizon: int) -> None:
    columns = picture.shape[1]
    height = 45 + 22 * _noise(rng, 1, columns, 70)[0, :, 0] + 10 * _noise(rng, 1, columns, 14)[0, :, 0]
    rows = np.arange(horizon)[:, None]
    mask = (rows > horizon - np.clip(height, 12, 140)[None])[..., None]
    green = np.array((40, 74, 36)) * rng.uniform(0.6, 1.25) + np.array((18, 20, 10)) * _noise(rng, horizon, columns, 7)
    picture[:horizon] = np.where(mask, green, picture[:horizon])


def _hall(rng: np.random.Generator, picture: np.ndarray, horizon: int) -> None:
    columns = picture.shape[1]
    wall = np.array(((186, 182, 172), (120, 134, 150), (84, 88, 96), (206, 200, 186))[rng.integers(4)], dtype=float)
    picture[:horizon] = wall * np.linspace(0.75, 1.0, horizon)[:, None, None]
    for column in range(0, columns, int(rng.integers(70, 130))):
        picture[:horizon, column : column + 5] *= 0.72
    for row in range(20, horizon - 90, 46):
        for column in range(0, columns, 90):
            picture[row : row + 6, column : column + 40] = 246
    picture[horizon - 34 : horizon - 28] *= 0.6


def _paint(rng: np.random.Generator) -> np.ndarray:
    return 0.6 * rng.uniform(20, 240, 3) + 0.4 * rng.uniform(20, 240)


def _boards(rng: np.random.Generator, picture: np.ndarray, horizon: int) -> None:
    column = 0
    top = horizon - int(rng.integers(10, 16))
    while column < picture.shape[1]:
        wide = int(rng.integers(60, 150))
        ground, ink = _paint(rng), _paint(rng)
        picture[top : horizon + 6, column : column + wide] = ground
        for letter in range(column + 8, column + wide - 12, 9):
            if rng.random() < 0.85:
                low = int(rng.integers(0, 4))
                picture[top + 5 + low // 2 : horizon + 1, letter : letter + int(rng.integers(3, 7))] = ink
        column += wide


def _floor(rng: np.random.Generator, picture: np.ndarray, horizon: int, inside: bool) -> None:
    rows, columns = picture.shape[:2]
    reds = ((168, 74, 56), (150, 62, 52), (178, 92, 70), (60, 96, 150), (120, 120, 124))
    track = np.array(reds[rng.integers(5)], dtype=float)
    grass = np.array((84, 126, 58)) * rng.uniform(0.75, 1.2)
    picture[horizon:] = track
    if not inside or rng.random() < 0.3:
        band = int(rng.uniform(8, 60))
        picture[horizon : horizon + band] = grass
        if rng.random() < 0.5:
            start = horizon + band + int(rng.uniform(30, 90))
            picture[start:] = grass if rng.random() < 0.5 else track * 0.9
    for degree in np.cumsum(rng.uniform(4, 14, 6)):
        row = int(horizon + 8 + degree * 4)
        if row < rows - 3:
            picture[row : row + 2] = picture[row : row + 2] * 0.3 + 160
    picture[horizon:] += 5 * _noise(rng, rows - horizon, columns, 5) + 6 * _noise(rng, rows - horizon, columns, 40)


def make_backdrop(rng: np.random.Generator) -> Backdrop:
    """Draw a stadium, a park, or a hall, out of focus."""
    rows, columns = RISE * PER_DEGREE, SPAN * PER_DEGREE
    horizon = rows // 2
    picture = np.zeros((rows, columns, 3), dtype=np.float32)
    kind = ("stadium", "park", "hall", "stadium")[rng.integers(4)]
    _floor(rng, picture, horizon, kind == "hall")
    if kind == "hall":
        _hall(rng, picture, horizon)
    else:
        _sky(rng, picture, horizon)
        if kind == "park" or rng.random() < 0.4:
            _trees(rng, picture, horizon)
        if kind == "stadium":
            _stands(rng, picture, horizon)
    if rng.random() < 0.7:
        _boards(rng, picture, horizon)
    picture += 4 * _noise(rng, rows, columns, 3)
    blurred = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.8, 2.6))
    return Backdrop(np.clip(blurred, 0, 255).astype(np.uint8))


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything but the athlete.

    Attributes
    ----------
    backdrop : Backdrop
    centre : float
        Azimuth of the backdrop's middle, degrees.
    light : ndarray, shape (3,)
        Unit vector to the sun or the lamps.
    ambient : float
        Share of the light that comes from everywhere.
    bar : float or None
        Height of the bar, mm; None where there is neither bar nor mat.
    bar_colours, mat, post, apron : colours, RGB
    """

    backdrop: Backdrop
    centre: float
    light: np.ndarray
    ambient: float
    bar: float | None
    bar_colours: tuple
    mat: np.ndarray
    post: np.ndarray
    apron: np.ndarray | None

    @classmethod
    def random(cls, rng: np.random.Generator, backdrop: Backdrop, centre: float, bar: float | None) -> Scene:
        """Draw light and colours."""
        bars = (
            ((240, 240, 236), (206, 30, 40)),
            ((246, 214, 40), (24, 24, 28)),
            ((250, 120, 30), (240, 240, 240)),
            ((246, 226, 60), (200, 40, 40)),
        )
        mats = ((38, 84, 176), (186, 34, 44), (30, 120, 110), (50, 56, 70), (70, 130, 210))
        aprons = ((172, 70, 54), (60, 104, 170), (148, 60, 50), (120, 120, 126), (66, 130, 90))
        light = np.array([rng.normal(), rng.normal(), rng.uniform(0.8, 2.4)])
        return cls(
            backdrop,
            centre,
            light / np.linalg.norm(light),
            float(rng.uniform(0.42, 0.66)),
            bar,
            bars[rng.integers(4)],
            np.array(mats[rng.integers(5)]) * rng.uniform(0.8, 1.15),
            np.array(((210, 210, 214), (240, 200, 40), (60, 60, 66), (40, 70, 160))[rng.integers(4)], dtype=float),
            np.array(aprons[rng.integers(5)], dtype=float) if rng.random() < 0.7 else None,
        )


def clipped(camera: Camera, corners: np.ndarray, near: float = 300.0) -> np.ndarray | None:
    """Project a convex polygon, cut at the near plane; None where nothing is left."""
    seen = (np.asarray(corners, dtype=float) - camera.place) @ camera.axes.T
    inside = seen[:, 2] > near
    if not inside.any():
        return None
    if not inside.all():
        kept = []
        for index in range(len(seen)):
            a, b = seen[index], seen[(index + 1) % len(seen)]
            if inside[index]:
                kept.append(a)
            if inside[index] != inside[(index + 1) % len(seen)]:
                share = (near - a[2]) / (b[2] - a[2])
                kept.append(a + share * (b - a))
        seen = np.array(kept)
    return seen[:, :2] * (camera.focal / seen[:, 2:]) + [camera.width / 2, camera.height / 2]


def _fill(picture: np.ndarray, polygon: np.ndarray | None, colour: np.ndarray) -> None:
    if polygon is None or np.abs(polygon).max() > 20000:
        polygon = None if polygon is None else np.clip(polygon, -20000, 20000)
    if polygon is not None:
        corners = np.round((polygon - 0.5) * 16).astype(np.int32)
        cv2.fillConvexPoly(picture, corners, tuple(float(c) for c in colour), cv2.LINE_AA, 4)


def draw_ground(picture: np.ndarray, camera: Camera, scene: Scene) -> None:
    """Draw the apron with its lines; ``picture`` (uint8 RGB) is changed."""
    if scene.apron is None:
        return
    lit = scene.apron * (0.7 + 0.3 * scene.light[2])
    _fill(picture, clipped(camera, _level(-9000, 9000, -16000, 5200, 0)), lit)
    white = np.full(3, 214.0)
    for y in (-4000.0, -9500.0):
        _fill(picture, clipped(camera, _level(-9000, 9000, y, y + 60, 0)), white)
    for x in (-5200.0, 5200.0):
        _fill(picture, clipped(camera, _level(x, x + 60, -9500, 4500, 0)), white)


def _level(x0: float, x1: float, y0: float, y1: float, z: float) -> np.ndarray:
    return np.array([[x0, y0, z], [x1, y0, z], [x1, y1, z], [x0, y1, z]])


def mat_outline(camera: Camera) -> np.ndarray:
    """Convex outline of the mat in the picture, shape (N, 2)."""
    corners = np.array([[x, y, z] for x in (-MAT_X, MAT_X) for y in MAT_Y for z in (0.0, MAT_HEIGHT)])
    pixels, _ = camera.project(corners)
    return cv2.convexHull(pixels.astype(np.float32))[:, 0]


def draw_mat(picture: np.ndarray, camera: Camera, scene: Scene) -> None:
    """Draw the landing mat; ``picture`` (uint8 RGB) is changed."""
    if scene.bar is None:
        return
    x, (y0, y1), top = MAT_X, MAT_Y, MAT_HEIGHT
    sides = (
        (np.array([[-x, y0, 0], [x, y0, 0], [x, y0, top], [-x, y0, top]]), np.array([0, -1.0, 0])),
        (np.array([[x, y0, 0], [x, y1, 0], [x, y1, top], [x, y0, top]]), np.array([1.0, 0, 0])),
        (np.array([[x, y1, 0], [-x, y1, 0], [-x, y1, top], [x, y1, top]]), np.array([0, 1.0, 0])),
        (np.array([[-x, y1, 0], [-x, y0, 0], [-x, y0, top], [-x, y1, top]]), np.array([-1.0, 0, 0])),
        (_level(-x, x, y0, y1, top), np.array([0, 0, 1.0])),
    )
    for corners, normal in sides:
        if (camera.place - corners[0]) @ normal <= 0:
            continue
        shade = scene.ambient + (1 - scene.ambient) * max(0.0, float(scene.light @ normal))
        colour = scene.mat * (0.35 + 0.75 * shade)
        _fill(picture, clipped(camera, corners), colour)
        along, up = corners[1] - corners[0], corners[3] - corners[0]
        for share in (0.333, 0.667):
            seam = corners[0] + up * 0 + along * share
            strip = np.array([seam, seam + along * 0.004, seam + along * 0.004 + up, seam + up])
            _fill(picture, clipped(camera, strip), colour * 0.78)
        if normal[2] == 0:
            for low, high, factor in ((0.72, 1.0, 1.22), (0.0, 0.08, 0.6), (0.70, 0.72, 0.7)):
                a, b = corners[0] + up * low, corners[0] + up * high
                strip = np.array([a, a + along, b + along, b])
                _fill(picture, clipped(camera, strip), np.clip(colour * factor, 0, 255))
        else:
            for share in (0.0, 0.985):
                a = corners[0] + up * share
                strip = np.array([a, a + along, a + along + up * 0.015, a + up * 0.015])
                _fill(picture, clipped(camera, strip), np.clip(colour * 1.15, 0, 255))


def furniture(camera: Camera, scene: Scene) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bar and uprights as faces to be drawn in order of depth with the athlete.

    Returns
    -------
    quads : ndarray, shape (N, 4, 2)
        Pixels.
    depth : ndarray, shape (N,)
        mm.
    colours : ndarray, shape (N, 3)
    """
    if scene.bar is None:
        return np.zeros((0, 4, 2)), np.zeros(0), np.zeros((0, 3))
    starts, ends, widths, colours = [], [], [], []
    edges = np.linspace(-BAR_HALF, BAR_HALF, 33)
    sag = scene.bar - 18.0 * (1 - (edges / BAR_HALF) ** 2)
    for index in range(32):
        starts.append((edges[index], 0.0, sag[index]))
        ends.append((edges[index + 1], 0.0, sag[index + 1]))
        widths.append(BAR_RADIUS)
        band = index in (0, 1, 2, 9, 10, 15, 16, 21, 22, 29, 30, 31)
        colours.append(np.array(scene.bar_colours[int(band)], dtype=float))
    for x in (-BAR_HALF - 40, BAR_HALF + 40):
        levels = np.linspace(0, scene.bar + 260, 9)
        for low, high in pairwise(levels):
            starts.append((x, 0.0, low))
            ends.append((x, 0.0, high))
            widths.append(34.0)
            colours.append(scene.post)
    (a, near), (b, far) = camera.project(np.array(starts)), camera.project(np.array(ends))
    depth = (near + far) / 2
    along = b - a
    across = np.stack([-along[:, 1], along[:, 0]], axis=-1)
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
    across *= (np.array(widths) * camera.focal / np.maximum(depth, 100.0))[:, None]
    quads = np.stack([a - across, b - across, b + across, a + across], axis=1)
    keep = (near > 300) & (far > 300)
    return quads[keep], depth[keep], (np.array(colours) * (0.55 + 0.45 * scene.ambient + 0.2))[keep].clip(0, 255)
