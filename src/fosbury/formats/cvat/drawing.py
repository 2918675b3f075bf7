"""The drawing of a skeleton that CVAT shows where a person sets one up, and lays over the picture for a new one.

It is SVG without the element ``svg``: lines between numbered nodes, and circles that name the label of their joint. On
import the server puts its own ids in the place of the names, so that a drawing must not bring ids of labels.
"""

from __future__ import annotations

import numpy as np

from fosbury.skeleton import Skeleton, normalise

_STANDING = {
    "head_top": (0, 6), "nose": (0, 14), "eye": (3, 11), "ear": (6, 13), "neck": (0, 22), "shoulder": (13, 25),
    "elbow": (20, 38), "wrist": (24, 50), "hip": (8, 52), "knee": (10, 70), "ankle": (11, 86), "heel": (9, 92),
    "foot": (18, 93), "big_toe": (18, 93), "small_toe": (21, 93),
}  # fmt: skip
"""Where joints are, in hundredths: sideways from the middle, and from the top."""
_ROW = 15
"""Joints without a known place that are in a row."""


def places(skeleton: Skeleton) -> np.ndarray:
    """Places of the joints in a square of 100 x 100 in which a person stands and faces the viewer, shape (K, 2).

    Left joints are on the right side, as in a photograph. Joints without a known place are in rows at the bottom.
    """
    known = {normalise(name): place for name, place in _STANDING.items()}
    side = {joint: sign for pair in skeleton.pairs for joint, sign in zip(pair, (1, -1), strict=True)}
    found: list[tuple[float, float]] = []
    spare = 0
    for joint, name in enumerate(skeleton.joints):
        part = normalise(name)
        part = part.removeprefix("left").removeprefix("right") if joint in side else part
        if part in known:
            across, down = known[part]
            found.append((50 + side.get(joint, 0) * across, down))
        else:
            found.append((5 + 90 / _ROW * (spare % _ROW), 98 - 4 * (spare // _ROW) % 90))
            spare += 1
    return np.array(found, dtype=float)


def skeleton_svg(skeleton: Skeleton) -> str:
    """Drawing of a skeleton as CVAT keeps it."""
    at = places(skeleton)
    lines = [
        f'<line x1="{at[a][0]:g}" y1="{at[a][1]:g}" x2="{at[b][0]:g}" y2="{at[b][1]:g}" stroke="black" '
        f'data-type="edge" data-node-from="{a + 1}" stroke-width="0.5" data-node-to="{b + 1}"></line>'
        for a, b in skeleton.bones
    ]
    circles = [
        f'<circle r="1.5" stroke="black" fill="#b3b3b3" cx="{x:g}" cy="{y:g}" stroke-width="0.1" '
        f'data-type="element node" data-element-id="{n}" data-node-id="{n}" '
        f'data-label-name="{_escaped(joint)}"></circle>'
        for n, (joint, (x, y)) in enumerate(zip(skeleton.joints, at, strict=True), 1)
    ]
    return "".join([*lines, *circles])


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
