"""The phase of the jump that a frame belongs to: what a person said, else what the trunk says.

Geometry is used only where no label is. Its rules, for a clip of one jump at natural speed:

- The arch begins with the longest run of frames whose trunk is at least 60 degrees from upright (interruptions of up to
  0.1 s are bridged). Shorter runs elsewhere, such as one wrong label in the approach, are not an arch.
- The 0.33 s before it are ``flight``, in which the trunk turns so far after leaving the ground; the 0.18 s before those
  are ``takeoff``, as long as the last foot is on the ground; all before is ``approach``.
- ``landing`` begins 0.54 s after the arch did: a flight of about 0.87 s lifts the hips by 0.9 m. The height of the hips
  in the picture is no better guide, because cameras follow the athlete up (there it found 78 % of the arch).
- In between, a tilted trunk is ``arch`` and an upright one ``flight``.

On 30 clips of the built-in athlete, whose phases are known, these times give 96 % of the frames their phase; they find
97 % of the arch frames, and 95 % of what they call arch is. They are read off that athlete: label the phases of slow
motion, of low jumps, and of clips that begin in the air. A clip whose trunk is tilted for more than 1.2 s without a
break is probably slow motion and is named in a warning (the built-in athlete's are tilted for 0.7 to 0.9 s).

One still has no before and after: a trunk at least 60 degrees from upright is called ``arch``, and of any other the
phase stays unknown (None), as it does without a labelled trunk. A landing is tilted too: about a third of the landings
among stills are called arch. A folder with a phase's name, or ``phases.csv``, decides instead.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path, PurePosixPath

import numpy as np

from fosbury.errors import BadInput, BadInputs
from fosbury.pose import PHASES, WARNING, Dataset, Frame, Person, trunk_tilt

ARCH_TILT = 60.0
BRIDGE_SECONDS = 0.1
FLIGHT_SECONDS = 0.33
TAKEOFF_SECONDS = 0.18
LANDING_SECONDS = 0.54
SLOW_SECONDS = 1.2
CLIP_COLUMNS = ("video", "start", "end", "phase")
ASSUMED_FPS = 25.0


def athlete(frame: Frame) -> Person | None:
    """Return the largest labelled person of a frame, whose trunk decides its phase."""
    return max(frame.people, key=lambda person: person.area, default=None)


def phases_by_geometry(tilt: np.ndarray, seconds: np.ndarray) -> list[str | None]:
    """Phase of every frame of a clip of one jump, by the rules at the top of this module.

    Parameters
    ----------
    tilt : ndarray, shape (N,)
        Trunk tilt in degrees, in the order of time; NaN where the trunk is not labelled.
    seconds : ndarray, shape (N,)
        Time of each frame, ascending.

    Returns
    -------
    list of str or None, length N
        None where the trunk is not labelled.
    """
    known = np.flatnonzero(np.isfinite(tilt))
    phases: list[str | None] = [None] * len(tilt)
    run = _longest_tilted_run(tilt, seconds, known)
    if run is None:
        for index in known:
            phases[index] = "approach"
        return phases
    start = run[0]
    for index in known:
        before = seconds[start] - seconds[index]
        if before > FLIGHT_SECONDS + TAKEOFF_SECONDS:
            phases[index] = "approach"
        elif before > FLIGHT_SECONDS:
            phases[index] = "takeoff"
        elif -before > LANDING_SECONDS:
            phases[index] = "landing"
        else:
            phases[index] = "arch" if index >= start and tilt[index] >= ARCH_TILT else "flight"
    return phases


def tilted_seconds(tilt: np.ndarray, seconds: np.ndarray) -> float:
    """Duration of the longest run of tilted frames of a clip; arguments as for ``phases_by_geometry``."""
    run = _longest_tilted_run(tilt, seconds, np.flatnonzero(np.isfinite(tilt)))
    return 0.0 if run is None else float(seconds[run[-1]] - seconds[run[0]])


def _longest_tilted_run(tilt: np.ndarray, seconds: np.ndarray, known: np.ndarray) -> list[int] | None:
    runs: list[list[int]] = []
    for index in known[tilt[known] >= ARCH_TILT]:
        if runs and (
            seconds[index] - seconds[runs[-1][-1]] <= BRIDGE_SECONDS
            or not np.any((known > runs[-1][-1]) & (known < index))
        ):
            runs[-1].append(int(index))
        else:
            runs.append([int(index)])
    return max(runs, key=len, default=None)


def assign_phases(dataset: Dataset) -> Dataset:
    """Give every frame its phase: the label, else the folder of a still, else geometry.

    Parameters
    ----------
    dataset : Dataset
        Clips differ by ``source`` and ``video``.

    Returns
    -------
    Dataset
        The same frames in the same order; notes say where the phases come from, which clips tell no time, which are
        probably slow motion, and how far the phases of stills go.

    Raises
    ------
    BadInputs
        If a label is not one of the phases.
    """
    _check_names((frame.file_name, frame.phase) for frame in dataset.frames if frame.phase is not None)
    phases: list[str | None] = [frame.phase or _folder_phase(frame) for frame in dataset.frames]
    labelled = sum(phase is not None for phase in phases)
    people = [athlete(frame) for frame in dataset.frames]
    count = len(dataset.skeleton)
    keypoints = np.array([np.full((count, 2), np.nan) if p is None else p.keypoints for p in people])
    keypoints = keypoints.reshape(len(people), count, 2)
    tilt = trunk_tilt(keypoints, dataset.skeleton)
    stills = [i for i, f in enumerate(dataset.frames) if f.video is None and phases[i] is None and np.isfinite(tilt[i])]
    arches = [i for i in stills if tilt[i] >= ARCH_TILT]
    for index in arches:
        phases[index] = "arch"
    untimed, slow = [], []
    for clip in _clips(dataset.frames):
        if all(phases[i] is not None for i in clip):
            continue
        frames = [dataset.frames[i] for i in clip]
        seconds, video = _seconds(frames), str(frames[0].video)
        if seconds is None:
            untimed.append(video)
            seconds = _frame_numbers(frames) / ASSUMED_FPS
        if (tilted := tilted_seconds(tilt[clip], seconds)) > SLOW_SECONDS:
            slow.append(f"{video} ({tilted:.1f} s)")
        found = phases_by_geometry(tilt[clip], seconds)
        for index, phase in zip(clip, found, strict=True):
            phases[index] = phases[index] or phase
    unknown = sum(phase is None for phase in phases)
    notes = [
        f"phases: {labelled} frames by label, {len(phases) - labelled - unknown} by geometry, "
        f"{unknown} unknown (no label, and no labelled trunk or an upright still)",
        *_notes(untimed, slow, len(arches), len(stills)),
    ]
    phased = tuple(replace(f, phase=p) for f, p in zip(dataset.frames, phases, strict=True))
    return replace(dataset, frames=phased, notes=(*dataset.notes, *notes))


def _notes(untimed: Sequence[str], slow: Sequence[str], arches: int, stills: int) -> list[str]:
    notes = []
    if untimed:
        notes.append(
            f"clips without times, assumed {ASSUMED_FPS:g} frames a second for their phases ({len(untimed)}): "
            + ", ".join(sorted(untimed))
        )
    if slow:
        notes.append(
            f"{WARNING}probably slow motion, as the trunk stays tilted for more than {SLOW_SECONDS:g} s, so that the "
            f"phases are wrong; label them in phases.csv ({len(slow)}): {', '.join(sorted(slow))}"
        )
    if stills:
        notes.append(
            f"phases of stills without a label: {arches} with a trunk at least {ARCH_TILT:g} degrees from upright are "
            f"called arch, about a third of the landings among them too, and {stills - arches} stay unknown; to decide "
            "it, put stills into folders named by phase, or name them in phases.csv"
        )
    return notes


def _clips(frames: Sequence[Frame]) -> list[list[int]]:
    clips: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, frame in enumerate(frames):
        if frame.video is not None:
            clips[frame.source or "", frame.video].append(index)
    return [sorted(clip, key=lambda i: (frames[i].frame or 0, frames[i].file_name)) for clip in clips.values()]


def _frame_numbers(frames: Sequence[Frame]) -> np.ndarray:
    if any(frame.frame is None for frame in frames):
        return np.arange(len(frames), dtype=float)
    return np.array([frame.frame for frame in frames], dtype=float)


def _seconds(frames: Sequence[Frame]) -> np.ndarray | None:
    """Time of each frame of a clip; of frames without one, by the rate of the others. None where these tell no rate."""
    times = np.array([np.nan if f.timestamp_ms is None else f.timestamp_ms for f in frames], dtype=float) / 1000.0
    known = np.isfinite(times)
    if known.all():
        return times
    if known.sum() < 2:
        return None
    numbers = _frame_numbers(frames)
    first, last = np.flatnonzero(known)[[0, -1]]
    passed = times[last] - times[first]
    if passed <= 0 or numbers[last] <= numbers[first]:
        return None
    step = passed / (numbers[last] - numbers[first])
    inside = np.interp(numbers, numbers[known], times[known])
    before, after = np.minimum(numbers - numbers[first], 0.0), np.maximum(numbers - numbers[last], 0.0)
    return np.where(known, times, inside + (before + after) * step)


def _folder_phase(frame: Frame) -> str | None:
    if frame.video is not None:
        return None
    folders = [part.lower() for part in _own_folders(frame)]
    return next((part for part in reversed(folders) if part in PHASES), None)


def _own_folders(frame: Frame) -> tuple[str, ...]:
    """Folders of a still below ``images/`` of its set: those above it are no one's label."""
    folders = PurePosixPath(frame.file_name).parts[:-1]
    for index, folder in enumerate(folders):
        if folder == "images" and (frame.source is None or folders[:index][-1:] == (frame.source,)):
            return folders[index + 1 :]
    return folders


def _check_names(labels: Iterable[tuple[str, str]]) -> None:
    wrong = [f"{where}: unknown phase '{phase}'" for where, phase in labels if phase not in PHASES]
    if wrong:
        raise BadInputs("phase labels", wrong, f"use one of {', '.join(PHASES)}")


def phases_from_tables(sets: Mapping[str, Dataset], source: Path) -> dict[str, Dataset]:
    """Label the frames of every set that has a ``phases.csv`` beside its labels; see `phases_from_csv`.

    Parameters
    ----------
    sets : mapping of str to Dataset
    source : Path
        Folder of the sets.

    Returns
    -------
    dict of str to Dataset

    Raises
    ------
    BadInput, BadInputs
        If a table is wrong.
    """
    tables = {name: source / name / "phases.csv" for name in sets}
    return {
        name: phases_from_csv(tables[name], dataset) if tables[name].is_file() else dataset
        for name, dataset in sets.items()
    }


def phases_from_csv(path: Path, dataset: Dataset) -> Dataset:
    """Label the frames of clips from a table of frame ranges, and stills by name.

    Parameters
    ----------
    path : Path
        CSV with the column ``phase`` and, for clips, ``video``, ``start`` and ``end``; for stills, ``image``; or all of
        them. Frames count from 0 and both ends belong to the range. ``video`` is the clip's file name, or its name
        without the suffix. ``image`` is the still's name below ``images/``, or its last part where no other still has
        it. A row that names an image labels that still, any other a range.
    dataset : Dataset
        A frame that has a phase keeps it.

    Returns
    -------
    Dataset

    Raises
    ------
    BadInput
        If the file cannot be read or lacks a column.
    BadInputs
        Every row with an unknown phase, clip or still, no whole number, an end before its start, an overlap, or a
        still that another row names.
    """
    rows = _table(path)
    videos: dict[str, str] = {}
    for video in sorted({frame.video for frame in dataset.frames if frame.video}):
        name = PurePosixPath(video).name
        videos.update({video: video, name: video, PurePosixPath(name).stem: video})
    stills = _stills_by_name(dataset.frames)
    ranges: dict[str, list[tuple[int, int, str, int]]] = defaultdict(list)
    named: dict[str, tuple[str, int]] = {}
    problems = []
    for line, row in rows:
        phase, image = row["phase"].lower(), row.get("image", "")
        if phase not in PHASES:
            problems.append(f"line {line}: unknown phase '{row['phase']}', use one of {', '.join(PHASES)}")
        if image:
            files = stills.get(image, [])
            if len(files) != 1:
                problems.append(f"line {line}: {len(files) or 'no'} labelled stills have the name '{image}'")
            elif files[0] in named:
                problems.append(f"lines {named[files[0]][1]} and {line} name the still '{image}'")
            else:
                named[files[0]] = phase, line
            continue
        clip = videos.get(row.get("video", ""))
        try:
            start, end = int(row.get("start", "")), int(row.get("end", ""))
        except ValueError:
            problems.append(f"line {line}: start and end must be whole numbers")
            continue
        if clip is None:
            problems.append(f"line {line}: no labelled frame belongs to the clip '{row.get('video', '')}'")
        if start > end or start < 0:
            problems.append(f"line {line}: frames {start} to {end} are no range")
        elif clip is not None:
            ranges[clip].append((start, end, phase, line))
    for video in sorted(ranges):
        ranges[video].sort()
        for before, after in pairwise(ranges[video]):
            if after[0] <= before[1]:
                problems.append(f"lines {before[3]} and {after[3]}: ranges of '{video}' overlap")
    if problems:
        raise BadInputs(path, problems, "correct these lines")

    def phase_of(frame: Frame) -> str | None:
        if frame.phase:
            return frame.phase
        if frame.video is None:
            return named[frame.file_name][0] if frame.file_name in named else None
        if frame.frame is None:
            return None
        return next((p for start, end, p, _ in ranges.get(frame.video, ()) if start <= frame.frame <= end), None)

    return replace(dataset, frames=tuple(replace(frame, phase=phase_of(frame)) for frame in dataset.frames))


def _table(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Rows of a table of phases with the number of their lines; cells are stripped, those that are absent empty."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(path, "cannot be read as text", "save it as CSV in UTF-8") from error
    delimiter = ";" if ";" in text.split("\n", 1)[0] else ","
    rows = csv.DictReader(text.splitlines(), delimiter=delimiter, skipinitialspace=True)
    columns = rows.fieldnames or ()
    needed = ("image", "phase") if "image" in columns and "video" not in columns else CLIP_COLUMNS
    if missing := [name for name in needed if name not in columns]:
        hint = f"give it the columns {', '.join(CLIP_COLUMNS)} for clips, or image, phase for stills"
        raise BadInput(path, f"lacks the column {', '.join(missing)}", hint)
    return [(rows.line_num, {name: (row[name] or "").strip() for name in columns}) for row in rows]


def _stills_by_name(frames: Sequence[Frame]) -> dict[str, list[str]]:
    """File names of the stills by their names below ``images/``, and by the last part of these."""
    stills: dict[str, list[str]] = defaultdict(list)
    for frame in frames:
        if frame.video is None:
            last = PurePosixPath(frame.file_name).name
            for name in dict.fromkeys(("/".join((*_own_folders(frame), last)), last)):
                stills[name].append(frame.file_name)
    return stills
