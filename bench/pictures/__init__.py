"""Labelled pictures for a benchmark: a set that the command line names, or stills of the built-in athlete."""

from __future__ import annotations

import argparse
from pathlib import Path

from fosbury.config import named_skeleton
from fosbury.errors import BadInput
from fosbury.formats.coco import read_coco
from fosbury.media.image import write_image
from fosbury.pose import Dataset
from fosbury.synth.clips import render_stills
from fosbury.synth.stills import labelled_frame

STARTER = Path(__file__).parents[2] / "models/starter/yolo11n-pose.pt"
SIZE = (320, 240)
STILLS = 48


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Let the command line name a model and a labelled set; the starter weights and the built-in athlete by default."""
    parser.add_argument("--model", type=Path, default=STARTER, help="a model that finds people by itself")
    parser.add_argument("--annotations", type=Path, help="COCO keypoints; stills of the built-in athlete if not given")
    parser.add_argument("--images", type=Path, help="folder of the labelled pictures")
    parser.add_argument("--skeleton", default="lsp14", help="of the labels")


def labelled_pictures(asked: argparse.Namespace, folder: Path) -> tuple[Dataset, Path]:
    """Labels and the folder of their pictures; what has to be rendered goes into ``folder``.

    Raises
    ------
    BadInput
        If labels are given without their pictures, or cannot be read.
    """
    if asked.annotations is not None:
        if asked.images is None:
            raise BadInput("--annotations", "are labels of pictures that were not given", "add --images FOLDER")
        return read_coco(asked.annotations, named_skeleton(asked.skeleton)), asked.images
    skeleton, frames = named_skeleton("coco17"), []
    for index, (image, label) in enumerate(render_stills(STILLS, 1, SIZE, upright=False)):
        write_image(folder / f"{index:03d}.png", image)
        frames.append(labelled_frame(f"{index:03d}.png", label, SIZE, skeleton))
    return Dataset(skeleton, tuple(frame for frame in frames if frame.people)), folder
