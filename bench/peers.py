r"""What a user would pick instead, beside this repository's models: one labelled set, one run, one protocol.

    python bench/peers.py FLOPS --json bench/results/flops.json --work rows \
        --free YOLO11n=yolo11n-pose.pt@640 MoveNet=movenet_lightning_int8.tflite BlazePose=pose_landmark_full.tflite \
        --looked YOLO11n=yolo11n-pose.pt@320 BlazePose=pose_landmark_full.tflite \
        --detector pose_detection.tflite --finder yolo11n-pose.pt --model ours=models/finetuned/model.pt@320

Free models are measured as their makers call them (BlazePose with its own detector, by whose points the square is laid
and turned), those of --looked by this repository's looks, its own models by all of these. *Given the athlete*: top-down
models and further looks are handed the labelled box; of the people whom a model finds by itself the labelled box
chooses. *Unaided*: nobody says who it is, and the best-scored person counts. Whom this repository looks at by top-down
models is then found by --finder, such as BlazePose's detector; free ones, and without a finder, search by themselves.
Only joints that all rows have count.

A row that was predicted is kept in --work and not predicted again: a run that was killed goes on where it was, and a
run with one more model predicts that one. Times are taken at the end, all rows in turn on the same pictures, unaided:
milliseconds of processor time, which with FOSBURY_THREADS=1 are those of one free core of this machine. Without a set,
the built-in athlete and the starters are measured.

Another program's predictions (--predictions) are a row, too: see bench/apple_vision.swift.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from peer_rows import (
    FREE,
    GIVEN,
    ONCE,
    ONE,
    UNAIDED,
    UPRIGHT,
    VOTE,
    Answer,
    ModelFile,
    answer,
    known_joints,
    read_answer,
    rows_of,
    seconds_a_picture,
)
from peer_table import box_markdown, figures, markdown
from pictures import labelled_pictures
from timing import positive

from fosbury.config import named_skeleton
from fosbury.environment import environment
from fosbury.errors import BadInput, BadInputs
from fosbury.files import write_json
from fosbury.formats.coco import read_coco
from fosbury.formats.sets import ANNOTATIONS, IMAGES
from fosbury.metrics.evaluation import evaluate
from fosbury.metrics.people import unaided_score
from fosbury.pose import Dataset
from fosbury.refinement import Refinement

LOOKS = [ONE, ONCE, UPRIGHT, VOTE]
STARTERS = Path(__file__).parents[1] / "models/starter"
BUILT_IN = 3
"""Pictures of the built-in athlete."""
OURS = [STARTERS / "yolo11n-pose.pt", STARTERS / "rtmpose/rtmpose-t.pt"]


def main() -> None:
    """Predict row by row, measure all, print the table."""
    asked = _asked()
    with TemporaryDirectory() as scratch:
        try:
            compare(asked, *_labelled(asked, Path(scratch)), asked.work or Path(scratch) / "rows")
        except (BadInput, BadInputs) as error:
            sys.exit(_refused(error))


def _refused(error: BadInput | BadInputs) -> int:
    print(error, file=sys.stderr)
    return 2


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", type=Path, nargs="?", help="folder of labelled stills: annotations.json and images/")
    parser.add_argument("--annotations", type=Path, help="COCO keypoints, in place of a set")
    parser.add_argument("--images", type=Path, help="folder of their pictures")
    parser.add_argument("--skeleton", default="lsp14", help="of the labels")
    parser.add_argument("--free", type=ModelFile.read, nargs="*", default=[], help="[NAME=]FILE[@SIZE], untuned")
    parser.add_argument("--looked", type=ModelFile.read, nargs="*", default=[], help="free weights, our looks")
    parser.add_argument("--model", type=ModelFile.read, nargs="*", default=[], help="[NAME=]FILE[@SIZE] of ours")
    parser.add_argument("--detector", type=Path, help="BlazePose's detector")
    parser.add_argument("--finder", type=Path, help="a model that finds people for the top-down ones")
    parser.add_argument("--predictions", type=Path, nargs="*", default=[], help="JSON of another program")
    parser.add_argument("--looks", nargs="*", choices=LOOKS, default=LOOKS)
    parser.add_argument(
        "--together", type=ModelFile.read, nargs="*", default=[], help="free weights that vote together"
    )
    parser.add_argument("--given-only", action="store_true", help="do not predict without the athlete given")
    parser.add_argument("--timed", type=int, default=5, help="pictures that times are taken on; 0: none")
    parser.add_argument("--work", type=Path, help="folder that keeps rows which were predicted")
    parser.add_argument("--title", help="what the record calls the set")
    parser.add_argument("--json", type=Path, help="record that docs/results.md quotes")
    parser.add_argument("--pictures", type=positive, help="the first so many pictures only, for a try")
    return parser.parse_args()


def _labelled(asked: argparse.Namespace, scratch: Path) -> tuple[Dataset, Path]:
    if asked.set is not None:
        if not (asked.set / ANNOTATIONS).is_file():
            raise BadInput(asked.set, f"holds no {ANNOTATIONS}", "give the folder of a set of stills")
        skeleton = named_skeleton(asked.skeleton)
        dataset, root = read_coco(asked.set / ANNOTATIONS, skeleton, asked.set / IMAGES), asked.set / IMAGES
    else:
        if asked.annotations is None:
            asked.model = asked.model or [ModelFile(path.stem, path) for path in OURS]
            asked.pictures = asked.pictures or BUILT_IN
        dataset, root = labelled_pictures(asked, scratch)
    frames = tuple(frame for frame in dataset.frames if frame.people)[: asked.pictures]
    return Dataset(dataset.skeleton, frames, dataset.notes), root


def compare(asked: argparse.Namespace, dataset: Dataset, root: Path, work: Path) -> None:
    """Predict what is not there yet, measure, time, write and print."""
    if not len(dataset):
        raise BadInput("the set", "holds no labelled person", "give another")
    rows = rows_of(
        asked.free,
        asked.looked,
        asked.model,
        detector=asked.detector,
        finder=asked.finder,
        looks=asked.looks,
        together=asked.together,
    )
    names = [row.name for row in rows]
    if len(set(names)) < len(names):
        raise BadInput("--free and --model", "name two models alike", "give names: NAME=FILE")
    others = dict(read_answer(path, dataset) for path in asked.predictions)
    if not rows and not others:
        raise BadInput("bench/peers.py", "was given no model", "add --free, --model or --predictions")
    answers = {row.name: answer(row, dataset, root, work, unaided=not asked.given_only) for row in rows} | others
    sources = {row.name: row.unaided for row in rows}
    known = known_joints(dataset.skeleton, list(answers.values()))
    seconds = seconds_a_picture(rows, dataset, root, asked.timed) if asked.timed else {}
    about = {row.name: {"group": row.group, "look": row.look} for row in rows}
    about |= {name: {"group": FREE, "look": "predictions of another program"} for name in others}
    for name, each in answers.items():
        times = 1000 * statistics.median(seconds[name]) if name in seconds else each.milliseconds
        about[name] |= {"passes": each.passes, "milliseconds": times and round(times, 1)}
    found = {name: _measured(each, dataset, known, sources.get(name)) for name, each in answers.items()}
    record = _record(asked, dataset, known) | {"rows": figures(about, found)}
    if asked.json:
        write_json(asked.json, record)
    print(f"{record['set']}: {record['pictures']} pictures; joints: {', '.join(record['joints'])}")
    print(markdown(record), box_markdown(record), sep="\n")


def _measured(found: Answer, dataset: Dataset, known: np.ndarray, source: str | None) -> dict:
    least = {GIVEN: None, UNAIDED: unaided_score(source)}
    return {
        protocol: evaluate(dataset, poses, known=known, ap=False, unaided=least[protocol])
        for protocol, poses in found.poses.items()
    }


def _record(asked: argparse.Namespace, dataset: Dataset, known: np.ndarray) -> dict:
    """Say what was measured, and how, without a path of this machine."""
    name = asked.title or (asked.set.resolve().name if asked.set else "built-in athlete")
    return {
        "set": name,
        "pictures": len(dataset),
        "joints": [joint for joint, counts in zip(dataset.skeleton.joints, known, strict=True) if counts],
        "finder": asked.finder and asked.finder.name,
        "detector": asked.detector and asked.detector.name,
        "refinement": Refinement().model_dump(exclude={"how"}),
        "timed_pictures": asked.timed,
        "environment": environment(),
    }


if __name__ == "__main__":
    main()
