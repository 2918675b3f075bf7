"""Stage evaluate_export: what the exported files can still do, on the same joints of the same test frames."""

from __future__ import annotations

from pathlib import Path

from fosbury.config import load_params
from fosbury.documents import read_json
from fosbury.files import write_json
from fosbury.formats.coco import read_coco
from fosbury.formats.predictions import read_predictions, write_predictions
from fosbury.inference.boxes import SEARCH, boxes_of
from fosbury.inference.predict import measure
from fosbury.inference.registry import load_model
from fosbury.metrics.headline import exported_headline

TEST = Path("data/dataset/test.json")
EXPORTED = {"onnx": Path("models/exported/model.onnx"), "coreml": Path("models/exported/model.mlpackage")}
CHECKPOINT = Path("metrics/predictions.npz")
EVALUATION = Path("metrics/evaluation.json")
HEADLINE = Path("metrics/export.json")
PREDICTIONS = Path("metrics/export_predictions.npz")
WHOLE = Path("metrics/export_evaluation.json")
ROOT = Path()


def main() -> None:
    """Measure the exported files and write metrics/export.json, metrics/export_evaluation.json and predictions."""
    params = load_params()
    dataset = read_coco(TEST, params.pose_skeleton)
    joints = list(read_json(EVALUATION)["finetuned"]["by_joint"])
    settings = params.evaluate
    models = {
        name: load_model(
            path,
            dataset.skeleton,
            None,
            settings.confidence,
            refinement=settings.refinement,
        )
        for name, path in EXPORTED.items()
    }
    searched = params.model.boxes == SEARCH
    measured = measure(
        models,
        dataset,
        ROOT,
        stature_mm=params.data.stature_mm,
        cap=settings.cap,
        joints=joints,
        boxes=params.model.boxes,
        found=boxes_of(read_predictions(CHECKPOINT).models["finetuned"]) if searched else None,
        focus=settings.phase,
    )
    evaluations = {name: each.evaluation for name, each in measured.items()}
    figures = [exported_headline(evaluation, name) for name, evaluation in evaluations.items()]
    write_json(HEADLINE, {name: value for part in figures for name, value in part.items()})
    write_predictions(PREDICTIONS, dataset, {name: each.poses for name, each in measured.items()})
    write_json(WHOLE, {name: evaluation.to_json() for name, evaluation in evaluations.items()})
