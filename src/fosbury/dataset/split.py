"""Train, val and test: whole groups only, every phase in each, as near the ratios as whole groups allow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import numpy as np

from fosbury.errors import BadInput, BadInputs
from fosbury.pose import Dataset, Frame, phases_in

SPLITS = ("train", "val", "test")
FREE = -1
EXCHANGE_UNITS, SEARCH_UNITS = 200, 1000
STARTS = 2000
TOLERANCE = 1e-9


def split(
    dataset: Dataset, ratios: Mapping[str, float], assign: Mapping[str, str] | None = None, seed: int = 0
) -> dict[str, Dataset]:
    """Split a data set into train, val and test.

    Frames of one ``Frame.unit`` stay together. Among the ways to do so, a greedy assignment with local search
    looks for the one whose splits hold the asked share of all frames and of the frames of every phase. Where the
    largest group fits into every split, each split comes within that group's size of its share.

    Parameters
    ----------
    dataset : Dataset
        The order of its frames does not matter.
    ratios : mapping of str to float
        Share of the frames for ``train``, ``val`` and ``test``, together 1. A split of share 0 gets what
        ``assign`` gives it and nothing else.
    assign : mapping of str to str, optional
        Groups, clips (with or without set name and suffix), files or whole sets that are fixed to a split.
        Names of groups, clips and files go before names of sets.
    seed : int
        Decides between assignments that are equally good.

    Returns
    -------
    dict of str to Dataset
        ``train``, ``val`` and ``test``, each sorted by unit, frame index and file name.

    Raises
    ------
    BadInput
        If the ratios are not shares, a name in ``assign`` is unknown or contradicts another, or a split stays
        empty.
    """
    share = _shares(ratios)
    units = _units(dataset)
    fixed = _fixed(units, list(units), assign or {})
    _check_enough(share, fixed)
    return _parts(dataset, units, assign_units(_counts(units), share, fixed, seed))


def split_fold(
    dataset: Dataset,
    ratios: Mapping[str, float],
    *,
    folds: int,
    fold: int,
    assign: Mapping[str, str] | None = None,
    seed: int = 0,
) -> dict[str, Dataset]:
    """Split a data set for one fold of a grouped cross-validation.

    The groups are parted into as many test splits as there are folds, as near to equal as whole groups allow, in
    frames and in the frames of every phase; so over the folds every group is tested once. What this fold does not test
    is parted into train and val as ``split`` does it.

    Parameters
    ----------
    dataset : Dataset
        The order of its frames does not matter.
    ratios : mapping of str to float
        Of ``train`` and ``val`` only their proportion counts; ``test`` is one fold.
    folds : int
        At least 3, so that two groups are left for train and val whichever is tested.
    fold : int
        From 0 to ``folds`` - 1.
    assign : mapping of str to str, optional
        As for ``split``, to train or val: what is assigned is never tested.
    seed : int
        Decides between partitions that are equally good; one seed gives one partition for all folds.

    Returns
    -------
    dict of str to Dataset
        As of ``split``.

    Raises
    ------
    BadInput
        Where ``split`` raises it, if there are fewer groups than folds, or if ``assign`` names the test split.
    """
    learnt = ratios["train"] + ratios["val"] or 1.0
    share = _shares({"train": ratios["train"] / learnt, "val": ratios["val"] / learnt, "test": 0.0})
    units = _units(dataset)
    fixed = _fixed(units, list(units), assign or {})
    free = np.flatnonzero(fixed == FREE)
    if tested := sorted(name for name, where in (assign or {}).items() if where == "test"):
        hint = f"remove it (-S '~split.assign.{tested[0]}')"
        raise BadInput("split.assign", f"gives '{tested[0]}' to test, and each fold tests other groups", hint)
    if len(free) < folds:
        hint = f"choose at most {len(free)} folds, or label more clips"
        raise BadInput("split.folds", f"is {folds}, and there are {len(free)} groups to test", hint)
    counts = _counts(units)
    drawn = assign_units(counts[free], np.full(folds, 1 / folds), fixed[free], seed)
    fixed[free[drawn == fold]] = SPLITS.index("test")
    _check_enough(share, fixed)
    return _parts(dataset, units, assign_units(counts, share, fixed, seed))


def _units(dataset: Dataset) -> dict[str, list[Frame]]:
    """Gather the frames of each unit, by the name of the unit."""
    units: dict[str, list[Frame]] = defaultdict(list)
    for frame in dataset.frames:
        units[frame.unit].append(frame)
    if not units:
        raise BadInput("data set", "holds no labelled frame", "label a clip or import a set")
    return dict(sorted(units.items()))


def _counts(units: Mapping[str, Sequence[Frame]]) -> np.ndarray:
    """Frames of each phase in each unit, shape (U, P)."""
    there = phases_in(frame.phase for frames in units.values() for frame in frames)
    rows = {phase: row for row, phase in enumerate((*there, None))}
    counts = np.zeros((len(units), len(rows)))
    for index, frames in enumerate(units.values()):
        np.add.at(counts[index], [rows[frame.phase] for frame in frames], 1)
    return counts


def _parts(dataset: Dataset, units: Mapping[str, Sequence[Frame]], chosen: np.ndarray) -> dict[str, Dataset]:
    parts: dict[str, list[Frame]] = {name: [] for name in SPLITS}
    for frames, where in zip(units.values(), chosen, strict=True):
        parts[SPLITS[where]] += sorted(frames, key=lambda f: (f.video or "", f.frame or 0, f.file_name))
    return {name: replace(dataset, frames=tuple(frames), notes=()) for name, frames in parts.items()}


def draw_frames(train: Dataset, count: int | None, draw: int) -> Dataset:
    """Keep some of the training frames, as if no more had been labelled.

    Parameters
    ----------
    train : Dataset
    count : int or None
        How many; all if None.
    draw : int
        Which ones. Of one draw, fewer frames are always among the more.

    Returns
    -------
    Dataset
        Frames in their order.

    Raises
    ------
    BadInput
        If there are not so many.
    """
    if count is None:
        return train
    if count > len(train):
        raise BadInput("split.train_frames", f"is {count}, and there are {len(train)}", "choose no more than that")
    chosen = np.random.default_rng([draw, len(train)]).permutation(len(train))[:count]
    return train.where(np.isin(np.arange(len(train)), chosen))


@dataclass(frozen=True, eq=False)
class _Task:
    """What the search needs: U free units, S splits, P columns (the phases, then all frames).

    ``counts`` (U, P) frames of each unit; ``target`` (S, P) frames that the free units should bring; ``weight`` (S, P)
    of a squared deviation; ``open`` (S,) splits that may take units; ``occupied`` (S,) splits that already hold some.
    """

    counts: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    open: np.ndarray
    occupied: np.ndarray

    def excess(self, chosen: np.ndarray) -> np.ndarray:
        return np.array([self.counts[chosen == s].sum(axis=0) for s in range(len(self.target))]) - self.target

    def cost(self, chosen: np.ndarray) -> float:
        return float((self.weight * self.excess(chosen) ** 2).sum())

    def moves(self, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Change of cost when a unit leaves its split, shape (U,), and when it enters each one, shape (U, S)."""
        excess, counts = self.excess(chosen), self.counts
        leave = (self.weight[chosen] * counts * (counts - 2 * excess[chosen])).sum(axis=1)
        enter = [(w * counts * (counts + 2 * e)).sum(axis=1) for w, e in zip(self.weight, excess, strict=True)]
        return leave, np.stack(enter, axis=1)

    def may_leave(self, chosen: np.ndarray) -> np.ndarray:
        """Mask, shape (U,), of units whose split is not empty without them."""
        last = np.bincount(chosen, minlength=len(self.target)) <= 1
        return ~(last & ~self.occupied)[chosen]


def assign_units(counts: np.ndarray, share: np.ndarray, fixed: np.ndarray, seed: int) -> np.ndarray:
    """Choose a split for every unit.

    Parameters
    ----------
    counts : ndarray, shape (U, P)
        Frames of each phase in each unit.
    share : ndarray, shape (S,)
        Asked share of the frames.
    fixed : ndarray of int, shape (U,)
        The split a unit is bound to, -1 where it is free.
    seed : int

    Returns
    -------
    ndarray of int, shape (U,)
        Every split with a share above 0 holds at least one unit, if there are enough free units.
    """
    counts = np.column_stack([counts, counts.sum(axis=1)]).astype(float)
    free = np.flatnonzero(fixed == FREE)
    held = np.array([counts[fixed == s].sum(axis=0) for s in range(len(share))])
    task = _Task(
        counts=counts[free],
        target=_free_targets(counts, share, held, free),
        weight=1.0 / np.maximum(share[:, None] * counts.sum(axis=0), 1.0),
        open=share > 0,
        occupied=np.array([(fixed == s).any() for s in range(len(share))]),
    )
    rng = np.random.default_rng(seed)
    best, best_cost = np.zeros(len(free), dtype=int), np.inf
    for attempt in range(max(1, min(STARTS // max(len(free), 1), 50)) if len(free) <= EXCHANGE_UNITS else 1):
        chosen = _greedy(task, rng) if attempt == 0 else rng.choice(len(share), len(free), p=share / share.sum())
        _fill_empty(task, chosen)
        if len(free) <= SEARCH_UNITS:
            _search(task, chosen)
        _balance(task, chosen)
        cost = task.cost(chosen)
        if cost < best_cost - TOLERANCE:
            best, best_cost = chosen, cost
    result = fixed.copy()
    result[free] = best
    return result


def _free_targets(counts: np.ndarray, share: np.ndarray, held: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Frames, shape (S, P), that the free units should bring to each split beside what is bound to it."""
    wanted = np.maximum(share[:, None] * counts.sum(axis=0) - held, 0.0)
    total = wanted.sum(axis=0)
    scale = np.divide(counts[free].sum(axis=0), total, out=np.zeros_like(total), where=total > 0)
    return wanted * scale


def _greedy(task: _Task, rng: np.random.Generator) -> np.ndarray:
    """Largest unit first, each where it lowers the weighted squared distance from the target most."""
    chosen = np.zeros(len(task.counts), dtype=int)
    closed = np.where(task.open, 0.0, np.inf)
    short = task.target.copy()
    shuffled = rng.permutation(len(task.counts))
    for index in shuffled[np.argsort(-task.counts[shuffled, -1], kind="stable")]:
        unit = task.counts[index]
        change = (task.weight * unit * (unit - 2 * short)).sum(axis=1) + closed
        where = int(np.argmin(change))
        chosen[index] = where
        short[where] -= unit
    return chosen


def _fill_empty(task: _Task, chosen: np.ndarray) -> None:
    for where in np.flatnonzero(task.open & ~task.occupied):
        if len(chosen) and not (chosen == where).any():
            leave, enter = task.moves(chosen)
            change = np.where(task.may_leave(chosen), leave + enter[:, where], np.inf)
            chosen[int(np.argmin(change))] = where


def _search(task: _Task, chosen: np.ndarray) -> None:
    """Move one unit, or exchange two, as long as that brings the splits nearer to their targets."""
    for _ in range(10 * len(chosen)):
        leave, enter = task.moves(chosen)
        change = leave[:, None] + enter
        change[np.arange(len(chosen)), chosen] = 0.0
        change[:, ~task.open] = np.inf
        change[~task.may_leave(chosen)] = np.inf
        unit, where = np.unravel_index(int(np.argmin(change)), change.shape)
        if change[unit, where] < -TOLERANCE:
            chosen[unit] = where
        elif len(chosen) > EXCHANGE_UNITS or not _exchange(task, chosen, leave, enter):
            return


def _exchange(task: _Task, chosen: np.ndarray, leave: np.ndarray, enter: np.ndarray) -> bool:
    """Make the best exchange of two units, if one helps."""
    alone = leave[:, None] + enter[:, chosen]
    cross = np.stack([(task.counts * w) @ task.counts.T for w in task.weight])
    here = cross[chosen[:, None], np.arange(len(chosen))[:, None], np.arange(len(chosen))[None, :]]
    change = alone + alone.T - 2 * (here + here.T)
    change[chosen[:, None] == chosen[None, :]] = 0.0
    first, second = np.unravel_index(int(np.argmin(change)), change.shape)
    if change[first, second] >= -TOLERANCE:
        return False
    chosen[first], chosen[second] = chosen[second], chosen[first]
    return True


def _balance(task: _Task, chosen: np.ndarray) -> None:
    """Bring every split within the largest unit of its target in frames, whatever the phases say."""
    for _ in range(len(chosen)):
        frames = task.excess(chosen)[:, -1]
        most = int(np.argmax(np.where(task.open, frames, -np.inf)))
        least = int(np.argmin(np.where(task.open, frames, np.inf)))
        movable = (chosen == most) & task.may_leave(chosen)
        if max(frames[most], -frames[least]) <= task.counts[:, -1].max() or not movable.any():
            return
        leave, enter = task.moves(chosen)
        chosen[int(np.argmin(np.where(movable, leave + enter[:, least], np.inf)))] = least


def _shares(ratios: Mapping[str, float]) -> np.ndarray:
    if unknown := sorted(set(ratios) - set(SPLITS)):
        raise BadInput(f"split.{unknown[0]}", "is no split", f"use {', '.join(SPLITS)}")
    share = np.array([float(ratios.get(name, 0.0)) for name in SPLITS])
    if not np.isfinite(share).all() or (share < 0).any() or abs(share.sum() - 1.0) > 1e-6:
        given = ", ".join(f"{name} {value:g}" for name, value in zip(SPLITS, share, strict=True))
        raise BadInput("split", f"the shares {given} do not add up to 1", "give shares from 0 to 1 that do")
    return share


def _fixed(units: Mapping[str, Sequence[Frame]], names: Sequence[str], assign: Mapping[str, str]) -> np.ndarray:
    if wrong := sorted(key for key, where in assign.items() if where not in SPLITS):
        problems = [f"'{key}' is given to '{assign[key]}'" for key in wrong]
        raise BadInputs("split.assign", problems, f"give it to one of {', '.join(SPLITS)}")
    used: set[str] = set()
    problems = []
    fixed = np.full(len(names), FREE)
    for index, name in enumerate(names):
        near, sets = _keys(name, units[name])
        for keys in (near, sets):
            hits = sorted(keys & set(assign))
            used |= set(hits)
            places = sorted({assign[key] for key in hits})
            if not places or fixed[index] != FREE:
                continue
            fixed[index] = SPLITS.index(places[0])
            if len(places) > 1:
                problems.append(f"{name} would go to {' and '.join(places)} ({', '.join(hits)})")
    problems += [f"no group, clip, file or set is called '{key}'" for key in sorted(set(assign) - used)]
    if problems:
        raise BadInputs("split.assign", problems, "correct the names in split.assign")
    return fixed


def _keys(unit: str, frames: Sequence[Frame]) -> tuple[set[str], set[str]]:
    """Names by which ``assign`` may mean a unit: its own and its clips' and files', then its sets."""
    near = {unit}
    for frame in frames:
        near.add(frame.file_name)
        if frame.video:
            clip = PurePosixPath(frame.video)
            near |= {frame.video, clip.name, clip.stem, str(clip.with_suffix(""))}
    return near, {frame.source for frame in frames if frame.source}


def _check_enough(share: np.ndarray, fixed: np.ndarray) -> None:
    occupied = np.array([(fixed == s).any() for s in range(len(share))])
    free = int((fixed == FREE).sum())
    for where, name in enumerate(SPLITS):
        if share[where] <= 0 and not occupied[where]:
            raise BadInput(
                f"split.{name}",
                "is 0 and nothing is assigned to it",
                "give it a share, or a clip in split.assign",
            )
    needed = [name for where, name in enumerate(SPLITS) if not occupied[where]]
    if free < len(needed):
        groups = "1 group is" if free == 1 else f"{free} groups are"
        raise BadInput(
            "split",
            f"{groups} left for {len(needed)} empty splits ({', '.join(needed)}), as no group is ever parted",
            f"label another clip, or give {needed[-1]} one in split.assign",
        )
    if free and not (share > 0).any():
        raise BadInput("split", "has no split for the groups that are not assigned", "give a split a share")
