"""Time of our fine-tuning against plain Ultralytics with the same settings, data and threads, both validating.

Ours chooses the checkpoint by pose error, resumes exactly and writes the same bytes each time; theirs computes its own
mAP after each epoch and of the best checkpoint at the end.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from timing import alternate, positive, report

# Before Ultralytics itself: this module switches its downloads and reports off.
from fosbury.backends.yolo import finetune  # isort: skip
from ultralytics import YOLO

from fosbury.config import named_skeleton
from fosbury.formats.yolo import write_yolo
from fosbury.machine import default_device, default_threads
from fosbury.pose import Dataset
from fosbury.recipe import Recipe
from fosbury.synth.stills import write_stills
from fosbury.training.job import TrainingJob

ARCHITECTURE = "yolo11n-pose"
SEED = 0


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


def plain(splits: dict[str, Dataset], root: Path, folder: Path, recipe: Recipe) -> None:
    """Train from scratch with `YOLO.train`."""
    shutil.rmtree(folder, ignore_errors=True)
    data = write_yolo(splits, folder / "data", root)
    model = YOLO(f"{ARCHITECTURE}.yaml", verbose=False)
    # Ultralytics computes with one thread less than there are cores.
    model.add_callback("on_train_start", lambda trainer: torch.set_num_threads(default_threads()))
    model.train(
        data=str(data),
        epochs=recipe.epochs,
        batch=recipe.batch,
        nbs=recipe.batch,
        imgsz=recipe.image_size,
        optimizer="AdamW",
        lr0=recipe.lr0,
        lrf=recipe.lrf,
        cos_lr=True,
        weight_decay=recipe.weight_decay,
        warmup_epochs=recipe.warmup_epochs,
        warmup_bias_lr=0.0,
        pose=recipe.yolo.pose_gain,
        degrees=recipe.degrees,
        translate=recipe.translate,
        scale=recipe.scale,
        fliplr=recipe.fliplr,
        flipud=0.0,
        hsv_h=recipe.hsv_h,
        hsv_s=recipe.hsv_s,
        hsv_v=recipe.hsv_v,
        mosaic=recipe.yolo.mosaic,
        close_mosaic=0,
        patience=recipe.epochs,
        amp=False,
        cache="ram",
        plots=False,
        verbose=False,
        seed=SEED,
        deterministic=True,
        device=default_device(),
        project=str(folder.resolve()),
        name="run",
    )


def main() -> None:
    """Compare the two on pictures of the built-in athlete."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=positive, default=96, help="to train on; a quarter more to validate on")
    parser.add_argument("--epochs", type=positive, default=3)
    parser.add_argument("--batch", type=positive, default=16)
    parser.add_argument("--image-size", type=positive, default=160, help="pixels, a multiple of 32")
    parser.add_argument("--repeats", type=positive, default=3)
    asked = parser.parse_args()
    recipe = Recipe(epochs=asked.epochs, batch=asked.batch, image_size=asked.image_size, lr0=1e-3)
    size = (asked.image_size, asked.image_size)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures = asked.pictures + max(1, asked.pictures // 4)
        stills = write_stills(folder / "stills", pictures, SEED, size, skeleton=named_skeleton("coco17"))
        train = [index < asked.pictures for index in range(len(stills))]
        splits = {"train": stills.where(train), "val": stills.where([not mine for mine in train])}

        def ways(recipe: Recipe) -> dict[str, Callable[[], None]]:
            return {
                "fosbury": lambda: ours(splits, folder / "stills", folder / "ours", recipe),
                "ultralytics": lambda: plain(splits, folder / "stills", folder / "plain", recipe),
            }

        alternate(ways(recipe.model_copy(update={"epochs": 1})), 1, warm_up=False)
        seconds = alternate(ways(recipe), asked.repeats, warm_up=False)
    title = f"Training: {asked.epochs} epochs of {asked.pictures} pictures at {asked.image_size} px"
    report(title, seconds, "ultralytics", asked.epochs * asked.pictures, "picture")


if __name__ == "__main__":
    main()
