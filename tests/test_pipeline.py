"""The whole pipeline, really run on a few tiny clips: what it makes, what it leaves alone, and how it fails."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import dvc.api
import onnx
import pytest
import torch
import yaml
from PIL import Image
from scratch import AGPL, CLIPS, COMPILED, ROOT, SMALL, TINY, Scratch, stages_run

from fosbury.inference.boxes import SEARCH, SOURCES, TRACK
from fosbury.inference.predict import FOUND_BEFORE
from fosbury.stage_code import DECIDES_NO_OUTPUT, code_of, places, read_modules, stage_code, stages

pytestmark = pytest.mark.pipeline

STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
KILL_EPOCHS = 3
DOCUMENTED = (ROOT / "docs/compare.md").read_text(encoding="utf-8").splitlines()


def outputs() -> list[str]:
    kinds = [stage.get(kind, []) for stage in STAGES.values() for kind in ("outs", "metrics", "plots")]
    entries = [entry for kind in kinds for entry in kind]
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def overrides(*more: str) -> list[str]:
    return [part for value in (*TINY, *more) for part in ("-S", value)]


def read_json(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def written(root: Path) -> dict[str, int]:
    """When each file below a folder was written."""
    return {path.relative_to(root).as_posix(): path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()}


def test_one_command_makes_everything(pipeline):
    root = pipeline.root
    first = (root.parent / "first.txt").read_text(encoding="utf-8")
    assert stages_run(first) == {"synth", *STAGES}
    for output in outputs():
        path = root / output
        files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
        assert files, output
        assert all(file.stat().st_size for file in files), output
    assert first.rstrip().count("\narch") == 1, "the table of report"
    assert "finetuned" in first
    assert "onnx" in first
    assert "up to date" in pipeline.run("dvc", "status")
    assert pipeline.run("git", "status", "--porcelain") == ""


def test_a_stage_imports_nothing_that_its_digests_leave_out(pipeline):
    modules = read_modules()
    beside, waiting = set(), [*DECIDES_NO_OUTPUT]
    while waiting:
        place = waiting.pop()
        if place not in beside:
            beside.add(place)
            waiting += [each for name in modules[place].imports for each in places(name, modules)]
    for stage in {"synth", *STAGES} & set(stages()):
        imported = {places(name, modules)[-1] for name in pipeline.imported_by(stage)}
        coded = {place for place in imported if modules[place].digest}
        assert coded - set(code_of(stage, modules)) - beside == set(), f"see BY_NAME: {stage}"


def test_the_parts_of_the_data_set_share_no_clip(pipeline):
    parts = {name: read_json(pipeline.root / f"data/dataset/{name}.json") for name in ("train", "val", "test")}
    clips = {name: {image["video"] for image in part["images"]} for name, part in parts.items()}
    assert all(clips.values())
    assert sum(map(len, clips.values())) == len(set().union(*clips.values())) == CLIPS
    for part in parts.values():
        for image in part["images"]:
            with Image.open(pipeline.root / image["file_name"]) as picture:
                assert picture.size == (image["width"], image["height"]) == (96, 96)


def test_the_figures_agree_with_each_other(pipeline):
    metrics = pipeline.root / "metrics"
    summary, whole = read_json(metrics / "summary.json"), read_json(metrics / "evaluation.json")
    test = read_json(pipeline.root / "data/dataset/test.json")
    exported = read_json(metrics / "export.json")
    assert summary["arch_error_mm"] == whole["finetuned"]["by_phase"]["arch"]["error_mm"]
    assert summary["arch_error_mm_baseline"] == whole["baseline"]["by_phase"]["arch"]["error_mm"]
    assert exported["arch_error_mm_onnx"] == pytest.approx(summary["arch_error_mm"], rel=0.05)
    told = {entry.key: entry.value for entry in onnx.load(pipeline.root / "models/exported/model.onnx").metadata_props}
    assert float(told["fosbury.temperature"]) == read_json(metrics / "calibration.json")["temperature"]
    assert 0 < summary["arch_frames"] < summary["test_frames"] <= len(test["images"])
    validation = read_json(metrics / "validation.json")
    assert next(iter(validation)) == "val_arch_error_mm"
    assert validation["chosen_epoch"] == 1
    assert validation["val_frames"] == len(read_json(pipeline.root / "data/dataset/val.json")["images"])
    with (metrics / "by_phase.csv").open(encoding="utf-8") as file:
        rows = {(row["model"], row["phase"]): float(row["error_mm"]) for row in csv.DictReader(file)}
    assert rows["finetuned", "arch"] == summary["arch_error_mm"]
    with Image.open(pipeline.root / "reports/montage.jpg") as picture:
        picture.load()
        assert picture.width > 600


def test_a_second_run_does_nothing(pipeline):
    before = written(pipeline.root / "data"), written(pipeline.root / "models"), written(pipeline.root / "metrics")
    lock = (pipeline.root / "dvc.lock").read_bytes()
    assert stages_run(pipeline.run("dvc", "repro")) == set()
    after = written(pipeline.root / "data"), written(pipeline.root / "models"), written(pipeline.root / "metrics")
    assert after == before
    assert (pipeline.root / "dvc.lock").read_bytes() == lock


def test_another_learning_rate_rebuilds_no_data(pipeline, tmp_path):
    scratch = pipeline.copy(tmp_path / "repository")
    weights = (scratch.root / "models/finetuned/model.pt").read_bytes()
    data = written(scratch.root / "data")
    output = scratch.run("dvc", "exp", "run", "--name", "slow", *overrides("train.lr0=0.0007"), "train")
    assert stages_run(output) == {"check_params", "train"}
    assert "train.lr0=0.0007" in output, "the override in effect is printed"
    assert written(scratch.root / "data") == data
    assert (scratch.root / "models/finetuned/model.pt").read_bytes() != weights
    rows = list(csv.DictReader(scratch.run("dvc", "exp", "show", "--csv").splitlines()))
    rate = next(column for column in rows[0] if column.endswith("train.lr0"))
    ranking = next(line for line in DOCUMENTED if line.startswith("dvc exp show"))
    ranked = list(csv.reader(scratch.run(*shlex.split(ranking), "--csv").splitlines()))
    assert ranked[0][:2] == ["Experiment", "val_arch_error_mm"]
    assert {"params.yaml:seed", "train.lr0"} <= set(ranked[0])
    assert "slow" in [row[0] for row in ranked]
    assert [float(row[rate]) for row in rows if row["Experiment"] == "slow"] == [0.0007]
    shown = {row["Experiment"] or row["rev"]: row for row in rows}
    branch = scratch.run("git", "branch", "--show-current").strip()
    arch = next(column for column in rows[0] if column.rpartition(":")[2] == "arch_error_mm")
    assert float(shown[branch][arch]) > 0
    assert shown["slow"][arch] == "!", "what this run has not measured is not shown as its own"
    for model in ("", ":baseline", ":coreml"):
        refused = scratch.run("fosbury", "compare", "HEAD", f"slow{model}", fails=True)
        assert "read another models/finetuned/model.pt than stage train wrote" in refused
        assert "dvc exp apply slow" in refused


def test_the_default_runs_from_data_to_export_without_an_agpl_package(pipeline, tmp_path):
    pytest.importorskip("mmpose")
    scratch = replace(pipeline.copy(tmp_path / "repository"), without=(*AGPL, COMPILED))
    refused = scratch.run("dvc", "exp", "run", *overrides("train.lr0=0.0007"), fails=True)
    assert "needs the package ultralytics" in refused
    assert "Traceback" not in refused
    scratch.run("git", "checkout", "--quiet", "--force", ".")
    output = scratch.run("dvc", "exp", "run", "--name", "topdown", *[part for value in SMALL for part in ("-S", value)])
    assert {"train", "evaluate", "export", "evaluate_export", "report"} <= stages_run(output)
    assert not {"frames", "annotations", "dataset"} & stages_run(output)
    assert SOURCES[TRACK] in (scratch.root / "reports/table.md").read_text(encoding="utf-8")
    assert read_json(scratch.root / "metrics/export_evaluation.json")["coreml"]["notes"][-1] == SOURCES[TRACK]
    assert read_json(scratch.root / "metrics/validation.json")["val_arch_error_mm"] > 0
    figures = {**read_json(scratch.root / "metrics/summary.json"), **read_json(scratch.root / "metrics/export.json")}
    assert figures["arch_error_mm_onnx"] == pytest.approx(figures["arch_error_mm"], rel=0.02)
    compared = scratch.run("fosbury", "compare", "HEAD", "topdown", "HEAD:baseline", "--md")
    assert "| model.architecture | yolo11n-pose | rtmpose-t | yolo11n-pose |" in compared
    assert "topdown" in compared.splitlines()[0]
    small = [part for value in (*SMALL, "model.boxes=search") for part in ("-S", value)]
    assert "train" not in stages_run(scratch.run("dvc", "exp", "run", *small, "evaluate_export"))
    assert read_json(scratch.root / "metrics/evaluation.json")["finetuned"]["notes"][-1] == SOURCES[SEARCH]
    assert read_json(scratch.root / "metrics/export_evaluation.json")["onnx"]["notes"][-1] == FOUND_BEFORE
    figures = {**read_json(scratch.root / "metrics/summary.json"), **read_json(scratch.root / "metrics/export.json")}
    assert figures["arch_error_mm_onnx"] == pytest.approx(figures["arch_error_mm"], rel=0.001)


def test_an_edited_conf_is_refused_until_it_is_composed(pipeline, tmp_path):
    scratch = pipeline.copy(tmp_path / "repository")
    with (scratch.root / "conf/train/demo_yolo.yaml").open("a", encoding="utf-8") as file:
        file.write("# a thought\n")
    output = scratch.run("dvc", "repro", fails=True)
    assert "fosbury config compose" in output
    assert "Traceback" not in output
    assert stages_run(output) == {"check_params"}
    scratch.compose()
    assert stages_run(scratch.run("dvc", "repro")) == {"check_params"}, "a remark in conf/ invalidates nothing"


def hashes(lock: str, stage: str, kind: str) -> dict[str, str]:
    return {entry["path"]: entry["md5"] for entry in yaml.safe_load(lock)["stages"][stage][kind]}


@pytest.mark.parametrize("how", ["--queue", "--temp"])
def test_an_experiment_in_a_folder_of_its_own_runs_the_code_that_it_records(pipeline, tmp_path, how):
    scratch = pipeline.copy(tmp_path / "repository")
    code, report = scratch.root / "src/fosbury/stages/annotations.py", "reports/annotations.md"
    committed, line = code.read_text(encoding="utf-8"), "annotations_report(datasets)"
    assert line in committed

    def written_by(words: str) -> str:
        code.write_text(committed.replace(line, f"{line} + {words!r}"), encoding="utf-8")
        digests = stage_code("annotations", read_modules(scratch.root / "src/fosbury"))
        return hashlib.md5(digests.encode()).hexdigest()

    recorded = written_by("of the experiment")
    output = scratch.run("dvc", "exp", "run", how, "--name", "apart", *overrides(), "annotations")
    if how == "--queue":
        written_by("of the workspace")
        scratch.run("dvc", "queue", "start")
        while "apart" not in scratch.run("git", "for-each-ref", "refs/exps"):
            assert "Failed" not in scratch.run("dvc", "queue", "status")
            time.sleep(0.5)
    else:
        assert stages_run(output) == {"code", "annotations"}
    lock = scratch.run("git", "show", f"{scratch.run('dvc', 'exp', 'list', '--sha-only').split()[-1]}:dvc.lock")
    assert hashes(lock, "annotations", "deps")["reports/code/annotations.txt"] == recorded
    found = dvc.api.read(report, str(scratch.root), rev="apart")
    assert found.endswith("of the experiment")
    assert hashes(lock, "annotations", "outs")[report] == hashlib.md5(found.encode()).hexdigest()
    written_by("of the workspace")
    scratch.run("dvc", "repro", "annotations")
    assert (scratch.root / report).read_text(encoding="utf-8").endswith("of the workspace")


def test_one_more_clip_costs_one_more_clip(pipeline, tmp_path):
    scratch = pipeline.copy(tmp_path / "repository")
    frames = scratch.root / "data/frames"
    before = written(frames)
    scratch.athlete(clips=CLIPS + 1)
    assert stages_run(scratch.run("dvc", "repro", "frames")) == {"synth", "frames"}
    after = written(frames)
    assert {name: after[name] for name in before} == before
    added = {str(Path(name).parent) for name in after.keys() - before.keys()}
    assert added == {f"athlete/clip{CLIPS + 1:02d}"}


def test_a_killed_training_goes_on_where_it_was(pipeline, tmp_path):
    scratch = pipeline.copy(tmp_path / "repository")
    state, mark = scratch.root / "models/.work/state.pt", 123.0
    shutil.rmtree(state.parent)
    scratch.compose(f"train.epochs={KILL_EPOCHS}")
    kill_once_there(scratch, state)
    left = torch.load(state, weights_only=True)
    assert left["epoch"] + 1 < KILL_EPOCHS, "killed too late to tell"
    assert not (scratch.root / "models/finetuned/model.pt").exists()
    # What the killed run noted of its first epoch is made recognisable: a run from the start would overwrite it.
    left["history"][0]["box_loss"] = mark
    torch.save(left, state)
    assert stages_run(scratch.run("dvc", "repro", "train")) == {"train"}
    with (scratch.root / "metrics/train.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == list(range(1, KILL_EPOCHS + 1))
    assert float(rows[0]["box_loss"]) == mark
    errors = [float(row["val_error_mm"]) for row in rows]
    validation = read_json(scratch.root / "metrics/validation.json")
    assert validation["chosen_epoch"] == errors.index(min(errors)) + 1
    assert validation["val_arch_error_mm"] == pytest.approx(min(errors), rel=0.01)
    assert "up to date" in scratch.run("dvc", "status", "train")


def kill_once_there(scratch: Scratch, file: Path) -> None:
    """Start `dvc repro train` and kill it, with the stage and without warning, as soon as a file is there."""
    run = subprocess.Popen(
        ["dvc", "repro", "train"],
        cwd=scratch.root,
        env=scratch.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while not file.exists():
            assert run.poll() is None, "the run ended before its first epoch did"
            time.sleep(0.01)
    finally:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
