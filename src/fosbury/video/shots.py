"""Where a clip cuts from one shot to another: nothing is followed, smoothed or interpolated across."""

from __future__ import annotations

import numpy as np

THRESHOLD = 0.1
"""Least change of a cut: the default of FFmpeg's ``scdet`` filter (10 %), whose measure this is."""
SIDE = 64
"""Longer side, in pixels, of the small grey picture that is compared."""


class CutFinder:
    """Tells a cut from motion, frame by frame.

    FFmpeg's measure (libavfilter/vf_scdet.c): the mean absolute difference of the luma of two neighbouring frames, and
    how much that differs from the one before; the smaller of both. A moving camera changes every picture alike, a cut
    changes one.

    Parameters
    ----------
    threshold : float
    """

    def __init__(self, threshold: float = THRESHOLD):
        self.threshold = threshold
        self._last: np.ndarray | None = None
        self._change: float | None = None

    def __call__(self, luma: np.ndarray) -> bool:
        """Say whether a frame begins a new shot; of the first two of a clip that is not known.

        Parameters
        ----------
        luma : ndarray of uint8, shape (H, W)
            Of the frame, small, of the same shape each time.
        """
        small = luma.astype(np.float64) / 255
        if self._last is None:
            self._last = small
            return False
        change = float(np.abs(small - self._last).mean())
        score = 0.0 if self._change is None else min(change, abs(change - self._change))
        self._last, self._change = small, change
        return score >= self.threshold
