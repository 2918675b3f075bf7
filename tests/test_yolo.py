"""The YOLO backend: same run, same bytes; a killed run ends as if it had not been; the checkpoint is the best one."""

from __future__ import annotations

import csv
import hashlib
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fosbury.backends import yolo
from fosbury.errors import BadInput
from fosbury.inference.metadata import skeleton_of
from fosbury.inference.predict import predict_dataset
from fosbury.media.image import read_image, write_image
from fosbury.metrics.evaluation import evaluate
from fosbury.pose import Dataset
from fosbury.recipe import Recipe, RtmposeRecipe, YoloRecipe
from fosbury.skeleton import Skeleton
from fosbury.synth.stills import write_stills
from fosbury.training.job import TrainingJob
from fosbury.training.resume import run_key
from fosbury.training.sampling import focus_repeats
from fosbury.training.selection import selection_frames

RECIPE = Recipe(epochs=3, batch=6, image_size=64, lr0=1e-3)


def changed(recipe: Recipe, **values) -> Recipe:
    return recipe.model_copy(update=values)


@pytest.fixture(scope="module")
def stills(tmp_path_factory, skeletons) -> tuple[Dataset, Path]:
    folder = tmp_path_factory.mktemp("stills")
    return write_stills(folder, 18, seed=3, size=(64, 64), skeleton=skeletons["coco17"]), folder


def parts(dataset: Dataset) -> dict[str, Dataset]:
    return {
        "train": dataset.where([index < 12 for index in range(len(dataset))]),
        "val": dataset.where([index >= 12 for index in range(len(dataset))]),
    }


def job(stills, folder: Path, **changes) -> TrainingJob:
    dataset, root = stills
    return TrainingJob(
        **{
            **parts(dataset),
            "root": root,
            "weights": None,
            "architecture": "yolo11n-pose",
            "recipe": RECIPE,
            "seed": 1,
            "out": folder / "model.pt",
            "curve": folder / "curve.csv",
            "work": folder / "work",
            **changes,
        }
    )


def train(stills, folder: Path, **changes) -> Path:
    return yolo.finetune(job(stills, folder, **changes))


@pytest.fixture(scope="module")
def trained(stills, tmp_path_factory) -> Path:
    return train(stills, tmp_path_factory.mktemp("trained"))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def curve(folder: Path) -> list[dict[str, float]]:
    with (folder / "curve.csv").open() as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def test_the_same_run_gives_the_same_bytes(stills, trained, tmp_path):
    assert sha256(train(stills, tmp_path)) == sha256(trained)


def test_another_seed_gives_other_weights(stills, trained, tmp_path):
    assert sha256(train(stills, tmp_path, seed=2)) != sha256(trained)


@pytest.fixture
def epochs(monkeypatch) -> list[int]:
    """The epochs that were trained, in order."""
    begun, start = [], yolo._Trainer._model_train
    monkeypatch.setattr(yolo._Trainer, "_model_train", lambda self: (begun.append(self.epoch), start(self))[1])
    return begun


def train_and_die(stills, folder: Path, recipe: Recipe, after: int) -> None:
    save = yolo._Trainer.save_model

    def save_and_die(trainer):
        save(trainer)
        if trainer.epoch == after:
            raise KeyboardInterrupt
        return True

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(yolo._Trainer, "save_model", save_and_die)
        train(stills, folder, recipe=recipe)


def test_a_run_killed_after_any_epoch_resumes_to_the_same_bytes(stills, tmp_path, epochs):
    """Four batches an epoch: another order of the pictures gives another curve."""
    recipe = changed(RECIPE, batch=3, image_size=32)
    whole = sha256(train(stills, tmp_path / "whole", recipe=recipe))
    for after in (0, 1):
        killed = tmp_path / f"killed{after}"
        train_and_die(stills, killed, recipe, after)
        epochs.clear()
        assert sha256(train(stills, killed, recipe=recipe)) == whole
        assert epochs == list(range(after + 1, 3))
        assert curve(killed) == curve(tmp_path / "whole")


def test_a_run_killed_after_the_end_of_mosaic_resumes_to_the_same_bytes(stills, tmp_path, monkeypatch):
    """Where mosaic ends, here after two of four epochs, the order of the pictures is drawn anew."""
    monkeypatch.setattr(yolo, "MOSAIC_ENDS", 2)
    recipe = changed(RECIPE, epochs=4, batch=3, image_size=32, yolo=YoloRecipe(mosaic=1.0))
    whole = sha256(train(stills, tmp_path / "whole", recipe=recipe))
    train_and_die(stills, tmp_path / "killed", recipe, after=2)
    assert sha256(train(stills, tmp_path / "killed", recipe=recipe)) == whole
    assert curve(tmp_path / "killed") == curve(tmp_path / "whole")


def change_recipe(dataset, root):
    return dataset, changed(RECIPE, lr0=2e-3)


def change_phase(dataset, root):
    frames = (replace(dataset.frames[0], phase="arch"), *dataset.frames[1:])
    return replace(dataset, frames=frames), RECIPE


def change_picture(dataset, root):
    path = root / dataset.frames[0].file_name
    write_image(path, 255 - read_image(path))
    return dataset, RECIPE


def change_sigmas(dataset, root):
    return replace(dataset, skeleton=replace(dataset.skeleton, sigmas=dataset.skeleton.sigmas * 2)), RECIPE


@pytest.mark.parametrize("change", [change_recipe, change_phase, change_picture, change_sigmas])
def test_a_run_with_other_input_is_another_run(stills, tmp_path, change):
    dataset, root = stills
    copy = tmp_path / "stills"
    shutil.copytree(root, copy)
    before = run_key(job((dataset, copy), tmp_path))
    changed, recipe = change(dataset, copy)
    assert run_key(job((changed, copy), tmp_path, recipe=recipe)) != before


def test_a_finished_run_leaves_nothing_to_resume(trained):
    assert not (trained.parent / "work/state.pt").exists()


def test_the_checkpoint_is_the_epoch_with_the_least_pose_error(stills, trained):
    dataset, root = stills
    val = parts(dataset)["val"]
    errors = [row["val_error_mm"] for row in curve(trained.parent)]
    model = yolo.YoloPose(trained, confidence=0.05)
    found = evaluate(val, predict_dataset(model, val, root), ap=False).to_json()["error_mm"]
    assert found == pytest.approx(min(errors), abs=2.0)


def test_narrow_training_gives_a_plain_checkpoint_near_the_wide_one(stills, trained, tmp_path):
    narrow = train(stills, tmp_path, recipe=changed(RECIPE, bfloat16=True))
    module, _ = yolo.load_module(narrow)
    assert type(module) is yolo.YoloModule
    assert sha256(narrow) != sha256(trained)
    first, wide = curve(tmp_path)[0], curve(trained.parent)[0]
    for name in ("box_loss", "pose_loss", "cls_loss"):
        assert first[name] == pytest.approx(wide[name], rel=0.05)


def test_the_file_tells_its_skeleton_and_no_place(trained, skeletons):
    model = yolo.YoloPose(trained)
    assert model.skeleton.joints == skeletons["coco17"].joints
    assert model.input_size == (64, 64)
    assert model.licence == "AGPL-3.0"
    content = trained.read_bytes()
    assert str(trained.parent).encode() not in content
    assert str(Path.home()).encode() not in content


def test_a_custom_skeleton_starts_from_other_joints(stills, trained, tmp_path, skeletons):
    dataset, root = stills
    legs = skeletons["lowerbody10"]
    place = legs.match(dataset.skeleton.joints)
    frames = []
    for frame in dataset.frames:
        people = []
        for person in frame.people:
            seen = np.where(place >= 0, person.visibility[place], 0).astype(np.uint8)
            points = np.where((seen > 0)[:, None], person.keypoints[place], np.nan)
            people.append(replace(person, keypoints=points, visibility=seen))
        frames.append(replace(frame, people=tuple(people)))
    mapped = Dataset(legs, tuple(frames))
    weights = train((mapped, root), tmp_path, weights=trained, recipe=changed(RECIPE, epochs=1), seed=0)
    model = yolo.YoloPose(weights)
    assert model.skeleton.joints == legs.joints
    assert all(
        len(pose.keypoints) == 10 for poses in model.predict([np.zeros((64, 64, 3), np.uint8)]) for pose in poses
    )


def test_arch_frames_are_shown_more_often_and_choose_the_checkpoint(stills):
    dataset, _ = stills
    frames = tuple(replace(f, phase="arch" if i % 3 == 0 else "approach") for i, f in enumerate(dataset.frames))
    mixed = Dataset(dataset.skeleton, frames)
    repeats = focus_repeats(mixed, 4)
    assert {repeats[f.file_name] for f in frames if f.phase == "arch"} == {4}
    assert {repeats[f.file_name] for f in frames if f.phase != "arch"} == {1}
    assert {f.phase for f in selection_frames(mixed).frames} == {"arch"}
    assert len(selection_frames(dataset)) == len(dataset)


def test_upright_crops_are_shown_beside_the_pictures(stills, trained, tmp_path):
    model = train(stills, tmp_path, recipe=changed(RECIPE, upright_crops=True, epochs=1))
    shown = (tmp_path / "work" / "data" / "train.txt").read_text().split()
    assert len(shown) == len(set(shown)) == 24
    assert len(curve(tmp_path)) == 1
    yolo.YoloPose(model)


def test_an_empty_split_is_refused(stills, tmp_path):
    dataset, _ = stills
    with pytest.raises(BadInput, match="val"):
        train(stills, tmp_path, val=dataset.where([False] * len(dataset)))


def test_what_only_rtmpose_has_is_refused(stills, tmp_path):
    recipe = changed(RECIPE, rtmpose=RtmposeRecipe(half_body=0.5))
    with pytest.raises(BadInput, match=r"train\.rtmpose\.half_body: is 0.5, which yolo would ignore; set it to 0.0"):
        train(stills, tmp_path, recipe=recipe)


class Evil:
    def __reduce__(self):
        return Path.touch, (Path("pwned"),)


@pytest.mark.parametrize("kind", ["evil", "evil zip", "text", "empty", "absent", "tensors"])
def test_what_is_no_safe_checkpoint_is_refused(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "weights.pt"
    if kind == "evil":
        path.write_bytes(pickle.dumps(Evil()))
    elif kind == "evil zip":
        torch.save({"model": Evil()}, path)
    elif kind == "text":
        path.write_text("version https://git-lfs.github.com/spec/v1\n")
    elif kind == "empty":
        path.touch()
    elif kind == "tensors":
        torch.save({"model": torch.zeros(3)}, path)
    with pytest.raises(BadInput, match=r"weights\.pt"):
        yolo.load_module(path)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.real
def test_poses_agree_with_ultralytics_own(shared, skeletons):
    from ultralytics import YOLO

    weights = shared / "weights/yolo11n-pose-coco-approx.pt"
    pictures = sorted((shared / "flops/images").iterdir())[:5]
    ours = yolo.YoloPose(weights, skeletons["coco17"], 320).predict([read_image(path) for path in pictures])
    theirs = YOLO(weights)
    for path, poses in zip(pictures, ours, strict=True):
        result = theirs.predict(
            read_image(path)[..., ::-1].copy(), imgsz=(320, 320), rect=False, conf=0.05, verbose=False
        )[0]
        assert len(poses) == len(result)
        height, width = result.orig_shape
        inside = [np.clip(pose.keypoints, 0, [width, height]) for pose in poses]  # theirs end at the edge, ours do not
        np.testing.assert_allclose(inside, result.keypoints.xy.numpy(), atol=0.5)


@pytest.mark.real
def test_official_weights_need_a_name_for_their_joints(shared):
    with pytest.raises(BadInput, match="--skeleton"):
        yolo.YoloPose(shared / "weights/yolo11n-pose-coco-approx.pt")


@pytest.mark.real
def test_official_weights_under_another_skeleton_keep_their_own_joints(shared, skeletons):
    model = yolo.YoloPose(shared / "weights/yolo11n-pose-coco-approx.pt", skeletons["lsp14"])
    assert isinstance(model.skeleton, Skeleton)
    assert model.skeleton.joints == skeletons["coco17"].joints


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(device, trained, monkeypatch):
    monkeypatch.setenv("FOSBURY_DEVICE", device)
    with pytest.raises(BadInput, match="FOSBURY_DEVICE"):
        yolo.YoloPose(trained)


def test_unnamed_joints_are_cocos_even_where_another_skeleton_has_as_many(skeletons):
    coco = skeletons["coco17"]
    other = replace(coco, joints=tuple(f"point_{index}" for index in range(17)))
    assert skeleton_of("model.pt", 17, {}, other).joints == coco.joints
    assert skeleton_of("model.pt", 17, {}, coco) is coco
    with pytest.raises(BadInput, match="does not name them"):
        skeleton_of("model.pt", 10, {}, coco)


def test_frames_that_cannot_be_measured_cannot_choose_a_checkpoint(stills, tmp_path):
    dataset, root = stills
    limbless = replace(dataset, skeleton=replace(dataset.skeleton, limbs=()))
    with pytest.raises(BadInput, match="limb"):
        train((limbless, root), tmp_path)
