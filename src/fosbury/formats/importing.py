"""Bring a labelled set in, of any format: found, checked as a whole, copied, and only then put in place."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from fosbury.config import named_skeleton, options
from fosbury.errors import BadInput, BadInputs
from fosbury.files import put_folder, work_folder
from fosbury.formats.archive import member_names, unpack
from fosbury.formats.checking import check_media, is_gif, with_true_suffixes
from fosbury.formats.coco import write_coco
from fosbury.formats.grouping import GroupBy, group_stills
from fosbury.formats.joining import FileCount, Found, Source, read_sources
from fosbury.formats.label_table import read_label_table, with_labels
from fosbury.formats.layout import LabelFile, find_label_files
from fosbury.formats.recognise import refuse_other_tools
from fosbury.formats.registry import AUTO, LabelFormat, all_formats, label_format
from fosbury.formats.sets import ANNOTATIONS, IMAGES, VIDEOS
from fosbury.formats.yolo_pose import COCO_JOINTS
from fosbury.media import image, video
from fosbury.media.files import check_file
from fosbury.pose import OCCLUDED, Dataset
from fosbury.progress import progress

NOTES = "notes.txt"
LabelBy = Literal["labels", "path", "folder"]
"""Where the form label of a frame comes from that names none: nowhere, the path imported, or its picture's folder."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SHORT = 160
_COPIERS = 4


@dataclass(frozen=True)
class ImportSummary:
    """What an import brought in.

    Attributes
    ----------
    name : str
    folder : Path
        The new set; not made where it was a trial.
    format : str
        Of the labels that were read; several by commas.
    frames, people, joints, occluded : int
        Counts; ``joints`` are labelled, ``occluded`` among them are not visible.
    videos : int
        Clips that the labels name.
    joint_names : tuple of str
    labels : mapping of str to int
        How many frames have each form label.
    files : tuple of FileCount
        What was read from each file of labels, before pictures were looked at.
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
    labels: Mapping[str, int]
    files: tuple[FileCount, ...]
    notes: tuple[str, ...]


def import_labels(
    paths: str | Path | Sequence[str | Path],
    images: str | Path | None = None,
    name: str = "",
    root: str | Path = Path("data/raw"),
    *,
    format: str = AUTO,
    drop_bad: bool = False,
    group_by: GroupBy = "auto",
    label_by: LabelBy = "labels",
    label_table: str | Path | None = None,
    skeleton: str | None = None,
    trial: bool = False,
) -> ImportSummary:
    """Copy labels and their pictures into ``root/name``.

    The joints keep the names that the labels give them; they are matched to a skeleton later. Of several files the
    joints are united by name, and each file's pictures lie in a folder of its own.

    Parameters
    ----------
    paths : str or Path, or a sequence of such
        Files of labels, folders that hold some in a layout of their tool, or ``.zip`` of such.
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
    label_by : LabelBy
    label_table : str or Path, optional
        Table of form labels and of pictures to leave out, as ``label_table`` reads it; counts before everything else.
    skeleton : str, optional
        A name of conf/skeleton, whose joints those are that labels do not name, in their order (YOLO's, mostly).
    trial : bool
        Read and check everything, and put nothing in place.

    Raises
    ------
    BadInput, BadInputs
        If the name is taken or no name, nothing labelled is found, it is of another format, or the set has problems:
        all of them are listed, and nothing is left behind.
    """
    chosen = [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]
    formats = all_formats() if format == AUTO else (label_format(format),)
    target = Path(root) / name
    if not _NAME.fullmatch(name):
        raise BadInput(f"name '{name}'", "is no name for a folder", "use --name with letters, digits, '-' and '_'")
    if target.exists():
        raise BadInput(target, "exists already", "choose another --name, or remove it first")
    if images is not None and not Path(images).is_dir():
        raise BadInput(images, "is not a folder", "name the folder of the images with --images")
    table = None if label_table is None else read_label_table(label_table)
    prefixes = _prefixes(chosen)
    with work_folder(target) as work:
        unpacked = {work / f"unpacked{number}": path for number, path in enumerate(chosen)}
        sources: list[Source] = []
        try:
            for (folder, path), prefix in zip(unpacked.items(), prefixes, strict=True):
                sources += _sources(path, _unpacked(path, folder, formats), formats, prefix, label_by)
            sources = _with_names(sources, skeleton)
            where = chosen[0] if len(chosen) == 1 else Path(name)
            found = read_sources(sources, where, None if images is None else Path(images), drop_bad=drop_bad)
            if table is not None and label_table is not None:  # first: a picture that is dropped may be damaged
                found = _kept(found, with_labels(found.dataset, table, Path(label_table)))
            found = with_true_suffixes(check_media(found, where, drop_bad=drop_bad))
            dataset = group_stills(found.dataset, found.stills, group_by, name)
            dataset = _labelled(dataset, label_by)
        except BadInput as error:
            for folder, path in unpacked.items():
                error = _renamed(error, str(folder), str(path))
            raise error from None
        notes = dataset.notes
        for folder, path in unpacked.items():
            notes = tuple(note.replace(str(folder), str(path)) for note in notes)
        names = ", ".join(dict.fromkeys(source.kind.name for source in sources))
        summary = _summary(target, names, dataset, found.counts, notes)
        if not trial:
            _write(work / "set", dataset, found.files, notes)
            put_folder(work / "set", target)
    return summary


def _prefixes(paths: Sequence[Path]) -> list[str]:
    """Folder of each path's pictures in the new set: none for one path, else its name, numbered where two are equal."""
    if len(paths) == 1:
        return [""]
    taken: list[str] = []
    for path in paths:
        stem = re.sub(r"[^\w.-]+", "_", path.resolve().stem).strip("._") or "labels"
        tries = [stem, *(f"{stem}_{number}" for number in range(2, len(paths) + 1))]
        taken.append(next(each for each in tries if each not in taken))
    return taken


def _sources(path: Path, where: Path, formats: Sequence[LabelFormat], prefix: str, label_by: LabelBy) -> list[Source]:
    kind, files = _choose(path, where, formats)
    label = path.resolve().stem if label_by == "path" else None
    return [Source(kind, replace(file, prefix=_joined(prefix, file.prefix)), label) for file in files]


def _with_names(sources: Sequence[Source], name: str | None) -> list[Source]:
    """Give the skeleton of this name to the files of labels that do not name their joints.

    Without a name those of as many joints as COCO's people are left to their reader, which takes them for these.
    """
    chosen = None if name is None else named_skeleton(name)
    done: list[Source] = []
    for source in sources:
        path = source.file.path
        count = 0 if source.kind.unnamed is None else source.kind.unnamed(path)
        if count and (count != len(COCO_JOINTS) if chosen is None else count != len(chosen)):
            fitting = _skeletons_of(count)
            choose = f", or import with --skeleton {' or '.join(fitting)}" if fitting else ""
            problem = f"does not name its {count} joints"
            problem += "" if chosen is None else f", and skeleton '{chosen.name}' has {len(chosen)}"
            hint = f"add a line 'kpt_names: {{0: [left_hip, right_hip, ...]}}', in the order of the numbers{choose}"
            raise BadInput(path, problem, hint)
        done.append(replace(source, skeleton=chosen if count else None))
    return done


def _skeletons_of(count: int) -> list[str]:
    """Names of the skeletons of conf/skeleton with this many joints; none outside a repository."""
    try:
        return [name for name in options("skeleton") if len(named_skeleton(name)) == count]
    except BadInput:
        return []


def _joined(*parts: str) -> str:
    return "/".join(filter(None, parts))


def _kept(found: Found, dataset: Dataset) -> Found:
    """Return what was found with only the frames of ``dataset``, and the files that they need."""
    names = {f"{IMAGES}/{frame.file_name}" for frame in dataset.frames}
    names |= {f"{VIDEOS}/{frame.video}" for frame in dataset.frames}
    files = {name: file for name, file in found.files.items() if name in names}
    return replace(found, dataset=dataset, files=files)


def _labelled(dataset: Dataset, by: LabelBy) -> Dataset:
    """Give frames without a form label the name of their picture's folder, where that is asked for."""
    if by != "folder":
        return dataset
    folders = (PurePosixPath(frame.file_name).parent.name for frame in dataset.frames)
    labels = [frame.label or folder or None for frame, folder in zip(dataset.frames, folders, strict=True)]
    frames = tuple(replace(frame, label=label) for frame, label in zip(dataset.frames, labels, strict=True))
    return replace(dataset, frames=frames)


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
    if path.is_dir() and (packed := sorted(path.glob("*.zip"))):
        raise BadInput(path, f"holds archives and no labels beside them: {packed[0].name}", "name the archives")
    known = ", ".join(each.what for each in formats)
    raise BadInput(path, f"holds no labels that can be read ({known})", "export as 'COCO keypoints' and name the file")


def _write(folder: Path, dataset: Dataset, files: Mapping[str, Path], notes: Sequence[str]) -> None:
    folder.mkdir()
    copies = {folder / relative: file for relative, file in sorted(files.items())}
    for parent in {copy.parent for copy in copies}:
        parent.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(_COPIERS) as pool:
        list(progress(pool.map(_copy, copies.values(), copies), "copying", "file", len(copies)))
    write_coco(dataset, folder / ANNOTATIONS)
    (folder / NOTES).write_text("".join(f"{note}\n" for note in notes), encoding="utf-8")


def _summary(
    target: Path, format: str, dataset: Dataset, counts: tuple[FileCount, ...], notes: Sequence[str]
) -> ImportSummary:
    people = [person for frame in dataset.frames for person in frame.people]
    return ImportSummary(
        name=target.name,
        folder=target,
        format=format,
        frames=len(dataset),
        people=len(people),
        joints=sum(int(person.labelled.sum()) for person in people),
        occluded=sum(int((person.visibility == OCCLUDED).sum()) for person in people),
        videos=len({frame.video for frame in dataset.frames if frame.video}),
        joint_names=dataset.skeleton.joints,
        labels=dict(sorted(Counter(frame.label for frame in dataset.frames if frame.label).items())),
        files=counts,
        notes=tuple(note if len(note) <= _SHORT else f"{note[:_SHORT]}... (see {target / NOTES})" for note in notes),
    )


def _renamed(error: BadInput, old: str, new: str) -> BadInput:
    where, problem, hint = (text.replace(old, new) for text in (error.where, error.problem, error.hint))
    if isinstance(error, BadInputs):
        return BadInputs(where, [text.replace(old, new) for text in error.problems], hint)
    return BadInput(where, problem, hint)


def _copy(file: Path, copy: Path) -> None:
    """Copy a file; a GIF, which trainers do not read, becomes a PNG."""
    if copy.suffix.lower() == ".png" and is_gif(file):
        image.write_image(copy, image.read_image(file))
    else:
        shutil.copyfile(file, copy)
