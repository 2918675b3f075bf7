"""The pictures that are to be labelled: frames of clips with their times, stills, and those of a set with its boxes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fosbury.errors import BadInput, BadInputs
from fosbury.formats.coco import read_coco
from fosbury.formats.grouping import Still, group_stills
from fosbury.formats.sets import ANNOTATIONS, IMAGES, VIDEOS
from fosbury.labelling.select import SHEET, TABLE
from fosbury.media import video
from fosbury.media.image import SUFFIXES, image_size
from fosbury.pose import Dataset, Frame
from fosbury.skeleton import Skeleton

_EXTRACT = "extract its frames first: fosbury frames CLIP... -o frames"


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture, and what is known of it: clip, time, and in a set the boxes of people."""

    path: Path
    frame: Frame


def gather(inputs: Sequence[str | Path], skeleton: Skeleton) -> list[Picture]:
    """Find the pictures in folders, each with the name that its labels will call it.

    Parameters
    ----------
    inputs : sequence of str or Path
        Folders of pictures, with what lies below them: those beside a ``frames.json`` are frames of its clip, the
        others stills. Or sets: their labels say clip, time and boxes.
    skeleton : Skeleton
        Of the frames of sets.

    Returns
    -------
    list of Picture
        Sorted by name, which is relative to the folder; of several folders each name begins with its folder's.

    Raises
    ------
    BadInput, BadInputs
        If there is no picture, one cannot be read, or two would bear one name.
    """
    found: dict[str, Picture] = {}
    for each in dict.fromkeys(Path(path) for path in inputs):
        if not each.is_dir():
            raise BadInput(each, *_no_folder(each))
        is_set = (each / ANNOTATIONS).is_file()
        for picture in _of_set(each, skeleton) if is_set else _of_folder(each):
            name = picture.frame.file_name if len(inputs) == 1 else f"{each.resolve().name}/{picture.frame.file_name}"
            if name in found:
                problem = f"would be called {name}, as {found[name].path} is"
                raise BadInput(picture.path, problem, "rename a folder, or pre-label one after the other")
            found[name] = Picture(picture.path, _renamed(picture.frame, name))
    return [found[name] for name in sorted(found)]


def _no_folder(path: Path) -> tuple[str, str]:
    if not path.exists():
        return "does not exist", "check the name and the folder"
    if path.suffix.lower() in video.SUFFIXES:
        return "is a clip", _EXTRACT
    return "is a file", "give the folder that it lies in"


def _renamed(frame: Frame, name: str) -> Frame:
    return Frame(**{**vars(frame), "file_name": name})


def _of_folder(folder: Path) -> Iterator[Picture]:
    paths = [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and not (path.name == SHEET and (path.parent / TABLE).is_file())
    ]
    if not paths:
        clips = any(path.suffix.lower() in video.SUFFIXES for path in folder.rglob("*"))
        hint = _EXTRACT if clips else f"give a folder of {', '.join(SUFFIXES[:3])} files"
        raise BadInput(folder, "holds no pictures", hint)
    frames, problems, stills = [], [], {}
    for path in paths:
        name = path.relative_to(folder).as_posix()
        try:
            frames.append(Frame(name, *image_size(path)))
            stills[name] = Still(path, name)
        except BadInput as error:
            problems.append(str(error))
    if problems:
        raise BadInputs(folder, problems, "correct or remove them")
    nobody = Skeleton("none", (), (), (), sigmas=None, shoulders=(), hips=(), limbs=())  # type: ignore[arg-type]
    try:
        grouped = group_stills(Dataset(nobody, tuple(frames)), stills)
    except BadInputs as error:
        raise BadInputs(folder, error.problems, "keep one folder of each clip") from None
    for frame in grouped.frames:
        yield Picture(stills[frame.file_name].path, frame)


def _of_set(folder: Path, skeleton: Skeleton) -> Iterator[Picture]:
    labels = folder / ANNOTATIONS
    dataset = read_coco(labels, skeleton, keep_empty=True)
    missing = [frame for frame in dataset.frames if not (folder / IMAGES / frame.file_name).is_file()]
    if missing:
        clips = folder / VIDEOS
        problem = f"names {missing[0].file_name}, which is not in {IMAGES}/ ({len(missing)} are missing)"
        hint = f"extract the clips and give their frames: fosbury frames {clips}/* -o frames"
        raise BadInput(labels, problem, hint if clips.is_dir() else f"put the pictures into {folder / IMAGES}")
    for frame in dataset.frames:
        yield Picture(folder / IMAGES / frame.file_name, frame)
