"""Does the test see what the training saw? The same file twice, and near-duplicate frames across splits.

Pictures are compared by a 256-bit perceptual hash (the 16 x 16 lowest frequencies of 64 x 64 grey values),
also mirrored. Measured on photographs and broadcast frames, in bits:

- the same picture recompressed or scaled by a half: at most 10; contrast +30 %: at most 18; brightness +30 %: median
  10, 95 % within 24; cropped by 1 % on every side: median 26;
- different clips: at least 32, and at least 54 unless the same jumper comes at the same place;
- different photographs: at least 72 (two of one burst), typically 108 or more; mirrored, at least 80;
- one photograph published in two crops: 34, which the default does not reach;
- one clip from a fixed camera, 25 frames apart: at least 22 for a small moving subject, 36 for a person.

So the default of 20 bits finds material that came in twice and is silent about one stadium seen twice. A camera on a
tripod and a small athlete can come below that, so two frames count only if their labelled people, too, are at the same
place (boxes overlap with IoU of at least 0.3 in relative coordinates).
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import imagehash
import numpy as np
from PIL import Image, ImageOps
from tqdm import tqdm

from fosbury.errors import BadInputs
from fosbury.media.files import sha256_of
from fosbury.media.image import read_image
from fosbury.pose import Dataset, Frame

DEFAULT_DISTANCE = 20
HASH_SIDE = 16
SAME_PLACE_IOU = 0.3
FLAT = 2.0
LISTED = 20
CHUNK = 512


@dataclass(frozen=True)
class Pair:
    """Two frames that should not be in these splits together; ``distance`` in bits of the perceptual hash."""

    first: str
    second: str
    splits: tuple[str, str]
    kind: str
    distance: int = 0

    def __str__(self) -> str:
        bits = "" if self.kind == "same file" else f", {self.distance} bits"
        return f"{self.first} ({self.splits[0]}) and {self.second} ({self.splits[1]}): {self.kind}{bits}"


@dataclass(frozen=True)
class Audit:
    """What an audit looked at and found."""

    images: int
    distance: int
    pairs: tuple[Pair, ...]
    allowed: bool


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """Content hash, perceptual hashes (uint8, shape (32,)) of the picture and its mirror image, and contrast."""

    sha256: str
    hash: np.ndarray
    mirrored: np.ndarray
    contrast: float


def fingerprint(path: Path) -> Fingerprint:
    """Hash one image file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Fingerprint
        Of the picture as displayed (EXIF orientation applied).

    Raises
    ------
    BadInput
        If the file is missing or not a readable picture.
    """
    side = 4 * HASH_SIDE
    grey = Image.fromarray(read_image(path)).convert("L").resize((side, side), Image.Resampling.LANCZOS)
    plain, mirrored = (
        np.packbits(imagehash.phash(picture, HASH_SIDE).hash) for picture in (grey, ImageOps.mirror(grey))
    )
    return Fingerprint(sha256_of(path), plain, mirrored, float(np.asarray(grey).std()))


def fingerprints(paths: Sequence[Path]) -> list[Fingerprint]:
    """Hash image files in parallel, with a progress bar; the order is kept."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(tqdm(pool.map(fingerprint, paths), total=len(paths), desc="audit", unit="image", disable=None))


def hamming(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Number of bits, shape (N, M), in which packed hashes of shape (N, B) and (M, B) differ."""
    first, second = (np.ascontiguousarray(h).view(np.uint64) for h in (first, second))
    total = np.zeros((len(first), len(second)), dtype=np.uint16)
    for word in range(first.shape[1]):
        total += np.bitwise_count(first[:, word, None] ^ second[None, :, word])
    return total


def audit(splits: Mapping[str, Dataset], root: Path, distance: int = DEFAULT_DISTANCE, allow: bool = False) -> Audit:
    """Look for the same file in two groups, and for near-duplicate frames, also mirrored, across splits.

    Parameters
    ----------
    splits : mapping of str to Dataset
        File names are relative to ``root``.
    root : Path
    distance : int
        Most bits of 256 in which two near-duplicates differ.
    allow : bool
        Return the findings instead of failing.

    Returns
    -------
    Audit

    Raises
    ------
    BadInputs
        If something was found and is not allowed: the first 20 pairs are named, the others counted.
    BadInput
        If an image is missing or unreadable.
    """
    frames = [(name, frame) for name in splits for frame in splits[name].frames]
    prints = fingerprints([root / frame.file_name for _, frame in frames])
    pairs = [*same_files(frames, prints), *near_duplicates(frames, prints, distance)]
    if pairs and not allow:
        problems = [str(pair) for pair in pairs[:LISTED]]
        if len(pairs) > LISTED:
            problems.append(f"and {len(pairs) - LISTED} more pairs")
        raise BadInputs(
            "data set",
            problems,
            "give the clips of each pair one 'group', keep one of the two, lower split.near_duplicates, "
            "or set split.allow_duplicates to true",
        )
    return Audit(len(frames), distance, tuple(pairs), allow)


def same_files(frames: Sequence[tuple[str, Frame]], prints: Sequence[Fingerprint]) -> list[Pair]:
    """Files of equal content in two groups, in one split or in two; a clip may repeat its own frames."""
    by_content: dict[str, list[int]] = defaultdict(list)
    for index, found in enumerate(prints):
        by_content[found.sha256].append(index)
    pairs = []
    for indices in by_content.values():
        first, rest = indices[0], indices[1:]
        for other in rest:
            if frames[first][1].unit != frames[other][1].unit or frames[first][0] != frames[other][0]:
                pairs.append(_pair(frames, first, other, "same file", 0))
    return pairs


def near_duplicates(frames: Sequence[tuple[str, Frame]], prints: Sequence[Fingerprint], distance: int) -> list[Pair]:
    """Frames of different splits that show the same picture, or its mirror image, with people at the same place."""
    members: dict[str, np.ndarray] = {}
    for name in dict.fromkeys(name for name, _ in frames):
        inside = [i for i, (split, _) in enumerate(frames) if split == name and prints[i].contrast >= FLAT]
        members[name] = np.array(inside, dtype=int)
    pairs = []
    for one, two in combinations([name for name in members if len(members[name])], 2):
        for kind, there in (("near-duplicate", "hash"), ("mirrored near-duplicate", "mirrored")):
            others = np.stack([getattr(prints[i], there) for i in members[two]])
            for chunk in np.array_split(members[one], -(-len(members[one]) // CHUNK)):
                bits = hamming(np.stack([prints[i].hash for i in chunk]), others)
                for row, column in np.argwhere(bits <= distance):
                    first, second = int(chunk[row]), int(members[two][column])
                    if prints[first].sha256 == prints[second].sha256:
                        continue
                    if same_place(frames[first][1], frames[second][1], mirrored=there == "mirrored"):
                        pairs.append(_pair(frames, first, second, kind, int(bits[row, column])))
    return sorted(pairs, key=lambda pair: (pair.distance, pair.first, pair.second, pair.kind))


def same_place(first: Frame, second: Frame, mirrored: bool) -> bool:
    """Tell whether a person of one frame is where a person of the other is, or one of them has no labelled person."""
    if not first.people or not second.people:
        return True
    one, two = (_relative_boxes(frame) for frame in (first, second))
    if mirrored:
        two = np.column_stack([1 - two[:, 2], two[:, 1], 1 - two[:, 0], two[:, 3]])
    low = np.maximum(one[:, None, :2], two[None, :, :2])
    high = np.minimum(one[:, None, 2:], two[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=-1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=-1) for boxes in (one, two)]
    union = areas[0][:, None] + areas[1][None, :] - shared
    return bool((shared >= SAME_PLACE_IOU * np.maximum(union, 1e-12)).any())


def _relative_boxes(frame: Frame) -> np.ndarray:
    size = np.array([frame.width, frame.height] * 2, dtype=float)
    return np.clip(np.array([person.box for person in frame.people]) / size, 0.0, 1.0)


def _pair(frames: Sequence[tuple[str, Frame]], first: int, second: int, kind: str, bits: int) -> Pair:
    (one, left), (two, right) = frames[first], frames[second]
    return Pair(left.file_name, right.file_name, (one, two), kind, bits)
