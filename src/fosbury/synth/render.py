"""Draws the athlete into the scene and says which joints can be seen."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from fosbury.pose import NOT_LABELLED, OCCLUDED, VISIBLE
from fosbury.synth.body import BONE, JOINT_BONES, Body, Bones, joints, soles
from fosbury.synth.camera import Camera
from fosbury.synth.figure import Figure
from fosbury.synth.motion import MAT_HEIGHT
from fosbury.synth.scene import MAT_X, MAT_Y, Scene, draw_ground, draw_mat, furniture, mat_outline

SUPERSAMPLE = 2
_SHIFT = 4

# A joint is hidden when something is nearer than its own flesh; radii in mm for a stature of 1.8 m.
_FLESH = np.array([28.0, 26, 26, 40, 40, 95, 95, 58, 58, 48, 48, 135, 135, 78, 78, 62, 62])
_PARENT = {"forearm": "upper_arm", "hand": "forearm", "shank": "thigh", "foot": "shank"}


def _bones_of_joints() -> np.ndarray:
    """Mask (17, B) of the bones that meet in a joint, which therefore do not hide it."""
    belongs = np.zeros((len(JOINT_BONES), len(BONE)), dtype=bool)
    for index, name in enumerate(JOINT_BONES):
        if name == "head":
            continue
        belongs[index, BONE[name]] = True
        side, kind = name.split("_", 1)
        if kind in _PARENT:
            belongs[index, BONE[f"{side}_{_PARENT[kind]}"]] = True
    return belongs


_BONES_OF_JOINT = _bones_of_joints()
_FEET = [JOINT_BONES.index(f"{side}_foot") for side in ("left", "right") for _ in range(2)]
_SOLE = 45.0  # flesh of a heel or of toes, as _FLESH


@dataclass(frozen=True, eq=False)
class CameraResponse:
    """What lens and sensor do to a picture.

    Attributes
    ----------
    gain, gamma : float
        Exposure.
    blur : float
        Standard deviation in pixels of the lens.
    noise : float
        Standard deviation in grey levels of the sensor.
    shutter : float
        Share of the time between two frames in which the shutter is open.
    tint : ndarray, shape (3,)
        White balance.
    """

    gain: float
    gamma: float
    blur: float
    noise: float
    shutter: float
    tint: np.ndarray

    @classmethod
    def random(cls, rng: np.random.Generator) -> CameraResponse:
        """Draw one at random."""
        return cls(
            gain=float(rng.uniform(0.85, 1.2)),
            gamma=float(rng.uniform(0.85, 1.2)),
            blur=float(rng.uniform(0.0, 0.7)),
            noise=float(rng.uniform(0.6, 4.0)),
            shutter=float(rng.choice([0.0, 0.1, 0.25, 0.4])),
            tint=rng.normal(1.0, 0.03, 3),
        )


@dataclass(frozen=True, eq=False)
class Shot:
    """A rendered picture and its labels.

    Attributes
    ----------
    image : ndarray of uint8, shape (height, width, 3)
    keypoints : ndarray, shape (17, 2)
        Pixels, also of joints outside the picture.
    visibility : ndarray of uint8, shape (17,)
    world : ndarray, shape (17, 3)
        mm.
    box : ndarray, shape (4,)
        ``x1, y1, x2, y2`` of the drawn body, clipped to the picture; zeros where it is outside.
    area : float
        Pixels that the body covers.
    silhouette : ndarray of bool, shape (height * SUPERSAMPLE, width * SUPERSAMPLE)
        The body, mat and bar taken away, on the grid that is drawn on.
    """

    image: np.ndarray
    keypoints: np.ndarray
    visibility: np.ndarray
    world: np.ndarray
    box: np.ndarray
    area: float
    silhouette: np.ndarray


def _shaded(figure: Figure, skin: np.ndarray, scene: Scene, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Lit colours of all faces and the mask of those that face the camera."""
    corners = skin[figure.faces]
    normal = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    view = camera.place - corners.mean(axis=1)
    view /= np.linalg.norm(view, axis=1, keepdims=True)
    facing = np.einsum("fi,fi->f", normal, view)
    lambert = np.clip(normal @ scene.light, 0, 1)
    sky = 0.5 + 0.5 * normal[:, 2]
    shade = scene.ambient * (0.62 + 0.38 * sky) + (1.05 - scene.ambient) * lambert
    shade *= 0.72 + 0.36 * np.clip(facing, 0, 1)
    return np.clip(figure.colours * shade[:, None] * 1.22, 0, 255), facing > 0.0


def _shadow(picture: np.ndarray, skin: np.ndarray, camera: Camera, scene: Scene) -> None:
    """Darken the ground (or the mat) under the athlete."""
    over_mat = scene.bar is not None and skin[:, 1].mean() > 0 and skin[:, 2].mean() > MAT_HEIGHT
    level = MAT_HEIGHT if over_mat else 0.0
    reach = np.clip((skin[:, 2] - level) / max(scene.light[2], 0.35), 0, 3000)
    spot = skin - reach[:, None] * scene.light
    spot[:, 2] = level
    pixels, depth = camera.project(spot)
    if depth.min() < 500:
        return
    mask = np.zeros(picture.shape[:2], np.uint8)
    hull = cv2.convexHull(np.clip(pixels * 16, -3e5, 3e5).astype(np.int32))
    cv2.fillConvexPoly(mask, hull, 255, cv2.LINE_AA, 4)
    x, y, w, h = cv2.boundingRect(mask)
    if w == 0 or h == 0:
        return
    pad = 6
    rows, columns = slice(max(0, y - pad), y + h + pad), slice(max(0, x - pad), x + w + pad)
    soft = cv2.GaussianBlur(mask[rows, columns], (0, 0), 2.0).astype(np.float32)
    soft *= (0.45 * (1 - scene.ambient) + 0.12) / 255
    picture[rows, columns] = (picture[rows, columns] * (1 - soft[..., None])).astype(np.uint8)


def _mat_before(skin: np.ndarray, camera: Camera, scene: Scene) -> bool:
    """Whether the mat is drawn before (behind) the athlete: looks for a plane that parts the two."""
    if scene.bar is None or (skin[:, 2].min() > MAT_HEIGHT - 300 and skin[:, 1].max() > MAT_Y[0]):
        return True
    for axis, limit, sign in ((1, MAT_Y[0], 1), (1, MAT_Y[1], -1), (0, -MAT_X, 1), (0, MAT_X, -1)):
        if (sign * (skin[:, axis] - limit)).max() < 0:
            return sign * (camera.place[axis] - limit) < 0
    return True


def _visibility(
    points: np.ndarray,
    depth: np.ndarray,
    quads: np.ndarray,
    quad_depth: np.ndarray,
    owner: np.ndarray,
    flesh: np.ndarray,
    own: np.ndarray,
) -> np.ndarray:
    """Mask (K,) of joints that a face of another part, nearer than the joint's own flesh, covers."""
    edge = np.roll(quads, -1, axis=1) - quads
    rest = points[:, None, None] - quads[None]
    side = edge[None, ..., 0] * rest[..., 1] - edge[None, ..., 1] * rest[..., 0]
    covers = (side >= -1e-9).all(axis=-1) | (side <= 1e-9).all(axis=-1)
    nearer = quad_depth[None] < (depth - flesh)[:, None]
    foreign = np.ones((len(points), len(quads)), dtype=bool)
    of_body = owner >= 0
    foreign[:, of_body] = ~own[:, owner[of_body]]
    return (covers & nearer & foreign).any(axis=1)


def render(
    body: Body,
    figure: Figure,
    bones: Bones,
    time: int,
    *,
    camera: Camera,
    scene: Scene,
    response: CameraResponse,
    rng: np.random.Generator,
    drift: tuple[np.ndarray, np.ndarray] | None = None,
    feet: bool = False,
) -> Shot:
    """Render one frame.

    Parameters
    ----------
    body, figure, bones, time
        The athlete and the time step.
    camera : Camera
    scene : Scene
    response : CameraResponse
    rng : numpy.random.Generator
        For the sensor's noise.
    drift : (ndarray, ndarray), optional
        Movement in pixels, between two frames, of the athlete and of the background, for motion blur.
    feet : bool
        Whether the joints are followed by heel and toes of the left foot, then of the right one: 21 joints.

    Returns
    -------
    Shot
    """
    width, height = camera.width, camera.height
    skin = figure.vertices(bones, time)
    pixels, depth = camera.project(skin)
    colours, front = _shaded(figure, skin, scene, camera)
    sunk = _sunk(skin, scene)[figure.faces].all(axis=1)
    body_quads, body_depth = pixels[figure.faces], depth[figure.faces].mean(axis=1)
    extra_quads, extra_depth, extra_colours = furniture(camera, scene)

    quads = np.concatenate([body_quads[front], extra_quads])
    key = np.concatenate([(body_depth - figure.lift)[front], extra_depth])
    colour = np.concatenate([colours[front], extra_colours])
    owner = np.concatenate([figure.owner[front], np.full(len(extra_quads), -1)])
    shown = np.concatenate([~sunk[front], np.ones(len(extra_quads), dtype=bool)])

    moment = Bones(bones.origin[[time]], bones.frame[[time]])
    world, flesh, own = joints(body, moment)[0], _FLESH, _BONES_OF_JOINT
    if feet:
        world = np.concatenate([world, soles(body, moment)[0]])
        flesh, own = np.append(flesh, [_SOLE] * len(_FEET)), np.concatenate([own, own[_FEET]])
    points, joint_depth = camera.project(world)
    flesh = flesh * body.stature / 1800.0
    hidden = _visibility(
        points, joint_depth, quads, np.concatenate([body_depth[front], extra_depth]), owner, flesh, own
    )

    picture = scene.backdrop.view(camera, scene.centre)
    draw_ground(picture, camera, scene)
    behind = _mat_before(skin, camera, scene)
    if behind:
        draw_mat(picture, camera, scene)
    _shadow(picture, skin, camera, scene)
    order = np.argsort(-key, kind="stable")
    order = order[shown[order]]
    layer = _paint(quads[order], colour[order], owner[order] >= 0, width, height)
    silhouette = layer[..., 3] == 255
    small = cv2.resize(layer, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    opaque = cv2.resize((layer[..., 3] > 0).astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    paint = small[..., :3]
    backing = picture.astype(np.float32)
    if drift is not None and response.shutter > 0:
        backing = _smear(backing, drift[1] * response.shutter)
        stacked = _smear(np.dstack([paint, opaque]), drift[0] * response.shutter)
        paint, opaque = stacked[..., :3], stacked[..., 3]
    blend = backing * (1 - opaque[..., None]) + paint
    if not behind:
        front_mat = np.clip(blend, 0, 255).astype(np.uint8)
        draw_mat(front_mat, camera, scene)
        blend = front_mat.astype(np.float32)
        outline = mat_outline(camera).reshape(-1, 1, 2)
        hidden |= np.array([cv2.pointPolygonTest(outline, (float(x), float(y)), False) >= 0 for x, y in points])
    hidden |= _sunk(world, scene)
    image = _developed(blend, response, rng)

    outside = (points < 0).any(axis=1) | (points[:, 0] >= width) | (points[:, 1] >= height) | (joint_depth < 300)
    visibility = np.where(outside, NOT_LABELLED, np.where(hidden, OCCLUDED, VISIBLE)).astype(np.uint8)
    low = np.clip(pixels.min(axis=0), 0, [width, height])
    high = np.clip(pixels.max(axis=0), 0, [width, height])
    box = np.concatenate([low, high]) if (high > low).all() else np.zeros(4)
    return Shot(image, points, visibility, world, box, float(silhouette.sum()) / SUPERSAMPLE**2, silhouette)


def _sunk(points: np.ndarray, scene: Scene) -> np.ndarray:
    """Mask of points below the surface of the mat."""
    if scene.bar is None:
        return np.zeros(len(points), dtype=bool)
    inside = (np.abs(points[:, 0]) < MAT_X) & (points[:, 1] > MAT_Y[0]) & (points[:, 1] < MAT_Y[1])
    return inside & (points[:, 2] < MAT_HEIGHT)


def _paint(quads: np.ndarray, colours: np.ndarray, is_body: np.ndarray, width: int, height: int) -> np.ndarray:
    """Draw faces in the order given on a transparent layer; alpha 255 is body, 128 is anything else."""
    layer = np.zeros((height * SUPERSAMPLE, width * SUPERSAMPLE, 4), np.uint8)
    inside = (
        (quads[..., 0].max(axis=1) > 0)
        & (quads[..., 0].min(axis=1) < width)
        & (quads[..., 1].max(axis=1) > 0)
        & (quads[..., 1].min(axis=1) < height)
    )
    corners = np.round((quads[inside] * SUPERSAMPLE - 0.5) * (1 << _SHIFT)).astype(np.int32)
    paint = np.column_stack([colours[inside], np.where(is_body[inside], 255.0, 128.0)]).tolist()
    fill = cv2.fillConvexPoly
    for corner, tone in zip(corners, paint, strict=True):
        fill(layer, corner, tone, cv2.LINE_8, _SHIFT)
    return layer


def _smear(picture: np.ndarray, movement: np.ndarray) -> np.ndarray:
    """Blur along a movement in pixels, symmetric about the middle."""
    length = float(np.hypot(*movement))
    if length < 1.0:
        return picture
    reach = int(np.ceil(min(length, 40.0) / 2)) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    half = movement / length * min(length, 40.0) / 2
    ends = np.round((np.array([reach - half, reach + half])) * 16).astype(int)
    cv2.line(kernel, tuple(map(int, ends[0])), tuple(map(int, ends[1])), 1.0, 1, cv2.LINE_8, 4)
    kernel = kernel + kernel[::-1, ::-1]
    return cv2.filter2D(picture, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)


_GRAIN_SIDE = 512


def _grain() -> np.ndarray:
    return np.random.default_rng(1968).normal(0, 1, (_GRAIN_SIDE, _GRAIN_SIDE, 3)).astype(np.float32)


_GRAIN = _grain()


def _developed(picture: np.ndarray, response: CameraResponse, rng: np.random.Generator) -> np.ndarray:
    """Exposure, white balance, lens blur and sensor noise."""
    height, width = picture.shape[:2]
    if response.blur > 0.2:
        picture = cv2.GaussianBlur(picture, (0, 0), response.blur)
    curve = 255 * np.clip(np.arange(256) / 255 * response.gain, 0, 1) ** response.gamma
    table = np.clip(curve[:, None] * response.tint, 0, 255).astype(np.float32)
    index = np.clip(picture, 0, 255).astype(np.uint8)
    tone = cv2.LUT(index, table[None])
    y, x = rng.integers(0, _GRAIN_SIDE, 2)
    grain = _GRAIN[np.ix_((y + np.arange(height)) % _GRAIN_SIDE, (x + np.arange(width)) % _GRAIN_SIDE)]
    return np.clip(tone + response.noise * grain, 0, 255).astype(np.uint8)
