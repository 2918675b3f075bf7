"""Which pictures an epoch shows, and how often."""

from __future__ import annotations

from dataclasses import replace

from fosbury.pose import FOCUS, Dataset
from fosbury.training.job import TrainingJob
from fosbury.training.upright_crops import upright_crops


def focus_repeats(dataset: Dataset, times: int, focus: str = FOCUS) -> dict[str, int]:
    """How often each frame is shown in an epoch.

    Parameters
    ----------
    dataset : Dataset
    times : int
        For frames of the phase of interest; every other frame is shown once.
    focus : str
        The phase of interest.

    Returns
    -------
    dict of str to int
        By ``file_name``.
    """
    return {frame.file_name: times if frame.phase == focus else 1 for frame in dataset.frames}


def shown_frames(job: TrainingJob) -> Dataset:
    """Choose what an epoch shows: the training frames, and upright crops of them where the recipe asks for these."""
    if not job.recipe.upright_crops:
        return job.train
    crops = upright_crops(job.train, job.root, job.work / "crops", job.seed)
    return replace(job.train, frames=job.train.frames + crops.frames)
