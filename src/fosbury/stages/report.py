"""Stage report: the table by phase, the montage, and the page about the run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.console import Console

from fosbury.config import flat, load_params, read_values
from fosbury.documents import read_json
from fosbury.errors import BadInput
from fosbury.files import write_text
from fosbury.formats.coco import read_coco
from fosbury.formats.predictions import read_predictions
from fosbury.metrics.evaluation import evaluate
from fosbury.metrics.people import unaided_score
from fosbury.report.montage import choose_frames, montage, write_montage
from fosbury.report.page import Run, page
from fosbury.report.seeds import recorded_spread
from fosbury.report.table import table_page, terminal_table
from fosbury.skeleton import normalise

EVALUATIONS = (Path("metrics/evaluation.json"), Path("metrics/export_evaluation.json"))
PREDICTIONS = (Path("metrics/predictions.npz"), Path("metrics/export_predictions.npz"))
TEST = Path("data/dataset/test.json")
CURVE, DATA = Path("metrics/train.csv"), Path("reports/dataset.md")
FILES = (*(f"data/dataset/{part}.json" for part in ("train", "val", "test")), "models/finetuned/model.pt")
EXPORTED = ("models/exported/model.onnx", "models/exported/model.mlpackage")
SEEDS = Path("metrics/seeds.json")
TABLE, PAGE, MONTAGE = Path("reports/table.md"), Path("reports/index.html"), Path("reports/montage.jpg")
ROOT = Path()


def main() -> None:
    """Print the table; write reports/table.md, reports/montage.jpg and reports/index.html."""
    params = load_params()
    focus = params.evaluate.phase
    evaluations = {name: each for path in EVALUATIONS for name, each in read_json(path).items()}
    spread = recorded_spread(SEEDS, flat(read_values()))
    seeds = spread.sentence() if spread else None
    write_text(TABLE, table_page(evaluations, seeds, focus))
    test = read_coco(TEST, params.pose_skeleton)
    counted = {normalise(joint) for joint in evaluations["finetuned"]["by_joint"]}
    known = np.array([normalise(joint) in counted for joint in test.skeleton.joints])
    read = [read_predictions(path) for path in PREDICTIONS]
    if any(each.joints != test.skeleton.joints for each in read):
        raise BadInput(PREDICTIONS[0], "holds other joints than the labels", "run 'dvc repro evaluate_export'")
    poses = {name: own for each in read for name, own in each.models.items()}
    measured = {
        name: evaluate(
            test,
            found,
            params.data.stature_mm,
            cap=params.evaluate.cap,
            known=known,
            ap=False,
            unaided=unaided_score(params.model.boxes),
            focus=focus,
        )
        for name, found in poses.items()
    }
    before, after = ((measured[name], poses[name]) for name in ("baseline", "finetuned"))
    choices = choose_frames(test, measured["finetuned"], phase=focus)
    write_montage(MONTAGE, montage(test, ROOT, before, after=after, choices=choices))
    notes = tuple(dict.fromkeys(note for each in evaluations.values() for note in each["notes"]))
    files = {name: Path(name) for name in (*FILES, *EXPORTED)}
    curve, data = (path.read_text(encoding="utf-8") for path in (CURVE, DATA))
    made = Run(test, measured, poses, curve, data, files, notes, params.data.label_noise_mm, seeds)
    write_text(PAGE, page(made, ROOT))
    Console().print(terminal_table(evaluations, focus))
    if seeds:
        print(seeds)
