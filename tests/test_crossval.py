"""A grouped cross-validation pooled: worked by hand, and what is refused."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from math import ceil
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from fosbury import config
from fosbury.cli import app
from fosbury.dataset.split import split_fold
from fosbury.errors import BadInput
from fosbury.formats.coco import write_coco
from fosbury.formats.predictions import Predictions, write_predictions
from fosbury.metrics.intervals import least_units
from fosbury.pose import JUMP_PHASES, Dataset, Frame, Person, Pose
from fosbury.report.compare_sides import Run
from fosbury.report.compare_training import Training
from fosbury.report.crossval import cross_validation, fold_runs

ROOT = Path(__file__).parents[1]
SETTINGS = {"data.stature_mm": 1000, "evaluate.cap": 0.5, "split.folds": 3, "split.train_frames": None, "seed": 0}
CLIPS = [f"clip{number}.mp4" for number in range(6)]
OFF = {"clip0.mp4": 10.0, "clip1.mp4": 20.0, "clip2.mp4": 30.0, "clip3.mp4": 40.0, "clip4.mp4": 50.0, "clip5.mp4": 90.0}


def fold(skeleton, number: int, tested: list[str], learnt: list[str] | None = None, **other) -> tuple[Run, Run]:
    """A run that tests these clips. The athlete is 1000 px and 1000 mm tall: the upper arm is 186 px long."""
    points = np.full((len(skeleton), 2), 300.0)
    points[skeleton.joints.index("left_elbow")] += (186, 0)
    seen = np.zeros(len(skeleton), np.uint8)
    seen[[skeleton.joints.index("left_shoulder"), skeleton.joints.index("left_elbow")]] = 2
    box = np.array([290.0, 290.0, 500.0, 310.0])
    person = Person(points, seen, box, 1000.0)
    frames = tuple(
        Frame(f"{clip}/{at}.jpg", 600, 600, (person,), video=clip, frame=at, phase=phase)
        for clip in tested
        for at, phase in enumerate(("approach", "arch"))
    )
    files = tuple(frame.file_name for frame in frames)

    def run(model: str, pixels: list[float], training: Training) -> Run:
        poses = [[Pose(points + np.array([0, step]), np.ones(len(skeleton)), box, 0.9)] for step in pixels]
        params = {**SETTINGS, "split.fold": number, "conf_digest": str(number), **other}
        name = f"fold{number}" if model == "finetuned" else f"fold{number}:baseline"
        predictions = Predictions(skeleton.joints, files, {model: poses})
        return Run(name, params, Dataset(skeleton, frames), predictions, training)

    learnt = [clip for clip in CLIPS if clip not in tested] if learnt is None else learnt
    after = [OFF[clip] if phase else 5.0 for clip in tested for phase in range(2)]
    before = [100.0 if phase else 5.0 for _ in tested for phase in range(2)]
    return run("baseline", before, Training()), run("finetuned", after, Training(frozenset(learnt)))


@pytest.fixture
def folds(skeletons) -> list[tuple[Run, Run]]:
    return [fold(skeletons["coco17"], number, CLIPS[2 * number : 2 * number + 2]) for number in range(3)]


def test_pooled_figures_by_hand(folds):
    found = cross_validation([folds[2], folds[0], folds[1]])
    values = found.to_json()
    assert values["runs"] == ["fold0", "fold1", "fold2"] and values["clips"] == 6
    assert values["baseline"]["by_phase"]["arch"]["error_mm"] == 100.0
    assert values["finetuned"]["by_phase"]["arch"]["error_mm"] == 40.0  # (10 + 20 + 30 + 40 + 50 + 90) / 6
    assert values["finetuned"]["error_mm"] == 22.5  # half of the frames are off by 5
    assert values["finetuned"]["by_phase"]["arch"]["ci"]["units"] == 6
    arch = values["differences"]["arch"]
    assert arch["difference_mm"] == -60.0 and arch["clips"] == 6
    assert arch["low"] < -60.0 < arch["high"] < 0
    assert arch["p"] == pytest.approx(2 * 2 / 2**6)  # every clip gained: 2 of 64 exchanges, times 2 phases
    said = "\n".join(found.sentences())
    assert "3 folds, 6 clips, each tested once" in said
    assert "arch: 100.0 to 40.0 mm, -60.0 mm" in said


def test_what_is_no_cross_validation_is_refused(folds, skeletons):
    skeleton = skeletons["coco17"]
    cases = [
        (folds[:2], "has no run of fold 2; run it with -S split.fold=2"),
        ([*folds[:2], fold(skeleton, 1, CLIPS[4:])], "fold1: is fold 1, and so is fold1"),
        ([*folds[:2], fold(skeleton, 2, CLIPS[4:], seed=1)], "fold2: differs from fold0 in seed"),
        ([*folds[:2], fold(skeleton, 2, CLIPS[3:], CLIPS[:3])], "fold2: tests clip3.mp4, as fold1 does"),
        ([*folds[:2], fold(skeleton, 2, CLIPS[4:], CLIPS[:5])], "fold2: learnt from clip4.mp4, which it tests"),
        ([*folds[:2], fold(skeleton, 2, CLIPS[4:], [*CLIPS[:4], "new.mp4"])], "from new.mp4, which no fold tests"),
        ([*folds[:2], fold(skeleton, 2, CLIPS[4:5])], "fold0: learnt from clip5.mp4, which no fold tests"),
        ([*folds[:2], fold(skeleton, 2, CLIPS[4:], CLIPS[:3])], "did not learn from clip3.mp4, which fold1 tests"),
        ([(a, replace(b, params={**b.params, "split.folds": None})) for a, b in folds], "is no fold"),
    ]
    for runs, said in cases:
        with pytest.raises(BadInput) as caught:
            cross_validation(runs)
        assert said in str(caught.value)


def test_clips_that_are_always_learnt_from_need_no_test(skeletons):
    more = {"split.assign.club": "train"}
    runs = []
    for number in range(3):
        tested = CLIPS[2 * number : 2 * number + 2]
        learnt = [clip for clip in [*CLIPS, "club.mp4"] if clip not in tested]
        runs.append(fold(skeletons["coco17"], number, tested, learnt, **more))
    assert cross_validation(runs).clips == 6


def test_the_command_reads_branches_whose_split_was_really_made(folds, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frames = tuple(frame for _, tuned in folds for frame in tuned.test.frames)
    whole = replace(folds[0][0].test, frames=frames)
    git("init", "-qb", "main")
    subprocess.run(["dvc", "init", "-q"], check=True, capture_output=True)
    params = {"skeleton": whole.skeleton.to_mapping(), "data": {"stature_mm": 1000}, "evaluate": {"cap": 0.5}}
    for number in range(3):
        parts = split_fold(whole, {"train": 0.7, "val": 0.1, "test": 0.2}, folds=3, fold=number)
        for name, part in parts.items():
            Path("data/dataset").mkdir(parents=True, exist_ok=True)
            write_coco(part, Path(f"data/dataset/{name}.json"))
        poses = {
            model: [
                [Pose(person.keypoints + np.array([0, pixels]), np.ones(len(whole.skeleton)), person.box, 0.9)]
                for frame in parts["test"].frames
                for person in frame.people
            ]
            for model, pixels in (("baseline", 50.0), ("finetuned", 10.0 * (1 + number)))
        }
        write_predictions(Path("metrics/predictions.npz"), parts["test"], poses)
        Path("params.yaml").write_text(yaml.safe_dump({**params, "split": {"folds": 3, "fold": number}}))
        git("checkout", "-qb", f"fold{number}")
        git("add", "-A")
        git("commit", "-qm", f"fold {number}")
    done = CliRunner().invoke(app, ["crossval", "fold2", "fold0", "fold1", "--json", "all.json", "--md"])
    assert done.exit_code == 0, done.output
    assert "3 folds, 6 clips, each tested once" in done.output
    assert "| **arch** | **6** |" in done.output
    found = json.loads(Path("all.json").read_text())
    assert found["baseline"]["error_mm"] == pytest.approx(50, abs=0.01)
    assert found["finetuned"]["error_mm"] == pytest.approx(20, abs=0.01)  # 10, 20 and 30 mm, two clips each
    refused = CliRunner().invoke(app, ["crossval", "fold0", "fold1"])
    assert refused.exit_code == 2
    assert "has no run of fold 2" in refused.output


def git(*words: str) -> None:
    about = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *about, *words], check=True, capture_output=True)


def test_the_experiments_with_folds_are_found():
    """As `dvc.api.exp_show` of DVC 3.67 gives them."""
    rows = [
        {"Experiment": None, "rev": "workspace", "split.folds": 5.0},
        {"Experiment": "b", "State": None, "split.folds": 5.0},
        {"Experiment": "a", "State": None, "split.folds": 5.0},
        {"Experiment": "other", "State": None, "split.folds": "None"},
        {"Experiment": "c", "State": "Failed", "split.folds": 5.0},
        {"Experiment": "d", "State": "Queued", "split.folds": 5.0},
    ]
    assert fold_runs(rows) == ["a", "b"]
    with pytest.raises(BadInput, match="of split=grouped_cv are not there"):
        fold_runs(rows[:1])


def test_the_documented_numbers_of_clips_are_those_of_the_code():
    text = (ROOT / "docs/compare.md").read_text(encoding="utf-8")
    share = config.parse_params(config.compose(["experiment=clips"], ROOT)).split.test
    one, phases = least_units(1), least_units(len(JUMP_PHASES))
    assert (one, phases) == (6, 8) and "six test clips" in text and "eight test clips" in text
    assert f"| {ceil(one / share)} | six" in text
    assert f"| about {ceil(phases / share)} | eight" in text
    assert round(12 * share) == 2 and "two test clips" in text
