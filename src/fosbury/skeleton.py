"""Joints, bones, sides and sigmas: what a pose is made of, apart from any picture."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fosbury.errors import BadInput


def normalise(name: str) -> str:
    """Return a joint name without the case, spaces, ``_`` and ``-`` in which labelling tools differ.

    Examples
    --------
    >>> normalise("Left Shoulder") == normalise("left_shoulder") == normalise("LEFT-shoulder")
    True
    """
    return re.sub(r"[\s_\-]+", "", name).lower()


@dataclass(frozen=True)
class Limb:
    """A segment between two joints (indices) whose length is ``share`` of the athlete's stature."""

    start: int
    end: int
    share: float


@dataclass(frozen=True, eq=False)
class Skeleton:
    """Ordered joints with everything that depends on them.

    Attributes
    ----------
    name : str
        Short name, as in ``conf/skeleton``.
    joints : tuple of str
        K joint names, in the order of every array of keypoints.
    bones : tuple of (int, int)
        Pairs of joints that are drawn as a line.
    pairs : tuple of (int, int)
        (left, right) pairs of joints.
    sigmas : ndarray, shape (K,)
        OKS sigmas as in COCO: a joint's standard deviation in units of the square root of the area.
    shoulders, hips : tuple of int
        The joints whose midpoints end the trunk; empty where the skeleton has none.
    limbs : tuple of Limb
        Segments with their share of stature (Winter, *Biomechanics and Motor Control of Human Movement*).
    """

    name: str
    joints: tuple[str, ...]
    bones: tuple[tuple[int, int], ...]
    pairs: tuple[tuple[int, int], ...]
    sigmas: np.ndarray
    shoulders: tuple[int, ...]
    hips: tuple[int, ...]
    limbs: tuple[Limb, ...]

    def __len__(self) -> int:
        return len(self.joints)

    @property
    def flip_index(self) -> np.ndarray:
        """Indices, shape (K,), that swap left and right; an involution."""
        index = np.arange(len(self.joints))
        for left, right in self.pairs:
            index[left], index[right] = right, left
        return index

    @property
    def trunk(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Shoulder indices and hip indices."""
        return self.shoulders, self.hips

    def match(self, names: Sequence[str]) -> np.ndarray:
        """Find each joint of this skeleton in ``names``.

        Parameters
        ----------
        names : sequence of str
            Joint names as a file has them; case, spaces, ``_`` and ``-`` do not matter.

        Returns
        -------
        ndarray of int, shape (K,)
            Position in ``names`` of every joint of this skeleton, -1 where it is absent.
        """
        place = {normalise(name): position for position, name in enumerate(names)}
        return np.array([place.get(normalise(joint), -1) for joint in self.joints], dtype=int)

    def to_mapping(self) -> dict[str, Any]:
        """Return the mapping of plain lists, texts and numbers that ``from_mapping`` builds this skeleton from."""

        def named(*indices: int) -> list[str]:
            return [self.joints[index] for index in indices]

        return {
            "name": self.name,
            "joints": list(self.joints),
            "sigmas": {joint: float(sigma) for joint, sigma in zip(self.joints, self.sigmas, strict=True)},
            "pairs": [named(*pair) for pair in self.pairs],
            "bones": [named(*bone) for bone in self.bones],
            "trunk": {"shoulders": named(*self.shoulders), "hips": named(*self.hips)},
            "limbs": [[*named(limb.start, limb.end), limb.share] for limb in self.limbs],
        }

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], where: str = "skeleton") -> Skeleton:
        """Build a skeleton from a mapping like those in ``conf/skeleton``.

        Parameters
        ----------
        mapping : mapping
            ``name``, ``joints``, ``sigmas`` (joint -> sigma), ``pairs`` ([left, right] names), ``bones``
            ([a, b] names), ``trunk`` (``shoulders`` and ``hips``: lists of names), ``limbs``
            ([a, b, share of stature]).
        where : str
            The file or key that error messages name.

        Raises
        ------
        BadInput
            If a key does not hold what it should, a name is unknown or doubled, a sigma is missing or not positive, a
            joint is in two pairs, or a limb joins a joint to itself or has a share that is not in (0, 1].
        """

        def bad(problem: str, hint: str) -> BadInput:
            return BadInput(where, problem, hint)

        def section(holder: Any, key: str) -> Mapping[str, Any]:
            if not isinstance(holder, Mapping):
                raise bad(f"'{key}' is not a mapping", "write it as 'name: value'")
            return holder

        def rows(key: str, like: str) -> list[Sequence[Any]]:
            found, width = listed(mapping.get(key), key), like.count(",") + 1
            for row in found:
                if not isinstance(row, list | tuple) or len(row) != width:
                    raise bad(f"'{key}' holds {row!r}", f"write it as {like}")
            return found

        def listed(value: Any, key: str) -> list[Any]:
            if not isinstance(value, list | tuple | None):
                raise bad(f"'{key}' is {value!r}", "write a list")
            return list(value or ())

        def number(value: Any, key: str) -> float:
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise bad(f"'{key}' holds {value!r}", "write a number")
            return float(value)

        if not isinstance(mapping, Mapping):
            raise bad("is not a mapping", "write it like those in conf/skeleton")
        joints = tuple(str(joint) for joint in listed(mapping.get("joints"), "joints"))
        if not joints:
            raise bad("has no joints", "list the joint names under 'joints'")
        place: dict[str, int] = {}
        for index, joint in enumerate(joints):
            if normalise(joint) in place:
                raise bad(f"names joint '{joint}' twice", "give every joint its own name")
            place[normalise(joint)] = index

        def at(joint: str, key: str) -> int:
            if normalise(str(joint)) not in place:
                raise bad(f"'{key}' names unknown joint '{joint}'", f"use one of {', '.join(joints)}")
            return place[normalise(str(joint))]

        sigmas = section(mapping.get("sigmas") or {}, "sigmas")
        given = {at(joint, "sigmas"): number(value, f"sigmas.{joint}") for joint, value in sigmas.items()}
        missing = [joint for index, joint in enumerate(joints) if not 0.0 < given.get(index, 0.0) < math.inf]
        if missing:
            raise bad(f"has no positive OKS sigma for {', '.join(missing)}", "add it under 'sigmas'")
        pairs = tuple((at(left, "pairs"), at(right, "pairs")) for left, right in rows("pairs", "[left, right]"))
        paired = [index for pair in pairs for index in pair]
        if len(set(paired)) != len(paired):
            raise bad("has a joint in two left/right pairs", "name every joint once under 'pairs'")
        limbs = tuple(
            Limb(at(a, "limbs"), at(b, "limbs"), number(share, "limbs"))
            for a, b, share in rows("limbs", "[joint, joint, share of stature]")
        )
        for limb in limbs:
            ends = f"'limbs' joins {joints[limb.start]} and {joints[limb.end]}"
            if limb.start == limb.end:
                raise bad(ends, "name two joints")
            if not 0.0 < limb.share <= 1.0:
                raise bad(f"{ends} with a share of {limb.share:g}", "write its part of the stature, such as 0.245")
        trunk = section(mapping.get("trunk") or {}, "trunk")
        shoulders, hips = (listed(trunk.get(part), f"trunk.{part}") for part in ("shoulders", "hips"))
        return cls(
            name=str(mapping.get("name", where)),
            joints=joints,
            bones=tuple((at(a, "bones"), at(b, "bones")) for a, b in rows("bones", "[joint, joint]")),
            pairs=pairs,
            sigmas=np.array([given[index] for index in range(len(joints))]),
            shoulders=tuple(at(joint, "trunk.shoulders") for joint in shoulders),
            hips=tuple(at(joint, "trunk.hips") for joint in hips),
            limbs=limbs,
        )
