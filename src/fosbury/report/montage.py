"""One picture of the typical and the worst frames: as labelled, before fine-tuning, after it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fosbury.files import write_bytes
from fosbury.media.image import read_image
from fosbury.metrics.evaluation import Evaluation
from fosbury.metrics.match import match_boxes
from fosbury.pose import FOCUS, Dataset, Frame, Person, Pose
from fosbury.video.draw import draw_comparison, draw_pose

CELL = (320, 256)
ROOM = 1.3  # times the athlete's box
SMALLEST = 16.0  # pixels of the picture across a cell
MARGIN = 6
CAPTION = 22
HEADER = 30
LARGEST = 300_000
"""Bytes of the written picture at most."""

PAPER, INK, OUTSIDE = (255, 255, 255), (20, 20, 20), (90, 90, 90)


@dataclass(frozen=True)
class Choice:
    """A frame to show: its index in the data set and whether it is ``typical`` or among the ``worst``."""

    frame: int
    kind: str


def choose_frames(
    dataset: Dataset, tuned: Evaluation, *, phase: str = FOCUS, typical: int = 3, worst: int = 3
) -> list[Choice]:
    """Pick the frames whose error after fine-tuning is nearest to the median, and those with the largest.

    Frames of different videos are preferred, since neighbours look alike.

    Parameters
    ----------
    dataset : Dataset
    tuned : Evaluation
        Of the fine-tuned model on ``dataset``.
    phase : str
        Only frames of this phase; all frames where it does not occur.
    typical, worst : int
        How many of each; fewer where there are not enough frames.

    Returns
    -------
    list of Choice
        Typical frames first; no frame twice.
    """
    rows = tuned.phase == phase
    frames, error = tuned.frame_errors(rows if rows.any() else None)
    if not frames.size:
        return []
    units = [dataset.frames[index].unit for index in frames]
    worst = min(worst, frames.size // 2)
    bad = _pick(np.argsort(-error, kind="stable"), units, worst, taken=[])
    near = _pick(np.argsort(np.abs(error - np.median(error)), kind="stable"), units, typical, taken=bad)
    near = sorted(near, key=lambda row: (error[row], row))
    return [Choice(int(frames[row]), "typical") for row in near] + [Choice(int(frames[row]), "worst") for row in bad]


def _pick(ranked: np.ndarray, units: Sequence[str], count: int, taken: Sequence[int]) -> list[int]:
    """First ``count`` rows of a ranking that are not taken, of one video each as long as videos last."""
    free = [int(row) for row in ranked if row not in set(taken)]
    first, seen = [], set()
    for row in free:
        if units[row] not in seen:
            first.append(row)
            seen.add(units[row])
    chosen = [*first, *(row for row in free if row not in set(first))][:count]
    place = {row: rank for rank, row in enumerate(ranked.tolist())}
    return sorted(chosen, key=place.__getitem__)


def montage(
    dataset: Dataset,
    root: Path,
    before: tuple[Evaluation, Sequence[Sequence[Pose]]],
    *,
    after: tuple[Evaluation, Sequence[Sequence[Pose]]],
    choices: Sequence[Choice],
) -> np.ndarray:
    """Draw chosen frames in rows of three: labelled, before, after, the error written under each prediction.

    Parameters
    ----------
    dataset : Dataset
    root : Path
        Folder that ``file_name`` is relative to.
    before, after : tuple of (Evaluation, poses of every frame)
    choices : sequence of Choice

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        RGB.

    Raises
    ------
    BadInput
        If a picture cannot be read.
    """
    width, height = CELL
    columns = ("labelled", "before fine-tuning", "after fine-tuning")
    page = Image.new(
        "RGB",
        (
            MARGIN + len(columns) * (width + MARGIN),
            HEADER + len(choices) * (height + CAPTION + MARGIN) + CAPTION,
        ),
        PAPER,
    )
    draw = ImageDraw.Draw(page)
    for column, title in enumerate(columns):
        draw.text((_left(column), 5), title, INK, _font(17))
    errors = [dict(zip(*evaluation.frame_errors(), strict=True)) for evaluation, _ in (before, after)]
    for row, choice in enumerate(choices):
        top = HEADER + row * (height + CAPTION + MARGIN)
        frame = dataset.frames[choice.frame]
        drawn = cells(dataset, root, choice.frame, (before[1][choice.frame], after[1][choice.frame]))
        texts = [f"{choice.kind}: {_name(frame)}", *(f"{each[choice.frame]:.0f} mm" for each in errors)]
        for column, (cell, text) in enumerate(zip(drawn, texts, strict=True)):
            page.paste(Image.fromarray(cell), (_left(column), top))
            draw.text((_left(column), top + height + 2), text, INK, _font(14))
    legend = "left: blue, solid    right: orange, dashed    ring: label, white line: error"
    draw.text((_left(0), page.height - CAPTION), legend, INK, _font(13))
    return np.asarray(page)


def _left(column: int) -> int:
    return MARGIN + column * (CELL[0] + MARGIN)


def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


def _name(frame: Frame) -> str:
    name = frame.file_name if frame.frame is None else f"{Path(frame.video or '').stem} {frame.frame}"
    name = name.rsplit("/", 1)[-1]
    return name if len(name) <= 30 else f"{name[:14]}…{name[-15:]}"


def cells(dataset: Dataset, root: Path, index: int, predictions: Sequence[Sequence[Pose]]) -> list[np.ndarray]:
    """Pictures of the largest labelled person of a frame: as labelled, then as each model saw them.

    Parameters
    ----------
    dataset : Dataset
    root : Path
        Folder that ``file_name`` is relative to.
    index : int
        Of the frame.
    predictions : sequence of sequence of Pose
        For each model its poses in that frame.

    Returns
    -------
    list of ndarray of uint8, shape (*CELL[::-1], 3)
    """
    frame = dataset.frames[index]
    image = read_image(root / frame.file_name)
    person, place = max(zip(frame.people, range(len(frame.people)), strict=True), key=lambda item: item[0].area)
    picture, scale, corner = _crop(image, person)
    label = np.where(person.labelled[:, None], (person.keypoints - corner) * scale, np.nan)
    drawn = [draw_pose(picture, label, dataset.skeleton, visibility=person.visibility)]
    boxes = np.array([each.box for each in frame.people]).reshape(-1, 4)
    for poses in predictions:
        choice = match_boxes(boxes, np.array([pose.box for pose in poses]).reshape(-1, 4))[place]
        guess = None if choice < 0 else (poses[choice].keypoints - corner) * scale
        cell = draw_comparison(picture, label, guess, skeleton=dataset.skeleton)
        drawn.append(cell if guess is not None else _stamp(cell, "missed"))
    return drawn


def _crop(image: np.ndarray, person: Person) -> tuple[np.ndarray, float, np.ndarray]:
    """Surroundings of a person, as a cell; the scale; the corner in pixels of the image."""
    x1, y1, x2, y2 = person.box
    scale = min(CELL[0] / max(ROOM * (x2 - x1), SMALLEST), CELL[1] / max(ROOM * (y2 - y1), SMALLEST))
    corner = (np.array([x1 + x2, y1 + y2]) - np.array(CELL) / scale) / 2
    shift = (0.5 - corner) * scale - 0.5
    matrix = np.array([[scale, 0.0, shift[0]], [0.0, scale, shift[1]]])
    if scale < 0.5:
        image = cv2.GaussianBlur(image, (0, 0), 0.4 / scale)
    picture = cv2.warpAffine(image, matrix, CELL, flags=cv2.INTER_LINEAR, borderValue=OUTSIDE)
    return picture, scale, corner


def _stamp(cell: np.ndarray, text: str) -> np.ndarray:
    picture = Image.fromarray(cell)
    draw = ImageDraw.Draw(picture)
    draw.text((8, 6), text, (255, 255, 255), _font(22), stroke_width=2, stroke_fill=(0, 0, 0))
    return np.asarray(picture)


def write_montage(path: Path, picture: np.ndarray, largest: int = LARGEST) -> None:
    """Write a JPEG of at most ``largest`` bytes: the best quality that fits, smaller where none does.

    Parameters
    ----------
    path : Path
    picture : ndarray of uint8, shape (H, W, 3)
        RGB.
    largest : int
        Bytes.
    """
    image = Image.fromarray(picture)
    data = _jpeg(image, largest)
    while data is None:
        image = image.resize((max(1, image.width * 4 // 5), max(1, image.height * 4 // 5)), Image.Resampling.LANCZOS)
        data = _jpeg(image, largest)
    write_bytes(path, data)


def _jpeg(image: Image.Image, largest: int) -> bytes | None:
    for quality in (90, 85, 80, 75, 70, 65, 60):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality, optimize=True)
        if buffer.tell() <= largest or max(image.size) <= 16:
            return buffer.getvalue()
    return None
