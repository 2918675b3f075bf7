"""Branches beside each other: what is kept of them, what is read back, and what is said of a difference."""

from __future__ import annotations

import contextlib
import io
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from fosbury.cli import app
from fosbury.errors import BadInput
from fosbury.formats.coco import write_coco
from fosbury.formats.predictions import read_predictions, write_predictions
from fosbury.metrics.bootstrap import Difference
from fosbury.metrics.evaluation import evaluate
from fosbury.metrics.paired import Verdict, sentence, verdicts
from fosbury.pose import PHASES, Dataset, Frame, Person, Pose
from fosbury.report.compare import compare
from fosbury.report.compare_page import markdown, page, terminal
from fosbury.report.compare_sides import load_side

CLIPS = 8
ODD = "![x](http://example.org/a.png)<b>[red]|@you"


def dataset(skeleton, clips: int = CLIPS) -> Dataset:
    """Clips of one frame a phase; a body of Winter's proportions is not needed, only limbs to judge its size by."""
    rng = np.random.default_rng(4)
    frames = []
    for clip in range(clips):
        points = rng.uniform(40, 160, (len(skeleton), 2)).round(1)
        box = np.concatenate([points.min(0) - 5, points.max(0) + 5])
        person = Person(points, np.full(len(skeleton), 2, np.uint8), box, float((box[2:] - box[:2]).prod()))
        frames += [
            Frame(f"clip{clip}/{number}.jpg", 200, 200, (person,), video=f"clip{clip}.mp4", frame=number, phase=phase)
            for number, phase in enumerate(PHASES)
        ]
    return Dataset(skeleton, tuple(frames))


def off(data: Dataset, pixels) -> list[list[Pose]]:
    """Every joint of frame i off by so many pixels."""
    shifts = np.broadcast_to(pixels, len(data))
    return [
        [
            Pose(person.keypoints + np.array([shift, 0]), np.ones(len(data.skeleton)), person.box, 0.9)
            for person in frame.people
        ]
        for frame, shift in zip(data.frames, shifts, strict=True)
    ]


@pytest.fixture(scope="module")
def coco17(skeletons):
    return skeletons["coco17"]


# Predictions on disk


def test_predictions_come_back(coco17, tmp_path):
    data = dataset(coco17)
    poses = off(data, 3.0)
    poses[2] = []
    poses[3] = [*poses[3], replace(poses[3][0], keypoints=np.full((17, 2), np.nan), score=0.1)]
    write_predictions(tmp_path / "p.npz", data, {"baseline": poses, "finetuned": off(data, 1.0)})
    back = read_predictions(tmp_path / "p.npz")
    assert back.joints == coco17.joints and back.files == tuple(frame.file_name for frame in data.frames)
    assert [len(found) for found in back.models["baseline"]] == [len(found) for found in poses]
    for frame, other in zip(poses, back.models["baseline"], strict=True):
        for pose, same in zip(frame, other, strict=True):
            assert np.allclose(pose.keypoints, same.keypoints, atol=1e-4, equal_nan=True)
            assert np.allclose(pose.box, same.box) and same.score == pytest.approx(pose.score)


def test_damaged_predictions_are_refused_or_read(coco17, tmp_path):
    data = dataset(coco17)
    write_predictions(tmp_path / "p.npz", data, {"finetuned": off(data, 2.0)})
    whole, rng = (tmp_path / "p.npz").read_bytes(), np.random.default_rng(0)
    for _ in range(300):
        bad = bytearray(whole)
        for place in rng.integers(0, len(bad), 2):
            bad[place] ^= int(rng.integers(1, 256))
        with contextlib.suppress(BadInput):
            read_predictions(bytes(bad))
    with pytest.raises(BadInput):
        read_predictions(whole[: len(whole) // 2])


def test_the_same_predictions_are_the_same_bytes(coco17, tmp_path):
    data = dataset(coco17)
    for name in ("a.npz", "b.npz"):
        write_predictions(tmp_path / name, data, {"finetuned": off(data, 2.0)})
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_what_holds_no_predictions_is_refused(tmp_path):
    with pytest.raises(BadInput, match="is not there"):
        read_predictions(tmp_path / "absent.npz")
    with pytest.raises(BadInput, match="can be read"):
        read_predictions(b"no zip")
    pickled = io.BytesIO()
    np.savez(pickled, files=np.array([{"a": 1}], dtype=object), models=np.array(["finetuned"]))
    with pytest.raises(BadInput, match="can be read"):
        read_predictions(pickled.getvalue())


# Verdicts


def found(verdict_list, name):
    return next(verdict for verdict in verdict_list if verdict.name == name)


def test_a_better_arch_is_told_and_nothing_else_is(coco17):
    data = dataset(coco17)
    arch = np.array([frame.phase == "arch" for frame in data.frames])
    before, after = (evaluate(data, off(data, shift), ap=False) for shift in (4.0, np.where(arch, 1.0, 4.0)))
    said = verdicts(before, after)
    verdict = found(said, "arch")
    assert verdict.told and verdict.difference.better == 1.0
    assert verdict.after / verdict.before == pytest.approx(0.25)
    assert verdict.difference.mean == pytest.approx(verdict.after - verdict.before)
    assert verdict.p_holm == pytest.approx(5 * 2 / 2**CLIPS)
    assert found(said, "landing").difference.mean == 0 and not found(said, "landing").told
    assert "finetuned is better than main" in sentence(verdict, "main", "finetuned")
    assert "no difference" in sentence(found(said, "landing"))


def test_more_tests_ask_for_more_frames():
    difference = Difference(mean=-10.0, low=-30.0, high=10.0, better=0.8, p=0.3, units=20)
    one, five = (Verdict("by_phase", "arch", 100, 20, 60.0, 50.0, difference, 0.3, tests) for tests in (1, 5))
    assert one.frames_needed == pytest.approx(400)  # half as wide takes four times as many
    assert five.frames_needed == pytest.approx(400 * (2.5758 / 1.95996) ** 2, rel=1e-3)
    assert replace(one, tests=0).frames_needed == one.frames_needed


def test_chance_is_not_told_and_more_frames_are_asked_for(coco17):
    data = dataset(coco17)
    clip = np.array([int(frame.video[4]) for frame in data.frames])
    before = evaluate(data, off(data, 4.0), ap=False)
    after = evaluate(data, off(data, np.where(clip % 2, 4.5, 3.6)), ap=False)
    verdict = verdicts(before, after)[0]
    assert not verdict.told and verdict.frames_needed > verdict.frames
    assert sentence(verdict).startswith("not enough frames to tell B from A")


def test_one_clip_tells_nothing_of_another(coco17):
    data = dataset(coco17, clips=1)
    frames = tuple(replace(data.frames[3], file_name=f"{number}.jpg", frame=number) for number in range(12))
    arch = replace(data, frames=frames)
    a, b = (evaluate(arch, off(arch, shift), ap=False) for shift in (4.0, 1.0))
    for verdict in verdicts(a, b):
        assert "one clip alone" in sentence(verdict) and not verdict.told and verdict.units == 1


def test_other_frames_are_no_pair(coco17):
    data = dataset(coco17)
    with pytest.raises(ValueError, match="same joints"):
        verdicts(evaluate(data, off(data, 1.0), ap=False), evaluate(dataset(coco17, 3), off(dataset(coco17, 3), 1.0)))


# Revisions


def git(root: Path, *words: str) -> None:
    about = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *about, *words], cwd=root, check=True, capture_output=True)


def commit(root: Path, skeleton, pixels, data: Dataset, lr: float) -> None:
    params = {"skeleton": skeleton.to_mapping(), "train": {"lr0": lr}, "conf_digest": str(lr)}
    params |= {"data": {"stature_mm": 1850.0}, "evaluate": {"cap": 0.5}}
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    write_coco(data, root / "data/dataset/test.json")
    models = {"baseline": off(data, 9.0), "finetuned": off(data, pixels)}
    write_predictions(root / "metrics/predictions.npz", data, models)
    git(root, "add", "-A")
    git(root, "commit", "-qm", f"lr {lr}")


@pytest.fixture(scope="module")
def repository(coco17, tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("revisions")
    git(root, "init", "-qb", "main")
    (root / "data/dataset").mkdir(parents=True)
    subprocess.run(["dvc", "init", "-q"], cwd=root, check=True, capture_output=True)
    commit(root, coco17, 4.0, dataset(coco17), 0.001)
    git(root, "checkout", "-qb", "better")
    commit(root, coco17, 2.0, dataset(coco17), 0.002)
    git(root, "checkout", "-qb", "other-frames", "main")
    commit(root, coco17, 2.0, dataset(coco17, 6), 0.003)
    git(root, "checkout", "-qb", "lost", "main")
    git(root, "rm", "-q", "--cached", "metrics/predictions.npz")
    subprocess.run(["dvc", "add", "-q", "metrics/predictions.npz"], cwd=root, check=True, capture_output=True)
    git(root, "add", "-A")
    git(root, "commit", "-qm", "by hash")
    git(root, "checkout", "-qb", "older", "main")
    git(root, "rm", "-q", "metrics/predictions.npz")
    git(root, "commit", "-qm", "before predictions were kept")
    git(root, "checkout", "-qb", "broken", "main")
    (root / "params.yaml").write_text("skeleton: [")
    git(root, "commit", "-qam", "broken")
    git(root, "checkout", "-qb", "renamed", "main")
    mapping = coco17.to_mapping()
    joints = [mapping["joints"][1], mapping["joints"][0], *mapping["joints"][2:]]
    params = yaml.safe_load((root / "params.yaml").read_text())
    (root / "params.yaml").write_text(yaml.safe_dump({**params, "skeleton": {**mapping, "joints": joints}}))
    git(root, "commit", "-qam", "another order of joints, and predictions of the former")
    git(root, "checkout", "-q", "main")
    return root


def test_branches_are_compared_without_a_checkout(repository):
    comparison = compare([load_side(name, repository) for name in ("main", "better", "workspace:baseline")])
    assert comparison.params == {"train.lr0": [0.001, 0.002, 0.001]}
    (first, better, worse) = (own.figures().error_px for own in comparison.evaluations)
    assert (first, better, worse) == pytest.approx((4, 2, 9), abs=1e-4)
    assert comparison.verdicts["better"][0].told and comparison.verdicts["better"][0].difference.mean < 0
    assert comparison.verdicts["workspace:baseline"][0].difference.mean > 0
    frames = comparison.changed_frames("better")
    assert len(frames) == 5 and all(after < before for _, before, after in frames)


def test_a_branch_with_other_test_frames_is_refused_unless_the_common_ones_are_asked_for(repository):
    sides = [load_side(name, repository) for name in ("main", "other-frames")]
    with pytest.raises(BadInput, match="40 and 30, 30 of them common") as error:
        compare(sides)
    assert "--common" in str(error.value)
    comparison = compare(sides, common=True)
    assert len(comparison.test) == 30 and "30 frames that all were tested on, of 40" in comparison.notes[0]


def test_what_is_tracked_by_hash_is_read_from_the_cache_or_asked_for(repository):
    assert load_side("lost", repository).predictions.models.keys() == {"finetuned"}
    cache = repository / ".dvc/cache"
    cache.rename(repository / ".dvc/elsewhere")
    try:
        with pytest.raises(BadInput, match="not in the cache") as error:
            load_side("lost", repository)
        assert "dvc fetch" in str(error.value)
    finally:
        (repository / ".dvc/elsewhere").rename(cache)


def test_what_is_no_revision_or_model_is_said(repository):
    with pytest.raises(BadInput, match="no revision"):
        load_side("nowhere", repository)
    with pytest.raises(BadInput, match="choose one of baseline"):
        load_side("main:best", repository)
    with pytest.raises(BadInput, match="names no revision"):
        load_side(":baseline", repository)
    with pytest.raises(BadInput, match="was not made by that revision"):
        load_side("older", repository)
    with pytest.raises(BadInput, match="names no skeleton"):
        load_side("broken", repository)
    with pytest.raises(BadInput, match="does not belong to its labels"):
        load_side("renamed", repository)


@pytest.mark.parametrize("option", [[], ["--md"]])
def test_the_command(repository, monkeypatch, option, tmp_path):
    monkeypatch.chdir(repository)
    result = CliRunner().invoke(app, ["compare", "main", "better", "--html", str(tmp_path / "c.html"), *option])
    assert result.exit_code == 0, result.output
    assert "better is better than main" in result.output and "train.lr0" in result.output
    assert "…" not in result.output
    assert "<table>" in (tmp_path / "c.html").read_text()
    assert CliRunner().invoke(app, ["compare", "main"]).exit_code == 2
    assert CliRunner().invoke(app, ["compare", "main", "nowhere"]).exit_code == 2


def test_names_from_strangers_stay_text(repository):
    comparison = compare([load_side(name, repository) for name in ("main", "better")])
    odd = replace(
        comparison,
        test=replace(
            comparison.test,
            frames=tuple(replace(frame, file_name=f"{ODD}{frame.file_name}") for frame in comparison.test.frames),
        ),
    )
    assert "<b>" not in page(odd) and "<img" not in page(odd) and "&lt;b&gt;[red]|@you" in page(odd)
    assert "<b>" not in markdown(odd).replace("\\<b", "") and "\\@you" in markdown(odd)
    assert f"{ODD}clip" in terminal(odd)
