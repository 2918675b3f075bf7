"""Batch normalisation of weights that are to be fine-tuned."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn


def recompute_bn_stats(module: nn.Module, batches: Iterable[torch.Tensor]) -> None:
    """Give every batch norm the statistics of these pictures, and leave what the network computes as it is.

    Training normalises by the statistics of the batch, evaluation by the kept ones. Where the kept ones are far from
    the truth (weights rebuilt from a fused export, other pictures than those of pre-training), the first training step
    meets another function than the one that was measured. Scale and shift are set so that they cancel the change.

    Parameters
    ----------
    module : nn.Module
        Changed in place; left in evaluation mode.
    batches : iterable of Tensor, shape (B, 3, H, W)
        Inputs of the network.
    """
    norms: list[Any] = [layer for layer in module.modules() if isinstance(layer, nn.BatchNorm2d)]
    sums = {norm: torch.zeros(3, norm.num_features, dtype=torch.float64) for norm in norms}

    def watch(norm: nn.BatchNorm2d, inputs: tuple[torch.Tensor]) -> None:
        values = inputs[0].double().transpose(0, 1).flatten(1)
        count = torch.full((norm.num_features,), values.shape[1], dtype=torch.float64)
        sums[norm] += torch.stack([count, values.sum(1).cpu(), values.square().sum(1).cpu()])

    hooks = [norm.register_forward_pre_hook(watch) for norm in norms]
    module.eval()
    with torch.no_grad():
        for batch in batches:
            module(batch)
        for hook in hooks:
            hook.remove()
        for norm in norms:
            count, total, squares = sums[norm].to(norm.weight.device)
            if not count.all():
                continue
            mean = total / count
            variance = (squares / count - mean.square()).clamp_min(norm.eps)
            gain = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
            norm.bias.add_(gain * (mean - norm.running_mean))
            norm.weight.copy_(gain * (variance + norm.eps).sqrt())
            norm.running_mean.copy_(mean)
            norm.running_var.copy_(variance)
