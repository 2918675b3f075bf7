"""Files that hold the joints of a clip; a new one is a module here and an entry in ``OUTPUTS``.

Each is written frame by frame, so that memory does not grow with the clip.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fosbury.skeleton import Skeleton
from fosbury.video.settle import Settled


@dataclass(frozen=True, kw_only=True)
class Clip:
    """What is known of a clip when its last frame is done.

    Attributes
    ----------
    fps : float
        Mean over the frames' own times.
    width, height : int
    frames : int
        That were decoded.
    settings : str
        Digest of the clip, the models, and how they looked.
    """

    fps: float
    width: int
    height: int
    frames: int
    settings: str


class Output(Protocol):
    """Takes the frames of a clip, one by one."""

    def add(self, settled: Settled) -> None:
        """Take a frame."""

    def finish(self, clip: Clip) -> None:
        """Put the whole file in its place."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of file.

    Attributes
    ----------
    module : str
        Its code: ``open_output(path, skeleton, work)`` gives an `Output` that keeps its unfinished work in a folder.
    suffix : str
        Of the file beside the clip; a folder without it.
    """

    module: str
    suffix: str


OUTPUTS = {
    "json": Kind(module="fosbury.video.outputs.json", suffix=".json"),
    "csv": Kind(module="fosbury.video.outputs.csv", suffix=".csv"),
    "openpose": Kind(module="fosbury.video.outputs.openpose", suffix="_openpose"),
    "trc": Kind(module="fosbury.video.outputs.trc", suffix=".trc"),
    "movement": Kind(module="fosbury.video.outputs.movement", suffix="_deeplabcut.csv"),
}


def open_output(name: str, path: Path, skeleton: Skeleton, work: Path) -> Output:
    """Begin a file.

    Parameters
    ----------
    name : str
        Of ``OUTPUTS``.
    path : Path
    skeleton : Skeleton
        Of the poses.
    work : Path
        Folder for what is unfinished.
    """
    opener: Callable[[Path, Skeleton, Path], Output] = importlib.import_module(OUTPUTS[name].module).open_output
    return opener(path, skeleton, work)
