"""A small random pose network, and where the real weights are: shared by the tests of exported files."""

import functools

import numpy as np
import torch

from fosbury.inference.metadata import ExportModule, ModelMetadata

SIZE = (64, 96)


@functools.cache
def tiny(joints=17, size=SIZE):
    """YOLO11n-pose with random weights, in export mode, and an example of its input."""
    from ultralytics.nn.tasks import PoseModel

    torch.manual_seed(0)
    network = PoseModel("yolo11n-pose.yaml", nc=1, data_kpt_shape=(joints, 3), verbose=False)
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.uniform_(-0.2, 0.2)
            layer.running_var.uniform_(0.5, 1.5)
    return exportable(network, size)


def module(skeleton, licence="AGPL-3.0", temperature=None, network=None):
    """What the functions that write exported files take: ``tiny``, or another network and its example."""
    metadata = ModelMetadata(skeleton, licence, temperature=temperature)
    return ExportModule(*(network or tiny(len(skeleton))), metadata)


def exportable(network, size):
    network = network.float().eval().fuse(verbose=False)
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    head = network.model[-1]
    head.export, head.dynamic, head.format, head.shape = True, False, "onnx", None
    example = torch.zeros(1, 3, *size)
    with torch.no_grad():
        network(example)
    return network, example


def forward(network, batch):
    with torch.inference_mode():
        return network(torch.from_numpy(batch)).numpy()


def noise(size=SIZE, seed=0):
    return np.random.default_rng(seed).random((1, 3, *size), dtype=np.float32)
