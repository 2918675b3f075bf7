"""Bones and limbs for labels whose file names joints alone, as most tools export them."""

from __future__ import annotations

from dataclasses import replace

from fosbury.config import nearest_skeleton
from fosbury.errors import BadInput
from fosbury.skeleton import Limb, Skeleton


def with_bones(skeleton: Skeleton) -> Skeleton:
    """Give a skeleton what it lacks of bones and limbs, from the nearest of conf/skeleton, by the joints' names.

    Outside a repository, and where no bone fits, it stays as it is.
    """
    if skeleton.bones and skeleton.limbs:
        return skeleton
    try:
        known, _ = nearest_skeleton(skeleton.joints)
    except BadInput:
        return skeleton
    place = known.match(skeleton.joints)
    bones = [(int(place[start]), int(place[end])) for start, end in known.bones]
    limbs = [Limb(int(place[limb.start]), int(place[limb.end]), limb.share) for limb in known.limbs]
    return replace(
        skeleton,
        bones=skeleton.bones or tuple(bone for bone in bones if min(bone) >= 0),
        limbs=skeleton.limbs or tuple(limb for limb in limbs if min(limb.start, limb.end) >= 0),
    )
