"""What every exported file carries: the skeleton, the input size, the licence, and how to use it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fosbury.errors import BadInput
from fosbury.inference.decode import DECODERS, EXPORT_AGAIN, YOLO, Decoder
from fosbury.skeleton import Skeleton

if TYPE_CHECKING:
    import torch

FORMAT = 1
STRIDE = 32  # sides of the input are multiples of it, where a network leaves them open
LARGEST = 4096  # side in pixels, as in params.yaml
MOST_JOINTS = 1000
CALIBRATED = (
    "Of joints of confidence c, kept between 0.000001 and 0.999999, a share of about 1 / (1 + exp(-ln(c / (1 - c)) / "
    "{})) was right (similarity 0.5) on the validation clips. "
)
# The joints of Ultralytics' official pose weights, which do not name them: COCO's, in COCO's order.
OFFICIAL_JOINTS = (
    *("nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow"),
    *("right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee"),
    *("left_ankle", "right_ankle"),
)


@dataclass(frozen=True, eq=False)
class ModelMetadata:
    """What an exported file says about itself.

    Attributes
    ----------
    skeleton : Skeleton
    licence : str
        SPDX name of the licence of the weights.
    values : int
        Numbers for each joint in the output: x, y and confidence, or x and y only.
    image_size : (int, int) or None
        Height and width of the input that it was exported for.
    decoder : Decoder
        What its output means.
    temperature : float or None
        By which to divide the logit of a joint's confidence, so that it comes near the share of such joints that are
        right; see ``metrics.calibration``. None where nobody fitted it.
    """

    skeleton: Skeleton
    licence: str
    values: int = 3
    image_size: tuple[int, int] | None = None
    decoder: Decoder = YOLO
    temperature: float | None = None

    def entries(self) -> dict[str, str]:
        """Return the metadata of an exported file, in one order always; ``image_size`` has to be set."""
        size = self._size()
        common = {
            "fosbury.format": str(FORMAT),
            "fosbury.licence": self.licence,
            "fosbury.skeleton": json.dumps(self.skeleton.to_mapping(), separators=(",", ":")),
            **({} if self.temperature is None else {"fosbury.temperature": str(self.temperature)}),
            "imgsz": json.dumps(list(size)),
            "kpt_shape": json.dumps([len(self.skeleton), 3]),
        }
        return self.decoder.entries(common)

    def description(self, *, scaled: bool) -> str:
        """Say how to feed an exported file, and how to read its output; ``image_size`` has to be set.

        Parameters
        ----------
        scaled : bool
            Whether the file divides pixels by 255 itself.
        """
        pixels = "any 8-bit picture" if scaled else "pixels divided by 255"
        confidence = "" if self.temperature is None else CALIBRATED.format(self.temperature)
        return self.decoder.description(self.skeleton, self._size(), pixels=pixels, confidence=confidence)

    def check_output(self, shape: tuple[int, ...], size: tuple[int, int], where: str | Path) -> None:
        """Make sure that an output of ``shape``, for an input of ``size``, is what the decoder understands.

        Raises
        ------
        BadInput
            If it is not; ``where`` is the file.
        """
        self.decoder.check_output(shape, where, size=size, joints=len(self.skeleton), values=self.values)

    def _size(self) -> tuple[int, int]:
        if self.image_size is None:
            raise ValueError("the metadata have no image size")
        return self.image_size


@dataclass(frozen=True, eq=False)
class ExportModule:
    """A network ready to be traced, and what the file that it becomes will say about itself.

    Attributes
    ----------
    network : torch.nn.Module
        Takes RGB in [0, 1], shape (1, 3, H, W); gives the raw output that the decoder of the metadata understands.
    example : Tensor, shape (1, 3, H, W)
    metadata : ModelMetadata
    """

    network: torch.nn.Module
    example: torch.Tensor
    metadata: ModelMetadata


def read_entries(given: Mapping[str, str], where: str | Path, skeleton: Skeleton | None = None) -> ModelMetadata:
    """Understand the metadata of an exported file: this project's, or that of a plain Ultralytics export.

    Parameters
    ----------
    given : mapping of str to str
    where : str or Path
        The file, for messages.
    skeleton : Skeleton, optional
        The joints of a file that does not name them; one with 17 joints, where this has another number, has those of
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
    name = given.get("fosbury.head", YOLO.name)
    if name not in DECODERS:
        raise BadInput(where, f"has a head of kind '{name}', which this version does not know", "update fosbury")
    shape = _numbers(given.get("kpt_shape"))
    if given.get("task", "pose") != "pose" or shape is None or shape[1] not in (2, 3) or shape[0] > MOST_JOINTS:
        raise BadInput(where, "is not a pose model that this project can read", another)
    if "imgsz" in given and _numbers(given["imgsz"]) is None:
        raise BadInput(where, f"says that its image size is {given['imgsz'][:40]!r}", EXPORT_AGAIN)
    if given.get("end2end", "False") == "True":
        raise BadInput(where, "was exported with suppression of overlapping boxes inside", f"{another} without it")
    stored = _stored_skeleton(given, where)
    joints = stored or skeleton
    if stored is None and skeleton is not None and shape[0] == len(OFFICIAL_JOINTS) != len(skeleton):
        joints = official_skeleton(skeleton)
    if joints is None:
        hint = "name its skeleton (--skeleton)"
        raise BadInput(where, f"predicts {shape[0]} joints and does not name them", hint)
    if len(joints) != shape[0]:
        hint = f"name a skeleton of {shape[0]} joints (--skeleton)"
        raise BadInput(where, f"predicts {shape[0]} joints, but skeleton '{joints.name}' has {len(joints)}", hint)
    licence = given.get("fosbury.licence") or ("AGPL-3.0" if "AGPL" in given.get("license", "") else "unknown")
    size, temperature = _numbers(given.get("imgsz")), _temperature(given, where)
    return ModelMetadata(joints, licence, shape[1], size, DECODERS[name], temperature)


def skeleton_of(path: str | Path, joints: int, about: Mapping[str, Any], given: Skeleton | None) -> Skeleton:
    """Return the joints of a checkpoint: what it says itself, else ``given``, else those of official weights.

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
    """Return the skeleton of the official weights, with sigmas taken from ``other`` where it has the joint."""
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


def _stored_skeleton(given: Mapping[str, str], where: str | Path) -> Skeleton | None:
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


def check_size(where: str | Path, size: tuple[int, int], wanted: int | tuple[int, int] | None) -> None:
    """Refuse an image size other than the one a file was exported for, and one that no network of poses has.

    Raises
    ------
    BadInput
    """
    if not all(0 < side <= LARGEST for side in size):
        raise BadInput(where, f"takes pictures of {size[0]} x {size[1]}", f"export it for sides up to {LARGEST}")
    wanted = (wanted, wanted) if isinstance(wanted, int) else wanted
    if wanted is not None and tuple(wanted) != size:
        raise BadInput(
            where,
            f"takes pictures of {size[0]} x {size[1]} (height x width) only, not {wanted[0]} x {wanted[1]}",
            "leave the image size out, or export again with the one you want",
        )
