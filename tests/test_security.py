"""Checkpoints that try to run code: nothing of them runs, and each is refused in one sentence or read as numbers."""

from __future__ import annotations

import os
import pickle
import random
from functools import partial
from pathlib import Path, PurePosixPath
from types import SimpleNamespace

import numpy as np
import pytest
import torch

pytest.importorskip("ultralytics")
from ultralytics.utils import IterableSimpleNamespace
from ultralytics.utils.loss import v8PoseLoss

from fosbury.backends import yolo
from fosbury.errors import BadInput
from fosbury.inference.registry import load_model
from fosbury.recipe import Recipe
from fosbury.skeleton import Skeleton
from fosbury.synth.stills import write_stills
from fosbury.training.job import TrainingJob

MARK = Path("ran")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> None:
    """A folder in which a file appears if anything of a checkpoint runs."""
    monkeypatch.chdir(tmp_path)
    yield
    assert not MARK.exists()


@pytest.fixture
def content(skeletons) -> dict:
    torch.manual_seed(0)
    module = yolo.YoloModule(yolo._layout("yolo11n-pose"), ch=3, nc=1, data_kpt_shape=(17, 3), verbose=False)
    yolo.save_module(module, Path("honest.pt"), skeletons["coco17"], 64)
    return torch.load("honest.pt", weights_only=False)


class Call:
    """What a pickle becomes that calls a function while it is read."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


CALLS = {
    "os.system": lambda: Call(os.system, f"touch {MARK}"),
    "eval": lambda: Call(eval, f"__import__('pathlib').Path('{MARK}').touch()"),
    "exec": lambda: Call(exec, f"open('{MARK}', 'w').close()"),
    "open": lambda: Call(open, str(MARK), "w"),
    "getattr": lambda: Call(getattr, Path, "touch"),
    "a library": lambda: Call(np.save, str(MARK), np.zeros(1)),
    "torch.load": lambda: Call(torch.load, str(MARK)),
    "a partial": lambda: partial(os.system, f"touch {MARK}"),
}


@pytest.mark.parametrize("suffix", [".pt", ".pth"])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "plain"])
@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_refused(name, zipped, suffix):
    path = Path(f"evil{suffix}")
    torch.save({"model": CALLS[name](), "state_dict": {}}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(BadInput, match="evil") as refusal:
        load_model(path)
    assert "\n" not in str(refusal.value)
    if zipped and name != "getattr":
        assert "may run code" in str(refusal.value)


CODE = f"[open('{MARK}', 'w').close(), __import__('torch').nn.SiLU()][1]"


def activation(module) -> None:
    module.yaml["activation"] = CODE


def module_names(module) -> None:
    module.yaml["backbone"][0][2] = "nn.modules.os.system"
    module.yaml["head"][-1][2] = "__import__"


def arguments(module) -> None:
    module.yaml["backbone"][0][3] = [f"open('{MARK}', 'w')", "3", "2"]


def scales(module) -> None:
    module.yaml["scales"] = {"n": [10**9, 10**9, 10**9]}


def hooks(module) -> None:
    module.model[0]._forward_hooks[0] = torch.nn.Conv2d(1, 1, 1)
    module.model[0]._load_state_dict_pre_hooks[0] = torch.nn.Identity()
    module.model[0].__dict__["forward"] = torch.nn.Identity()
    module.__dict__["fuse"] = module.__dict__["float"] = torch.nn.Identity()


def attributes(module) -> None:
    weight = module.model[0].conv.weight
    weight.copy_ = weight.detach = weight.is_floating_point = torch.nn.Identity()


@pytest.mark.parametrize("trick", [activation, module_names, arguments, scales, hooks, attributes])
def test_what_a_checkpoint_says_of_its_network_is_not_used(trick, content, skeletons):
    """Only its numbers count: it answers as the honest one does, and training from it runs nothing of it."""
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    honest = yolo.YoloPose(Path("honest.pt"), confidence=0.0).predict([picture])[0]
    trick(content["model"])
    torch.save(content, "evil.pt")
    found = yolo.YoloPose(Path("evil.pt"), confidence=0.0).predict([picture])[0]
    assert len(found) == len(honest) > 0
    for one, other in zip(found, honest, strict=True):
        np.testing.assert_array_equal(one.keypoints, other.keypoints)


def test_fine_tuning_from_such_a_checkpoint_runs_nothing(content, skeletons):
    """Training builds a network anew: there the activation was evaluated."""
    activation(content["model"])
    torch.save(content, "evil.pt")
    stills = write_stills(Path("stills"), 3, seed=3, size=(32, 32), skeleton=skeletons["coco17"])
    train = [index < 2 for index in range(3)]
    splits = {"train": stills.where(train), "val": stills.where([not shown for shown in train])}
    recipe = Recipe(epochs=1, batch=2, image_size=32, lr0=1e-3)
    job = TrainingJob(
        **splits,
        root=Path("stills"),
        weights=Path("evil.pt"),
        architecture="yolo11n-pose",
        recipe=recipe,
        out=Path("model.pt"),
        curve=Path("curve.csv"),
        work=Path("work"),
    )
    out = yolo.finetune(job)
    assert b"open(" not in out.read_bytes()
    yolo.export_module(out, (32, 32))


def test_a_description_in_the_working_folder_is_not_read(skeletons):
    """Ultralytics takes a file of the network's name from there before its own."""
    Path("yolo11n-pose.yaml").write_text(f'activation: "{CODE}"\nbackbone: []\nhead: []\n')
    assert "activation" not in yolo._layout("yolo11n-pose")
    with pytest.raises(BadInput, match=r"model\.architecture"):
        yolo._layout("../yolo11n-pose")


def test_a_checkpoint_as_ultralytics_writes_it_is_read(content, skeletons):
    """Official files hold settings, losses, numbers of NumPy, paths, and layers by the hundred beside the weights."""
    module = content["model"]
    module.args = IterableSimpleNamespace(box=7.5, cls=0.5, dfl=1.5, pose=12.0, kobj=1.0)
    module.criterion = v8PoseLoss(module.float())
    module.half()
    del content["fosbury"]
    content |= {
        "epoch": -1,
        "best_fitness": np.float64(0.5),
        "ema": module,
        "model": None,
        "optimizer": None,
        "train_args": {"data": PurePosixPath("coco-pose.yaml"), "imgsz": 640},
        "train_metrics": {"fitness": np.float64(0.5)},
        "date": "2024-09-30T00:00:00",
        "version": "8.3.0",
    }
    torch.save(content, "official.pt")
    model = yolo.YoloPose(Path("official.pt"), skeletons["coco17"])
    assert isinstance(model.skeleton, Skeleton) and model.input_size == (640, 640)
    ours, _ = yolo.load_module(Path("honest.pt"))
    theirs, _ = yolo.load_module(Path("official.pt"))
    assert all(torch.equal(value, theirs.state_dict()[name]) for name, value in ours.state_dict().items())


@pytest.mark.parametrize("name", ["yolo11s-pose", "yolov8n-pose"])
def test_other_networks_of_the_list_are_known_by_their_weights(name, skeletons):
    torch.manual_seed(0)
    module = yolo.YoloModule(yolo._layout(name), ch=3, nc=1, data_kpt_shape=(17, 3), verbose=False)
    yolo.save_module(module, Path("model.pt"), skeletons["coco17"], 64)
    found, _ = yolo.load_module(Path("model.pt"))
    assert found.yaml["scale"] == name[-6]
    assert found.state_dict().keys() == module.state_dict().keys()


def test_reading_leaves_chance_as_it_was(content):
    torch.manual_seed(7)
    before = torch.get_rng_state(), random.getstate()
    yolo.load_module(Path("honest.pt"))
    assert torch.equal(torch.get_rng_state(), before[0]) and random.getstate() == before[1]


def test_a_resume_state_that_calls_is_passed_over():
    from fosbury.training.resume import read_state

    torch.save({"key": "k", "epoch": Call(os.system, f"touch {MARK}")}, "state.pt")
    assert read_state(Path("state.pt"), "k") is None
    Path("state.pt").write_bytes(pickle.dumps(SimpleNamespace(key="k")))
    assert read_state(Path("state.pt"), "k") is None


def test_a_table_of_predictions_that_calls_is_refused():
    from fosbury.formats.predictions import read_predictions

    np.savez("predictions.npz", keypoints=np.array([Call(os.system, f"touch {MARK}")], dtype=object))
    with pytest.raises(BadInput):
        read_predictions(Path("predictions.npz"))
