"""The drawn body: a light mesh bound to the bones, dressed and coloured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from fosbury.synth.body import BONE, BONES, Body, Bones

Colour = Sequence[float] | np.ndarray
Colouring = Callable[[str, int, np.ndarray], Colour]
"""From a face's bone, its row of the mesh and its middle to its colour."""

AROUND = 12
SKINS = ((241, 205, 180), (228, 184, 150), (205, 155, 115), (168, 116, 78), (122, 80, 54), (84, 56, 42))
HAIRS = ((28, 22, 20), (60, 40, 26), (98, 66, 38), (142, 100, 48), (168, 122, 56), (112, 44, 24))
KITS = (
    *((214, 36, 42), (246, 206, 48), (30, 76, 170), (20, 128, 74), (244, 244, 246), (26, 28, 34)),
    *((240, 120, 24), (40, 164, 214), (112, 44, 132), (150, 20, 40), (232, 90, 150), (30, 44, 84)),
)


@dataclass(frozen=True, eq=False)
class Figure:
    """A mesh in the bones' frames.

    Attributes
    ----------
    points : ndarray, shape (V, 3)
        Millimetres in the frame of the vertex's bone.
    bone : ndarray of int, shape (V,)
    faces : ndarray of int, shape (F, 4)
        Corners, anticlockwise as seen from outside.
    colours : ndarray, shape (F, 3)
        RGB before lighting.
    owner : ndarray of int, shape (F,)
        The bone that a face belongs to.
    lift : ndarray, shape (F,)
        How far a face is brought forward in the order of drawing, mm (numbers, eyes, mouth).
    """

    points: np.ndarray
    bone: np.ndarray
    faces: np.ndarray
    colours: np.ndarray
    owner: np.ndarray
    lift: np.ndarray

    def vertices(self, bones: Bones, time: int) -> np.ndarray:
        """Vertices in the world at one time step, shape (V, 3)."""
        frame, origin = bones.frame[time][self.bone], bones.origin[time][self.bone]
        return origin + np.einsum("vij,vj->vi", frame, self.points)


@dataclass(frozen=True)
class Kit:
    """What the athlete wears and looks like; colours are RGB."""

    skin: tuple[float, ...]
    hair: tuple[float, ...]
    top: tuple[float, ...]
    bottom: tuple[float, ...]
    shoe: tuple[float, ...]
    sock: tuple[float, ...]
    trim: tuple[float, ...]
    top_style: str = "singlet"
    bottom_style: str = "shorts"
    hair_style: str = "short"
    socks: bool = True
    number: int = 7

    @classmethod
    def random(cls, rng: np.random.Generator, female: bool) -> Kit:
        """Draw a kit, a skin tone and hair."""

        def pick(colours: tuple) -> tuple[float, ...]:
            colour = np.array(colours[rng.integers(len(colours))], dtype=float)
            return tuple(np.clip(colour + rng.normal(0, 8, 3), 6, 250))

        tops = ("singlet", "crop", "tee", "crop") if female else ("singlet", "singlet", "tee", "sleeves")
        bottoms = ("briefs", "briefs", "shorts", "tights") if female else ("shorts", "shorts", "half", "tights")
        hairs = ("ponytail", "bun", "ponytail", "short") if female else ("short", "short", "crop", "bun")
        skin_index = int(rng.integers(len(SKINS)))
        skin = tuple(np.clip(np.array(SKINS[skin_index]) + rng.normal(0, 5, 3), 20, 250))
        hair = pick(HAIRS[:3] if skin_index > 2 else HAIRS)
        top = pick(KITS)
        return cls(
            skin=skin,
            hair=hair,
            top=top,
            bottom=top if rng.random() < 0.3 else pick(KITS),
            shoe=pick(KITS),
            sock=(236.0, 236.0, 236.0) if rng.random() < 0.6 else pick(KITS),
            trim=pick(KITS),
            top_style=tops[rng.integers(4)],
            bottom_style=bottoms[rng.integers(4)],
            hair_style=hairs[rng.integers(4)],
            socks=bool(rng.random() < 0.7),
            number=int(rng.integers(1, 100)),
        )


class _Mesh:
    """Collects rings and patches until they become a Figure."""

    def __init__(self, unit: float):
        self.unit, self.count = unit, 0
        self.points: list[np.ndarray] = []
        self.bones: list[np.ndarray] = []
        self.faces: list[np.ndarray] = []
        self.colours: list[np.ndarray] = []
        self.owners: list[int] = []
        self.lifts: list[float] = []

    def tube(self, rings: list[tuple], colour: Colouring, axis: str = "z", around: int = AROUND) -> None:
        """Join rings ``(bone, along, half width, half depth, forward, up)`` (mm for 1.8 m) to a closed skin.

        ``colour`` is a function of the face's owner, its middle along the axis and its middle's local place.
        """
        turn = 2 * np.pi * np.arange(around) / around
        cos, sin = np.cos(turn), np.sin(turn)
        grid = np.zeros((len(rings), around, 3))
        for ring, (_, along, wide, deep, shift, rise) in zip(grid, rings, strict=True):
            ring[:, 1] = wide * cos
            if axis == "z":
                ring[:, 0], ring[:, 2] = shift + deep * sin, along
            else:
                ring[:, 0], ring[:, 2] = along, rise + deep * sin
        owner = np.array([BONE[ring[0]] for ring in rings])
        index = self.count + np.arange(len(rings) * around).reshape(len(rings), around)
        after = np.roll(index, -1, axis=1)
        faces = np.stack([index[:-1], after[:-1], after[1:], index[1:]], axis=-1)
        # Whether the corners run anticlockwise depends on the axis and on which way the rings go.
        first, last = grid[0, 0, 0 if axis == "x" else 2], grid[-1, 0, 0 if axis == "x" else 2]
        falling = (last < first) if owner[0] == owner[-1] else False
        if falling == (axis == "x"):
            faces = faces[..., ::-1]
        middle = (grid[:-1] + grid[1:]) / 2
        middle = (middle + np.roll(middle, -1, axis=1)) / 2
        for row in range(len(rings) - 1):
            bone = owner[row + 1] if row + 1 < len(rings) // 2 else owner[row]
            for column in range(around):
                self.faces.append(faces[row, column])
                self.colours.append(np.asarray(colour(BONES[bone], row, middle[row, column]), dtype=float))
                self.owners.append(bone)
                self.lifts.append(0.0)
        self._add(grid.reshape(-1, 3), np.repeat(owner, around))

    def patch(self, bone: str, corners: Sequence[Sequence[float]], colour: ArrayLike, lift: float = 14.0) -> None:
        """Add one flat face; corners anticlockwise as seen from outside."""
        self.faces.append(self.count + np.arange(4))
        self.colours.append(np.asarray(colour, dtype=float))
        self.owners.append(BONE[bone])
        self.lifts.append(lift)
        self._add(np.asarray(corners, dtype=float), np.full(4, BONE[bone]))

    def _add(self, points: np.ndarray, bones: np.ndarray) -> None:
        self.points.append(points)
        self.bones.append(bones)
        self.count += len(points)

    def figure(self) -> Figure:
        return Figure(
            np.concatenate(self.points) * self.unit,
            np.concatenate(self.bones),
            np.array(self.faces),
            np.array(self.colours),
            np.array(self.owners),
            np.array(self.lifts) * self.unit,
        )


def _rounded(bone: str, length: float, stations: list[tuple], dome: float = 1.0) -> list[tuple]:
    """Rings down a limb from stations ``(share of length, half width, half depth, forward)``, with round ends.

    ``dome`` is the height of the upper end's rounding against a half ball.
    """
    rings = [(bone, -share * length, wide, deep, shift, 0.0) for share, wide, deep, shift in stations]
    (_, top, wide0, deep0, shift0, _), (_, end, wide1, deep1, shift1, _) = rings[0], rings[-1]
    head = [
        (bone, top + 0.95 * dome * wide0, 0.2 * wide0, 0.2 * deep0, shift0, 0.0),
        (bone, top + 0.62 * dome * wide0, 0.78 * wide0, 0.78 * deep0, shift0, 0.0),
    ]
    tail = [
        (bone, end - 0.62 * wide1, 0.78 * wide1, 0.78 * deep1, shift1, 0.0),
        (bone, end - 0.95 * wide1, 0.2 * wide1, 0.2 * deep1, shift1, 0.0),
    ]
    return [*head, *rings, *tail]


def build_figure(body: Body, kit: Kit) -> Figure:
    """Make the mesh of a dressed athlete.

    Parameters
    ----------
    body : Body
    kit : Kit

    Returns
    -------
    Figure
    """
    unit = body.stature / 1800.0
    mesh = _Mesh(unit)
    _torso(mesh, body, kit, unit)
    _head(mesh, body, kit)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        _arm(mesh, body, kit, side, unit)
        _leg(mesh, body, kit, side, sign, unit)
    return mesh.figure()


def _torso(mesh: _Mesh, body: Body, kit: Kit, unit: float) -> None:
    girth, female = body.girth, body.female
    wide_hip = (172 if female else 160) * (0.5 + 0.5 * girth)
    waist = (118 if female else 136) * girth
    chest = (148 if female else 166) * (0.4 + 0.6 * girth)
    bust = 14.0 if female else 0.0
    pelvis, lumbar, rib = (body.length(bone) / unit for bone in ("pelvis", "lumbar", "chest"))
    rings = [
        ("pelvis", -105, 50, 46, -4, 0),
        ("pelvis", -80, 120, 84, -8, 0),
        ("pelvis", -30, wide_hip * 0.99, 110 * girth, -14, 0),
        ("pelvis", 25, wide_hip, 108 * girth, -12, 0),
        ("pelvis", 0.62 * pelvis, wide_hip * 0.92, 98 * girth, -4, 0),
        ("lumbar", 0.02 * lumbar, (wide_hip + waist) / 2 * 0.98, 90 * girth, 2, 0),
        ("lumbar", 0.35 * lumbar, waist, 84 * girth, 4, 0),
        ("lumbar", 0.75 * lumbar, (waist + chest) / 2, 92 * girth, 4, 0),
        ("chest", 0.08 * rib, chest * 0.96, 102 * girth + bust / 2, 4 + bust / 2, 0),
        ("chest", 0.38 * rib, chest * 1.04, 108 * girth + bust / 2, 2 + bust, 0),
        ("chest", 0.70 * rib, chest * 1.04, 98 * girth, -2, 0),
        ("chest", 0.92 * rib, chest * 0.99, 80, -8, 0),
        ("chest", rib + 14, chest * 0.94, 60, -10, 0),
        ("chest", rib + 36, chest * 0.64, 52, -12, 0),
        ("neck", 18, 60, 56, -6, 0),
        ("neck", 40, 54, 55, 0, 0),
        ("head", 4, 52, 54, 4, 0),
        ("head", 38, 46, 50, 6, 0),
    ]

    def colour(bone: str, row: int, place: np.ndarray) -> Colour:
        if row < 5 or (row == 5 and kit.bottom_style != "briefs"):
            return kit.trim if row == 5 else kit.bottom
        if row >= 12 or (row >= 10 and kit.top_style in ("singlet", "crop") and not 58 < abs(place[1]) < 112):
            return kit.skin
        if kit.top_style == "crop" and row < 8:
            return kit.trim if row == 7 and place[2] > 40 else kit.skin
        if kit.top_style == "singlet" and abs(place[1]) > 0.93 * chest and row < 11:
            return kit.trim
        return kit.top

    mesh.tube(rings, colour, around=16)
    for sign, height in ((1.0, 0.42), (-1.0, 0.40)):
        _bib(mesh, body, kit, sign, rib, height, unit)


def _bib(mesh: _Mesh, body: Body, kit: Kit, sign: float, rib: float, height: float, unit: float) -> None:
    """Put a number on the chest (sign 1) or on the back (-1)."""
    face = sign * (112 * body.girth + (16 if body.female and sign > 0 else 3))
    low, high, half = height * rib - 44, height * rib + 44, 68.0

    def place(left: float, right: float, bottom: float, top: float, out: float) -> list[tuple]:
        corners = [(left, bottom), (right, bottom), (right, top), (left, top)]
        return [(face + sign * out, sign * y, low + z * (high - low)) for y, z in corners]

    mesh.patch("chest", place(-half, half, 0.0, 1.0, 2), (240, 240, 236), 26)
    for position, digit in zip((-27.0, 27.0), f"{kit.number:02d}", strict=True):
        for left, right, bottom, top in _SEGMENTS[digit]:
            mesh.patch(
                "chest",
                place(
                    position - 19 + 38 * left,
                    position - 19 + 38 * right,
                    0.14 + 0.72 * bottom,
                    0.14 + 0.72 * top,
                    4,
                ),
                (22, 22, 28),
                34,
            )


_BARS = {
    "a": (0.0, 1.0, 0.82, 1.0),
    "b": (0.72, 1.0, 0.5, 1.0),
    "c": (0.72, 1.0, 0.0, 0.5),
    "d": (0.0, 1.0, 0.0, 0.18),
    "e": (0.0, 0.28, 0.0, 0.5),
    "f": (0.0, 0.28, 0.5, 1.0),
    "g": (0.0, 1.0, 0.42, 0.58),
}
_SEGMENTS = {
    digit: [_BARS[bar] for bar in bars]
    for digit, bars in zip(
        "0123456789",
        ("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcdfg"),
        strict=True,
    )
}


def _head(mesh: _Mesh, body: Body, kit: Kit) -> None:
    levels = [
        (2, 26, 34, 30),
        (14, 46, 56, 24),
        (42, 60, 76, 12),
        (72, 70, 88, 4),
        (102, 75, 94, 0),
        (134, 76, 96, -4),
        (166, 70, 89, -6),
        (194, 54, 70, -8),
        (212, 32, 42, -8),
        (220, 8, 10, -8),
    ]
    thick = {"crop": 1.01, "short": 1.06, "ponytail": 1.05, "bun": 1.04}[kit.hair_style]
    rings = [
        ("head", z, wide * (thick if z > 120 else 1.0), deep * (thick if z > 120 else 1.0), shift, 0)
        for z, wide, deep, shift in levels
    ]

    def colour(bone: str, row: int, place: np.ndarray) -> Colour:
        forward, _, height = place
        nape = 30 if kit.hair_style != "crop" else 60
        hairy = height > 168 or (height > 120 and forward < 42) or (height > nape and forward < -22)
        return kit.hair if hairy else kit.skin

    mesh.tube(rings, colour, around=16)
    skin = np.array(kit.skin)
    dark = skin * 0.62
    # nose: a wedge of two sides and an underside
    tip, root, left, right = (112, 0, 84), (93, 0, 120), (88, 17, 76), (88, -17, 76)
    mesh.patch("head", [root, right, tip, root], skin * 0.94, 8)
    mesh.patch("head", [root, tip, left, root], skin * 1.04, 8)
    mesh.patch("head", [tip, right, left, tip], dark, 8)
    mesh.patch("head", [(93, 26, 50), (93, -26, 50), (91, -20, 41), (91, 20, 41)], (150, 62, 62), 14)
    for sign in (1.0, -1.0):
        y = 33 * sign

        def quad(half: float, low: float, high: float, out: float, y: float = y) -> list[tuple]:
            slope = 7.0 * np.sign(y)
            return [
                (out + slope / 2, y - half, low),
                (out - slope / 2, y + half, low),
                (out - slope / 2, y + half, high),
                (out + slope / 2, y - half, high),
            ]

        mesh.patch("head", quad(15, 111, 124, 88), (238, 236, 232), 14)
        mesh.patch("head", quad(6.5, 111, 124, 89), (36, 26, 22), 18)
        mesh.patch("head", quad(18, 134, 139, 90), np.array(kit.hair) * 0.8, 16)
        ear = [("head", x, 9, deep, 0, 99) for x, deep in ((-24, 6), (-15, 23), (6, 25), (14, 8))]
        start = len(mesh.points)
        mesh.tube(ear, lambda *_: skin * 0.9, axis="x", around=6)
        mesh.points[start][:, 1] += 77 * sign
    if kit.hair_style == "bun":
        bun = [("head", z, r, r, -104, 0) for z, r in ((118, 10), (130, 36), (155, 44), (180, 34), (190, 8))]
        mesh.tube(bun, lambda *_: kit.hair, around=8)
    if kit.hair_style == "ponytail":
        tail = [
            ("head", z, r, r, shift, 0)
            for z, r, shift in (
                (160, 8, -90),
                (150, 26, -108),
                (100, 30, -126),
                (20, 26, -132),
                (-60, 17, -128),
                (-100, 5, -122),
            )
        ]
        mesh.tube(tail, lambda *_: kit.hair, around=8)


def _arm(mesh: _Mesh, body: Body, kit: Kit, side: str, unit: float) -> None:
    g = body.girth * (0.90 if body.female else 1.0)
    upper, fore = body.length("upper_arm") / unit, body.length("forearm") / unit
    sleeve = {"tee": 0.45, "sleeves": 1.5}.get(kit.top_style, 0.0)

    def upper_colour(bone: str, row: int, place: np.ndarray) -> Colour:
        return kit.top if sleeve and -place[2] < sleeve * upper else kit.skin

    def fore_colour(bone: str, row: int, place: np.ndarray) -> Colour:
        return kit.top if sleeve > 1 and -place[2] < 0.9 * fore else kit.skin

    mesh.tube(
        _rounded(
            f"{side}_upper_arm",
            upper,
            [
                (0.0, 50 * g, 54 * g, 0),
                (0.12, 55 * g, 60 * g, 0),
                (0.25, 53 * g, 58 * g, 0),
                (0.48, 46 * g, 52 * g, 3),
                (0.78, 39 * g, 43 * g, 2),
                (1.0, 36 * g, 37 * g, 0),
            ],
            dome=0.72,
        ),
        upper_colour,
    )
    mesh.tube(
        _rounded(
            f"{side}_forearm",
            fore,
            [(0.0, 36 * g, 37 * g, 0), (0.22, 40 * g, 42 * g, 2), (0.55, 34 * g, 35 * g, 1), (0.98, 24 * g, 27 * g, 0)],
        ),
        fore_colour,
        around=10,
    )
    hand = [(10, 16, 20), (-2, 21, 25), (-45, 18, 40), (-88, 16, 38), (-135, 12, 30), (-172, 5, 12)]
    mesh.tube([(f"{side}_hand", z, w, d, 2, 0) for z, w, d in hand], lambda *_: kit.skin, around=8)
    thumb = [(-20, 6, 6, 24), (-34, 12, 12, 36), (-70, 10, 10, 52), (-94, 4, 4, 56)]
    mesh.tube([(f"{side}_hand", z, w, d, x, 0) for z, w, d, x in thumb], lambda *_: kit.skin, around=6)


def _leg(mesh: _Mesh, body: Body, kit: Kit, side: str, sign: float, unit: float) -> None:
    g = body.girth
    thigh, shank = body.length("thigh") / unit, body.length("shank") / unit
    reach = {"shorts": 0.42, "half": 0.88, "tights": 9.0, "briefs": 0.10}[kit.bottom_style]
    loose = 1.12 if kit.bottom_style == "shorts" else 1.0

    def thigh_colour(bone: str, row: int, place: np.ndarray) -> Colour:
        if -place[2] >= reach * thigh:
            return kit.skin
        return kit.trim if kit.bottom_style != "briefs" and sign * place[1] > 62 else kit.bottom

    def shank_colour(bone: str, row: int, place: np.ndarray) -> Colour:
        if -place[2] > 0.9 * shank:
            return kit.sock if kit.socks else kit.skin
        return kit.bottom if reach > 1 and -place[2] < 0.9 * shank else kit.skin

    mesh.tube(
        _rounded(
            f"{side}_thigh",
            thigh,
            [
                (0.0, 84 * g, 94 * g, -8),
                (0.18, 86 * g * loose, 94 * g * loose, -2),
                (0.40, 79 * g * loose, 87 * g * loose, 4),
                (0.44, 77 * g, 83 * g, 5),
                (0.68, 64 * g, 70 * g, 5),
                (0.86, 54 * g, 58 * g, 3),
                (1.0, 51 * g, 54 * g, 2),
            ],
        ),
        thigh_colour,
    )
    mesh.tube(
        _rounded(
            f"{side}_shank",
            shank,
            [
                (0.0, 50 * g, 53 * g, 2),
                (0.14, 50 * g, 52 * g, -4),
                (0.30, 54 * g, 58 * g, -14),
                (0.48, 47 * g, 51 * g, -12),
                (0.72, 34 * g, 38 * g, -5),
                (0.90, 29 * g, 34 * g, -3),
                (0.98, 31 * g, 36 * g, -3),
            ],
        ),
        shank_colour,
    )
    sole = body.ankle * 1800.0
    foot = [
        (-70, 12, 14, 26 - sole),
        (-60, 29, 32, 34 - sole),
        (-30, 36, 44, 44 - sole),
        (10, 38, 46, 46 - sole),
        (70, 42, 35, 35 - sole),
        (140, 47, 25, 25 - sole),
        (185, 40, 19, 20 - sole),
        (204, 16, 10, 16 - sole),
    ]

    def shoe_colour(bone: str, row: int, place: np.ndarray) -> Colour:
        if place[2] < 12 - sole:
            return (232, 232, 228)
        return kit.trim if row == 4 else kit.shoe

    mesh.tube([(f"{side}_foot", x, w, d, 0, z) for x, w, d, z in foot], shoe_colour, axis="x", around=10)
