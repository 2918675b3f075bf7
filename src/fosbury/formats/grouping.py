"""Stills that are frames of clips: known by the manifest of ``fosbury frames``, by their names, or by the person.

Frames of one clip must not be parted by a split. Labelling tools hand them back as pictures that know of no clip.

What names say, the surest first:

- ``jump_mp4-0012``, ``jump.mp4_12``: a frame of the clip ``jump``.
- ``jump_frame_0012``; ``frame_0012`` alone: of the folder that it lies in.
- ``000012`` in a folder, ``0012`` in one that is no subset, ``labeled-data/jump/img0012`` (DeepLabCut): of the folder.
- ``jump1_0012``, ``IMG_4711_012``, ``jump-3 (12)``, ``jump1_f12``: of what stands before the number, if at least two
  pictures share it. A camera's numbering (``IMG_4711``, ``DSC_0815``, ``photo 3``) and dates name no clip: each such
  picture stays its own.
- copies of one picture that Roboflow made (``x_jpg.rf.1a2b``, ``x_jpg.rf.3c4d``): of the picture.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from fosbury.errors import BadInputs
from fosbury.media.extract import Manifest, read_manifest
from fosbury.pose import PHASES, WARNING, Dataset, Frame

MANY = 20
"""Of a set in which some stills have a group, more than these without one are warned of."""

_COPY = re.compile(r"_(?:jpe?g|png|bmp|webp)\.rf\.[0-9A-Za-z]+$", re.IGNORECASE)
"""What Roboflow adds to the name of a picture."""
_NAMES = (
    re.compile(r"(?P<clip>.+)[._](?:mp4|mov|m4v|avi|mkv|webm|mpg|wmv)[-_]\d+", re.IGNORECASE),
    re.compile(r"(?P<clip>.*?)[-_ ]*frame[-_ ]*\d+(?:_\d+)?", re.IGNORECASE),
)
"""Roboflow's frames of a clip (``jump_mp4-0012``); CVAT's and FFmpeg's usual ones (``frame_000012``)."""
_NUMBERED = re.compile(
    r"(?P<clip>.+?)(?:[-_. ]+(?:f|fr|frm)?[-_. ]?\d{1,7}|[-_. ]*\(\d{1,7}\))", re.IGNORECASE
)  # jump1_0012, jump1_f12, jump-3 (12)
_CAMERA = re.compile(
    r"[-_. ]*(?:img|image|im|photo|picture|pic|pict|foto|bild|still|snapshot|screenshot|scan|file|download|"
    r"dsc[fn]?|mg|mvi|vid|pxl|sam|cimg|gopr|dji|fb_img|whatsapp image)[-_. ]*",
    re.IGNORECASE,
)
_DATE = r"(?:19|20)\d{2}[-_.](?:0[1-9]|1[0-2])[-_.](?:0[1-9]|[12]\d|3[01])"
_TIME = r"(?:[-_. T]|at)*\d{2}[-_.h]?\d{2}[-_.m]?\d{2}s?"
_DATED = re.compile(rf"(?:.*\D)?(?:{_DATE}(?:{_TIME})?|(?:19|20)\d{{6}}{_TIME})", re.IGNORECASE)
_OURS, _PADDED, _DEEPLABCUT = re.compile(r"\d{6}"), re.compile(r"\d{3,5}"), re.compile(r"img\d+")
SUBSETS = ("images", "train", "valid", "val", "test", "default")
"""Folders that hold a part of a set rather than a clip."""


GroupBy = Literal["auto", "folder", "set", "file"]
"""What makes one group of the stills of a set that name neither clip nor group; see ``group_stills``."""


@dataclass(frozen=True)
class Still:
    """Where a picture came from.

    Attributes
    ----------
    path : Path
        The picture.
    name : str
        Its ``file_name`` in the labels that it came with.
    part : str
        Which of several files of labels those were, where frames of one clip never lie in two of them; else empty.
    """

    path: Path
    name: str
    part: str = ""


def group_stills(dataset: Dataset, stills: Mapping[str, Still], by: GroupBy = "auto", name: str = "") -> Dataset:
    """Say of the stills of a set which ones belong together.

    Parameters
    ----------
    dataset : Dataset
        Frames that name a clip or a group keep them.
    stills : mapping of str to Still
        By the ``file_name`` in ``dataset``.
    by : GroupBy
        ``auto``: pictures beside a manifest of ``fosbury frames`` get their clip, frame and time from it; those whose
        names are those of frames (see the top of this module) get a group. ``folder`` and ``set``: so do all others.
        ``file``: nothing is changed.
    name : str
        Of the set; begins the names of its groups, because equal names of two sets would be one group.

    Returns
    -------
    Dataset
        With notes on what was done.

    Raises
    ------
    BadInputs
        If two pictures are the same frame of a clip.
    """
    if by == "file":
        return dataset
    clips = _Clips()
    known = {
        frame.file_name: clip
        for frame in dataset.frames
        if frame.file_name in stills and frame.video is None and (clip := clips.find(stills[frame.file_name]))
    }
    names = clips.names()
    free = [f.file_name for f in dataset.frames if f.file_name in stills and not f.video and not f.group]
    if by == "auto":
        found = groups_of_names({file: stills[file] for file in free if file not in known})
    else:
        found = {file: PurePosixPath(file).parent.as_posix() if by == "folder" else "" for file in free}
    groups = {file: _joined(name, group) for file, group in found.items()}
    frames = []
    for frame in dataset.frames:
        if frame.file_name in known:
            folder, index, time = known[frame.file_name]
            frame = replace(frame, video=names[folder], frame=index, timestamp_ms=time)
        frames.append(replace(frame, group=groups.get(frame.file_name, frame.group)))
    _check_once(frames, name)
    return replace(dataset, frames=tuple(frames), notes=(*_notes(frames, known, groups, stills, by), *dataset.notes))


def _check_once(frames: list[Frame], name: str) -> None:
    owners: dict[tuple[str | None, int | None], str] = {}
    twice = []
    for frame in frames:
        if frame.video and frame.frame is not None:
            first = owners.setdefault((frame.video, frame.frame), frame.file_name)
            if first != frame.file_name:
                twice.append(f"{first} and {frame.file_name} are both frame {frame.frame} of {frame.video}")
    if twice:
        raise BadInputs(name, twice, "keep one of the two, or import with --group-by file")


class _Clips:
    """Manifests in the folders of pictures."""

    def __init__(self) -> None:
        self.manifests: dict[Path, Manifest | None] = {}
        self.times: dict[Path, dict[str, tuple[int, float]]] = {}

    def find(self, still: Still) -> tuple[Path, int, float] | None:
        """Folder, index and time of a picture that a manifest beside it lists; its suffix may have changed."""
        folder = still.path.parent
        if folder not in self.manifests:
            manifest = self.manifests[folder] = read_manifest(folder)
            listed = zip(manifest.frames, manifest.timestamps_ms, strict=True) if manifest else ()
            self.times[folder] = {f"{index:06d}": (index, time) for index, time in listed}
        found = self.times[folder].get(still.path.stem)
        return None if found is None else (folder, *found)

    def names(self) -> dict[Path, str]:
        """Name of each folder's clip; another clip of that name has a number before it."""
        owners: dict[str, str] = {}
        names: dict[Path, str] = {}
        for folder, manifest in sorted(self.manifests.items()):
            if manifest is None:
                continue
            clip = PurePosixPath(manifest.video).name
            tries = [
                clip,
                *(f"{at}_{clip}" for at in range(2, len(self.manifests) + 2)),
            ]
            names[folder] = next(each for each in tries if owners.setdefault(each, manifest.sha256) == manifest.sha256)
        return names


def groups_of_names(stills: Mapping[str, Still]) -> dict[str, str]:
    """Find the groups that the names of pictures tell, by the keys of ``stills``; where a name tells none, none."""
    groups: dict[str, str] = {}
    unsure: dict[str, list[str]] = defaultdict(list)
    for key, still in stills.items():
        sure, group = _group_of_name(still)
        if sure:
            groups[key] = group
        elif group:
            unsure[group].append(key)
    for group, keys in unsure.items():
        if len(keys) > 1:
            groups.update(dict.fromkeys(keys, group))
    return groups


def _group_of_name(still: Still) -> tuple[bool, str]:
    """Whether a picture's name surely tells its group, and the group: its clip's name, below its folder, or the folder.

    Where it is not sure, the group holds if another picture tells the same; it is empty where the name tells none.
    """
    path = PurePosixPath(still.name)
    stem, copies = _COPY.subn("", path.stem)
    folder = "" if path.parent.name.lower() in PHASES else path.parent.as_posix()
    part = "" if copies else still.part
    for pattern in _NAMES:
        if match := pattern.fullmatch(stem):
            return True, _joined("" if match["clip"] else part, folder, match["clip"])
    if folder not in ("", ".") and (
        _OURS.fullmatch(stem)
        or (_PADDED.fullmatch(stem) and path.parent.name.lower() not in SUBSETS)
        or (_DEEPLABCUT.fullmatch(stem) and path.parent.parent.name == "labeled-data")
    ):
        return True, _joined(part, folder)
    match = _NUMBERED.fullmatch(stem)
    if match and not _CAMERA.fullmatch(match["clip"]) and not _DATED.fullmatch(stem):
        return False, _joined(part, folder, match["clip"])
    return False, _joined(folder, stem) if copies else ""


def _joined(*parts: str) -> str:
    return "/".join(part for part in parts if part not in ("", "."))


def _notes(
    frames: list[Frame],
    known: Mapping[str, object],
    groups: Mapping[str, str],
    stills: Mapping[str, Still],
    by: GroupBy,
) -> list[str]:
    notes = []
    if known:
        clips = sorted({str(frame.video) for frame in frames if frame.file_name in known})
        notes.append(f"{len(known)} pictures are frames of {len(clips)} clips, as frames.json says: {', '.join(clips)}")
    members: dict[str, int] = defaultdict(int)
    for group in groups.values():
        members[group] += 1
    if members:
        why = f"--group-by {by}"
        if by == "auto":
            why = "their names are those of a clip's frames (import unrelated pictures with --group-by file)"
        listed = ", ".join(f"{group} ({count})" for group, count in sorted(members.items()))
        notes.append(f"{len(groups)} pictures make {len(members)} groups, which no split parts, as {why}: {listed}")
    return [*notes, *warnings_of_lone_pictures([frame for frame in frames if frame.file_name in stills])]


def warn_of_lone_pictures(dataset: Dataset) -> Dataset:
    """Return the data set with the warning of `warnings_of_lone_pictures` among its notes, if there is one."""
    return replace(dataset, notes=(*dataset.notes, *warnings_of_lone_pictures(dataset.frames)))


def warnings_of_lone_pictures(stills: Sequence[Frame]) -> list[str]:
    """Warn of a set in which each picture, or more than ``MANY`` of them, is a group of its own.

    Parameters
    ----------
    stills : sequence of Frame
        The pictures of one set.

    Returns
    -------
    list of str
        One warning, or none. It names the clips that the names of the pictures tell.
    """
    alone = [frame for frame in stills if not frame.video and not frame.group]
    if len(alone) < 2 or len(alone) < min(len(stills), MANY + 1):
        return []
    warning = (
        f"{WARNING}each of {len(alone)} pictures is its own group: if some come from one clip, training and test may "
        "share it; import the set with --group-by folder or set, or give them a 'group' in its labels"
    )
    named = groups_of_names({f.file_name: Still(Path(f.file_name), below_images(f.file_name)) for f in alone})
    if named:
        clips = sorted(set(named.values()))
        few = ", ".join(clips[:5]) + (", ..." if len(clips) > 5 else "")
        warning += f". By their names {len(named)} are frames of {len(clips)} clips: {few}"
    return [warning]


def below_images(name: str) -> str:
    """Name of a still below the first ``images/`` of its path; all of it without one."""
    return name.split("/images/", 1)[-1]
