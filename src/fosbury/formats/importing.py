"""Bring a labelled set in, of any format: found, checked as a whole, copied, and only then put in place."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from fosbury.errors import BadInput, BadInputs
from fosbury.files import put_folder, work_folder
from fosbury.formats.archive import member_names, unpack
from fosbury.formats.coco import write_coco
from fosbury.formats.grouping import GroupBy, Still, group_stills
from fosbury.formats.layout import LabelFile, find_label_files
from fosbury.formats.recognise import refuse_other_tools
from fosbury.formats.registry import AUTO, LabelFormat, all_formats, label_format
from fosbury.formats.sets import ANNOTATIONS, IMAGES, VIDEOS
from fosbury.media import image, video
from fosbury.media.files import check_file
from fosbury.pose import OCCLUDED, Dataset, Frame
from fosbury.progress import progress
from fosbury.skeleton import Skeleton, normalise

NOTES = "notes.txt"
MIN_SIDE = 10
"""Pixels; Ultralytics leaves out smaller pictures."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_READERS = 4
_SHORT = 160


@dataclass(frozen=True)
class ImportSummary:
    """What an import brought in.

    Attributes
    ----------
    name : str
    folder : Path
        The new set.
    format : str
        Of the labels that were read.
    frames, people, joints, occluded : int
        Counts; ``joints`` are labelled, ``occluded`` among them are not visible.
    videos : int
        Clips that the labels name.
    joint_names : tuple of str
    notes : tuple of str
        What was dropped, changed or odd, shortened; in full in the set's ``notes.txt``.
    """

    name: str
    folder: Path
    format: str
    frames: int
    people: int
    joints: int
    occluded: int
    videos: int
    joint_names: tuple[str, ...]
    notes: tuple[str, ...]


def import_labels(
    path: str | Path,
    images: str | Path | None = None,
    name: str = "",
    root: str | Path = Path("data/raw"),
    *,
    format: str = AUTO,
    drop_bad: bool = False,
    group_by: GroupBy = "auto",
) -> ImportSummary:
    """Copy a labelled set into ``root/name``.

    The joints keep the names that the labels give them; they are matched to a skeleton later.

    Parameters
    ----------
    path : str or Path
        A file of labels, a folder that holds some in a layout of its tool, or a ``.zip`` of such.
    images : str or Path, optional
        Folder that the names of pictures are relative to; looked for beside the labels without it.
    name : str
        Name of the new set: letters, digits, ``.``, ``_`` and ``-``.
    root : str or Path
    format : str
        A name of ``registry.FORMATS``; by default the one that the files are of.
    drop_bad : bool
        Leave out images and annotations with a problem instead of refusing the set.
    group_by : GroupBy
        Which stills come from one clip, see ``group_stills``.

    Raises
    ------
    BadInput, BadInputs
        If the name is taken or no name, nothing labelled is found, it is of another format, or the set has problems:
        all of them are listed, and nothing is left behind.
    """
    path, root = Path(path), Path(root)
    formats = all_formats() if format == AUTO else (label_format(format),)
    if not _NAME.fullmatch(name):
        raise BadInput(f"name '{name}'", "is no name for a folder", "use --name with letters, digits, '-' and '_'")
    target = root / name
    if target.exists():
        raise BadInput(target, "exists already", "choose another --name, or remove it first")
    if images is not None and not Path(images).is_dir():
        raise BadInput(images, "is not a folder", "name the folder of the images with --images")
    with work_folder(target) as work:
        unpacked = work / "unpacked"
        where = _unpacked(path, unpacked, formats)
        try:
            chosen, files = _choose(path, where, formats)
            found = _read(chosen, files, where, None if images is None else Path(images), drop_bad=drop_bad)
            found = _with_true_suffixes(_check_media(found, where, drop_bad=drop_bad))
            dataset = group_stills(found.dataset, found.stills, group_by, name)
        except BadInput as error:
            raise _renamed(error, str(unpacked), str(path)) from None
        notes = tuple(note.replace(str(unpacked), str(path)) for note in dataset.notes)
        _write(work / "set", dataset, found.files, notes)
        summary = _summary(target, chosen, dataset, notes)
        put_folder(work / "set", target)
    return summary


def _unpacked(path: Path, folder: Path, formats: Sequence[LabelFormat]) -> Path:
    """Where the labels lie: ``path``, or ``folder`` with what an archive holds of labels, pictures and clips."""
    if path.is_dir():
        return path
    if not zipfile.is_zipfile(check_file(path)):
        if path.suffix.lower() == ".zip":
            raise BadInput(path, "is not a zip archive, or is damaged", "export or download it again")
        return path
    labels = tuple(suffix for each in formats for suffix in each.suffixes)
    if not any(name.lower().endswith(labels) for name in member_names(path)):
        refuse_other_tools(path, formats)
    unpack(path, folder, (*labels, *image.SUFFIXES, *video.SUFFIXES))
    return folder


def _choose(path: Path, where: Path, formats: Sequence[LabelFormat]) -> tuple[LabelFormat, Sequence[LabelFile]]:
    """Choose the first format that a file is of by its first bytes; else the first that has files where it puts them.

    The second is for a damaged file, of which its reader can say what is wrong.
    """
    found = [(each, find_label_files(each, where)) for each in formats]
    for each, files in found:
        if any(each.sniff(file.path) for file in files):
            return each, files
    refuse_other_tools(path, formats)
    for each, files in found:
        if files:
            return each, files
    known = ", ".join(each.what for each in formats)
    raise BadInput(path, f"holds no labels that can be read ({known})", "export as 'COCO keypoints' and name the file")


@dataclass(frozen=True)
class _Found:
    """The labels of all files as one data set.

    Attributes
    ----------
    dataset : Dataset
    files : mapping of str to Path
        Where each file of the new set comes from, by its name there.
    stills : mapping of str to Still
        By ``file_name``.
    """

    dataset: Dataset
    files: Mapping[str, Path]
    stills: Mapping[str, Still]


def _write(folder: Path, dataset: Dataset, files: Mapping[str, Path], notes: Sequence[str]) -> None:
    folder.mkdir()
    for relative, file in progress(sorted(files.items()), "copying", "file"):
        copy = folder / relative
        copy.parent.mkdir(parents=True, exist_ok=True)
        _copy(file, copy)
    write_coco(dataset, folder / ANNOTATIONS)
    (folder / NOTES).write_text("".join(f"{note}\n" for note in notes), encoding="utf-8")


def _summary(target: Path, chosen: LabelFormat, dataset: Dataset, notes: Sequence[str]) -> ImportSummary:
    people = [person for frame in dataset.frames for person in frame.people]
    return ImportSummary(
        name=target.name,
        folder=target,
        format=chosen.name,
        frames=len(dataset),
        people=len(people),
        joints=sum(int(person.labelled.sum()) for person in people),
        occluded=sum(int((person.visibility == OCCLUDED).sum()) for person in people),
        videos=len({frame.video for frame in dataset.frames if frame.video}),
        joint_names=dataset.skeleton.joints,
        notes=tuple(note if len(note) <= _SHORT else f"{note[:_SHORT]}... (see {target / NOTES})" for note in notes),
    )


def _renamed(error: BadInput, old: str, new: str) -> BadInput:
    where, problem, hint = (text.replace(old, new) for text in (error.where, error.problem, error.hint))
    if isinstance(error, BadInputs):
        return BadInputs(where, [text.replace(old, new) for text in error.problems], hint)
    return BadInput(where, problem, hint)


def _read(
    chosen: LabelFormat, files: Sequence[LabelFile], where: Path, images: Path | None, *, drop_bad: bool
) -> _Found:
    """Read every file of labels."""
    skeleton: Skeleton | None = None
    frames: list[Frame] = []
    notes: list[str] = []
    sources: dict[str, Path] = {}
    stills: dict[str, Still] = {}
    errors: list[BadInput] = []
    for file in files:
        try:
            part = _read_file(chosen, file, skeleton, images, drop_bad=drop_bad)
            twice = sorted(name for name in part.files.keys() & sources.keys() if name.startswith(f"{IMAGES}/"))
            if twice:
                raise BadInputs(file.path, [f"{name} is labelled in another file too" for name in twice], "keep one")
        except BadInput as error:
            errors.append(error)
            continue
        skeleton = part.dataset.skeleton
        frames += part.dataset.frames
        notes += [f"{file.prefix}: {note}" if file.prefix else note for note in part.dataset.notes]
        sources |= part.files
        stills |= part.stills
    if len(errors) == 1:
        raise errors[0]
    if errors or skeleton is None:
        raise BadInputs(where, [str(error) for error in errors], "correct each of them")
    return _Found(Dataset(skeleton, tuple(frames), tuple(notes)), sources, stills)


def _read_file(
    chosen: LabelFormat, file: LabelFile, skeleton: Skeleton | None, images: Path | None, *, drop_bad: bool
) -> _Found:
    folder = _folder_of(chosen, file, images)
    on_problem: Literal["raise", "drop"] = "drop" if drop_bad else "raise"

    def locate(frame: Frame) -> Path | None:
        still = folder / frame.file_name
        clip = frame.video and frame.frame is not None and (file.videos / frame.video).is_file()
        return None if clip and not still.exists() else still

    dataset = chosen.read(file.path, None, locate, on_problem)
    if skeleton is not None:
        ours, theirs = ({normalise(joint) for joint in each.joints} for each in (skeleton, dataset.skeleton))
        if ours != theirs:
            raise BadInput(file.path, "has other joints than the labels before it", "import them one by one")
        dataset = chosen.read(file.path, skeleton, locate, on_problem)
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
            sources[f"{VIDEOS}/{frame.video}"] = file.videos / str(frame.video)
        frames.append(frame)
    nested = sorted({str(frame.video) for frame in frames if frame.video and "/" in frame.video})
    if nested:
        raise BadInputs(file.path, [f"video {name!r} lies in a subfolder" for name in nested], "put clips in videos/")
    return _Found(replace(dataset, frames=tuple(frames)), sources, stills)


def _folder_of(chosen: LabelFormat, file: LabelFile, images: Path | None) -> Path:
    """Return the candidate that holds most of the images; the likeliest where none holds any."""
    names = [frame.file_name for frame in chosen.read(file.path, None, None, "drop").frames]
    candidates = file.folders if images is None else (images / file.prefix, images)
    return max(candidates, key=lambda folder: (sum((folder / name).is_file() for name in names), folder.is_dir()))


def _check_media(found: _Found, where: Path, *, drop_bad: bool) -> _Found:
    """Decode every picture and clip once; what fails is a problem, or is dropped."""
    dataset, files = found.dataset, found.files
    bad: dict[str, str] = {}
    infos: dict[str, video.VideoInfo] = {}

    def check(relative: str) -> None:
        try:
            if relative.startswith(f"{VIDEOS}/"):
                infos[relative] = video.probe(files[relative])
            else:
                height, width = image.read_image(files[relative]).shape[:2]
                if min(width, height) < MIN_SIDE:
                    problem = f"is {width}x{height}: pictures under {MIN_SIDE} pixels a side cannot be trained on"
                    bad[relative] = str(BadInput(files[relative], problem, "leave it out"))
        except BadInput as error:
            bad[relative] = str(error)

    with ThreadPoolExecutor(_READERS) as pool:
        list(progress(pool.map(check, sorted(files)), "checking", "file", len(files)))
    problems = [bad[relative] for relative in sorted(bad)]
    kept: list[Frame] = []
    clips: dict[str, set[str]] = {}
    for frame in dataset.frames:
        relative, reason = f"{IMAGES}/{frame.file_name}", None
        if relative not in files:
            relative = f"{VIDEOS}/{frame.video}"
            reason = _frame_problem(frame, infos.get(relative))
            clips.setdefault(PurePosixPath(str(frame.video)).stem.lower(), set()).add(str(frame.video))
        if reason:
            problems.append(reason)
        elif relative not in bad:
            kept.append(frame)
    for names in clips.values():
        if len(names) > 1:
            problems.append(f"clips {' and '.join(sorted(names))} differ only in suffix or case")
    if problems and (not drop_bad or not kept):
        raise BadInputs(where, problems, "correct the files or import without them")
    notes = dataset.notes + tuple(f"left out for a problem: {problem}" for problem in problems)
    used = {f"{IMAGES}/{frame.file_name}" for frame in kept} | {f"{VIDEOS}/{frame.video}" for frame in kept}
    for relative, info in sorted(infos.items()):
        notes += tuple(f"{relative}: {note}" for note in info.notes)
    checked = replace(dataset, frames=tuple(kept), notes=notes)
    return replace(found, dataset=checked, files={name: file for name, file in files.items() if name in used})


def _with_true_suffixes(found: _Found) -> _Found:
    """Give every picture a name whose suffix trainers read: they pass over others in silence."""
    dataset, files = found.dataset, found.files
    frames: list[Frame] = []
    renamed: dict[str, str] = {}
    taken = {frame.file_name.lower() for frame in dataset.frames}
    for frame in dataset.frames:
        old = frame.file_name
        suffix = image.true_suffix(files[f"{IMAGES}/{old}"]) if f"{IMAGES}/{old}" in files else None
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
    return _Found(
        replace(dataset, frames=tuple(frames), notes=(*dataset.notes, note)),
        {moved.get(relative, relative): file for relative, file in files.items()},
        {renamed.get(name, name): still for name, still in found.stills.items()},
    )


def _copy(file: Path, copy: Path) -> None:
    """Copy a file; a GIF, which trainers do not read, becomes a PNG."""
    if copy.suffix.lower() == ".png" and image.true_suffix(file) == ".gif":
        image.write_image(copy, image.read_image(file))
    else:
        shutil.copyfile(file, copy)


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
