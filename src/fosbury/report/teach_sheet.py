"""A contact sheet of labels that a teacher changed: each as it was, and as it is now."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fosbury.dataset.relabel import REPAIRED, Judged
from fosbury.inference.rotated_crop import RotatedCrop
from fosbury.media.image import read_image
from fosbury.pose import Frame, Person
from fosbury.skeleton import Skeleton
from fosbury.video.draw import draw_pose

CELL, GAP, HEADER = 150, 4, 22
COLUMNS, ROWS = 4, 8
"""Of pairs: the label to the left, what became of it to the right."""

MARGIN = 1.3  # side of a cell in longer sides of the box
PAPER, INK = (255, 255, 255), (20, 20, 20)


def contact_sheet(
    changed: Sequence[tuple[Frame, Person, Judged]], root: Path, skeleton: Skeleton, said: str
) -> np.ndarray:
    """Draw a few dozen people whose labels were changed, evenly taken from all.

    Parameters
    ----------
    changed : sequence of (Frame, Person, Judged)
        The frame, the label as it was, what became of it.
    root : Path
        Folder that file names are relative to.
    skeleton : Skeleton
    said : str
        The line above them.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        RGB.

    Raises
    ------
    BadInput
        If a picture cannot be read.
    """
    count = min(len(changed), COLUMNS * ROWS)
    chosen = [changed[index] for index in np.linspace(0, len(changed) - 1, count).round().astype(int)]
    pair = 2 * CELL + 3 * GAP
    page = Image.new("RGB", (COLUMNS * pair, HEADER + -(-count // COLUMNS) * (CELL + GAP)), PAPER)
    ImageDraw.Draw(page).text((GAP, 3), said, INK, ImageFont.load_default(13))
    for place, (frame, before, judged) in enumerate(chosen):
        picture = read_image(root / frame.file_name)
        square = RotatedCrop.around(before.box, MARGIN, largest=CELL)
        crop = square.warp(picture)
        for column, person in enumerate((before, judged.person)):
            drawn = draw_pose(crop, square.points(person.keypoints), skeleton, size=1.0)
            if column:
                drawn = _marked(drawn, square.points(person.keypoints[judged.verdicts == REPAIRED]))
            left = (place % COLUMNS) * pair + GAP + column * (CELL + GAP)
            page.paste(Image.fromarray(drawn), (left, HEADER + (place // COLUMNS) * (CELL + GAP)))
    return np.asarray(page)


def _marked(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Ring the joints that were replaced."""
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    for x, y in points:
        draw.ellipse((x - 5, y - 5, x + 5, y + 5), outline=(255, 255, 255))
    return np.asarray(image)
