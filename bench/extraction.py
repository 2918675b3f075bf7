"""Frames a second of our extraction (upright, timed, checked, with a manifest) against plain OpenCV."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

import cv2
from timing import alternate, positive, report

from fosbury.media.extract import extract
from fosbury.media.video import write_video
from fosbury.synth.clips import render_clip

QUALITY = 95
LOOPS = 4  # a jump takes two seconds, which is little to time


def plain(video: Path, folder: Path) -> int:
    """Every frame as a JPEG file, as a few lines of OpenCV do it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    capture, count = cv2.VideoCapture(str(video)), 0
    while True:
        there, image = capture.read()
        if not there:
            return count
        cv2.imwrite(str(folder / f"{count:06d}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        count += 1


def ours(video: Path, folder: Path) -> int:
    """Do the same by the function that the stage calls."""
    shutil.rmtree(folder, ignore_errors=True)
    return len(extract(video, folder, quality=QUALITY).frames)


def main() -> None:
    """Compare the two on one clip."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", type=Path, help="a clip; one of the built-in athlete if not given")
    parser.add_argument("--width", type=positive, default=640, help="of the built-in athlete's clip, even")
    parser.add_argument("--height", type=positive, default=360)
    parser.add_argument("--repeats", type=positive, default=7)
    asked = parser.parse_args()
    if asked.video is not None and not asked.video.is_file():
        parser.error(f"{asked.video} is not there")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        video = asked.video
        if video is None:
            video = folder / "clip.mp4"
            write_video(video, LOOPS * render_clip(1, (asked.width, asked.height))[0], 25)
        counts = ours(video, folder / "ours"), plain(video, folder / "plain")
        ways = {"fosbury": lambda: ours(video, folder / "ours"), "opencv": lambda: plain(video, folder / "plain")}
        seconds = alternate(ways, asked.repeats)
    report(f"Extraction of {video.name}: {counts[0]} frames", seconds, "opencv", counts[0], "frame")
    if counts[0] != counts[1]:
        print(f"OpenCV gave {counts[1]} frames of the same clip.")


if __name__ == "__main__":
    main()
