"""When the athlete left the ground, as the joints tell it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from fosbury.pose import Dataset, midpoint
from fosbury.skeleton import Skeleton, normalise

WINDOW = 0.8  # seconds up to the arch in which the ground is left: contact and rise take about 0.5
ASSUMED_FPS = 25.0  # of clips with a frame without time


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
    ankles = [index for index, name in enumerate(skeleton.joints) if "ankle" in normalise(name)]
    low = np.fmax.reduce(keypoints[:, ankles, 1], axis=1, initial=np.nan)
    return low - midpoint(keypoints, skeleton.trunk[0])[:, 1]


def takeoff(
    predicted: np.ndarray, labels: np.ndarray, owner: np.ndarray, dataset: Dataset
) -> dict[str, float | int] | None:
    """How many frames the take-off that the joints tell is away from the last frame of the phase ``takeoff``.

    Of a clip counts the time from ``WINDOW`` before its first frame of the arch, or from the phase ``takeoff`` if that
    begins earlier, up to the arch; the frame of the largest `reach` in it is the take-off. Of phases that nobody
    labelled geometry put that frame a fixed time before the arch, and then this is what is measured.

    Parameters
    ----------
    predicted, labels : ndarray, shape (P, K, 2)
        Joints of every labelled person in pixels; NaN where absent.
    owner : ndarray of int, shape (P,)
        Frame of each person; a frame with several labelled people tells nothing.
    dataset : Dataset

    Returns
    -------
    dict or None
        Over ``clips``, those whose labelled joints tell of the last frame of the take-off: ``predicted`` and
        ``labelled``, the mean distance in frames of the clip by predicted joints and by the labels' own (what the rule
        itself is off by); ``predicted_within`` and ``labelled_within``, the share of clips in which it is that frame
        or a neighbour of it in the data set. A clip in which no predicted joint tells is not within, in no mean, and
        counted by ``lost``. None where there is no such clip.
    """
    heights = np.full((2, len(dataset)), np.nan)
    alone = np.bincount(owner, minlength=len(dataset))[owner] == 1
    for height, points in zip(heights, (predicted, labels), strict=True):
        height[owner[alone]] = reach(points[alone], dataset.skeleton)
    off, places = [], []
    for clip, truth in _jumps(dataset):
        own = heights[:, clip]
        if np.isfinite(own[1, truth]):
            judged = [np.nanargmax(each) if np.isfinite(each).any() else -1 for each in own]
            number = np.array([dataset.frames[index].frame for index in clip])
            off.append([abs(number[at] - number[truth]) if at >= 0 else np.nan for at in judged])
            places.append([abs(at - truth) if at >= 0 else np.inf for at in judged])
    if not off:
        return None
    away, within = np.array(off, dtype=float), np.array(places) <= 1
    found: dict[str, float | int] = {"clips": len(off)}
    for column, name in enumerate(("predicted", "labelled")):
        judged = np.isfinite(away[:, column])
        if judged.any():
            found[name] = float(away[judged, column].mean())
        found[f"{name}_within"] = float(within[:, column].mean())
    return found | {"lost": int(np.count_nonzero(np.isnan(away[:, 0])))}


def _jumps(dataset: Dataset) -> Iterator[tuple[list[int], int]]:
    """Of every clip with a take-off before an arch: the frames that count, and the place of the take-off in these."""
    clips: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, frame in enumerate(dataset.frames):
        if frame.video is not None and frame.frame is not None:
            clips[frame.source or "", frame.video].append(index)
    for _, clip in sorted(clips.items()):
        clip.sort(key=lambda index: dataset.frames[index].frame or 0)
        frames = [dataset.frames[index] for index in clip]
        phases = [frame.phase for frame in frames]
        if "arch" not in phases or "takeoff" not in phases[: phases.index("arch")]:
            continue
        arch = phases.index("arch")
        on_ground = [at for at in range(arch) if phases[at] == "takeoff"]
        timed = all(frame.timestamp_ms is not None for frame in frames)
        seconds = [(f.timestamp_ms or 0) / 1000 if timed else (f.frame or 0) / ASSUMED_FPS for f in frames]
        near = [at for at in range(arch + 1) if at >= on_ground[0] or seconds[at] >= seconds[arch] - WINDOW]
        yield [clip[at] for at in near], near.index(on_ground[-1])
