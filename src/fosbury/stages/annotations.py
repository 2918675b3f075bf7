"""Stage annotations: every set's labels, checked, with the configured skeleton's joints."""

from __future__ import annotations

from pathlib import Path

from fosbury.config import load_params
from fosbury.files import write_text
from fosbury.formats.coco import write_coco
from fosbury.formats.grouping import warn_of_lone_pictures
from fosbury.formats.sets import annotations_of_sets, annotations_report
from fosbury.pose import WARNING

FRAMES = Path("data/frames")
OUTPUT = Path("data/annotations")
REPORT = Path("reports/annotations.md")
ROOT = Path()


def main() -> None:
    """Write data/annotations/<set>.json and reports/annotations.md."""
    params = load_params()
    data = params.data
    found = annotations_of_sets(
        ROOT,
        data.source,
        data.sets,
        FRAMES,
        skeleton=params.pose_skeleton,
        every=data.every,
        unlabelled=data.unlabelled,
    )
    datasets = {name: warn_of_lone_pictures(dataset) for name, dataset in found.items()}
    OUTPUT.mkdir(parents=True, exist_ok=True)
    for stale in OUTPUT.glob("*.json"):
        stale.unlink()
    for name, dataset in datasets.items():
        write_coco(dataset, OUTPUT / f"{name}.json")
        print(f"{name}: {len(dataset)} frames")
        for note in dataset.notes:
            if WARNING in note:
                print(f"{name}: {note}")
    write_text(REPORT, annotations_report(datasets))
