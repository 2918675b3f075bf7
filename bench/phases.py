"""Compare the phases that `fosbury select` finds by what moves with labels: the built-in clips, and broadcast frames.

python bench/phases.py --clips data/synthetic/jumps/athlete --broadcast ../shared/data/broadcast
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from fosbury.labelling.jump import Jump, find_jump, measure_motion
from fosbury.media.image import read_image
from fosbury.media.video import decode, to_image
from fosbury.progress import progress

FOUND = ("approach", "flight", "landing", "")
BROADCAST = ("jump", "land", "run")
FPS, WIDE = 25, (320, 180)
NEAR = 0.4


def built_in(folder: Path, every: int) -> Iterator[tuple[str, Jump, list[str], float]]:
    """Clips of the built-in athlete, one in ``every``, with the labelled phase of each frame."""
    phases: dict[str, dict[int, str]] = defaultdict(dict)
    for image in json.loads((folder / "annotations.json").read_text())["images"]:
        phases[image["video"]][image["frame"]] = image.get("phase") or ""
    for name in progress(sorted(phases)[::every], "built-in clips", "clip"):
        frames = [(ms / 1000, to_image(frame)) for _, ms, frame in decode(folder / "videos" / name)]
        step = (frames[-1][0] - frames[0][0]) / max(1, len(frames) - 1)
        yield name, find_jump(measure_motion(frames)), [phases[name].get(n, "") for n in range(len(frames))], step


def broadcast(folder: Path) -> Iterator[tuple[str, Jump, list[str], float]]:
    """Jumps of the broadcast set, as wide as they were filmed, with the labelled class of each frame."""
    jumps: dict[str, dict[int, Path]] = defaultdict(dict)
    for path in sorted((folder / "images").glob("*.jpg")):
        if found := re.match(r"(athlete\d+)_mp4-(\d+)", path.name):
            jumps[found[1]][int(found[2])] = path
    for name, pictures in progress(sorted(jumps.items()), "broadcast", "jump"):
        frames = [(n / FPS, cv2.resize(read_image(path), WIDE)) for n, path in sorted(pictures.items())]
        labels = []
        for _, path in sorted(pictures.items()):
            words = (folder / "labels" / f"{path.stem}.txt").read_text().split()
            labels.append(BROADCAST[int(words[0])] if words else "")
        yield name, find_jump(measure_motion(frames)), labels, 1 / FPS


def report(title: str, clips: Iterator[tuple[str, Jump, list[str], float]], goal: str) -> None:
    """Print a confusion matrix, and how far each clearance is from the frames of ``goal``."""
    counts: Counter[tuple[str, str]] = Counter()
    away = []
    for _, jump, labels, step in clips:
        counts.update(zip(labels, jump.phases, strict=True))
        wanted = [n for n, label in enumerate(labels) if label == goal]
        if wanted and {*labels} != {goal}:
            outside = max(wanted[0] - jump.clearance, jump.clearance - wanted[-1], 0)
            away.append(outside * step)
    print(f"\n{title}: the clearance lies among the frames of '{goal}' in {sum(a == 0 for a in away)} of {len(away)}")
    print(f"clips, within {NEAR} s of them in {sum(a <= NEAR for a in away)}; median {np.median(away):.2f} s away\n")
    print("| labelled | " + " | ".join(name or "outside" for name in FOUND) + " |\n|---|" + "--:|" * len(FOUND))
    for label in dict.fromkeys(label for label, _ in sorted(counts)):
        print(f"| {label or 'none'} | " + " | ".join(str(counts[label, found]) for found in FOUND) + " |")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, default=Path("data/synthetic/jumps/athlete"))
    parser.add_argument("--every", type=int, default=3, help="one clip in so many")
    parser.add_argument("--broadcast", type=Path, default=Path("../shared/data/broadcast"))
    arguments = parser.parse_args()
    if arguments.clips.is_dir():
        report("built-in athlete", built_in(arguments.clips, arguments.every), "arch")
    if arguments.broadcast.is_dir():
        report("broadcast", broadcast(arguments.broadcast), "jump")


if __name__ == "__main__":
    main()
