"""Sets of which only boxes are known: learnt from where a teacher labels them, never measured on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from fosbury.errors import BadInput
from fosbury.pose import Dataset


def without_sets(dataset: Dataset, names: Sequence[str]) -> tuple[Dataset, Dataset]:
    """Part the frames of the named sets from the others.

    Parameters
    ----------
    dataset : Dataset
    names : sequence of str
        Of sets, as ``Frame.source`` has them.

    Returns
    -------
    others, named : Dataset

    Raises
    ------
    BadInput
        If no other set is left: then there is nothing to choose a checkpoint by, and nothing to measure.
    """
    named = [frame.source in names for frame in dataset.frames]
    if named and all(named):
        raise BadInput("data.unlabelled", "names every set that there is", "add a set with labels to validate on")
    return dataset.where(not each for each in named), replace(dataset.where(named), notes=())


def learnable(unlabelled: Dataset, splits: Mapping[str, Dataset]) -> Dataset:
    """Leave out frames whose clip or group is validated or tested on; the notes name these."""
    seen = {frame.unit for name, part in splits.items() if name != "train" for frame in part.frames}
    kept = unlabelled.where(frame.unit not in seen for frame in unlabelled.frames)
    left_out = sorted({frame.unit for frame in unlabelled.frames} & seen)
    notes: tuple[str, ...] = ()
    if left_out:
        notes = (
            f"clips and groups of sets without labels left out, for they are not trained on: {', '.join(left_out)}",
        )
    return replace(kept, notes=notes)


def joined(train: Dataset, unlabelled: Dataset) -> Dataset:
    """Add frames without labels to the training frames."""
    return replace(train, frames=train.frames + unlabelled.frames) if len(unlabelled) else train
