"""Batch norms take the statistics of the pictures without a change of the function."""

import torch
from torch import nn

from fosbury.training.batch_norm import recompute_bn_stats


def network(seed=0):
    torch.manual_seed(seed)
    module = nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.SiLU(), nn.Conv2d(6, 4, 3), nn.BatchNorm2d(4)
    ).double()
    for layer in module:
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.uniform_(-2, 2)
            layer.running_var.uniform_(0.2, 5)
            nn.init.uniform_(layer.weight, -2, 2)
            nn.init.uniform_(layer.bias, -1, 1)
    return module


def test_the_function_stays_and_training_mode_agrees_with_it():
    module, batch = network(), torch.rand(8, 3, 16, 16, dtype=torch.float64)
    other = torch.rand(5, 3, 16, 16, dtype=torch.float64) * 3
    with torch.no_grad():
        before, elsewhere = module.eval()(batch), module(other)
        recompute_bn_stats(module, [batch])
        assert torch.allclose(module.eval()(batch), before, atol=1e-9)
        assert torch.allclose(module(other), elsewhere, atol=1e-9)
        assert torch.allclose(module.train()(batch), before, atol=1e-3)


def test_statistics_are_those_of_all_batches_together():
    module, batch = network(1), torch.rand(8, 3, 16, 16, dtype=torch.float64)
    parts = network(1)
    recompute_bn_stats(module, [batch])
    recompute_bn_stats(parts, [batch[:3], batch[3:]])
    for whole, split in zip(module.state_dict().values(), parts.state_dict().values(), strict=True):
        assert torch.allclose(whole.double(), split.double(), atol=1e-9)
    with torch.no_grad():
        seen = module[0](batch)
    assert torch.allclose(module[1].running_mean, seen.mean((0, 2, 3)), atol=1e-9)
    assert torch.allclose(module[1].running_var, seen.var((0, 2, 3), unbiased=False), atol=1e-9)


def test_a_channel_that_never_varies_and_a_norm_that_no_picture_reaches():
    module = network(2)
    recompute_bn_stats(module, [])
    assert all(
        torch.equal(a, b) for a, b in zip(module.state_dict().values(), network(2).state_dict().values(), strict=True)
    )
    grey = torch.full((2, 3, 16, 16), 0.4, dtype=torch.float64)
    with torch.no_grad():
        before = module.eval()(grey)
        recompute_bn_stats(module, [grey])
        assert torch.allclose(module.eval()(grey), before, atol=1e-9)
