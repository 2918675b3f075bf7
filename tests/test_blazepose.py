"""The BlazePose backend: joints by name, same run, same bytes; a killed run ends as if it had not been."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fosbury.backends import backend_of, blazepose
from fosbury.backends.tflite_network import steps_of
from fosbury.errors import BadInput
from fosbury.export.write import export_model
from fosbury.formats.coco import read_coco
from fosbury.inference.blazepose import JOINTS, composed
from fosbury.inference.landmarks import SquareCrop
from fosbury.inference.predict import predict_dataset
from fosbury.inference.protocol import PoseModel
from fosbury.inference.registry import load_model
from fosbury.media.image import read_image, write_image
from fosbury.pose import Dataset, Frame, Person
from fosbury.recipe import BlazeposeRecipe, Recipe, RtmposeRecipe
from fosbury.synth.stills import write_stills
from fosbury.training.job import TrainingJob
from fosbury.training.schedule import moving_average
from fosbury.training.squares import Squares

RECIPE = Recipe(epochs=3, batch=4, image_size=256, lr0=0.02, blazepose=BlazeposeRecipe(head_epochs=1))
FULL = "weights/blazepose_landmark_full.tflite"


def layer(index, before, after, side, stride, **more):
    sides = {"kernel": [side, side], "stride": [stride, stride], "padding": [0, 0, 0, 0]}
    return {"kind": "conv", "inputs": [index], "channels": [before, after], "groups": 1, "activation": "relu6"} | (
        sides | more
    )


# Down to 2 x 2 cells, as BlazePose goes, in a thousandth of its time.
TINY = (
    layer(0, 3, 8, 8, 8),
    layer(1, 8, 8, 3, 1, groups=8, padding=[1, 1, 1, 1]),
    layer(2, 8, 16, 4, 4),
    layer(3, 16, 16, 4, 4),
)


def network_of(joints, seed=0):
    torch.manual_seed(seed)
    steps, features = steps_of(list(TINY), "tiny", blazepose.INPUT)
    return blazepose.BlazePoseNetwork(steps, features, joints).eval()


@pytest.fixture(scope="module")
def stills(tmp_path_factory, skeletons) -> tuple[Dataset, Path]:
    folder = tmp_path_factory.mktemp("stills")
    return write_stills(folder, 12, seed=3, size=(96, 96), skeleton=skeletons["coco17"]), folder


@pytest.fixture(scope="module")
def start(tmp_path_factory, skeletons) -> Path:
    path = tmp_path_factory.mktemp("start") / "tiny.pt"
    network = network_of(17)
    with torch.no_grad():
        network.points.bias += 128
    blazepose.save_network(network, "blazepose-full", path, skeletons["coco17"])
    return path


def train(stills, start, folder: Path, **changes) -> Path:
    dataset, root = stills
    job = {
        "train": dataset.where([index < 8 for index in range(len(dataset))]),
        "val": dataset.where([index >= 8 for index in range(len(dataset))]),
        "root": root,
        "weights": start,
        "architecture": "blazepose-full",
        "recipe": RECIPE,
        "seed": 1,
        "out": folder / "model.pt",
        "curve": folder / "curve.csv",
        "work": folder / "work",
    }
    return blazepose.finetune(TrainingJob(**{**job, **changes}))


@pytest.fixture(scope="module")
def trained(stills, start, tmp_path_factory) -> Path:
    return train(stills, start, tmp_path_factory.mktemp("trained"))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def curve(folder: Path) -> list[dict[str, str]]:
    with (folder / "curve.csv").open() as file:
        return list(csv.DictReader(file))


def test_the_same_run_gives_the_same_bytes_and_another_seed_others(stills, start, trained, tmp_path):
    assert sha256(train(stills, start, tmp_path / "a")) == sha256(trained)
    assert sha256(train(stills, start, tmp_path / "b", seed=2)) != sha256(trained)


def test_a_killed_run_resumes_to_the_same_bytes(stills, start, trained, tmp_path, monkeypatch):
    epochs, run = [], blazepose._epoch

    def die_in_the_third(*given, epoch, **settings):
        epochs.append(epoch)
        if epochs == [0, 1, 2]:
            raise KeyboardInterrupt
        return run(*given, epoch=epoch, **settings)

    monkeypatch.setattr(blazepose, "_epoch", die_in_the_third)
    with pytest.raises(KeyboardInterrupt):
        train(stills, start, tmp_path)
    assert sha256(train(stills, start, tmp_path)) == sha256(trained)
    assert epochs == [0, 1, 2, 2]
    assert curve(tmp_path) == curve(trained.parent)
    assert not (tmp_path / "work/state.pt").exists()


def test_training_learns_four_pictures_by_heart(stills, start, tmp_path):
    dataset, _ = stills
    plain = {"degrees": 0, "fliplr": 0, "scale": 0.0, "translate": 0.0, "hsv_h": 0, "hsv_s": 0, "hsv_v": 0}
    recipe = Recipe(epochs=40, batch=4, image_size=256, lr0=0.05, **plain)
    known = dataset.where([index < 4 for index in range(len(dataset))])
    path = train(stills, start, tmp_path, train=known, val=known, recipe=recipe)
    losses = [float(row["pose_loss"]) for row in curve(path.parent)]
    errors = [float(row["val_error_mm"]) for row in curve(path.parent)]
    assert losses[-1] < 0.5 * losses[0]
    assert min(errors) < 0.5 * errors[0]


def test_only_the_last_layer_learns_at_first_and_frozen_layers_never(stills, start, tmp_path):
    before = blazepose.load_network(start)[0].state_dict()
    ways = {"head": BlazeposeRecipe(head_epochs=3), "frozen": BlazeposeRecipe(frozen_layers=2)}
    moved = {}
    for name, settings in ways.items():
        recipe = RECIPE.model_copy(update={"blazepose": settings})
        after = blazepose.load_network(train(stills, start, tmp_path / name, recipe=recipe))[0].state_dict()
        moved[name] = {key for key, value in after.items() if not torch.equal(value, before[key])}
    last = {f"{part}.{kind}" for part in ("points", "confidence") for kind in ("weight", "bias")}
    later = {f"trunk.layers.{index}.conv.{kind}" for index in (2, 3) for kind in ("weight", "bias")}
    assert moved == {"head": last, "frozen": last | later}


def test_the_file_answers_the_protocol_and_tells_its_joints_and_no_place(trained, skeletons):
    model = load_model(trained)
    assert isinstance(model, blazepose.BlazePose) and isinstance(model, PoseModel)
    assert model.needs_boxes and model.input_size == (256, 256) and model.licence == "Apache-2.0"
    assert model.skeleton.to_mapping() == skeletons["coco17"].to_mapping()
    assert str(Path.home()).encode() not in trained.read_bytes()
    assert b"tflite" not in trained.read_bytes()
    with pytest.raises(BadInput, match="box"):
        model.predict([np.zeros((20, 20, 3), np.uint8)])


def test_joints_are_matched_by_name_and_others_begin_between_their_neighbours(skeletons):
    feet = blazepose.joint_mix(skeletons["lowerbody10"], JOINTS)
    assert set(feet.ravel()) == {0.0, 1.0}  # it has them all
    lsp, coco = skeletons["lsp14"], skeletons["coco17"]
    whole = blazepose.joint_mix(lsp, JOINTS)
    assert [JOINTS[place] for place in whole.argmax(1)] == list(lsp.joints) and (whole.max(1) == 1).all()
    mix = blazepose.joint_mix(lsp, coco.joints)
    neck, top = (mix[lsp.joints.index(joint)] for joint in ("neck", "head_top"))
    shoulders = [coco.joints.index(f"{side}_shoulder") for side in ("left", "right")]
    assert (neck[shoulders] == 0.5).all() and np.array_equal(top, neck)  # a bone ties the head to the neck alone
    assert np.allclose(mix.sum(1), 1)
    assert np.allclose(blazepose.joint_mix(lsp, ["wheel", "saddle"]), 0.5)
    alone = blazepose.joint_mix(replace(lsp, bones=()), coco.joints)
    assert np.allclose(alone[lsp.joints.index("neck")], alone[:12].mean(0))


def test_other_joints_start_from_those_of_the_same_name(start, skeletons):
    legs, coco = skeletons["lowerbody10"], skeletons["coco17"]
    before, _, _ = blazepose.load_network(start)
    after = blazepose.start_network(start, "blazepose-full", legs)
    picture = torch.rand(1, 3, 256, 256)
    with torch.inference_mode():
        old, new = before(picture)[0], after(picture)[0]
    place = legs.match(coco.joints)
    assert (place >= 0).sum() == 6
    assert torch.allclose(new[place >= 0], old[place[place >= 0]], atol=1e-3)


def test_the_confidence_learns_whether_points_are_right_and_moves_none(skeletons):
    network = network_of(2)
    points, sure = network.answer(torch.rand(3, 3, 256, 256))
    labels, reach = points.detach() + torch.tensor([3.0, 4.0]), torch.tensor([[4.9, 5.1]]).expand(3, 2)
    weight = torch.tensor([[1.0, 1.0], [0.0, 1.0], [2.0, 0.0]])
    position, confidence = blazepose.losses(points, sure, labels=labels, weight=weight, reach=reach, tolerance=5 / 256)
    assert float(position.detach()) == pytest.approx(np.log(2), rel=1e-4)  # 5 pixels, the tolerance, everywhere
    wrong, right = torch.nn.functional.softplus(sure[:, 0]), torch.nn.functional.softplus(-sure[:, 1])
    expected = float(((wrong[0] + right[0] + right[1] + 2 * wrong[2]) / 5).detach())
    assert float(confidence.detach()) == pytest.approx(expected, rel=1e-4)
    confidence.backward()
    touched = {name for name, value in network.named_parameters() if value.grad is not None and value.grad.any()}
    assert touched == {"confidence.weight", "confidence.bias"}


def test_nothing_labelled_gives_no_loss_and_a_point_on_its_label_a_gradient(skeletons):
    points = torch.zeros(1, 2, 2, requires_grad=True)
    nothing, ones = torch.zeros(1, 2), torch.ones(1, 2)
    for weight in (nothing, ones):
        position, confidence = blazepose.losses(
            points, ones, labels=torch.zeros(1, 2, 2), weight=weight, reach=ones, tolerance=0.03
        )
        (position + confidence).backward()
        assert float(position.detach()) == 0 and torch.isfinite(points.grad).all()


def test_steps_are_in_proportion_to_the_size_of_each_tensor():
    network = network_of(3)
    with torch.no_grad():
        network.points.weight.fill_(5.0)
        network.points.bias.zero_()
    groups = {id(group["params"][0]): group for group in blazepose.parameter_groups(network, RECIPE)}
    weight, bias = (groups[id(value)] for value in network.points.parameters())
    assert weight["scale"] == pytest.approx(5.0) and bias["scale"] == blazepose.LEAST
    assert weight["weight_decay"] == RECIPE.weight_decay and bias["weight_decay"] == 0
    alike = RECIPE.model_copy(update={"blazepose": BlazeposeRecipe(relative_step=False)})
    assert {group["scale"] for group in blazepose.parameter_groups(network, alike)} == {1.0}


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
PLAIN = {"hsv_h": 0, "hsv_s": 0, "hsv_v": 0}


@pytest.mark.parametrize("around", ["picture", "upright"])
def test_labels_lie_on_the_joints_whatever_the_augmentation(dotted, around):
    dataset, root = dotted
    recipe = RECIPE.model_copy(update={**PLAIN, "oversample_arch": 40, "degrees": 180})
    crops = Squares(dataset, root, recipe, size=(256, 256), focus="arch", around=around, seed=0)
    flip, mirrored, hits = dataset.skeleton.flip_index, 0, 0
    assert len(crops) == 40
    for index in range(len(crops)):
        pixels, points, weight, reach = (part.numpy() for part in crops[index])
        assert (weight == (np.arange(17) > 0)).all() and (reach > 0).all()
        inside = (weight > 0) & ((points > 4) & (points < 252)).all(axis=1)
        columns, rows = np.floor(points[inside]).astype(int).T
        found = 255 * pixels[:, rows, columns].T
        off = [np.abs(found - COLOURS[order[inside]]).max(axis=1) for order in (np.arange(17), np.array(flip))]
        right = min(off, key=np.sum)
        mirrored += right is off[1]
        hits += len(right)
        assert right.max() < 30
    assert 8 < mirrored < 32 and hits > 500


def test_chance_follows_seed_and_epoch_and_upright_means_the_trunk(dotted):
    dataset, root = dotted
    level = {**PLAIN, "degrees": 0, "fliplr": 0, "translate": 0.0, "scale": 0.0}

    def crops(around, seed=0, **changes):
        recipe = RECIPE.model_copy(update={**level, **changes})
        return Squares(dataset, root, recipe, size=(256, 256), focus="arch", around=around, seed=seed)

    shoulders, hips = (list(part) for part in dataset.skeleton.trunk)
    points = crops("upright")[0][1].numpy()
    across, up = points[shoulders].mean(0) - points[hips].mean(0)
    assert abs(across) < 1e-3 and up < 0
    one, same, other = crops("picture", degrees=90), crops("picture", degrees=90), crops("picture", 1, degrees=90)
    assert torch.equal(one[0][1], same[0][1]) and not torch.equal(one[0][1], other[0][1])
    same.epoch = 1
    assert not torch.equal(one[0][1], same[0][1])


def test_a_share_of_the_crops_begins_upright(dotted):
    dataset, root = dotted
    level = {**PLAIN, "fliplr": 0, "translate": 0.0, "scale": 0.0, "oversample_arch": 200, "degrees": 180}
    shoulders, hips = (list(part) for part in dataset.skeleton.trunk)
    near = {}
    for share in (0.0, 0.5, 1.0):
        options = RECIPE.blazepose.model_copy(update={"upright_share": share, "upright_degrees": 20.0})
        recipe = RECIPE.model_copy(update={**level, "blazepose": options})
        crops = Squares(dataset, root, recipe, size=(256, 256), focus="arch", around="picture", seed=0)
        trunks = [
            points[shoulders].mean(0) - points[hips].mean(0) for _, points, _, _ in (crops[i] for i in range(200))
        ]
        leans = np.degrees([np.arctan2(float(x), -float(y)) for x, y in trunks])
        near[share] = (np.abs(leans) < 20.5).mean()
    assert near[0.0] < 0.25 and 0.4 < near[0.5] < 0.7 and near[1.0] == 1


def test_a_patch_is_erased_as_often_as_asked(dotted):
    dataset, root = dotted
    level = {**PLAIN, "degrees": 0, "fliplr": 0, "translate": 0.0, "scale": 0.0, "oversample_arch": 60}

    def pictures(share):
        options = RECIPE.blazepose.model_copy(update={"erasing": share})
        recipe = RECIPE.model_copy(update={**level, "blazepose": options})
        crops = Squares(dataset, root, recipe, size=(256, 256), focus="arch", around="picture", seed=0)
        return [crops[index][0].numpy() for index in range(60)]

    whole = pictures(0.0)[0]
    changed = [(picture != whole).any(axis=0) for picture in pictures(0.5)]
    hit = [part.mean() for part in changed if part.any()]
    assert 15 < len(hit) < 45
    assert min(hit) > 0.1 * 0.1 and max(hit) < 0.35 * 0.36


def test_the_average_follows_as_far_as_it_is_told():
    network = torch.nn.Linear(1, 1, bias=False)
    averages = {decay: moving_average(network, decay) for decay in (0.5, 0.99)}
    for value, steps in ((0.0, 1000), (1.0, 50)):
        torch.nn.init.constant_(network.weight, value)
        for _ in range(steps):
            for average in averages.values():
                average.update_parameters(network)
    left = {decay: 1 - average.module.weight.item() for decay, average in averages.items()}
    assert left[0.5] < 1e-6 and left[0.99] == pytest.approx(0.99**50, rel=1e-3)


def test_colours_change_within_the_shares(dotted):
    dataset, root = dotted
    level = {"degrees": 0, "fliplr": 0, "translate": 0.0, "scale": 0.0}
    pictures = {}
    for name, values in {"plain": PLAIN, "hue": {**PLAIN, "hsv_h": 0.5}, "value": {**PLAIN, "hsv_v": 0.5}}.items():
        recipe = RECIPE.model_copy(update={**level, **values})
        crops = Squares(dataset, root, recipe, size=(256, 256), focus="arch", around="picture", seed=0)
        pictures[name] = crops[0][0].numpy()
    lightness = {name: picture.max(0).sum() for name, picture in pictures.items()}
    assert lightness["hue"] == pytest.approx(lightness["plain"], rel=0.02)
    assert np.abs(pictures["hue"] - pictures["plain"]).max() > 0.1
    assert 0.5 < lightness["value"] / lightness["plain"] < 1.5 and lightness["value"] != lightness["plain"]


def test_a_split_without_labels_no_weights_and_what_others_have_are_refused(stills, start, tmp_path):
    dataset, _ = stills
    empty = replace(dataset, frames=tuple(replace(frame, people=()) for frame in dataset.frames))
    with pytest.raises(BadInput, match="train"):
        train(stills, start, tmp_path, train=empty, val=dataset)
    with pytest.raises(BadInput, match=r"model\.weights"):
        train(stills, None, tmp_path)
    with pytest.raises(BadInput, match=r"train\.rtmpose\.half_body: is 0\.5, which blazepose would ignore"):
        train(stills, start, tmp_path, recipe=RECIPE.model_copy(update={"rtmpose": RtmposeRecipe(half_body=0.5)}))
    with pytest.raises(BadInput, match="'blazepose-full', not 'blazepose-heavy'"):
        train(stills, start, tmp_path, architecture="blazepose-heavy")
    with pytest.raises(BadInput, match=r"model\.architecture: is 'yolo'"):
        train(stills, start, tmp_path, architecture="yolo")


def spoilt(content, **about):
    return {**content, "fosbury": {**content["fosbury"], **about}}


CASES = {
    "no steps": lambda content: spoilt(content, steps=None),
    "steps of another network": lambda content: spoilt(content, steps=content["fosbury"]["steps"][:-1]),
    "no joints": lambda content: {**content, "state_dict": {"confidence.bias": torch.zeros(0)}},
    "no weights": lambda content: {**content, "state_dict": {}},
    "a weight less": lambda content: {**content, "state_dict": dict(list(content["state_dict"].items())[1:])},
    "another architecture": lambda content: spoilt(content, architecture=["blazepose-full"]),
    "another skeleton": lambda content: spoilt(content, skeleton={"joints": 3}),
}


@pytest.mark.parametrize("case", CASES)
def test_checkpoints_of_strangers_are_refused(case, start, tmp_path):
    path = tmp_path / "model.pt"
    torch.save(CASES[case](torch.load(start, weights_only=True)), path)
    with pytest.raises(BadInput, match=r"model\.pt"):
        load_model(path)


def test_a_checkpoint_of_another_backend_is_refused(start, tmp_path):
    path = tmp_path / "model.pt"
    torch.save(spoilt(torch.load(start, weights_only=True), kind="rtmpose"), path)
    with pytest.raises(BadInput, match="is no checkpoint of BlazePose"):
        blazepose.load_network(path)


@pytest.fixture(scope="module")
def flops(shared, skeletons) -> tuple[Dataset, Path]:
    dataset = read_coco(shared / "flops/annotations.json", skeletons["lsp14"])
    return dataset.where([index < 2 for index in range(len(dataset))]), shared / "flops/images"


@pytest.fixture(scope="module")
def untuned(shared, skeletons, tmp_path_factory) -> Path:
    pytest.importorskip("tflite", reason="needs the extra blazepose")
    path = tmp_path_factory.mktemp("untuned") / "model.pt"
    network = blazepose.start_network(shared / FULL, "blazepose-full", skeletons["lsp14"])
    blazepose.save_network(network, "blazepose-full", path, skeletons["lsp14"])
    return path


def test_a_checkpoint_that_nobody_trained_answers_as_the_file_it_came_from(shared, flops, untuned):
    """Without MediaPipe's heat map and its way of cutting, which ``fosbury evaluate --model FILE.tflite`` has."""
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    dataset, root = flops
    lite = interpreter.Interpreter(str(shared / FULL), num_threads=1)
    lite.allocate_tensors()
    model = load_model(untuned)
    for frame in dataset.frames:
        picture, crop = read_image(root / frame.file_name), SquareCrop.around(frame.boxes[0], (256, 256))
        lite.set_tensor(lite.get_input_details()[0]["index"], crop.warp(picture)[None].astype(np.float32) / 255)
        lite.invoke()
        answer = lite.get_tensor(lite.get_output_details()[0]["index"]).reshape(39, 5)
        landmarks = answer[:33, :2].astype(float)
        points = np.concatenate([landmarks, composed(landmarks)])
        theirs = crop.to_image(points[model.skeleton.match(JOINTS)])
        (mine,) = model.predict([picture], [frame.boxes])[0]
        assert np.abs(crop.points(mine.keypoints) - crop.points(theirs)).max() < 0.05  # rows of sums in half precision
        shoulder = 1 / (1 + np.exp(-answer[JOINTS.index("left_shoulder"), 3]))
        assert mine.confidence[dataset.skeleton.joints.index("left_shoulder")] == pytest.approx(shoulder, abs=1e-3)


def test_exported_files_answer_as_the_checkpoint_does(flops, untuned, tmp_path):
    dataset, root = flops
    files = tmp_path / "model.onnx", tmp_path / "model.mlpackage"
    export_model(backend_of(untuned).export_module(untuned, (64, 64)), files, "fp16")
    frames = dataset.where([True, False])
    own = predict_dataset(load_model(untuned), frames, root, boxes="labels")[0][0]
    side = (own.box[2:] - own.box[:2]).max() * 1.35
    for file, pixels, unsure in zip(files, (0.01, 2.0), (1e-3, 0.05), strict=True):  # the package has half precision
        model = load_model(file)
        assert model.needs_boxes and model.input_size == (256, 256) and model.licence == "Apache-2.0"
        assert model.skeleton.to_mapping() == dataset.skeleton.to_mapping()
        theirs = predict_dataset(model, frames, root, boxes="labels")[0][0]
        assert np.abs(own.keypoints - theirs.keypoints).max() < pixels / 256 * side
        assert np.abs(own.confidence - theirs.confidence).max() < unsure


def test_the_real_network_learns_from_a_few_photographs(shared, untuned, skeletons, tmp_path):
    dataset = read_coco(shared / "lspe/annotations.json", skeletons["lsp14"])
    few = dataset.where([index < 4 for index in range(len(dataset))])
    level = {**PLAIN, "degrees": 0, "fliplr": 0, "translate": 0.0, "scale": 0.0}
    recipe = Recipe(epochs=6, batch=2, image_size=256, lr0=1e-4, **level)
    path = train((few, shared / "lspe/images"), untuned, tmp_path, train=few, val=few, recipe=recipe)
    losses = [float(row["pose_loss"]) for row in curve(path.parent)]
    assert losses[-1] < 0.9 * losses[0]


def test_each_output_channel_moves_by_its_own_share_of_the_rate():
    parameter = torch.nn.Parameter(torch.tensor([[4.0, 4.0], [0.02, 0.02]]))
    group = {"params": [parameter], "channels": torch.tensor([[4.0], [0.02]])}
    optimizer = torch.optim.AdamW([group], lr=0.1, weight_decay=0.0)
    parameter.grad = torch.tensor([[1.0, -3.0], [1.0, -3.0]])
    blazepose.relative_step(optimizer)
    # The first step of Adam is the rate, against the sign of the gradient, whatever the gradient's size.
    torch.testing.assert_close(parameter.detach(), torch.tensor([[3.6, 4.4], [0.018, 0.022]]))
