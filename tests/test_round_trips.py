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
from fosbury.formats.registry import FORMATS, LabelFormat, label_format
from fosbury.pose import OCCLUDED, PHASES, VISIBLE, Dataset, Frame, Person, body_area
from fosbury.skeleton import normalise

WRITTEN = [name for name in FORMATS if label_format(name).write is not None]
WIDTH, HEIGHT = 200, 120
TOLERANCE = 0.02
"""Pixels: two decimals, or relative numbers of seven."""
OF_FRAMES = ("video", "frame", "timestamp_ms", "phase", "group", "source", "stature_mm", "label", "description")
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
MEASURE = st.none() | st.integers(1, 300_000).map(lambda number: number / 100)


@st.composite
def people(draw, joints: int) -> Person:
    xs = draw(st.lists(st.integers(2, WIDTH * 10 - 20), min_size=joints, max_size=joints, unique=True))
    ys = draw(st.lists(st.integers(2, HEIGHT * 10 - 20), min_size=joints, max_size=joints, unique=True))
    visibility = np.array(draw(st.lists(st.integers(0, 2), min_size=joints, max_size=joints)), dtype=np.uint8)
    visibility[:2] = np.maximum(visibility[:2], 1)
    keypoints = np.where(visibility[:, None] > 0, np.column_stack([xs, ys]) / 10.0, np.nan)
    margin = draw(st.sampled_from([0.1, 0.2]))
    box = np.concatenate([np.nanmin(keypoints, axis=0) - margin, np.nanmax(keypoints, axis=0) + margin])
    weights = draw(st.none() | st.lists(st.sampled_from([0.25, 0.5, 1.0]), min_size=joints, max_size=joints))
    area = body_area(box) * draw(st.sampled_from([0.5, 1.0]))
    return Person(keypoints, visibility, box, area, None if weights is None else np.array(weights))


@st.composite
def datasets(draw, clips_only: bool) -> Dataset:
    joints = draw(NAMES)
    frames = []
    for number, name in enumerate(draw(FILES)):
        folder = draw(st.sampled_from(["", "sub/", "a b/ü/"]))
        found = tuple(draw(people(len(joints))) for _ in range(draw(st.integers(1, 3))))
        clips = [("jump 1.mp4", number), ("jump 1.mov", 7 * number), ("ü.mp4", 3 * number)]
        video, frame = draw(st.sampled_from(clips if clips_only else [(None, None), *clips]))
        frames.append(
            Frame(
                f"{folder}{name}.png",
                WIDTH,
                HEIGHT,
                found,
                video=video,
                frame=frame,
                timestamp_ms=draw(MEASURE),
                phase=draw(st.none() | st.sampled_from(PHASES)),
                group=draw(st.none() | st.just("athlete 3")),
                source=draw(st.none() | st.just("club ü")),
                stature_mm=draw(MEASURE),
                label=draw(st.none() | st.sampled_from(["correct", "rounded back"])),
                description=draw(TEXT),
            )
        )
    return Dataset(skeleton_of("person", joints), tuple(frames))


def written_and_read(kind: LabelFormat, dataset: Dataset, folder: Path) -> list[tuple[Dataset, Frame]]:
    """Write a data set with its pictures and read it; returns each frame with the data set of its file."""
    for frame in dataset.frames:
        picture = folder / kind.pictures / frame.file_name
        picture.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (WIDTH, HEIGHT)).save(picture)
    assert kind.write is not None
    kind.write(dataset, folder)
    images = folder if kind.names else folder / kind.pictures

    def locate(frame: Frame) -> Path | None:
        return None if "file_name" in kind.loses else images / frame.file_name

    read = [kind.read(file.path, None, locate) for file in find_label_files(kind, folder)]
    prefix = f"{kind.pictures}/" if kind.names else ""
    return [
        (again, replace(frame, file_name=frame.file_name.removeprefix(prefix)))
        for again in read
        for frame in again.frames
    ]


@pytest.mark.parametrize("name", WRITTEN)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_what_is_written_is_read_again(name, data):
    kind = label_format(name)
    by_clip = "file_name" in kind.loses
    dataset = data.draw(datasets(by_clip))
    with tempfile.TemporaryDirectory() as made:
        read = written_and_read(kind, dataset, Path(made))

    def key(frame: Frame) -> object:
        return (frame.video, frame.frame) if by_clip else frame.file_name

    found = {key(frame): (again, frame) for again, frame in read}
    assert found.keys() == {key(frame) for frame in dataset.frames} and len(found) == len(read)
    for frame in dataset.frames:
        again, back = found[key(frame)]
        assert (back.width, back.height) == (WIDTH, HEIGHT)
        for field in OF_FRAMES:
            if field not in kind.loses:
                assert getattr(back, field) == getattr(frame, field), field
        assert len(back.people) == len(frame.people)
        for person, other in zip(frame.people, back.people, strict=True):
            check_person(person, other, dataset, again, kind)


def check_person(person: Person, other: Person, dataset: Dataset, again: Dataset, kind: LabelFormat) -> None:
    at = [normalise(joint) for joint in again.skeleton.joints]
    for index, joint in enumerate(dataset.skeleton.joints):
        if normalise(joint) not in at:  # named by nobody in a format that has no list of joints
            assert not person.labelled[index]
            continue
        place = at.index(normalise(joint))
        seen = person.visibility[index]
        assert other.visibility[place] == (VISIBLE if seen == OCCLUDED and "occlusion" in kind.loses else seen)
        assert np.allclose(other.keypoints[place], person.keypoints[index], atol=TOLERANCE, equal_nan=True)
        if "weights" not in kind.loses:
            assert abs(other.training_weights[place] - person.training_weights[index]) < 0.01
    if "box" not in kind.loses:
        assert np.allclose(other.box, person.box, atol=TOLERANCE)
    if "area" not in kind.loses:
        assert np.isclose(other.area, person.area, atol=0.02)


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
