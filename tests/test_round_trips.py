"""What a format writes it reads again: every format of the registry that can be written."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from fosbury.formats.coco import skeleton_of
from fosbury.formats.exporting import losses
from fosbury.formats.layout import find_label_files
from fosbury.formats.registry import FORMATS, label_format
from fosbury.pose import PHASES, Dataset, Frame, Person, body_area
from fosbury.skeleton import normalise

WRITTEN = [name for name in FORMATS if label_format(name).write is not None]
WIDTH, HEIGHT = 200, 120
TOLERANCE = 0.02
"""Pixels: two decimals, or relative numbers of seven."""
NAMES = st.lists(
    st.text("aäßж漢 _-1Z", min_size=1, max_size=8).filter(lambda text: text.strip() and text.strip() == text),
    min_size=3,
    max_size=6,
    unique_by=normalise,
).filter(lambda names: all(normalise(name) for name in names))
FILES = st.lists(
    st.text("abü漢 1", min_size=1, max_size=6).map(str.strip).filter(bool), min_size=1, max_size=3, unique=True
)
TEXT = st.none() | st.text("ab ü,;&<\"'", min_size=1, max_size=10).map(str.strip).filter(bool)


@st.composite
def people(draw, joints: int) -> Person:
    xs = draw(st.lists(st.integers(2, WIDTH * 10 - 20), min_size=joints, max_size=joints, unique=True))
    ys = draw(st.lists(st.integers(2, HEIGHT * 10 - 20), min_size=joints, max_size=joints, unique=True))
    visibility = np.array(draw(st.lists(st.integers(0, 2), min_size=joints, max_size=joints)), dtype=np.uint8)
    visibility[:2] = np.maximum(visibility[:2], 1)
    keypoints = np.where(visibility[:, None] > 0, np.column_stack([xs, ys]) / 10.0, np.nan)
    box = np.concatenate([np.nanmin(keypoints, axis=0) - 0.1, np.nanmax(keypoints, axis=0) + 0.1])
    return Person(keypoints, visibility, box, body_area(box))


@st.composite
def datasets(draw) -> Dataset:
    joints = draw(NAMES)
    frames = []
    for number, name in enumerate(draw(FILES)):
        folder = draw(st.sampled_from(["", "sub/", "a b/ü/"]))
        found = tuple(draw(people(len(joints))) for _ in range(draw(st.integers(1, 2))))
        video, frame = draw(st.sampled_from([(None, None), ("jump 1.mp4", number)]))
        frames.append(
            Frame(
                f"{folder}{name}.png",
                WIDTH,
                HEIGHT,
                found,
                video=video,
                frame=frame,
                phase=draw(st.none() | st.sampled_from(PHASES)),
                group=draw(st.none() | st.just("athlete 3")),
                label=draw(st.none() | st.sampled_from(["correct", "rounded back"])),
                description=draw(TEXT),
            )
        )
    return Dataset(skeleton_of("person", joints), tuple(frames))


@pytest.mark.parametrize("name", WRITTEN)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(dataset=datasets())
def test_what_is_written_is_read_again(name, dataset):
    kind = label_format(name)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for frame in dataset.frames:
            picture = folder / kind.pictures / frame.file_name
            picture.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (WIDTH, HEIGHT)).save(picture)
        assert kind.write is not None
        kind.write(dataset, folder)
        (file,) = find_label_files(kind, folder)
        images = folder if kind.names else folder / kind.pictures
        again = kind.read(file.path, None, lambda frame: images / frame.file_name)
    prefix = f"{kind.pictures}/" if kind.names else ""
    found = {frame.file_name.removeprefix(prefix): frame for frame in again.frames}
    assert found.keys() == {frame.file_name for frame in dataset.frames}
    at = [normalise(joint) for joint in again.skeleton.joints]
    for frame in dataset.frames:
        back = found[frame.file_name]
        assert (back.width, back.height) == (WIDTH, HEIGHT)
        for field in ("video", "frame", "phase", "group", "label", "description"):
            if field not in kind.loses:
                assert getattr(back, field) == getattr(frame, field), field
        assert len(back.people) == len(frame.people)
        for person, other in zip(frame.people, back.people, strict=True):
            for index, joint in enumerate(dataset.skeleton.joints):
                if normalise(joint) not in at:
                    assert not person.labelled[index]
                    continue
                place = at.index(normalise(joint))
                assert other.visibility[place] == person.visibility[index]
                assert np.allclose(other.keypoints[place], person.keypoints[index], atol=TOLERANCE, equal_nan=True)
            assert np.allclose(other.box, person.box, atol=TOLERANCE)


def test_what_a_format_loses_is_said():
    person = Person(np.array([[1.0, 2.0], [3.0, 9.0]]), np.array([2, 1], np.uint8), np.array([1.0, 2, 3, 9]), 3.0)
    frame = Frame("a.png", 20, 20, (person,), phase="arch", label="lumbar")
    dataset = Dataset(skeleton_of("person", ["left_hip", "right_hip"]), (frame, replace(frame, file_name="b.png")))
    assert losses(label_format("coco"), dataset) == ()
    said = losses(label_format("yolo_pose"), dataset)
    assert [sentence.split("cannot hold ")[1] for sentence in said] == [
        "phase: lost of 2 frames",
        "label: lost of 2 frames",
        "area: lost of 2 people",
    ]
