"""A teacher is asked once about everybody, also after a kill; sets without labels reach it and nothing else."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image

from fosbury.config import compose, parse_params
from fosbury.dataset.unlabelled import joined, learnable, without_sets
from fosbury.errors import BadInput, BadInputs
from fosbury.formats.coco import read_coco, write_coco
from fosbury.formats.sets import annotations_of_sets
from fosbury.formats.yolo import label_lines
from fosbury.inference.vote import Vote
from fosbury.pose import NOT_LABELLED, VISIBLE, Dataset, Frame, Person, Pose
from fosbury.recipe import Recipe
from fosbury.refinement import VoteSettings
from fosbury.stages import dataset as dataset_stage
from fosbury.stages import teach as teach_stage
from fosbury.stages import teacher as teacher_stage
from fosbury.teaching import Teaching
from fosbury.training import teach
from fosbury.training.squares import Squares

ROOT = Path(__file__).parents[1]
TURNS = VoteSettings(views=2, rounds=0)
BLAZEPOSE = "weights/blazepose_landmark_full.tflite"


class Still:
    """A model that always sees the same pose, in shares of the box, with joints of its own; it counts its answers."""

    licence, needs_boxes, temperature, input_size = "MIT", True, None, (64, 64)

    def __init__(self, skeleton, stop=None):
        self.skeleton, self.people, self.stop = skeleton, 0, stop

    def predict(self, images, boxes=None):
        self.people += sum(map(len, boxes))
        if self.stop is not None and self.people > self.stop:
            raise KeyboardInterrupt
        shares = np.random.default_rng(0).uniform(0.3, 0.7, (len(self.skeleton), 2))
        sure = np.ones(len(self.skeleton))
        return [[Pose(box[:2] + shares * (box[2:] - box[:2]), sure, box, 1.0) for box in found] for found in boxes]


def nobody(skeleton, box=(4.0, 4.0, 28.0, 28.0)) -> Person:
    count = len(skeleton)
    return Person(np.full((count, 2), np.nan), np.full(count, NOT_LABELLED, np.uint8), np.array(box), 300.0)


def somebody(skeleton, seed=0) -> Person:
    keypoints = np.random.default_rng(seed).uniform(6, 26, (len(skeleton), 2)).round(2)
    return replace(nobody(skeleton), keypoints=keypoints, visibility=np.full(len(skeleton), VISIBLE, np.uint8))


@pytest.fixture
def skeleton(skeletons):
    return skeletons["coco17"]


@pytest.fixture
def frames(tmp_path, skeleton) -> Dataset:
    chance = np.random.default_rng(0)
    for number in range(5):
        Image.fromarray(chance.integers(0, 255, (32, 32, 3), np.uint8)).save(tmp_path / f"{number}.png")
    people = [(nobody(skeleton),), (nobody(skeleton), nobody(skeleton, (2.0, 2.0, 20.0, 20.0)))]
    return Dataset(skeleton, tuple(Frame(f"{number}.png", 32, 32, people[number % 2]) for number in range(5)))


def asked(model, frames, root, settings="x"):
    teach.ask(Vote(model, 1.5, TURNS), frames, root, out=root / "answers.npz", settings=settings)
    answers = teach.Answers.read(root / "answers.npz")
    return [[answers.about(who, frames.skeleton) for who in teach.names_of(frame, root)] for frame in frames.frames]


def test_nobody_is_asked_about_twice(frames, tmp_path, skeletons):
    first = Still(skeletons["lsp14"])
    answers = asked(first, frames, tmp_path)
    assert first.people == 7 * TURNS.views
    again = Still(skeletons["lsp14"])
    for one, two in zip(answers, asked(again, frames, tmp_path), strict=True):
        for a, b in zip(one, two, strict=True):
            np.testing.assert_allclose(a[0], b[0], atol=1e-4)
    assert again.people == 0
    one_more = frames.frames[0].people[0]
    moved = replace(frames.frames[0], people=(replace(one_more, box=one_more.box + 1),))
    asked(again, replace(frames, frames=(moved, *frames.frames[1:])), tmp_path)
    assert again.people == TURNS.views, "a box that moved is another question"
    other = Still(skeletons["lsp14"])
    asked(other, frames, tmp_path, settings="y")
    assert other.people == first.people


def test_a_killed_run_goes_on_where_it_was(frames, tmp_path, skeletons, monkeypatch):
    monkeypatch.setattr(teach, "SAVED", 2)
    with pytest.raises(KeyboardInterrupt):
        asked(Still(skeletons["lsp14"], stop=5 * TURNS.views), frames, tmp_path)
    rest = Still(skeletons["lsp14"])
    whole = asked(rest, frames, tmp_path)
    assert 0 < rest.people < 7 * TURNS.views
    assert all(np.isfinite(points).any() for of_frame in whole for points, _ in of_frame)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 no archive", b"text"])
def test_what_is_no_file_of_answers_counts_for_nothing(frames, tmp_path, skeletons, damage):
    (tmp_path / "answers.npz").write_bytes(damage)
    model = Still(skeletons["lsp14"])
    asked(model, frames, tmp_path)
    assert model.people == 7 * TURNS.views


def test_joints_of_the_teacher_are_matched_by_name(frames, tmp_path, skeletons):
    model = Still(skeletons["lsp14"])
    (points, doubt), *_ = asked(model, frames, tmp_path)[0]
    own = model.predict([np.zeros((32, 32, 3))], [frames.frames[0].boxes])[0][0].keypoints
    names, theirs = frames.skeleton.joints, model.skeleton.joints
    known = [joint in theirs for joint in names]
    assert np.isfinite(points).all(axis=1).tolist() == np.isfinite(doubt).tolist() == known
    assert 0 < sum(known) < len(names)
    assert own.shape == (14, 2)


def test_without_a_teacher_labels_pass_unchanged(frames, tmp_path):
    settings, out = Teaching(weights="none.pt"), tmp_path / "answers.npz"
    teach.ask_teacher(frames, tmp_path, settings, out=out, code=tmp_path / "none.txt")
    taught = teach.teach(frames, tmp_path, settings, out)
    assert taught.dataset is frames
    assert taught.counts == {"frames": 5, "people": 7, "labels_kept": 0}


def test_the_path_of_a_teacher_is_checked_where_there_is_one():
    with pytest.raises(BadInput, match=r"teach\.weights.*inside the repository"):
        parse_params(compose(["teach=vote", "teach.weights=/etc/passwd"], ROOT))
    params = parse_params(compose(["experiment=distil"], ROOT))
    assert params.teach.how == "vote"
    assert params.teach.sha256 == params.model.sha256


def test_weights_come_through_a_file(tmp_path, skeleton):
    weights = np.linspace(0, 1, len(skeleton)).round(2)
    person = replace(somebody(skeleton), weights=weights)
    plain = somebody(skeleton, 1)
    write_coco(Dataset(skeleton, (Frame("a.jpg", 32, 32, (person, plain)),)), tmp_path / "a.json")
    one, two = read_coco(tmp_path / "a.json", skeleton).frames[0].people
    np.testing.assert_array_equal(one.weights, weights)
    assert two.weights is None
    assert two.training_weights.tolist() == [1.0] * len(skeleton)
    for wrong in (weights[:-1].tolist(), [2.0] * len(skeleton), "1", [None] * len(skeleton)):
        content = json.loads((tmp_path / "a.json").read_text())
        content["annotations"][0]["keypoint_weights"] = wrong
        (tmp_path / "b.json").write_text(json.dumps(content))
        with pytest.raises(BadInputs, match=r"keypoint_weights are not 17 numbers from 0 to 1"):
            read_coco(tmp_path / "b.json", skeleton)


def test_weights_reach_the_loss_of_each_backend(tmp_path, skeleton):
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(tmp_path / "a.png")
    weights = np.linspace(0.1, 0.9, len(skeleton))
    frame = Frame("a.png", 32, 32, (replace(somebody(skeleton), weights=weights),))
    (line,) = label_lines(frame)
    marks = np.array(line.split()[5:], float).reshape(-1, 3)[:, 2]
    np.testing.assert_array_equal(marks > 0, weights >= 0.5)
    for mirrored in (0.0, 1.0):
        recipe = Recipe(epochs=1, batch=1, image_size=64, lr0=0.001, fliplr=mirrored)
        crops = Squares(
            Dataset(skeleton, (frame,)), tmp_path, recipe, size=(64, 64), focus="arch", around="picture", seed=0
        )
        order = skeleton.flip_index if mirrored else np.arange(len(skeleton))
        np.testing.assert_allclose(crops[0][2].numpy(), weights[order], atol=1e-6)


def test_weights_reach_the_loss_of_rtmpose(tmp_path, skeleton):
    rtmpose = pytest.importorskip("fosbury.backends.rtmpose")
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(tmp_path / "a.png")
    weights = np.linspace(0.1, 0.9, len(skeleton))
    frame = Frame("a.png", 32, 32, (replace(somebody(skeleton), weights=weights),))
    codec = {"type": "SimCCLabel", "input_size": (192, 256), "sigma": (4.9, 5.66), "simcc_split_ratio": 2.0}
    codec |= {"normalize": False, "use_dark": False}
    for mirrored in (0.0, 1.0):
        recipe = Recipe(epochs=1, batch=1, image_size=64, lr0=0.001, fliplr=mirrored, degrees=0, scale=0, translate=0)
        crops = rtmpose._Crops(Dataset(skeleton, (frame,)), tmp_path, recipe, codec, 0, "arch")
        order = skeleton.flip_index if mirrored else np.arange(len(skeleton))
        np.testing.assert_allclose(crops[0][3].numpy(), weights[order], atol=1e-6)


@pytest.fixture
def sets(tmp_path, skeleton) -> Path:
    """A repository with a labelled set and one of boxes only, whose clips are named by a group."""
    chance = np.random.default_rng(0)
    for name, count in (("stills", 16), ("boxes", 4)):
        folder = tmp_path / "data/raw" / name
        (folder / "images").mkdir(parents=True)
        people = somebody(skeleton) if name == "stills" else nobody(skeleton)
        frames = []
        for number in range(count):
            file = f"{name}{number:02d}.png"
            Image.fromarray(chance.integers(0, 255, (32, 32, 3), np.uint8)).save(folder / "images" / file)
            frames.append(Frame(file, 32, 32, (people,), group=f"clip{number // 2}" if name == "boxes" else None))
        write_coco(Dataset(skeleton, tuple(frames)), folder / "annotations.json")
    return tmp_path


def test_a_set_of_boxes_is_read_where_it_is_named_so(sets, skeleton):
    read = {"source": "data/raw", "frames": "data/frames", "skeleton": skeleton}
    found = annotations_of_sets(sets, sets=["stills"], unlabelled=["boxes"], **read)
    assert {name: len(part) for name, part in found.items()} == {"stills": 16, "boxes": 4}
    assert set(annotations_of_sets(sets, sets=["stills"], **read)) == {"stills"}
    with pytest.raises(BadInput, match="labels nobody"):
        annotations_of_sets(sets, sets=None, **read)
    with pytest.raises(BadInput, match="holds no set mine"):
        annotations_of_sets(sets, sets=["stills"], unlabelled=["mine"], **read)


def test_frames_without_labels_join_training_alone(skeleton):
    named = [Frame(f"{n}.png", 32, 32, (nobody(skeleton),), group=f"clip{n}", source="boxes") for n in range(3)]
    others = [Frame(f"x{n}.png", 32, 32, (somebody(skeleton),), group=f"clip{n + 2}", source="a") for n in range(3)]
    labelled, unlabelled = without_sets(Dataset(skeleton, (*named, *others)), ["boxes"])
    assert [frame.file_name for frame in labelled.frames] == ["x0.png", "x1.png", "x2.png"]
    splits = {
        "train": labelled.where([False, True, False]),
        "val": labelled.where([True, False, False]),  # clip2, which frame 2 is of
        "test": labelled.where([False, False, True]),
    }
    kept = learnable(unlabelled, splits)
    assert [frame.file_name for frame in joined(splits["train"], kept).frames] == ["x1.png", "0.png", "1.png"]
    assert kept.notes[0].endswith(": clip2")
    with pytest.raises(BadInput, match="every set"):
        without_sets(Dataset(skeleton, tuple(named)), ["boxes"])


def test_stages_carry_boxes_to_the_teacher_and_no_further(sets, monkeypatch, skeleton):
    monkeypatch.chdir(sets)
    params = OmegaConf.load(ROOT / "params.yaml")
    params.data.update({"source": "data/raw", "sets": ["stills"], "unlabelled": ["boxes"]})
    OmegaConf.save(params, "params.yaml")
    found = annotations_of_sets(sets, "data/raw", ["stills"], "data/frames", skeleton=skeleton, unlabelled=["boxes"])
    Path("data/annotations").mkdir()
    for name, part in found.items():
        write_coco(part, Path(f"data/annotations/{name}.json"))
    dataset_stage.main()
    parts = {name: json.loads(Path(f"data/dataset/{name}.json").read_text()) for name in ("train", "val", "test")}
    sources = {name: {image["source"] for image in part["images"]} for name, part in parts.items()}
    assert sources == {"train": {"stills", "boxes"}, "val": {"stills"}, "test": {"stills"}}
    teacher_stage.main()
    teach_stage.main()
    assert Path("data/taught/train.json").read_bytes() == Path("data/dataset/train.json").read_bytes()
    read = read_coco("data/taught/train.json", skeleton)
    assert {frame.source for frame in read.frames} == {"stills"}, "nobody has labelled the others"


def test_blazepose_labels_photographs_and_repairs_what_is_wrong(shared, tmp_path, monkeypatch, skeletons):
    """Three photographs: one as labelled, one with an ankle at the head, one without labels."""
    pytest.importorskip("ai_edge_litert")
    monkeypatch.chdir(tmp_path)
    skeleton = skeletons["lsp14"]
    lspe = read_coco(shared / "lspe/annotations.json", skeleton)
    chosen = [frame for frame in lspe.frames if frame.people[0].labelled.all()]
    Path("images").mkdir()
    ankle, head = (skeleton.joints.index(joint) for joint in ("right_ankle", "head_top"))
    frames = []
    for frame in chosen[:3]:
        shutil.copy(shared / "lspe/images" / frame.file_name, "images")
        frames.append(replace(frame, file_name=f"images/{frame.file_name}"))
    wrong = frames[1].people[0].keypoints.copy()
    wrong[ankle] = wrong[head]
    frames[1] = replace(frames[1], people=(replace(frames[1].people[0], keypoints=wrong),))
    someone = frames[2].people[0]
    blank = replace(someone, keypoints=np.full_like(wrong, np.nan), visibility=np.zeros_like(someone.visibility))
    frames[2] = replace(frames[2], people=(blank,))
    params = OmegaConf.load(ROOT / "params.yaml")
    params.skeleton = OmegaConf.load(ROOT / "conf/skeleton/lsp14.yaml")
    params.teach = OmegaConf.load(ROOT / "conf/teach/vote.yaml")
    params.teach.update({"weights": "teacher.tflite", "vote": {"views": 8, "rounds": 1, "bandwidth": 0.08}})
    shutil.copy(shared / BLAZEPOSE, "teacher.tflite")
    OmegaConf.save(params, "params.yaml")
    Path("data/dataset").mkdir(parents=True)
    write_coco(Dataset(skeleton, tuple(frames)), "data/dataset/train.json")
    teacher_stage.main()
    teach_stage.main()
    taught = {frame.file_name: frame.people[0] for frame in read_coco("data/taught/train.json", skeleton).frames}
    kept, repaired, new = (taught[frame.file_name] for frame in frames)
    side = max(someone.box[2:] - someone.box[:2])
    assert (kept.weights == 1).sum() >= 10
    true = chosen[1].people[0].keypoints[ankle]
    side = max(chosen[1].people[0].box[2:] - chosen[1].people[0].box[:2])
    assert np.linalg.norm(repaired.keypoints[ankle] - true) < 0.15 * side < np.linalg.norm(wrong[ankle] - true)
    assert repaired.weights[ankle] < 0.6
    side = max(someone.box[2:] - someone.box[:2])
    off = np.linalg.norm(new.keypoints - someone.keypoints, axis=1) / side
    assert np.nanmedian(off) < 0.1
    counts = json.loads(Path("metrics/teach.json").read_text())
    assert counts["frames_labelled_by_vote"] == 1
    assert counts["labels_repaired"] >= 1
    with Image.open("reports/teach.jpg") as sheet:
        assert sheet.width > 600
