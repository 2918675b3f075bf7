"""Single pictures of upright athletes, on disk and as a data set: what the starter weights learn from."""

from __future__ import annotations

from pathlib import Path

from fosbury.media.image import write_image
from fosbury.pose import Dataset, Frame, Person, body_area
from fosbury.progress import progress
from fosbury.skeleton import Skeleton
from fosbury.synth.clips import JOINTS, Label, render_clip, render_stills


def write_stills(
    folder: Path,
    n: int,
    seed: int,
    size: tuple[int, int],
    *,
    skeleton: Skeleton,
    share: tuple[float, float] = (0.42, 0.88),
    aim: tuple[float, float] = (-0.02, -0.02),
) -> Dataset:
    """Render upright pictures of many athletes.

    Parameters
    ----------
    folder : Path
        Gets ``000000.png`` and so on.
    n : int
    seed : int
    size : (int, int)
        Width and height in pixels.
    skeleton : Skeleton
    share : (float, float)
        Least and largest stature, as a share of the picture's smaller side.
    aim : (float, float)
        Lowest and highest point that the camera looks at, in statures above the hips.

    Returns
    -------
    Dataset
        File names are relative to ``folder``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shots = render_stills(n, seed, size, share=share, aim=aim)
    frames = []
    for index, (image, label) in enumerate(progress(shots, "stills", "picture", n)):
        name = f"{index:06d}.png"
        write_image(folder / name, image)
        frames.append(labelled_frame(name, label, size, skeleton))
    return Dataset(skeleton, tuple(frames))


def write_upright_clips(
    folder: Path, clips: int, seed: int, size: tuple[int, int], *, every: int, skeleton: Skeleton
) -> Dataset:
    """Render approach runs and keep every n-th picture of each.

    Parameters
    ----------
    folder : Path
        Gets ``run00_000000.png`` and so on.
    clips, seed : int
        Clip i has the seed ``seed + i``.
    size : (int, int)
        Width and height in pixels.
    every : int
    skeleton : Skeleton

    Returns
    -------
    Dataset
        File names are relative to ``folder``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    frames = []
    for clip in range(clips):
        images, labels = render_clip(seed + clip, size, upright=True)
        for index in range(0, len(images), every):
            name = f"run{clip:02d}_{index:06d}.png"
            write_image(folder / name, images[index])
            frames.append(labelled_frame(name, labels[index], size, skeleton))
    return Dataset(skeleton, tuple(frames))


def labelled_frame(name: str, label: Label, size: tuple[int, int], skeleton: Skeleton) -> Frame:
    """Make a frame of one rendered athlete, with the joints of ``skeleton``; nobody where nothing is in sight."""
    place = skeleton.match(JOINTS)
    seen = label.visibility[place]
    person = Person(label.keypoints[place], seen, label.box, body_area(label.box))
    people = (person,) if label.area > 0 and seen.any() else ()
    return Frame(
        file_name=name,
        width=size[0],
        height=size[1],
        people=people,
        phase=label.phase,
        stature_mm=label.stature_mm,
    )
