"""Splitting: a partition by whole groups, near its shares, and the same whatever the order of the frames."""

from collections import Counter
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from counting import calls
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fosbury.dataset.split import SPLITS, assign_units, split, split_fold
from fosbury.errors import BadInput, BadInputs
from fosbury.pose import PHASES, Dataset, Frame
from fosbury.skeleton import Skeleton

STICK = Skeleton("stick", ("hip", "neck"), ((0, 1),), (), np.array([0.1, 0.1]), (1,), (0,), ())
RATIOS = {"train": 0.7, "val": 0.15, "test": 0.15}


def frames_of(video: str, phases, source: str = "a") -> list[Frame]:
    return [
        Frame(f"{source}/{video}/{i:06d}.jpg", 8, 8, video=f"{source}/{video}.mp4", frame=i, phase=p, source=source)
        for i, p in enumerate(phases)
    ]


def names(parts) -> dict[str, list[str]]:
    return {name: [frame.file_name for frame in part.frames] for name, part in parts.items()}


clips = st.lists(st.lists(st.sampled_from([*PHASES, None]), min_size=1, max_size=30), min_size=3, max_size=40).map(
    lambda lists: [f for i, phases in enumerate(lists) for f in frames_of(f"c{i:02d}", phases)]
)


@settings(max_examples=60, deadline=None)
@given(frames=clips, seed=st.integers(0, 5), data=st.data())
def test_partition_by_whole_units_whatever_the_order(frames, seed, data):
    shuffled = data.draw(st.permutations(frames))
    parts = split(Dataset(STICK, tuple(frames)), RATIOS, seed=seed)
    assert tuple(parts) == SPLITS
    assert sorted(n for part in names(parts).values() for n in part) == sorted(f.file_name for f in frames)
    units = [{f.unit for f in part.frames} for part in parts.values()]
    assert all(units)
    assert not (units[0] & units[1] or units[0] & units[2] or units[1] & units[2])
    assert names(split(Dataset(STICK, tuple(shuffled)), RATIOS, seed=seed)) == names(parts)


@settings(max_examples=60, deadline=None)
@given(frames=clips, val=st.floats(0.1, 0.4), test=st.floats(0.1, 0.4))
def test_shares_within_the_largest_group_where_it_fits(frames, val, test):
    ratios = {"train": 1 - val - test, "val": val, "test": test}
    largest = max(Counter(f.unit for f in frames).values())
    if min(ratios.values()) * len(frames) < largest:
        return
    parts = split(Dataset(STICK, tuple(frames)), ratios)
    for name in SPLITS:
        assert abs(len(parts[name]) - ratios[name] * len(frames)) <= largest + 1e-6


def test_phases_are_spread():
    frames = [f for i in range(20) for f in frames_of(f"c{i:02d}", ["arch"] * 10 if i < 10 else ["approach"] * 10)]
    parts = split(Dataset(STICK, tuple(frames)), {"train": 0.6, "val": 0.2, "test": 0.2})
    counted = {name: Counter(f.phase for f in part.frames) for name, part in parts.items()}
    assert counted == {
        "train": {"arch": 60, "approach": 60},
        "val": {"arch": 20, "approach": 20},
        "test": {"arch": 20, "approach": 20},
    }


def test_the_best_of_all_assignments_is_found_for_few_clips():
    rng = np.random.default_rng(3)
    counts = rng.integers(0, 20, (7, 2))
    share = np.array([0.6, 0.2, 0.2])
    both = np.column_stack([counts, counts.sum(axis=1)])
    target = share[:, None] * both.sum(axis=0)

    def cost(chosen):
        held = np.array([both[chosen == s].sum(axis=0) for s in range(3)])
        return ((held - target) ** 2 / target).sum()

    every = [np.array([(n // 3**k) % 3 for k in range(7)]) for n in range(3**7)]
    best = min(cost(chosen) for chosen in every if len(set(chosen)) == 3)
    assert cost(assign_units(counts, share, np.full(7, -1), 0)) == pytest.approx(best)


def test_a_seed_gives_one_split_and_another_gives_another():
    data = Dataset(STICK, tuple(Frame(f"im{i:03d}.jpg", 8, 8, phase="arch") for i in range(100)))
    assert names(split(data, RATIOS, seed=1)) == names(split(data, RATIOS, seed=1))
    assert names(split(data, RATIOS, seed=1)) != names(split(data, RATIOS, seed=2))


def some_stills(count: int) -> Dataset:
    phases = np.random.default_rng(0).choice(["arch", "approach", None], count, p=[0.2, 0.7, 0.1])
    return Dataset(STICK, tuple(Frame(f"im{i:05d}.jpg", 8, 8, phase=p) for i, p in enumerate(phases)))


def test_four_times_the_stills_take_about_four_times_the_steps():
    few, many = (calls(partial(split, some_stills(count), RATIOS)) for count in (1000, 4000))
    assert many < 5 * few


def test_twenty_thousand_stills_keep_the_shares():
    parts = split(some_stills(20_000), RATIOS)
    assert [len(part) for part in parts.values()] == pytest.approx([14_000, 3_000, 3_000], abs=3)
    arches = [sum(f.phase == "arch" for f in part.frames) for part in parts.values()]
    assert np.array(arches) / sum(arches) == pytest.approx([0.7, 0.15, 0.15], abs=1e-3)


def test_assigned_clips_and_sets_stay_where_they_are_put():
    flops = [Frame(f"b/im{i}.jpg", 8, 8, source="flops", phase="arch") for i in range(5)]
    frames = [f for i in range(8) for f in frames_of(f"c{i}", ["approach"] * 5)] + flops
    ratios = {"train": 0.8, "val": 0.2, "test": 0.0}
    parts = split(Dataset(STICK, tuple(frames)), ratios, {"flops": "test", "c3": "val", "b/im4.jpg": "train"})
    assert names(parts)["test"] == [f"b/im{i}.jpg" for i in range(4)]
    assert "b/im4.jpg" in names(parts)["train"]
    assert "a/c3.mp4" in {f.video for f in parts["val"].frames}
    assert len(parts["val"]) == 10


def test_what_is_assigned_counts_towards_the_share():
    frames = [f for i in range(10) for f in frames_of(f"c{i}", ["approach"] * 4)]
    parts = split(Dataset(STICK, tuple(frames)), {"train": 0.6, "val": 0.2, "test": 0.2}, {"c0": "test", "c1": "test"})
    assert {f.video for f in parts["test"].frames} == {"a/c0.mp4", "a/c1.mp4"}
    assert len(parts["train"]) == 24


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_groups_are_refused_with_the_mend(count):
    frames = [f for i in range(count) for f in frames_of(f"c{i}", ["arch"] * 50)]
    with pytest.raises(BadInput, match=r"label another clip, or give test one in split\.assign"):
        split(Dataset(STICK, tuple(frames)), RATIOS)


def test_everything_assigned_to_two_splits_leaves_the_third_empty():
    frames = [f for i in range(4) for f in frames_of(f"c{i}", ["arch"])]
    with pytest.raises(BadInput, match=r"empty splits \(test\)"):
        split(Dataset(STICK, tuple(frames)), RATIOS, {"c0": "train", "c1": "val", "c2": "train", "c3": "val"})


def test_a_share_of_zero_needs_an_assignment():
    frames = [f for i in range(4) for f in frames_of(f"c{i}", ["arch"])]
    with pytest.raises(BadInput, match=r"split\.test: is 0 and nothing is assigned"):
        split(Dataset(STICK, tuple(frames)), {"train": 0.8, "val": 0.2, "test": 0.0})


@pytest.mark.parametrize(
    "ratios",
    [
        {"train": 0.8, "val": 0.1, "test": 0.2},
        {"train": 1.2, "val": -0.1, "test": -0.1},
        {"train": float("nan"), "val": 0.5, "test": 0.5},
        {"train": 0.8, "val": 0.1, "tset": 0.1},
    ],
)
def test_shares_that_are_none_are_refused(ratios):
    with pytest.raises(BadInput):
        split(Dataset(STICK, tuple(frames_of("c", ["arch"]))), ratios)


def test_assignments_are_checked_all_at_once():
    frames = frames_of("c0", ["arch"]) + frames_of("c1", ["arch"])
    frames += [Frame(f"{s}.jpg", 8, 8, group="anna", source=s) for s in "bc"]
    with pytest.raises(BadInputs) as caught:
        split(Dataset(STICK, tuple(frames)), RATIOS, {"b": "train", "c": "test", "nobody": "val"})
    assert caught.value.problems == [
        "anna would go to test and train (b, c)",
        "no group, clip, file or set is called 'nobody'",
    ]
    with pytest.raises(BadInputs, match="'c0' is given to 'valid'"):
        split(Dataset(STICK, tuple(frames)), RATIOS, {"c0": "valid"})


def test_no_frames_are_refused():
    with pytest.raises(BadInput, match="no labelled frame"):
        split(Dataset(STICK), RATIOS)


grouped = st.lists(
    st.tuples(st.integers(1, 12), st.sampled_from([*PHASES, None]), st.integers(0, 30)), min_size=6, max_size=16
).map(
    lambda clips: [
        replace(frame, group=f"athlete{athlete}" if athlete < 10 else None)
        for number, (count, phase, athlete) in enumerate(clips)
        for frame in frames_of(f"c{number:02d}", [phase] * count)
    ]
)


@settings(max_examples=30, deadline=None)
@given(frames=grouped, folds=st.integers(3, 6), seed=st.integers(0, 3), data=st.data())
def test_over_the_folds_every_group_is_tested_once(frames, folds, seed, data):
    units = {frame.unit for frame in frames}
    assume(len(units) >= folds)
    tested = []
    for fold in range(folds):
        parts = split_fold(Dataset(STICK, tuple(frames)), RATIOS, folds=folds, fold=fold, seed=seed)
        assert sorted(n for part in names(parts).values() for n in part) == sorted(f.file_name for f in frames)
        held = [{frame.unit for frame in part.frames} for part in parts.values()]
        assert all(held)
        assert sum(map(len, held)) == len(units), "a group is parted"
        tested += sorted(held[2])
    assert sorted(tested) == sorted(units)
    shuffled = Dataset(STICK, tuple(data.draw(st.permutations(frames))))
    assert names(split_fold(shuffled, RATIOS, folds=folds, fold=folds - 1, seed=seed)) == names(parts)


def test_folds_are_alike_and_validation_keeps_its_proportion():
    frames = [f for i in range(20) for f in frames_of(f"c{i:02d}", ["arch"] * 4 + ["approach"] * 6)]
    for fold in range(5):
        parts = split_fold(Dataset(STICK, tuple(frames)), RATIOS, folds=5, fold=fold)
        assert [len(part) for part in parts.values()] == [130, 30, 40]  # 14 and 2.8 clips of 16 x 0.7 / 0.85


def test_what_is_assigned_is_learnt_from_in_every_fold():
    frames = [f for i in range(8) for f in frames_of(f"c{i}", ["arch"] * 5)]
    tested = set()
    for fold in range(3):
        parts = split_fold(Dataset(STICK, tuple(frames)), RATIOS, folds=3, fold=fold, assign={"c0": "train"})
        assert "a/c0.mp4" in {f.video for f in parts["train"].frames}
        tested |= {f.video for f in parts["test"].frames}
    assert tested == {f"a/c{i}.mp4" for i in range(1, 8)}


@pytest.mark.parametrize(
    ("count", "assign", "said"),
    [
        (4, {}, r"split\.folds: is 5, and there are 4 groups to test; choose at most 4 folds"),
        (8, {"c0": "test"}, r"gives 'c0' to test.*remove it"),
        (8, {f"c{i}": "train" for i in range(5)}, r"is 5, and there are 3 groups to test"),
    ],
)
def test_folds_that_cannot_be_are_refused(count, assign, said):
    frames = [f for i in range(count) for f in frames_of(f"c{i}", ["arch"] * 5)]
    with pytest.raises(BadInput, match=said):
        split_fold(Dataset(STICK, tuple(frames)), RATIOS, folds=5, fold=0, assign=assign)
