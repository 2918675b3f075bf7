"""Training crops for a network that is shown one person in a square and answers with points."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import torch

from fosbury.inference.landmarks import PADDING, SquareCrop
from fosbury.inference.rotated_crop import lean
from fosbury.media.image import read_image
from fosbury.pose import Dataset, Person, midpoint
from fosbury.recipe import Recipe
from fosbury.training.sampling import focus_repeats

KEPT = 2 << 30  # bytes of decoded pictures in memory; the others are read again each epoch
RIGHT = math.sqrt(2 * math.log(2))  # distance at which the similarity of a joint is 0.5, in its standard deviations


class Squares(torch.utils.data.Dataset):
    """Augmented squares around the labelled people, as ``inference.landmarks`` cuts them.

    Chance depends on seed, epoch and place only, so that a run that was killed goes on as if it had not been.

    Parameters
    ----------
    dataset : Dataset
        File names are relative to ``root``.
    root : Path
    recipe : Recipe
        Its rotation, translation (a share of the square's side), zoom, mirroring and colours.
    size : (int, int)
        Height and width of the network's input.
    focus : str
        The phase of interest, which ``oversample_arch`` is about.
    around : str
        ``upright``: the labelled trunk stands upright before the rotation; ``picture``: as the picture has it.
    seed : int

    Attributes
    ----------
    epoch : int
        To be set before each pass.
    """

    def __init__(
        self, dataset: Dataset, root: Path, recipe: Recipe, *, size: tuple[int, int], focus: str, around: str, seed: int
    ):
        repeats = focus_repeats(dataset, recipe.oversample_arch, focus)
        self.places = [
            (frame.file_name, person)
            for frame in dataset.frames
            for person in frame.people
            if person.training_weights.any()
            for _ in range(repeats[frame.file_name])
        ]
        self.skeleton, self.recipe, self.size, self.around = dataset.skeleton, recipe, size, around
        self.root, self.seed, self.epoch = root, seed, 0
        self.pictures: dict[str, np.ndarray] = {}
        self.bytes_left = KEPT

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, ...]:
        """Pixels (3, H, W); points (K, 2), weight (K,) and distance (K,) up to which a joint is right, in pixels."""
        name, person = self.places[index]
        chance = np.random.default_rng([self.seed, self.epoch, index])
        crop, scale = self._square(person, chance)
        pixels = _recoloured(crop.warp(self._picture(name)), self.recipe, chance)
        if self.recipe.blazepose.erasing and chance.random() < self.recipe.blazepose.erasing:
            pixels = _erased(pixels, chance)
        weight, points = person.training_weights, np.nan_to_num(crop.points(person.keypoints))
        reach = RIGHT * 2 * self.skeleton.sigmas * np.sqrt(person.area) * scale
        if chance.random() < self.recipe.fliplr:
            order = self.skeleton.flip_index
            pixels, points = pixels[:, ::-1], (points * (-1, 1) + (self.size[1], 0))[order]
            weight, reach = weight[order], reach[order]
        picture = np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32) / 255
        return torch.from_numpy(picture), *(
            torch.from_numpy(part.astype(np.float32)) for part in (points, weight, reach)
        )

    def _square(self, person: Person, chance: np.random.Generator) -> tuple[SquareCrop, float]:
        """Lay a square around a person by chance; say how many pixels of it one of the picture is."""
        recipe = self.recipe
        longer = max(float((person.box[2:] - person.box[:2]).max()), 1.0)
        zoom = chance.uniform(1 - recipe.scale, 1 + recipe.scale)
        side = longer * PADDING * zoom
        box = person.box + np.tile(chance.uniform(-recipe.translate, recipe.translate, 2) * side, 2)
        angle = math.radians(chance.uniform(-recipe.degrees, recipe.degrees))
        if self.around == "upright":
            angle += lean(person.keypoints, self.skeleton)
        elif (share := recipe.blazepose.upright_share) and chance.random() < share and self._has_trunk(person):
            sway = math.radians(chance.uniform(-1, 1) * recipe.blazepose.upright_degrees)
            angle = lean(person.keypoints, self.skeleton) + sway
        return SquareCrop.around(box, self.size, PADDING * zoom, angle), min(self.size) / side

    def _has_trunk(self, person: Person) -> bool:
        return bool(np.isfinite([midpoint(person.keypoints, end) for end in self.skeleton.trunk]).all())

    def _picture(self, name: str) -> np.ndarray:
        if name in self.pictures:
            return self.pictures[name]
        picture = read_image(self.root / name)
        self.bytes_left -= picture.nbytes
        if self.bytes_left >= 0:
            self.pictures[name] = picture
        return picture


def _erased(picture: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """Hide a patch of 0.12 to 0.35 of each side."""
    height, width = picture.shape[:2]
    tall, wide = (chance.uniform(0.12, 0.35, 2) * (height, width)).astype(int)
    top, left = chance.integers(height - tall), chance.integers(width - wide)
    picture = picture.copy()
    picture[top : top + tall, left : left + wide] = chance.integers(0, 256, 3)
    return picture


def _recoloured(picture: np.ndarray, recipe: Recipe, chance: np.random.Generator) -> np.ndarray:
    """Change hue, saturation and value of an RGB picture by up to the shares of the recipe."""
    gains = 1 + chance.uniform(-1, 1, 3) * (recipe.hsv_h, recipe.hsv_s, recipe.hsv_v)
    if (gains == 1).all():
        return picture
    levels = np.arange(256)
    tables = [(levels + 180 * (gains[0] - 1)) % 180, *(np.clip(levels * gain, 0, 255) for gain in gains[1:])]
    channels = cv2.split(cv2.cvtColor(picture, cv2.COLOR_RGB2HSV))
    changed = [cv2.LUT(channel, table.astype(np.uint8)) for channel, table in zip(channels, tables, strict=True)]
    return cv2.cvtColor(cv2.merge(changed), cv2.COLOR_HSV2RGB)
