"""How to fine-tune: the settings that every backend understands, and the choices that all of them share."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from fosbury.pose import Dataset


@dataclass(frozen=True)
class Recipe:
    """Settings of one fine-tuning run.

    Attributes
    ----------
    epochs, batch, image_size : int
        Passes over the training frames, frames in a step, side in pixels of the square training input.
    lr0, lrf : float
        First learning rate (AdamW), and the last as a share of it (cosine in between).
    weight_decay, warmup_epochs : float
    freeze_batch_norm : bool
        Keep the running statistics of batch normalisation as the weights brought them.
    sigma_scale : float
        Factor on the OKS sigmas of the loss at the first epoch, falling geometrically to 1 over the first
        ``sigma_epochs`` share of the run. OKS loss is flat far from the label (1 - exp(-d^2 / 2 s^2 k^2)), so a joint
        that starts on the wrong limb feels no pull; wide sigmas at first give it one.
    sigma_epochs : float
        Share of the epochs after which the sigmas are the skeleton's own.
    pose_gain : float
        Weight of the joint-position loss.
    degrees : float
        Largest rotation, either way, of the augmentation: an inverted athlete is rotated, not mirrored.
    translate, scale, fliplr, hsv_h, hsv_s, hsv_v, mosaic, erasing : float
        Further augmentation, as Ultralytics names it.
    oversample_arch : int
        How often an epoch shows each arch frame of the training split.
    frozen_layers : int
        Number of layers, from the input, whose weights stay as they are.
    """

    epochs: int
    batch: int
    image_size: int
    lr0: float
    lrf: float = 0.02
    weight_decay: float = 0.0005
    warmup_epochs: float = 0.5
    freeze_batch_norm: bool = False
    sigma_scale: float = 1.0
    sigma_epochs: float = 0.7
    pose_gain: float = 12.0
    degrees: float = 180.0
    translate: float = 0.1
    scale: float = 0.3
    fliplr: float = 0.5
    hsv_h: float = 0.015
    hsv_s: float = 0.5
    hsv_v: float = 0.4
    mosaic: float = 0.0
    erasing: float = 0.0
    oversample_arch: int = 1
    frozen_layers: int = 0

    def sigma_factor(self, epoch: int) -> float:
        """Factor on the sigmas of the loss in ``epoch`` (from 0)."""
        span = self.sigma_epochs * self.epochs
        progress = min(1.0, epoch / span) if span > 0 else 1.0
        return self.sigma_scale ** (1.0 - progress)


def arch_repeats(dataset: Dataset, times: int) -> dict[str, int]:
    """How often each frame is shown in an epoch.

    Parameters
    ----------
    dataset : Dataset
    times : int
        For frames of the arch; every other frame is shown once.

    Returns
    -------
    dict of str to int
        By ``file_name``.
    """
    return {frame.file_name: times if frame.phase == "arch" else 1 for frame in dataset.frames}


def selection_frames(dataset: Dataset) -> Dataset:
    """The frames whose pose error chooses the checkpoint: those of the arch, or all where there is none."""
    arch = [frame.phase == "arch" for frame in dataset.frames]
    return dataset.where(arch) if any(arch) else dataset


def run_key(recipe: Recipe, seed: int, *files: Path) -> str:
    """Digest of everything that decides a training run, so that only the very same run is resumed.

    Parameters
    ----------
    recipe : Recipe
    seed : int
    *files : Path
        Files whose contents matter: labels, starting weights.

    Returns
    -------
    str
        Hexadecimal SHA-256.
    """
    digest = hashlib.sha256(json.dumps([asdict(recipe), seed], sort_keys=True).encode())
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
