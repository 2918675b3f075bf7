"""What a person types, and what comes back: exit code, one sentence, nothing overwritten."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from fosbury import cli
from fosbury.cli import app
from fosbury.config import load_params

ROOT = Path(__file__).parents[1]
RUNNER = CliRunner(env={"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"})


def leaves(command: typer.main.TyperGroup | object, before: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        return [before]
    return [leaf for name, child in sorted(inner.items()) for leaf in leaves(child, (*before, name))]


COMMANDS = leaves(typer.main.get_command(app))


def run(*words: str | Path):
    result = RUNNER.invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def refused(*words: str | Path, code: int = 2) -> str:
    """The one sentence with which a command refuses."""
    result = run(*words)
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    message = result.stderr.strip()
    assert "Traceback" not in message
    assert len(message.splitlines()) == 1, message
    assert message.endswith(".")
    return message


@pytest.fixture
def repository(tmp_path: Path, monkeypatch) -> Path:
    """A repository with conf/ of its own, and the current folder in it."""
    for folder in ("conf", "hydra_plugins"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    for source in ("synthetic/jumps", "raw"):
        (tmp_path / "data" / source).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    from fosbury.media.video import write_video

    path = tmp_path / "clips" / "jump.mp4"
    path.parent.mkdir()
    ramp = np.linspace(0, 255, 64, dtype=np.uint8)
    write_video(
        path, (np.full((48, 64, 3), 8 * index, np.uint8) // 2 + ramp[None, :, None] // 2 for index in range(20)), 20
    )
    return path


def test_the_commands_are_those_of_the_design():
    assert {" ".join(words) for words in COMMANDS} >= {
        *("config compose", "config check", "config show", "import", "frames", "evaluate", "doctor", "fetch"),
    }


def test_a_group_of_commands_is_a_module_and_an_entry():
    modules = {path.stem for path in Path(cli.__file__).parent.glob("*.py") if "\napp = " in path.read_text()}
    assert modules - {"__init__"} == {group.__name__.rpartition(".")[2] for group in cli.GROUPS}


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example_that_names_it(words):
    result = run(*words, "--help")
    assert result.exit_code == 0
    assert re.search(rf"Example: .*\bfosbury {' '.join(words)}", " ".join(result.stdout.replace("`", "").split()))


def test_help_loads_no_framework():
    code = (
        "import sys; from fosbury.cli import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('torch', 'cv2', 'numpy', 'dvc', 'hydra', 'pydantic') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("[]")


def test_version():
    from importlib.metadata import version

    assert run("--version").stdout.strip() == f"fosbury {version('fosbury')}"


def test_an_unknown_option_is_bad_input():
    assert run("evaluate", "--nonsense").exit_code == 2


def test_config_compose_check_and_show(repository):
    assert "experiment photos" in run("config", "compose", "experiment=photos", "train.epochs=3").stdout
    assert load_params().train.epochs == 3
    checked = run("config", "check")
    assert checked.exit_code == 0
    assert "override in effect: train.epochs=3" in checked.stdout
    before = Path("params.yaml").read_bytes()
    assert "name: yolo11m" in run("config", "show", "model=yolo11m").stdout
    assert Path("params.yaml").read_bytes() == before


def test_config_answers_wrong_values_and_stale_params(repository):
    result = run("config", "compose", "train.epochs=0", "model.backend=tf")
    assert result.exit_code == 2
    assert "train.epochs is 0" in result.stderr
    assert "model.backend is 'tf'" in result.stderr
    assert not Path("params.yaml").exists()
    assert "yolo11n" in refused("config", "show", "model=yolo99")
    assert "fosbury config compose" in refused("config", "check")
    run("config", "compose")
    with Path("conf/train/demo.yaml").open("a") as stream:
        stream.write("# changed\n")
    assert "stale" in refused("config", "check")


def test_outside_a_repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "not inside a fosbury repository" in refused("config", "check")


def test_fetch_takes_the_mirror_and_refuses_another_file(repository, monkeypatch):
    mirror = repository / "mirror"
    mirror.mkdir()
    monkeypatch.setenv("FOSBURY_WEIGHTS_MIRROR", mirror.as_uri())
    assert "yolo11n_starter" in refused("fetch", "yolo99")
    assert "could not be fetched" in refused("fetch", "yolo11n", code=1)
    (mirror / "yolo11n-pose.pt").write_bytes(b"not the official weights")
    assert "SHA-256" in refused("fetch", "yolo11n")
    assert not list((repository / "models").rglob("*.pt"))


def test_fetch_brings_the_file_that_conf_names(repository, monkeypatch):
    import hashlib

    content = b"weights"
    (repository / "yolo11n-pose.pt").write_bytes(content)
    path = repository / "conf" / "model" / "yolo11n.yaml"
    lines = path.read_text().splitlines()
    digest = f"sha256: {hashlib.sha256(content).hexdigest()}"
    path.write_text("\n".join(digest if line.startswith("sha256:") else line for line in lines))
    monkeypatch.setenv("FOSBURY_WEIGHTS_MIRROR", repository.as_uri())
    assert "fetched" in run("fetch", "yolo11n").stdout
    assert (repository / "models" / "pretrained" / "yolo11n-pose.pt").read_bytes() == content
    assert "is there" in run("fetch", "yolo11n").stdout


def test_frames_of_a_clip(clip, tmp_path):
    out = tmp_path / "frames"
    assert "20 frames of 64x48" in run("frames", clip, "-o", out).stdout
    assert len(list((out / "jump").glob("*.jpg"))) == 20
    run("frames", clip, "-o", out, "--fps", "5")
    assert [path.stem for path in sorted((out / "jump").glob("*.jpg"))] == [
        "000000",
        "000004",
        "000008",
        "000012",
        "000016",
    ]
    assert "twice" in refused("frames", clip, "-o", out, "--fps", "5", "--every", "2")


def test_frames_never_replaces_a_folder_of_a_person(clip, tmp_path):
    mine = tmp_path / "photos" / "jump"
    mine.mkdir(parents=True)
    (mine / "medal.jpg").write_bytes(b"dear")
    assert "in the way" in refused("frames", clip, "-o", tmp_path / "photos")
    assert [path.name for path in mine.iterdir()] == ["medal.jpg"]


def test_frames_never_replaces_those_of_another_clip_of_that_name(clip, tmp_path):
    out, other = tmp_path / "frames", tmp_path / "tuesday" / "jump.mp4"
    run("frames", clip, "-o", out)
    other.parent.mkdir()
    other.write_bytes(clip.read_bytes() + b"0")
    before = {path.name: path.read_bytes() for path in (out / "jump").iterdir()}
    assert "another clip" in refused("frames", other, "-o", out)
    assert {path.name: path.read_bytes() for path in (out / "jump").iterdir()} == before
    assert "is a file" in refused("frames", clip, "-o", other)


def test_frames_keeps_the_files_that_a_person_added(clip, tmp_path):
    out = tmp_path / "frames"
    run("frames", clip, "-o", out)
    (out / "jump" / "labels.json").write_bytes(b"dear")
    assert "20 frames" in run("frames", clip, "-o", out).stdout
    assert "labels.json" in refused("frames", clip, "-o", out, "--fps", "5")
    assert (out / "jump" / "labels.json").read_bytes() == b"dear"
    assert len(list((out / "jump").glob("*.jpg"))) == 20


def test_a_bad_clip_does_not_keep_the_others_back(clip, tmp_path):
    bad = clip.with_name("cut.mp4")
    bad.write_bytes(clip.read_bytes()[:200])
    result = run("frames", bad, clip, "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert "cut.mp4" in result.stderr
    assert len(list((tmp_path / "out" / "jump").glob("*.jpg"))) == 20
    twin = tmp_path / "other" / "jump.mov"
    twin.parent.mkdir()
    twin.write_bytes(clip.read_bytes())
    assert "two clips" in refused("frames", clip, twin, "-o", tmp_path / "both")


def load_skeleton(name: str):
    from fosbury.config import named_skeleton

    return named_skeleton(name, ROOT)


def labelled_set(folder: Path, count: int = 2) -> Path:
    from fosbury.media.image import write_image

    joints = list(load_skeleton("coco17").joints)
    (folder / "images").mkdir(parents=True)
    images, annotations = [], []
    for index in range(1, count + 1):
        write_image(folder / "images" / f"{index}.jpg", np.full((80, 60, 3), 8 * index, np.uint8))
        images.append({"id": index, "file_name": f"{index}.jpg", "width": 60, "height": 80})
        keypoints = [value for joint in range(17) for value in (20 + joint, 10 + 3 * joint, 2)]
        annotations.append(
            {"id": index, "image_id": index, "category_id": 1, "bbox": [18, 8, 22, 54], "area": 1188, "iscrowd": 0}
            | {"keypoints": keypoints, "num_keypoints": 17}
        )
    category = {"id": 1, "name": "person", "keypoints": joints, "skeleton": []}
    content = {"images": images, "annotations": annotations, "categories": [category]}
    (folder / "annotations.json").write_text(json.dumps(content))
    return folder


def test_import_puts_a_set_in_place_once(repository):
    source = labelled_set(repository / "export")
    words = ("import", source / "annotations.json", "--images", source / "images", "--name", "club")
    assert "2 frames, 2 people, 34 joints" in run(*words).stdout
    assert (repository / "data" / "raw" / "club" / "annotations.json").is_file()
    before = sorted((repository / "data").rglob("*"))
    assert "exists already" in refused(*words)
    assert sorted((repository / "data").rglob("*")) == before


def test_import_lets_a_person_say_what_belongs_together(repository):
    source = labelled_set(repository / "export", 24)
    assert "say --group-by" not in run("import", source, "--name", "a", "--group-by", "set").stdout
    groups = {image["group"] for image in json.loads(Path("data/raw/a/annotations.json").read_text())["images"]}
    assert groups == {"a"}
    assert "each of 24 pictures is its own group" in run("import", source, "--name", "b").stdout
    assert run("import", source, "--name", "c", "--group-by", "colour").exit_code == 2


def test_import_tells_of_joints_that_no_skeleton_knows_and_of_the_skeleton_to_choose(repository):
    source = labelled_set(repository / "export")
    assert "skeleton" not in run("import", source, "--name", "good").stdout
    labels = (source / "annotations.json").read_text()
    (source / "annotations.json").write_text(labels.replace('"left_shoulder"', '"l_shoulder"'))
    told = run("import", source, "--name", "club").stdout
    assert "no joint is named as its left_shoulder," in told
    content = json.loads(labels)
    joints = list(load_skeleton("lsp14").joints)
    content["categories"][0]["keypoints"] = joints
    for annotation in content["annotations"]:
        annotation |= {"keypoints": annotation["keypoints"][: 3 * len(joints)], "num_keypoints": len(joints)}
    (source / "annotations.json").write_text(json.dumps(content))
    told = run("import", source, "--name", "stills").stdout
    assert told.endswith("-S experiment=clips -S 'data.sets=[stills]' -S skeleton=lsp14\n")
    assert "no joint is named" not in told


def test_import_of_a_damaged_archive(repository):
    (repository / "export.zip").write_bytes(b"PK\x03\x04 cut")
    assert "not a zip archive, or is damaged" in refused("import", "export.zip", "--name", "club")


def test_import_lists_every_problem_and_leaves_nothing(repository):
    source = labelled_set(repository / "export")
    content = json.loads((source / "annotations.json").read_text())
    content["images"][0]["file_name"] = "../../secret.jpg"
    content["annotations"][1]["image_id"] = 99
    (source / "annotations.json").write_text(json.dumps(content))
    result = run("import", source, "--name", "club")
    assert result.exit_code == 2
    assert "secret.jpg" in result.stderr
    assert "99" in result.stderr
    assert not list((repository / "data").rglob("*.json"))


def test_evaluate_refuses_what_it_cannot_measure(repository):
    source = labelled_set(repository / "set")
    labels = ("--annotations", source / "annotations.json", "--images", source / "images")
    assert "is not there" in refused("evaluate", "--model", "no.pt", *labels)
    (repository / "model.txt").write_text("x")
    assert ".onnx" in refused("evaluate", "--model", "model.txt", *labels)
    (repository / "model.onnx").write_bytes(b"no model at all")
    assert "model.onnx" in refused("evaluate", "--model", "model.onnx", *labels)
    assert "lsp14" in refused("evaluate", "--model", "model.onnx", *labels, "--skeleton", "lsp15")
    assert "is a folder" in refused("evaluate", "--model", "model.onnx", *labels, "--json", repository)
    starter = ROOT / "models" / "starter" / "yolo11n-pose.pt"
    assert "multiple of 32" in refused("evaluate", "--model", starter, *labels, "--image-size", "333")
    assert "--refine upright" in refused("evaluate", "--model", starter, *labels, "--upright")
    assert "--refine zoom --margin 2" in refused("evaluate", "--model", starter, *labels, "--second-look", "2")
    assert "--refine vote" in refused("evaluate", "--model", starter, *labels, "--cheap", "0.05")
    assert "--refine vote" in refused("evaluate", "--model", starter, *labels, "--also", starter)


@pytest.mark.parametrize("clips", [False, True])
def test_evaluate_takes_a_set_as_it_lies_with_its_clips_and_phases(repository, clip, monkeypatch, clips):
    from fosbury.pose import Pose

    class Exact:
        skeleton = load_skeleton("coco17")
        input_size, needs_boxes, temperature = (64, 96), False, None

        def predict(self, images, boxes=None):
            points = np.array([[20 + joint, 10 + 3 * joint] for joint in range(17)], float)
            return [[Pose(points, np.ones(17), np.array([18.0, 8, 40, 62]), 0.9)] for _ in images]

    monkeypatch.setattr("fosbury.inference.labelled_set.load_model", lambda *_, **__: Exact())
    folder = labelled_set(repository / "set")
    if clips:
        shutil.rmtree(folder / "images")
        (folder / "videos").mkdir()
        shutil.copy(clip, folder / "videos")
        content = json.loads((folder / "annotations.json").read_text())
        for index, entry in enumerate(content["images"]):
            name = f"jump/{3 + index:06d}.jpg"
            entry |= {"file_name": name, "video": "jump.mp4", "frame": 3 + index, "width": 64, "height": 48}
        (folder / "annotations.json").write_text(json.dumps(content))
        (folder / "phases.csv").write_text("video,start,end,phase\njump,3,3,arch\njump,4,4,landing\n")
    before = sorted(folder.rglob("*"))
    for labels in (folder, folder / "annotations.json"):
        result = run("evaluate", "--model", "exact.pt", "--annotations", labels, "--json", "out.json")
        assert result.exit_code == 0, result.output
        figures = json.loads(Path("out.json").read_text())
        assert figures["frames"] == 2 and figures["error_mm"] == 0
        assert set(figures["by_phase"]) == ({"arch", "landing"} if clips else {"unlabelled"})
    assert sorted(folder.rglob("*")) == before
    shutil.copy(folder / "annotations.json", repository / "labels.json")
    assert "--images" in refused("evaluate", "--model", "exact.pt", "--annotations", "labels.json")
    assert "does not exist" in refused("evaluate", "--model", "exact.pt", "--annotations", "none")


def test_doctor_tells_what_is_there_and_what_is_missing(repository):
    run("config", "compose")
    result = run("doctor")
    assert result.exit_code == 1, "the starter weights and .dvc are not in this copy"
    lines = {line.split()[0]: line for line in result.stdout.splitlines() if line.strip()}
    assert " ok " in lines["torch"]
    assert "experiment demo" in lines["params.yaml"]
    assert " missing " in lines["pipeline"]
    assert "fosbury fetch yolo11m" in result.stdout
    assert result.stderr.strip() == "doctor: something that is needed is missing."


def test_doctor_outside_a_repository_looks_at_the_environment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOSBURY_THREADS", "many")
    result = run("doctor")
    assert result.exit_code == 1
    assert "FOSBURY_THREADS" in result.stdout
    assert "not inside a fosbury repository" in result.stdout


def test_the_installed_command_exits_as_it_should(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-m", "fosbury.cli", "config", "check"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


@pytest.mark.real
def test_real_flops_are_imported_and_measured(repository, shared):
    pytest.importorskip("ultralytics")
    weights = shared / "weights" / "yolo11n-pose-coco-approx.pt"
    assert "27 frames" in run("import", shared / "flops", "--name", "flops").stdout
    folder = repository / "data" / "raw" / "flops"
    words = ("--annotations", folder / "annotations.json", "--images", folder / "images", "--image-size", "320")
    result = run("evaluate", "--model", weights, *words, "--json", "out/flops.json")
    assert result.exit_code == 0, result.stderr
    figures = json.loads(Path("out/flops.json").read_text())
    assert figures["frames"] == 27
    assert 240 < figures["error_mm"] < 310, "an untuned model is about 270 mm-equivalents off on these photographs"
    assert figures["by_phase"]["arch"]["frames"] >= 20
    assert set(figures) >= {"joints", "error_px", "error_trunk", "pck", "missed", "swapped", "by_tilt", "by_joint"}
