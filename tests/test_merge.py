"""Merging sets: nothing shares a name by accident, and nothing is lost."""

from dataclasses import replace

import numpy as np
import pytest

from fosbury.dataset.merge import merge
from fosbury.errors import BadInput, BadInputs
from fosbury.pose import Dataset, Frame
from fosbury.skeleton import Skeleton

STICK = Skeleton("stick", ("hip", "neck"), ((0, 1),), (), np.array([0.1, 0.1]), (1,), (0,), ())


def clip(folder: str, video: str = "clip.mp4", count: int = 3, group: str | None = None) -> tuple[Frame, ...]:
    return tuple(
        Frame(f"{folder}/{index:06d}.jpg", 64, 48, video=video, frame=index, group=group) for index in range(count)
    )


def test_equal_video_names_of_two_sets_stay_two_groups():
    merged = merge({"a": Dataset(STICK, clip("f/a")), "b": Dataset(STICK, clip("f/b"))})
    assert {frame.unit for frame in merged.frames} == {"a/clip.mp4", "b/clip.mp4"}
    assert [frame.source for frame in merged.frames] == ["a"] * 3 + ["b"] * 3


@pytest.mark.parametrize("group", ["clip.mp4", "clip"])
def test_a_group_that_only_repeats_the_video_does_not_join_two_sets(group):
    sets = {name: Dataset(STICK, clip(f"f/{name}", group=group)) for name in "ab"}
    assert len({frame.unit for frame in merge(sets).frames}) == 2


def test_a_named_group_holds_across_sets():
    sets = {name: Dataset(STICK, clip(f"f/{name}", group="anna")) for name in "ab"}
    assert {frame.unit for frame in merge(sets).frames} == {"anna"}


def test_order_of_sets_and_frames_does_not_matter():
    a, b = clip("f/a"), clip("f/b")
    one = merge({"a": Dataset(STICK, a), "b": Dataset(STICK, b)})
    two = merge({"b": Dataset(STICK, b[::-1]), "a": Dataset(STICK, a[::-1])})
    assert [frame.file_name for frame in one.frames] == [frame.file_name for frame in two.frames]


def test_one_file_labelled_twice_is_named():
    stills = Dataset(STICK, (Frame("im1.jpg", 8, 8), Frame("im2.jpg", 8, 8)))
    with pytest.raises(BadInputs) as caught:
        merge({"a": stills, "b": stills})
    assert caught.value.problems == [f"im{i}.jpg is labelled in a and again in b" for i in (1, 2)]


@pytest.mark.parametrize(
    "other",
    [
        replace(STICK, joints=("neck", "hip")),
        replace(STICK, sigmas=np.array([0.1, 0.2])),
        replace(STICK, pairs=((0, 1),)),
        replace(STICK, joints=("hip", "neck", "head"), sigmas=np.full(3, 0.1)),
    ],
)
def test_another_skeleton_is_refused(other):
    with pytest.raises(BadInput, match="another skeleton"):
        merge({"a": Dataset(STICK), "b": Dataset(other)})


def test_nothing_to_merge_is_said():
    with pytest.raises(BadInput, match="no labelled set"):
        merge({})


def test_notes_name_their_set():
    assert merge({"a": Dataset(STICK, (), ("2 images dropped",))}).notes == ("a: 2 images dropped",)
