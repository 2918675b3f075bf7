"""The vote: what most turned views agree on wins, at a cost that is counted, with a doubt that is calibrated."""

import zlib
from dataclasses import replace

import cv2
import numpy as np
import pytest

from fosbury.formats.predictions import read_predictions, write_predictions
from fosbury.inference.boxes import search
from fosbury.inference.joints import poses_in
from fosbury.inference.predict import predict_dataset
from fosbury.inference.protocol import PoseModel
from fosbury.inference.refine import TURN
from fosbury.inference.registry import load_model
from fosbury.inference.vote import SHARPEST, Ballot, Vote, dissent, elect, expected_error, weights
from fosbury.pose import Dataset, Frame, Pose
from fosbury.refinement import Refinement, VoteSettings
from fosbury.skeleton import Skeleton

TALL = Skeleton.from_mapping(
    {
        "name": "tall",
        "joints": ["shoulder", "hip", "left_hand", "right_hand"],
        "sigmas": dict.fromkeys(["shoulder", "hip", "left_hand", "right_hand"], 0.05),
        "trunk": {"shoulders": ["shoulder"], "hips": ["hip"]},
        "limbs": [["shoulder", "hip", 0.288], ["shoulder", "left_hand", 0.33], ["shoulder", "right_hand", 0.33]],
    }
)
ENDS = replace(TALL, joints=TALL.joints[:2], sigmas=TALL.sigmas[:2], limbs=TALL.limbs[:1])
DOT = Skeleton.from_mapping({"name": "dot", "joints": ["dot"], "sigmas": {"dot": 0.05}})
RED, BLUE = (255, 0, 0), (0, 0, 255)


def with_hands(shoulder, hip):
    """Hands stretched out to both sides, a third of the trunk away from its middle."""
    middle, trunk = (shoulder + hip) / 2, shoulder - hip
    side = np.array([-trunk[1], trunk[0]]) / 3
    return np.array([shoulder, hip, middle - side, middle + side])


class Unsteady:
    """Sees who leans by less than 65 degrees as she is; of anyone else it tells another pose for every picture."""

    skeleton, licence, input_size, needs_boxes, temperature = TALL, "none", (64, 64), False, None

    def __init__(self, off=0.0):
        self.off, self.calls, self.seen, self.boxes = off, [], [], []

    def predict(self, images, boxes=None):
        self.calls.append(len(images))
        self.seen += [image.copy() for image in images]
        self.boxes += list(boxes or [])
        return [[pose] if (pose := self.find(image)) else [] for image in images]

    def find(self, image):
        ends = [self.middle(image, colour) for colour in (RED, BLUE)]
        if any(end is None for end in ends):
            return None
        (shoulder, hip), middle = ends, np.mean(ends, axis=0)
        trunk = shoulder - hip
        lean = np.arctan2(trunk[0], -trunk[1])
        if abs(lean) > np.radians(65):
            lean += np.random.default_rng(zlib.crc32(image.tobytes())).uniform(0.7, 5.5)
            half = np.hypot(*trunk) / 2 * np.array([np.sin(lean), -np.cos(lean)])
            shoulder, hip = middle + half, middle - half
        reach = np.array(ends)
        box = np.concatenate([reach.min(0) - 15, reach.max(0) + 15])
        return Pose(with_hands(shoulder, hip) + self.off, np.full(4, 0.9), box, 0.8)

    @staticmethod
    def middle(image, colour):
        rows, columns = np.nonzero((np.abs(image.astype(int) - colour) < 90).all(axis=-1))
        return np.array([columns.mean() + 0.5, rows.mean() + 0.5]) if len(rows) else None


def leaning(degrees, size=(300, 400), length=120, dot=12):
    lean = np.radians(degrees)
    centre, half = np.array(size[::-1]) / 2, length / 2 * np.array([np.sin(lean), -np.cos(lean)])
    image = np.zeros((*size, 3), np.uint8)
    truth = np.array([centre + half, centre - half])
    for point, colour in zip(truth, (RED, BLUE), strict=True):
        cv2.circle(image, np.round(point - 0.5).astype(int).tolist(), dot, colour, -1)
    return image, with_hands(*truth)


def pose(*points, confidence=1.0, score=1.0):
    keypoints = np.array(points, dtype=float)
    return Pose(keypoints, np.full(len(keypoints), confidence), np.zeros(4), score)


BOX = np.array([0.0, 0, 100, 200])
UP = [(40, 20), (60, 180)]


def test_the_pose_that_most_agree_on_wins_and_what_is_far_has_no_part_in_it():
    near = pose((44, 20), (64, 180), confidence=0.5, score=0.4)  # 4 px: 0.02 sides of the box
    ballot = Ballot(BOX, (pose((40, 180), (60, 20)), pose(*UP), pose(*UP), near, pose((0, 100), (100, 100))), ENDS)
    weight = weights(ballot, 0.08)
    share = np.exp(-0.02 / 0.04)
    assert weight == pytest.approx(np.array([0, 1, 1, share, 0]) / (2 + share))
    found = elect(ballot, 0.08)
    assert found.keypoints[:, 0] == pytest.approx(np.array([40, 60]) + 4 * share / (2 + share))
    assert found.keypoints[:, 1] == pytest.approx([20, 180])
    assert found.confidence == pytest.approx((2 + 0.5 * share) / (2 + share))
    assert found.score == pytest.approx((2 + 0.4 * share) / (2 + share))
    assert found.box.tolist() == BOX.tolist()


def test_of_poses_that_agree_alike_the_one_that_fills_the_persons_box_wins():
    outside = pose((300, 20), (300, 180))
    tall, small = pose((10, 10), (90, 190)), pose((40, 90), (60, 110))
    for other in (outside, small):
        weight = weights(Ballot(BOX, (other, other, tall, tall), ENDS), 0.08)
        assert weight.tolist() == [0, 0, 0.5, 0.5]


def test_a_joint_that_some_views_have_is_the_mean_of_those_and_one_that_none_has_is_absent():
    nan = (np.nan, np.nan)
    ballot = Ballot(BOX, (pose((50, 20), (50, 180), nan, nan), pose((50, 20), nan, nan, nan)), TALL)
    found = elect(ballot, 0.08)
    assert found.keypoints[:2].tolist() == [[50, 20], [50, 180]]
    assert np.isnan(found.keypoints[2:]).all() and np.isnan(found.doubt[2:]).all()
    assert weights(Ballot(BOX, (pose(nan, nan), pose(nan, nan)), ENDS), 0.1).sum() == pytest.approx(1)


def test_it_is_a_model_that_says_what_the_wrapped_one_says():
    model = load_like(Unsteady())
    assert isinstance(model, PoseModel)
    assert (model.skeleton, model.input_size, model.licence, model.needs_boxes) == (TALL, (64, 64), "none", False)


def load_like(model, **settings):
    return Vote(model, 1.5, VoteSettings(**{"views": 12, "rounds": 2} | settings))


@pytest.mark.parametrize("degrees", [0, 40, 90, -120, 155, 180])
def test_a_network_that_errs_differently_in_each_view_is_put_right(degrees):
    image, truth = leaning(degrees)
    (alone,), (voted,) = Unsteady().predict([image])[0], load_like(Unsteady()).predict([image])[0]
    assert np.abs(voted.keypoints - truth).max() < 2
    assert abs(degrees) < 65 or np.abs(alone.keypoints - truth).max() > 20
    assert voted.box.tolist() == alone.box.tolist() and voted.score == alone.score


def test_no_angle_is_looked_at_twice_and_each_round_is_one_call():
    network = Unsteady()
    model = load_like(network, rounds=3)
    images = [leaning(degrees)[0] for degrees in (0, 100)]
    together = model.predict(images)
    assert len(network.calls) <= 1 + 1 + 3
    assert model.passes == sum(network.calls) < 2 * (1 + 12 * 4)
    assert len({image.tobytes() for image in network.seen[2:]}) == len(network.seen) - 2
    for image, found in zip(images, together, strict=True):
        (alone,) = load_like(Unsteady(), rounds=3).predict([image])[0]
        assert alone.keypoints.tolist() == found[0].keypoints.tolist()


def test_the_cheap_form_takes_two_views_that_agree_and_all_where_they_do_not():
    class Sure(Unsteady):
        def find(self, image):
            found = super().find(image)
            ends = [self.middle(image, colour) for colour in (RED, BLUE)]
            return found and Pose(with_hands(*ends), found.confidence, found.box, found.score)

    (image, truth), wrong = leaning(70), Unsteady()
    sure, unsure, whole = load_like(Sure(), cheap=0.05), load_like(wrong, cheap=0.05), load_like(Unsteady())
    (easy,), (hard,), (full,) = (model.predict([image])[0] for model in (sure, unsure, whole))
    assert np.abs(easy.keypoints - truth).max() < 2 and np.abs(hard.keypoints - truth).max() < 2
    assert sure.passes == 1 + 2
    assert unsure.passes == whole.passes > 12
    assert hard.keypoints == pytest.approx(full.keypoints)


def test_boxes_take_the_place_of_the_first_look_and_nobody_is_claimed_where_nobody_is():
    (image, truth), network = leaning(100), Unsteady()
    model = load_like(network)
    boxes = [np.array([[120.0, 60, 280, 240], [5, 5, 30, 30]])]
    (found,) = model.predict([image], boxes)[0]
    assert np.abs(found.keypoints - truth).max() < 2
    assert found.box.tolist() == boxes[0][0].tolist() and found.score == pytest.approx(0.8)
    assert max(max(image.shape) for image in network.seen) <= SHARPEST * 64
    assert load_like(Unsteady()).predict([np.zeros((50, 50, 3), np.uint8)]) == [[]]


def test_a_model_that_needs_boxes_is_handed_the_persons_in_every_view():
    class TopDown(Unsteady):
        needs_boxes = True

        def predict(self, images, boxes=None):
            return super().predict(images, boxes)

    (image, truth), network = leaning(100), TopDown()
    (found,) = load_like(network).predict([image], [np.array([[130.0, 70, 270, 230]])])[0]
    assert np.abs(found.keypoints - truth).max() < 2
    for view, box in zip(network.seen, network.boxes, strict=True):
        ends = np.array([Unsteady.middle(view, colour) for colour in (RED, BLUE)])
        assert (ends > box[0, :2]).all() and (ends < box[0, 2:]).all()
        assert np.abs((box[0, :2] + box[0, 2:]) / 2 - np.array(view.shape[:2]) / 2).max() < 4


def test_a_large_person_is_shown_no_sharper_than_the_network_can_see():
    image, truth = leaning(130, size=(1200, 1600), length=500, dot=50)
    network = Unsteady()
    (found,) = load_like(network).predict([image])[0]
    assert np.abs(found.keypoints - truth).max() < 6
    assert {view.shape for view in network.seen[1:]} == {(SHARPEST * 64, SHARPEST * 64, 3)}


def test_networks_that_are_equal_but_for_rounding_are_shown_the_same_views():
    image = np.random.default_rng(0).integers(0, 40, (300, 400, 3), dtype=np.uint8) | leaning(97)[0]
    one, other = Unsteady(), Unsteady(off=0.0015)
    (first,), (second,) = (load_like(network).predict([image])[0] for network in (one, other))
    assert len(one.seen) == len(other.seen)
    assert all((a == b).all() for a, b in zip(one.seen, other.seen, strict=True))
    assert np.abs(first.keypoints - second.keypoints).max() < 0.01


def test_without_a_trunk_views_are_turned_and_nothing_follows():
    class Dot(Unsteady):
        skeleton = DOT

        def find(self, image):
            middle = self.middle(image, RED)
            return (
                None
                if middle is None
                else Pose(middle[None], np.ones(1), np.concatenate([middle - 20, middle + 20]), 1.0)
            )

    image, truth = leaning(20)
    model = load_like(Dot())
    (found,) = model.predict([image])[0]
    assert np.abs(found.keypoints - truth[:1]).max() < 1 and model.passes == 1 + 12


def test_dissent_is_the_share_of_votes_that_are_elsewhere():
    away, partly = pose((140, 20), (160, 180)), pose((40, 20), (60, 196))  # 100 px and 16 px: 0.5 and 0.08 sides
    ballot = Ballot(BOX, (pose(*UP), pose(*UP), partly, away), ENDS)
    voice = ballot.overlaps()
    assert voice[3] == 0 and voice[0] == voice[1] > 0
    found = dissent(ballot, np.array(UP, float), 0.08)
    assert found == pytest.approx([0, voice[2] / voice.sum() * (1 - np.exp(-1))])
    assert elect(ballot, 0.08).doubt == pytest.approx(
        expected_error(dissent(ballot, elect(ballot, 0.08).keypoints, 0.02))
    )


def test_doubt_grows_with_dissent_and_never_beyond_what_a_joint_is_charged():
    error = expected_error(np.linspace(0, 1, 400))
    assert (np.diff(error) >= 0).all() and 0 < error[0] < error[-1] <= 925
    assert np.isnan(expected_error(np.array([np.nan]))).all()


def test_doubt_goes_with_its_joint_into_other_skeletons_and_into_the_file_of_predictions(tmp_path, skeletons):
    doubted = Pose(np.array(UP, float), np.ones(2), BOX, 1.0, np.array([10.0, 20.0]))
    other = Skeleton.from_mapping({"name": "o", "joints": ["Hip", "toe"], "sigmas": {"Hip": 0.1, "toe": 0.1}})
    (moved,) = poses_in([doubted], ENDS, other)
    assert moved.doubt[0] == 20 and np.isnan(moved.doubt[1])
    plain = Pose(doubted.keypoints, doubted.confidence, BOX, 1.0)
    assert poses_in([plain], ENDS, other)[0].doubt is None
    dataset = Dataset(ENDS, (Frame("a.jpg", 10, 10), Frame("b.jpg", 10, 10)))
    write_predictions(tmp_path / "p.npz", dataset, {"m": [[plain], [doubted]], "n": [[plain], []]})
    back = read_predictions(tmp_path / "p.npz").models
    assert back["m"][0][0].doubt is None and back["m"][1][0].doubt.tolist() == [10, 20]
    assert back["n"][0][0].doubt is None
    with np.load(tmp_path / "p.npz") as arrays:
        assert "m/doubt" in arrays and "n/doubt" not in arrays


class Backwards(Unsteady):
    """Names the same joints in another order, and lacks one."""

    skeleton = Skeleton.from_mapping(
        {
            "name": "backwards",
            "joints": ["left_hand", "hip", "shoulder"],
            "sigmas": dict.fromkeys(["left_hand", "hip", "shoulder"], 0.05),
            "trunk": {"shoulders": ["shoulder"], "hips": ["hip"]},
            "limbs": [["shoulder", "hip", 0.288], ["shoulder", "left_hand", 0.33]],
        }
    )

    def find(self, image):
        pose = super().find(image)
        return pose and replace(pose, keypoints=pose.keypoints[[2, 1, 0]], confidence=pose.confidence[[2, 1, 0]])


def test_other_models_vote_too_joints_by_name():
    (image, _), box = leaning(30), np.array([140.0, 70.0, 260.0, 230.0])
    alone, other = Vote(Unsteady(), 1.5, VoteSettings()), Vote(Backwards(5.0), 1.5, VoteSettings())
    both = Vote(Unsteady(), 1.5, VoteSettings(), [Backwards(5.0)])
    (one,), (two,), (joined,) = (voting.ballots([(image, box)]) for voting in (alone, other, both))
    assert len(joined.candidates) == len(one.candidates) + len(two.candidates)
    assert both.passes == alone.passes + other.passes
    near = {name: elect(ballot, 0.08).keypoints for name, ballot in (("one", one), ("joined", joined))}
    assert np.isfinite(near["joined"]).all()
    drawn = (near["joined"] - near["one"])[[0, 1]]
    assert (drawn > 0.2).all() and (drawn < 5).all(), "between the two"
    assert near["joined"][3] == pytest.approx(near["one"][3], abs=1), "only one of them knows the right hand"


def test_a_search_of_the_picture_is_made_by_one_look_and_only_the_answer_by_a_vote(tmp_path):
    from test_boxes import Blob, picture

    from fosbury.media.image import write_image

    image = picture(100, 60)
    write_image(tmp_path / "a.png", image)
    dataset = Dataset(Blob.skeleton, (Frame("a.png", 320, 240),))
    alone, voting = Blob(), Blob()
    search(alone, image)
    ((found,),) = predict_dataset(Vote(voting, 1.5, VoteSettings(views=4)), dataset, tmp_path, boxes="search")
    assert voting.asked == alone.asked + 4
    assert found.box == pytest.approx([100, 60, 140, 120], abs=10)


def test_a_model_file_is_opened_with_a_vote_where_one_is_asked_for():
    from test_second_look import STARTER

    model = load_model(
        STARTER, image_size=64, refinement=Refinement(how="vote", margin=2.0, vote=VoteSettings(views=5))
    )
    assert isinstance(model, Vote) and (model.margin, model.settings.views) == (2.0, 5) and not model.others
    both = load_model(STARTER, image_size=64, refinement=Refinement(how="vote", also=(str(STARTER),)))
    assert isinstance(both, Vote) and len(both.others) == 1
    assert np.degrees(TURN) == pytest.approx(10)
