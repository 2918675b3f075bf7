"""Sets: folders of labelled stills and clips, as they lie in ``data/raw`` and ``data/synthetic``.

A set holds ``annotations.json`` (COCO keypoints), and ``images/`` (stills, to which ``file_name`` is relative) or
``videos/`` (clips, which the images then name by ``video`` and ``frame``), or both.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from fosbury.errors import BadInput, BadInputs
from fosbury.formats.coco import read_coco
from fosbury.media import video
from fosbury.media.extract import Manifest, extract, frame_name, read_manifest
from fosbury.pose import OCCLUDED, Dataset, Frame
from fosbury.progress import progress
from fosbury.skeleton import Skeleton

ANNOTATIONS, IMAGES, VIDEOS = "annotations.json", "images", "videos"


def find_sets(source: str | Path, names: Sequence[str] | None = None, more: Sequence[str] = ()) -> list[Path]:
    """Folders of the sets in ``source``, sorted by name.

    Parameters
    ----------
    source : str or Path
    names : sequence of str, optional
        The sets to take; all without it.
    more : sequence of str
        Sets to take beside them.

    Raises
    ------
    BadInput
        If there is no set, or none of one of the names.
    """
    source = Path(source)
    there = {
        folder.name: folder
        for folder in sorted(source.iterdir() if source.is_dir() else ())
        if not folder.name.startswith(".") and any((folder / part).exists() for part in (ANNOTATIONS, VIDEOS))
    }
    if not there:
        raise BadInput(source, "holds no labelled set", "bring one in with 'fosbury import PATH --name NAME'")
    unknown = [name for name in (*(names or ()), *more) if name not in there]
    if unknown:
        keys = "data.sets and data.unlabelled" if more else "data.sets"
        raise BadInput(source, f"holds no set {', '.join(unknown)}", f"choose {keys} from {', '.join(there)}")
    return [there[name] for name in sorted({*(there if names is None else names), *more})]


def find_videos(folder: str | Path) -> list[Path]:
    """Clips of a set, sorted by name.

    Raises
    ------
    BadInput
        If two differ only in their suffix or in the case of their letters: their frames would share a folder.
    """
    clips = [
        path
        for path in sorted((Path(folder) / VIDEOS).glob("*"))
        if path.suffix.lower() in video.SUFFIXES and not path.name.startswith(".")
    ]
    stems: dict[str, Path] = {}
    for clip in clips:
        other = stems.setdefault(clip.stem.lower(), clip)
        if other is not clip:
            raise BadInput(clip, f"has the name of {other.name} but for the suffix or case", "rename one of the two")
    return clips


def extract_sets(
    source: str | Path,
    sets: Sequence[str] | None,
    out: str | Path,
    *,
    quality: int = 95,
    every: int = 1,
    unlabelled: Sequence[str] = (),
) -> dict[str, list[Manifest]]:
    """Extract the labelled frames of every clip that `annotations_of_set` keeps; without labels, every n-th frame.

    Parameters
    ----------
    source : str or Path
        Folder of sets.
    sets : sequence of str, optional
        The sets to take; all where None.
    out : str or Path
        Gets ``<set>/<video stem>/<frame>.jpg``. Clips that are there already are skipped; folders of sets and clips
        that are gone are removed.
    quality : int
        JPEG quality, 1 to 100.
    every : int
        Of the labelled frames of a clip, one in so many is extracted; in a set without labels, of all its frames. A
        clip of a set with labels of which no frame is wanted is passed over.
    unlabelled : sequence of str
        Sets to take beside ``sets``, whose file of labels holds boxes without joints.

    Returns
    -------
    dict of str to list of Manifest
        By set.

    Raises
    ------
    BadInput, BadInputs
        If a set or a clip cannot be read: every bad clip of every set is named.
    """
    out = Path(out)
    jobs: list[tuple[Path, Path, list[int] | None]] = []
    problems: list[str] = []
    chosen = find_sets(source, sets, unlabelled)
    for folder in chosen:
        try:
            labelled = _wanted_frames(folder, every, boxes_only=folder.name in unlabelled)
            clips = find_videos(folder)
        except BadInput as error:
            problems.append(str(error))
            continue
        problems += [
            f"{folder / ANNOTATIONS}: names {name}, which is not in {folder / VIDEOS}"
            for name in sorted((labelled or {}).keys() - {clip.name for clip in clips})
        ]
        jobs += [
            (clip, out / folder.name / clip.stem, None if labelled is None else labelled[clip.name])
            for clip in clips
            if labelled is None or clip.name in labelled
        ]
    manifests: dict[str, list[Manifest]] = {folder.name: [] for folder in chosen}
    for clip, folder, only in progress(jobs, "frames of clips", "clip"):
        try:
            manifests[folder.parent.name].append(extract(clip, folder, every=every, quality=quality, only=only))
        except BadInput as error:
            problems.append(str(error))
    if problems:
        raise BadInputs(source, problems, "correct or remove them; the clips that are sound are extracted")
    _keep_only(out, {folder for _, folder, _ in jobs})
    return manifests


def _wanted_frames(folder: Path, every: int, *, boxes_only: bool) -> dict[str, list[int]] | None:
    """Frames of each clip that are kept and not there as stills; None where the set has no labels."""
    if not (folder / ANNOTATIONS).exists():
        return None
    frames: dict[str, list[int]] = defaultdict(list)
    labelled = read_coco(folder / ANNOTATIONS, keep_empty=boxes_only).frames
    thinned = _thinned(labelled, every)
    for frame in labelled:
        if not frame.video or frame.frame is None or (frame.video, frame.frame) in thinned:
            continue
        if not (folder / IMAGES / frame.file_name).exists():
            frames[frame.video].append(frame.frame)
    return frames


def _keep_only(out: Path, folders: set[Path]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    parents = {folder.parent for folder in folders}
    for entry in sorted(out.iterdir()):
        if entry not in parents:
            _remove(entry)
            continue
        for inner in sorted(entry.iterdir()):
            if inner not in folders:
                _remove(inner)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def annotations_of_set(
    root: str | Path,
    folder: str | Path,
    frames: str | Path,
    skeleton: Skeleton,
    *,
    every: int = 1,
    boxes_only: bool = False,
) -> Dataset:
    """Labels of one set with the skeleton's joints and with pictures that exist.

    Parameters
    ----------
    root : str or Path
        The repository.
    folder, frames : str or Path
        The set, and the folder of the frames of all sets' clips; relative to ``root``.
    skeleton : Skeleton
        Joints are matched by name; those that are absent are not labelled.
    every : int
        Keep every n-th labelled frame of a clip.
    boxes_only : bool
        Keep frames in which people have a box and nobody has a labelled joint.

    Returns
    -------
    Dataset
        ``file_name`` is relative to ``root``; times come from the clip where the labels have none.

    Raises
    ------
    BadInputs
        Listing every problem of the set: those of ``read_coco``, and pictures that are not there.
    """
    root, folder, frames = Path(root), Path(folder), Path(frames)
    name = folder.name

    labels = root / folder / ANNOTATIONS
    thinned = _thinned(read_coco(labels, keep_empty=boxes_only).frames, every) if every > 1 else set()

    def place(frame: Frame) -> Path:
        still = folder / IMAGES / frame.file_name
        if frame.video is None or frame.frame is None or (root / still).exists():
            return still
        return frames / name / PurePosixPath(frame.video).stem / frame_name(frame.frame)

    def locate(frame: Frame) -> Path | None:
        return None if (frame.video, frame.frame) in thinned else root / place(frame)

    dataset = read_coco(labels, skeleton, locate, keep_empty=boxes_only)
    dataset = dataset.where(len(frame.people) > 0 for frame in dataset.frames)
    if not len(dataset):
        raise BadInput(labels, "holds nobody with a box", "give each person a box, or take it out of data.unlabelled")
    kept = dataset.where((frame.video, frame.frame) not in thinned for frame in dataset.frames)
    times = _times(kept, root / frames / name)
    placed = [
        replace(
            frame,
            file_name=place(frame).as_posix(),
            timestamp_ms=times.get((frame.video, frame.frame), None)
            if frame.timestamp_ms is None
            else frame.timestamp_ms,
        )
        for frame in kept.frames
    ]
    notes = dataset.notes
    if left_out := len(dataset) - len(kept):
        notes += (f"labelled frames of clips left out, for one in {every} is kept: {left_out}",)
    return Dataset(dataset.skeleton, tuple(placed), notes)


def _times(dataset: Dataset, frames: Path) -> dict[tuple[str | None, int | None], float]:
    times: dict[tuple[str | None, int | None], float] = {}
    for name in sorted({frame.video for frame in dataset.frames if frame.video}):
        manifest = read_manifest(frames / PurePosixPath(name).stem)
        if manifest is not None:
            times |= {(name, n): time for n, time in zip(manifest.frames, manifest.timestamps_ms, strict=True)}
    return times


def _thinned(frames: Sequence[Frame], every: int) -> set[tuple[str | None, int | None]]:
    """Video and index of the labelled frames of clips that are left out when one in ``every`` is kept."""
    by_video: dict[str, list[int]] = defaultdict(list)
    for frame in frames:
        if frame.video and frame.frame is not None:
            by_video[frame.video].append(frame.frame)
    return {(name, n) for name, numbers in by_video.items() for at, n in enumerate(sorted(numbers)) if at % every}


def annotations_of_sets(
    root: str | Path,
    source: str | Path,
    sets: Sequence[str] | None,
    frames: str | Path,
    *,
    skeleton: Skeleton,
    every: int = 1,
    unlabelled: Sequence[str] = (),
) -> dict[str, Dataset]:
    """Labels of every set that has some, by name; see ``annotations_of_set``.

    Of the sets ``unlabelled``, which are taken beside ``sets``, boxes are enough.

    Raises
    ------
    BadInput, BadInputs
        If no set has labels, or any has a problem: those of all sets are named.
    """
    datasets: dict[str, Dataset] = {}
    errors: list[BadInput] = []
    for folder in find_sets(Path(root) / source, sets, unlabelled):
        if not (folder / ANNOTATIONS).exists():
            continue
        name, boxes_only = folder.name, folder.name in unlabelled
        try:
            datasets[name] = annotations_of_set(
                root, Path(source) / name, frames, skeleton, every=every, boxes_only=boxes_only
            )
        except BadInput as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise BadInputs(source, [str(error) for error in errors], "correct each of them")
    if not datasets:
        raise BadInput(source, f"holds no set with {ANNOTATIONS}", "label some frames and import them")
    return datasets


def set_of(path: str | Path) -> Path:
    """Folder of a set, absolute, given it or its labels.

    Raises
    ------
    BadInput
        If it is no set: ``annotations.json`` beside ``images/`` or ``videos/``.
    """
    path = Path(path).absolute()
    if not path.exists():
        raise BadInput(path, "does not exist", "check the name and the folder")
    folder = path if path.is_dir() else path.parent
    media = any((folder / part).is_dir() for part in (IMAGES, VIDEOS))
    if path not in (folder, folder / ANNOTATIONS) or not (folder / ANNOTATIONS).is_file() or not media:
        problem = f"is no set ({ANNOTATIONS} beside {IMAGES}/ or {VIDEOS}/)"
        raise BadInput(path, problem, "name the folder of its images with --images")
    return folder


def read_set(folder: str | Path, work: str | Path, skeleton: Skeleton) -> Dataset:
    """Labels of one set by itself, with pictures: the labelled frames of its clips are extracted.

    Parameters
    ----------
    folder : str or Path
    work : str or Path
        Gets the frames; empty.
    skeleton : Skeleton

    Returns
    -------
    Dataset
        ``file_name`` is relative to the folder in which the set lies; absolute for extracted frames.

    Raises
    ------
    BadInput, BadInputs
        As ``extract_sets`` and ``annotations_of_set``.
    """
    folder, work = Path(folder), Path(work).absolute()
    extract_sets(folder.parent, [folder.name], work)
    return annotations_of_set(folder.parent, folder.name, work, skeleton)


def annotations_report(datasets: Mapping[str, Dataset]) -> str:
    """Markdown: how many frames, people and joints each set has, and what was dropped, changed or odd."""
    lines = ["# Annotations", "", "| set | frames | clips | people | joints | occluded |", "|---|--:|--:|--:|--:|--:|"]
    for name, dataset in sorted(datasets.items()):
        people = [person for frame in dataset.frames for person in frame.people]
        clips = len({frame.video for frame in dataset.frames if frame.video})
        joints = sum(int(person.labelled.sum()) for person in people)
        occluded = sum(int((person.visibility == OCCLUDED).sum()) for person in people)
        lines.append(f"| {name} | {len(dataset)} | {clips} | {len(people)} | {joints} | {occluded} |")
    for name, dataset in sorted(datasets.items()):
        lines += ["", f"## {name}", "", *(f"- {note}" for note in dataset.notes or ("nothing to report",))]
    return "\n".join(lines) + "\n"
