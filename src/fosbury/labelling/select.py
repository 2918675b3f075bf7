"""Choose the frames of clips that are worth labelling: many of the flight, few of the rest, no two alike."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from fosbury.errors import BadInput, BadInputs
from fosbury.files import write_bytes, write_csv
from fosbury.labelling.jump import Jump, Motion, find_jump, measure_motion
from fosbury.media.extract import MANIFEST, extract, read_manifest
from fosbury.media.files import check_file, sha256_of
from fosbury.media.image import encode_jpeg, read_image
from fosbury.media.video import SUFFIXES, decode, to_image
from fosbury.progress import progress

SHARES = {"flight": 0.6, "approach": 0.25, "landing": 0.15}
"""Of a clip's frames, by phase: the arch is a tenth of the frames, and half of what there is to learn."""
BLURRED = 0.5
"""Of the median sharpness of the neighbours: below it a frame is passed over."""
NEIGHBOURS = 4
ALIKE = 4.0
"""Mean difference of two thumbnails, in grey levels of 255, below which they show the same."""
TIME_WEIGHT = 20.0
"""Grey levels that a second counts for in the distance of two frames."""
CACHE = ".motion"
TABLE, SHEET = "selection.csv", "selection.jpg"
CELL, COLUMNS = 200, 6


Picker = Callable[[Mapping[str, Motion], Mapping[str, Jump]], dict[str, list[int]]]


@dataclass(frozen=True)
class Chosen:
    """A frame that was chosen, and in which order within its clip."""

    clip: str
    frame: int
    seconds: float
    phase: str
    rank: int


def find_clips(paths: Sequence[str | Path]) -> list[Path]:
    """Clips that paths name: files, and those of folders, sorted.

    Raises
    ------
    BadInput
        If there is none, or two have one name but for the suffix: their frames would share a folder.
    """
    clips: list[Path] = []
    for path in map(Path, paths):
        inner = sorted(each for each in path.iterdir() if each.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
        if not inner:
            raise BadInput(path, "holds no clips", f"name a folder of clips ({', '.join(sorted(SUFFIXES))})")
        clips += [clip for clip in inner if clip not in clips]
    stems: dict[str, Path] = {}
    for clip in clips:
        other = stems.setdefault(clip.stem.lower(), clip)
        if other is not clip:
            raise BadInput(clip, f"has the name of {other} but for the folder, suffix or case", "rename one of the two")
    return clips


def select_frames(
    clips: Sequence[Path], output: str | Path, budget: int, *, quality: int = 95, pick: Picker | None = None
) -> tuple[list[Chosen], dict[str, Jump]]:
    """Choose frames of clips, extract them, and say why in ``selection.csv`` and ``selection.jpg``.

    What was measured of a clip is kept in the output folder, so that a second run, also with another budget, decodes
    no clip again for it. Frames of the same clips are replaced then. Those of other clips are never mixed with the new
    ones, nor removed.

    Parameters
    ----------
    clips : sequence of Path
    output : str or Path
        Gets a folder of frames for each clip, as `extract` makes them.
    budget : int
        Frames of all clips together.
    quality : int
        JPEG quality.
    pick : callable, optional
        Chooses frames of each clip, by its name, from motions and jumps; `choose` if not given.

    Returns
    -------
    tuple of list of Chosen and dict of str to Jump
        The frames, by clip and index, and the jump of each clip.

    Raises
    ------
    BadInput, BadInputs
        If a clip cannot be read (each is named, and nothing is extracted), the budget is below one a clip, or the
        output folder holds frames of other clips, or of a clip of which none is chosen now.
    """
    output = Path(output)
    if budget < len(clips):
        problem = f"is {budget}, below one frame for each of the {len(clips)} clips"
        raise BadInput("--budget", problem, "choose more frames or fewer clips")
    refuse_others(output, {clip.stem: None for clip in clips})
    motions: dict[str, Motion] = {}
    problems: list[str] = []
    for clip in progress(clips, "finding the jump", "clip"):
        try:
            motions[clip.name] = motion_of(clip, output / CACHE)
        except BadInput as error:
            problems.append(str(error))
    if problems:
        raise BadInputs(output, problems, "remove or convert these clips; what was measured of the others is kept")
    jumps = {name: find_jump(motion) for name, motion in motions.items()}
    quotas = share_out({name: len(motion) for name, motion in motions.items()}, budget)
    if pick is None:
        picked = {name: choose(motion, jumps[name], quotas[name]) for name, motion in motions.items()}
    else:
        picked = pick(motions, jumps)
    clips = [clip for clip in clips if picked[clip.name]]
    refuse_others(output, {clip.stem: clip for clip in clips})
    chosen: list[Chosen] = []
    for clip in progress(clips, "extracting", "clip"):
        name = clip.name
        ranked = picked[name]
        times, phases = motions[name].times, jumps[name].phases
        ranks = {frame: rank for rank, frame in enumerate(ranked, 1)}
        chosen += [Chosen(name, at, float(times[at]), phases[at], ranks[at]) for at in sorted(ranked)]
        extract(clip, output / clip.stem, quality=quality, only=sorted(ranked), keep_others=True)
    rows = [(each.clip, each.frame, f"{each.seconds:.3f}", each.phase, each.rank) for each in chosen]
    write_csv(output / TABLE, [("clip", "frame", "seconds", "phase", "rank"), *rows])
    write_bytes(output / SHEET, encode_jpeg(contact_sheet(chosen, {clip.name: output / clip.stem for clip in clips})))
    return chosen, jumps


def refuse_others(output: Path, clips: Mapping[str, Path | None]) -> None:
    """Refuse a folder that holds frames which a selection would not replace by those of the same clips.

    Parameters
    ----------
    output : Path
    clips : mapping of str to Path or None
        By the name of each folder that is to be made, the clip that its frames have to be of; None leaves that open.

    Raises
    ------
    BadInput
        Naming some of the folders.
    """
    others = []
    for path in sorted(output.glob(f"*/{MANIFEST}")):
        clip, old = clips.get(path.parent.name), read_manifest(path.parent)
        if path.parent.name not in clips or (clip and (old is None or old.sha256 != sha256_of(clip))):
            others.append(path.parent.name)
    if others:
        few = ", ".join(others[:3]) + (", ..." if len(others) > 3 else "")
        problem = f"holds frames that are not of this selection ({few})"
        raise BadInput(output, problem, "choose another --output, or move them away")


def motion_of(clip: Path, cache: Path) -> Motion:
    """Measure a clip, or read what was measured of the same bytes before."""
    digest = sha256_of(check_file(clip))
    path = cache / f"{clip.stem}.npz"
    if path.is_file() and (known := _cached(path, digest)) is not None:
        return known
    motion = measure_motion(_timed(clip))
    buffer = io.BytesIO()
    arrays = {name: getattr(motion, name) for name in Motion.__dataclass_fields__}
    np.savez_compressed(buffer, sha256=np.array(digest), **arrays)
    write_bytes(path, buffer.getvalue())
    return motion


def _cached(path: Path, digest: str) -> Motion | None:
    try:
        with np.load(path, allow_pickle=False) as values:
            if str(values["sha256"]) != digest:
                return None
            return Motion(**{name: values[name] for name in Motion.__dataclass_fields__})
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, json.JSONDecodeError):
        return None


def _timed(clip: Path) -> Iterator[tuple[float, np.ndarray]]:
    for _, milliseconds, frame in decode(clip):
        yield milliseconds / 1000, to_image(frame)


def share_out(lengths: Mapping[str, int], budget: int) -> dict[str, int]:
    """Share a budget out over clips: alike, none more than it has frames, what is over to the others.

    Examples
    --------
    >>> share_out({"a": 100, "b": 3, "c": 100}, 20)
    {'a': 9, 'b': 3, 'c': 8}
    """
    quotas = dict.fromkeys(lengths, 0)
    for _ in range(min(budget, sum(lengths.values()))):
        open_clips = [name for name, length in lengths.items() if quotas[name] < length]
        quotas[min(open_clips, key=lambda name: quotas[name])] += 1
    return quotas


def choose(motion: Motion, jump: Jump, count: int, shares: Mapping[str, float] = SHARES) -> list[int]:
    """Choose frames of a clip.

    By phase in ``shares``; within a phase each is the one farthest from all before it, in time and look (k-centre).
    Blurred frames and those that look like one that is chosen come only where nothing else is left.

    Parameters
    ----------
    motion : Motion
    jump : Jump
    count : int
    shares : mapping of str to float
        Of the three phases; the flight gets what rounding leaves.

    Returns
    -------
    list of int
        Indices of ``min(count, N)`` frames in the order of choice; the clearance, or its sharpest neighbour, first.
    """
    phases = np.array(jump.phases)
    sharp = ~blurred(motion.sharpness)
    chosen: list[int] = []
    wanted = {name: round(share * count) for name, share in shares.items()}
    wanted["flight"] = max(1, count - wanted["approach"] - wanted["landing"])
    for name, number in wanted.items():
        _farthest(motion, jump, chosen, min(number, count - len(chosen)), (phases == name) & sharp)
    anywhere = np.ones(len(motion), dtype=bool)
    for allowed, strict in (((phases != "") & sharp, True), (sharp, True), (sharp, False), (anywhere, False)):
        _farthest(motion, jump, chosen, count - len(chosen), allowed, strict=strict)
    return chosen


def blurred(sharpness: np.ndarray) -> np.ndarray:
    """Frames that are less sharp than `BLURRED` of their neighbours' median."""
    padded = np.pad(sharpness, NEIGHBOURS, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * NEIGHBOURS + 1)
    return np.asarray(sharpness < BLURRED * np.median(windows, axis=1))


def _farthest(
    motion: Motion, jump: Jump, chosen: list[int], count: int, allowed: np.ndarray, *, strict: bool = True
) -> None:
    """Add up to ``count`` of the allowed frames to ``chosen``, if ``strict`` none that looks like one of these."""
    candidates = np.setdiff1d(np.flatnonzero(allowed), chosen)
    for _ in range(count):
        if not len(candidates):
            return
        looks, times = _apart(motion, candidates, chosen or [jump.clearance])
        distance = (looks + TIME_WEIGHT * times).min(axis=1)
        fresh = (looks.min(axis=1) >= ALIKE) if strict and chosen else np.ones(len(candidates), dtype=bool)
        if not fresh.any():
            return
        order = np.where(fresh, distance, -1.0)
        best = int(np.argmin(distance)) if not chosen else int(np.argmax(order))
        chosen.append(int(candidates[best]))
        candidates = np.delete(candidates, best)


def _apart(motion: Motion, some: np.ndarray, others: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Differences of look (grey levels) and of time (seconds), shape (S, O) each."""
    looks = motion.looks.astype(float)
    differences = np.abs(looks[some][:, None] - looks[list(others)][None]).mean(axis=-1)
    return differences, np.abs(motion.times[some][:, None] - motion.times[list(others)][None])


def contact_sheet(chosen: Sequence[Chosen], folders: Mapping[str, Path], most: int = 120) -> np.ndarray:
    """Draw the chosen frames, named below each; of more than ``most`` evenly some.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
    """
    step = max(1, -(-len(chosen) // most))
    cells = []
    for each in chosen[::step]:
        picture = read_image(folders[each.clip] / f"{each.frame:06d}.jpg")
        scale = CELL / max(picture.shape[:2])
        size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
        cell = np.full((CELL + 20, CELL, 3), 255, np.uint8)
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        cell[: small.shape[0], : small.shape[1]] = small
        text = f"{Path(each.clip).stem[:14]} {each.frame} {each.phase}"
        cv2.putText(cell, text, (2, CELL + 14), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (0, 0, 0), 1, cv2.LINE_AA)
        cells.append(cell)
    blank = np.full((CELL + 20, CELL, 3), 255, np.uint8)
    cells += [blank] * (-len(cells) % COLUMNS)
    return np.vstack([np.hstack(cells[start : start + COLUMNS]) for start in range(0, len(cells), COLUMNS)])
