"""What is drawn on the frames of a clip: the athlete's joints, and how fast the model was."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fosbury.skeleton import Skeleton
from fosbury.video.draw import paint_pose, write_text
from fosbury.video.look import DRAWN
from fosbury.video.planes import Planes
from fosbury.video.settle import Settled

SIZE = 480
"""Shorter side in pixels of a picture in which a bone is four pixels wide; larger ones have wider bones."""


@dataclass(frozen=True, kw_only=True)
class Overlay:
    """What is drawn.

    Attributes
    ----------
    joints, latency, rate : bool
        Joints and bones; milliseconds that the look at the frame took; frames a second that this allows.
    score : float
        Least score of a joint that is drawn.
    """

    joints: bool = True
    latency: bool = True
    rate: bool = True
    score: float = DRAWN


def draw_frame(planes: Planes, settled: Settled, skeleton: Skeleton, overlay: Overlay) -> None:
    """Draw on a frame.

    Parameters
    ----------
    planes : Planes
    settled : Settled
    skeleton : Skeleton
        Of its pose.
    overlay : Overlay
    """
    scale = min(planes.luma.shape) / SIZE
    if overlay.joints and (pose := settled.pose) is not None:
        points = np.where((pose.confidence >= overlay.score)[:, None], pose.keypoints, np.nan)
        paint_pose(planes, points, skeleton, size=max(1.0, 2 * scale))
    words = []
    took = settled.answer.latency_ms
    if overlay.latency and took:
        words.append(f"{took:.0f} ms")
    if overlay.rate and took:
        words.append(f"{1000 / took:.0f} frames/s")
    if words:
        size = max(0.4, 0.6 * scale)
        write_text(planes, "  ".join(words), (20 * size, 35 * size), size=size, width=max(1, round(1.5 * scale)))
