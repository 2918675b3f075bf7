"""Pictures as H.264 holds them: brightness at full size, colour at half, so that drawing on a clip converts nothing.

What is not drawn over keeps the values that were decoded, and the matrix, range and transfer that they mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

FORMAT = "yuv420p"
BT709, BT2020 = 1, 9
"""Matrices by the numbers of ISO/IEC 23091-2, as FFmpeg has them."""
_WEIGHTS = {BT709: (0.2126, 0.0722), BT2020: (0.2627, 0.0593)}
"""Of red and blue in brightness; BT.601's where a clip names none, as players do."""
_USUAL = (0.299, 0.114)
LIMITED, FULL = 1, 2


@dataclass(frozen=True)
class Colours:
    """What the numbers of a picture mean, by the numbers of ISO/IEC 23091-2; 2 or 0 where it is not said.

    Attributes
    ----------
    matrix, span, primaries, transfer : int
    """

    matrix: int = 2
    span: int = 0
    primaries: int = 2
    transfer: int = 2


@dataclass(frozen=True, eq=False)
class Planes:
    """A picture in 4:2:0, sides even, that may be drawn on.

    Attributes
    ----------
    data : ndarray of uint8, shape (H * 3 / 2, W)
        The three planes, one behind the other.
    luma : ndarray of uint8, shape (H, W)
    chroma : pair of ndarray of uint8, shape (H / 2, W / 2)
        Blue and red differences. All three are views of ``data``.
    colours : Colours
    """

    data: np.ndarray
    luma: np.ndarray
    chroma: tuple[np.ndarray, np.ndarray]
    colours: Colours


@lru_cache(maxsize=256)
def values_of(rgb: tuple[int, int, int], colours: Colours) -> tuple[int, int, int]:
    """Values of the three planes for a colour (ITU-R BT.601, BT.709 and BT.2020: luma, differences, 8-bit ranges)."""
    red_weight, blue_weight = _WEIGHTS.get(colours.matrix, _USUAL)
    red, green, blue = (value / 255 for value in rgb)
    bright = red_weight * red + (1 - red_weight - blue_weight) * green + blue_weight * blue
    differences = (blue - bright) / (2 - 2 * blue_weight), (red - bright) / (2 - 2 * red_weight)
    if colours.span == FULL:
        values = 255 * bright, *(128 + 255 * each for each in differences)
    else:
        values = 16 + 219 * bright, *(128 + 224 * each for each in differences)
    first, second, third = (int(min(max(round(value), 0), 255)) for value in values)
    return first, second, third
