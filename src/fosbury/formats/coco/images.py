"""Images of a COCO file as frames without people."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from fosbury.errors import BadInput
from fosbury.formats.coco.findings import Findings, is_id, number_of
from fosbury.media.files import unsafe_name
from fosbury.media.image import image_size
from fosbury.pose import PHASES, Frame
from fosbury.skeleton import normalise

MAX_SIDE = 100_000
"""Pixels; JPEG ends at 65,535."""
Locate = Callable[[Frame], Path | None]
"""Where a frame's picture ought to lie; None where there is none to check."""


def _nowhere(_: Frame) -> None:
    return None


def locator(images: str | Path | Locate | None) -> Locate:
    """Make a function from a frame to its picture, for any ``images`` that ``read_coco`` takes."""
    if images is None:
        return _nowhere
    if callable(images):
        return images
    folder = Path(images)
    if not folder.is_dir():
        raise BadInput(folder, "is not a folder", "name the folder of the images")
    return lambda frame: folder / frame.file_name


def read_images(entries: list, locate: Locate, wanted: set | None, found: Findings) -> tuple[dict[Any, Frame], set]:
    """Frames by image id, and the ids of images with a problem; files are looked at for ``wanted`` ids only."""
    frames: dict[Any, Frame] = {}
    bad: set = set()
    names: dict[Any, Any] = {}
    for position, entry in enumerate(entries):
        if not isinstance(entry, dict) or not is_id(entry.get("id")):
            found.problem(f"image at position {position} has no id")
            continue
        image_id = entry["id"]
        if image_id in frames or image_id in bad:
            first = frames.pop(image_id, None)
            with_whom = f", as has {first.file_name}" if first else ""
            found.problem(f"image '{entry.get('file_name')}' has id {image_id}{with_whom}: one id, two images")
            bad.add(image_id)
            continue
        problems: list[str] = []
        place = locate if wanted is None or image_id in wanted else _nowhere
        frame = _frame(entry, place, found, problems)
        if frame is None:
            bad.add(image_id)
        else:
            keys = [frame.file_name] + ([(frame.video, frame.frame)] if frame.video and frame.frame is not None else [])
            problems += [f"is listed twice, with ids {names[key]} and {image_id}" for key in keys if key in names][:1]
            names.update(dict.fromkeys(keys, image_id))
        if problems:
            bad.add(image_id)
            label = str(entry.get("file_name"))[:120]
            for problem in problems:
                found.problem(f"image {image_id} ({label!r}): {problem}")
        elif frame is not None:
            frames[image_id] = frame
    return frames, bad


def _frame(entry: Mapping[str, Any], locate: Locate, found: Findings, problems: list[str]) -> Frame | None:
    name = entry.get("file_name")
    if not isinstance(name, str):
        problems.append("has no file_name")
        return None
    reason = unsafe_name(name)
    if reason:
        problems.append(f"file_name {reason}")
        return None
    frame = Frame(
        file_name=PurePosixPath(name).as_posix(),
        width=0,
        height=0,
        **_extras(entry, problems),
    )
    size: list[Any] = [entry.get(key) for key in ("width", "height")]
    stated = all(type(side) in (int, float) and 0 < side <= MAX_SIDE and side % 1 == 0 for side in size)
    absent = all(side is None for side in size)
    if not stated and not absent:
        problems.append(f"has width {size[0]!r} and height {size[1]!r}")
        return frame
    file = locate(frame)
    if file is not None and not file.exists():
        found.missing.append(str(file))
        return None
    try:
        actual = image_size(file) if file is not None else None
    except BadInput as error:
        problems.append(f"{error.problem}; {error.hint}")
        return frame
    if absent and actual is None:
        problems.append("has no width and height")
        return frame
    if absent:
        found.note("image sizes absent, taken from the file", frame.file_name)
    width, height = actual if absent and actual else (int(size[0]), int(size[1]))
    if actual is not None and actual != (width, height):
        turned = " (turned: the labelling tool ignored the EXIF orientation)" if actual == (height, width) else ""
        problems.append(f"is {actual[0]}x{actual[1]} as a file, but {width}x{height} in the labels{turned}")
    return replace(frame, width=width, height=height)


def _extras(entry: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
    extras: dict[str, Any] = {}
    for key in ("video", "group", "source", "label", "description"):
        value = entry.get(key)
        if value is None or value == "":
            continue
        if not isinstance(value, str | int) or isinstance(value, bool):
            problems.append(f"{key} {value!r} is not a name")
            continue
        extras[key] = str(value)
    if "video" in extras and (reason := unsafe_name(extras["video"])):
        problems.append(f"video {reason}")
        del extras["video"]
    frame = entry.get("frame")
    if frame is not None:
        if type(frame) is int and frame >= 0:
            extras["frame"] = frame
        else:
            problems.append(f"frame {frame!r} is not a frame number")
    for key, least in (("timestamp_ms", -math.inf), ("stature_mm", 0.0)):
        value = entry.get(key)
        if value is None:
            continue
        number = number_of(value)
        if number is None or number <= least:
            problems.append(f"{key} {value!r} is not a measure")
        else:
            extras[key] = number
    phase = entry.get("phase")
    if phase is not None and phase != "":
        if isinstance(phase, str) and normalise(phase) in PHASES:
            extras["phase"] = normalise(phase)
        else:
            problems.append(f"phase {phase!r} is none of {', '.join(PHASES)}")
    return extras
