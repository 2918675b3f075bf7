"""Where a clip cuts from one shot to another, and how the camera moves in between."""

from __future__ import annotations

import cv2
import numpy as np

THRESHOLD = 0.1
"""Least change of a cut: the default of FFmpeg's ``scdet`` filter (10 %), whose measure this is."""
SIDE = 160
"""Longer side, in pixels, of the small grey picture that is compared."""
CORNERS, FEWEST, STILL, MOVING = 120, 5, 0.05, 0.3
"""Corners that are followed, and how many at least; pixels up to which one stays where it is; share of movers."""


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


class CameraMotion:
    """Says how far what stands still has moved in the picture, frame by frame.

    Corners are followed by optical flow (Lucas and Kanade); the median of their ways is the scene's, of which there are
    more than of an athlete. Corners that stay where they are, such as captions and borders have, do not count if three
    in ten move.
    """

    def __init__(self) -> None:
        self._last: np.ndarray | None = None

    def __call__(self, luma: np.ndarray) -> tuple[float, float]:
        """Return the way across and down since the frame before, in parts of the picture's width and height.

        Parameters
        ----------
        luma : ndarray of uint8, shape (H, W)
            Of the frame, small, of the same shape each time.
        """
        last, self._last = self._last, luma
        if last is None:
            return 0.0, 0.0
        corners = cv2.goodFeaturesToTrack(last, CORNERS, 0.02, 4)
        if corners is None:
            return 0.0, 0.0
        there, found, _ = cv2.calcOpticalFlowPyrLK(last, luma, corners, None, winSize=(11, 11), maxLevel=3)  # type: ignore[call-overload]
        ways = (there - corners)[found.ravel() == 1].reshape(-1, 2)
        moving = np.abs(ways).max(axis=1, initial=0) > STILL
        ways = ways[moving] if moving.sum() > MOVING * len(ways) else ways
        if len(ways) < FEWEST:
            return 0.0, 0.0
        across, down = np.median(ways, axis=0)
        return float(across) / luma.shape[1], float(down) / luma.shape[0]
