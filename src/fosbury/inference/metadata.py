"""What every exported file carries: the skeleton, the input size, the licence, and how to use it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fosbury.errors import BadInput
from fosbury.inference.crop import PADDING, SPLIT
from fosbury.skeleton import Skeleton

FORMAT = 1
STRIDES = (8, 16, 32, 64)
STRIDE = 32  # sides of the input are multiples of it, where a network leaves them open
LARGEST = 4096  # side in pixels, as in params.yaml
MOST_JOINTS = 1000
CALIBRATED = (
    "Of joints of confidence c, kept between 0.000001 and 0.999999, a share of about 1 / (1 + exp(-ln(c / (1 - c)) / "
    "{})) was right (similarity 0.5) on the validation clips. "
)
HEADS = ("yolo", "simcc")  # candidates for a whole picture, or distributions for the crop of one person
EXPORT_AGAIN = "export the checkpoint again"
# The joints of Ultralytics' official pose weights, which do not name them: COCO's, in COCO's order.
OFFICIAL_JOINTS = (
    *("nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow"),
    *("right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee"),
    *("left_ankle", "right_ankle"),
)


@dataclass(frozen=True, eq=False)
class ModelMetadata:
    """What an exported file tells about itself.

    Attributes
    ----------
    skeleton : Skeleton
    licence : str
        SPDX name of the licence of the weights.
    values : int
        Numbers for each joint in the output: x, y and confidence, or x and y only.
    image_size : (int, int) or None
        Height and width of the input that it was exported for.
    head : str
        One of ``HEADS``: what its output means.
    temperature : float or None
        By which to divide the logit of a joint's confidence, so that it comes near the share of such joints that are
        right; see ``metrics.calibration``. None where nobody fitted it.
    """

    skeleton: Skeleton
    licence: str
    values: int = 3
    image_size: tuple[int, int] | None = None
    head: str = "yolo"
    temperature: float | None = None


def entries(
    skeleton: Skeleton,
    image_size: tuple[int, int],
    licence: str,
    head: str = "yolo",
    temperature: float | None = None,
) -> dict[str, str]:
    """Metadata of an exported file, in one order always.

    The keys without a dot are those that Ultralytics reads, so that its own tools take a file with its head too.

    Parameters
    ----------
    skeleton : Skeleton
    image_size : (int, int)
        Height and width of the input.
    licence : str
        SPDX name of the licence of the weights.
    head : str
        One of ``HEADS``.
    temperature : float, optional
        Of the confidence; see ``ModelMetadata``.
    """
    own = {
        "fosbury.format": str(FORMAT),
        "fosbury.licence": licence,
        "fosbury.skeleton": json.dumps(skeleton.to_mapping(), separators=(",", ":")),
        **({} if temperature is None else {"fosbury.temperature": str(temperature)}),
        "imgsz": json.dumps(list(image_size)),
        "kpt_shape": json.dumps([len(skeleton), 3]),
    }
    if head == "simcc":
        return {"fosbury.head": head, **own}
    return {
        "batch": "1",
        "channels": "3",
        "end2end": "False",
        **own,
        "names": "{0: 'person'}",
        "stride": "32",
        "task": "pose",
    }


def description(
    skeleton: Skeleton,
    image_size: tuple[int, int],
    scaled: bool,
    head: str = "yolo",
    temperature: float | None = None,
) -> str:
    """How to feed an exported file, and how to read its answer.

    Parameters
    ----------
    skeleton : Skeleton
    image_size : (int, int)
    scaled : bool
        Whether the file divides pixels by 255 itself.
    head : str
        One of ``HEADS``.
    temperature : float, optional
        Of the confidence; see ``ModelMetadata``.
    """
    height, width = image_size
    pixels = "any 8-bit picture" if scaled else "pixels divided by 255"
    sure = "" if temperature is None else CALIBRATED.format(temperature)
    if head == "simcc":
        across, along = round(SPLIT * width), round(SPLIT * (width + height))
        return (
            f"Finds the {len(skeleton)} joints of one person. Input: RGB, {pixels}, {width} wide and {height} high: "
            f"the person's box, {PADDING} times as large and of the shape of the input, black beyond the picture. "
            f"Output (1, {len(skeleton)}, {along}): for each joint {across} scores along x, then {along - across} "
            f"along y; the place of the largest, divided by {SPLIT:g} and plus 0.5, is the joint in input pixels from "
            f"the corner, and the lesser of the two largest its confidence. {sure}"
            f"Joints in order: {', '.join(skeleton.joints)}."
        )
    return (
        f"Finds people and their {len(skeleton)} joints. Input: RGB, {pixels}, {width} wide and {height} high, the "
        f"picture scaled to fit, centred, the rest grey (114). Output (1, {5 + 3 * len(skeleton)}, N), for each of N "
        "candidates: box centre x, y, width, height, score, then x, y, confidence of each joint, in input pixels. "
        "Keep candidates with a score of at least 0.25 and drop those whose box overlaps a better one by more than "
        f"0.7 (IoU). {sure}Joints in order: {', '.join(skeleton.joints)}."
    )


def read_entries(given: Mapping[str, str], where: str | Path, skeleton: Skeleton | None = None) -> ModelMetadata:
    """Understand the metadata of an exported file: this project's, or that of a plain Ultralytics export.

    Parameters
    ----------
    given : mapping of str to str
    where : str or Path
        The file, for messages.
    skeleton : Skeleton, optional
        The joints of a file that does not tell them; one with 17 joints, where this has another number, has those of
        Ultralytics' official weights.

    Returns
    -------
    ModelMetadata

    Raises
    ------
    BadInput
        If it is no pose model, does its own suppression, or its joints are not known.
    """
    another = "export a YOLO pose model"
    head = given.get("fosbury.head", "yolo")
    if head not in HEADS:
        raise BadInput(where, f"has a head of kind '{head}', which this version does not know", "update fosbury")
    shape = _numbers(given.get("kpt_shape"))
    if given.get("task", "pose") != "pose" or shape is None or shape[1] not in (2, 3) or shape[0] > MOST_JOINTS:
        raise BadInput(where, "is not a pose model that this project can read", another)
    if "imgsz" in given and _numbers(given["imgsz"]) is None:
        raise BadInput(where, f"says that its image size is {given['imgsz'][:40]!r}", EXPORT_AGAIN)
    if given.get("end2end", "False") == "True":
        raise BadInput(where, "was exported with suppression of overlapping boxes inside", f"{another} without it")
    own = _own_skeleton(given, where)
    joints = own or skeleton
    if own is None and skeleton is not None and shape[0] == len(OFFICIAL_JOINTS) != len(skeleton):
        joints = official_skeleton(skeleton)
    if joints is None:
        hint = "name its skeleton (--skeleton)"
        raise BadInput(where, f"predicts {shape[0]} joints and does not name them", hint)
    if len(joints) != shape[0]:
        hint = f"name a skeleton of {shape[0]} joints (--skeleton)"
        raise BadInput(where, f"predicts {shape[0]} joints, but skeleton '{joints.name}' has {len(joints)}", hint)
    licence = given.get("fosbury.licence") or ("AGPL-3.0" if "AGPL" in given.get("license", "") else "unknown")
    return ModelMetadata(joints, licence, shape[1], _numbers(given.get("imgsz")), head, _temperature(given, where))


def skeleton_of(path: str | Path, joints: int, about: Mapping[str, Any], given: Skeleton | None) -> Skeleton:
    """The joints of a checkpoint: what it says itself, else ``given``, else those of official weights.

    Parameters
    ----------
    path : str or Path
        The file, for messages.
    joints : int
        How many it predicts.
    about : mapping
        What this project wrote beside the weights; empty for others' files.
    given : Skeleton, optional

    Raises
    ------
    BadInput
        If it names no joints and ``given`` does not fit.
    """
    if "skeleton" in about:
        return Skeleton.from_mapping(about["skeleton"], where=str(path))
    if given is not None and joints == len(OFFICIAL_JOINTS):
        return given if list(given.match(OFFICIAL_JOINTS)) == list(range(joints)) else official_skeleton(given)
    if given is not None and len(given) == joints:
        return given
    raise BadInput(path, f"predicts {joints} joints and does not name them", "name its skeleton (--skeleton)")


def official_skeleton(other: Skeleton) -> Skeleton:
    """The skeleton of the official weights, with sigmas taken from ``other`` where it has the joint."""
    place = other.match(OFFICIAL_JOINTS)
    sigmas = dict.fromkeys(OFFICIAL_JOINTS, 0.05)
    sigmas |= {OFFICIAL_JOINTS[at]: float(other.sigmas[index]) for index, at in enumerate(place) if at >= 0}
    sides = [[joint, joint.replace("left", "right")] for joint in OFFICIAL_JOINTS if joint.startswith("left")]
    trunk = {f"{part}s": [f"left_{part}", f"right_{part}"] for part in ("shoulder", "hip")}
    mapping = {"name": "coco17", "joints": OFFICIAL_JOINTS, "sigmas": sigmas, "pairs": sides, "trunk": trunk}
    return Skeleton.from_mapping(mapping)


def _temperature(given: Mapping[str, str], where: str | Path) -> float | None:
    text = given.get("fosbury.temperature")
    try:
        value = None if text is None else float(text)
    except ValueError:
        value = 0.0
    if value is not None and not 0 < value < float("inf"):
        raise BadInput(where, f"says that its temperature is '{text}', no number above 0", EXPORT_AGAIN)
    return value


def _own_skeleton(given: Mapping[str, str], where: str | Path) -> Skeleton | None:
    if "fosbury.skeleton" not in given:
        return None
    if given.get("fosbury.format") != str(FORMAT):
        found = given.get("fosbury.format", "none")
        raise BadInput(where, f"has format {found}, and this version reads {FORMAT}", "update fosbury")
    try:
        mapping = json.loads(given["fosbury.skeleton"])
    except (ValueError, RecursionError):
        mapping = None
    if not isinstance(mapping, dict):
        raise BadInput(where, "has a damaged skeleton in its metadata", EXPORT_AGAIN)
    return Skeleton.from_mapping(mapping, where=str(where))


def _numbers(text: str | None) -> tuple[int, int] | None:
    try:
        found: Any = json.loads(text or "")
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, list) or len(found) != 2 or not all(type(n) is int and n > 0 for n in found):
        return None
    return found[0], found[1]


def check_output(shape: tuple[int, ...], about: ModelMetadata, size: tuple[int, int], where: str | Path) -> None:
    """Make sure that an output of ``shape`` is what ``letterbox.decode`` or ``crop.decode_simcc`` takes.

    Raises
    ------
    BadInput
        If it is not the raw output (1, 4 + classes + joints * values, N), or the distributions (1, joints, N), for an
        input of ``size``.
    """
    if about.head == "simcc":
        wanted = (1, len(about.skeleton), round(SPLIT * sum(size)))
        if shape != wanted:
            shown = " x ".join(map(str, shape))
            raise BadInput(where, f"has an output of {shown}, not {' x '.join(map(str, wanted))}", EXPORT_AGAIN)
        return
    cells = [-(-size[0] // stride) * -(-size[1] // stride) for stride in STRIDES]
    least = 5 + len(about.skeleton) * about.values
    if len(shape) != 3 or shape[0] != 1 or shape[1] < least or shape[2] not in (sum(cells[:3]), sum(cells)):
        shown = " x ".join(map(str, shape))
        raise BadInput(
            where, f"has an output of {shown}, not the raw answer of a YOLO pose head", "export it without nms"
        )


def open_size(where: str | Path, size: Any) -> tuple[int, int]:
    """Height and width of the input of a network that takes any.

    Parameters
    ----------
    where : str or Path
        What says so, for messages.
    size : int or (int, int)
        Side, or height and width, in pixels.

    Raises
    ------
    BadInput
        If they are no multiples of ``STRIDE`` from ``STRIDE`` to ``LARGEST``.
    """
    sides = tuple(size) if isinstance(size, (list, tuple)) else (size, size)
    if len(sides) != 2 or not all(type(side) is int and 0 < side <= LARGEST and side % STRIDE == 0 for side in sides):
        shown = f"{size}"[:40]
        raise BadInput(where, f"has image size {shown}", f"choose a multiple of {STRIDE} up to {LARGEST}")
    return sides


def check_size(where: str | Path, own: tuple[int, int], wanted: int | tuple[int, int] | None) -> None:
    """Refuse an image size other than the one a file was exported for, and one that no network of poses has.

    Raises
    ------
    BadInput
    """
    if not all(0 < side <= LARGEST for side in own):
        raise BadInput(where, f"takes pictures of {own[0]} x {own[1]}", f"export it for sides up to {LARGEST}")
    wanted = (wanted, wanted) if isinstance(wanted, int) else wanted
    if wanted is not None and tuple(wanted) != own:
        raise BadInput(
            where,
            f"takes pictures of {own[0]} x {own[1]} (height x width) only, not {wanted[0]} x {wanted[1]}",
            "leave the image size out, or export again with the one you want",
        )
