"""Pre-labels: every joint can be taken hold of, the doubtful are marked, and a kill loses nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from fosbury.cli import app
from fosbury.errors import BadInput, BadInputs
from fosbury.files import DRAFT
from fosbury.formats.coco import read_coco, write_coco
from fosbury.formats.cvat.drawing import places, skeleton_svg
from fosbury.formats.cvat.writing import DOUBT
from fosbury.formats.registry import label_format
from fosbury.inference.answers import Answers, Asked
from fosbury.labelling import asking
from fosbury.labelling.pictures import gather
from fosbury.labelling.prelabel import TOOLS, ask, person_of, prelabel, trust_in
from fosbury.media.extract import extract
from fosbury.media.video import write_video
from fosbury.pose import VISIBLE, Dataset, Frame, Person, Pose, body_area
from fosbury.refinement import Refinement
from fosbury.synth.clips import render_clip

ROOT = Path(__file__).parents[1]
STARTER = ROOT / "models/starter/yolo11n-pose.pt"
PLAIN = Asked(model=STARTER, boxes=None, refinement=Refinement())
RUNNER = CliRunner(env={"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"})


def picture(path, size=(120, 90), shade=100):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (shade, 0, 0)).save(path)


class Shades:
    """Knows by a picture's shade of red who is in it; a model of a person seen standing."""

    licence, input_size, needs_boxes, temperature = "none", (64, 64), False, None

    def __init__(self, skeleton, people):
        self.skeleton, self.people, self.asked = skeleton, people, 0

    def predict(self, images, boxes=None):
        self.asked += len(images)
        return [[self.pose(*person) for person in self.people.get(int(image[45, 60, 0]), [])] for image in images]

    def pose(self, x, y, side, confidence=0.9):
        points = places(self.skeleton) / 100 * side + np.array([x - side / 2, y - side / 2])
        box = np.array([x - side / 2, y - side / 2, x + side / 2, y + side / 2])
        return Pose(points, np.full(len(points), confidence), box, confidence)


@pytest.fixture
def shades(monkeypatch, skeletons):
    """Makes the model of a test."""

    def make(people, skeleton="coco17"):
        model = Shades(skeletons[skeleton], people)
        monkeypatch.setattr(asking, "load_model", lambda *_, **__: model)
        return model

    return make


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    """Twelve neighbouring frames of a clip of the built-in athlete, as `fosbury frames` puts them."""
    folder = tmp_path_factory.mktemp("frames")
    write_video(folder / "jump.mp4", render_clip(21, (96, 96), 25.0)[0][8:20], 25)
    extract(folder / "jump.mp4", folder / "out/jump")
    return folder / "out"


@pytest.fixture(scope="module")
def written(frames, tmp_path_factory, skeletons):
    """Pre-labels of them by the starter, for every tool."""
    out = tmp_path_factory.mktemp("written") / "prelabels"
    return prelabel([frames], out, PLAIN, skeletons=[skeletons["body21"], skeletons["coco17"]], pictures=True), out


def test_every_joint_is_there_and_visible_in_every_format_and_the_same_ones_are_marked(written, skeletons):
    made, out = written
    assert len(made.people) >= 10 and made.dataset.skeleton.name == "coco17"  # the starter has no feet
    marked = {}
    for tool, name in TOOLS.items():
        folder = out / tool
        files = [file.path for file in label_format(name).find(folder)] if label_format(name).find else []
        path = files[0] if files else next(each for each in folder.iterdir() if label_format(name).sniff(each))
        found = label_format(name).read(path, skeletons["coco17"], lambda frame: out / "images" / frame.file_name)
        people = [person for frame in found.frames for person in frame.people]
        assert len(people) == len(made.people)
        for person, before in zip(people, made.people, strict=True):
            assert (person.visibility == VISIBLE).all()
            assert person.keypoints == pytest.approx(before.keypoints, abs=0.02)
        text = path.read_text(encoding="utf-8")
        marked[tool] = {
            "cvat": text.count('<attribute name="doubtful">true'),
            "label_studio": text.count('"doubtful"'),
            "coco": sum(weight < DOUBT for each in made.people for weight in each.weights.round(2)),
        }[tool]
        assert 'outside="1"' not in text
    assert len(set(marked.values())) == 1 and marked["coco"] == pytest.approx(made.doubtful, abs=1)
    assert (out / "cvat/skeleton.json").is_file() and (out / "label_studio/labelling_config.xml").is_file()


def test_frames_keep_their_clip_and_time_and_pictures_lie_where_the_labels_say(written):
    made, out = written
    frames = made.dataset.frames
    assert [frame.frame for frame in frames] == list(range(12)) and {frame.video for frame in frames} == {"jump.mp4"}
    assert frames[3].timestamp_ms == pytest.approx(120)
    assert all((out / "images" / frame.file_name).is_file() for frame in frames)
    assert read_coco(out / "coco/annotations.json", images=out / "images").frames[3].video == "jump.mp4"


def lines_of(path):
    return path.read_bytes().count(b"\n") if path.is_file() else 0


def test_a_kill_leaves_nothing_but_answers_and_the_next_run_goes_on_to_the_same_bytes(frames, tmp_path, skeletons):
    pictures = tmp_path / "pictures"
    for copy in range(2):  # enough to be killed among
        shutil.copytree(frames / "jump", pictures / f"jump{copy}")
        manifest = (pictures / f"jump{copy}/frames.json").read_text()
        (pictures / f"jump{copy}/frames.json").write_text(manifest.replace("jump.mp4", f"jump{copy}.mp4"))
        for path in (pictures / f"jump{copy}").glob("*.jpg"):
            path.write_bytes(path.read_bytes() + bytes([copy]))
    out, kept = tmp_path / "prelabels", tmp_path / f".prelabels.answers{DRAFT}/answers.jsonl"
    command = [sys.executable, "-m", "fosbury.cli", "prelabel", pictures, "--output", out, "--model", STARTER]
    run = subprocess.Popen([*map(str, command), "--refine", "none"], cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        while lines_of(kept) < 5:
            assert run.poll() is None, "it ended before it could be killed"
            time.sleep(0.02)
    finally:
        if run.poll() is None:
            os.kill(run.pid, signal.SIGKILL)
        run.wait()
    assert not out.exists() and {each.name for each in tmp_path.iterdir()} == {"pictures", kept.parent.name}
    assert 5 <= lines_of(kept) < 25
    both = [skeletons["body21"], skeletons["coco17"]]
    prelabel([pictures], tmp_path / "whole", PLAIN, skeletons=both)
    lines = kept.read_bytes().splitlines(keepends=True)
    kept.write_bytes(b"".join(lines[:4]) + lines[4][: len(lines[4]) // 2])  # the kill may cut a line off
    prelabel([pictures], out, PLAIN, skeletons=both)
    files = [path.relative_to(out) for path in out.rglob("*") if path.is_file()]
    assert len(files) >= 5
    assert all((out / file).read_bytes() == (tmp_path / "whole" / file).read_bytes() for file in files)
    assert {each.name for each in tmp_path.iterdir()} == {"pictures", "prelabels", "whole"}


def test_what_was_answered_is_not_asked_again_and_other_settings_ask_anew(shades, tmp_path, skeletons):
    for shade in (10, 20, 30):
        picture(tmp_path / f"{shade}.png", shade=shade)
    model = shades({10: [(60, 45, 40)], 20: [(60, 45, 40)], 30: [(50, 45, 40)]})
    found, answers, coco17 = gather([tmp_path], skeletons["coco17"]), tmp_path / "a/answers", [skeletons["coco17"]]
    ask(found, PLAIN, answers, skeletons=coco17)
    assert model.asked == 3
    ask(found, PLAIN, answers, skeletons=coco17)
    assert model.asked == 3
    ask(found, Asked(model=Path("other.pt"), boxes=None, refinement=Refinement()), answers, skeletons=coco17)
    assert model.asked == 6


@pytest.mark.parametrize("damage", [b"", b"{}\n", b"\xff\xfe", b'{"settings": "x"}\n{"key": "a", "po', b"[1]\n"])
def test_answers_that_are_damaged_are_asked_for_again(tmp_path, damage):
    path = tmp_path / "answers"
    path.write_bytes(damage)
    answers = Answers(path, "x")
    assert answers.get("a") is None
    pose = Pose(np.array([[1.23456, np.nan]]), np.array([0.5]), np.arange(4.0), 0.25, np.array([110.0]))
    kept = answers.put("a", [pose])
    answers.close()
    (read,) = Answers(path, "x").get("a")
    assert read.keypoints[0, 0] == kept[0].keypoints[0, 0] == 1.235 and np.isnan(read.keypoints[0, 1])
    assert read.doubt == [110] and Answers(path, "y").get("a") is None


def test_of_a_still_the_largest_person_or_everybody(shades, tmp_path, skeletons):
    picture(tmp_path / "a.png", shade=10)
    shades({10: [(20, 45, 20), (80, 45, 60), (50, 45, 30, 0.1)]})
    found = gather([tmp_path], skeletons["coco17"])
    (one,) = ask(found, PLAIN, tmp_path / "a/1", skeletons=[skeletons["coco17"]]).people
    assert one.keypoints[:, 0].mean() == pytest.approx(80, abs=3)
    everybody = ask(found, PLAIN, tmp_path / "a/2", skeletons=[skeletons["coco17"]], everyone=True)
    assert len(everybody.people) == 2


def clip_of(folder, shades_of_frames, step_ms=40):
    """Write a folder of frames with a manifest."""
    for at, shade in enumerate(shades_of_frames):
        picture(folder / f"{at:06d}.jpg", shade=shade)
        Image.new("RGB", (120, 90), (shade, 0, 0)).save(folder / f"{at:06d}.jpg", quality=100, subsampling=0)
    count = len(shades_of_frames)
    manifest = {"version": 1, "video": "c.mp4", "sha256": "0", "every": 1, "quality": 95, "only": None, "width": 120}
    manifest |= {"height": 90, "frames": list(range(count)), "timestamps_ms": [step_ms * at for at in range(count)]}
    (folder / "frames.json").write_text(json.dumps(manifest | {"notes": []}))


def test_who_was_missed_in_a_frame_is_put_between_with_every_joint_marked(shades, tmp_path, skeletons):
    clip_of(tmp_path / "c", [10, 20, 30, 40, 50, 60, 70])
    shades({10 * n: [(30 + 5 * n, 45, 50)] for n in (1, 2, 3, 5, 6, 7)})
    found = gather([tmp_path / "c"], skeletons["coco17"])
    made = ask(found, PLAIN, tmp_path / "a/1", skeletons=[skeletons["coco17"]])
    (person,) = made.dataset.frames[3].people
    assert made.filled == 1 and not made.empty
    assert person.keypoints[0, 0] == pytest.approx(50, abs=0.5) and (person.weights < DOUBT).all()
    raw = ask(found, PLAIN, tmp_path / "a/1", skeletons=[skeletons["coco17"]], steady=False)
    assert raw.empty == ("000003.jpg",) and "nobody was found in 1" in raw.notes[-1]


def test_a_set_with_boxes_says_whom_to_label(shades, tmp_path, skeletons):
    picture(tmp_path / "set/images/a.png", shade=10)
    nobody = np.full((17, 2), np.nan), np.zeros(17, dtype=np.uint8)
    small = np.array([10.0, 35, 30, 55])
    frame = Frame("a.png", 120, 90, (Person(*nobody, small, body_area(small)),), phase="arch", group="g")
    write_coco(Dataset(skeletons["coco17"], (frame,)), tmp_path / "set/annotations.json")
    shades({10: [(80, 45, 60), (20, 45, 20)]})
    found = gather([tmp_path / "set"], skeletons["coco17"])
    made = ask(found, PLAIN, tmp_path / "a/1", skeletons=[skeletons["coco17"]])
    assert made.people[0].keypoints[:, 0].mean() == pytest.approx(20, abs=2)
    assert (made.dataset.frames[0].phase, made.dataset.frames[0].group) == ("arch", "g")


def test_names_of_several_folders_do_not_meet(tmp_path, skeletons):
    for folder in ("a", "b"):
        picture(tmp_path / folder / "1.png")
    assert [each.frame.file_name for each in gather([tmp_path / "a"], skeletons["coco17"])] == ["1.png"]
    both = gather([tmp_path / "a", tmp_path / "b"], skeletons["coco17"])
    assert [each.frame.file_name for each in both] == ["a/1.png", "b/1.png"]
    picture(tmp_path / "other/a/1.png")
    with pytest.raises(BadInput, match="would be called a/1"):
        gather([tmp_path / "a", tmp_path / "other/a"], skeletons["coco17"])


def test_a_joint_that_no_model_knows_can_be_taken_hold_of_beside_its_neighbour(skeletons):
    body = skeletons["body21"]
    points = places(body)
    points[body.joints.index("left_heel")] = points[body.joints.index("left_foot")] = np.nan
    points[body.joints.index("right_wrist")] = (-30, 50)
    person = person_of(points, np.full(21, 0.9), Frame("a", 100, 100), body)
    at = {name: person.keypoints[index] for index, name in enumerate(body.joints)}
    assert (at["left_heel"] == at["left_ankle"]).all() and (at["left_foot"] == at["left_ankle"]).all()
    assert at["right_wrist"].tolist() == [0.5, 50]
    assert (person.visibility == VISIBLE).all()
    doubted = {body.joints[index] for index in np.flatnonzero(person.weights < DOUBT)}
    assert doubted == {"left_heel", "left_foot", "right_wrist"}


def test_doubt_counts_where_views_voted_and_confidence_where_none_did():
    pose = Pose(np.zeros((3, 2)), np.array([0.9, 0.2, 0.9]), np.zeros(4), 0.9)
    assert (trust_in(pose) < DOUBT).tolist() == [False, True, False]
    voted = Pose(np.zeros((3, 2)), pose.confidence, np.zeros(4), 0.9, np.array([110.0, 110.0, 250.0]))
    assert (trust_in(voted) < DOUBT).tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ("clip.mp4", "is a clip; extract"),
        ("none", "does not exist"),
        ("empty", "holds no pictures"),
        ("bad", "bad/x.jpg"),
    ],
)
def test_what_cannot_be_pre_labelled_is_said_in_a_sentence(tmp_path, skeletons, inputs, said):
    (tmp_path / "clip.mp4").write_bytes(b"0")
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/x.jpg").write_bytes(b"no picture")
    done = RUNNER.invoke(
        app, ["prelabel", str(tmp_path / inputs), "-o", str(tmp_path / "out"), "--model", str(STARTER)]
    )
    assert done.exit_code == 2 and said in done.output and "Traceback" not in done.output
    assert not (tmp_path / "out").exists()


def test_what_lies_at_the_output_stays(frames, tmp_path, skeletons):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine")
    with pytest.raises(BadInput, match="exists already"):
        prelabel([frames], tmp_path / "out", PLAIN, skeletons=[skeletons["coco17"]])
    with pytest.raises(BadInput, match="choose from cvat, label_studio, coco"):
        prelabel([frames], tmp_path / "new", PLAIN, skeletons=[skeletons["coco17"]], tools=["labelme"])
    assert (tmp_path / "out/mine.txt").read_text() == "mine" and not (tmp_path / "new").exists()


def test_the_drawing_of_a_skeleton_stands_and_names_every_joint_once(skeletons):
    for skeleton in skeletons.values():
        at = places(skeleton)
        assert ((at >= 0) & (at <= 100)).all() and len(np.unique(at, axis=0)) == len(skeleton)
        svg = skeleton_svg(skeleton)
        assert all(svg.count(f'data-label-name="{joint}"') == 1 for joint in skeleton.joints)
        assert svg.count("<line") == len(skeleton.bones) and "data-label-id" not in svg
    body = skeletons["body21"]
    height = dict(zip(body.joints, places(body)[:, 1], strict=True))
    assert height["nose"] < height["left_hip"] < height["left_knee"] < height["left_heel"]


def test_blazepose_labels_flops_with_heels_and_toes(shared, tmp_path, skeletons):
    for name in ("im01225.jpg", "im09224.jpg"):  # in the second the detector finds nobody but from farther off
        shutil.copy(shared / "flops/images" / name, tmp_path / name)
    full, detector = (shared / f"weights/blazepose_{name}.tflite" for name in ("landmark_full", "detection"))
    asked = Asked(model=full, boxes=str(detector), refinement=Refinement(how="vote"))
    found = gather([tmp_path], skeletons["coco17"])
    made = ask(found, asked, tmp_path / "a/1", skeletons=[skeletons["body21"], skeletons["coco17"]])
    assert made.dataset.skeleton.name == "body21" and len(made.people) == 2
    truth = read_coco(shared / "flops/annotations.json", skeletons["coco17"])
    for frame in made.dataset.frames:
        (label,) = next(each.people for each in truth.frames if each.file_name == frame.file_name)
        off = np.linalg.norm(frame.people[0].keypoints[:17] - label.keypoints, axis=-1)[label.labelled]
        assert np.median(off) < 0.15 * (label.box[2:] - label.box[:2]).max()
        ankle, heel = (
            frame.people[0].keypoints[made.dataset.skeleton.joints.index(f"left_{n}")] for n in ("ankle", "heel")
        )
        assert 0 < np.linalg.norm(ankle - heel) < 0.2 * (label.box[2:] - label.box[:2]).max()


def test_a_model_that_needs_boxes_asks_for_who_finds_people(shared, tmp_path, skeletons):
    picture(tmp_path / "a.png")
    asked = Asked(model=shared / "weights/blazepose_landmark_full.tflite", boxes=None, refinement=Refinement())
    with pytest.raises(BadInput, match="--boxes"):
        ask(gather([tmp_path], skeletons["coco17"]), asked, tmp_path / "a/1", skeletons=[skeletons["coco17"]])


def test_a_clip_that_is_given_twice_is_said(frames, tmp_path, skeletons):
    for name in ("a", "b"):
        shutil.copytree(frames / "jump", tmp_path / "twice" / name)
    with pytest.raises(BadInputs, match="twice: 12 problems; keep one folder of each clip"):
        gather([tmp_path / "twice"], skeletons["coco17"])


def test_a_damaged_picture_names_itself(tmp_path, skeletons):
    picture(tmp_path / "p/a.png")
    (tmp_path / "p/b.jpg").write_bytes(b"")
    with pytest.raises(BadInputs, match=r"b\.jpg: is empty"):
        gather([tmp_path / "p"], skeletons["coco17"])


@pytest.mark.parametrize("name", ["flops", "gym"])
def test_the_page_of_pre_labels_tells_the_figures_that_were_recorded(name):
    page = (ROOT / "docs/prelabels.md").read_text(encoding="utf-8")
    measured = json.loads((ROOT / "bench/results/prelabels.json").read_text(encoding="utf-8"))["sets"][name]
    for model, row in measured["rows"].items():
        row_start = f"| {model} | {row['within']['value']:.3f} "
        lines = [line for line in page.splitlines() if line.startswith(row_start)]
        assert len(lines) == 1 and f"| {row['minutes_per_100_frames']['value']:.1f} [" in lines[0]
