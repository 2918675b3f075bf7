"""Read the files of labels of a set, whatever their formats, into one data set with the joints of all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from fosbury.errors import BadInput, BadInputs
from fosbury.formats.coco import skeleton_of
from fosbury.formats.coco.categories import MIN_SHARED_JOINTS
from fosbury.formats.grouping import Still
from fosbury.formats.layout import LabelFile
from fosbury.formats.registry import LabelFormat
from fosbury.formats.sets import IMAGES, VIDEOS
from fosbury.pose import Dataset, Frame
from fosbury.skeleton import Skeleton, normalise


@dataclass(frozen=True)
class Source:
    """A file of labels and the format that it is read by.

    Attributes
    ----------
    kind : LabelFormat
    file : LabelFile
    label : str or None
        Form label of its frames that name none.
    skeleton : Skeleton or None
        That names its joints in their order, where the file does not.
    """

    kind: LabelFormat
    file: LabelFile
    label: str | None = None
    skeleton: Skeleton | None = None


@dataclass(frozen=True)
class FileCount:
    """What one file of labels held: its name, format, and how many frames and people were read from it."""

    name: str
    format: str
    frames: int
    people: int


@dataclass(frozen=True)
class Found:
    """The labels of all files as one data set.

    Attributes
    ----------
    dataset : Dataset
    files : mapping of str to Path
        Where each file of the new set comes from, by its name there.
    stills : mapping of str to Still
        By ``file_name``.
    counts : tuple of FileCount
    """

    dataset: Dataset
    files: Mapping[str, Path]
    stills: Mapping[str, Still]
    counts: tuple[FileCount, ...] = ()


def read_sources(sources: Sequence[Source], where: Path, images: Path | None, *, drop_bad: bool) -> Found:
    """Read every file of labels.

    Parameters
    ----------
    sources : sequence of Source
    where : Path
        What a message calls all of them.
    images : Path, optional
        Folder that the names of pictures are relative to; looked for beside each file without it.
    drop_bad : bool
        Leave out what has a problem.

    Returns
    -------
    Found
        With the joints of the first file, then those that others add.

    Raises
    ------
    BadInput, BadInputs
        If a file has a problem, shares too few joints with those before it, or labels a picture that another labels.
    """
    parts: list[Found] = []
    errors: list[BadInput] = []
    for source in sources:
        try:
            parts.append(_read_file(source, source.skeleton, images, drop_bad=drop_bad))
        except BadInput as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors or not parts:
        raise BadInputs(where, [str(error) for error in errors], "correct each of them")
    skeleton = _united([(source.file.path, part.dataset.skeleton) for source, part in zip(sources, parts, strict=True)])
    for index, source in enumerate(sources):
        if parts[index].dataset.skeleton.joints != skeleton.joints:
            parts[index] = _read_file(source, skeleton, images, drop_bad=drop_bad)
    files: dict[str, Path] = {}
    for source, part in zip(sources, parts, strict=True):
        twice = sorted(name for name in part.files.keys() & files.keys() if name.startswith(f"{IMAGES}/"))
        if twice:
            problems = [f"{name} is labelled in another file too" for name in twice]
            raise BadInputs(source.file.path, problems, "keep one")
        files |= part.files
    prefixes = [source.file.prefix for source in sources]
    notes = [
        f"{prefix}: {note}" if prefix else note
        for prefix, part in zip(prefixes, parts, strict=True)
        for note in part.dataset.notes
    ]
    return Found(
        Dataset(skeleton, tuple(frame for part in parts for frame in part.dataset.frames), tuple(notes)),
        files,
        {name: still for part in parts for name, still in part.stills.items()},
        tuple(count for part in parts for count in part.counts),
    )


def _united(skeletons: Sequence[tuple[Path, Skeleton]]) -> Skeleton:
    """Return the first skeleton with the joints that the others add, as a body of one kind."""
    first = skeletons[0][1]
    joints, known = list(first.joints), {normalise(joint) for joint in first.joints}
    for path, skeleton in skeletons[1:]:
        names = {normalise(joint) for joint in skeleton.joints}
        if len(names & known) < MIN_SHARED_JOINTS * min(len(names), len(known)):
            raise BadInput(path, "has other joints than the labels before it", "import them one by one")
        joints += [joint for joint in skeleton.joints if normalise(joint) not in known]
        known |= names
    return first if len(joints) == len(first) else skeleton_of(first.name, joints, first.bones)


def _read_file(source: Source, skeleton: Skeleton | None, images: Path | None, *, drop_bad: bool) -> Found:
    kind, file = source.kind, source.file
    given = [] if images is None else [images / VIDEOS, images]
    candidates = file.folders if images is None else (images / file.prefix, images)

    def clip_of(frame: Frame) -> Path | None:
        if not frame.video or frame.frame is None:
            return None
        return next((clip for each in (file.videos, *given) if (clip := each / frame.video).is_file()), None)

    def locate(frame: Frame) -> Path | None:
        still = folder / frame.file_name
        return None if not still.exists() and clip_of(frame) else still

    folder, dataset = _read_without_pictures(source, skeleton, candidates)
    if dataset is None or not all((folder / frame.file_name).exists() for frame in dataset.frames):
        on_problem: Literal["raise", "drop"] = "drop" if drop_bad else "raise"
        dataset = kind.read(file.path, skeleton, locate, on_problem)
    frames: list[Frame] = []
    sources: dict[str, Path] = {}
    stills: dict[str, Still] = {}
    for frame in dataset.frames:
        still = locate(frame)
        if still is not None:
            known = Still(still, frame.file_name, "" if file.shuffled else file.prefix)
            frame = replace(frame, file_name="/".join(filter(None, (file.prefix, frame.file_name))))
            stills[frame.file_name] = known
            sources[f"{IMAGES}/{frame.file_name}"] = still
        else:
            sources[f"{VIDEOS}/{frame.video}"] = clip_of(frame) or file.videos / str(frame.video)
        frames.append(replace(frame, label=frame.label or source.label))
    nested = sorted({str(frame.video) for frame in frames if frame.video and "/" in frame.video})
    if nested:
        raise BadInputs(file.path, [f"video {name!r} lies in a subfolder" for name in nested], "put clips in videos/")
    people = sum(len(frame.people) for frame in frames)
    count = FileCount(file.prefix or file.path.name, kind.name, len(frames), people)
    return Found(replace(dataset, frames=tuple(frames)), sources, stills, (count,))


def _read_without_pictures(
    source: Source, skeleton: Skeleton | None, candidates: Sequence[Path]
) -> tuple[Path, Dataset | None]:
    """Return the folder of the pictures, and the labels where they can be read without them and have no problem.

    Sizes are compared by `check_media`, which decodes every picture anyway.
    """
    kind, path = source.kind, source.file.path
    dataset = None
    if kind.names is not None:
        names = list(kind.names(path)) if len(candidates) > 1 else []
    else:
        try:
            dataset = kind.read(path, skeleton, None, "raise")
        except BadInput as error:
            try:
                frames = kind.read(path, None, None, "drop").frames if len(candidates) > 1 else ()
            except BadInput:
                raise error from None
        else:
            frames = dataset.frames
        names = [frame.file_name for frame in frames]
    if len(candidates) == 1:
        return candidates[0], dataset

    def holds(folder: Path) -> tuple[int, bool]:
        there = folder.is_dir()
        return sum((folder / name).is_file() for name in names) if there else 0, there

    return max(candidates, key=holds), dataset
