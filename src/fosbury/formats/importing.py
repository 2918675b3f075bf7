"""Bringing a labelled set in: found, checked as a whole, copied, and only then put in place."""

from __future__ import annotations

import re
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from fosbury.errors import BadInput, BadInputs
from fosbury.files import put_folder, work_folder
from fosbury.formats.coco import read_coco, write_coco
from fosbury.formats.grouping import GroupBy, Still, group_stills
from fosbury.formats.recognise import refuse_other_tools
from fosbury.formats.sets import ANNOTATIONS, IMAGES, VIDEOS
from fosbury.media import image, video
from fosbury.media.extract import MANIFEST
from fosbury.media.files import check_file, unsafe_name
from fosbury.pose import OCCLUDED, Dataset, Frame
from fosbury.skeleton import Skeleton, normalise

NOTES, ROBOFLOW = "notes.txt", "_annotations.coco.json"
MIN_SIDE = 10
"""Pixels; Ultralytics leaves out smaller pictures."""
MAX_MEMBERS = 200_000
MAX_UNPACKED = 50 * 2**30
"""Bytes; a season of phone clips is below this."""
MAX_RATIO = 1000
"""Unpacked over packed size; JSON seldom packs better than 50 to 1, and deflate's limit is 1032."""
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
    frames: int
    people: int
    joints: int
    occluded: int
    videos: int
    joint_names: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Part:
    """One file of labels and where its pictures may lie; ``prefix`` keeps equal names of two parts apart."""

    labels: Path
    folders: tuple[Path, ...]
    videos: Path
    prefix: str = ""


def import_coco(
    path: str | Path,
    images: str | Path | None = None,
    name: str = "",
    root: str | Path = Path("data/raw"),
    drop_bad: bool = False,
    group_by: GroupBy = "auto",
) -> ImportSummary:
    """Copy a set labelled in COCO keypoints into ``root/name``.

    The joints keep the names that the file gives them; they are matched to a skeleton later.

    Parameters
    ----------
    path : str or Path
        A COCO keypoints file; a folder with ``annotations.json`` or ``annotations/*.json`` (CVAT) or
        ``_annotations.coco.json`` in it or in its ``train``, ``valid`` and ``test`` (Roboflow); or a ``.zip`` of such.
    images : str or Path, optional
        Folder that ``file_name`` is relative to; looked for beside the labels without it.
    name : str
        Name of the new set: letters, digits, ``.``, ``_`` and ``-``.
    root : str or Path
    drop_bad : bool
        Leave out images and annotations with a problem instead of refusing the set.
    group_by : GroupBy
        Which stills come from one clip, see ``group_stills``.

    Raises
    ------
    BadInput, BadInputs
        If the name is taken or no name, nothing labelled is found, or the set has problems: all of them are listed,
        and nothing is left behind.
    """
    path, root = Path(path), Path(root)
    if not _NAME.fullmatch(name):
        raise BadInput(f"name '{name}'", "is no name for a folder", "use --name with letters, digits, '-' and '_'")
    target = root / name
    if target.exists():
        raise BadInput(target, "exists already", "choose another --name, or remove it first")
    if images is not None and not Path(images).is_dir():
        raise BadInput(images, "is not a folder", "name the folder of the images with --images")
    with work_folder(target) as work:
        summary = _import(path, None if images is None else Path(images), name, work, target, drop_bad, group_by)
        put_folder(work / "set", target)
    return summary


def _import(
    path: Path, images: Path | None, name: str, work: Path, target: Path, drop_bad: bool, group_by: GroupBy
) -> ImportSummary:
    unpacked = work / "unpacked"
    if path.is_dir():
        where = path
    elif zipfile.is_zipfile(check_file(path)):
        _unzip(path, unpacked)
        where = unpacked
    elif path.suffix.lower() == ".zip":
        raise BadInput(path, "is not a zip archive, or is damaged", "export or download it again")
    else:
        where = path
    try:
        dataset, files, stills = _read(where, images, drop_bad)
        dataset, files = _check_media(dataset, files, drop_bad, where)
        dataset, files, stills = _with_true_suffixes(dataset, files, stills)
        dataset = group_stills(dataset, stills, group_by, name)
    except BadInput as error:
        raise _renamed(error, str(unpacked), str(path)) from None
    made = work / "set"
    made.mkdir()
    for relative, file in tqdm(sorted(files.items()), desc="copying", unit="file", disable=None):
        copy = made / relative
        copy.parent.mkdir(parents=True, exist_ok=True)
        _copy(file, copy)
    write_coco(dataset, made / ANNOTATIONS)
    notes = tuple(note.replace(str(unpacked), str(path)) for note in dataset.notes)
    (made / NOTES).write_text("".join(f"{note}\n" for note in notes), encoding="utf-8")
    people = [person for frame in dataset.frames for person in frame.people]
    return ImportSummary(
        name=name,
        folder=target,
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


def _unzip(path: Path, folder: Path) -> None:
    """Unpack labels, pictures and clips; nothing else, and nothing outside ``folder``."""
    wanted = (".json", *image.SUFFIXES, *video.SUFFIXES)
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            _check_members(path, members)
            if not any(member.filename.lower().endswith(".json") for member in members):
                refuse_other_tools(path)
            for member in tqdm(members, desc="unpacking", unit="file", disable=None):
                if not member.filename.lower().endswith(wanted) or member.filename.startswith("__MACOSX/"):
                    continue
                copy = folder / PurePosixPath(member.filename)
                copy.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as packed, copy.open("wb") as file:
                    shutil.copyfileobj(packed, file, 2**20)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise BadInput(path, f"is a damaged archive ({error})", "export or copy it again") from None
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise BadInput(path, "holds a file and a folder of one name", "pack the set again") from None
    except (OSError, ValueError, struct.error) as error:
        if getattr(error, "filename", None) is not None:  # the disk, not the archive
            raise
        raise BadInput(path, f"is a damaged archive ({error})", "export or copy it again") from None
    folder.mkdir(exist_ok=True)


def _check_members(path: Path, members: Sequence[zipfile.ZipInfo]) -> None:
    total = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    free = shutil.disk_usage(path.parent).free
    if len(members) > MAX_MEMBERS or total > MAX_UNPACKED or total > MAX_RATIO * max(packed, 1):
        problem = f"unpacks to {len(members)} files and {total / 2**30:.1f} GiB, which no labelled set needs"
        raise BadInput(path, problem, "unpack it yourself and import the folder")
    if total > free:
        raise BadInput(path, f"needs {total / 2**30:.1f} GiB, and {free / 2**30:.1f} are free", "free some space")
    problems = [
        f"{member.filename[:120]!r} {reason}"
        for member in members
        if (reason := unsafe_name(member.orig_filename))
        or (reason := "is a link" if stat.S_ISLNK(member.external_attr >> 16) else None)
        or (reason := "is encrypted" if member.flag_bits & 1 else None)
    ]
    if problems:
        raise BadInputs(path, problems, "pack the set again without them")


def _find_parts(path: Path) -> list[_Part]:
    """Files of labels of a set, in the layouts of this project, CVAT, and Roboflow."""
    if path.is_file():
        return [_part(path)]
    folders = [path]
    inner = [entry for entry in sorted(path.iterdir()) if entry.is_dir() and not entry.name.startswith((".", "__"))]
    if len(inner) == 1:
        folders.append(inner[0])
    for base in folders:
        if (base / ANNOTATIONS).is_file():
            return [_part(base / ANNOTATIONS)]
        cvat = sorted((base / "annotations").glob("person_keypoints_*.json"))
        cvat = cvat or sorted((base / "annotations").glob("*.json"))
        roboflow = [base / sub / ROBOFLOW for sub in ("", "train", "valid", "test")]
        roboflow = [file for file in roboflow if file.is_file()]
        loose = (file for file in base.glob("*.json") if not file.name.startswith(".") and file.name != MANIFEST)
        files = cvat or roboflow
        if not files and (files := sorted(loose)):
            refuse_other_tools(base)
        if len(files) == 1:
            return [_part(files[0])]
        if files:
            return [_part(file, _subset(file)) for file in files]
    refuse_other_tools(path)
    raise BadInput(
        path, "holds no labels (annotations.json or annotations/*.json)", "export as 'COCO keypoints' and name the file"
    )


def _subset(labels: Path) -> str:
    if labels.name == ROBOFLOW:
        return labels.parent.name
    return labels.stem.removeprefix("person_keypoints_")


def _part(labels: Path, prefix: str = "") -> _Part:
    base = labels.parent.parent if labels.parent.name == "annotations" else labels.parent
    subset = _subset(labels)
    folders = (base / IMAGES / subset, base / IMAGES / "default", base / IMAGES, base / subset, base)
    return _Part(labels, folders, base / VIDEOS, prefix)


def _read(path: Path, images: Path | None, drop_bad: bool) -> tuple[Dataset, dict[str, Path], dict[str, Still]]:
    """The labels of all parts as one data set, where each file of the new set comes from, and what its stills were."""
    skeleton = None
    frames: list[Frame] = []
    notes: list[str] = []
    files: dict[str, Path] = {}
    stills: dict[str, Still] = {}
    errors: list[BadInput] = []
    for part in _find_parts(path):
        try:
            dataset, sources, named = _read_part(part, skeleton, images, drop_bad)
            twice = sorted(name for name in sources.keys() & files.keys() if name.startswith(f"{IMAGES}/"))
            if twice:
                raise BadInputs(part.labels, [f"{name} is labelled in another file too" for name in twice], "keep one")
        except BadInput as error:
            errors.append(error)
            continue
        skeleton = dataset.skeleton
        frames += dataset.frames
        notes += [f"{part.prefix}: {note}" if part.prefix else note for note in dataset.notes]
        files |= sources
        stills |= named
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise BadInputs(path, [str(error) for error in errors], "correct each of them")
    return Dataset(skeleton, tuple(frames), tuple(notes)), files, stills


def _read_part(
    part: _Part, skeleton: Skeleton | None, images: Path | None, drop_bad: bool
) -> tuple[Dataset, dict[str, Path], dict[str, Still]]:
    folder = _folder_of(part, images)
    on_problem = "drop" if drop_bad else "raise"

    def locate(frame: Frame) -> Path | None:
        still = folder / frame.file_name
        clip = frame.video and frame.frame is not None and (part.videos / frame.video).is_file()
        return None if clip and not still.exists() else still

    dataset = read_coco(part.labels, None, locate, on_problem)
    if skeleton is not None:
        ours, theirs = ({normalise(joint) for joint in each.joints} for each in (skeleton, dataset.skeleton))
        if ours != theirs:
            raise BadInput(part.labels, "has other joints than the labels before it", "import them one by one")
        dataset = read_coco(part.labels, skeleton, locate, on_problem)
    frames: list[Frame] = []
    files: dict[str, Path] = {}
    stills: dict[str, Still] = {}
    shuffled = part.labels.name == ROBOFLOW
    for frame in dataset.frames:
        still = locate(frame)
        if still is not None:
            known = Still(still, frame.file_name, "" if shuffled else part.prefix)
            frame = replace(frame, file_name="/".join(filter(None, (part.prefix, frame.file_name))))
            stills[frame.file_name] = known
            files[f"{IMAGES}/{frame.file_name}"] = still
        else:
            files[f"{VIDEOS}/{frame.video}"] = part.videos / str(frame.video)
        frames.append(frame)
    nested = sorted({str(frame.video) for frame in frames if frame.video and "/" in frame.video})
    if nested:
        raise BadInputs(part.labels, [f"video {name!r} lies in a subfolder" for name in nested], "put clips in videos/")
    return replace(dataset, frames=tuple(frames)), files, stills


def _folder_of(part: _Part, images: Path | None) -> Path:
    """The candidate that holds most of the images; the likeliest where none holds any."""
    names = [frame.file_name for frame in read_coco(part.labels, on_problem="drop").frames]
    own = part.folders if images is None else (images / part.prefix, images)
    return max(own, key=lambda folder: (sum((folder / name).is_file() for name in names), folder.is_dir()))


def _check_media(
    dataset: Dataset, files: dict[str, Path], drop_bad: bool, where: Path
) -> tuple[Dataset, dict[str, Path]]:
    """Decode every picture and clip once; what fails is a problem, or is dropped."""
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
        list(tqdm(pool.map(check, sorted(files)), total=len(files), desc="checking", unit="file", disable=None))
    problems = [bad[relative] for relative in sorted(bad)]
    kept, clips = [], {}
    for frame in dataset.frames:
        relative, reason = f"{IMAGES}/{frame.file_name}", None
        if relative not in files:
            relative = f"{VIDEOS}/{frame.video}"
            reason = _frame_problem(frame, infos.get(relative))
            clips.setdefault(PurePosixPath(str(frame.video)).stem.lower(), set()).add(frame.video)
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
    return replace(dataset, frames=tuple(kept), notes=notes), {r: f for r, f in files.items() if r in used}


def _with_true_suffixes(
    dataset: Dataset, files: Mapping[str, Path], stills: Mapping[str, Still]
) -> tuple[Dataset, dict[str, Path], dict[str, Still]]:
    """The same with every picture under a name whose suffix trainers read: they pass over others in silence."""
    frames, renamed, taken = [], {}, {frame.file_name.lower() for frame in dataset.frames}
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
        return dataset, dict(files), dict(stills)
    note = f"pictures under a name that trainers read ({len(renamed)}): " + ", ".join(
        f"{old} is now {new}" for old, new in renamed.items()
    )
    moved = {f"{IMAGES}/{old}": f"{IMAGES}/{new}" for old, new in renamed.items()}
    return (
        replace(dataset, frames=tuple(frames), notes=(*dataset.notes, note)),
        {moved.get(relative, relative): file for relative, file in files.items()},
        {renamed.get(name, name): still for name, still in stills.items()},
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
