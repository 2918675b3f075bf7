"""Stage train: fine-tune the configured model on the train split, choosing the checkpoint on the val split."""

from __future__ import annotations

import json
from pathlib import Path

from fosbury.backends import backend
from fosbury.config import load_params
from fosbury.environment import write_environment
from fosbury.formats.coco import read_coco
from fosbury.inference.registry import load_model
from fosbury.inference.weights import verify_checksum
from fosbury.stages.running import outdate
from fosbury.training.curve import chosen_epoch
from fosbury.training.job import TrainingJob
from fosbury.training.selection import validate

SPLITS = {"train": Path("data/taught/train.json"), "val": Path("data/dataset/val.json")}
OUTPUT = Path("models/finetuned/model.pt")
CURVE = Path("metrics/train.csv")
VALIDATION = Path("metrics/validation.json")
ENVIRONMENT = Path("metrics/environment.json")
WORK = Path("models/.work")
LATER = (Path("metrics/summary.json"), Path("metrics/export.json"))
ROOT = Path()


def main() -> None:
    """Write models/finetuned/model.pt, metrics/train.csv, metrics/validation.json and metrics/environment.json."""
    params = load_params()
    model = params.model
    start = verify_checksum(model.weights, model.sha256, model.name, model.url)
    splits = {name: read_coco(path, params.pose_skeleton) for name, path in SPLITS.items()}
    job = TrainingJob(
        **splits,
        root=ROOT,
        weights=start,
        architecture=model.architecture,
        focus=params.evaluate.phase,
        recipe=params.train,
        seed=params.seed,
        out=OUTPUT,
        curve=CURVE,
        work=WORK,
    )
    backend(model.backend).finetune(job)
    figures = validate(load_model(OUTPUT), splits["val"], ROOT, params.evaluate.phase)
    text = json.dumps({**figures, "chosen_epoch": chosen_epoch(CURVE)}, indent=2)
    VALIDATION.write_text(f"{text}\n", encoding="utf-8")
    write_environment(ENVIRONMENT)
    outdate(*LATER)
