"""Stage evaluate: the weights before fine-tuning and after it, on the same test frames, by the same code."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from fosbury.config import load_params
from fosbury.environment import write_environment
from fosbury.files import write_json
from fosbury.formats.coco import read_coco
from fosbury.formats.predictions import write_predictions
from fosbury.inference.predict import measure
from fosbury.inference.registry import load_model
from fosbury.inference.weights import verify_checksum
from fosbury.metrics.headline import calibration_headline, headline
from fosbury.metrics.tables import write_csvs
from fosbury.stages.running import outdate

VAL = Path("data/dataset/val.json")
TEST = Path("data/dataset/test.json")
FINETUNED = Path("models/finetuned/model.pt")
METRICS = Path("metrics")
ROOT = Path()


def main() -> None:
    """Measure both models and write metrics/, the CSVs for plots and the predictions."""
    params = load_params()
    model = params.model
    start = verify_checksum(model.weights, model.sha256, model.name, model.url)
    dataset = read_coco(TEST, params.pose_skeleton)
    weights = {"baseline": start, "finetuned": FINETUNED}
    settings = params.evaluate
    models = {
        name: load_model(
            path,
            dataset.skeleton,
            settings.image_size,
            settings.confidence,
            refinement=settings.refinement,
        )
        for name, path in weights.items()
    }
    measure_by = partial(
        measure,
        root=ROOT,
        stature_mm=params.data.stature_mm,
        cap=settings.cap,
        boxes=model.boxes,
        focus=settings.phase,
    )
    measured = measure_by(models, dataset)
    before, after = measured["baseline"], measured["finetuned"]
    chosen_on = read_coco(VAL, params.pose_skeleton)
    val = measure_by({"val": models["finetuned"]}, chosen_on)
    write_json(METRICS / "calibration.json", calibration_headline(val["val"].evaluation, after.evaluation))
    evaluations = {name: each.evaluation.to_json() for name, each in measured.items()}
    write_json(METRICS / "summary.json", headline(before.evaluation, after.evaluation))
    write_json(METRICS / "evaluation.json", evaluations)
    write_csvs(METRICS, evaluations)
    write_predictions(METRICS / "predictions.npz", dataset, {name: each.poses for name, each in measured.items()})
    write_environment(METRICS / "evaluation_environment.json")
    outdate(METRICS / "export.json")
