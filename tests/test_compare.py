"""Branches beside each other: what is kept of them, what is read back, and what is said of a difference."""

from __future__ import annotations

import contextlib
import io
import re
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
from fosbury.metrics.evaluation import evaluate
from fosbury.metrics.intervals import Difference, differences
from fosbury.metrics.paired import Verdict, verdicts
from fosbury.pose import JUMP_PHASES, Dataset, Frame, Person, Pose
from fosbury.report.compare import compare
from fosbury.report.compare_page import markdown, page, sections, terminal
from fosbury.report.compare_sides import Run, Side, load_run, load_side
from fosbury.report.verdict import sentence, verdict_cells

CLIPS = 8
ODD = "![x](http://example.org/a.png)<b>[red]|@you"


def dataset(skeleton, clips: int = CLIPS, first: int = 0) -> Dataset:
    """Clips of one frame a phase; a body of Winter's proportions is not needed, only limbs to judge its size by."""
    rng = np.random.default_rng(4)
    frames = []
    for clip in range(first, first + clips):
        points = rng.uniform(40, 160, (len(skeleton), 2)).round(1)
        box = np.concatenate([points.min(0) - 5, points.max(0) + 5])
        person = Person(points, np.full(len(skeleton), 2, np.uint8), box, float((box[2:] - box[:2]).prod()))
        frames += [
            Frame(f"clip{clip}/{number}.jpg", 200, 200, (person,), video=f"clip{clip}.mp4", frame=number, phase=phase)
            for number, phase in enumerate(JUMP_PHASES)
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


def test_a_better_arch_is_significant_and_nothing_else_is(coco17):
    data = dataset(coco17)
    arch = np.array([frame.phase == "arch" for frame in data.frames])
    before, after = (evaluate(data, off(data, shift), ap=False) for shift in (4.0, np.where(arch, 1.0, 4.0)))
    said = verdicts([before], [after])
    verdict = found(said, "arch")
    assert verdict.significant and verdict.difference.better > 0.999
    assert verdict.after / verdict.before == pytest.approx(0.25)
    assert verdict.difference.mean == pytest.approx(verdict.after - verdict.before)
    assert verdict.p_holm == pytest.approx(5 * 2 / 2**CLIPS)
    assert found(said, "landing").difference.mean == 0 and not found(said, "landing").significant
    assert sentence(verdict, "main", "finetuned").startswith(
        "of these two trained models, finetuned is better than main: "
    )
    assert "no difference" in sentence(found(said, "landing"))
    for each in said:
        assert "one run a side: another seed may change this" in sentence(each)


def test_frames_asked_for_by_hand():
    # Spread of a clip: 5 sqrt(20), that is 2.236 of the difference. (1.95996 + 0.84162)^2 x 5 + 1.95996^2 / 2 clips.
    difference = Difference(mean=-10.0, low=-20.5, high=0.5, better=0.97, p=0.06, units=20, error=5.0)
    one, five = (Verdict("by_phase", "arch", 100, 20, 60.0, 50.0, difference, 0.3, tests) for tests in (1, 5))
    assert one.units_needed == pytest.approx(41.165, abs=1e-3) and one.frames_needed == pytest.approx(205.8, abs=0.1)
    assert five.units_needed == pytest.approx((2.57583 + 0.84162) ** 2 * 5 + 2.57583**2 / 2, abs=1e-2)
    assert replace(one, tests=0).frames_needed == one.frames_needed
    assert sentence(one).endswith(
        "if the true difference is this large, about 210 frames of 42 clips would show it with a power of 80 %"
    )


def test_the_clips_asked_for_show_the_difference_four_times_in_five():
    seen = Difference(mean=-25.0, low=-52.0, high=2.0, better=0.97, p=0.06, units=9, error=40 / 3)
    clips = int(np.ceil(Verdict("all", "all", 90, 9, 60.0, 35.0, seen, 0.06).units_needed))
    apart = np.random.default_rng(0).normal(-25, 40, (clips, 600))
    each = differences(np.zeros_like(apart), apart, np.ones_like(apart), resamples=1000)
    assert np.mean([own.significant and own.p < 0.05 for own in each]) == pytest.approx(0.8, abs=0.05)


def test_of_equal_models_no_number_of_frames_is_named():
    difference = Difference(mean=-3.0, low=-13.5, high=7.5, better=0.7, p=0.6, units=20, error=5.0)
    said = sentence(Verdict("by_phase", "arch", 100, 20, 60.0, 57.0, difference, 0.6))
    assert said.startswith("not significant") and "no number of frames can be named" in said and "about" not in said


def test_what_no_result_of_so_few_clips_can_show_is_not_a_matter_of_frames(coco17):
    data = dataset(coco17, 5)
    arch = np.array([frame.phase == "arch" for frame in data.frames])
    before, after = (evaluate(data, off(data, shift), ap=False) for shift in (4.0, np.where(arch, 1.0, 4.0)))
    verdict = found(verdicts([before], [after]), "arch")
    assert verdict.difference.p == 2 / 2**5 and not verdict.significant
    said = sentence(verdict)
    assert verdict.difference.significant  # the interval alone leaves 0 out: words say why that is no evidence
    assert "too few clips to test (5)" in said and "fewer than 8 clips" in said and "not enough" not in said
    assert verdict_cells(verdict)[-2:] == ("-", "too few clips: 5, needs 8")


def test_an_interval_that_leaves_0_out_agrees_with_a_verdict_that_does_not():
    apart = Difference(mean=-10.0, low=-19.0, high=-1.0, better=0.98, p=0.03, units=20, error=4.5)
    one, many = (Verdict("by_joint", "knee", 100, 20, 60.0, 50.0, apart, 0.03 * n, n) for n in (1, 17))
    assert one.significant and verdict_cells(one)[-1] == "yes, better"
    assert not many.significant and verdict_cells(many)[-1] == "no, after correction"
    assert "leaves 0 out, but p is corrected for the 17 groups" in sentence(many)


def test_chance_is_not_significant_and_more_frames_are_asked_for(coco17):
    data = dataset(coco17)
    clip = np.array([int(frame.video[4]) for frame in data.frames])
    before = evaluate(data, off(data, 4.0), ap=False)
    after = evaluate(data, off(data, np.where(clip % 2, 4.5, 3.6)), ap=False)
    verdict = verdicts([before], [after])[0]
    assert not verdict.significant
    assert sentence(verdict).startswith("not significant, B against A: ") and "not enough frames" in sentence(verdict)


def test_one_clip_tells_nothing_of_another(coco17):
    data = dataset(coco17, clips=1)
    frames = tuple(replace(data.frames[3], file_name=f"{number}.jpg", frame=number) for number in range(12))
    arch = replace(data, frames=frames)
    a, b = (evaluate(arch, off(arch, shift), ap=False) for shift in (4.0, 1.0))
    for verdict in verdicts([a], [b]):
        assert "one clip alone" in sentence(verdict) and not verdict.significant and verdict.units == 1


def test_other_frames_are_no_pair(coco17):
    data, fewer = dataset(coco17), dataset(coco17, 3)
    with pytest.raises(ValueError, match="same joints"):
        verdicts([evaluate(data, off(data, 1.0), ap=False)], [evaluate(fewer, off(fewer, 1.0), ap=False)])


# Revisions


def git(root: Path, *words: str) -> None:
    about = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *about, *words], cwd=root, check=True, capture_output=True)


def started(root: Path) -> Path:
    """An empty repository of git and DVC."""
    git(root, "init", "-qb", "main")
    (root / "data/dataset").mkdir(parents=True)
    subprocess.run(["dvc", "init", "-q"], cwd=root, check=True, capture_output=True)
    return root


def commit(root: Path, skeleton, pixels, data: Dataset, lr: float, seed: int = 0, **other) -> None:
    """A revision as the pipeline leaves it; ``other`` are training frames, or changes of its params."""
    train = other.pop("train", dataset(skeleton, 3, first=20))
    params = {"skeleton": skeleton.to_mapping(), "train": {"lr0": lr}, "conf_digest": str(lr), "seed": seed}
    params |= {"data": {"stature_mm": 1850.0}, "evaluate": {"cap": 0.5}}
    params |= {"model": {"weights": "models/starter/a.pt", "url": None}, **other}
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    write_coco(data, root / "data/dataset/test.json")
    write_coco(train, root / "data/dataset/train.json")
    write_coco(dataset(skeleton, 1, first=40), root / "data/dataset/val.json")
    models = {"baseline": off(data, 9.0), "finetuned": off(data, pixels)}
    write_predictions(root / "metrics/predictions.npz", data, models)
    git(root, "add", "-A")
    git(root, "commit", "-qm", f"lr {lr}, seed {seed}")


@pytest.fixture(scope="module")
def repository(coco17, tmp_path_factory) -> Path:
    root = started(tmp_path_factory.mktemp("revisions"))
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
    (first, better, worse) = (own.group_metrics().error_px for (own,) in comparison.evaluations)
    assert (first, better, worse) == pytest.approx((4, 2, 9), abs=1e-4)
    assert comparison.verdicts["better"][0].significant and comparison.verdicts["better"][0].difference.mean < 0
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
    assert load_run("lost", repository).predictions.models.keys() == {"finetuned"}
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
    with pytest.raises(BadInput, match="is not readable YAML"):
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
    shown = re.sub(r"<script>.*?</script>", "", page(odd), flags=re.DOTALL)
    assert "<b>" not in shown and "<img" not in shown and "&lt;b&gt;[red]|@you" in shown
    assert "<b>" not in markdown(odd).replace("\\<b", "") and "\\@you" in markdown(odd)
    assert f"{ODD}clip" in terminal(odd)


# Several runs a side


@pytest.fixture(scope="module")
def sweeps(coco17, tmp_path_factory) -> Path:
    """Branches of three seeds each, of two learning rates, and one of the first with another seed."""
    root = started(tmp_path_factory.mktemp("sweeps"))
    data = dataset(coco17)
    clip = np.array([int(frame.video[4:-4]) for frame in data.frames])
    for name, lr, seed, pixels in (
        *(("a", 0.001, seed, 4.0 + shift) for seed, shift in enumerate((0.0, 0.6, -0.5))),
        *(("b", 0.002, seed, 4.3 + shift) for seed, shift in enumerate((0.5, -0.4, 0.1))),
        *(("c", 0.003, seed, 2.0 + shift) for seed, shift in enumerate((0.1, -0.1, 0.0))),
    ):
        git(root, "checkout", "-qB", f"{name}{seed}")
        commit(root, coco17, pixels + 0.02 * clip, data, lr, seed)
    return root


def test_several_runs_a_side_account_for_the_seed(sweeps):
    one = compare([load_side(name, sweeps) for name in ("a0", "b0")])
    assert one.verdicts["b0"][0].significant and one.verdicts["b0"][0].difference.mean > 0
    names = ("a0,a1,a2", "b0,b1,b2", "c0,c1,c2")
    several = compare([load_side(name, sweeps) for name in names])
    assert several.names == names and several.runs[1] == ("b0", "b1", "b2")
    b, c = (several.verdicts[name][0] for name in names[1:])
    assert not b.significant and c.significant and c.difference.mean < 0 and c.difference.runs == 6
    assert b.difference.runs_share > 0.9 and "of the variance lies between runs" in sentence(b, *names[:2])
    means = [np.mean([run.group_metrics().error_mm for run in side]) for side in several.evaluations]
    assert (b.before, b.after, c.after) == pytest.approx(tuple(means))
    assert several.params["seed"] == [0, 1, 2] * 3
    said = terminal(several)
    assert "| a0,a1,a2, mean of 3" in markdown(several).replace("\\", "") and "a0,a1,a2, mean and range" in said
    assert "crossed random effects" in said and "another seed may change" not in said


def test_what_differs_in_its_seed_alone_is_said(sweeps):
    notes = compare([load_side(name, sweeps) for name in ("a0", "a1")]).notes
    assert any("a1 and a0 differ in their seed alone" in note for note in notes)
    assert not any("seed alone" in note for note in compare([load_side(name, sweeps) for name in ("a0", "b0")]).notes)
    mixed = compare([load_side(name, sweeps) for name in ("a0,b1", "c0,c1")]).notes
    assert any("runs of a0,b1 differ in train.lr0" in note for note in mixed)


def test_one_run_is_not_two(sweeps):
    with pytest.raises(BadInput, match="predict the same"):
        load_side("a0:baseline,a1:baseline", sweeps)
    with pytest.raises(BadInput, match="names no revision"):
        load_side("a0,,a1", sweeps)


@pytest.mark.parametrize("words", [["a0,a1", "a1,a2"], ["a0,a0", "b0"]])
def test_a_run_is_named_once(sweeps, monkeypatch, words):
    monkeypatch.chdir(sweeps)
    result = CliRunner().invoke(app, ["compare", *words])
    assert result.exit_code == 2 and "twice" in result.output


# What must agree, and what was seen in training


def side(run: Run, **changes) -> Side:
    """A run with some of its params changed."""
    params = {**run.params, **{name.replace("__", "."): value for name, value in changes.items()}}
    return Side("other", (replace(run, name="other", params=params),))


@pytest.fixture(scope="module")
def run(repository) -> Run:
    return load_run("main", repository)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"phase": "flight"}, "the phase"),
        ({"stature_mm": 1700.0}, "the stature"),
        ({"group": "anna"}, "the clip or group"),
        ({"box": 1.0}, "the box"),
        ({"area": 2.0}, "the area"),
    ],
)
def test_labels_that_differ_in_anything_that_counts_are_no_pair(run, change, named):
    frame = run.test.frames[3]
    (person,) = frame.people
    if "box" in change:
        changed = replace(frame, people=(replace(person, box=person.box + change["box"]),))
    elif "area" in change:
        changed = replace(frame, people=(replace(person, area=person.area * change["area"]),))
    else:
        changed = replace(frame, **change)
    frames = (*run.test.frames[:3], changed, *run.test.frames[4:])
    other = Side("other", (replace(run, name="other", test=replace(run.test, frames=frames)),))
    with pytest.raises(BadInput, match=f"{named} of 1 frames differ"):
        compare([Side("main", (run,)), other])
    assert len(compare([Side("main", (run,)), other], common=True).test) == len(frames) - 1


def test_settings_of_the_measure_that_differ_are_named_with_the_one_applied(run):
    sigmas = {f"skeleton__sigmas__{joint}": 0.1 for joint in run.test.skeleton.joints}
    other = side(run, evaluate__cap=0.4, data__stature_mm=1700, **sigmas)
    notes = " ".join(compare([Side("main", (run,)), other]).notes)
    assert "evaluate.cap differs (main 0.5, other 0.4): all are measured with that of main" in notes
    assert "data.stature_mm differs (main 1850.0, other 1700)" in notes
    assert "skeleton.sigmas differ: all are measured with those of main" in notes
    assert "differ" not in " ".join(compare([Side("main", (run,)), side(run)]).notes)


def test_the_sections_are_about_the_phase_of_interest_of_the_first_run(run):
    (focused,) = side(run, evaluate__phase="landing").runs
    phases = ["landing" if place % 2 else "arch" for place in range(len(run.test))]
    frames = tuple(replace(frame, phase=phase) for frame, phase in zip(run.test.frames, phases, strict=True))
    found = [replace(focused, name=name, test=replace(run.test, frames=frames)) for name in ("main", "other")]
    said = sections(compare([Side(each.name, (each,)) for each in found]))
    parts = {section.short or section.title: section for section in said}
    assert said[0].text[0].startswith("landing: ")
    assert parts["Figures"].head[1:5] == ("landing mm", "upright mm", "all mm", "landing PCK@0.1")
    assert parts["Mistakes"].head[0] == "landing"


@pytest.fixture(scope="module")
def plain(coco17, tmp_path_factory) -> Path:
    root = started(tmp_path_factory.mktemp("plain"))
    commit(root, coco17, 4.0, dataset(coco17), 0.001)
    return root


@pytest.mark.parametrize("value", ["tall", -5, None, True, float("nan"), [1850], "absent"])
def test_a_stature_that_is_none_is_refused_on_either_side(plain, monkeypatch, value):
    params = yaml.safe_load((plain / "params.yaml").read_text())
    params["data"] = {} if value == "absent" else {"stature_mm": value}
    monkeypatch.chdir(plain)
    whole = Path("params.yaml").read_text()
    Path("params.yaml").write_text(yaml.safe_dump(params))
    try:
        for words in (["workspace", "HEAD:baseline"], ["HEAD:baseline", "workspace"]):
            result = CliRunner().invoke(app, ["compare", *words])
            assert result.exit_code == 2 and "data.stature_mm" in result.output, result.output
    finally:
        Path("params.yaml").write_text(whole)


@pytest.fixture(scope="module")
def lineage(coco17, tmp_path_factory) -> Path:
    """``leaky`` learnt two test clips; ``heir`` starts from its checkpoint, ``grandchild`` from that of ``heir``."""
    root = started(tmp_path_factory.mktemp("lineage"))

    def lock(weights: str, start: str, result: str) -> None:
        train = {
            "deps": [{"path": weights, "md5": start}],
            "outs": [{"path": "models/finetuned/model.pt", "md5": result}],
        }
        (root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": {"train": train}}))

    lock("models/starter/a.pt", "0" * 32, "1" * 32)
    commit(root, coco17, 4.0, dataset(coco17), 0.001)
    git(root, "checkout", "-qb", "leaky")
    lock("models/starter/a.pt", "0" * 32, "2" * 32)
    commit(root, coco17, 3.0, dataset(coco17), 0.002, train=dataset(coco17, 2))
    git(root, "checkout", "-qb", "heir", "main")
    lock("models/mine.pt", "2" * 32, "3" * 32)
    commit(root, coco17, 2.0, dataset(coco17), 0.003, model={"weights": "models/mine.pt", "url": None})
    git(root, "checkout", "-qb", "grandchild", "main")
    lock("models/mine.pt", "3" * 32, "5" * 32)
    commit(root, coco17, 2.2, dataset(coco17), 0.005, model={"weights": "models/mine.pt", "url": None})
    git(root, "checkout", "-qb", "stranger", "main")
    lock("models/mine.pt", "9" * 32, "4" * 32)
    commit(root, coco17, 2.5, dataset(coco17), 0.004, model={"weights": "models/mine.pt", "url": None})
    git(root, "checkout", "-q", "main")
    return root


@pytest.mark.parametrize("name", ["leaky", "heir", "heir:baseline", "grandchild"])
def test_a_test_clip_seen_in_training_is_refused_or_left_out(lineage, name):
    sides = [load_side(each, lineage) for each in ("main", name)]
    with pytest.raises(BadInput, match=f"{name}: was trained on clips or groups of 10 test frames") as error:
        compare(sides)
    assert "--common" in str(error.value)
    comparison = compare(sides, common=True)
    assert len(comparison.test) == 30 and not {"clip0.mp4", "clip1.mp4"} & {f.video for f in comparison.test.frames}
    assert f"left out, since {name} was trained on their clips or groups: 10 frames" in comparison.notes


def test_weights_of_unknown_origin_are_named(lineage):
    (note, *_) = compare([load_side(each, lineage) for each in ("main", "stranger")]).notes
    assert note == "stranger starts from models/mine.pt, which no commit here trained: its pictures are not known"
    assert load_run("main", lineage).training.notes == ()
    assert load_run("leaky:baseline", lineage).training.names == frozenset()


def test_training_frames_that_cannot_be_read_are_a_note(lineage):
    git(lineage, "checkout", "-qb", "without", "main")
    git(lineage, "rm", "-q", "data/dataset/train.json")
    git(lineage, "commit", "-qm", "no training frames")
    (note,) = load_run("without", lineage).training.notes
    assert "what without was trained on could not be read" in note
