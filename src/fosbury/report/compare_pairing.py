"""Which test frames runs have in common: the same pictures, labelled alike, that none of them was trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fosbury.errors import BadInput
from fosbury.pose import Dataset, Frame
from fosbury.report.compare_sides import Run

SHOWN = 3  # frames named in a message


def pair(runs: Sequence[Run], common: bool) -> tuple[Dataset, list[str]]:
    """Find the test frames on which runs can be compared.

    Parameters
    ----------
    runs : sequence of Run
    common : bool
        Leave out the frames that differ or that one was trained on, instead of refusing.

    Returns
    -------
    test : Dataset
        Frames of the first run.
    notes : list of str

    Raises
    ------
    BadInput
        If the runs have different joints; if their frames or labels differ, or a run was trained on a test frame's clip
        or group, and ``common`` is not given; if no frame is left.
    """
    first = runs[0]
    for run in runs[1:]:
        if run.test.skeleton.joints != first.test.skeleton.joints:
            raise BadInput(run.name, f"has other joints than {first.name}", "compare runs of one skeleton")
    notes = list(dict.fromkeys(note for run in runs for note in run.training.notes))
    shared = _shared(runs, common)
    if len(shared) < max(len(run.test) for run in runs):
        notes.append(f"compared on the {len(shared)} frames that all were tested on, of {len(first.test)}")
    for run in runs:
        seen = {
            frame.file_name for frame in first.test.frames if frame.file_name in shared and run.training.holds(frame)
        }
        if seen and not common:
            problem = f"was trained on clips or groups of {len(seen)} test frames ({_some(seen)})"
            raise BadInput(run.name, problem, "give '--common' to leave these out")
        shared -= seen
        if seen:
            notes.append(f"left out, since {run.name} was trained on their clips or groups: {len(seen)} frames")
    if not shared:
        raise BadInput(first.name, "shares no test frame with the others", "test them on the same frames")
    return first.test.where([frame.file_name in shared for frame in first.test.frames]), notes


def _shared(runs: Sequence[Run], common: bool) -> set[str]:
    """Names of the frames that all runs have and label alike."""
    first, *others = [{frame.file_name: frame for frame in run.test.frames} for run in runs]
    shared = set(first)
    for run, frames in zip(runs[1:], others, strict=True):
        both = first.keys() & frames.keys()
        unlike = {name: _unlike(first[name], frames[name]) for name in both}
        alike = {name for name, parts in unlike.items() if not parts}
        if not common and len(alike) < max(len(first), len(frames)):
            if len(both) < max(len(first), len(frames)):
                problem = f"was tested on other frames ({len(first)} and {len(frames)}, {len(both)} of them common)"
            else:
                parts = sorted({part for found in unlike.values() for part in found})
                problem = f"was tested on other labels ({', '.join(parts)} of {len(both) - len(alike)} frames differ)"
            hint = f"give '--common' to compare on {len(alike)} frames" if alike else "test them on the same labels"
            raise BadInput(run.name, problem, hint)
        shared &= alike
    return shared


def _unlike(a: Frame, b: Frame) -> set[str]:
    """Name what two labellings of one frame differ in, of all that decides how it is measured and grouped."""
    found = {"the size"} if (a.width, a.height) != (b.width, b.height) else set()
    found |= {"the clip or group"} if a.unit != b.unit else set()
    found |= {"the phase"} if a.phase != b.phase else set()
    found |= {"the stature"} if a.stature_mm != b.stature_mm else set()
    if len(a.people) != len(b.people):
        return found | {"the number of people"}
    for one, other in zip(a.people, b.people, strict=True):
        same = np.array_equal(one.visibility, other.visibility)
        same = same and np.array_equal(one.keypoints.round(3), other.keypoints.round(3), equal_nan=True)
        found |= set() if same else {"the joints"}
        found |= set() if np.array_equal(one.box.round(3), other.box.round(3)) else {"the box"}
        found |= set() if round(one.area, 3) == round(other.area, 3) else {"the area"}
    return found


def _some(names: set[str]) -> str:
    """Return the first few of many names."""
    shown = ", ".join(sorted(names)[:SHOWN])
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN} more"
