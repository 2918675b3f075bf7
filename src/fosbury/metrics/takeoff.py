"""When the athlete left the ground, as the joints tell it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from fosbury.pose import Dataset, midpoint
from fosbury.skeleton import Skeleton, normalise

WINDOW = 0.8  # seconds up to the arch in which the ground is left: contact and rise take about 0.5
ASSUMED_FPS = 25.0  # of clips whose frames have no times


def reach(keypoints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """How far the shoulders stand above the lower ankle, in pixels: most when the foot leaves the ground.

    At toe-off the body is stretched and still upright; before it a knee is bent, after it the trunk tilts.

    Parameters
    ----------
    keypoints : ndarray, shape (N, K, 2)
        NaN where absent.
    skeleton : Skeleton

    Returns
    -------
    ndarray, shape (N,)
        NaN without a shoulder or an ankle.
    """
    ankles = [index for index, name in enumerate(skeleton.joints) if normalise(name).endswith("ankle")]
    low = np.fmax.reduce(keypoints[:, ankles, 1], axis=1, initial=np.nan)
    return low - midpoint(keypoints, skeleton.trunk[0])[:, 1]


def takeoff(
    predicted: np.ndarray, labels: np.ndarray, owner: np.ndarray, dataset: Dataset
) -> dict[str, float | int] | None:
    """How many frames the take-off that the joints tell is away from the labelled one.

    Of a clip counts the time from ``WINDOW`` before its first frame of the arch up to that. The take-off is the frame
    of the largest `reach` among these, and should be the last one of the phase ``takeoff``.

    Parameters
    ----------
    predicted, labels : ndarray, shape (P, K, 2)
        Joints of every labelled person in pixels; NaN where absent.
    owner : ndarray of int, shape (P,)
        Frame of each person; frames with one labelled person count.
    dataset : Dataset

    Returns
    -------
    dict or None
        Over ``clips``: ``predicted`` and ``labelled``, the mean distance in frames of the clip by predicted joints and
        by the labels' own (what the rule itself is off by); ``predicted_within`` and ``labelled_within``, the share of
        clips no further away than the next frame that is labelled; ``step``, frames from one to the next of these, at
        most. A clip in which no joint tells counts as not within, and ``predicted_lost`` is how many there are. None
        where no clip has a take-off and an arch.
    """
    person = np.full(len(dataset), -1)
    alone = np.flatnonzero(np.bincount(owner, minlength=len(dataset))[owner] == 1)
    person[owner[alone]] = alone
    heights = {"predicted": reach(predicted, dataset.skeleton), "labelled": reach(labels, dataset.skeleton)}
    off: dict[str, list[float]] = {name: [] for name in heights}
    steps = []
    for frames, number, truth in _jumps(dataset, person):
        steps.append(int(np.diff(number).max(initial=0)))
        for name, height in heights.items():
            own = height[person[frames]]
            told = np.isfinite(own).any()
            off[name].append(abs(number[np.nanargmax(own)] - truth) if told else np.nan)
    if not steps:
        return None
    found: dict[str, float | int] = {"clips": len(steps), "step": max(steps)}
    for name, values in off.items():
        away = np.array(values, dtype=float)
        if np.isfinite(away).any():
            found[name] = float(np.nanmean(away))
        found[f"{name}_within"] = float(np.mean(away <= steps))
        found[f"{name}_lost"] = int(np.count_nonzero(np.isnan(away)))
    return found


def _jumps(dataset: Dataset, person: np.ndarray) -> Iterator[tuple[list[int], np.ndarray, int]]:
    """Of every clip with a labelled take-off before an arch: frames around it, their numbers, that of the take-off."""
    clips: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, frame in enumerate(dataset.frames):
        if frame.video is not None and frame.frame is not None and person[index] >= 0:
            clips[frame.source or "", frame.video].append(index)
    for _, clip in sorted(clips.items()):
        clip.sort(key=lambda index: dataset.frames[index].frame or 0)
        phases = [dataset.frames[index].phase for index in clip]
        if "arch" not in phases or "takeoff" not in phases[: phases.index("arch")]:
            continue
        arch = phases.index("arch")
        seconds = [_seconds(dataset, index) for index in clip]
        near = [clip[at] for at in range(arch + 1) if seconds[at] >= seconds[arch] - WINDOW]
        number = np.array([dataset.frames[index].frame for index in near])
        last = max(at for at in range(arch) if phases[at] == "takeoff")
        if clip[last] in near:
            yield near, number, int(dataset.frames[clip[last]].frame or 0)


def _seconds(dataset: Dataset, index: int) -> float:
    frame = dataset.frames[index]
    return (frame.frame or 0) / ASSUMED_FPS if frame.timestamp_ms is None else frame.timestamp_ms / 1000.0
