"""RTMPose through MMPose (both Apache-2.0): an optional backend, the only file that imports MMPose.

A top-down model: it needs the box of each person. Nothing here downloads or reports anything.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import random
import sys
import types
import warnings
from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any, Union

import numpy as np
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_
from torch.optim.swa_utils import AveragedModel

from fosbury.errors import BadInput
from fosbury.inference.checkpoint import plain_weights, read_checkpoint
from fosbury.inference.crop import PADDING, SPLIT
from fosbury.inference.decode import SIMCC
from fosbury.inference.metadata import MOST_JOINTS, ExportModule, ModelMetadata, skeleton_of
from fosbury.machine import default_threads, usable_device
from fosbury.media.image import read_image
from fosbury.pose import Dataset, Pose
from fosbury.recipe import Recipe
from fosbury.skeleton import Skeleton, normalise
from fosbury.training.batch_norm import recompute_bn_stats
from fosbury.training.checkpoint import write_checkpoint
from fosbury.training.job import TrainingJob
from fosbury.training.progress import Progress
from fosbury.training.run import TrainingRun, checked
from fosbury.training.sampling import focus_repeats
from fosbury.training.schedule import learning_rate, moving_average

COCO_TOOLS = ("", ".coco", ".cocoeval", ".mask")
"""Modules of xtcocotools that MMPose imports."""


class _Uncompiled(types.ModuleType):
    """Stands for ``mmcv._ext``, the compiled operators that mmcv-lite leaves out and RTMPose does not need."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def missing(*_: Any, **__: Any) -> None:
            raise RuntimeError(f"mmcv-lite has no compiled operator {name!r}")

        return missing


def _import_mmpose() -> types.ModuleType:
    """Import MMPose beside mmcv-lite, and without MMDetection and a C compiler.

    ``mmpose.models`` imports ``mmcv.ops`` and ``mmdet.utils`` whether they are needed or not, ``mmpose.datasets``
    xtcocotools, which would have to be compiled, and which nothing here calls: its original, pycocotools, takes its
    place. The stub of the operators goes away again: MMEngine probes for them later.
    """
    from mmengine.config import ConfigDict

    stub = importlib.util.find_spec("mmcv._ext") is None
    if stub:
        sys.modules["mmcv._ext"] = _Uncompiled("mmcv._ext")
    if "mmdet" not in sys.modules and importlib.util.find_spec("mmdet") is None:
        package: Any = types.ModuleType("mmdet")
        utils: Any = types.ModuleType("mmdet.utils")
        package.__path__ = []
        utils.ConfigType, utils.reduce_mean, package.utils = Union[ConfigDict, dict], lambda value: value, utils  # noqa: UP007
        sys.modules |= {"mmdet": package, "mmdet.utils": utils}
    if importlib.util.find_spec("xtcocotools") is None:
        for part in COCO_TOOLS:
            sys.modules[f"xtcocotools{part}"] = importlib.import_module(f"pycocotools{part}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for part in ("models", "datasets"):
                importlib.import_module(f"mmpose.{part}")
    finally:
        if stub:
            del sys.modules["mmcv._ext"]
    return sys.modules["mmpose"]


mmpose = _import_mmpose()

from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from mmpose.models import build_pose_estimator

# Of MMPose's code, on every pass.
warnings.filterwarnings("ignore", message=r".*torch\.cuda\.amp\.autocast", category=FutureWarning)

LICENCE = "Apache-2.0"
KIND = "rtmpose"
CONFIGS = Path(str(mmpose.__file__)).parent / ".mim/configs/body_2d_keypoint/rtmpose/coco"
ARCHITECTURES = {f"rtmpose-{size}": f"rtmpose-{size}_8xb256-420e_coco-256x192.py" for size in "tsm"}
INPUT = (256, 192)  # height and width in pixels, of all of them
BATCH = 32  # crops in one forward pass of prediction
SAMPLE = 128  # pictures that batch-norm statistics are taken from
KEPT = 2 << 30  # bytes of decoded pictures in memory; the others are read again each epoch
CLIP = 35.0  # largest norm of the gradient, as in MMPose's body8 recipes for RTMPose
LOWER = ("hip", "knee", "ankle", "heel", "foot", "toe")


class RtmPose:
    """An RTMPose checkpoint that answers ``PoseModel``, given the boxes of the people.

    Parameters
    ----------
    path : Path
        A file of this project (``.pt``), or one of MMPose (``.pth``).
    skeleton : Skeleton, optional
        Its joints, where the file does not name them.
    image_size : int or (int, int), optional
        Not used: the input is 256 high and 192 wide.
    confidence : float
        Not used: it answers for every box.

    Raises
    ------
    BadInput
        If the file is not such a checkpoint, or its joints are not known.
    """

    licence = LICENCE
    needs_boxes = True
    temperature = None

    def __init__(
        self,
        path: Path,
        skeleton: Skeleton | None = None,
        image_size: int | tuple[int, int] | None = None,
        confidence: float = 0.05,
        *,
        device: str | None = None,
    ):
        network, self.skeleton, self.architecture = load_network(path, skeleton)
        self.input_size = INPUT
        self.device = device or usable_device()
        self.forward = _Forward(network).to(self.device).eval()

    def predict(self, images: Sequence[np.ndarray], boxes: Sequence[np.ndarray] | None = None) -> list[list[Pose]]:
        """Find the joints of the person in each box; see ``PoseModel.predict``."""
        forward = partial(_run, self.forward, self.device)
        return SIMCC.predict(images, boxes, forward, size=INPUT, joints=len(self.skeleton), batch=BATCH)


def open_model(
    path: Path,
    skeleton: Skeleton | None = None,
    image_size: int | tuple[int, int] | None = None,
    confidence: float = 0.05,
) -> RtmPose:
    """Open a checkpoint; see ``backends.Backend``."""
    return RtmPose(path, skeleton, image_size, confidence)


class _Forward(nn.Module):
    """The network between RGB in [0, 1] and its two distributions, side by side."""

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, network: Any):
        super().__init__()
        self.network: Any = network
        self.register_buffer("mean", network.data_preprocessor.mean.view(1, 3, 1, 1) / 255, persistent=False)
        self.register_buffer("scale", 255 / network.data_preprocessor.std.view(1, 3, 1, 1), persistent=False)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) in, (B, K, SPLIT * (W + H)) out."""
        features = self.network.backbone((pictures - self.mean) * self.scale)
        return torch.cat(self.network.head(features), dim=-1)


def _run(forward: nn.Module, device: str, batch: np.ndarray) -> np.ndarray:
    torch.set_num_threads(default_threads())
    with torch.inference_mode():
        return forward(torch.from_numpy(batch).to(device)).float().cpu().numpy()


def build_network(architecture: str, joints: int) -> nn.Module:
    """Build an RTMPose network as MMPose's configuration describes it, with weights at random.

    Parameters
    ----------
    architecture : str
        One of ``ARCHITECTURES``.
    joints : int

    Raises
    ------
    BadInput
        If it is not known.
    """
    if architecture not in ARCHITECTURES:
        raise BadInput("model.architecture", f"is '{architecture}'", f"choose one of {', '.join(ARCHITECTURES)}")
    model = Config.fromfile(CONFIGS / ARCHITECTURES[architecture]).model
    model.backbone.update(_scope_="mmpose", init_cfg=None, norm_cfg={"type": "BN"})
    model.head.out_channels = joints
    init_default_scope("mmpose")
    network = build_pose_estimator(model)
    MMLogger.get_current_instance().setLevel(logging.ERROR)
    network.init_weights()
    return network


def load_network(path: Path, skeleton: Skeleton | None = None) -> tuple[nn.Module, Skeleton, str]:
    """Read a checkpoint.

    Parameters
    ----------
    path : Path
    skeleton : Skeleton, optional
        Its joints, where the file does not name them: MMPose's do not. Such a file with 17 joints has COCO's.

    Returns
    -------
    network : nn.Module
        In float32 and evaluation mode.
    skeleton : Skeleton
    architecture : str

    Raises
    ------
    BadInput
        If it is absent, damaged, holds anything but tensors and plain values, or is no RTMPose network.
    """
    path = Path(path)
    hint = "give a checkpoint of RTMPose (.pt, .pth), or fetch the official one again"
    content = read_checkpoint(path, hint)
    weights = plain_weights(content.get("state_dict"), path, hint)
    about = content.get("fosbury")
    about = about if isinstance(about, dict) else {}
    last = weights.get("head.final_layer.weight")
    joints = last.shape[0] if last is not None and last.dim() else 0
    if not 0 < joints <= MOST_JOINTS:
        raise BadInput(path, f"predicts {joints} joints", f"give a model of 1 to {MOST_JOINTS} joints")
    named = about.get("architecture")
    for architecture in ARCHITECTURES if named is None else [name for name in ARCHITECTURES if name == named]:
        network = build_network(architecture, joints)
        blank = network.state_dict()
        if blank.keys() == weights.keys() and all(blank[name].shape == weights[name].shape for name in blank):
            network.load_state_dict(weights)
            return network.eval(), skeleton_of(path, joints, about, skeleton), architecture
    raise BadInput(path, f"does not hold the weights of {', '.join(ARCHITECTURES)} at 256 x 192", hint)


def save_network(weights: Mapping[str, torch.Tensor], architecture: str, path: Path, skeleton: Skeleton) -> None:
    """Write weights so that the same state gives the same bytes.

    In half precision, and nothing but tensors and plain values.
    """
    half = {
        name: (value.half() if value.is_floating_point() else value).contiguous() for name, value in weights.items()
    }
    about = {"kind": KIND, "architecture": architecture, "skeleton": skeleton.to_mapping()}
    write_checkpoint({"state_dict": half, "fosbury": about, "license": LICENCE}, path)


def _start_from(network: nn.Module, skeleton: Skeleton, weights: Path) -> None:
    """Take over weights; the rows of the joints' layer by the names of the joints, at random where one is new."""
    given, joints, _ = load_network(weights, skeleton)
    state, blank = given.state_dict(), network.state_dict()
    if state.keys() != blank.keys() or any(
        state[name].shape[1:] != blank[name].shape[1:] for name in blank if state[name].dim()
    ):
        raise BadInput(weights, "holds another network than model.architecture", "choose the model that it is of")
    place = torch.from_numpy(skeleton.match(joints.joints))
    for name in ("head.final_layer.weight", "head.final_layer.bias"):
        rows = blank[name].clone()
        rows[place >= 0] = state[name][place[place >= 0]]
        state[name] = rows
    network.load_state_dict(state)


class _Occlusion:
    """A patch of one colour over part of the input, where chance will have it."""

    def __init__(self, probability: float):
        self.probability = probability

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        if np.random.random() < self.probability:
            height, width = results["img"].shape[:2]
            tall, wide = (np.random.uniform(0.2, 0.4, 2) * (height, width)).astype(int)
            top, left = np.random.randint(height - tall), np.random.randint(width - wide)
            results["img"][top : top + tall, left : left + wide] = np.random.randint(0, 256, 3)
        return results


def _augmentation(recipe: Recipe, codec: Mapping[str, Any], halves: bool) -> Compose:
    """MMPose's training pipeline for RTMPose with the strengths of the recipe; ``halves``: there are two of a body."""
    init_default_scope("mmpose")
    return Compose(
        [
            {"type": "GetBBoxCenterScale", "padding": PADDING},
            {"type": "RandomFlip", "direction": "horizontal", "prob": float(recipe.fliplr)},
            *([{"type": "RandomHalfBody", "prob": recipe.rtmpose.half_body}] if halves else []),
            {
                "type": "RandomBBoxTransform",
                "shift_factor": recipe.translate,
                "scale_factor": (1 - recipe.scale, 1 + recipe.scale),
                "rotate_factor": recipe.degrees,
                "rotate_prob": 1.0,
            },
            {"type": "TopdownAffine", "input_size": INPUT[::-1]},
            {
                "type": "YOLOXHSVRandomAug",
                "hue_delta": round(180 * recipe.hsv_h),
                "saturation_delta": round(60 * recipe.hsv_s),
                "value_delta": round(75 * recipe.hsv_v),
            },
            _Occlusion(recipe.rtmpose.erasing),
            {"type": "GenerateTarget", "encoder": codec},
        ]
    )


class _Crops(torch.utils.data.Dataset):
    """Augmented crops of the labelled people.

    Chance depends on seed, epoch and place only, so that a run that was killed goes on as if it had not been, whatever
    the number of workers.
    """

    def __init__(self, dataset: Dataset, root: Path, recipe: Recipe, codec: Mapping[str, Any], seed: int, focus: str):
        repeats = focus_repeats(dataset, recipe.oversample_arch, focus)
        self.places = [
            (frame, person)
            for frame in dataset.frames
            for person in frame.people
            if person.training_weights.any()
            for _ in range(repeats[frame.file_name])
        ]
        lower = [any(word in normalise(joint) for word in LOWER) for joint in dataset.skeleton.joints]
        self.about = {
            "flip_indices": list(dataset.skeleton.flip_index),
            "lower_body_ids": [index for index, below in enumerate(lower) if below],
            "upper_body_ids": [index for index, below in enumerate(lower) if not below],
        }
        self.root, self.seed, self.epoch = root, seed, 0
        self.pictures: dict[str, np.ndarray] = {}
        self.bytes_left = KEPT
        self.augment = _augmentation(recipe, codec, any(lower) and not all(lower))

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, ...]:
        frame, person = self.places[index]
        picture = self._picture(frame.file_name)
        chance = np.random.SeedSequence([self.seed, self.epoch, index]).generate_state(1)[0]
        np.random.seed(chance)
        random.seed(int(chance))
        weights = person.training_weights
        seen = weights > 0
        # Labels of pixel edges to MMPose's pixel centres: see fosbury.inference.crop.
        results = self.augment(
            {
                "img": picture.copy(),
                "img_shape": picture.shape[:2],
                "bbox": (person.box[None] - 0.5).astype(np.float32),
                "bbox_score": np.ones(1, dtype=np.float32),
                "keypoints": np.where(seen[:, None], person.keypoints - 0.5, 0.0)[None].astype(np.float32),
                "keypoints_visible": np.stack([seen, weights], axis=-1)[None].astype(np.float32),
                **self.about,
            }
        )
        pixels = np.ascontiguousarray(results["img"].transpose(2, 0, 1), dtype=np.float32) / 255
        along_x, along_y, inside = (
            results[name][0] for name in ("keypoint_x_labels", "keypoint_y_labels", "keypoint_weights")
        )
        targets = along_x, along_y, inside * results["keypoints_visible_weights"][0]
        return torch.from_numpy(pixels), *(torch.from_numpy(np.asarray(target, np.float32)) for target in targets)

    def _picture(self, name: str) -> np.ndarray:
        if name in self.pictures:
            return self.pictures[name]
        picture = read_image(self.root / name)
        self.bytes_left -= picture.nbytes
        if self.bytes_left >= 0:
            self.pictures[name] = picture
        return picture


def _optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW without decay of biases and norms, as MMPose configures it for RTMPose."""
    decayed = [parameter for parameter in network.parameters() if parameter.dim() > 1]
    plain = [parameter for parameter in network.parameters() if parameter.dim() <= 1]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=recipe.lr0)


def finetune(job: TrainingJob) -> Path:
    """Fine-tune RTMPose, or train it from scratch, on the labelled boxes; see ``backends.Backend``.

    The input is 256 x 192, whatever the recipe's ``image_size``. ``translate`` is a share of the crop, for three crops
    in ten. From scratch, or from weights of pictures of another kind, it needs ``aux_grid_loss``.
    """
    device = usable_device()
    job = checked(job, KIND, device)
    recipe, skeleton = job.recipe, job.train.skeleton
    torch.manual_seed(job.seed)
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
    torch.set_num_threads(default_threads())
    network = build_network(job.architecture, len(skeleton))
    codec = dict(Config.fromfile(CONFIGS / ARCHITECTURES[job.architecture]).codec)
    if job.weights is not None:
        _start_from(network, skeleton, job.weights)
    run = TrainingRun(job)
    crops = _Crops(run.shown, job.root, recipe, codec, job.seed, job.focus)
    if not len(crops):
        raise BadInput("split 'train'", "has no labelled joint", "label more clips or change split ratios")
    if job.weights is not None and recipe.recompute_bn_stats:
        _recompute_bn_stats(network, crops)
    forward = _Forward(network)
    forward.to(torch.device(device), memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = moving_average(forward)
    optimizer = _optimizer(forward, recipe)
    if run.resumed is not None:
        forward.load_state_dict(run.resumed["model"])
        average.load_state_dict(run.resumed["average"])
        optimizer.load_state_dict(run.resumed["optimizer"])
    progress = run.start_progress(-(-len(crops) // recipe.batch))
    boxes = [frame.boxes for frame in run.selection.dataset.frames]
    for epoch in range(run.next_epoch, recipe.epochs):
        loss = _epoch(forward, average, optimizer, crops, job=job, epoch=epoch, device=device, progress=progress)
        predict = partial(_run, average.module.eval(), device)
        found = SIMCC.predict(run.selection.images, boxes, predict, size=INPUT, joints=len(skeleton), batch=BATCH)
        scores = run.score(found, average.module.network.state_dict)
        row = {"epoch": epoch + 1, "pose_loss": loss, "lr": learning_rate(recipe, epoch + 1), **scores}
        state = {
            "model": forward.state_dict(),
            "average": average.state_dict(),
            "optimizer": optimizer.state_dict(),
        }
        run.end_epoch(row, state)
    run.finish(lambda best: save_network(best, job.architecture, job.out, skeleton))
    return job.out


def _recompute_bn_stats(network: nn.Module, crops: _Crops) -> None:
    count = min(SAMPLE, len(crops))
    chosen = np.linspace(0, len(crops) - 1, count).round().astype(int)
    whole = _Forward(network)
    recompute_bn_stats(
        whole, (torch.stack([crops[i][0] for i in chosen[first : first + BATCH]]) for first in range(0, count, BATCH))
    )


def _epoch(
    forward: _Forward,
    average: AveragedModel,
    optimizer: torch.optim.Optimizer,
    crops: _Crops,
    *,
    job: TrainingJob,
    epoch: int,
    device: str,
    progress: Progress,
) -> float:
    """Train for one pass over the crops; return the mean loss of a crop."""
    recipe = job.recipe
    cells: list[torch.Tensor] = []
    watch = forward.network.head.final_layer.register_forward_hook(lambda module, given, answer: cells.append(answer))
    crops.epoch = epoch
    order = torch.Generator().manual_seed(int(np.random.SeedSequence([job.seed, epoch]).generate_state(1)[0]))
    loader = torch.utils.data.DataLoader(crops, recipe.batch, shuffle=True, generator=order)
    criterion = forward.network.head.loss_module
    across = round(INPUT[1] * SPLIT)
    forward.train()
    if recipe.freeze_batch_norm:
        for layer in forward.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.eval()
    total, seen = 0.0, 0
    for step, batch in enumerate(loader):
        pictures, along_x, along_y, labelled = (part.to(device) for part in batch)
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(recipe, epoch + step / len(loader))
        with torch.autocast(device.partition(":")[0], torch.bfloat16, enabled=bool(recipe.bfloat16)):
            answer = forward(pictures)
        answer = answer.float()
        loss = criterion((answer[..., :across], answer[..., across:]), (along_x, along_y), labelled)
        if recipe.rtmpose.aux_grid_loss:
            loss = loss + recipe.rtmpose.aux_grid_loss * _aux_grid_loss(cells[-1].float(), along_x, along_y, labelled)
        cells.clear()
        optimizer.zero_grad()
        loss.backward()
        clip_grad_norm_(forward.parameters(), CLIP)
        optimizer.step()
        average.update_parameters(forward)
        total += float(loss.detach())  # MMPose sums over the crops of a batch
        seen += len(pictures)
        progress.step(total / seen)
    watch.remove()
    return total / len(crops)


def _aux_grid_loss(
    cells: torch.Tensor, along_x: torch.Tensor, along_y: torch.Tensor, labelled: torch.Tensor
) -> torch.Tensor:
    """Compute the cross entropy of the cell of the last feature map that each labelled joint lies in.

    The map has the shape (B, K, 8, 6); the loss is summed over the crops of a batch.

    Two distributions along the edges teach the backbone little while they are still the same for every picture: from
    scratch RTMPose stays on that plateau for many thousand pictures. The map that they are made from has a place for
    every joint, and learns it soon.
    """
    rows, columns = cells.shape[-2:]
    column = along_x.argmax(-1) * columns // along_x.shape[-1]
    row = along_y.argmax(-1) * rows // along_y.shape[-1]
    loss = nn.functional.cross_entropy(
        cells.flatten(0, 1).flatten(1), (row * columns + column).flatten(), reduction="none"
    ).view_as(labelled)
    return (loss * labelled).mean(1).sum()


def export_module(path: Path, image_size: tuple[int, int] | None = None) -> ExportModule:
    """Give a checkpoint ready to be traced; see ``backends.Backend``. The input is 256 x 192, whatever is asked for."""
    network, skeleton, _ = load_network(path)
    module = _Forward(deepcopy(network)).eval()
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    return ExportModule(module, torch.zeros(1, 3, *INPUT), ModelMetadata(skeleton, LICENCE, decoder=SIMCC))
