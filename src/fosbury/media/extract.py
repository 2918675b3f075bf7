"""Frames of a clip as JPEG files, with a manifest that tells when they need not be made again."""

from __future__ import annotations

import json
import math
import os
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import av

from fosbury.errors import BadInput, BadInputs
from fosbury.files import put_folder, replace_folder, work_folder
from fosbury.media.files import sha256_of, unsafe_name
from fosbury.media.image import encode_bgr
from fosbury.media.video import decode, probe, to_image
from fosbury.progress import Bar

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
        manifest = Manifest(**json.loads((Path(folder) / MANIFEST).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    named = isinstance(manifest.video, str) and unsafe_name(manifest.video) is None
    indices, times = manifest.frames, manifest.timestamps_ms
    listed = isinstance(indices, list) and isinstance(times, list) and len(indices) == len(times)
    sound = named and listed and all(type(index) is int and index >= 0 for index in indices)
    return manifest if sound and all(type(t) in (int, float) and math.isfinite(t) for t in times) else None


def extract_clips(
    videos: Sequence[str | Path],
    output: str | Path,
    *,
    every: int | None = None,
    fps: float | None = None,
    quality: int = 95,
) -> Iterator[tuple[Path, Manifest]]:
    """Extract clips for a person, each into a folder of ``output`` that bears its name.

    Parameters
    ----------
    videos : sequence of str or Path
    output : str or Path
    every : int, optional
        Every n-th frame; all without it.
    fps : float, optional
        About so many frames a second instead.
    quality : int
        JPEG quality, 1 to 100.

    Yields
    ------
    folder, manifest
        Of each clip, in turn; a clip that is extracted already is skipped.

    Raises
    ------
    BadInput, BadInputs
        Before anything is done, if both ``every`` and ``fps`` are given, two clips share a name, or a folder was made
        by someone else or from another clip; after the last clip, for those that could not be read or whose folder
        holds files of a person.
    """
    output, clips = Path(output), [Path(video) for video in videos]
    if every is not None and fps is not None:
        raise BadInput("--every and --fps", "say the same thing twice", "give one of them")
    if len({clip.stem for clip in clips}) < len(clips):
        raise BadInput(output, "would get frames of two clips in one folder", "rename a clip or give it alone")
    if output.exists() and not output.is_dir():
        raise BadInput(output, "is a file", "name a folder with -o")
    for clip in clips:
        folder = output / clip.stem
        old = read_manifest(folder)
        if folder.exists() and old is None:
            raise BadInput(folder, "is in the way and was not made by this command", "move it or choose another -o")
        if old is not None and clip.is_file() and old.sha256 != sha256_of(clip):
            hint = "rename the clip, choose another -o, or delete the folder"
            raise BadInput(folder, f"holds the frames of another clip than {clip}", hint)
    problems = []
    for clip in clips:
        try:
            step = every or (max(1, round(probe(clip).fps / fps)) if fps else 1)
            manifest = extract(clip, output / clip.stem, every=step, quality=quality, keep_others=True)
        except BadInput as error:
            problems.append(error)
            continue
        yield output / clip.stem, manifest
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise BadInputs("clips", map(str, problems), "correct them; the others are extracted")


def extract(
    video: str | Path,
    folder: str | Path,
    *,
    every: int = 1,
    quality: int = 95,
    only: Collection[int] | None = None,
    keep_others: bool = False,
) -> Manifest:
    """Write frames of a clip into a folder, or do nothing if they are there already.

    The frames go to a work folder of this run beside ``folder`` that is renamed when it is complete: after a kill the
    folder is either as it was or finished.

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
    keep_others : bool
        Refuse to replace a folder that holds files besides the frames and their manifest.

    Raises
    ------
    BadInput
        If the clip cannot be read or has no frame of an index in ``only``, other files are to be kept, or another run
        made or changed the folder at the same time; what that one made stays.
    """
    video, folder = Path(video), Path(folder)
    wanted = None if only is None else sorted(set(only))
    every = 1 if wanted is not None else every
    digest = sha256_of(video) if video.is_file() else ""
    old = read_manifest(folder)
    asked = (VERSION, video.name, digest, every, quality, wanted)
    present = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    expected = {MANIFEST, *map(frame_name, old.frames if old else ())}
    if old and (old.version, old.video, old.sha256, old.every, old.quality, old.only) == asked and expected <= present:
        return old
    if keep_others and (others := sorted(present - expected)):
        few = ", ".join(others[:3]) + (", ..." if len(others) > 3 else "")
        raise BadInput(folder, f"is to be made anew and holds other files ({few})", "move them or choose another -o")

    def unchanged(before: Path) -> bool:
        names = {path.name for path in before.iterdir()}
        return read_manifest(before) == old and names == present

    existed = folder.exists()
    with work_folder(folder) as work:
        made = work / "frames"
        made.mkdir()
        manifest = _write_frames(video, made, asked)
        (made / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1) + "\n", encoding="utf-8", newline="\n")
        if existed:
            replace_folder(made, folder, work / "before", unchanged)
        else:
            put_folder(made, folder)
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
    with Bar(name, "frame", len(only) if only else None, leave=False) as bar, ThreadPoolExecutor(_ENCODERS) as pool:
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
