"""Clips of walkers, framed from the hips down as a crop for privacy leaves them, with their labels."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fosbury.files import replace_folder, work_folder
from fosbury.media.video import write_video
from fosbury.pose import GAIT_PHASES, NOT_LABELLED, body_area
from fosbury.progress import progress
from fosbury.synth.body import JOINT_BONES, Body, joints
from fosbury.synth.camera import Camera, aim
from fosbury.synth.figure import Kit, build_figure
from fosbury.synth.render import CameraResponse, render
from fosbury.synth.scene import Scene, make_backdrop
from fosbury.synth.sets import clip_name
from fosbury.synth.walk import walk

JOINTS = (
    *("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle"),
    *("left_heel", "right_heel", "left_foot", "right_foot"),
)
FPS, FRAMES = 50, 100
"""Of the set that is rendered for ``experiment=gait``: two seconds, about two strides."""
BONES = ((0, 1), (0, 2), (2, 4), (4, 6), (6, 8), (1, 3), (3, 5), (5, 7), (7, 9))
LEGS = slice(JOINT_BONES.index("left_thigh"), len(JOINT_BONES))
_SOLES = [0, 2, 1, 3]  # left heel, right heel, left toes, right toes


@dataclass(frozen=True, eq=False)
class Walker:
    """A rendered clip.

    Attributes
    ----------
    frames : list of ndarray of uint8, shape (height, width, 3)
    keypoints : ndarray, shape (T, 10, 2)
        Pixels, in the order of ``JOINTS``; NaN where ``visibility`` is 0.
    visibility : ndarray of uint8, shape (T, 10)
    boxes : ndarray, shape (T, 4)
        ``x1, y1, x2, y2`` of the joints, with a twentieth of their height around, within the picture.
    stance : ndarray of bool, shape (T, 2)
        Whether the left and the right foot are on the ground.
    near : int
        0: the left leg is nearer to the camera, 1: the right one.
    stature : float
        mm.
    """

    frames: list[np.ndarray]
    keypoints: np.ndarray
    visibility: np.ndarray
    boxes: np.ndarray
    stance: np.ndarray
    near: int
    stature: float

    @property
    def phases(self) -> list[str]:
        """Phase of each frame: of the leg that is nearer to the camera."""
        return [GAIT_PHASES[0] if down else GAIT_PHASES[1] for down in self.stance[:, self.near]]


def render_walker(seed: int, size: tuple[int, int] = (256, 256), fps: float = 50.0, frames: int = 100) -> Walker:
    """Render one walk, filmed from the side by a camera that follows.

    Parameters
    ----------
    seed : int
        Everything that varies comes from it.
    size : (int, int)
        Width and height in pixels.
    fps : float
    frames : int
    """
    rng = np.random.default_rng([seed, 1976])
    body = Body.random(rng)
    figure = build_figure(body, Kit.random(rng, body.female))
    way = walk(body, rng, fps, frames)
    bones = way.bones.moved(np.array([[-way.bones.origin[frames // 2, 0, 0], -3000.0, 0.0]]))
    cameras = _cameras(bones.origin[:, 0], body, size, rng)
    scene = Scene.random(rng, make_backdrop(rng), cameras[frames // 2].pan, None)
    response = CameraResponse.random(rng)
    pictures, pixels, seen = [], [], []
    for at, camera in enumerate(cameras):
        other = cameras[at + 1 if at + 1 < frames else at - 1]
        sign = 1.0 if at + 1 < frames else -1.0
        far = camera.place + camera.axes[2] * 40000.0
        drift = np.zeros(2), sign * (other.project(far)[0] - camera.project(far)[0])
        shot = render(
            body, figure, bones, at, camera=camera, scene=scene, response=response, rng=rng, drift=drift, feet=True
        )
        pictures.append(shot.image)
        pixels.append(np.concatenate([shot.keypoints[LEGS.start : LEGS.stop], shot.keypoints[LEGS.stop :][_SOLES]]))
        seen.append(np.concatenate([shot.visibility[LEGS.start : LEGS.stop], shot.visibility[LEGS.stop :][_SOLES]]))
    keypoints, visibility = np.array(pixels), np.array(seen)
    keypoints[visibility == NOT_LABELLED] = np.nan
    margin = 0.05 * (np.nanmax(keypoints[..., 1], axis=1) - np.nanmin(keypoints[..., 1], axis=1))[:, None]
    low = np.maximum(np.nanmin(keypoints, axis=1) - margin, 0)
    high = np.minimum(np.nanmax(keypoints, axis=1) + margin, size)
    hips = joints(body, bones)[frames // 2, 11:13]
    near = int(np.argmin(cameras[frames // 2].project(hips)[1]))
    boxes = np.concatenate([low, high], axis=1)
    return Walker(pictures, keypoints, visibility, boxes, way.stance, near, body.stature)


def _cameras(hips: np.ndarray, body: Body, size: tuple[int, int], rng: np.random.Generator) -> list[Camera]:
    """Cameras that turn after the legs; the picture ends a little above the hips."""
    width, height = size
    azimuth = np.radians(rng.choice([-90.0, 90.0]) + rng.uniform(-40, 40))
    away = rng.uniform(3000, 5500)
    place = np.array([away * np.cos(azimuth), -3000.0 + away * np.sin(azimuth), rng.uniform(500, 1300)])
    leg = float(hips[:, 2].mean())
    above, below = rng.uniform(0.06, 0.16), rng.uniform(0.08, 0.30)  # of the leg's length, in the picture
    roll, off = float(rng.normal(0, 1.5)), rng.normal(0, 0.06) * width
    shown = (1 + above + below) * leg
    cameras = []
    for hip in hips:
        target = np.array([hip[0], hip[1], leg * (1 + above) - shown / 2])
        focal = height * float(np.linalg.norm(hips[len(hips) // 2] - place)) / shown
        focal = min(focal, 0.8 * width * float(np.linalg.norm(hips[len(hips) // 2] - place)) / leg)
        pan, tilt = aim(place, target)
        cameras.append(Camera(place, pan + float(np.degrees(off / focal)), tilt, roll, focal, width, height))
    return cameras


def write_walkers(
    folder: str | Path, clips: int, seed: int, size: tuple[int, int], *, fps: float, frames: int, crf: int = 20
) -> None:
    """Render walkers and write them with their labels, as `fosbury.synth.sets.write_set` writes jumpers.

    Parameters
    ----------
    folder : str or Path
        The set; replaced as a whole when everything is written. Images of ``annotations.json`` also carry
        ``contact``: whether the left and the right foot are on the ground.
    clips, seed, size
        How many; clip i has the seed ``seed + i``; width and height in pixels, even.
    fps : float
    frames : int
        Of each clip.
    crf : int
        x264's quality.
    """
    folder = Path(folder)
    with work_folder(folder) as work:
        made = work / "set"
        (made / "videos").mkdir(parents=True)
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for index in progress(range(clips), "walkers", "clip"):
            name, walker = clip_name(index), render_walker(seed + index, size, fps, frames)
            write_video(made / "videos" / f"{name}.mp4", walker.frames, fps, crf=crf)
            for at, phase in enumerate(walker.phases):
                number = len(images) + 1
                images.append(
                    {
                        "id": number,
                        "file_name": f"{name}/{at:06d}.jpg",
                        "width": size[0],
                        "height": size[1],
                        "video": f"{name}.mp4",
                        "frame": at,
                        "timestamp_ms": round(1000.0 * at / fps, 3),
                        "phase": phase,
                        "group": name,
                        "stature_mm": walker.stature,
                        "contact": walker.stance[at].tolist(),
                    }
                )
                annotations.append(_annotation(walker, at, number))
        text = json.dumps(_content(images, annotations), separators=(",", ":")) + "\n"
        (made / "annotations.json").write_text(text, encoding="utf-8")
        replace_folder(made, folder, work / "before")


def _annotation(walker: Walker, at: int, number: int) -> dict[str, Any]:
    x1, y1, x2, y2 = walker.boxes[at]
    keypoints: list[float] = []
    for (x, y), seen in zip(walker.keypoints[at], walker.visibility[at], strict=True):
        keypoints += [0, 0, 0] if seen == NOT_LABELLED else [round(float(x), 3), round(float(y), 3), int(seen)]
    return {
        "id": number,
        "image_id": number,
        "category_id": 1,
        "bbox": [round(float(v), 3) for v in (x1, y1, x2 - x1, y2 - y1)],
        "area": round(body_area(walker.boxes[at]), 2),
        "iscrowd": 0,
        "num_keypoints": int((walker.visibility[at] > NOT_LABELLED).sum()),
        "keypoints": keypoints,
    }


def _content(images: list[dict[str, Any]], annotations: list[dict[str, Any]]) -> dict[str, Any]:
    category = {
        "id": 1,
        "name": "walker",
        "supercategory": "person",
        "keypoints": list(JOINTS),
        "skeleton": [[a + 1, b + 1] for a, b in BONES],
    }
    return {
        "info": {"description": "Built-in walkers: rendered, from the hips down", "version": "1"},
        "licenses": [{"id": 1, "name": "Apache-2.0"}],
        "categories": [category],
        "images": images,
        "annotations": annotations,
    }
