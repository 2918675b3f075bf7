"""Networks of .tflite files in torch: the same answers as LiteRT gives, steps by hand, and files of strangers."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from fosbury.backends.tflite_network import Network, read_tflite, steps_of
from fosbury.errors import BadInput

CONV = {
    "kind": "conv",
    "inputs": [0],
    "channels": [3, 4],
    "kernel": [3, 3],
    "stride": [2, 2],
    "padding": [0, 1, 0, 1],
    "groups": 1,
    "activation": "relu6",
}


def real(shared, name):
    pytest.importorskip("tflite", reason="needs the extra blazepose")
    return shared / f"weights/blazepose_{name}.tflite"


@pytest.mark.parametrize("name", ["landmark_full", "landmark_heavy"])
def test_answers_are_those_of_litert(shared, name):
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    path = real(shared, name)
    network, size = read_tflite(path)
    assert size == (256, 256)
    lite = interpreter.Interpreter(str(path), num_threads=1)
    lite.allocate_tensors()
    picture = cv2.cvtColor(cv2.imread(str(min((shared / "flops/images").iterdir()))), cv2.COLOR_BGR2RGB)
    pixels = cv2.resize(picture, size).astype(np.float32) / 255
    lite.set_tensor(lite.get_input_details()[0]["index"], pixels[None])
    lite.invoke()
    theirs = lite.get_tensor(lite.get_output_details()[0]["index"])
    with torch.inference_mode():
        ours = network(torch.from_numpy(pixels.transpose(2, 0, 1)[None])).flatten(1).numpy()
    off = np.abs(ours - theirs).reshape(39, 5)
    assert off[:, :2].max() < 0.01
    assert off[:, 3:].max() < 0.001


def test_only_what_the_points_need_is_read(shared):
    """The rest, most of it segmentation, has enlargements, and the full network's points need none."""
    path = real(shared, "landmark_full")
    points, _ = read_tflite(path)
    mask, _ = read_tflite(path, output=2)
    kinds = [{step.kind for step in network.steps} for network in (points, mask)]
    assert kinds == [{"conv", "add", "max_pool"}, {"conv", "add", "resize"}]
    assert sum(value.numel() for value in points.parameters()) == 2_971_019
    with torch.inference_mode():
        assert mask(torch.zeros(1, 3, 256, 256)).shape == (1, 1, 256, 256)


@pytest.mark.parametrize("name", ["blazepose_detection", "movenet_lightning_int8"])
def test_networks_of_other_kinds_are_refused_by_what_they_use(shared, name):
    pytest.importorskip("tflite", reason="needs the extra blazepose")
    with pytest.raises(BadInput, match=rf"{name}\.tflite: uses quantised or sparse weights"):
        read_tflite(shared / f"weights/{name}.tflite")


def test_damaged_files_are_refused(shared, tmp_path):
    content = real(shared, "landmark_full").read_bytes()
    chance = np.random.default_rng(0)
    path = tmp_path / "cut.tflite"
    for length in (9, 100, 5000, len(content) // 2):
        path.write_bytes(content[:length])
        with pytest.raises(BadInput, match=r"cut\.tflite"):
            read_tflite(path)
    spoilt = bytearray(content)
    for place in chance.integers(0, 60_000, 2000):  # tables come first, the weights of the stem with them
        spoilt[place] = chance.integers(256)
    path.write_bytes(spoilt)
    with pytest.raises(BadInput, match=r"cut\.tflite"):
        read_tflite(path)


@pytest.mark.parametrize("content", [b"", b"version https://git-lfs.github.com/spec/v1\n", bytes(100), None])
def test_what_is_no_tflite_file_is_refused(content, tmp_path):
    pytest.importorskip("tflite", reason="needs the extra blazepose")
    path = tmp_path / "model.tflite"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInput, match=r"model\.tflite"):
        read_tflite(path)


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tflite", None)
    (tmp_path / "model.tflite").write_bytes(b"TFL3" * 9)
    with pytest.raises(BadInput, match="needs the package tflite; install it"):
        read_tflite(tmp_path / "model.tflite")


def built(*steps, size=(4, 4)):
    found, shape = steps_of(list(steps), "model.pt", size)
    return Network(found).eval(), shape


def test_padding_that_is_odd_is_where_tensorflow_has_it():
    network, shape = built(CONV)
    assert shape == (4, 2, 2)
    with torch.no_grad():
        network.layers["0"].conv.weight.fill_(1.0)
        network.layers["0"].conv.bias.zero_()
        answer = network(torch.arange(16.0).reshape(1, 1, 4, 4).expand(1, 3, 4, 4) / 100)
    # Windows of 3 x 3 whose first lies in the corner; right and bottom ones lose a column or a row.
    sums = np.array([[45, 39], [66, 50]]) * 3 / 100
    assert np.allclose(answer[0], sums[None], atol=1e-5)


def test_sums_pools_zeros_and_enlargements_by_hand():
    pool = {"kind": "max_pool", "inputs": [0], "kernel": [2, 2], "stride": [2, 2]}
    wider = {"kind": "widen", "inputs": [1], "channels": 2}
    large = {"kind": "resize", "inputs": [2], "factor": [2, 2]}
    twice = {"kind": "add", "inputs": [3, 3], "activation": "relu6"}
    network, shape = built(pool, wider, large, twice)
    assert shape == (5, 4, 4)
    answer = network(torch.arange(16.0).reshape(1, 1, 4, 4).repeat(1, 3, 1, 1) / 10)[0]
    row = np.array([0.5, 0.55, 0.65, 0.7])  # of maxima 0.5, 0.7 in the first row: centres at halves
    assert np.allclose(answer[0, 0], 2 * row, atol=1e-6)
    assert answer[3:].abs().max() == 0 and torch.equal(answer[0], answer[2])


@pytest.mark.parametrize(
    "steps",
    [
        None,
        {},
        [],
        [1],
        [{"kind": "conv"}],
        [{**CONV, "kind": "lstm"}],
        [{**CONV, "extra": 1}],
        [{**CONV, "inputs": [1]}],
        [{**CONV, "inputs": [-1]}],
        [{**CONV, "inputs": []}],
        [{**CONV, "channels": [4, 4]}],
        [{**CONV, "channels": [3, 1 << 40]}],
        [{**CONV, "groups": 2}],
        [{**CONV, "groups": 0}],
        [{**CONV, "stride": [0, 1]}],
        [{**CONV, "kernel": [9, 9]}],
        [{**CONV, "padding": [-1, 0, 0, 0]}],
        [{**CONV, "activation": "gelu"}],
        [CONV, {"kind": "add", "inputs": [0, 1], "activation": "none"}],
        [{"kind": "resize", "inputs": [index], "factor": [64, 64]} for index in range(4)],
        [{"kind": "widen", "inputs": [index], "channels": 65536} for index in range(20)],
    ],
)
def test_steps_that_are_no_network_are_refused(steps):
    with pytest.raises(BadInput, match=r"model\.pt"):
        steps_of(steps, "model.pt", (4, 4))


def test_a_network_that_would_never_end_is_refused():
    wide = {**CONV, "stride": [1, 1], "padding": [1, 1, 1, 1], "channels": [256, 256]}
    steps = [{**wide, "channels": [3, 256]}, *({**wide, "inputs": [index + 1]} for index in range(40))]
    steps_of(steps[:3], "model.pt", (256, 256))
    with pytest.raises(BadInput, match="too many steps"):
        steps_of(steps, "model.pt", (256, 256))


def test_frozen_convolutions_get_no_gradient():
    second = {**CONV, "inputs": [1], "channels": [4, 4]}
    network, _ = built(CONV, second)
    network.freeze(1)
    network(torch.rand(1, 3, 4, 4)).sum().backward()
    assert [value.grad is None for value in network.parameters()] == [True, True, False, False]
    network.freeze(0)
    assert all(value.requires_grad for value in network.parameters())
