"""Clusters: what an interval is over, since frames of one clip err alike."""

from __future__ import annotations

import numpy as np

from fosbury.metrics.intervals import FEW, WIDTH
from fosbury.pose import Dataset


def clusters(dataset: Dataset, frame: np.ndarray, phase: np.ndarray, focus: str) -> tuple[np.ndarray, list[str]]:
    """Give each row the number of its cluster: its clip, group or picture; its frame where all are of one clip.

    Parameters
    ----------
    dataset : Dataset
    frame : ndarray of int, shape (N,)
        Index of the frame of each row.
    phase : ndarray of str, shape (N,)
    focus : str
        The phase of interest.

    Returns
    -------
    cluster : ndarray of int, shape (N,)
    notes : list of str
        What is to be said of an interval over so few.
    """
    if not len(frame):
        return np.zeros(0, dtype=int), []
    names, cluster = np.unique([dataset.frames[index].unit for index in frame.tolist()], return_inverse=True)
    if len(names) == 1:
        frames, cluster = np.unique(frame, return_inverse=True)
        said = "they say nothing of another clip, and are too narrow where frames follow each other"
        return cluster, [f"intervals are over the {len(frames)} frames of one clip: {said}"] if len(frames) > 1 else []
    for count, where in ((len(names), ""), (len(np.unique(cluster[phase == focus])), f" of the {focus}")):
        if 0 < count < FEW:
            return cluster, [f"intervals{where} are over {count} clips, which are few: {WIDTH}"]
    return cluster, []
