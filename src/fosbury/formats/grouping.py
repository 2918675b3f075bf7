"""Stills that are frames of clips: told by the manifest of ``fosbury frames``, by their names, or by the person.

Frames of one clip must not be parted by a split. Labelling tools hand them back as pictures that know of no clip.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from fosbury.errors import BadInputs
from fosbury.media.extract import Manifest, read_manifest
from fosbury.pose import PHASES, Dataset, Frame

MANY = 20
"""From more stills than these on, it is said that each is a group of its own."""

_COPY = re.compile(r"_(?:jpe?g|png|bmp|webp)\.rf\.[0-9A-Za-z]+$")
"""What Roboflow adds to the name of a picture."""
_NAMES = (
    re.compile(r"(?P<clip>.+)[._](?:mp4|mov|m4v|avi|mkv|webm|mpg|wmv)[-_]\d+", re.IGNORECASE),
    re.compile(r"(?P<clip>.*?)[-_ ]*frame[-_ ]*\d+(?:_\d+)?", re.IGNORECASE),
)
"""Roboflow's frames of a clip (``jump_mp4-0012``); CVAT's and FFmpeg's usual ones (``frame_000012``)."""
_OURS = re.compile(r"\d{6}")


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
        names are of a kind that tools give to frames get a group. ``folder`` and ``set``: so do all others. ``file``:
        nothing is changed.
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
    groups: dict[str, str] = {}
    for frame in dataset.frames:
        if frame.file_name not in stills or frame.video or frame.group:
            continue
        if by != "auto":
            folder = PurePosixPath(frame.file_name).parent.as_posix() if by == "folder" else ""
            groups[frame.file_name] = _joined(name, folder)
        elif frame.file_name not in known and (group := _group_of_name(stills[frame.file_name])) is not None:
            groups[frame.file_name] = _joined(name, group)
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


def _group_of_name(still: Still) -> str | None:
    """The group that a picture's name tells: its clip's name, below its folder; the folder where it names no clip."""
    path = PurePosixPath(still.name)
    stem, copies = _COPY.subn("", path.stem)
    folder = "" if path.parent.name.lower() in PHASES else path.parent.as_posix()
    part = "" if copies else still.part
    for pattern in _NAMES:
        if match := pattern.fullmatch(stem):
            return _joined("" if match["clip"] else part, folder, match["clip"])
    if _OURS.fullmatch(stem) and folder not in ("", "."):
        return _joined(part, folder)
    return None


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
        why = "their names are those of a clip's frames" if by == "auto" else f"--group-by {by}"
        listed = ", ".join(f"{group} ({count})" for group, count in sorted(members.items()))
        notes.append(f"{len(groups)} pictures make {len(members)} groups, which no split parts, as {why}: {listed}")
    alone = [frame for frame in frames if frame.file_name in stills and not frame.video and not frame.group]
    if len(alone) > MANY:
        notes.append(
            f"each of {len(alone)} pictures is its own group: if they come from clips, import them with "
            "--group-by folder, or training and test will share clips"
        )
    return notes
