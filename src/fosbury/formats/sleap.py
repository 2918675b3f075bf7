"""SLEAP's labels (``.slp``, an HDF5 file): what a person set, not what its network found.

The layout is that of sleap-io (``sleap_io/io/slp.py``, formats 1.0 to 2.0): ``/metadata`` and ``/videos_json`` hold
JSON, ``/frames``, ``/instances`` and ``/points`` tables of which each points into the next. It is read by h5py alone,
since sleap-io brings readers of many other formats and a network client along.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np

from fosbury.documents import parse_json
from fosbury.errors import BadInput, BadInputs
from fosbury.formats.coco import read_content
from fosbury.formats.coco.images import Locate
from fosbury.formats.content import Content, Joint, check_clips
from fosbury.formats.hdf5 import array, item, opened, texts
from fosbury.formats.layout import LabelFile, bases, path_ends
from fosbury.formats.registry import LabelFormat
from fosbury.formats.sets import VIDEOS
from fosbury.media.video import probe
from fosbury.pose import OCCLUDED, VISIBLE, Dataset, Frame
from fosbury.skeleton import Skeleton

USER = 0
"""``instance_type`` of what a person set; 1 is what a network found."""
CENTRED = 1.1
"""From this format on the middle of the first pixel is 0, 0; before it its corner, as here."""
_HINT = "save it in SLEAP again"
_COLUMNS = {
    "frames": ("video", "frame_idx", "instance_id_start", "instance_id_end"),
    "instances": ("instance_type", "skeleton", "point_id_start", "point_id_end"),
    "points": ("x", "y", "visible"),
}


@dataclass(frozen=True)
class _Video:
    """Names of the pictures of a clip, or that of the clip; and its size where the file knows it."""

    pictures: tuple[str, ...]
    clip: str
    size: tuple[int, int] | None


def read_sleap(
    path: Path,
    skeleton: Skeleton | None = None,
    images: Locate | None = None,
    on_problem: Literal["raise", "drop"] = "raise",
) -> Dataset:
    """Read a ``.slp`` or ``.pkg.slp``; a joint that is not ``visible`` has visibility 1.

    Parameters
    ----------
    path : Path
    skeleton, images, on_problem
        As `formats.registry.Reader` has them; of a clip that states no size the clip must lie beside the labels.

    Raises
    ------
    BadInput, BadInputs
        If it is no such file, holds nothing that a person set, or has a problem that ``read_content`` finds.
    """
    with opened(path) as file:
        described = _attribute(file, path, "metadata")
        version = float(item(file, path, "metadata").attrs.get("format_id", 1.0))
        videos = [_video(file, path, text) for text in texts(array(file, path, "videos_json"))]
        tables = {name: _table(file, path, name) for name in _COLUMNS}
    names, bones = _joints(path, described)
    shift = 0.5 if version >= CENTRED else 0.0
    content = Content(
        joints={f"skeleton {at}" if at else "person": list(each) for at, each in enumerate(names)},
        bones={f"skeleton {at}" if at else "person": each for at, each in enumerate(bones)},
    )
    categories = list(content.joints)
    problems: list[str] = []
    for video, index, start, stop in zip(*tables["frames"], strict=True):
        people = []
        for at in range(int(start), int(stop)):
            kind, of, first, last = (column[at] for column in tables["instances"])
            if kind != USER or not 0 <= of < len(names):
                continue
            x, y, visible = (column[int(first) : int(last)] for column in tables["points"])
            if len(x) != len(names[of]):
                problems.append(f"instance {at} has {len(x)} points for {len(names[of])} joints")
                continue
            people.append((categories[of], _person(names[of], x + shift, y + shift, visible)))
        if not people:
            continue
        problem = _add_frame(int(video), int(index), people, content, videos=videos, path=path, images=images)
        problems += [problem] if problem else []
    if problems and on_problem == "raise":
        raise BadInputs(path, problems, "correct them in SLEAP, or leave them out with 'fosbury import --drop-bad'")
    if not content.people:
        raise BadInput(path, "holds nothing that a person set, only what a network found, or nothing", _HINT)
    if on_problem == "raise":
        check_clips(path, content, images)
    return read_content(content.lists(), path, skeleton, images, on_problem=on_problem)


def _person(joints: tuple[str, ...], x: np.ndarray, y: np.ndarray, visible: np.ndarray) -> dict[str, Joint]:
    placed = np.isfinite(x) & np.isfinite(y)
    return {
        name: (float(x[at]), float(y[at]), VISIBLE if visible[at] else OCCLUDED)
        for at, name in enumerate(joints)
        if placed[at]
    }


def _table(file: Any, path: Path, name: str) -> list[np.ndarray]:
    """Columns of a table, those of `_COLUMNS`."""
    values = array(file, path, name)
    lacking = [column for column in _COLUMNS[name] if column not in (values.dtype.names or ())]
    if lacking:
        raise BadInput(path, f"has no {', '.join(lacking)} in /{name}", _HINT)
    return [values[column] for column in _COLUMNS[name]]


def _attribute(file: Any, path: Path, name: str) -> Any:
    group = item(file, path, name)
    text = None if group is None else group.attrs.get("json")
    if text is None:
        raise BadInput(path, f"has no /{name}, as SLEAP's labels have", _HINT)
    return parse_json(texts(text)[0].encode(), path, _HINT)


def _joints(path: Path, described: Any) -> tuple[list[tuple[str, ...]], list[list[tuple[str, str]]]]:
    """Names of the joints of each skeleton in their order, and its bones."""
    try:
        nodes = [each["name"] for each in described["nodes"]]
        names, bones, seen = [], [], list[int]()
        for each in described["skeletons"]:
            names.append(tuple(str(nodes[node["id"]]) for node in each["nodes"]))
            links = [link for link in each.get("links", ()) if _is_bone(link["type"], seen)]
            bones.append([(str(nodes[link["source"]]), str(nodes[link["target"]])) for link in links])
    except (KeyError, TypeError, IndexError, AttributeError):
        raise BadInput(path, "does not name the joints of its skeleton as SLEAP does", _HINT) from None
    if not names:
        raise BadInput(path, "has no skeleton", _HINT)
    return names, bones


def _is_bone(kind: Any, seen: list[int]) -> bool:
    """Whether a link is a bone (1) rather than two joints that mirror each other (2).

    SLEAP writes either kind out where it comes first and refers to it by its number later; ``seen`` holds them.
    """
    if "py/reduce" in kind:
        seen.append(kind["py/reduce"][1]["py/tuple"][0])
        return seen[-1] == 1
    at = kind.get("py/id", 0)
    return not 1 <= at <= len(seen) or seen[at - 1] == 1


def _video(file: Any, path: Path, text: str) -> _Video:
    """Read what the file says of a clip; of embedded pictures it tells the clip that they come from."""
    said = parse_json(text.encode(), path, _HINT)
    for _ in range(3):  # a package of a package
        backend = said.get("backend") if isinstance(said, dict) else None
        if not isinstance(backend, dict):
            raise BadInput(path, "has a clip without a name", _HINT)
        if backend.get("filename") != ".":
            break
        group = str(backend.get("dataset", "")).removesuffix("/video")
        if item(file, path, f"{group}/source_video") is None:
            raise BadInput(path, "holds its pictures in itself and does not say where they come from", _HINT)
        said = _attribute(file, path, f"{group}/source_video")
    assert isinstance(backend, dict)  # else it was refused above
    pictures = backend.get("filenames") or ()
    name = str(backend.get("filename") or said.get("filename") or "").replace("\\", "/")
    shape = backend.get("shape") or (None, backend.get("height_"), backend.get("width_"), None)
    sides = tuple(shape[1:3]) if isinstance(shape, list | tuple) and len(shape) == 4 else ()
    size = (sides[1], sides[0]) if len(sides) == 2 and all(type(side) is int for side in sides) else None
    return _Video(tuple(str(each).replace("\\", "/") for each in pictures), PurePosixPath(name).name, size)


def _add_frame(
    video: int,
    index: int,
    people: list[tuple[str, dict[str, Joint]]],
    content: Content,
    *,
    videos: list[_Video],
    path: Path,
    images: Locate | None,
) -> str | None:
    """Add a frame with its people; returns what is wrong with it."""
    if not 0 <= video < len(videos):
        return f"frame {index}: is of clip {video}, and there are {len(videos)}"
    said = videos[video]
    if said.pictures:
        if not 0 <= index < len(said.pictures):
            return f"frame {index}: is none of the {len(said.pictures)} pictures of its clip"
        tries = path_ends(said.pictures[index])
        there = ((each, images(Frame(each, 0, 0))) for each in tries) if images is not None else ()
        name = next((each for each, place in there if place and place.is_file()), tries[-1])
        number = content.add_image(name, None if images is not None else said.size)
    else:
        stem = PurePosixPath(said.clip).stem
        size = said.size or _size_of_clip(path, said.clip)
        number = content.add_image(f"{stem}/{index:06d}.png", size, video=said.clip, frame=index)
    for category, joints in people:
        content.add_person(number, joints, None, category)
    return None


def _size_of_clip(path: Path, clip: str) -> tuple[int, int]:
    for folder in (path.parent, path.parent / VIDEOS):
        if (folder / clip).is_file():
            info = probe(folder / clip)
            return info.width, info.height
    raise BadInput(path, f"does not state the size of {clip}", "put the clip beside it")


def _names(path: Path) -> list[str]:
    with opened(path) as file:
        videos = [_video(file, path, text) for text in texts(array(file, path, "videos_json"))]
    return [end for video in videos for name in video.pictures for end in path_ends(name)]


def find_sleap(path: Path) -> list[LabelFile]:
    """Return the labels of a folder, each with the folders that its pictures may lie in."""
    files = [path] if path.is_file() else []
    for base in () if path.is_file() else bases(path):
        files = files or sorted(each for each in base.glob("*.slp") if not each.name.startswith("."))
    return [_label_file(each, alone=len(files) == 1) for each in files]


def _label_file(path: Path, *, alone: bool) -> LabelFile:
    videos = path.parent / VIDEOS
    folders = (path.parent, path.parent / "images", path.absolute().parent.parent)
    return LabelFile(path, folders, videos if videos.is_dir() else path.parent, "" if alone else path.stem)


FORMAT = LabelFormat(
    name="sleap",
    what="SLEAP's labels (.slp)",
    suffixes=(".slp",),
    matches=lambda name, head: True,
    read=read_sleap,
    find=find_sleap,
    names=_names,
)
