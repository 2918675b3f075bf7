"""Pictures a second of the two backends on the processor, from the picture in memory to joints.

YOLO finds people in the whole picture; RTMPose looks at a box, where labels, its own search or the last frame's pose
put it.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from timing import alternate, positive, report

from fosbury.config import named_skeleton
from fosbury.inference.boxes import SOURCES, BoxProvider
from fosbury.inference.registry import load_model
from fosbury.synth.clips import render_clip
from fosbury.synth.stills import labelled_frame

STARTERS = Path(__file__).parents[1] / "models/starter"
SIZE = (256, 256)


def main() -> None:
    """Compare the two on one clip of the built-in athlete."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=positive, default=48)
    parser.add_argument("--image-size", type=positive, default=320, help="of YOLO, pixels, a multiple of 32")
    parser.add_argument("--repeats", type=positive, default=3)
    asked = parser.parse_args()
    skeleton = named_skeleton("coco17")
    images, labels = render_clip(1, SIZE)
    pictures = list(images)[: asked.pictures]
    frames = [
        replace(labelled_frame(f"clip/{i}.png", label, SIZE, skeleton), video="clip", frame=i)
        for i, label in enumerate(labels[: asked.pictures])
    ]
    yolo = load_model(STARTERS / "yolo11n-pose.pt", image_size=asked.image_size)
    rtmpose = load_model(STARTERS / "rtmpose/rtmpose-t.pt")
    ways = {f"yolo11n, {asked.image_size} px": lambda: [yolo.predict([picture]) for picture in pictures]}
    for source in SOURCES:
        ways[f"rtmpose-t, boxes: {source}"] = lambda source=source: _look(
            BoxProvider(rtmpose, source), pictures, frames
        )
    seconds = alternate(ways, asked.repeats)
    report(f"Inference, {len(pictures)} pictures one by one", seconds, next(iter(ways)), len(pictures), "picture")


def _look(predictor: BoxProvider, pictures: list, frames: list) -> None:
    for picture, frame in zip(pictures, frames, strict=True):
        predictor.predict([picture], [frame])


if __name__ == "__main__":
    main()
