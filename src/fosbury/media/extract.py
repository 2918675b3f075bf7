"""Frames of a clip as JPEG files, with a manifest that tells when they need not be made again."""

from __future__ import annotations

import json
import os
import shutil
from collections import deque
from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import av
from tqdm import tqdm

from fosbury.errors import BadInput
from fosbury.media.files import replace_folder, sha256_of
from fosbury.media.image import encode_bgr
from fosbury.media.video import decode, to_image

MANIFEST = "frames.json"
VERSION = 1
"""Raised when frames of the same clip and parameters would come out otherwise."""
_ENCODERS = min(4, os.cpu_count() or 1)
_WAITING = 16


@dataclass(frozen=True)
class Manifest:
    """What a folder of extracted frames holds; stored as ``frames.json``.

    Attributes
    ----------
    version : int
    video : str
        File name of the clip.
    sha256 : str
        Of the clip's bytes.
    every, quality : int
        As given to ``extract``.
    only : list of int or None
        The frames that were asked for; None for every n-th.
    width, height : int
        Pixels, upright.
    frames : list of int
        Indices of the frames in the folder, in presentation order.
    timestamps_ms : list of float
        Time of each of ``frames`` since the first frame of the clip.
    notes : list of str
        What was odd about the clip.
    """

    version: int
    video: str
    sha256: str
    every: int
    quality: int
    only: list[int] | None
    width: int
    height: int
    frames: list[int]
    timestamps_ms: list[float]
    notes: list[str]


def frame_name(index: int) -> str:
    """File name of a frame: its index in six digits.

    Examples
    --------
    >>> frame_name(12)
    '000012.jpg'
    """
    return f"{index:06d}.jpg"


def read_manifest(folder: str | Path) -> Manifest | None:
    """Manifest of a folder of frames; None where there is none that can be read."""
    try:
        return Manifest(**json.loads((Path(folder) / MANIFEST).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def extract(
    video: str | Path, folder: str | Path, every: int = 1, quality: int = 95, only: Collection[int] | None = None
) -> Manifest:
    """Write frames of a clip into a folder, or do nothing if they are there already.

    The frames go to a temporary folder beside ``folder`` that is renamed when it is complete: after a kill the folder
    is either as it was or finished.

    Parameters
    ----------
    video : str or Path
    folder : str or Path
        Gets ``000012.jpg`` for frame 12, and so on, and ``frames.json``. Skipped where the manifest in it agrees with
        the clip's SHA-256 and the parameters and no frame is missing; else replaced as a whole.
    every : int
        Every n-th frame from the first; without meaning where ``only`` is given.
    quality : int
        JPEG quality, 1 to 100.
    only : collection of int, optional
        The frames to write.

    Raises
    ------
    BadInput
        If the clip cannot be read or has no frame of an index in ``only``.
    """
    video, folder = Path(video), Path(folder)
    wanted = None if only is None else sorted(set(only))
    every = 1 if wanted is not None else every
    digest = sha256_of(video) if video.is_file() else ""
    old = read_manifest(folder)
    asked = (VERSION, video.name, digest, every, quality, wanted)
    if old and (old.version, old.video, old.sha256, old.every, old.quality, old.only) == asked:
        present = {path.name for path in folder.iterdir()}
        if present == {MANIFEST, *map(frame_name, old.frames)}:
            return old
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        manifest = _write_frames(video, partial, asked)
        (partial / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1) + "\n", encoding="utf-8", newline="\n")
        replace_folder(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return manifest


def _write_frames(video: Path, folder: Path, asked: tuple[int, str, str, int, int, list[int] | None]) -> Manifest:
    version, name, digest, every, quality, only = asked
    notes: list[str] = []
    frames: list[int] = []
    timestamps: list[float] = []
    size = (0, 0)

    def write(index: int, frame: av.VideoFrame) -> tuple[int, int]:
        image = to_image(frame, "bgr24")
        encode_bgr(image, quality).tofile(folder / frame_name(index))
        return image.shape[1], image.shape[0]

    waiting: deque[Future[tuple[int, int]]] = deque()
    bar = tqdm(total=None if only is None else len(only), desc=name, unit="frame", disable=None, leave=False)
    with bar, ThreadPoolExecutor(_ENCODERS) as pool:
        chosen = None if only is None else set(only)
        for index, timestamp_ms, frame in decode(video, every=every, only=chosen, notes=notes):
            frames.append(index)
            timestamps.append(timestamp_ms)
            waiting.append(pool.submit(write, index, frame))
            if len(waiting) > _WAITING:
                size = waiting.popleft().result()
            bar.update()
        for future in waiting:
            size = future.result()
    missing = sorted(set(only or ()) - set(frames))
    if missing:
        few = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
        raise BadInput(
            video,
            f"has no frame {few}, which the labels name",
            "label the clip as it is now (the first frame is 0)",
        )
    return Manifest(version, name, digest, every, quality, only, *size, frames, timestamps, notes)
