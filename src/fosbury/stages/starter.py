"""Train the starter weights from scratch on upright pictures of the built-in athlete, and measure them."""

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from fosbury.metrics.evaluation import evaluate
from fosbury.models.predicting import predict_dataset
from fosbury.models.recipe import Recipe
from fosbury.models.yolo import YoloPose, finetune
from fosbury.report.table import write_json
from fosbury.skeleton import Skeleton
from fosbury.stages.running import run
from fosbury.synth.stills import write_stills, write_upright_clips

HOME = Path("models/starter")
WORK = HOME / ".work"


def main() -> None:
    values = yaml.safe_load((HOME / "params.yaml").read_text(encoding="utf-8"))
    skeleton = Skeleton.from_mapping(yaml.safe_load(Path("conf/skeleton/coco17.yaml").read_text(encoding="utf-8")))
    write_json(HOME / "metrics.json", measured(train(values, skeleton), values, skeleton))


def train(values: dict[str, Any], skeleton: Skeleton) -> Path:
    """Train one step after the other, each on pictures of its own."""
    weights = None
    for number, step in enumerate(values["steps"], start=1):
        recipe, seed, folder = Recipe(**step["train"]), values["seed"] + number, WORK / f"{number}"
        stills = write_stills(
            folder / "stills",
            step["stills"] + values["val_stills"],
            seed,
            (recipe.image_size, recipe.image_size),
            skeleton,
            tuple(step["share"]),
            tuple(step["aim"]),
        )
        held = np.arange(len(stills)) >= step["stills"]
        last = number == len(values["steps"])
        weights = finetune(
            {"train": stills.where(~held), "val": stills.where(held)},
            weights,
            HOME / "yolo11n-pose.pt" if last else folder / "model.pt",
            HOME / f"curve{number}.csv",
            folder,
            recipe,
            values["architecture"],
            seed,
            root=folder / "stills",
        )
    return weights


def measured(weights: Path, values: dict[str, Any], skeleton: Skeleton) -> dict[str, Any]:
    """Figures of the weights on approach runs that no step has seen."""
    folder = WORK / "clips"
    clips = write_upright_clips(folder, values["test_clips"], values["test_seed"], (256, 256), 5, skeleton)
    model = YoloPose(weights, image_size=values["test_image_size"])
    figures = evaluate(clips, predict_dataset(model, clips, folder), ap=False).to_json()
    return {
        "test_frames": figures["frames"],
        "pck20": figures["pck"]["0.2"],
        "pck10": figures["pck"]["0.1"],
        "error_mm": figures["error_mm"],
        "missed": figures["missed"],
        "swapped": figures["swapped"],
        "error_mm_by_joint": {joint: part["error_mm"] for joint, part in figures["by_joint"].items()},
    }


if __name__ == "__main__":
    run(main)
