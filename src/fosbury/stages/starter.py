"""Train starter weights from scratch on upright pictures of the built-in athlete, and measure them.

    python src starter models/starter/rtmpose

The folder holds params.yaml, the recipe; weights, learning curves and figures are written beside it.
"""

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from fosbury.backends import backend
from fosbury.files import write_json
from fosbury.inference.predict import predict_dataset
from fosbury.inference.registry import load_model
from fosbury.metrics.evaluation import evaluate
from fosbury.recipe import Recipe
from fosbury.skeleton import Skeleton
from fosbury.synth.stills import write_stills, write_upright_clips
from fosbury.training.job import TrainingJob


def main(folder: str = "models/starter") -> None:
    """Train by ``folder``/params.yaml and write the weights, the curves and metrics.json beside it."""
    home = Path(folder)
    values = yaml.safe_load((home / "params.yaml").read_text(encoding="utf-8"))
    skeleton = Skeleton.from_mapping(yaml.safe_load(Path("conf/skeleton/coco17.yaml").read_text(encoding="utf-8")))
    weights = train(home, values, skeleton)
    write_json(home / "metrics.json", measured(weights, home / ".work/clips", values, skeleton))


def train(home: Path, values: dict[str, Any], skeleton: Skeleton) -> Path:
    """Train one step after the other, each on pictures of its own."""
    finetune = backend(values["backend"]).finetune
    weights: Path | None = None
    for number, step in enumerate(values["steps"], start=1):
        recipe, seed, folder = Recipe(**step["train"]), values["seed"] + number, home / f".work/{number}"
        stills = write_stills(
            folder / "stills",
            step["stills"] + values["val_stills"],
            seed,
            (recipe.image_size, recipe.image_size),
            skeleton=skeleton,
            share=tuple(step["share"]),
            aim=tuple(step["aim"]),
        )
        held = np.arange(len(stills)) >= step["stills"]
        last = number == len(values["steps"])
        job = TrainingJob(
            train=stills.where(~held),
            val=stills.where(held),
            root=folder / "stills",
            weights=weights,
            architecture=values["architecture"],
            recipe=recipe,
            seed=seed,
            out=home / f"{values['architecture']}.pt" if last else folder / "model.pt",
            curve=home / f"curve{number}.csv",
            work=folder,
        )
        weights = finetune(job)
    assert weights is not None
    return weights


def measured(weights: Path, folder: Path, values: dict[str, Any], skeleton: Skeleton) -> dict[str, Any]:
    """Figures of the weights on approach runs that no step has seen."""
    clips = write_upright_clips(
        folder, values["test_clips"], values["test_seed"], (256, 256), every=5, skeleton=skeleton
    )
    model = load_model(weights, image_size=values["test_image_size"])
    poses = predict_dataset(model, clips, folder, boxes="labels" if model.needs_boxes else None)
    evaluation = evaluate(clips, poses, ap=False)
    figures = evaluation.group_metrics().to_json()
    return {
        "test_frames": figures["frames"],
        "pck20": figures["pck"]["0.2"],
        "pck10": figures["pck"]["0.1"],
        "error_mm": figures["error_mm"],
        "missed": figures["missed"],
        "swapped": figures["swapped"],
        "error_mm_by_joint": {joint: part.to_json()["error_mm"] for joint, part in evaluation.by_joint().items()},
    }
