"""The learning rate over a training, and the moving average of the weights that is measured and kept."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from fosbury.recipe import Recipe

EMA_DECAY, EMA_RAMP = 0.9998, 500.0  # MMPose's momentum of 0.0002, from 1 falling to it: 0.37 after 500 steps


def learning_rate(recipe: Recipe, epoch: float) -> float:
    """Learning rate at a moment: a linear start, then a cosine from ``lr0`` to ``lr0 * lrf``.

    Parameters
    ----------
    recipe : Recipe
    epoch : float
        Epochs that have gone by.
    """
    cosine = recipe.lrf + (1 - recipe.lrf) * (1 + np.cos(np.pi * min(1.0, epoch / recipe.epochs))) / 2
    return float(recipe.lr0 * cosine * min(1.0, (epoch + 1e-3) / max(recipe.warmup_epochs, 1e-3)))


def moving_average(network: nn.Module, decay: float | None = None) -> Any:
    """Return a copy of a network that follows its weights as ``update_parameters`` is called after each step.

    Parameters
    ----------
    network : nn.Module
    decay : float, optional
        Share of the average that a step leaves, reached by (1 + n) / (10 + n) after n steps; MMPose's ramp without it.
    """
    return AveragedModel(network, avg_fn=_ema if decay is None else partial(_ema_to, decay), use_buffers=True)


def _ema_to(decay: float, average: torch.Tensor, value: torch.Tensor, updates: Any) -> torch.Tensor:
    kept = torch.clamp((1.0 + updates) / (10.0 + updates), max=decay)
    return average + (value - average) * (1 - kept).to(value.dtype) if value.is_floating_point() else value


def _ema(average: torch.Tensor, value: torch.Tensor, updates: Any) -> torch.Tensor:
    decay = EMA_DECAY * (1 - torch.exp(-updates / EMA_RAMP))
    return average + (value - average) * (1 - decay).to(value.dtype) if value.is_floating_point() else value
