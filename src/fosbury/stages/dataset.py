"""Stage dataset: merge the labelled sets, give every frame its phase, split by group, audit."""

from __future__ import annotations

from pathlib import Path

from fosbury.config import load_params
from fosbury.dataset.audit import audit
from fosbury.dataset.merge import merge
from fosbury.dataset.phases import assign_phases, phases_from_tables
from fosbury.dataset.split import draw_frames, split, split_fold
from fosbury.dataset.summary import summarise
from fosbury.dataset.unlabelled import joined, learnable, without_sets
from fosbury.files import write_text
from fosbury.formats.coco import read_coco, write_coco
from fosbury.pose import WARNING

ANNOTATIONS = Path("data/annotations")
OUTPUT = Path("data/dataset")
REPORT = Path("reports/dataset.md")
ROOT = Path()


def main() -> None:
    """Write data/dataset/{train,val,test}.json and reports/dataset.md."""
    params = load_params()
    boxes_only = params.data.unlabelled
    sets = {
        path.stem: read_coco(path, params.pose_skeleton, keep_empty=path.stem in boxes_only)
        for path in sorted(ANNOTATIONS.glob("*.json"))
    }
    dataset = assign_phases(merge(phases_from_tables(sets, Path(params.data.source))))
    for note in dataset.notes:
        if WARNING in note:
            print(note)
    dataset, unlabelled = without_sets(dataset, boxes_only)
    settings = params.split
    if settings.folds is None:
        splits = split(dataset, settings.ratios, settings.assign, settings.seed)
    else:
        splits = split_fold(
            dataset,
            settings.ratios,
            folds=settings.folds,
            fold=settings.fold,
            assign=settings.assign,
            seed=settings.seed,
        )
    unlabelled = learnable(unlabelled, splits)
    whole = {**splits, "train": joined(splits["train"], unlabelled)}
    found = audit(whole, ROOT, settings.near_duplicates, settings.allow_duplicates)
    drawn = draw_frames(splits["train"], settings.train_frames, settings.draw)
    splits["train"] = joined(drawn, unlabelled)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    for name, part in splits.items():
        write_coco(part, OUTPUT / f"{name}.json")
    write_text(REPORT, summarise(splits, settings.ratios, found, (*dataset.notes, *unlabelled.notes)))
