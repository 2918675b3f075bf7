"""A contact sheet of labels that may be wrong, the worst first."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fosbury.inference.rotated_crop import RotatedCrop
from fosbury.media.image import read_image
from fosbury.pose import Dataset
from fosbury.progress import progress
from fosbury.video.draw import draw_pose

CELL, GAP, CAPTION, HEADER = 230, 6, 62, 24
COLUMNS, MOST = 5, 30
MARGIN = 1.5  # side of a cell in longer sides of the box
LINE = 41  # letters of a caption's line
PAPER, INK, MARK = (255, 255, 255), (20, 20, 20), (213, 0, 50)

Entry = tuple[int, int, tuple[int, ...], str]
"""Index of the frame, of the person in it, joints to ring, and what is written below the picture's name."""


def quality_sheet(dataset: Dataset, root: Path, entries: Sequence[Entry], said: str) -> np.ndarray:
    """Draw the first `MOST` of the labels in question, each with its picture's name and what is said of it.

    Parameters
    ----------
    dataset : Dataset
    root : Path
        Folder that file names are relative to.
    entries : sequence of Entry
    said : str
        The line above them; another says what the colours mean.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        RGB.

    Raises
    ------
    BadInput
        If a picture cannot be read.
    """
    chosen = entries[:MOST]
    rows = -(-len(chosen) // COLUMNS)
    height = HEADER + rows * (CELL + CAPTION + GAP)
    page = Image.new("RGB", (GAP + COLUMNS * (CELL + GAP), height), PAPER)
    pen = ImageDraw.Draw(page)
    legend = "left: blue, solid   right: orange, dashed   red ring: in question"
    pen.text((GAP, 4), f"{said}   {legend}", INK, ImageFont.load_default(13))
    for place, (index, number, joints, reason) in enumerate(progress(chosen, "drawing", "label")):
        left = GAP + place % COLUMNS * (CELL + GAP)
        top = HEADER + place // COLUMNS * (CELL + CAPTION + GAP)
        page.paste(Image.fromarray(_cell(dataset, root, index, number, joints=joints)), (left, top))
        name = dataset.frames[index].file_name
        name = name if len(name) <= LINE - 4 else f"…{name[5 - LINE :]}"
        lines = [f"{place + 1}. {name}", *textwrap.wrap(reason, LINE, max_lines=3, placeholder=" …")]
        pen.multiline_text((left, top + CELL + 1), "\n".join(lines), INK, ImageFont.load_default(11), spacing=2)
    return np.asarray(page)


def _cell(dataset: Dataset, root: Path, index: int, number: int, *, joints: tuple[int, ...]) -> np.ndarray:
    frame = dataset.frames[index]
    person = frame.people[number]
    square = RotatedCrop.around(person.box, MARGIN, largest=CELL)
    points = np.where(person.labelled[:, None], square.points(person.keypoints), np.nan)
    drawn = draw_pose(
        square.warp(read_image(root / frame.file_name)),
        points,
        dataset.skeleton,
        visibility=person.visibility,
        size=1.2,
    )
    cell = Image.new("RGB", (CELL, CELL), PAPER)
    picture = Image.fromarray(drawn)
    scale = CELL / max(picture.size)
    if scale != 1:
        picture = picture.resize((CELL, CELL), Image.Resampling.LANCZOS)
    cell.paste(picture)
    pen = ImageDraw.Draw(cell)
    for x, y in points[list(joints)] * scale:
        if np.isfinite([x, y]).all():
            pen.ellipse((x - 8, y - 8, x + 8, y + 8), outline=MARK, width=2)
    return np.asarray(cell)
