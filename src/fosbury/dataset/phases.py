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
motion, of low jumps, and of clips that begin in the air.

One still has no before and after: a trunk at least 60 degrees from upright is ``arch``, any other ``approach``,
which then means no more than an upright athlete. Without a labelled trunk the phase stays unknown (None).
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path, PurePosixPath

import numpy as np

from fosbury.errors import BadInput, BadInputs
from fosbury.pose import PHASES, Dataset, Frame, Person, trunk_tilt

ARCH_TILT = 60.0
BRIDGE_SECONDS = 0.1
FLIGHT_SECONDS = 0.33
TAKEOFF_SECONDS = 0.18
LANDING_SECONDS = 0.54
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
        Clips are told apart by ``source`` and ``video``.

    Returns
    -------
    Dataset
        The same frames in the same order; notes say where the phases come from, and which clips tell no time.

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
    untimed = []
    for clip in _clips(dataset.frames):
        frames = [dataset.frames[i] for i in clip]
        seconds = _seconds(frames)
        if seconds is None:
            untimed += [video] if (video := frames[0].video) and any(phases[i] is None for i in clip) else []
            seconds = _frame_numbers(frames) / ASSUMED_FPS
        found = phases_by_geometry(tilt[clip], seconds)
        for index, phase in zip(clip, found, strict=True):
            phases[index] = phases[index] or phase
    unknown = sum(phase is None for phase in phases)
    note = (
        f"phases: {labelled} frames by label, {len(phases) - labelled - unknown} by geometry, "
        f"{unknown} unknown (no label, no labelled trunk)"
    )
    notes = [note]
    if untimed:
        notes.append(
            f"clips without times, assumed {ASSUMED_FPS:g} frames a second for their phases ({len(untimed)}): "
            + ", ".join(sorted(untimed))
        )
    phased = tuple(replace(f, phase=p) for f, p in zip(dataset.frames, phases, strict=True))
    return replace(dataset, frames=phased, notes=(*dataset.notes, *notes))


def _clips(frames: Sequence[Frame]) -> list[list[int]]:
    clips: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for index, frame in enumerate(frames):
        still = frame.video is None
        clips[("still", str(index)) if still else ("clip", frame.source or "", frame.video or "")].append(index)
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


def _check_names(labels) -> None:
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
    """Label the frames of clips from a table of frame ranges.

    Parameters
    ----------
    path : Path
        CSV with the columns ``video``, ``start``, ``end``, ``phase``. Frames count from 0 and both ends belong
        to the range. ``video`` is the clip's file name, or its name without the suffix.
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
        Every row with an unknown phase or clip, no whole number, an end before its start, or an overlap.
    """
    columns = ("video", "start", "end", "phase")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(path, "cannot be read as text", "save it as CSV in UTF-8") from error
    delimiter = ";" if ";" in text.split("\n", 1)[0] else ","
    rows = csv.DictReader(text.splitlines(), delimiter=delimiter, skipinitialspace=True)
    if missing := [name for name in columns if name not in (rows.fieldnames or ())]:
        raise BadInput(path, f"lacks the column {', '.join(missing)}", f"give it the columns {', '.join(columns)}")
    videos: dict[str, str] = {}
    for video in sorted({frame.video for frame in dataset.frames if frame.video}):
        name = PurePosixPath(video).name
        videos.update({video: video, name: video, PurePosixPath(name).stem: video})
    ranges: dict[str, list[tuple[int, int, str, int]]] = defaultdict(list)
    problems = []
    for row in rows:
        line, phase = rows.line_num, (row["phase"] or "").strip().lower()
        video = videos.get((row["video"] or "").strip())
        try:
            start, end = int(row["start"]), int(row["end"])
        except (TypeError, ValueError):
            problems.append(f"line {line}: start and end must be whole numbers")
            continue
        if phase not in PHASES:
            problems.append(f"line {line}: unknown phase '{row['phase']}', use one of {', '.join(PHASES)}")
        if video is None:
            problems.append(f"line {line}: no labelled frame belongs to the clip '{row['video']}'")
        if start > end or start < 0:
            problems.append(f"line {line}: frames {start} to {end} are no range")
        elif video is not None:
            ranges[video].append((start, end, phase, line))
    for video in sorted(ranges):
        ranges[video].sort()
        for before, after in pairwise(ranges[video]):
            if after[0] <= before[1]:
                problems.append(f"lines {before[3]} and {after[3]}: ranges of '{video}' overlap")
    if problems:
        raise BadInputs(path, problems, "correct these lines")

    def phase_of(frame: Frame) -> str | None:
        if frame.phase or frame.video is None or frame.frame is None:
            return frame.phase
        return next((p for start, end, p, _ in ranges.get(frame.video, ()) if start <= frame.frame <= end), None)

    return replace(dataset, frames=tuple(replace(frame, phase=phase_of(frame)) for frame in dataset.frames))
