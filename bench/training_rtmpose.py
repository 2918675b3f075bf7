"""Time of our fine-tuning of RTMPose against MMPose's own runner: the same network, pictures, augmentation and threads.

Neither validates but for our choice of the checkpoint on a few pictures, which is in our time. MMPose's checkpoints are
switched off.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import shutil
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from timing import alternate, positive, report

# Before MMPose itself: this module imports it without compiled operators.
from fosbury.backends.rtmpose import ARCHITECTURES, CONFIGS, INPUT, PADDING, finetune  # isort: skip
from mmengine.config import Config
from mmengine.runner import Runner

from fosbury.config import named_skeleton
from fosbury.machine import default_threads
from fosbury.pose import Dataset
from fosbury.recipe import Recipe
from fosbury.synth.stills import write_stills
from fosbury.training.job import TrainingJob

ARCHITECTURE = "rtmpose-t"
SEED = 0
RUNS = itertools.count()
VAL = 8  # pictures that choose our checkpoint


def ours(splits: dict[str, Dataset], root: Path, folder: Path, recipe: Recipe) -> None:
    """Train from scratch with the function that the stage calls."""
    shutil.rmtree(folder, ignore_errors=True)
    job = TrainingJob(
        **splits,
        root=root,
        weights=None,
        architecture=ARCHITECTURE,
        recipe=recipe,
        seed=SEED,
        out=folder / "model.pt",
        curve=folder / "curve.csv",
        work=folder / "work",
    )
    finetune(job)


def coco(dataset: Dataset, path: Path) -> None:
    """Write labels as MMPose's CocoDataset reads them."""
    images, people = [], []
    for number, frame in enumerate(dataset.frames, start=1):
        images.append({"id": number, "file_name": frame.file_name, "width": frame.width, "height": frame.height})
        for person in frame.people:
            x1, y1, x2, y2 = person.box.tolist()
            joints = [
                [*point, int(seen)] if seen else [0.0, 0.0, 0]
                for point, seen in zip(person.keypoints.tolist(), person.visibility, strict=True)
            ]
            people.append(
                {
                    "id": len(people) + 1,
                    "image_id": number,
                    "category_id": 1,
                    "iscrowd": 0,
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "area": person.area,
                    "num_keypoints": int((person.visibility > 0).sum()),
                    "keypoints": [value for joint in joints for value in joint],
                }
            )
    joints = {"id": 1, "name": "person", "keypoints": list(dataset.skeleton.joints), "skeleton": []}
    path.write_text(json.dumps({"images": images, "annotations": people, "categories": [joints]}))


def configuration(labels: Path, root: Path, folder: Path, recipe: Recipe) -> Any:
    """MMPose's shipped configuration, with the sizes and strengths of the recipe and without what needs a download."""
    config = Config.fromfile(CONFIGS / ARCHITECTURES[ARCHITECTURE])
    config.model.backbone.update(_scope_="mmpose", init_cfg=None, norm_cfg={"type": "BN"})
    pipeline = [
        {"type": "LoadImage"},
        {"type": "GetBBoxCenterScale", "padding": PADDING},
        {"type": "RandomFlip", "direction": "horizontal", "prob": recipe.fliplr},
        {
            "type": "RandomBBoxTransform",
            "shift_factor": recipe.translate,
            "scale_factor": (1 - recipe.scale, 1 + recipe.scale),
            "rotate_factor": recipe.degrees,
            "rotate_prob": 1.0,
        },
        {"type": "TopdownAffine", "input_size": INPUT[::-1]},
        {"type": "YOLOXHSVRandomAug"},
        {"type": "GenerateTarget", "encoder": config.codec},
        {"type": "PackPoseInputs"},
    ]
    config.train_dataloader = {
        "batch_size": recipe.batch,
        "num_workers": 0,
        "sampler": {"type": "DefaultSampler", "shuffle": True},
        "dataset": {
            "type": "CocoDataset",
            "data_mode": "topdown",
            "ann_file": str(labels),
            "data_prefix": {"img": f"{root}/"},
            "pipeline": pipeline,
        },
    }
    config.train_cfg = {"by_epoch": True, "max_epochs": recipe.epochs, "val_interval": 10**6}
    config.optim_wrapper = {
        "type": "OptimWrapper",
        "optimizer": {"type": "AdamW", "lr": recipe.lr0, "weight_decay": recipe.weight_decay},
        "paramwise_cfg": {"norm_decay_mult": 0, "bias_decay_mult": 0, "bypass_duplicate": True},
        "clip_grad": {"max_norm": 35, "norm_type": 2},
    }
    config.param_scheduler = []
    config.custom_hooks = [
        {"type": "EMAHook", "ema_type": "ExpMomentumEMA", "momentum": 0.0002, "update_buffers": True}
    ]
    config.default_hooks.checkpoint = None
    config.default_hooks.logger = {"type": "LoggerHook", "interval": 10**6}
    for key in ("val_dataloader", "val_cfg", "val_evaluator", "test_dataloader", "test_cfg", "test_evaluator"):
        config[key] = None
    config.randomness = {"seed": SEED, "deterministic": True}
    config.work_dir, config.log_level, config.visualizer = str(folder), "ERROR", {"type": "Visualizer"}
    config.experiment_name = f"plain{next(RUNS)}"  # MMEngine keeps a register of them
    return config


def plain(labels: Path, root: Path, folder: Path, recipe: Recipe) -> None:
    """Train from scratch with MMEngine's Runner."""
    torch.set_num_threads(default_threads())
    Runner.from_cfg(configuration(labels, root, folder, recipe)).train()


def main() -> None:
    """Compare the two on pictures of the built-in athlete."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=positive, default=128)
    parser.add_argument("--epochs", type=positive, default=2)
    parser.add_argument("--batch", type=positive, default=32)
    parser.add_argument("--repeats", type=positive, default=3)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    recipe = Recipe(epochs=asked.epochs, batch=asked.batch, image_size=192, lr0=1e-3, weight_decay=0.05)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stills = write_stills(
            folder / "stills", asked.pictures + VAL, SEED, (192, 192), skeleton=named_skeleton("coco17")
        )
        train = [index < asked.pictures for index in range(len(stills))]
        splits = {"train": stills.where(train), "val": stills.where([not mine for mine in train])}
        coco(splits["train"], folder / "labels.json")

        def ways(recipe: Recipe) -> dict[str, Callable[[], None]]:
            return {
                "fosbury": lambda: ours(splits, folder / "stills", folder / "ours", recipe),
                "mmpose": lambda: plain(folder / "labels.json", folder / "stills", folder / "plain", recipe),
            }

        alternate(ways(recipe.model_copy(update={"epochs": 1})), 1, warm_up=False)
        seconds = alternate(ways(recipe), asked.repeats, warm_up=False)
    title = f"Training of {ARCHITECTURE}: {asked.epochs} epochs of {asked.pictures} pictures"
    report(title, seconds, "mmpose", asked.epochs * asked.pictures, "picture")


if __name__ == "__main__":
    main()
