"""What is drawn on the frames of a clip: the athlete's joints, and how fast the model was."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from fosbury.skeleton import Skeleton
from fosbury.video.draw import draw_pose
from fosbury.video.look import DRAWN
from fosbury.video.settle import Settled

SIZE = 480
"""Shorter side in pixels of a picture in which a bone is four pixels wide; larger ones have wider bones."""
FONT = cv2.FONT_HERSHEY_SIMPLEX


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


def draw_frame(image: np.ndarray, settled: Settled, skeleton: Skeleton, overlay: Overlay) -> np.ndarray:
    """Draw on a frame.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB.
    settled : Settled
    skeleton : Skeleton
        Of its pose.
    overlay : Overlay

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
    """
    scale = min(image.shape[:2]) / SIZE
    if overlay.joints and (pose := settled.pose) is not None:
        points = np.where((pose.confidence >= overlay.score)[:, None], pose.keypoints, np.nan)
        image = draw_pose(image, points, skeleton, size=max(1.0, 2 * scale))
    words = []
    took = settled.answer.latency_ms
    if overlay.latency and took:
        words.append(f"{took:.0f} ms")
    if overlay.rate and took:
        words.append(f"{1000 / took:.0f} frames/s")
    if words:
        image = _write(np.ascontiguousarray(image), "  ".join(words), scale)
    return image


def _write(image: np.ndarray, text: str, scale: float) -> np.ndarray:
    size, width = max(0.4, 0.6 * scale), max(1, round(1.5 * scale))
    place = (round(8 * size / 0.4), round(14 * size / 0.4))
    if not image.flags.writeable:
        image = image.copy()
    for colour, extra in (((0, 0, 0), 2), ((255, 255, 255), 0)):
        cv2.putText(image, text, place, FONT, size, colour, width + extra, cv2.LINE_AA)
    return image
