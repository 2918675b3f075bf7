"""The error that chooses a checkpoint is that of the evaluation, bit for bit, and needs nothing else of metrics/."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from fosbury.metrics.evaluation import evaluate
from fosbury.metrics.selection import joint_errors
from fosbury.pose import PHASES, Dataset, Frame, Person, Pose
from fosbury.skeleton import Skeleton

ROOT = Path(__file__).parents[1]
SKELETONS = {
    path.stem: Skeleton.from_mapping(yaml.safe_load(path.read_text(encoding="utf-8")), path.name)
    for path in (ROOT / "conf/skeleton").glob("*.yaml")
}


def random_set(seed: int, skeleton: Skeleton) -> tuple[Dataset, list[list[Pose]]]:
    """Clips and stills with none to three people a frame; predictions near, far, doubled, missing, without joints."""
    chance, joints = np.random.default_rng(seed), len(skeleton)
    frames, predictions = [], []
    for index in range(60):
        people, poses = [], []
        for _ in range(chance.choice(4, p=[0.1, 0.6, 0.2, 0.1])):
            points = chance.uniform(50, 400) + chance.normal(0, 60, (joints, 2))
            seen = chance.choice(3, joints, p=[0.2, 0.2, 0.6]).astype(np.uint8)
            box = np.concatenate([points.min(0) - 5, points.max(0) + 5])
            labels = np.where((seen > 0)[:, None], points, np.nan)
            people.append(Person(labels, seen, box, float(np.prod(box[2:] - box[:2]))))
            for _ in range(chance.choice(3, p=[0.1, 0.8, 0.1])):
                found = points + chance.normal(0, chance.choice([0.5, 8, 90]), points.shape)
                found[chance.random(joints) < 0.1] = np.nan
                shaken = box + chance.normal(0, chance.choice([2, 80]), 4)
                poses.append(Pose(found, chance.random(joints), shaken, float(chance.random())))
        video = f"clip{index // 15}.mp4" if index < 45 else None
        frame = Frame(
            f"{index:03}.png",
            640,
            480,
            tuple(people),
            video=video,
            frame=index % 15 if video else None,
            phase=str(chance.choice([*PHASES, ""])) or None,
            stature_mm=float(chance.choice([1700.0, 1930.0])) if chance.random() < 0.3 else None,
        )
        frames.append(frame)
        predictions.append(poses)
    return Dataset(skeleton, tuple(frames)), predictions


def same_as_the_evaluation(dataset: Dataset, predictions: list[list[Pose]]) -> None:
    errors, whole = joint_errors(dataset, predictions), evaluate(dataset, predictions, ap=False)
    np.testing.assert_array_equal(errors.frame, whole.frame)
    assert errors.error_mm.tobytes() == whole.error_mm.tobytes()
    assert errors.error_trunk.tobytes() == whole.error_trunk.tobytes()
    parts = [(errors, whole.group_metrics())]
    parts += [(errors.of(phase), whole.group_metrics(whole.phase == phase)) for phase in PHASES]
    parts += [(errors.of("approach", "takeoff"), whole.group_metrics(np.isin(whole.phase, ("approach", "takeoff"))))]
    for mine, figures in parts:
        known = figures.to_json()
        assert (mine.mean_mm(), mine.frames()) == (known["error_mm"], known["frames"])
        assert {threshold: mine.pck(float(threshold)) for threshold in known["pck"]} == known["pck"]


@pytest.mark.parametrize("name", SKELETONS)
@pytest.mark.parametrize("seed", range(5))
def test_the_selection_error_is_the_evaluations_to_the_last_bit(seed, name):
    dataset, predictions = random_set(seed, SKELETONS[name])
    same_as_the_evaluation(dataset, predictions)
    same_as_the_evaluation(dataset, [[] for _ in predictions])
    same_as_the_evaluation(dataset.where([False] * len(dataset)), [])
    limbless = replace(dataset, skeleton=replace(dataset.skeleton, limbs=()))
    same_as_the_evaluation(limbless, predictions)
    assert len(joint_errors(limbless, predictions)) == 0


@pytest.mark.real
def test_so_it_is_on_real_labels(shared):
    from fosbury.formats.coco import read_coco

    flops = read_coco(shared / "flops" / "annotations.json", SKELETONS["lsp14"])
    chance = np.random.default_rng(0)
    predictions = [
        [
            Pose(person.keypoints + chance.normal(0, 9, person.keypoints.shape), np.ones(14), person.box, 0.9)
            for person in frame.people
        ]
        for frame in flops.frames
    ]
    same_as_the_evaluation(flops, predictions)


def test_training_imports_no_other_metric():
    """So that a new metric retrains nothing."""
    package = ROOT / "src/fosbury"
    allowed = {f"fosbury.metrics.{name}" for name in ("selection", "error", "match", "stature")}
    sources = [package / "stages/train.py", package / "metrics/selection.py"]
    sources += [path for folder in ("training", "backends") for path in (package / folder).glob("*.py")]
    for path in sources:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert {name for name in modules if name and name.startswith("fosbury.metrics")} <= allowed, path.name
