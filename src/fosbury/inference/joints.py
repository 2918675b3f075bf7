"""Predicted joints of one skeleton in the order of another, by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fosbury.pose import Pose
from fosbury.skeleton import Skeleton


def poses_in(poses: Sequence[Pose], source: Skeleton, target: Skeleton) -> list[Pose]:
    """Reorder predicted joints, by name, to another skeleton.

    Parameters
    ----------
    poses : sequence of Pose
        In the joints of ``source``.
    source, target : Skeleton

    Returns
    -------
    list of Pose
        In the joints of ``target``: NaN with confidence 0 where ``source`` has no such joint.
    """
    place = target.match(source.joints)
    absent = place < 0
    return [
        replace(
            pose,
            keypoints=np.where(absent[:, None], np.nan, pose.keypoints[place]),
            confidence=np.where(absent, 0.0, pose.confidence[place]),
            doubt=None if pose.doubt is None else np.where(absent, np.nan, pose.doubt[place]),
        )
        for pose in poses
    ]
