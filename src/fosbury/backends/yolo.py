"""YOLO11-pose through Ultralytics: an optional backend.

Ultralytics' code and weights are AGPL-3.0; this file is the only one that imports them, so that the rest of the
project can be used without. Nothing here downloads, installs, or reports anything.

Ultralytics' pixel convention is that of ``fosbury.pose``: labels are divided by width and height as they are.
"""

from __future__ import annotations

import atexit
import os
import random
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

os.environ.setdefault("YOLO_OFFLINE", "True")
os.environ.setdefault("YOLO_AUTOINSTALL", "False")
os.environ.setdefault("YOLO_VERBOSE", "False")
if "YOLO_CONFIG_DIR" not in os.environ:
    # Ultralytics keeps settings there; a private folder for each process, so that nobody else's are read.
    os.environ["YOLO_CONFIG_DIR"] = tempfile.mkdtemp(prefix="fosbury-")
    atexit.register(shutil.rmtree, os.environ["YOLO_CONFIG_DIR"], ignore_errors=True)

import numpy as np
import torch
import ultralytics
from torch import nn
from ultralytics.models.yolo.pose import PoseTrainer
from ultralytics.nn.tasks import PoseModel as YoloModule
from ultralytics.utils import SETTINGS, YAML, callbacks

from fosbury.errors import BadInput, WorkFailed
from fosbury.formats.yolo import write_yolo
from fosbury.inference.checkpoint import Inert, module_weights, plain_weights, read_checkpoint
from fosbury.inference.decode import YOLO
from fosbury.inference.letterbox import Letterbox, network_input
from fosbury.inference.metadata import MOST_JOINTS, ExportModule, ModelMetadata, open_size, skeleton_of
from fosbury.machine import default_threads, usable_device
from fosbury.media.image import read_image
from fosbury.pose import Dataset, Pose
from fosbury.skeleton import Skeleton
from fosbury.training.batch_norm import recompute_bn_stats
from fosbury.training.checkpoint import write_checkpoint
from fosbury.training.job import TrainingJob
from fosbury.training.run import TrainingRun, checked
from fosbury.training.sampling import focus_repeats

LICENCE = "AGPL-3.0"
KIND = "yolo"
PACKAGE = Path(ultralytics.__file__).parent
# Folder, family and scale of the description in Ultralytics' package, and channels of the first layer.
ARCHITECTURES = {
    f"{family}{scale}-pose": (folder, family, scale, channels)
    for folder, family, widths in (("11", "yolo11", (16, 32, 64, 64, 96)), ("v8", "yolov8", (16, 32, 48, 64, 80)))
    for scale, channels in zip("nsmlx", widths, strict=True)
}
JOINTS, CLASSES = "cv4", "cv3"  # branches of the head
MOST_CLASSES = 1000
BATCH = 16  # pictures in one forward pass of prediction
MOSAIC_ENDS = 10  # of so many epochs the last one shows pictures one by one
SAMPLE = 128  # pictures that batch-norm statistics are taken from
LOSSES = ("box_loss", "pose_loss", "kobj_loss", "cls_loss", "dfl_loss")


class YoloPose:
    """A YOLO pose checkpoint that answers ``PoseModel``.

    Parameters
    ----------
    path : Path
        A ``.pt`` file of Ultralytics, official or fine-tuned here; only its numbers are read.
    skeleton : Skeleton, optional
        Its joints, where the file does not name them.
    image_size : int or (int, int), optional
        Side, or height and width, of the square that pictures are letterboxed into; what it was trained with by
        default.
    confidence : float
        Least score of a person.

    Raises
    ------
    BadInput
        If the file is not such a checkpoint, its joints are not known, or the image size does not fit the network.
    """

    licence = LICENCE
    needs_boxes = False
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
        self.module, about = load_module(path)
        self.skeleton = skeleton_of(path, _joints(self.module), about, skeleton)
        self.input_size = open_size(path, image_size or about.get("image_size") or 640)
        self.confidence = confidence
        self.device = device or usable_device()
        self.module.to(self.device).fuse(verbose=False)

    def predict(self, images: Sequence[np.ndarray], boxes: Sequence[np.ndarray] | None = None) -> list[list[Pose]]:
        """Find the people in each RGB image; see ``PoseModel.predict``."""
        return YOLO.predict(
            images,
            boxes,
            lambda batch: _forward(self.module, batch, self.device),
            size=self.input_size,
            joints=len(self.skeleton),
            confidence=self.confidence,
            batch=BATCH,
        )


def open_model(
    path: Path,
    skeleton: Skeleton | None = None,
    image_size: int | tuple[int, int] | None = None,
    confidence: float = 0.05,
) -> YoloPose:
    """Open a checkpoint; see ``backends.Backend``."""
    return YoloPose(path, skeleton, image_size, confidence)


def _forward(module: nn.Module, batch: np.ndarray, device: str) -> np.ndarray:
    """Raw output (B, 5 + 3 K, N) for a batch (B, 3, H, W) of RGB in [0, 1]."""
    torch.set_num_threads(default_threads())
    with torch.inference_mode():
        output = module(torch.from_numpy(batch).to(device))
    output = output[0] if isinstance(output, (tuple, list)) else output
    return output.float().cpu().numpy()


def _joints(module: Any) -> int:
    """How many joints a network predicts."""
    return int(module.model[-1].kpt_shape[0])


def _layout(architecture: str) -> dict[str, Any]:
    """List what a network consists of, as Ultralytics' package describes it.

    The file is named by its place in the package: by its name alone Ultralytics takes one from the working folder
    first, and evaluates what it says.
    """
    if architecture not in ARCHITECTURES:
        raise BadInput("model.architecture", f"is '{architecture}'", f"choose one of {', '.join(ARCHITECTURES)}")
    folder, family, scale, _ = ARCHITECTURES[architecture]
    return YAML.load(PACKAGE / "cfg/models" / folder / f"{family}-pose.yaml") | {"scale": scale}


def load_module(path: Path) -> tuple[YoloModule, dict[str, Any]]:
    """Read a checkpoint: its numbers only, into a network of this project's list of architectures.

    Parameters
    ----------
    path : Path

    Returns
    -------
    module : PoseModel of Ultralytics
        In float32 and evaluation mode.
    about : dict
        What this project wrote beside the weights: ``skeleton``, ``image_size``; empty for others' files.

    Raises
    ------
    BadInput
        If it is absent, damaged, holds anything but a pose model, or a network that is not in the list.
    """
    path = Path(path)
    hint = "give a YOLO pose checkpoint (.pt), or fetch the official one again"
    if not path.is_file():
        raise BadInput(path, "is not there", "check the path, or fetch the weights with `fosbury fetch`")
    checkpoint = read_checkpoint(path, hint)
    stored = checkpoint.get("ema") or checkpoint.get("model")
    found = module_weights(stored)
    if not found:
        raise BadInput(path, "holds no pose model", hint)
    weights = plain_weights(found, path, hint)
    joints, values = _joints_of(weights, Inert.part(stored, "yaml"), path, hint)
    module = _network_of(weights, joints, values)
    if module is None:
        raise BadInput(path, f"holds the weights of none of {', '.join(ARCHITECTURES)}", hint)
    about = checkpoint.get("fosbury") or {}
    return module.float().eval(), about if isinstance(about, dict) else {}


def _rows(weights: Mapping[str, torch.Tensor], branch: str) -> int:
    """Channels of the last layer of a branch of the head, 0 where there is none."""
    ends = [value.shape[0] for name, value in weights.items() if name.endswith(f".{branch}.0.2.weight") and value.dim()]
    return ends[0] if len(ends) == 1 else 0


def _joints_of(weights: Mapping[str, torch.Tensor], layout: Any, path: Path, hint: str) -> tuple[int, int]:
    """Return the number of joints, and of values for each, as the stored description says and the weights confirm."""
    shape = layout.get("kpt_shape") if isinstance(layout, dict) else None
    rows = _rows(weights, JOINTS)
    if (
        not isinstance(shape, (list, tuple))
        or [type(number) for number in shape] != [int, int]
        or shape[1] not in (2, 3)
        or rows == 0
        or shape[0] * shape[1] != rows
    ):
        raise BadInput(path, "holds no pose model", hint)
    if shape[0] > MOST_JOINTS:
        raise BadInput(path, f"predicts {shape[0]} joints", f"give a model of {MOST_JOINTS} joints at most")
    return shape[0], shape[1]


def _network_of(weights: dict[str, torch.Tensor], joints: int, values: int) -> YoloModule | None:
    """Find the network of the list that has exactly these weights; None where there is none."""
    classes, first = _rows(weights, CLASSES), weights.get("model.0.conv.weight")
    if first is None or not 0 < classes <= MOST_CLASSES:
        return None
    for architecture in [name for name, (*_, channels) in ARCHITECTURES.items() if first.shape[:1] == (channels,)]:
        with torch.random.fork_rng(devices=[]):
            module = YoloModule(_layout(architecture), ch=3, nc=classes, data_kpt_shape=(joints, values), verbose=False)
        state = module.state_dict()
        if state.keys() == weights.keys() and all(state[name].shape == weights[name].shape for name in state):
            module.load_state_dict(weights)
            return module
    return None


def save_module(module: YoloModule, path: Path, skeleton: Skeleton, image_size: int) -> None:
    """Write weights so that the same state gives the same bytes: no clock, path, host, or training arguments.

    The file stays a checkpoint that Ultralytics reads. Weights are stored in half precision.
    """
    # A module built afresh, so that nothing which training left on the old one reaches the file.
    clean: Any = YoloModule(deepcopy(module.yaml), ch=3, nc=1, data_kpt_shape=(len(skeleton), 3), verbose=False)
    clean.load_state_dict(module.state_dict())
    clean.names = {0: "person"}
    clean.args = {"task": "pose", "imgsz": image_size}
    clean.task = "pose"
    clean.criterion = None
    clean.yaml.pop("yaml_file", None)
    clean = clean.half().eval()
    for parameter in clean.parameters():
        parameter.requires_grad_(False)
    content = {
        "model": clean,
        "train_args": {"task": "pose", "imgsz": image_size},
        "license": LICENCE,
        "fosbury": {"skeleton": skeleton.to_mapping(), "image_size": image_size},
    }
    write_checkpoint(content, path)


class _NarrowModule(YoloModule):
    """``Recipe.bfloat16``: the training pass in bfloat16; what comes out, and every other pass, in float32."""

    def predict(self, x: torch.Tensor, *args: Any, **options: Any) -> Any:
        if not self.training:
            return super().predict(x, *args, **options)
        with torch.autocast(x.device.type, torch.bfloat16):
            return _widened(super().predict(x.contiguous(memory_format=torch.channels_last), *args, **options))


def _widened(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _widened(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_widened(item) for item in value)
    return value.float() if isinstance(value, torch.Tensor) else value


class _Trainer(PoseTrainer):
    """Ultralytics' trainer with a checkpoint chosen by pose error, exact resume, and no other files."""

    # Ultralytics gives them other types on the way to this one.
    model: Any
    ema: Any
    metrics: Any
    optimizer: Any
    tloss: Any

    def arrange(self, run: TrainingRun, shown: int) -> None:
        """Take what a run needs beside Ultralytics' settings; ``shown`` is the number of pictures of an epoch."""
        self.run, self.shown = run, shown
        self.threads = default_threads()

    def _setup_train(self) -> None:
        super()._setup_train()
        found = len(self.train_loader.dataset)
        if found != self.shown:
            raise WorkFailed(f"{self.args.data}: Ultralytics takes {found} of {self.shown} training pictures.")
        if self.device.type == "cpu":
            self.model = self.model.to(memory_format=torch.channels_last)
        self.model.criterion = self.model.init_criterion()
        progress = self.run.start_progress(len(self.train_loader))
        self.add_callback("on_train_batch_end", lambda _: progress.step(float(sum(self.tloss.values()))))

    def _model_train(self) -> None:
        super()._model_train()
        torch.set_num_threads(self.threads)
        if self.run.job.recipe.freeze_batch_norm:
            for layer in self.model.modules():
                if isinstance(layer, nn.BatchNorm2d):
                    layer.eval()

    def validate(self) -> tuple[dict[str, float], float]:
        module = deepcopy(self.ema.ema).float().eval()
        selection, side = self.run.selection, self.run.job.recipe.image_size
        predictions = YOLO.predict(
            selection.images,
            None,
            lambda batch: _forward(module, batch, str(self.device)),
            size=(side, side),
            joints=len(selection.dataset.skeleton),
            confidence=0.05,
            batch=BATCH,
        )
        scores = self.run.score(predictions, self.ema.ema.state_dict)
        return scores, -scores["val_error_mm"]

    def save_metrics(self, metrics: Mapping[str, float]) -> None:
        row = {"epoch": self.epoch + 1, "lr": float(self.optimizer.param_groups[0]["lr"])}
        row |= {name: float(self.tloss[name]) for name in LOSSES}
        self.row = row | {name: self.metrics[name] for name in ("val_error_mm", "val_pck10")}

    def save_model(self) -> bool:
        state = {
            "model": self.model.state_dict(),
            "ema": self.ema.ema.state_dict(),
            "ema_updates": self.ema.updates,
            "optimizer": self.optimizer.state_dict(),
            "python_random": random.getstate(),
            "numpy_random": [x.tolist() if isinstance(x, np.ndarray) else x for x in np.random.get_state()],
            "torch_random": torch.get_rng_state(),
            "loader_random": self.train_loader.generator.get_state(),
        }
        self.run.end_epoch(self.row, state)
        return True

    def resume_training(self, ckpt: Any) -> None:
        state = self.run.resumed
        if state is None:
            return
        self.start_epoch = self.run.next_epoch
        self.model.load_state_dict(state["model"])
        self.ema.ema.load_state_dict(state["ema"])
        self.ema.updates = state["ema_updates"]
        self.optimizer.load_state_dict(state["optimizer"])
        random.setstate(state["python_random"])
        np.random.set_state(tuple(state["numpy_random"]))
        torch.set_rng_state(state["torch_random"])
        if self.train_loader.num_workers:
            self.train_loader.generator.set_state(state["loader_random"])
        else:
            self._go_to_epoch(self.start_epoch)

    def _go_to_epoch(self, epoch: int) -> None:
        """Draw the orders of all epochs before this one, as the run that was killed did.

        The loader's one generator gives each order, and one number more whenever an iterator is made: at the start,
        and anew where mosaic ends. Only this sequence of draws leaves it, and the iterator, where they were.
        """
        loader, close = self.train_loader, self.epochs - self.args.close_mosaic
        closed = bool(self.args.close_mosaic) and close < epoch
        done = 0
        for end in [close, epoch] if closed else [epoch]:
            loader.reset()
            loader.iterator = loader._get_iterator()
            for _ in range((end - done) * len(loader)):
                next(loader.iterator._sampler_iter)
            done = end
        if closed:
            self._close_dataloader_mosaic()
            self.args.close_mosaic = 0

    def final_eval(self) -> None:
        """No measuring: the run keeps the best epoch's weights."""

    def plot_metrics(self) -> None:
        """No pictures: the learning curve is a table."""


def finetune(job: TrainingJob) -> Path:
    """Fine-tune YOLO-pose, or train it from scratch; see ``backends.Backend``."""
    device = usable_device()
    job = checked(job, KIND, device)
    recipe, skeleton = job.recipe, job.train.skeleton
    start = load_module(job.weights)[0] if job.weights is not None else None
    SETTINGS.update({name: False for name, value in SETTINGS.items() if isinstance(value, bool)})
    run = TrainingRun(job)
    repeats = focus_repeats(run.shown, recipe.oversample_arch, job.focus)
    data = write_yolo({"train": run.shown, "val": job.val}, job.work / "data", job.root, repeats)
    trainer = _Trainer(
        overrides={
            "model": f"{job.architecture}.yaml",
            "data": str(data),
            "epochs": recipe.epochs,
            "batch": recipe.batch,
            "nbs": recipe.batch,
            "imgsz": recipe.image_size,
            "optimizer": "AdamW",
            "lr0": recipe.lr0,
            "lrf": recipe.lrf,
            "cos_lr": True,
            "weight_decay": recipe.weight_decay,
            "warmup_epochs": recipe.warmup_epochs,
            "warmup_bias_lr": 0.0,
            "pose": recipe.yolo.pose_gain,
            "degrees": recipe.degrees,
            "translate": recipe.translate,
            "scale": recipe.scale,
            "fliplr": recipe.fliplr,
            "flipud": 0.0,
            "hsv_h": recipe.hsv_h,
            "hsv_s": recipe.hsv_s,
            "hsv_v": recipe.hsv_v,
            "mosaic": recipe.yolo.mosaic,
            "close_mosaic": max(1, recipe.epochs // MOSAIC_ENDS) if recipe.yolo.mosaic else 0,
            "freeze": recipe.yolo.frozen_layers or None,
            "patience": recipe.epochs,
            "amp": False,
            "cache": "ram",
            "plots": False,
            "verbose": False,
            "seed": job.seed,
            "deterministic": True,
            "device": device,
            "project": str(job.work.resolve()),
            "name": "run",
            "exist_ok": True,
        },
        _callbacks=callbacks.get_default_callbacks(),
    )
    module = (_NarrowModule if recipe.bfloat16 else YoloModule)(
        start.yaml if start is not None else _layout(job.architecture),
        ch=3,
        nc=1,
        data_kpt_shape=(len(skeleton), 3),
        verbose=False,
    )
    module.names = {0: "person"}
    if start is not None:
        module.load(start, verbose=False)
        if recipe.recompute_bn_stats:
            recompute_bn_stats(module, _network_inputs(job.train, job.root, recipe.image_size))
    trainer.model = module
    trainer.arrange(run, sum(repeats.values()))
    if run.next_epoch < recipe.epochs:
        trainer.train()

    def save(weights: Mapping[str, torch.Tensor]) -> None:
        best = YoloModule(deepcopy(module.yaml), ch=3, nc=1, data_kpt_shape=(len(skeleton), 3), verbose=False)
        best.load_state_dict(weights)
        save_module(best, job.out, skeleton, recipe.image_size)

    run.finish(save)
    return job.out


def _network_inputs(dataset: Dataset, root: Path, side: int) -> Iterator[torch.Tensor]:
    """Up to ``SAMPLE`` pictures, evenly spaced over the data set, in batches (B, 3, side, side)."""
    count = min(SAMPLE, len(dataset))
    chosen = np.linspace(0, len(dataset) - 1, count).round().astype(int)
    for first in range(0, count, BATCH):
        pictures = [read_image(root / dataset.frames[index].file_name) for index in chosen[first : first + BATCH]]
        places = [Letterbox.fit(picture.shape[:2], (side, side)) for picture in pictures]
        yield torch.from_numpy(network_input(pictures, places))


def export_module(path: Path, image_size: tuple[int, int]) -> ExportModule:
    """Give a checkpoint ready to be traced; see ``backends.Backend``."""
    module, about = load_module(path)
    skeleton = skeleton_of(path, _joints(module), about, None)
    module = module.fuse(verbose=False)
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    head: Any = module.model[-1]
    head.export, head.dynamic, head.format = True, False, "onnx"
    example = torch.zeros(1, 3, *image_size)
    with torch.no_grad():
        for _ in range(2):
            module(example)
    return ExportModule(module, example, ModelMetadata(skeleton, LICENCE, decoder=YOLO))
