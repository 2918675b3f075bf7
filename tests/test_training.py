"""What the training loops share: the figures of the chosen checkpoint on the validation frames."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fosbury.pose import VISIBLE, Dataset, Frame, Person, Pose
from fosbury.skeleton import Limb, Skeleton
from fosbury.training.curve import chosen_epoch
from fosbury.training.selection import validate

LEG = Skeleton("leg", ("hip", "knee"), ((0, 1),), (), np.array([0.1, 0.1]), (), (0,), (Limb(0, 1, 0.245),))
AT = np.array([[20.0, 10.0], [20.0, 34.5]])  # a thigh of 24.5 px: a stature of 100 px, 18.5 mm a pixel
BOX = np.array([10.0, 5.0, 30.0, 40.0])
OFF = {"approach": 1, "takeoff": 3, "arch": 2, "landing": 4}  # pixels


class Off:
    """A model whose joints lie to the right of the labels, by as many pixels as the picture is grey."""

    def __init__(self, needs_boxes: bool):
        self.needs_boxes = needs_boxes

    def predict(self, images, boxes=None):
        assert (boxes is not None) == self.needs_boxes
        assert boxes is None or all((own == BOX).all() for own in boxes)
        return [[Pose(AT + np.array([image[0, 0, 0], 0]), np.ones(2), BOX, 1.0)] for image in images]


def frames_of(folder: Path, phases) -> Dataset:
    person = Person(AT, np.full(2, VISIBLE, np.uint8), BOX, 700.0)
    frames = tuple(Frame(f"{i:02d}.png", 48, 48, (person,), phase=phase) for i, phase in enumerate(phases))
    for frame in frames:
        Image.new("RGB", (48, 48), (OFF[frame.phase],) * 3).save(folder / frame.file_name)
    return Dataset(LEG, frames)


@pytest.mark.parametrize("needs_boxes", [False, True])
def test_the_figures_of_a_checkpoint_by_hand(tmp_path, needs_boxes):
    val = frames_of(tmp_path, [*["approach"] * 9, *["takeoff"] * 3, *["arch"] * 5, *["landing"] * 8])
    assert validate(Off(needs_boxes), val, tmp_path) == {
        "val_arch_error_mm": 37.0,
        "val_arch_pck10": 1.0,  # 2 px, of 2.88
        "val_upright_error_mm": 27.75,  # (9 x 1 + 3 x 3) / 12 px
        "val_all_error_mm": 44.4,  # (9 x 1 + 3 x 3 + 5 x 2 + 8 x 4) / 25 px
        "val_frames": 25,
    }


def test_a_figure_without_frames_is_left_out(tmp_path):
    figures = validate(Off(False), frames_of(tmp_path, ["landing"]), tmp_path)
    assert figures == {"val_all_error_mm": 74.0, "val_frames": 1}


def test_the_chosen_epoch_is_the_first_of_the_best(tmp_path):
    rows = ["epoch,val_error_mm", "1,30.1", "2,9.5", "3,10.25", "4,9.5"]
    (tmp_path / "curve.csv").write_text("\n".join(rows))
    assert chosen_epoch(tmp_path / "curve.csv") == 2
