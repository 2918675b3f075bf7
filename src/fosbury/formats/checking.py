"""Look at every picture and clip of a set once: what cannot be used, what is there twice, what its name should be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np

from fosbury.errors import BadInput, BadInputs
from fosbury.formats.joining import Found
from fosbury.formats.sets import IMAGES, VIDEOS
from fosbury.media import image, video
from fosbury.media.files import sha256_of
from fosbury.pose import WARNING, Dataset, Frame
from fosbury.progress import progress

MIN_SIDE = 10
"""Pixels; Ultralytics leaves out smaller pictures."""
SAME_LABEL = 0.5
"""Pixels: joints nearer than this are one label, written with other decimals."""
_READERS = 4
_GIF = b"GIF8"


def check_media(found: Found, where: Path, *, drop_bad: bool) -> Found:
    """Decode every picture and clip once; what fails is a problem, or is dropped.

    Parameters
    ----------
    found : Found
    where : Path
        What a message calls the set.
    drop_bad : bool
        Leave out what has a problem.

    Returns
    -------
    Found
        Without the second of two equal stills whose labels agree; a warning names those whose labels differ.

    Raises
    ------
    BadInputs
        If a picture or clip cannot be decoded, is too small, or is of another size than the labels say.
    """
    dataset, files = found.dataset, found.files
    bad: dict[str, str] = {}
    infos: dict[str, video.VideoInfo] = {}
    digests: dict[str, str] = {}
    sizes: dict[str, tuple[int, int]] = {}

    def check(relative: str) -> None:
        try:
            if relative.startswith(f"{VIDEOS}/"):
                infos[relative] = video.probe(files[relative])
                return
            digests[relative] = sha256_of(files[relative])
            height, width = image.read_image(files[relative]).shape[:2]
            sizes[relative] = (width, height)
            if min(width, height) < MIN_SIDE:
                problem = f"is {width}x{height}: pictures under {MIN_SIDE} pixels a side cannot be trained on"
                bad[relative] = str(BadInput(files[relative], problem, "leave it out"))
        except BadInput as error:
            bad[relative] = str(error)

    with ThreadPoolExecutor(_READERS) as pool:
        list(progress(pool.map(check, sorted(files)), "checking", "file", len(files)))
    problems = [bad[relative] for relative in sorted(bad)]
    again, differing = _twice(dataset, digests)
    kept: list[Frame] = []
    clips: dict[str, set[str]] = {}
    for frame in dataset.frames:
        relative = f"{IMAGES}/{frame.file_name}"
        reason = _size_problem(frame, sizes.get(relative))
        if relative not in files:
            relative = f"{VIDEOS}/{frame.video}"
            reason = _frame_problem(frame, infos.get(relative))
            clips.setdefault(PurePosixPath(str(frame.video)).stem.lower(), set()).add(str(frame.video))
        if reason:
            problems.append(reason)
        elif relative not in bad and frame.file_name not in again:
            kept.append(frame)
    for names in clips.values():
        if len(names) > 1:
            problems.append(f"clips {' and '.join(sorted(names))} differ only in suffix or case")
    if problems and (not drop_bad or not kept):
        raise BadInputs(where, problems, "correct the files or import without them")
    notes = dataset.notes + tuple(f"left out for a problem: {problem}" for problem in problems)
    if again:
        listed = ", ".join(f"{name} is {first}" for name, first in again.items())
        notes += (f"pictures that are there twice with the same labels, left out once ({len(again)}): {listed}",)
    if differing:
        listed = ", ".join(f"{name} is {first}" for name, first in differing.items())
        notes += (f"{WARNING}pictures that are there twice with different labels, kept ({len(differing)}): {listed}",)
    used = {f"{IMAGES}/{frame.file_name}" for frame in kept} | {f"{VIDEOS}/{frame.video}" for frame in kept}
    for relative, info in sorted(infos.items()):
        notes += tuple(f"{relative}: {note}" for note in info.notes)
    checked = replace(dataset, frames=tuple(kept), notes=notes)
    return replace(found, dataset=checked, files={name: file for name, file in files.items() if name in used})


def _twice(dataset: Dataset, digests: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Stills whose picture an earlier one has, and its name: where the labels agree, and where they differ.

    Frames of clips may well be equal: a recording of 25 frames a second that is played at 50 has each twice.
    """
    frames: dict[str, list[Frame]] = defaultdict(list)
    for frame in dataset.frames:
        if frame.video is None and (digest := digests.get(f"{IMAGES}/{frame.file_name}")):
            frames[digest].append(frame)
    same: dict[str, str] = {}
    other: dict[str, str] = {}
    for first, *later in frames.values():
        for frame in later:
            (same if _same_labels(first, frame) else other)[frame.file_name] = first.file_name
    return same, other


def _same_labels(a: Frame, b: Frame) -> bool:
    return len(a.people) == len(b.people) and all(
        np.array_equal(one.visibility, other.visibility)
        and np.allclose(one.keypoints, other.keypoints, rtol=0, atol=SAME_LABEL, equal_nan=True)
        for one, other in zip(a.people, b.people, strict=True)
    )


def is_gif(path: Path) -> bool:
    """Whether a picture is a GIF by its first bytes, whatever its name."""
    with path.open("rb") as file:
        return file.read(len(_GIF)) == _GIF


def with_true_suffixes(found: Found) -> Found:
    """Give every picture a name whose suffix trainers read: they pass over others in silence."""
    dataset, files = found.dataset, found.files
    frames: list[Frame] = []
    renamed: dict[str, str] = {}
    taken = {frame.file_name.lower() for frame in dataset.frames}
    for frame in dataset.frames:
        old = frame.file_name
        picture = files.get(f"{IMAGES}/{old}")
        doubtful = picture is not None and (
            PurePosixPath(old).suffix.lower() not in image.READ_BY_TRAINERS or is_gif(picture)
        )
        suffix = image.true_suffix(picture) if picture is not None and doubtful else None
        if suffix is not None and image.readable_name(old, suffix) != old:
            new = image.readable_name(old, suffix)
            while new.lower() in taken:
                new = image.readable_name(f"{new.removesuffix(Path(new).suffix)}~", suffix)
            taken.add(new.lower())
            renamed[old] = new
            frame = replace(frame, file_name=new)
        frames.append(frame)
    if not renamed:
        return found
    note = f"pictures under a name that trainers read ({len(renamed)}): " + ", ".join(
        f"{old} is now {new}" for old, new in renamed.items()
    )
    moved = {f"{IMAGES}/{old}": f"{IMAGES}/{new}" for old, new in renamed.items()}
    return replace(
        found,
        dataset=replace(dataset, frames=tuple(frames), notes=(*dataset.notes, note)),
        files={moved.get(relative, relative): file for relative, file in files.items()},
        stills={renamed.get(name, name): still for name, still in found.stills.items()},
    )


def _size_problem(frame: Frame, size: tuple[int, int] | None) -> str | None:
    if size is None or size == (frame.width, frame.height):
        return None
    turned = (
        " (turned: the labelling tool ignored the EXIF orientation)"
        if size[::-1] == (frame.width, frame.height)
        else ""
    )
    return (
        f"{frame.file_name}: is {size[0]}x{size[1]} as a file, but {frame.width}x{frame.height} in the labels{turned}"
    )


def _frame_problem(frame: Frame, info: video.VideoInfo | None) -> str | None:
    if info is None:
        return None
    if frame.frame is not None and frame.frame >= info.frames:
        return f"{frame.file_name}: {frame.video} has {info.frames} frames, so none is number {frame.frame}"
    if (frame.width, frame.height) != (info.width, info.height):
        return (
            f"{frame.file_name}: {frame.video} is {info.width}x{info.height} upright, "
            f"but {frame.width}x{frame.height} in the labels"
        )
    return None
