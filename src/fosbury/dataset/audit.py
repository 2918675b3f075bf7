"""Does the test see what the training saw? The same file twice, the same picture again, and the same scene.

Three searches, each with its limits; ``bench/audit.py`` prints how often each finds what it should:

- **The same file**, by its SHA-256, in two groups or in two splits.
- **The same picture** in two splits, also mirrored, by a 256-bit perceptual hash (the 16 x 16 lowest frequencies of
  64 x 64 grey values). The default of 20 bits finds 99 % of photographs of lspe that were recompressed, halved or
  mirrored, 97 % of letterboxed ones, 94 % of those that were made 30 % brighter, 87 % of those cropped by 1 % on every
  side, and none cropped by more. Different photographs differ in 72 bits and more.
- **The same scene**, also mirrored, moved or cropped by up to 5 % of a side: thumbnails with their slow changes of
  brightness removed are aligned by an affine map and correlated (`cv2.findTransformECC`; Evangelidis and Psarakis,
  PAMI 2008). This finds 99 % of photographs cropped by 3 or 5 % on every side, 47 % by 10 %, and of the frames of
  broadcast clips 94 % of neighbours, 85 % two apart, 49 % five apart. Among 2.76 million pairs of photographs of lspe,
  also mirrored, it finds two: one photograph in two crops, and one wall with one athlete at two moments. Searched only
  where one of the two is a still of no clip and no group: two clips of one stadium or one tripod show one scene by
  right, and what their frames have in common is for ``group`` to say.

Black bars at the edges (letterboxes) are cut off before all but the first.

The default of 20 bits finds material that came in twice and is silent about one stadium seen twice. A camera on a
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

import cv2
import imagehash
import numpy as np
from PIL import Image, ImageOps

from fosbury.errors import BadInputs
from fosbury.media.files import sha256_of
from fosbury.media.image import read_image
from fosbury.pose import Dataset, Frame
from fosbury.progress import progress

DEFAULT_DISTANCE = 20
HASH_SIDE = 16
SAME_PLACE_IOU = 0.3
FLAT = 2.0
LISTED = 20
CHUNK = 512
ALIGNED = 0.85
"""Correlation from which on two aligned thumbnails are one scene; unrelated photographs of lspe reach 0.77."""
COARSE = 0.5
"""Correlation of the coarse thumbnails from which on a pair is aligned at all."""
TRIED = 3
"""Pairs that are aligned for each frame and each way round, so that the work grows with the number of frames."""
MOST_MOVED = 0.25
COARSE_SIDE, COARSE_BLUR = 16, 3.0
THUMBNAIL_SIDE, THUMBNAIL_BLUR = 64, 4.0
BAR_SPREAD, BAR_BLACK, BAR_SHARE = 3.0, 16.0, 0.4
"""A row or column belongs to a bar if its grey values spread by less and are so dark; a bar takes at most this share of
a side."""


@dataclass(frozen=True)
class Pair:
    """Two frames that should not be in these splits together.

    ``distance`` is in bits of the perceptual hash, ``correlation`` that of the aligned thumbnails; None where they
    were not compared so.
    """

    first: str
    second: str
    splits: tuple[str, str]
    kind: str
    distance: int | None = None
    correlation: float | None = None

    def __str__(self) -> str:
        measure = "" if self.distance is None else f", {self.distance} bits"
        measure += "" if self.correlation is None else f", correlation {self.correlation:.2f}"
        return f"{self.first} ({self.splits[0]}) and {self.second} ({self.splits[1]}): {self.kind}{measure}"


@dataclass(frozen=True)
class Audit:
    """What an audit looked at and found."""

    images: int
    distance: int
    pairs: tuple[Pair, ...]
    allowed: bool


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """What is compared of one picture.

    Attributes
    ----------
    sha256 : str
        Of the file.
    hash, mirrored : ndarray of uint8, shape (32,)
        Perceptual hashes of the picture without bars, and of its mirror image.
    contrast : float
        Standard deviation of its grey values.
    thumbnail : ndarray of uint8, shape (64, 64)
        Its grey values.
    inside : tuple of float
        ``x1, y1, x2, y2`` of the picture without bars, as shares of the whole.
    """

    sha256: str
    hash: np.ndarray
    mirrored: np.ndarray
    contrast: float
    thumbnail: np.ndarray
    inside: tuple[float, float, float, float]


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
    whole = Image.fromarray(read_image(path)).convert("L")
    left, top, right, bottom = without_bars(np.asarray(whole))
    grey = whole.crop((left, top, right, bottom)).resize((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    plain, mirrored = (
        np.packbits(imagehash.phash(picture, HASH_SIDE).hash) for picture in (grey, ImageOps.mirror(grey))
    )
    thumbnail = np.asarray(grey)
    inside = (left / whole.width, top / whole.height, right / whole.width, bottom / whole.height)
    return Fingerprint(sha256_of(path), plain, mirrored, float(thumbnail.std()), thumbnail, inside)


def without_bars(grey: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right and bottom edge of what lies inside black bars.

    Parameters
    ----------
    grey : ndarray of uint8, shape (H, W)

    Returns
    -------
    tuple of int
        Pixels; the whole picture where there are no bars.
    """

    def edges(axis: int) -> tuple[int, int]:
        mean, spread = grey.mean(axis=axis), grey.std(axis=axis)
        bar = (spread < BAR_SPREAD) & (mean <= BAR_BLACK)
        most = int(BAR_SHARE * len(bar))
        first, last = (int(np.argmin(np.append(side[:most], False))) for side in (bar, bar[::-1]))
        return first, len(bar) - last

    (left, right), (top, bottom) = edges(0), edges(1)
    return left, top, right, bottom


def fingerprints(paths: Sequence[Path]) -> list[Fingerprint]:
    """Hash image files in parallel, with a progress bar; the order is kept."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(progress(pool.map(fingerprint, paths), "audit", "image", len(paths)))


def hamming(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Count the bits, shape (N, M), in which packed hashes of shape (N, B) and (M, B) differ."""
    first, second = (np.ascontiguousarray(h).view(np.uint64) for h in (first, second))
    total = np.zeros((len(first), len(second)), dtype=np.uint16)
    for word in range(first.shape[1]):
        total += np.bitwise_count(first[:, word, None] ^ second[None, :, word])
    return total


def audit(splits: Mapping[str, Dataset], root: Path, distance: int = DEFAULT_DISTANCE, allow: bool = False) -> Audit:
    """Look for the same file in two groups, and for the same picture and the same scene across splits.

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
    named = {(pair.first, pair.second) for pair in pairs}
    pairs += [pair for pair in same_scenes(frames, prints) if (pair.first, pair.second) not in named]
    if pairs and not allow:
        problems = [str(pair) for pair in pairs[:LISTED]]
        if len(pairs) > LISTED:
            problems.append(f"and {len(pairs) - LISTED} more pairs")
        raise BadInputs(
            "data set",
            problems,
            "give the clips or stills of each pair one 'group', keep one of the two, "
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
                pairs.append(_pair(frames, first, other, "same file"))
    return pairs


def near_duplicates(frames: Sequence[tuple[str, Frame]], prints: Sequence[Fingerprint], distance: int) -> list[Pair]:
    """Frames of different splits that show the same picture, or its mirror image, with people at the same place."""
    pairs = []
    for one, two in combinations(_members(frames, prints), 2):
        for kind, there in (("near-duplicate", "hash"), ("mirrored near-duplicate", "mirrored")):
            others = np.stack([getattr(prints[i], there) for i in two])
            for chunk in _chunks(one):
                bits = hamming(np.stack([prints[i].hash for i in chunk]), others)
                for row, column in np.argwhere(bits <= distance):
                    first, second = int(chunk[row]), int(two[column])
                    if prints[first].sha256 == prints[second].sha256:
                        continue
                    boxes = [_boxes(frames[i][1], prints[i]) for i in (first, second)]
                    if same_place(boxes[0], _mirrored(boxes[1]) if there == "mirrored" else boxes[1]):
                        pairs.append(_pair(frames, first, second, kind, distance=int(bits[row, column])))
    return sorted(pairs, key=lambda pair: (pair.distance, pair.first, pair.second, pair.kind))


def same_scenes(frames: Sequence[tuple[str, Frame]], prints: Sequence[Fingerprint]) -> list[Pair]:
    """Frames of different splits that show one scene, moved or cropped a little, one being of no clip and no group.

    Each frame is aligned with the ``TRIED`` most similar of the other split, if they are similar at all.
    """
    alone = np.array([frame.unit == frame.file_name for _, frame in frames], dtype=bool)
    if not alone.any():
        return []
    tried: list[tuple[int, int, bool]] = []
    for one, two in combinations(_members(frames, prints), 2):
        for mirrored in (False, True):
            gallery = coarse(np.stack([prints[i].thumbnail for i in one]), mirrored)
            for chunk in _chunks(two):
                alike = coarse(np.stack([prints[i].thumbnail for i in chunk])) @ gallery.T
                alike[~(alone[chunk][:, None] | alone[one][None, :])] = -1.0
                best = np.argpartition(-alike, min(TRIED, len(one)) - 1, axis=1)[:, :TRIED]
                tried += [
                    (int(one[column]), int(chunk[row]), mirrored)
                    for row in range(len(chunk))
                    for column in best[row]
                    if alike[row, column] >= COARSE
                ]

    def compared(pair: tuple[int, int, bool]) -> Pair | None:
        first, second, mirrored = pair
        if prints[first].sha256 == prints[second].sha256:
            return None
        there = prints[second].thumbnail
        correlation, warp = align(prints[first].thumbnail, there[:, ::-1] if mirrored else there)
        if correlation < ALIGNED:
            return None
        one, two = (_boxes(frames[i][1], prints[i]) for i in (first, second))
        if not same_place(_warped(one, warp), _mirrored(two) if mirrored else two):
            return None
        kind = "mirrored same scene" if mirrored else "same scene"
        return _pair(frames, first, second, kind, correlation=round(correlation, 4))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = [pair for pair in pool.map(compared, tried) if pair is not None]
    return sorted(found, key=lambda pair: (-(pair.correlation or 0.0), pair.first, pair.second, pair.kind))


def coarse(thumbnails: np.ndarray, mirrored: bool = False) -> np.ndarray:
    """Details of thumbnails at 16 x 16, so that their products are correlations.

    Parameters
    ----------
    thumbnails : ndarray of uint8, shape (N, 64, 64)
    mirrored : bool

    Returns
    -------
    ndarray of float32, shape (N, 256)
    """
    step = THUMBNAIL_SIDE // COARSE_SIDE
    small = thumbnails.astype(np.float32).reshape(-1, COARSE_SIDE, step, COARSE_SIDE, step).mean(axis=(2, 4))
    small = np.stack([_details(each, COARSE_BLUR) for each in (small[:, :, ::-1] if mirrored else small)])
    flat = small.reshape(len(small), -1)
    flat -= flat.mean(axis=1, keepdims=True)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)


def align(first: np.ndarray, second: np.ndarray) -> tuple[float, np.ndarray]:
    """Correlation of two thumbnails after the best affine map from the first to the second, and that map.

    A map that moves or scales by more than ``MOST_MOVED`` of the picture is none: one that shrinks a picture into an
    even patch of the other correlates with it perfectly.

    Parameters
    ----------
    first, second : ndarray of uint8, shape (64, 64)

    Returns
    -------
    float
        In [-1, 1]; -1 where no map was found.
    ndarray of float32, shape (2, 3)
        Of relative coordinates.
    """
    warp = np.eye(2, 3, dtype=np.float32)
    one, two = (_details(each.astype(np.float32), THUMBNAIL_BLUR) for each in (first, second))
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 40, 1e-4)
    try:
        correlation, warp = cv2.findTransformECC(one, two, warp, cv2.MOTION_AFFINE, stop, None, 5)  # type: ignore[call-overload]
    except cv2.error:  # it did not converge
        return -1.0, warp
    warp = warp / np.array([1, 1, THUMBNAIL_SIDE], dtype=np.float32)
    moved = np.abs(warp - np.eye(2, 3)).max()
    return (float(correlation) if moved <= MOST_MOVED else -1.0), warp


def _details(grey: np.ndarray, blur: float) -> np.ndarray:
    return grey - cv2.GaussianBlur(grey, (0, 0), blur)


def _members(frames: Sequence[tuple[str, Frame]], prints: Sequence[Fingerprint]) -> list[np.ndarray]:
    """Find the frames of each split that are more than one even colour."""
    inside = {name: [i for i, (split, _) in enumerate(frames) if split == name] for name, _ in frames}
    kept = [[i for i in indices if prints[i].contrast >= FLAT] for indices in inside.values()]
    return [np.array(indices, dtype=int) for indices in kept if indices]


def _chunks(indices: np.ndarray) -> list[np.ndarray]:
    return np.array_split(indices, -(-len(indices) // CHUNK))


def same_place(one: np.ndarray, two: np.ndarray) -> bool:
    """Tell whether a box of one picture is where a box of the other is, or one of them has none.

    Parameters
    ----------
    one, two : ndarray, shapes (N, 4) and (M, 4)
        ``x1, y1, x2, y2`` in relative coordinates.
    """
    if not len(one) or not len(two):
        return True
    low = np.maximum(one[:, None, :2], two[None, :, :2])
    high = np.minimum(one[:, None, 2:], two[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=-1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=-1) for boxes in (one, two)]
    union = areas[0][:, None] + areas[1][None, :] - shared
    return bool((shared >= SAME_PLACE_IOU * np.maximum(union, 1e-12)).any())


def _boxes(frame: Frame, found: Fingerprint) -> np.ndarray:
    """Boxes, shape (N, 4), of a frame's people as shares of the picture without bars."""
    size = np.array([frame.width, frame.height] * 2, dtype=float)
    boxes = np.array([person.box for person in frame.people]).reshape(-1, 4) / size
    x1, y1, x2, y2 = found.inside
    return np.clip((boxes - [x1, y1, x1, y1]) / [x2 - x1, y2 - y1, x2 - x1, y2 - y1], 0.0, 1.0)


def _mirrored(boxes: np.ndarray) -> np.ndarray:
    return np.column_stack([1 - boxes[:, 2], boxes[:, 1], 1 - boxes[:, 0], boxes[:, 3]])


def _warped(boxes: np.ndarray, warp: np.ndarray) -> np.ndarray:
    """Boxes around the corners of boxes that an affine map, shape (2, 3), has moved."""
    corners = boxes[:, [[0, 1], [2, 1], [0, 3], [2, 3]]] @ warp[:, :2].T + warp[:, 2]
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)


def _pair(
    frames: Sequence[tuple[str, Frame]],
    first: int,
    second: int,
    kind: str,
    *,
    distance: int | None = None,
    correlation: float | None = None,
) -> Pair:
    (one, left), (two, right) = frames[first], frames[second]
    return Pair(left.file_name, right.file_name, (one, two), kind, distance, correlation)
