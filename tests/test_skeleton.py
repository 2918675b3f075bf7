"""Joints by name, sides that swap, and skeletons that are refused."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fosbury.errors import BadInput
from fosbury.skeleton import Skeleton, normalise

GOOD = {
    "name": "legs",
    "joints": ["left_hip", "right_hip", "left_knee", "right_knee", "nose"],
    "sigmas": {"left_hip": 0.1, "right_hip": 0.1, "left_knee": 0.09, "right_knee": 0.09, "nose": 0.03},
    "pairs": [["left_hip", "right_hip"], ["left_knee", "right_knee"]],
    "bones": [["left_hip", "left_knee"]],
    "trunk": {"shoulders": ["nose"], "hips": ["left_hip", "right_hip"]},
    "limbs": [["left_hip", "left_knee", 0.245]],
}


@pytest.mark.parametrize("name", ["body21", "coco17", "lsp14", "lowerbody10"])
class TestConfigured:
    def test_swapping_sides_twice_changes_nothing(self, skeletons, name):
        skeleton = skeletons[name]
        assert (skeleton.flip_index[skeleton.flip_index] == np.arange(len(skeleton))).all()

    def test_every_sided_joint_swaps_with_its_own_other_side(self, skeletons, name):
        skeleton = skeletons[name]
        other = {"left": "right", "right": "left"}
        expected = [re.sub("left|right", lambda m: other[m[0]], joint) for joint in skeleton.joints]
        assert [skeleton.joints[i] for i in skeleton.flip_index] == expected

    def test_has_as_many_joints_as_its_name_says(self, skeletons, name):
        assert len(skeletons[name]) == int(re.search(r"\d+", name)[0])
        assert skeletons[name].sigmas.shape == (len(skeletons[name]),)

    def test_limbs_have_winters_shares(self, skeletons, name):
        winter = {"elbow": 0.186, "wrist": 0.146, "knee": 0.245, "ankle": 0.246, "hip": 0.288}
        for limb in skeletons[name].limbs:
            end = skeletons[name].joints[limb.end].split("_")[-1]
            assert limb.share == winter[end]

    def test_bones_join_every_joint_to_another(self, skeletons, name):
        skeleton = skeletons[name]
        assert {end for bone in skeleton.bones for end in bone} == set(range(len(skeleton)))


def test_coco17_has_cocos_own_sigmas(skeletons):
    by_name = dict(zip(skeletons["coco17"].joints, skeletons["coco17"].sigmas, strict=True))
    assert by_name["nose"] == 0.026
    assert by_name["left_shoulder"] == 0.079
    assert by_name["right_hip"] == 0.107
    assert by_name["left_ankle"] == 0.089


def test_joints_match_by_name_whatever_the_case_spaces_and_dashes():
    skeleton = Skeleton.from_mapping(GOOD)
    places = skeleton.match(["NOSE", "Right-Hip", "left hip", "RightKnee", "tail"])
    assert places.tolist() == [2, 1, -1, 3, 0]


@given(st.text(), st.integers(0, 3), st.sampled_from([" ", "_", "-", "\t"]))
def test_names_that_differ_in_separators_and_case_are_the_same(name, place, separator):
    written = name[:place] + separator + name[place:]
    assert normalise(written) == normalise(name)
    assert normalise(normalise(name)) == normalise(name)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"joints": []}, "has no joints"),
        ({"joints": [*GOOD["joints"], "Left Hip"]}, "names joint 'Left Hip' twice"),
        ({"sigmas": {**GOOD["sigmas"], "nose": 0.0}}, "no positive OKS sigma for nose"),
        ({"sigmas": {**GOOD["sigmas"], "nose": float("nan")}}, "no positive OKS sigma for nose"),
        ({"sigmas": {}}, "no positive OKS sigma for left_hip, right_hip"),
        ({"pairs": [["left_hip", "right_foot"]]}, "'pairs' names unknown joint 'right_foot'"),
        ({"pairs": [["left_hip", "right_hip"], ["left_hip", "nose"]]}, "in two left/right pairs"),
        ({"bones": [["nose", "tail"]]}, "'bones' names unknown joint 'tail'"),
        ({"trunk": {"hips": ["waist"]}}, "'trunk.hips' names unknown joint 'waist'"),
        ({"limbs": [["nose", "tail", 0.2]]}, "'limbs' names unknown joint 'tail'"),
        ({"joints": "nose"}, "'joints' is 'nose'; write a list"),
        ({"joints": 17}, "'joints' is 17; write a list"),
        ({"sigmas": {**GOOD["sigmas"], "nose": "abc"}}, "'sigmas.nose' holds 'abc'; write a number"),
        ({"sigmas": {**GOOD["sigmas"], "nose": None}}, "'sigmas.nose' holds None"),
        ({"sigmas": {**GOOD["sigmas"], "nose": float("inf")}}, "no positive OKS sigma for nose"),
        ({"sigmas": [0.1, 0.1, 0.09, 0.09, 0.03]}, "'sigmas' is not a mapping"),
        ({"pairs": [["left_hip"]]}, "'pairs' holds ['left_hip']; write it as [left, right]"),
        ({"pairs": ["left_hip"]}, "'pairs' holds 'left_hip'"),
        ({"pairs": {"left_hip": "right_hip"}}, "'pairs' is {'left_hip': 'right_hip'}; write a list"),
        ({"bones": [["nose", "left_hip", "right_hip"]]}, "'bones' holds ['nose', 'left_hip', 'right_hip']"),
        ({"trunk": ["nose", "left_hip"]}, "'trunk' is not a mapping"),
        ({"trunk": {"shoulders": "nose"}}, "'trunk.shoulders' is 'nose'; write a list"),
        ({"limbs": [["left_hip", "left_knee"]]}, "'limbs' holds ['left_hip', 'left_knee']; write it as [joint, joint"),
        ({"limbs": [["left_hip", "left_knee", "long"]]}, "'limbs' holds 'long'; write a number"),
        ({"limbs": [["left_hip", "left_knee", 0]]}, "left_hip and left_knee with a share of 0"),
        ({"limbs": [["left_hip", "left_knee", -0.2]]}, "with a share of -0.2"),
        ({"limbs": [["left_hip", "left_knee", 24.5]]}, "with a share of 24.5"),
        ({"limbs": [["left_hip", "left_knee", float("nan")]]}, "with a share of nan"),
        ({"limbs": [["left_hip", "left_hip", 0.2]]}, "'limbs' joins left_hip and left_hip; name two joints"),
    ],
)
def test_a_wrong_skeleton_is_refused_and_named(change, problem):
    with pytest.raises(BadInput, match=re.escape(problem)) as caught:
        Skeleton.from_mapping({**GOOD, **change}, where="mine.yaml")
    assert str(caught.value).startswith("mine.yaml: ")


@pytest.mark.parametrize("mapping", [["nose"], "nose", None])
def test_what_is_no_mapping_is_no_skeleton(mapping):
    with pytest.raises(BadInput, match=r"mine.yaml: is not a mapping"):
        Skeleton.from_mapping(mapping, where="mine.yaml")
