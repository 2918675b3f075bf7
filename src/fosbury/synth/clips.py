"""Clips, sets of clips, and single upright pictures of the built-in athlete."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from fosbury.pose import NOT_LABELLED
from fosbury.synth.body import Body, Bones, joints
from fosbury.synth.camera import Camera, follow, snap, stand
from fosbury.synth.figure import Figure, Kit, build_figure
from fosbury.synth.motion import jump, run, upright_pose
from fosbury.synth.render import CameraResponse, Shot, render
from fosbury.synth.scene import Backdrop, Scene, make_backdrop

JOINTS = (
    *("nose", "left_eye", "right_eye", "left_ear", "right_ear"),
    *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
    *("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle"),
)
_FACE_BONES = ((0, 1), (0, 2), (1, 3), (2, 4))
_TRUNK_BONES = ((5, 6), (5, 11), (6, 12), (11, 12))
_LIMB_BONES = ((5, 7), (7, 9), (6, 8), (8, 10), (11, 13), (13, 15), (12, 14), (14, 16))
BONES = (*_FACE_BONES, *_TRUNK_BONES, *_LIMB_BONES)
ARCH_TILT = 60.0
APPROACH = {False: 17, True: 10}
"""Frames before the take-off foot is planted, by whether the camera is fixed: it sees less of the run."""
FIXED_SHARE = 0.25
"""Least stature in the arch that a fixed camera may show, as a share of the picture's smaller side."""


@dataclass(frozen=True, eq=False)
class Label:
    """One picture's labels.

    Attributes
    ----------
    keypoints : ndarray, shape (17, 2)
        Pixels; NaN where ``visibility`` is 0.
    visibility : ndarray of uint8, shape (17,)
    keypoints_3d : ndarray, shape (17, 3)
        World frame, mm: x along the bar, y across it towards the mat, z up.
    box : ndarray, shape (4,)
        ``x1, y1, x2, y2``, pixels.
    area : float
        Pixels of the drawn body.
    phase : str
    stature_mm : float
    stature_px : float
        Pixels that the stature has at the distance of the trunk's middle: what ``metrics.stature`` judges by the limbs.
    """

    keypoints: np.ndarray
    visibility: np.ndarray
    keypoints_3d: np.ndarray
    box: np.ndarray
    area: float
    phase: str
    stature_mm: float
    stature_px: float


def _label(shot: Shot, phase: str, body: Body, camera: Camera) -> Label:
    points = np.where((shot.visibility == NOT_LABELLED)[:, None], np.nan, shot.keypoints)
    height = float(_pixel_statures(body, shot.world[None], (camera,))[0])
    return Label(points, shot.visibility, shot.world, shot.box, shot.area, phase, body.stature, height)


def _pixel_statures(body: Body, world: np.ndarray, cameras: Sequence[Camera]) -> np.ndarray:
    """Pixels, shape (T,), of the stature at the trunk's middle, from COCO17 points of shape (T, 17, 3)."""
    trunk = (world[:, 5:7].mean(axis=1) + world[:, 11:13].mean(axis=1)) / 2
    depth = np.array([camera.project(point)[1] for camera, point in zip(cameras, trunk, strict=True)])
    return body.stature * np.array([camera.focal for camera in cameras]) / depth


def _tilts(pixels: np.ndarray) -> np.ndarray:
    """Trunk's angle from upright in the picture, degrees, from COCO17 points of shape (T, 17, 2)."""
    trunk = pixels[:, 5:7].mean(axis=1) - pixels[:, 11:13].mean(axis=1)
    return np.degrees(np.arctan2(np.abs(trunk[:, 0]), -trunk[:, 1]))


def _phases(stage: tuple[str, ...], tilts: np.ndarray) -> tuple[str, ...]:
    return tuple(
        s if s != "air" else "arch" if tilt >= ARCH_TILT else "flight" for s, tilt in zip(stage, tilts, strict=True)
    )


def _in_order(phases: tuple[str, ...]) -> bool:
    """Whether every phase is there and none comes back."""
    changes = [phases[0], *(b for a, b in pairwise(phases) if a != b)]
    return changes == ["approach", "takeoff", "flight", "arch", "landing"]


def _athlete(rng: np.random.Generator) -> tuple[Body, Figure]:
    body = Body.random(rng)
    return body, build_figure(body, Kit.random(rng, body.female))


def render_clip(
    seed: int,
    size: tuple[int, int] = (256, 256),
    fps: float = 25.0,
    *,
    approach: int | None = None,
    landing: int = 7,
    upright: bool = False,
    view: str | None = None,
    fixed: bool = False,
) -> tuple[list[np.ndarray], list[Label]]:
    """Render one jump.

    Parameters
    ----------
    seed : int
        Everything that varies - body, kit, style, foot, camera, scene - comes from it.
    size : (int, int)
        Width and height in pixels.
    fps : float
        Frames a second.
    approach : int, optional
        Frames before the take-off foot is planted; ``APPROACH`` by default.
    landing : int
        Frames after the mat is touched.
    upright : bool
        Only the approach run: as many frames as a whole jump would have.
    view : str, optional
        One of ``fosbury.synth.camera.VIEWS``.
    fixed : bool
        Film with a camera that stands still, in place of one that follows the athlete and zooms.

    Returns
    -------
    frames : list of ndarray of uint8, shape (height, width, 3)
        RGB.
    labels : list of Label
    """
    rng = np.random.default_rng([seed, 1968])
    body, figure = _athlete(rng)
    stage: tuple[str, ...]
    if upright:
        bones, stage, bar = run(body, rng, fps, 50), ("approach",) * 50, float(rng.uniform(1500, 2100))
    else:
        leap = jump(body, figure, rng, fps, approach=APPROACH[fixed] if approach is None else approach, landing=landing)
        bones, stage, bar = leap.bones, leap.stage, leap.bar
    if rng.random() < 0.4:
        bones = bones.mirrored()
    cameras, phases = _cameras(body, bones, stage, size, rng, view, fixed)
    scene = Scene.random(rng, make_backdrop(rng), cameras[len(cameras) // 2].pan, bar)
    response = CameraResponse.random(rng)
    frames, labels = [], []
    for index, drift in enumerate(_drifts(bones, cameras)):
        shot = render(
            body, figure, bones, index, camera=cameras[index], scene=scene, response=response, rng=rng, drift=drift
        )
        frames.append(shot.image)
        labels.append(_label(shot, phases[index], body, cameras[index]))
    return frames, labels


def _cameras(
    body: Body,
    bones: Bones,
    stage: tuple[str, ...],
    size: tuple[int, int],
    rng: np.random.Generator,
    view: str | None,
    fixed: bool,
) -> tuple[tuple[Camera, ...], tuple[str, ...]]:
    """Cameras from which the phases follow each other; a view along the trunk can break their order."""
    world = joints(body, bones)
    middle = (world[:, 5:7].mean(axis=1) + world[:, 11:13].mean(axis=1) + world[:, 13:17].mean(axis=1)) / 3
    for _ in range(40):
        cameras = stand(world, size, rng, view) if fixed else follow(middle, size, body.stature, rng, view=view)
        pixels = np.stack([camera.project(points)[0] for camera, points in zip(cameras, world, strict=True)])
        phases = _phases(stage, _tilts(pixels))
        inside = ((pixels > 0) & (pixels < np.array(size))).all(axis=2).mean()
        in_order = "air" not in stage or _in_order(phases)
        if inside > 0.97 and in_order and (not fixed or _large_enough(body, world, cameras, phases)):
            break
    return cameras, phases


def _large_enough(body: Body, world: np.ndarray, cameras: Sequence[Camera], phases: Sequence[str]) -> bool:
    """Whether the athlete is large enough in the arch (in a run: in every frame) to be labelled by a person."""
    height = _pixel_statures(body, world, cameras)
    rows = np.array([phase == "arch" for phase in phases])
    return float(height[rows if rows.any() else ~rows].mean()) >= FIXED_SHARE * min(cameras[0].width, cameras[0].height)


def _drifts(bones: Bones, cameras: tuple[Camera, ...]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pixels that the athlete and the background move between one frame and the next."""
    for index in range(len(cameras)):
        other = index + 1 if index + 1 < len(cameras) else index - 1
        sign = 1.0 if other > index else -1.0
        here, there = cameras[index], cameras[other]
        body = (there.project(bones.origin[other])[0] - here.project(bones.origin[index])[0]).mean(axis=0)
        far = here.place + here.axes[2] * 40000.0
        yield sign * body, sign * (there.project(far)[0] - here.project(far)[0])


def render_stills(
    n: int,
    seed: int,
    size: tuple[int, int] = (192, 192),
    *,
    upright: bool = True,
    share: tuple[float, float] = (0.42, 0.88),
    aim: tuple[float, float] = (-0.02, -0.02),
) -> Iterator[tuple[np.ndarray, Label]]:
    """Render single pictures of different athletes, fast.

    Parameters
    ----------
    n : int
        How many.
    seed : int
    size : (int, int)
        Width and height in pixels.
    upright : bool
        Running, walking, standing and leaving the ground; else any moment of a jump.
    share : (float, float)
        Least and largest stature, as a share of the picture's smaller side.
    aim : (float, float)
        Lowest and highest point that the camera looks at when ``upright``, in statures above the hips.

    Yields
    ------
    image : ndarray of uint8, shape (height, width, 3)
        RGB.
    label : Label
    """
    backdrops: list[Backdrop] = []
    people: list[tuple[Body, Figure]] = []
    for index in range(n):
        rng = np.random.default_rng([seed, index, 1969])
        if index % 12 == 0:
            backdrops = [*backdrops[-15:], make_backdrop(rng)]
        if index % 3 == 0:
            people = [*people[-15:], _athlete(rng)]
        body, figure = people[rng.integers(len(people))]
        backdrop = backdrops[rng.integers(len(backdrops))]
        if upright:
            bones, phase = upright_pose(body, rng), "approach"
            spot = np.array([rng.uniform(-3000, 3000), -rng.uniform(700, 6000), 0.0])
            spot[2] = rng.uniform(0, 250) if rng.random() < 0.3 else 0.0
            bones = bones.moved(spot[None])
            bar = float(rng.uniform(1300, 2200)) if rng.random() < 0.6 else None
            height = float(np.random.default_rng([seed, index, 1987]).uniform(*aim))
            target = bones.origin[0, 0] + [0, 0, height * body.stature]
            yield _still(body, figure, bones, 0, target, backdrop, bar, size, share, phase, rng)
        else:
            leap = jump(body, figure, rng, 25.0, approach=12, landing=5)
            bones = leap.bones.mirrored() if rng.random() < 0.5 else leap.bones
            moment = int(rng.integers(len(leap.stage)))
            target = joints(body, bones)[moment, 5:].mean(axis=0)
            yield _still(body, figure, bones, moment, target, backdrop, leap.bar, size, share, leap.stage[moment], rng)


def _still(
    body: Body,
    figure: Figure,
    bones: Bones,
    moment: int,
    target: np.ndarray,
    backdrop: Backdrop,
    bar: float | None,
    size: tuple[int, int],
    share: tuple[float, float],
    phase: str,
    rng: np.random.Generator,
) -> tuple[np.ndarray, Label]:
    camera = snap(target, size, body.stature, rng, share=share)
    if camera.place[1] > 0 and phase == "approach" and rng.random() < 0.75:
        bar = None  # the mat would stand before the athlete
    scene = Scene.random(rng, backdrop, camera.pan + rng.uniform(-40, 40), bar)
    shot = render(body, figure, bones, moment, camera=camera, scene=scene, response=CameraResponse.random(rng), rng=rng)
    if phase == "air":
        phase = _phases(("air",), _tilts(shot.keypoints[None]))[0]
    return shot.image, _label(shot, phase, body, camera)
