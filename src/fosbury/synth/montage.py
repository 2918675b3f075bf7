"""A contact sheet of the built-in athlete."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from fosbury.media.image import encode_jpeg, write_image
from fosbury.pose import NOT_LABELLED, VISIBLE
from fosbury.synth.clips import BONES, Label, render_clip
from fosbury.synth.sets import is_fixed

MOMENTS = 8
LEFT, RIGHT, MIDDLE = (255, 120, 60), (70, 170, 255), (240, 240, 240)
HIDDEN = (255, 0, 200)


def _side(joint: int) -> int:
    return 0 if joint == 0 else 1 if joint % 2 else 2


def overlay(image: np.ndarray, label: Label) -> np.ndarray:
    """Draw the labelled skeleton and box: left limbs orange, right limbs blue, occluded joints magenta.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
    label : Label

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
    """
    image = image.copy()
    there = label.visibility > NOT_LABELLED
    shifted = np.round((np.nan_to_num(label.keypoints) - 0.5) * 16).astype(int)
    for a, b in BONES:
        if there[a] and there[b]:
            sides = {_side(a), _side(b)}
            colour = MIDDLE if len(sides) > 1 else (MIDDLE, LEFT, RIGHT)[sides.pop()]
            cv2.line(image, shifted[a].tolist(), shifted[b].tolist(), colour, 1, cv2.LINE_AA, 4)
    for joint in np.flatnonzero(there):
        colour = (MIDDLE, LEFT, RIGHT)[_side(joint)] if label.visibility[joint] == VISIBLE else HIDDEN
        cv2.circle(image, shifted[joint].tolist(), 2 * 16, colour, -1, cv2.LINE_AA, 4)
    corners = np.round(label.box - 0.5).astype(int).tolist()
    cv2.rectangle(image, corners[:2], corners[2:], (255, 235, 60), 1)
    return image


def _moments(labels: Sequence[Label]) -> list[int]:
    """Frames that tell the jump: run, plant, toe-off, flight, three of the arch, landing."""
    index = {
        phase: [i for i, label in enumerate(labels) if label.phase == phase]
        for phase in ("approach", "takeoff", "flight", "arch", "landing")
    }
    if not all(index.values()):
        return np.linspace(0, len(labels) - 1, MOMENTS).round().astype(int).tolist()
    arch = index["arch"]
    return [
        index["approach"][len(index["approach"]) // 3],
        index["takeoff"][-1],
        index["flight"][len(index["flight"]) // 2],
        *(arch[round(share * (len(arch) - 1))] for share in (0.1, 0.35, 0.6, 0.9)),
        index["landing"][-1],
    ]


def contact_sheet(clips: Sequence[tuple[list[np.ndarray], list[Label]]], labelled: bool) -> np.ndarray:
    """One row of moments for each clip.

    Parameters
    ----------
    clips : sequence of (frames, labels)
        As :func:`fosbury.synth.clips.render_clip` returns them, all of one size.
    labelled : bool
        Draw the skeletons.

    Returns
    -------
    ndarray of uint8, shape (rows * H, 8 * W, 3)
    """
    rows = []
    for frames, labels in clips:
        cells = [overlay(frames[i], labels[i]) if labelled else frames[i] for i in _moments(labels)]
        rows.append(np.hstack(cells))
    return np.vstack(rows)


def write_montage(
    path: str | Path,
    seed: int,
    size: tuple[int, int],
    fps: float,
    *,
    clips: int = 4,
    limit: int = 300_000,
    fixed_every: int = 0,
) -> None:
    """Write a contact sheet of the first clips, the first two of them again with their labels.

    Parameters
    ----------
    path : str or Path
        A ``.jpg`` of at most ``limit`` bytes.
    seed, size, fps, fixed_every
        As for :func:`fosbury.synth.sets.write_set`.
    clips : int
        Rows without labels.
    limit : int
        Bytes.
    """
    shown = [render_clip(seed + index, size, fps, fixed=is_fixed(index, fixed_every)) for index in range(clips)]
    sheet = np.vstack([contact_sheet(shown, labelled=False), contact_sheet(shown[:2], labelled=True)])
    width = min(sheet.shape[1], 1600)
    sheet = cv2.resize(sheet, (width, round(sheet.shape[0] * width / sheet.shape[1])), interpolation=cv2.INTER_AREA)
    quality = next((q for q in range(88, 20, -4) if len(encode_jpeg(sheet, q)) <= limit), 20)
    write_image(path, sheet, quality)
