"""Turn a folder of YOLO detection labels into a set without joints, for ``data.unlabelled``.

``images/`` and ``labels/`` lie in the folder, one line ``class x y width height`` to a person, in shares of the
picture. Frames of a clip are one group: by default the part of a name before ``_mp4``. ``--size`` undoes an export that
squeezed every picture into a square.

    python bench/data/detections.py BROADCAST --out data/raw/broadcast --size 1138 640
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import cv2
import numpy as np

from fosbury.config import named_skeleton
from fosbury.errors import BadInput
from fosbury.files import put_folder, work_folder
from fosbury.formats.coco import write_coco
from fosbury.formats.sets import ANNOTATIONS, IMAGES
from fosbury.media.image import read_image, write_image
from fosbury.pose import NOT_LABELLED, Dataset, Frame, Person, body_area
from fosbury.progress import progress
from fosbury.skeleton import Skeleton

SUFFIXES = (".jpg", ".jpeg", ".png")


def boxes(path: Path, width: int, height: int) -> np.ndarray:
    """Read x1, y1, x2, y2 in pixels, shape (N, 4), of the detections of one picture."""
    rows = [line.split()[:5] for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    try:
        middle, extent = np.split(np.array(rows, dtype=float).reshape(-1, 5)[:, 1:], 2, axis=1)
    except ValueError:
        raise BadInput(path, "is no file of detections", "give lines of 'class x y width height'") from None
    return np.concatenate([middle - extent / 2, middle + extent / 2], axis=1) * np.tile((width, height), 2)


def frame_of(name: str, found: np.ndarray, size: tuple[int, int], *, skeleton: Skeleton, group: str | None) -> Frame:
    """Describe a picture in which people have a box and no joints."""
    joints = len(skeleton)
    nothing = np.full((joints, 2), np.nan), np.full(joints, NOT_LABELLED, dtype=np.uint8)
    people = tuple(Person(*nothing, box, body_area(box)) for box in found)
    return Frame(name, *size, people, group=group)


def main() -> None:
    """Write the set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--size", type=int, nargs=2, metavar=("WIDTH", "HEIGHT"), help="of the pictures before squeezing"
    )
    parser.add_argument("--group", default=r"(.+?)_mp4", help="what of a name says the clip")
    parser.add_argument("--skeleton", default="coco17")
    parser.add_argument("--every", type=int, default=1, help="take one picture in so many")
    given = parser.parse_args()
    skeleton = named_skeleton(given.skeleton)
    pictures = [path for path in sorted((given.folder / IMAGES).glob("*")) if path.suffix.lower() in SUFFIXES]
    if not pictures:
        raise SystemExit(f"{given.folder / IMAGES}: holds no pictures.")
    if given.out.exists():
        raise SystemExit(f"{given.out}: exists already; choose another --out, or remove it first.")
    frames = []
    with work_folder(given.out) as work:
        made = work / "set"
        for path in progress(pictures[:: given.every], "pictures", "picture"):
            labels = given.folder / "labels" / f"{path.stem}.txt"
            if not labels.is_file():
                continue
            picture = read_image(path)
            if given.size:
                picture = cv2.resize(picture, given.size, interpolation=cv2.INTER_LINEAR)
            height, width = picture.shape[:2]
            found = boxes(labels, width, height)
            if not len(found):
                continue
            clip = re.match(given.group, path.stem)
            name = f"{path.stem}.jpg"
            write_image(made / IMAGES / name, picture, 95)
            frames.append(
                frame_of(name, found, (width, height), skeleton=skeleton, group=clip.group(1) if clip else None)
            )
        write_coco(Dataset(skeleton, tuple(frames)), made / ANNOTATIONS)
        put_folder(made, given.out)
    print(f"{given.out}: {len(frames)} pictures of {len({frame.unit for frame in frames})} clips")


if __name__ == "__main__":
    main()
