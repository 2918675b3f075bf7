"""Categories of a COCO file: whose joints they name, and how these meet a skeleton."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fosbury.errors import BadInputs
from fosbury.formats.coco.findings import Findings, is_id
from fosbury.skeleton import Skeleton, normalise

DEFAULT_SIGMA = 0.05
"""OKS sigma of every joint of a skeleton that is made from a file; COCO's range from 0.025 to 0.107."""
MANY_JOINTS = 8
"""So many shared joints are a body's, of whatever share of a skeleton with many more joints."""
MIN_SHARED_JOINTS = 0.5
"""Share of the skeleton's joints that a category must name to be taken for the same kind of being."""


@dataclass(frozen=True)
class Category:
    """What a category of the file names; without joints where it cannot be used."""

    name: str
    joints: tuple[str, ...]
    bones: tuple[tuple[int, int], ...]


def read_categories(entries: list, found: Findings) -> dict[Any, Category]:
    """Categories by id; what is wrong with one is noted, and it names no joints then."""
    categories: dict[Any, Category] = {}
    for position, entry in enumerate(entries):
        if not isinstance(entry, dict) or not is_id(entry.get("id")):
            found.problem(f"category at position {position} has no id")
            continue
        name = str(entry.get("name", entry["id"]))
        joints = entry.get("keypoints") or ()
        if entry["id"] in categories:
            found.problem(f"category '{name}' has id {entry['id']}, which is taken")
            continue
        if not isinstance(joints, list | tuple) or not all(isinstance(j, str) and j.strip() for j in joints):
            found.problem(f"category '{name}' has joints that are not names")
            joints = ()
        if len({normalise(joint) for joint in joints}) != len(joints):
            found.problem(f"category '{name}' names a joint twice")
            joints = ()
        categories[entry["id"]] = Category(name, tuple(joints), _bones(entry.get("skeleton"), len(joints)))
    return categories


def _bones(entries: Any, count: int) -> tuple[tuple[int, int], ...]:
    """Bones as pairs of indices from 0; COCO counts from 1, some tools from 0; anything else gives none."""
    if not isinstance(entries, list):
        return ()
    pairs = [tuple(e) for e in entries if isinstance(e, list) and len(e) == 2 and all(type(i) is int for i in e)]
    ends = [end for pair in pairs for end in pair]
    first = 0 if 0 in ends else 1
    if not ends or min(ends) < first or max(ends) >= count + first:
        return ()
    return tuple((a - first, b - first) for a, b in pairs)


def file_skeleton(
    path: Path, categories: Mapping[Any, Category], records: Sequence[Mapping[str, Any]], found: Findings
) -> Skeleton:
    """Return the joints of the category with the most annotations, and those of categories that share half of them."""
    jointed = {key: category for key, category in categories.items() if category.joints}
    if not jointed:
        raise BadInputs(
            path,
            [*found.problems, "no category names its joints ('keypoints'): these are COCO labels of boxes or masks"],
            "label with a skeleton and export as 'COCO Keypoints', not as 'COCO'",
        )
    uses = dict.fromkeys(jointed, 0)
    for record in records:
        category = record.get("category_id")
        if is_id(category) and category in uses:
            uses[category] += 1
    main = max(uses, key=uses.__getitem__)
    joints = list(jointed[main].joints)
    known = {normalise(joint) for joint in joints}
    for category in jointed.values():
        names = {normalise(joint) for joint in category.joints}
        if len(names & known) >= MIN_SHARED_JOINTS * len(jointed[main].joints):
            joints += [joint for joint in category.joints if normalise(joint) not in known]
            known |= names
    return skeleton_of(jointed[main].name, joints, jointed[main].bones)


def skeleton_of(name: str, joints: Sequence[str], bones: Iterable[tuple[int, int]] = ()) -> Skeleton:
    """Make a skeleton from joint names alone.

    Left and right pairs, shoulders and hips are found by name; every sigma is ``DEFAULT_SIGMA``; there are no limbs.

    Examples
    --------
    >>> skeleton_of("legs", ["Left Hip", "Right Hip", "nose"]).flip_index.tolist()
    [1, 0, 2]
    """
    place = {normalise(joint): joint for joint in joints}

    def other_side(joint: str) -> str | None:
        key = normalise(joint)
        if "left" in key:
            return place.get(key.replace("left", "right"))
        lowered = joint.strip().lower()
        return place.get("r" + key[1:]) if lowered.startswith(("l_", "l-", "l ")) else None

    def both(part: str) -> list[str]:
        sides = [place.get(normalise(side + part)) for side in ("left", "right")]
        return [side for side in sides if side]

    joints = list(joints)
    return Skeleton.from_mapping(
        {
            "name": name,
            "joints": joints,
            "sigmas": dict.fromkeys(joints, DEFAULT_SIGMA),
            "pairs": [(joint, other) for joint in joints if (other := other_side(joint))],
            "bones": [(joints[a], joints[b]) for a, b in bones],
            "trunk": {"shoulders": both("shoulder"), "hips": both("hip")},
        },
        where=name,
    )


def joint_indices(
    path: Path, skeleton: Skeleton, categories: Mapping[Any, Category], found: Findings
) -> dict[Any, np.ndarray]:
    """For each category of the skeleton's kind: where each of its joints goes, -1 for nowhere."""
    indices: dict[Any, np.ndarray] = {}
    best, best_share = "", 0.0
    for key, category in categories.items():
        places = skeleton.match(category.joints)
        shared = int((places >= 0).sum())
        share = shared / (min(len(skeleton), len(category.joints)) if shared >= MANY_JOINTS else len(skeleton))
        if share >= best_share and category.joints:
            best, best_share = category.name, share
        if not category.joints or share < MIN_SHARED_JOINTS:
            continue
        into = np.full(len(category.joints), -1)
        into[places[places >= 0]] = np.flatnonzero(places >= 0)
        indices[key] = into
        for joint, place in zip(category.joints, into, strict=True):
            if place < 0:
                found.note("joints that the skeleton lacks, left out", f"{joint} of '{category.name}'")
        for joint, place in zip(skeleton.joints, places, strict=True):
            if place < 0:
                found.note("joints that the file lacks, taken as not labelled", f"{joint} in '{category.name}'")
    if not indices:
        missing = [
            j
            for j in skeleton.joints
            if not any(normalise(j) == normalise(n) for c in categories.values() for n in c.joints)
        ]
        nearest = f"its category '{best}' names" if best else "it names"
        raise BadInputs(
            path,
            [
                *found.problems,
                f"{nearest} {round(best_share * len(skeleton))} of the {len(skeleton)} joints of skeleton "
                f"'{skeleton.name}'; missing: {', '.join(missing)}",
            ],
            "choose the skeleton that the labels have, or rename the joints",
        )
    return indices
