"""How to fine-tune: the one class of the recipe, in params.yaml as in the training code.

What every backend uses stands at the top of a :class:`Recipe`; what only one uses stands in the section of its name.
``conf/train/base.yaml`` holds the same values as the defaults here.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _multiple_of_32(value: int) -> int:
    if value % 32:
        raise ValueError("should be a multiple of 32")
    return value


Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, le=1e6)]
NotNegative = Annotated[float, Field(ge=0, le=1e6)]
Side = Annotated[int, Field(ge=32, le=4096), AfterValidator(_multiple_of_32)]


class Section(BaseModel):
    """Settings that are checked when they are set, and never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class YoloRecipe(Section):
    """What only YOLO uses.

    Attributes
    ----------
    pose_gain : float
        Weight of the joint-position loss.
    mosaic : float
        Probability of four frames in one.
    frozen_layers : int
        Number of layers, from the input, whose weights stay as they are.
    """

    pose_gain: Positive = 12.0
    mosaic: Share = 0.0
    frozen_layers: Annotated[int, Field(ge=0, le=1000)] = 0


class RtmposeRecipe(Section):
    """What only RTMPose uses.

    Attributes
    ----------
    erasing : float
        Probability that a patch of one colour hides part of a crop.
    half_body : float
        Probability that a crop shows the upper or the lower half of a person only.
    aux_grid_loss : float
        Weight of a loss on the last feature map, beside the model's usual one, for weights that are far from the
        pictures (0.01 leaves the plateau on which training starts).
    """

    erasing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    half_body: Share = 0.0
    aux_grid_loss: NotNegative = 0.0


class BlazeposeRecipe(Section):
    """What only BlazePose uses.

    Attributes
    ----------
    around : 'picture' or 'upright'
        Where a rotation of 0 is: the picture as it is, or turned so that the labelled trunk stands upright, as a second
        look has it. A person without a labelled trunk is turned as the picture is.
    upright_share, upright_degrees : float
        Share of the crops in which the labelled trunk stands upright before a rotation of up to ``upright_degrees``
        takes the place of ``degrees``: a model that is to be asked twice, as the picture is and upright.
    erasing : float
        Probability that a patch of one colour hides part of a crop.
    relative_step : bool or 'channels'
        Let each tensor learn at the rate of ``lr0`` times the root mean square of its weights. The network of the
        .tflite has no batch normalisation left, so that its tensors differ in size by orders of magnitude, and a common
        rate that moves the large ones ruins the small ones. ``channels``: each output channel by its size.
    average : float or None
        Share of the moving average that a step leaves, at most: the average is measured and kept. None: as RTMPose's.
    frozen_layers : int
        Number of convolutions, from the input, whose weights stay as they are.
    head_epochs : int
        Number of epochs, from the first, in which only the last layer learns.
    tolerance : float
        Error, as a share of the crop's side, beyond which the loss of a joint grows slowly: a wrong label counts
        little.
    """

    around: Literal["picture", "upright"] = "picture"
    upright_share: Share = 0.0
    upright_degrees: Annotated[float, Field(ge=0, le=180)] = 40.0
    erasing: Share = 0.0
    relative_step: bool | Literal["channels"] = True
    average: Annotated[float, Field(gt=0, lt=1)] | None = None
    frozen_layers: Annotated[int, Field(ge=0, le=1000)] = 0
    head_epochs: Annotated[int, Field(ge=0, le=10_000)] = 0
    tolerance: Annotated[float, Field(gt=0, le=1)] = 0.03


class Recipe(Section):
    """Settings of one fine-tuning.

    Attributes
    ----------
    name : str
        The file of conf/train; decides nothing.
    epochs, batch : int
        Passes over the training frames, frames in a step.
    image_size : int
        Side in pixels of the square training input, for networks that leave it open. RTMPose's input is 256 x 192,
        BlazePose's 256 x 256.
    lr0, lrf : float
        First learning rate (AdamW), and the last as a share of it (cosine in between).
    weight_decay, warmup_epochs : float
    freeze_batch_norm : bool
        Keep the running statistics of batch normalisation as the weights brought them.
    recompute_bn_stats : bool
        Before the first step give batch normalisation the statistics of the training pictures, without a change of
        what the network computes: for weights whose statistics are far from the truth.
    bfloat16 : bool or 'auto'
        Forward and backward passes in bfloat16, losses and updates in float32: faster where the processor has
        instructions for it (avx512_bf16, amx), slower where it has none. ``auto``: only there.
    degrees : float
        Largest rotation, either way, of the augmentation: an inverted athlete is rotated, not mirrored.
    translate, scale, fliplr, hsv_h, hsv_s, hsv_v : float
        Further augmentation, as Ultralytics names it.
    upright_crops : bool
        Show every labelled person once more an epoch, from nearer and turned upright: pictures of the kind that a
        second look meets (``refine.CropRefiner``).
    oversample_arch : int
        How often an epoch shows each arch frame of the training split.
    yolo, rtmpose, blazepose : Section
        What only that backend uses.
    """

    name: str = ""
    epochs: Annotated[int, Field(ge=1, le=10_000)]
    batch: Annotated[int, Field(ge=1, le=4096)]
    image_size: Side
    lr0: Annotated[float, Field(gt=0, le=1)]
    lrf: Annotated[float, Field(gt=0, le=1)] = 0.02
    weight_decay: NotNegative = 0.0005
    warmup_epochs: NotNegative = 0.5
    freeze_batch_norm: bool = False
    recompute_bn_stats: bool = False
    bfloat16: bool | Literal["auto"] = False
    degrees: Annotated[float, Field(ge=0, le=180)] = 180.0
    translate: Share = 0.1
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.3
    fliplr: Share = 0.5
    hsv_h: Share = 0.015
    hsv_s: Share = 0.5
    hsv_v: Share = 0.4
    upright_crops: bool = False
    oversample_arch: Annotated[int, Field(ge=1, le=1000)] = 1
    yolo: YoloRecipe = YoloRecipe()
    rtmpose: RtmposeRecipe = RtmposeRecipe()
    blazepose: BlazeposeRecipe = BlazeposeRecipe()

    def ignored_by(self, backend: str) -> dict[str, tuple[Any, Any]]:
        """Find what the sections of other backends set: by dotted key the value, and the default it should have."""
        found = {}
        for section, values in self:
            if isinstance(values, Section) and section != backend:
                for key, default in type(values)():
                    if getattr(values, key) != default:
                        found[f"{section}.{key}"] = (getattr(values, key), default)
        return found
