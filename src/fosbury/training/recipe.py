"""How to fine-tune: the settings of the backends."""

from __future__ import annotations

from dataclasses import dataclass


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
    recompute_bn_stats : bool
        Before the first step give batch normalisation the statistics of the training pictures, without a change of
        what the network computes: for weights whose own statistics are far from the truth.
    pose_gain : float
        Weight of the joint-position loss.
    bfloat16 : bool
        Forward and backward passes in bfloat16, losses and updates in float32: faster where the processor has
        instructions for it (avx512_bf16, amx), slower where it has none.
    degrees : float
        Largest rotation, either way, of the augmentation: an inverted athlete is rotated, not mirrored.
    translate, scale, fliplr, hsv_h, hsv_s, hsv_v, mosaic, erasing : float
        Further augmentation, as Ultralytics names it.
    upright_crops : bool
        Show every labelled person once more an epoch, from nearer and turned upright: pictures of the kind that a
        second look meets (``refine.CropRefiner``).
    half_body : float
        Probability that a crop shows the upper or the lower half of a person only; for top-down models.
    aux_grid_loss : float
        Weight of a loss on the last feature map, beside the model's own; for RTMPose, and weights that are far from
        the pictures (0.01 leaves the plateau on which it starts).
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
    recompute_bn_stats: bool = False
    pose_gain: float = 12.0
    bfloat16: bool = False
    degrees: float = 180.0
    translate: float = 0.1
    scale: float = 0.3
    fliplr: float = 0.5
    hsv_h: float = 0.015
    hsv_s: float = 0.5
    hsv_v: float = 0.4
    mosaic: float = 0.0
    erasing: float = 0.0
    upright_crops: bool = False
    half_body: float = 0.0
    aux_grid_loss: float = 0.0
    oversample_arch: int = 1
    frozen_layers: int = 0
