"""Bones for labels whose file names joints alone, as most tools export them."""

from __future__ import annotations

from dataclasses import replace

from fosbury.config import nearest_skeleton
from fosbury.errors import BadInput
from fosbury.skeleton import Skeleton


def with_bones(skeleton: Skeleton) -> Skeleton:
    """Give a skeleton without bones those of the nearest one of conf/skeleton, between joints of the same names.

    Outside a repository, and where no bone fits, it stays as it is.
    """
    if skeleton.bones:
        return skeleton
    try:
        known, _ = nearest_skeleton(skeleton.joints)
    except BadInput:
        return skeleton
    place = known.match(skeleton.joints)
    at = [(int(place[start]), int(place[end])) for start, end in known.bones]
    return replace(skeleton, bones=tuple(bone for bone in at if min(bone) >= 0))
