"""The RTMPose backend: same run, same bytes; a killed run ends as if it had not been; poses as MMPose's own."""

from __future__ import annotations

import csv
import hashlib
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("mmpose", reason="needs the extra rtmpose")

from fosbury.backends import backend_of, rtmpose
from fosbury.errors import BadInput
from fosbury.export.write import export_model
from fosbury.formats.coco import read_coco
from fosbury.inference.predict import predict_dataset
from fosbury.inference.protocol import PoseModel
from fosbury.inference.refine import CropRefiner
from fosbury.inference.registry import load_model
from fosbury.media.image import read_image, write_image
from fosbury.metrics.evaluation import evaluate
from fosbury.pose import Dataset, Frame, Person
from fosbury.recipe import Recipe, RtmposeRecipe, YoloRecipe
from fosbury.synth.stills import write_stills
from fosbury.training.job import TrainingJob
from fosbury.training.schedule import learning_rate
from fosbury.training.selection import is_best

RECIPE = Recipe(epochs=3, batch=6, image_size=256, lr0=1e-3, rtmpose=RtmposeRecipe(erasing=0.5, half_body=0.3))


def changed(recipe: Recipe, **values) -> Recipe:
    return recipe.model_copy(update=values)


@pytest.fixture(scope="module")
def stills(tmp_path_factory, skeletons) -> tuple[Dataset, Path]:
    folder = tmp_path_factory.mktemp("stills")
    return write_stills(folder, 12, seed=3, size=(96, 96), skeleton=skeletons["coco17"]), folder


def parts(dataset: Dataset) -> dict[str, Dataset]:
    return {
        "train": dataset.where([index < 8 for index in range(len(dataset))]),
        "val": dataset.where([index >= 8 for index in range(len(dataset))]),
    }


def train(stills, folder: Path, **changes) -> Path:
    dataset, root = stills
    job = {
        **parts(dataset),
        "root": root,
        "weights": None,
        "architecture": "rtmpose-t",
        "recipe": RECIPE,
        "seed": 1,
        "out": folder / "model.pt",
        "curve": folder / "curve.csv",
        "work": folder / "work",
    }
    return rtmpose.finetune(TrainingJob(**{**job, **changes}))


@pytest.fixture(scope="module")
def trained(stills, tmp_path_factory) -> Path:
    return train(stills, tmp_path_factory.mktemp("trained"))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def curve(folder: Path) -> list[dict[str, str]]:
    with (folder / "curve.csv").open() as file:
        return list(csv.DictReader(file))


def test_the_same_run_gives_the_same_bytes_and_another_seed_others(stills, trained, tmp_path):
    assert sha256(train(stills, tmp_path / "a")) == sha256(trained)
    assert sha256(train(stills, tmp_path / "b", seed=2)) != sha256(trained)


def test_a_killed_run_resumes_to_the_same_bytes(stills, trained, tmp_path, monkeypatch):
    epochs, run = [], rtmpose._epoch

    def die_in_the_third(*given, epoch, **settings):
        epochs.append(epoch)
        if epochs == [0, 1, 2]:
            raise KeyboardInterrupt
        return run(*given, epoch=epoch, **settings)

    monkeypatch.setattr(rtmpose, "_epoch", die_in_the_third)
    with pytest.raises(KeyboardInterrupt):
        train(stills, tmp_path)
    assert sha256(train(stills, tmp_path)) == sha256(trained)
    assert epochs == [0, 1, 2, 2]
    assert curve(tmp_path) == curve(trained.parent)
    assert not (tmp_path / "work/state.pt").exists()


def test_the_checkpoint_is_the_epoch_with_the_least_pose_error(stills, trained):
    dataset, root = stills
    val = parts(dataset)["val"]
    errors = [float(row["val_error_mm"]) for row in curve(trained.parent)]
    predictions = predict_dataset(load_model(trained), val, root, boxes="labels")
    assert len(errors) == 3
    assert evaluate(val, predictions, ap=False).to_json()["error_mm"] == pytest.approx(min(errors), abs=2.0)


@pytest.fixture(scope="module")
def learned(stills, tmp_path_factory) -> Path:
    """Weights that know four pictures by heart, so that the answer depends on the picture."""
    folder, (dataset, _) = tmp_path_factory.mktemp("learned"), stills
    plain = {"degrees": 0, "fliplr": 0, "scale": 0.0, "translate": 0.0}
    recipe = Recipe(epochs=30, batch=4, image_size=256, lr0=2e-3, rtmpose=RtmposeRecipe(aux_grid_loss=0.01), **plain)
    known = dataset.where([index < 4 for index in range(len(dataset))])
    return train(stills, folder, train=known, val=known, recipe=recipe, seed=0)


def test_training_learns(learned):
    losses = [float(row["pose_loss"]) for row in curve(learned.parent)]
    errors = [float(row["val_error_mm"]) for row in curve(learned.parent)]
    assert losses[-1] < 0.5 * losses[0]
    assert min(errors) < 0.5 * errors[0]


def test_the_file_answers_the_protocol_and_tells_its_joints_and_no_place(trained, skeletons):
    model = load_model(trained)
    assert isinstance(model, rtmpose.RtmPose) and isinstance(model, PoseModel)
    assert model.needs_boxes and model.input_size == (256, 192) and model.licence == "Apache-2.0"
    assert model.skeleton.to_mapping() == skeletons["coco17"].to_mapping()
    assert str(Path.home()).encode() not in trained.read_bytes()
    with pytest.raises(BadInput, match="box"):
        model.predict([np.zeros((20, 20, 3), np.uint8)])


def test_other_joints_start_from_those_of_the_same_name(stills, trained, skeletons, tmp_path):
    legs = skeletons["lowerbody10"]
    network = rtmpose.build_network("rtmpose-t", len(legs))
    rtmpose._start_from(network, legs, trained)
    before, _, _ = rtmpose.load_network(trained)
    rows, own = before.state_dict()["head.final_layer.weight"], network.state_dict()["head.final_layer.weight"]
    place = legs.match(skeletons["coco17"].joints)
    for joint, row in enumerate(place):
        assert row < 0 or torch.equal(own[joint], rows[row])
    assert (place >= 0).sum() == 6
    for name, value in network.state_dict().items():
        if "final_layer" not in name:
            assert torch.equal(value, before.state_dict()[name]), name


@pytest.fixture(scope="module")
def dotted(tmp_path_factory, skeletons) -> tuple[Dataset, Path]:
    """One athlete with a dot of its own colour at every joint but the nose, which nobody labelled."""
    folder, skeleton = tmp_path_factory.mktemp("dotted"), skeletons["coco17"]
    picture = np.zeros((220, 260, 3), np.uint8)
    spots = np.array([(60 + 35 * (joint % 5), 40 + 40 * (joint // 5)) for joint in range(17)], float) + 0.5
    for joint, (x, y) in enumerate(spots):
        picture[int(y) - 4 : int(y) + 5, int(x) - 4 : int(x) + 5] = COLOURS[joint]
    write_image(folder / "dots.png", picture)
    seen = np.full(17, 2, np.uint8)
    seen[0] = 0
    spots[0] = np.nan
    box = np.concatenate([np.nanmin(spots, 0) - 15, np.nanmax(spots, 0) + 15])
    frame = Frame("dots.png", 260, 220, (Person(spots, seen, box, 20000.0),), phase="arch")
    return Dataset(skeleton, (frame,)), folder


COLOURS = np.array([(60 + 60 * (joint % 3), 60 + 60 * (joint // 3 % 3), 120 * (joint // 9)) for joint in range(17)])


def test_targets_lie_on_the_joints_whatever_the_augmentation(dotted):
    dataset, root = dotted
    recipe = changed(
        RECIPE, oversample_arch=40, degrees=180, rtmpose=RtmposeRecipe(half_body=0.5), hsv_h=0, hsv_s=0, hsv_v=0
    )
    codec = dict(rtmpose.Config.fromfile(rtmpose.CONFIGS / rtmpose.ARCHITECTURES["rtmpose-t"]).codec)
    crops = rtmpose._Crops(dataset, root, recipe, codec, seed=0, focus="arch")
    flip, mirrored, hits = dataset.skeleton.flip_index, 0, 0
    assert len(crops) == 40
    for index in range(len(crops)):
        pixels, along_x, along_y, weight = (part.numpy() for part in crops[index])
        assert weight[0] == 0
        places = np.array([along_x.argmax(-1), along_y.argmax(-1)]).T[weight > 0] / 2
        columns, rows = np.clip(np.floor(places + 0.5).astype(int), 0, [191, 255]).T
        found = 255 * pixels[:, rows, columns].T
        joints = np.flatnonzero(weight > 0)
        off = [np.abs(found - COLOURS[order[joints]]).max(axis=1) for order in (np.arange(17), np.array(flip))]
        right = min(off, key=np.sum)
        mirrored += right is off[1]
        hits += len(joints)
        # A joint at the very edge may be cut; every other dot has its own colour, to the blur of the warp.
        assert np.sort(right)[: max(1, len(joints) - 2)].max() < 30
    assert 8 < mirrored < 32 and hits > 300


def test_the_rate_rises_then_falls_to_its_last_share():
    recipe = changed(RECIPE, epochs=10, lr0=0.01, lrf=0.1, warmup_epochs=1.0)
    rates = [learning_rate(recipe, epoch) for epoch in np.linspace(0, 10, 101)]
    assert rates[0] < 1e-4 and np.argmax(rates) == 10
    assert rates[-1] == pytest.approx(0.001)
    assert (np.diff(rates[10:]) < 0).all()


def test_the_best_epoch_is_the_first_of_the_least():
    errors = (3.0, 1.0, 2.0, 1.0, 0.5)
    history = [{"val_error_mm": error} for error in errors]
    assert [is_best(history[: n + 1]) for n in range(5)] == [True, True, False, False, True]


def test_a_split_without_labels_is_refused(stills, tmp_path):
    dataset, _ = stills
    empty = replace(dataset, frames=tuple(replace(frame, people=()) for frame in dataset.frames))
    with pytest.raises(BadInput, match="train"):
        train(stills, tmp_path, train=empty, val=dataset)


@pytest.mark.parametrize("key", ["mosaic", "frozen_layers"])
def test_what_only_yolo_has_is_refused(stills, tmp_path, key):
    with pytest.raises(BadInput, match=rf"train\.yolo\.{key}: is 1.*rtmpose would ignore; set it to 0"):
        train(stills, tmp_path, recipe=changed(RECIPE, yolo=YoloRecipe(**{key: 1})))


def test_an_unknown_architecture_and_another_network_are_refused(trained, skeletons):
    with pytest.raises(BadInput, match="rtmpose-s"):
        rtmpose.build_network("rtmpose-x", 17)
    with pytest.raises(BadInput, match="another network"):
        rtmpose._start_from(rtmpose.build_network("rtmpose-s", 17), skeletons["coco17"], trained)


class Evil:
    def __reduce__(self):
        return Path.touch, (Path("pwned"),)


@pytest.mark.parametrize("kind", ["evil", "evil zip", "text", "empty", "absent", "tensors", "numbers"])
@pytest.mark.parametrize("suffix", ["pt", "pth"])
def test_what_is_no_safe_checkpoint_is_refused(kind, suffix, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"weights.{suffix}"
    if kind == "evil":
        path.write_bytes(pickle.dumps(Evil()))
    elif kind == "evil zip":
        torch.save({"state_dict": Evil(), "fosbury": Evil()}, path)
    elif kind == "text":
        path.write_text("version https://git-lfs.github.com/spec/v1\n")
    elif kind == "empty":
        path.touch()
    elif kind == "tensors":
        torch.save({"state_dict": {"head": torch.zeros(3)}, "fosbury": {}}, path)
    elif kind == "numbers":
        torch.save({"state_dict": {"head": 3}, "fosbury": {}}, path)
    with pytest.raises(BadInput, match=rf"weights\.{suffix}"):
        load_model(path)
    with pytest.raises(BadInput, match=rf"weights\.{suffix}"):
        rtmpose.load_network(path)
    assert not (tmp_path / "pwned").exists()


def test_a_checkpoint_of_mmengines_runner_is_read(trained, skeletons, tmp_path):
    """As MMPose's trainings leave it: with the message hub and the state of the optimizer beside the weights."""
    from mmengine.logging import MessageHub
    from mmengine.runner import save_checkpoint
    from mmpose.datasets.datasets.utils import parse_pose_metainfo

    network, _, _ = rtmpose.load_network(trained)
    about = parse_pose_metainfo({"from_file": str(rtmpose.CONFIGS.parents[2] / "_base_/datasets/coco.py")})
    hub = MessageHub.get_instance("test of fosbury")
    for loss in (1.5, np.float64(0.5), torch.tensor(0.25)):
        hub.update_scalar("train/loss", loss)
    hub.update_info("epoch", 3)
    meta = {"epoch": 3, "seed": 0, "dataset_meta": about}
    state = {"meta": meta, "state_dict": network.state_dict(), "message_hub": hub.state_dict()}
    path = tmp_path / "epoch_3.pth"
    save_checkpoint(state, str(path))
    published = tmp_path / "published.pth"
    torch.save({"meta": meta, "state_dict": state["state_dict"]}, published, _use_new_zipfile_serialization=False)
    for file in (path, published):
        assert load_model(file, skeletons["coco17"]).skeleton.joints == skeletons["coco17"].joints
    with pytest.raises(BadInput, match="--skeleton"):
        load_model(path)


def test_exported_files_answer_as_the_checkpoint_does(stills, learned, tmp_path):
    dataset, root = stills
    files = tmp_path / "model.onnx", tmp_path / "model.mlpackage"
    export_model(backend_of(learned).export_module(learned, (64, 64)), files, "none")
    frames = dataset.where([index < 4 for index in range(len(dataset))])
    own = predict_dataset(load_model(learned), frames, root, boxes="labels")
    assert np.ptp([poses[0].keypoints[0] for poses in own], axis=0).max() > 1  # another picture, another answer
    for file in files:
        model = load_model(file)
        assert model.needs_boxes and model.input_size == (256, 192) and model.licence == "Apache-2.0"
        assert model.skeleton.to_mapping() == dataset.skeleton.to_mapping()
        for mine, theirs in zip(own, predict_dataset(model, frames, root, boxes="labels"), strict=True):
            assert np.abs(mine[0].keypoints - theirs[0].keypoints).max() < 0.01
            assert np.abs(mine[0].confidence - theirs[0].confidence).max() < 1e-3
    first, large = sha256(files[0]), weight(files[1])
    export_model(backend_of(learned).export_module(learned, (64, 64)), files, "int8")
    assert sha256(files[0]) == first and weight(files[1]) < 0.4 * large
    for mine, theirs in zip(own, predict_dataset(load_model(files[1]), frames, root, boxes="labels"), strict=True):
        assert np.abs(mine[0].keypoints - theirs[0].keypoints).mean() < 2
        assert 0 < np.abs(mine[0].confidence - theirs[0].confidence).max() < 0.1


def weight(package: Path) -> int:
    return sum(file.stat().st_size for file in package.rglob("*") if file.is_file())


def test_it_can_look_twice_and_upright(stills, trained):
    dataset, root = stills
    frames = dataset.where([index < 2 for index in range(len(dataset))])
    model = CropRefiner(load_model(trained), 1.5, upright_looks=2)
    assert model.needs_boxes
    poses = predict_dataset(model, frames, root, boxes="labels")
    assert all(len(each) == len(frame.people) for each, frame in zip(poses, frames.frames, strict=True))
    assert all(np.isfinite(pose.keypoints).all() for each in poses for pose in each)


@pytest.mark.real
def test_poses_agree_with_mmposes_own(shared, learned, skeletons):
    """50 real crops against ``mmpose.apis.inference_topdown``: at most 0.1 px."""
    from mmengine.config import Config
    from mmpose.apis import inference_topdown

    config = Config.fromfile(rtmpose.CONFIGS / rtmpose.ARCHITECTURES["rtmpose-t"])
    network, skeleton, _ = rtmpose.load_network(learned)
    network.cfg, network.test_cfg = config, {"flip_test": False}
    network.dataset_meta = {"flip_indices": list(skeleton.flip_index)}
    dataset = read_coco(shared / "lspe/annotations.json", skeletons["coco17"], shared / "lspe/images")
    frames = dataset.where([index % 48 == 0 for index in range(len(dataset))])
    model = load_model(learned)
    assert len(frames) == 50
    within = []
    for frame in frames.frames:
        picture = read_image(shared / "lspe/images" / frame.file_name)
        boxes = np.array([person.box for person in frame.people])
        ours = model.predict([picture], [boxes])[0]
        # MMPose counts from the centre of the first pixel, and takes BGR.
        theirs = inference_topdown(network, picture[..., ::-1].copy(), (boxes - 0.5).astype(np.float32))
        for mine, other in zip(ours, theirs, strict=True):
            assert np.abs(mine.keypoints - other.pred_instances.keypoints[0] - 0.5).max() <= 0.1
            within.append((mine.keypoints - mine.box[:2]) / (mine.box[2:] - mine.box[:2]))
    assert np.std(within, axis=0).max() > 0.05  # the answers depend on the picture
