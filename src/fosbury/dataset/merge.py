"""Several labelled sets become one data set in which no two things share a name by accident."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np

from fosbury.errors import BadInput, BadInputs
from fosbury.pose import Dataset, Frame
from fosbury.skeleton import Skeleton


def same_skeleton(first: Skeleton, second: Skeleton) -> bool:
    """Tell whether two skeletons have the same joints in the same order, with the same pairs and sigmas."""
    return (
        first.joints == second.joints
        and set(first.pairs) == set(second.pairs)
        and bool(np.allclose(first.sigmas, second.sigmas))
    )


def merge(datasets: Mapping[str, Dataset]) -> Dataset:
    """Merge labelled sets of one skeleton.

    Every frame gets its set's name as ``source``. Videos are prefixed with it, so that ``clip.mp4`` of two sets stays
    two clips, and groups that merely repeat the video's name, with or without suffix, are dropped. A group that a
    person named is kept: an athlete who appears in two sets under one name is one group, which a split must not part.

    Parameters
    ----------
    datasets : mapping of str to Dataset
        Name of each set and its frames. The order does not matter.

    Returns
    -------
    Dataset
        Frames in the order of set name, video, frame index, file name; notes prefixed with the set's name.

    Raises
    ------
    BadInput
        If there is nothing to merge or the skeletons differ.
    BadInputs
        If one file is labelled twice.
    """
    names = sorted(datasets)
    if not names:
        raise BadInput("data.source", "holds no labelled set", "import one with 'fosbury import'")
    skeleton = datasets[names[0]].skeleton
    frames: list[Frame] = []
    notes: list[str] = []
    for name in names:
        other = datasets[name].skeleton
        if not same_skeleton(skeleton, other):
            raise BadInput(
                name,
                f"has another skeleton ({other.name}, {len(other)} joints) than {names[0]} "
                f"({skeleton.name}, {len(skeleton)} joints)",
                "read both sets with one skeleton",
            )
        renamed = (_named(frame, name) for frame in datasets[name].frames)
        frames += sorted(renamed, key=order)
        notes += [f"{name}: {note}" for note in datasets[name].notes]
    owner: dict[str, str] = {}
    twice = []
    for frame in frames:
        if frame.file_name in owner:
            twice.append(f"{frame.file_name} is labelled in {owner[frame.file_name]} and again in {frame.source}")
        owner[frame.file_name] = str(frame.source)
    if twice:
        raise BadInputs("data.source", twice, "keep one of the two labels")
    return Dataset(skeleton, tuple(frames), tuple(notes))


def order(frame: Frame) -> tuple[str, int, str]:
    """Sorting key of frames: video, index in it, file name."""
    return frame.video or "", -1 if frame.frame is None else frame.frame, frame.file_name


def _named(frame: Frame, name: str) -> Frame:
    if not frame.video:
        return replace(frame, source=name)
    clip = PurePosixPath(frame.video)
    named_after_clip = frame.group in (frame.video, str(clip.with_suffix("")), clip.name, clip.stem)
    return replace(frame, source=name, video=f"{name}/{frame.video}", group=None if named_after_clip else frame.group)
