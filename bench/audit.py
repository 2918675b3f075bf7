"""Measure the audit of the splits.

Recall on changed photographs and on neighbouring frames of clips, and false alarms on pairs of different photographs.
"""

from __future__ import annotations

import argparse
import io
import re
import tempfile
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from rich.console import Console
from rich.table import Table
from timing import positive

from fosbury.dataset.audit import DEFAULT_DISTANCE, Fingerprint, fingerprints, near_duplicates, same_scenes
from fosbury.pose import Frame

SHARED = Path(__file__).parents[2] / "shared" / "data"
PARTS = 24  # of the photographs, each a split of its own
GAPS = (1, 2, 5, 10)
FRAME_NUMBER = re.compile(r"(?P<clip>.+)_mp4-(?P<number>\d+)_")

Picture = Image.Image


def recompressed(picture: Picture, quality: int = 75) -> Picture:
    """Compress a picture as JPEG and read it again."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def cropped(left: float, top: float, right: float, bottom: float) -> Callable[[Picture], Picture]:
    """Cut these shares of the sides off."""

    def change(picture: Picture) -> Picture:
        w, h = picture.size
        return picture.crop((round(left * w), round(top * h), round(w - right * w), round(h - bottom * h)))

    return change


def letterboxed(wide: float, high: float) -> Callable[[Picture], Picture]:
    """Put the picture in the middle of a black one so many times as wide and as high."""

    def change(picture: Picture) -> Picture:
        size = round(picture.width * wide), round(picture.height * high)
        return ImageOps.pad(picture, size, color=(0, 0, 0))

    return change


CHANGES: dict[str, Callable[[Picture], Picture]] = {
    "recompressed (JPEG quality 40)": lambda picture: recompressed(picture, 40),
    "scaled by a half": lambda picture: picture.resize((picture.width // 2, picture.height // 2)),
    "mirrored": ImageOps.mirror,
    "30 % brighter": lambda picture: picture.point(lambda value: min(255, round(1.3 * value))),
    "letterboxed, a third higher": letterboxed(1, 4 / 3),
    "pillarboxed, a third wider": letterboxed(4 / 3, 1),
    "cropped by 1 % on every side": cropped(0.01, 0.01, 0.01, 0.01),
    "cropped by 3 % on every side": cropped(0.03, 0.03, 0.03, 0.03),
    "cropped by 5 % on every side": cropped(0.05, 0.05, 0.05, 0.05),
    "cropped by 10 % on every side": cropped(0.1, 0.1, 0.1, 0.1),
    "cropped by 6 % on the right": cropped(0, 0, 0.06, 0),
    "cropped by 3 % and mirrored": lambda picture: ImageOps.mirror(cropped(0.03, 0.03, 0.03, 0.03)(picture)),
    "turned by 2 degrees": lambda picture: picture.rotate(2, Image.Resampling.BICUBIC),
}


def still(name: str) -> Frame:
    """Make a frame of no clip, no group and nobody labelled."""
    return Frame(name, 1, 1)


def finds(first: Fingerprint, second: Fingerprint) -> tuple[bool, bool]:
    """Whether two pictures are found as the same picture, and as the same picture or the same scene."""
    frames, prints = [("train", still("one")), ("test", still("two"))], [first, second]
    same = bool(near_duplicates(frames, prints, DEFAULT_DISTANCE))
    return same, same or bool(same_scenes(frames, prints))


def changed(paths: Sequence[Path], change: Callable[[Picture], Picture]) -> list[Fingerprint]:
    """Fingerprints of photographs after a change and JPEG."""
    with tempfile.TemporaryDirectory() as name:
        made = [Path(name) / f"{number}.jpg" for number in range(len(paths))]
        for path, copy in zip(paths, made, strict=True):
            change(Image.open(path).convert("RGB")).save(copy, quality=75)
        return fingerprints(made)


def neighbours(paths: Sequence[Path], gap: int) -> list[tuple[int, int]]:
    """Find the frames of one clip that are so many frames apart."""
    numbered = [FRAME_NUMBER.match(path.name) for path in paths]
    place = {(m["clip"], int(m["number"])): at for at, m in enumerate(numbered) if m}
    return [(at, place[clip, n + gap]) for (clip, n), at in sorted(place.items()) if (clip, n + gap) in place]


def row(table: Table, name: str, found: Sequence[tuple[bool, bool]]) -> None:
    """Add a line: how many pairs, and the share that each search finds."""
    same, either = (f"{np.mean(share):.1%}" for share in zip(*found, strict=True))
    table.add_row(name, str(len(found)), same, either)


def main() -> None:
    """Print recall and false alarms."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photographs", type=Path, default=SHARED / "lspe/images", help="folder of different pictures")
    parser.add_argument("--clips", type=Path, default=SHARED / "broadcast/images", help="folder of CLIP_mp4-FFFF_*.jpg")
    parser.add_argument("--changed", type=positive, default=200, help="photographs that are changed")
    asked = parser.parse_args()
    photographs, clips = (sorted(folder.glob("*.jpg")) for folder in (asked.photographs, asked.clips))
    if not photographs or not clips:
        print(f"The audit is measured on pictures, and {asked.photographs} or {asked.clips} holds none.")
        return
    prints = fingerprints(photographs)
    sample = sorted(np.random.default_rng(0).permutation(len(photographs))[: asked.changed].tolist())
    table = Table(title="What the audit finds")
    for head in ("pairs of a picture and the same", "pairs", "same picture", "or same scene"):
        table.add_column(head, justify="left" if head.startswith("pairs of") else "right")
    for name, change in CHANGES.items():
        copies = changed([photographs[at] for at in sample], change)
        row(table, name, [finds(prints[at], copy) for at, copy in zip(sample, copies, strict=True)])
    frames = fingerprints(clips)
    for gap in GAPS:
        pairs = neighbours(clips, gap)
        row(table, f"frames of a clip, {gap} apart", [finds(frames[one], frames[two]) for one, two in pairs])
    Console().print(table)
    edges = np.linspace(0, len(photographs), PARTS + 1).astype(int)
    named = [
        (f"part {part}", still(path.name))
        for part, (low, high) in enumerate(pairwise(edges))
        for path in photographs[low:high]
    ]
    compared = (len(photographs) ** 2 - sum((high - low) ** 2 for low, high in pairwise(edges))) // 2
    alarms = [*near_duplicates(named, prints, DEFAULT_DISTANCE), *same_scenes(named, prints)]
    print(f"Among {compared:,} pairs of different photographs, each also mirrored: {len(alarms)} found. Look at them:")
    for pair in alarms:
        print(f"  {pair}")


if __name__ == "__main__":
    main()
