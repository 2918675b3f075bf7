"""Train the starter weights from scratch on upright pictures of the built-in athlete, and measure them."""

from pathlib import Path

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


def main() -> None:
    values = yaml.safe_load((HOME / "params.yaml").read_text(encoding="utf-8"))
    skeleton = Skeleton.from_mapping(yaml.safe_load(Path("conf/skeleton/coco17.yaml").read_text(encoding="utf-8")))
    recipe = Recipe(**values["train"])
    seed, size = values["seed"], (recipe.image_size, recipe.image_size)
    work = HOME / ".work"
    stills = write_stills(work / "stills", values["stills"] + values["val_stills"], seed, size, skeleton)
    held = [index >= values["stills"] for index in range(len(stills))]
    splits = {"train": stills.where([not h for h in held]), "val": stills.where(held)}
    weights = finetune(
        splits,
        None,
        HOME / "yolo11n-pose.pt",
        HOME / "curve.csv",
        work,
        recipe,
        values["architecture"],
        seed,
        root=work / "stills",
    )
    clips = write_upright_clips(work / "clips", values["test_clips"], values["test_seed"], (256, 256), 5, skeleton)
    model = YoloPose(weights)
    figures = evaluate(clips, predict_dataset(model, clips, work / "clips"), ap=False).to_json()
    write_json(
        HOME / "metrics.json",
        {
            "test_frames": figures["frames"],
            "pck20": figures["pck"]["0.2"],
            "pck10": figures["pck"]["0.1"],
            "error_mm": figures["error_mm"],
            "missed": figures["missed"],
            "swapped": figures["swapped"],
        },
    )


if __name__ == "__main__":
    run(main)
