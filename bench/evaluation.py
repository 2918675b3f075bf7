"""Time our evaluation.

The whole (joint errors by every part, and OKS-AP) against pycocotools' OKS-AP alone, and its joint errors against a
plain loop over frames and joints.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import math
from collections import defaultdict

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from timing import alternate, positive, report

from fosbury.config import named_skeleton
from fosbury.metrics.evaluation import Evaluation, evaluate
from fosbury.metrics.selection import CAP, STATURE_MM
from fosbury.metrics.stature import PERCENTILE
from fosbury.pose import PHASES, Dataset, Frame, Person, Pose
from fosbury.skeleton import Skeleton

SIZE = 640
CLIP = 50  # frames


def invent(frames: int, skeleton: Skeleton, seed: int = 0) -> tuple[Dataset, list[list[Pose]]]:
    """Labelled frames, and predictions that are mostly near, sometimes absent, sometimes of nobody."""
    rng = np.random.default_rng(seed)
    labelled, predictions = [], []
    for index in range(frames):
        centre, size = rng.uniform(200, 440, 2), rng.uniform(80, 180, 2)
        points = centre + rng.uniform(-0.5, 0.5, (len(skeleton), 2)) * size
        visibility = rng.choice([0, 1, 2], len(skeleton), p=[0.1, 0.2, 0.7]).astype(np.uint8)
        box = np.concatenate([centre - size / 2, centre + size / 2])
        person = Person(np.where(visibility[:, None] > 0, points, np.nan), visibility, box, float(size.prod()))
        clip, number = divmod(index, CLIP)
        name = f"clip{clip:03d}"
        labelled.append(
            Frame(
                f"{name}/{number:06d}.jpg",
                SIZE,
                SIZE,
                (person,),
                video=f"{name}.mp4",
                frame=number,
                phase=PHASES[number * len(PHASES) // CLIP],
            )
        )
        found = [(points + rng.normal(0, rng.uniform(1, 12), points.shape), box + rng.normal(0, 4, 4))]
        found += [(points + 150, box + 150)] * int(rng.integers(0, 3))
        kept = found[int(rng.random() < 0.1) :]
        confidence = np.ones(len(skeleton))
        predictions.append([Pose(joints, confidence, near, float(rng.random())) for joints, near in kept])
    return Dataset(skeleton, tuple(labelled)), predictions


def as_coco(dataset: Dataset, predictions: list[list[Pose]]) -> tuple[dict, list[dict]]:
    """Labels and results as COCO's JSON files hold them."""
    images, truth, results = [], [], []
    for number, (frame, poses) in enumerate(zip(dataset.frames, predictions, strict=True), start=1):
        images.append({"id": number, "width": frame.width, "height": frame.height, "file_name": frame.file_name})
        person = frame.people[0]
        joints = np.column_stack([np.nan_to_num(person.keypoints), person.visibility])
        x1, y1, x2, y2 = person.box.tolist()
        truth.append(
            {
                "id": number,
                "image_id": number,
                "category_id": 1,
                "iscrowd": 0,
                "area": person.area,
                "bbox": [x1, y1, x2 - x1, y2 - y1],
                "num_keypoints": int(person.labelled.sum()),
                "keypoints": joints.ravel().tolist(),
            }
        )
        for pose in poses:
            joints = np.column_stack([pose.keypoints, pose.confidence])
            entry = {"image_id": number, "category_id": 1, "score": pose.score, "keypoints": joints.ravel().tolist()}
            results.append(entry)
    return {"images": images, "annotations": truth, "categories": [{"id": 1, "name": "athlete"}]}, results


def plain(truth: dict, results: list[dict], sigmas: np.ndarray) -> float:
    """OKS-AP as the COCO site's script computes it."""
    with contextlib.redirect_stdout(io.StringIO()):
        labels = COCO()
        labels.dataset = truth
        labels.createIndex()
        run = COCOeval(labels, labels.loadRes(results), "keypoints")
        run.params.kpt_oks_sigmas = sigmas
        run.evaluate()
        run.accumulate()
        run.summarize()
    return float(run.stats[0])


def loop(dataset: Dataset, predictions: list[list[Pose]]) -> float:
    """Mean joint error as one would write it down: joint after joint. For frames of one labelled person each."""
    votes, errors = defaultdict(list), []
    for frame in dataset.frames:
        person = frame.people[0]
        for limb in dataset.skeleton.limbs:
            if person.visibility[limb.start] and person.visibility[limb.end]:
                length = math.dist(person.keypoints[limb.start], person.keypoints[limb.end])
                votes[frame.video].append(length / limb.share)
    stature = {video: float(np.percentile(own, PERCENTILE)) for video, own in votes.items()}
    for frame, poses in zip(dataset.frames, predictions, strict=True):
        person, height = frame.people[0], stature[frame.video]
        best = max(poses, key=lambda pose: _overlap(person.box, pose.box), default=None)
        if best is not None and not _overlap(person.box, best.box):
            best = None
        for joint, seen in enumerate(person.visibility):
            if seen:
                far = math.inf if best is None else math.dist(best.keypoints[joint], person.keypoints[joint])
                errors.append(min(far, CAP * height) / height * STATURE_MM)
    return sum(errors) / len(errors)


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    tall = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(wide, 0.0) * max(tall, 0.0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return float(shared / (sum(areas) - shared))


def ours(dataset: Dataset, predictions: list[list[Pose]], ap: bool = True) -> Evaluation:
    """Compute what the stage and `fosbury evaluate --json` do."""
    evaluation = evaluate(dataset, predictions, ap=ap)
    evaluation.to_json()
    return evaluation


def main() -> None:
    """Compare the two on invented frames."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=positive, default=5000)
    parser.add_argument("--repeats", type=positive, default=5)
    asked = parser.parse_args()
    skeleton = named_skeleton("coco17")
    dataset, predictions = invent(asked.frames, skeleton)
    truth, results = as_coco(dataset, predictions)
    sigmas = np.asarray(skeleton.sigmas, dtype=float)
    ways = {
        "fosbury": lambda: ours(dataset, predictions),
        "fosbury without OKS-AP": lambda: ours(dataset, predictions, ap=False),
        "pycocotools": lambda: plain(truth, results, sigmas),
    }
    seconds = alternate(ways, asked.repeats)
    report(f"Evaluation of {asked.frames} frames", seconds, "pycocotools", asked.frames, "frame")
    errors = {
        "fosbury": lambda: evaluate(dataset, predictions, ap=False).group_metrics(),
        "plain loop": lambda: loop(dataset, predictions),
    }
    report(
        f"Joint errors of {asked.frames} frames", alternate(errors, asked.repeats), "plain loop", asked.frames, "frame"
    )
    same = ours(dataset, predictions, ap=False).group_metrics().error_mm
    print(f"Joint error: {same:.4f} mm, by the loop {loop(dataset, predictions):.4f}")
    print(f"OKS-AP: {ours(dataset, predictions).oks_ap:.4f}, by pycocotools {plain(truth, results, sigmas):.4f}")


if __name__ == "__main__":
    main()
