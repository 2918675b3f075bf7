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

from tqdm import tqdm

from fosbury.errors import BadInput, BadInputs
from fosbury.formats.coco import read_coco
from fosbury.media import video
from fosbury.media.extract import Manifest, extract, frame_name, read_manifest
from fosbury.pose import OCCLUDED, Dataset, Frame
from fosbury.skeleton import Skeleton

ANNOTATIONS, IMAGES, VIDEOS = "annotations.json", "images", "videos"


def find_sets(source: str | Path, names: Sequence[str] | None = None) -> list[Path]:
    """Folders of the sets in ``source``, sorted by name.

    Parameters
    ----------
    source : str or Path
    names : sequence of str, optional
        The sets to take; all without it.

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
    unknown = [name for name in names or () if name not in there]
    if unknown:
        raise BadInput(source, f"holds no set {', '.join(unknown)}", f"choose data.sets from {', '.join(there)}")
    return [there[name] for name in sorted(set(there if names is None else names))]


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
    source: str | Path, sets: Sequence[str] | None, out: str | Path, quality: int = 95, every: int = 1
) -> dict[str, list[Manifest]]:
    """Extract the labelled frames of every clip of the sets; of a clip without labels, every n-th frame.

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
        For clips without labels.

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
    chosen = find_sets(source, sets)
    for folder in chosen:
        try:
            labelled = _labelled_frames(folder)
            clips = find_videos(folder)
        except BadInput as error:
            problems.append(str(error))
            continue
        problems += [
            f"{folder / ANNOTATIONS}: names {name}, which is not in {folder / VIDEOS}"
            for name in sorted(labelled.keys() - {clip.name for clip in clips})
        ]
        jobs += [(clip, out / folder.name / clip.stem, labelled.get(clip.name)) for clip in clips]
    manifests: dict[str, list[Manifest]] = {folder.name: [] for folder in chosen}
    for clip, folder, only in tqdm(jobs, desc="clips", unit="clip", disable=None):
        try:
            manifests[folder.parent.name].append(extract(clip, folder, every, quality, only))
        except BadInput as error:
            problems.append(str(error))
    if problems:
        raise BadInputs(source, problems, "mend or remove them; the clips that are sound are extracted")
    _keep_only(out, {folder for _, folder, _ in jobs})
    return manifests


def _labelled_frames(folder: Path) -> dict[str, list[int]]:
    """Frames of each clip that the labels name and that are not there as stills."""
    frames: dict[str, list[int]] = defaultdict(list)
    if (folder / ANNOTATIONS).exists():
        for frame in read_coco(folder / ANNOTATIONS).frames:
            if frame.video and frame.frame is not None and not (folder / IMAGES / frame.file_name).exists():
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
    root: str | Path, folder: str | Path, frames: str | Path, skeleton: Skeleton, every: int = 1
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

    def place(frame: Frame) -> Path:
        still = folder / IMAGES / frame.file_name
        if frame.video is None or frame.frame is None or (root / still).exists():
            return still
        return frames / name / PurePosixPath(frame.video).stem / frame_name(frame.frame)

    dataset = read_coco(root / folder / ANNOTATIONS, skeleton, images=lambda frame: root / place(frame))
    times = _times(dataset, root / frames / name)
    placed = [
        replace(
            frame,
            file_name=place(frame).as_posix(),
            timestamp_ms=times.get((frame.video, frame.frame), None)
            if frame.timestamp_ms is None
            else frame.timestamp_ms,
        )
        for frame in dataset.frames
    ]
    kept, thinned = _thin(placed, every)
    notes = dataset.notes
    if thinned:
        notes += (f"labelled frames of clips left out, for one in {every} is kept: {thinned}",)
    return Dataset(dataset.skeleton, tuple(kept), notes)


def _times(dataset: Dataset, frames: Path) -> dict[tuple[str | None, int | None], float]:
    times: dict[tuple[str | None, int | None], float] = {}
    for name in sorted({frame.video for frame in dataset.frames if frame.video}):
        manifest = read_manifest(frames / PurePosixPath(name).stem)
        if manifest is not None:
            times |= {(name, n): time for n, time in zip(manifest.frames, manifest.timestamps_ms, strict=True)}
    return times


def _thin(frames: Sequence[Frame], every: int) -> tuple[list[Frame], int]:
    by_video: dict[str, list[int]] = defaultdict(list)
    for frame in frames:
        if frame.video and frame.frame is not None:
            by_video[frame.video].append(frame.frame)
    keep = {(name, n) for name, numbers in by_video.items() for n in sorted(numbers)[::every]}
    kept = [f for f in frames if not f.video or f.frame is None or (f.video, f.frame) in keep]
    return kept, len(frames) - len(kept)


def annotations_of_sets(
    root: str | Path,
    source: str | Path,
    sets: Sequence[str] | None,
    frames: str | Path,
    skeleton: Skeleton,
    every: int = 1,
) -> dict[str, Dataset]:
    """Labels of every set that has some, by name; see ``annotations_of_set``.

    Raises
    ------
    BadInput, BadInputs
        If no set has labels, or any has a problem: those of all sets are named.
    """
    datasets: dict[str, Dataset] = {}
    errors: list[BadInput] = []
    for folder in find_sets(Path(root) / source, sets):
        if not (folder / ANNOTATIONS).exists():
            continue
        try:
            datasets[folder.name] = annotations_of_set(root, Path(source) / folder.name, frames, skeleton, every)
        except BadInput as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise BadInputs(source, [str(error) for error in errors], "mend each of them")
    if not datasets:
        raise BadInput(source, f"holds no set with {ANNOTATIONS}", "label some frames and import them")
    return datasets


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
