"""COCO files: what is sound comes through unchanged, what would spoil training is refused, the rest is noted."""

import contextlib
import copy
import io
import json
import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools.coco import COCO

from fosbury.errors import BadInput, BadInputs
from fosbury.formats.coco import read_coco, skeleton_of, write_coco
from fosbury.pose import PHASES, Dataset, Frame, Person

JOINTS = ["nose", "left_hip", "right_hip"]
SKELETON = skeleton_of("small", JOINTS, [(0, 1), (0, 2)])


def document():
    """Two images of 100x80 with one person each."""
    return {
        "images": [
            {"id": 1, "file_name": "a.jpg", "width": 100, "height": 80},
            {"id": 2, "file_name": "b.jpg", "width": 100, "height": 80},
        ],
        "annotations": [
            {
                "id": number,
                "image_id": number,
                "category_id": 1,
                "keypoints": [10, 10, 2, 20, 30.5, 2, 30, 40, 1],
                "num_keypoints": 3,
                "bbox": [5, 5, 40, 50],
                "area": 900,
                "iscrowd": 0,
            }
            for number in (1, 2)
        ],
        "categories": [{"id": 1, "name": "person", "keypoints": list(JOINTS), "skeleton": [[1, 2], [1, 3]]}],
    }


@pytest.fixture
def read(tmp_path):
    def read(content, *args, **options):
        path = tmp_path / "labels.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return read_coco(path, *args, **options)

    return read


def changed(place, value):
    """The document with the value at ``place`` ("annotations.0.bbox") replaced, or removed where it is KeyError."""
    content = document()
    *way, last = (int(key) if key.isdigit() else key for key in place.split("."))
    node = content
    for key in way:
        node = node[key]
    if value is KeyError:
        del node[last]
    else:
        node[last] = value
    return content


def same_frame(first, second):
    for key in (field.name for field in fields(Frame) if field.name != "people"):
        assert getattr(first, key) == getattr(second, key), key
    assert len(first.people) == len(second.people)
    for one, other in zip(first.people, second.people, strict=True):
        np.testing.assert_allclose(one.keypoints, other.keypoints, atol=1e-9)
        np.testing.assert_array_equal(one.visibility, other.visibility)
        np.testing.assert_allclose(one.box, other.box, atol=1e-6)
        assert one.area == other.area


hundredths = st.integers(1, 9999).map(lambda n: n / 100)


@st.composite
def people(draw):
    visibility = np.array(draw(st.lists(st.integers(0, 2), min_size=3, max_size=3).filter(any)), np.uint8)
    keypoints = np.array([[draw(hundredths), draw(hundredths)] for _ in range(3)])
    keypoints[visibility == 0] = np.nan
    return Person(keypoints, visibility, np.array([0.0, 0.0, 100.0, 100.0]), draw(hundredths))


@st.composite
def datasets(draw):
    names = draw(st.lists(st.text("abcß_ -0123", min_size=1, max_size=8).map(str.strip).filter(bool), unique=True))
    frames = []
    for number, name in enumerate(sorted(f"set/{name}.jpg" for name in names)):
        clip = draw(st.booleans())
        frames.append(
            Frame(
                name,
                100,
                100,
                tuple(draw(st.lists(people(), min_size=1, max_size=3))),
                video="clip.mp4" if clip else None,
                frame=number if clip else None,
                timestamp_ms=draw(st.none() | hundredths),
                phase=draw(st.none() | st.sampled_from(PHASES)),
                group=draw(st.none() | st.just("anna")),
                source=draw(st.none() | st.just("club")),
                stature_mm=draw(st.none() | hundredths.map(lambda x: x + 1000).map(lambda x: round(x, 2))),
            )
        )
    return Dataset(SKELETON, tuple(frames))


@settings(max_examples=60, deadline=None)
@given(dataset=datasets())
def test_what_is_written_is_read_and_written_again_the_same(tmp_path_factory, dataset):
    path = tmp_path_factory.mktemp("round") / "a.json"
    write_coco(dataset, path)
    again = read_coco(path, SKELETON, keep_empty=True)
    assert len(again) == len(dataset)
    for first, second in zip(dataset.frames, again.frames, strict=True):
        same_frame(first, second)
    first_bytes = path.read_bytes()
    write_coco(Dataset(SKELETON, again.frames[::-1]), path)
    assert path.read_bytes() == first_bytes


def test_pycocotools_reads_what_is_written(tmp_path):
    keypoints = np.array([[10.126, 20.0], [np.nan, np.nan], [30, 40]])
    person = Person(keypoints, np.array([2, 0, 1], np.uint8), np.array([5.0, 6, 45, 66]), 1234.5)
    dataset = Dataset(
        SKELETON, (Frame("b.jpg", 90, 80, (person,), phase="arch"), Frame("a.jpg", 50, 40, (person,) * 2))
    )
    write_coco(dataset, tmp_path / "a.json")
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(tmp_path / "a.json"))
    assert [coco.imgs[i]["file_name"] for i in (1, 2)] == ["a.jpg", "b.jpg"]
    annotation = coco.anns[3]
    assert annotation["keypoints"] == [10.13, 20.0, 2, 0, 0, 0, 30.0, 40.0, 1]
    assert annotation["num_keypoints"] == 2 and annotation["image_id"] == 2
    assert annotation["bbox"] == [5.0, 6.0, 40.0, 60.0]
    assert coco.cats[1]["keypoints"] == JOINTS and coco.cats[1]["skeleton"] == [[1, 2], [1, 3]]


def test_coordinates_are_taken_as_they_are(read):
    person = read(document()).frames[0].people[0]
    assert person.keypoints.tolist() == [[10, 10], [20, 30.5], [30, 40]]
    assert person.visibility.tolist() == [2, 2, 1]
    assert person.box.tolist() == [5, 5, 45, 55]
    assert person.area == 900


def test_the_extra_keys_are_read(read):
    content = document()
    content["images"][0] |= {
        "video": "c.mp4", "frame": 7, "timestamp_ms": 280.0, "phase": "Arch", "group": "anna", "source": "x",
        "stature_mm": 1780,
    }  # fmt: skip
    frame, plain = read(content).frames
    assert (frame.video, frame.frame, frame.timestamp_ms, frame.phase) == ("c.mp4", 7, 280, "arch")
    assert (frame.group, frame.source, frame.stature_mm) == ("anna", "x", 1780)
    assert {plain.video, plain.frame, plain.timestamp_ms, plain.phase, plain.group, plain.stature_mm} == {None}


def test_joints_follow_their_names_each_annotation_by_its_own_category(read):
    content = document()
    content["categories"].append({"id": 7, "name": "jumper", "keypoints": ["Right-Hip", "NOSE", "left hip"]})
    content["annotations"][1] |= {"category_id": 7, "keypoints": [30, 40, 1, 10, 10, 2, 20, 30.5, 2]}
    for skeleton in (None, SKELETON):
        first, second = (frame.people[0] for frame in read(content, skeleton).frames)
        assert first.keypoints.tolist() == second.keypoints.tolist()
        assert first.visibility.tolist() == second.visibility.tolist()


def test_joints_that_only_one_side_knows_are_noted(read):
    wanted = skeleton_of("other", ["right_hip", "left_hip", "tail"])
    dataset = read(document(), wanted)
    person = dataset.frames[0].people[0]
    assert person.visibility.tolist() == [1, 2, 0]
    assert np.isnan(person.keypoints[2]).all()
    assert "joints that the skeleton lacks, left out (1): nose of 'person'" in dataset.notes
    assert "joints that the file lacks, taken as not labelled (1): tail in 'person'" in dataset.notes


def test_a_skeleton_of_which_fewer_than_half_is_there_is_refused(read):
    wanted = skeleton_of("feet", ["left_hip", "left_heel", "left_toe"])
    with pytest.raises(BadInputs, match="names 1 of the 3 joints of skeleton 'feet'; missing: left_heel, left_toe"):
        read(document(), wanted)


def test_the_files_own_skeleton_has_sides_and_a_trunk(read):
    content = document()
    names = ["Left Shoulder", "Right Shoulder", "Left Hip"]
    content["categories"][0]["keypoints"] = names
    skeleton = read(content).skeleton
    assert skeleton.joints == tuple(names)
    assert skeleton.flip_index.tolist() == [1, 0, 2]
    assert skeleton.trunk == ((0, 1), (2,))
    assert skeleton.bones == ((0, 1), (0, 2))


OUTSIDE = {
    "id": 2,
    "image_id": 2,
    "category_id": 1,
    "keypoints": [110, 10, 2, 120, 30, 2, 30, 40, 1],
    "bbox": [20, 5, 110, 50],
}
PROBLEMS = [
    ("images.1.id", 1, "image 'b.jpg' has id 1, as has a.jpg"),
    ("images.1.id", KeyError, "image at position 1 has no id"),
    ("images.1.id", [1], "image at position 1 has no id"),
    ("images.1", "b.jpg", "image at position 1 has no id"),
    ("images.1.file_name", "a.jpg", "is listed twice, with ids 1 and 2"),
    ("images.1.file_name", "./a.jpg", "is listed twice, with ids 1 and 2"),
    ("images.1.file_name", KeyError, "has no file_name"),
    ("images.1.file_name", 5, "has no file_name"),
    ("images.1.file_name", "/etc/passwd", "is an absolute path"),
    ("images.1.file_name", "x/../../b.jpg", "climbs out of its folder"),
    ("images.1.file_name", "x\\b.jpg", "holds a backslash"),
    ("images.1.file_name", "C:b.jpg", "begins with a drive letter"),
    ("images.1.file_name", "b.jpg\0.png", "holds a control character"),
    ("images.1.file_name", "", "is empty"),
    ("images.1.width", 0, "has width 0 and height 80"),
    ("images.1.width", "100", "has width '100'"),
    ("images.1.height", float("nan"), "height nan"),
    ("images.1.height", 80.5, "height 80.5"),
    ("images.1.height", KeyError, "height None"),
    ("images.1.phase", "jump", "phase 'jump' is none of approach"),
    ("images.1.frame", -1, "frame -1 is not a frame number"),
    ("images.1.timestamp_ms", "soon", "timestamp_ms 'soon' is not a measure"),
    ("images.1.stature_mm", 0, "stature_mm 0 is not a measure"),
    ("images.1.video", "../c.mp4", "video climbs out"),
    ("annotations.1.id", 1, "annotation 1 at position 1: its id is taken"),
    ("annotations.1", None, "annotation at position 1 is not an object"),
    ("annotations.1.image_id", 9, "is on image 9, which the file does not list"),
    ("annotations.1.image_id", KeyError, "is on image None"),
    ("annotations.1.category_id", 9, "is of category 9, which the file does not list"),
    ("annotations.1.keypoints", [1, 2, 2], "has 3 numbers for the 3 joints of 'person', which need 9"),
    ("annotations.1.keypoints", {"nose": 1}, "its keypoints are not a list"),
    ("annotations.1.keypoints.3", float("nan"), "left_hip lies at nan, 30.5"),
    ("annotations.1.keypoints.3", float("inf"), "left_hip lies at inf, 30.5"),
    ("annotations.1.keypoints.3", None, "left_hip lies at None"),
    ("annotations.1.keypoints.3", "12", "left_hip lies at '12'"),
    ("annotations.1.keypoints.3", 10**400, "left_hip lies at 1000"),
    ("annotations.1.keypoints.2", 3, "nose has visibility 3"),
    ("annotations.1.keypoints.2", 0.5, "nose has visibility 0.5"),
    ("annotations.1.keypoints.2", True, "nose has visibility True"),
    ("annotations.1.keypoints", [0, 0, 2, 0, 0, 2, 30, 40, 2], "labelled at exactly 0, 0"),
    ("annotations.1", OUTSIDE, "2 of its 3 joints lie outside the image"),
    ("annotations.1.keypoints.0", 1e9, "nose lies more than a picture's size outside"),
    ("annotations.1.bbox", [5, 5, 0, 50], "its box is 0 wide and 50 high"),
    ("annotations.1.bbox", [5, 5, 40, -50], "its box is 40 wide and -50 high"),
    ("annotations.1.bbox", [5, 5, 40], "not four numbers"),
    ("annotations.1.bbox", [5, 5, 40, float("nan")], "not four numbers"),
    ("annotations.1.bbox", [70, 5, 20, 50], "its box holds 0 of its 3 joints"),
]


@pytest.mark.parametrize(("place", "value", "problem"), PROBLEMS)
def test_what_would_spoil_training_is_refused(read, place, value, problem):
    with pytest.raises(BadInputs, match=re.escape(problem)) as caught:
        read(changed(place, value))
    assert "labels.json" in str(caught.value)


@pytest.mark.parametrize(("place", "value", "problem"), PROBLEMS[1:])
def test_dropping_keeps_the_sound_rest_and_lists_what_went(read, place, value, problem):
    dataset = read(changed(place, value), on_problem="drop")
    assert [frame.file_name for frame in dataset.frames] == ["a.jpg"]
    assert any(problem in note for note in dataset.notes)


def test_two_images_of_one_id_are_both_dropped(read):
    content = changed("images.1.id", 1)
    content["images"].append({"id": 2, "file_name": "c.jpg", "width": 100, "height": 80})
    assert [frame.file_name for frame in read(content, on_problem="drop").frames] == ["c.jpg"]
    with pytest.raises(BadInputs):
        read(changed("images.1.id", 1), on_problem="drop")


def test_every_problem_is_told_at_once(read):
    content = document()
    content["images"].append({"id": 3, "file_name": "../c.jpg", "width": 10, "height": 10})
    content["annotations"][0]["bbox"] = [0, 0, -1, 4]
    content["annotations"][0]["keypoints"][2] = 7
    content["annotations"][1]["image_id"] = 99
    with pytest.raises(BadInputs) as caught:
        read(content)
    assert len(caught.value.problems) == 3
    message = str(caught.value)
    for part in ("climbs out", "annotation 1 on a.jpg: nose has visibility 7", "annotation 2: is on image 99"):
        assert part in message


def test_a_category_that_does_not_name_its_joints_is_refused(read):
    for joints in ([], None, KeyError):
        with pytest.raises(BadInputs, match="no category names its joints"):
            read(changed("categories.0.keypoints", joints))
    with pytest.raises(BadInputs, match="names a joint twice"):
        read(changed("categories.0.keypoints", ["nose", "Left Hip", "left_hip"]))
    content = document()
    content["categories"].append({"id": 2, "name": "bar"})
    content["annotations"][1]["category_id"] = 2
    with pytest.raises(BadInputs, match=r"annotation 2 on b\.jpg: has joints, but category 'bar' does not name them"):
        read(content)


def test_boxes_of_other_things_are_left_out_and_noted(read):
    content = document()
    content["categories"].append({"id": 2, "name": "bar"})
    content["annotations"].append({"id": 3, "image_id": 2, "category_id": 2, "bbox": [0, 0, 90, 5]})
    dataset = read(content)
    assert [len(frame.people) for frame in dataset.frames] == [1, 1]
    assert any("'bar', which is not this skeleton, left out (1)" in note for note in dataset.notes)


@pytest.mark.parametrize(
    ("place", "value", "note"),
    [
        ("annotations.1.num_keypoints", 17, "num_keypoints that lie, counted anew (1): annotation 2 on b.jpg"),
        ("annotations.1.keypoints.0", 104.0, "joints outside the image, kept (1): nose of annotation 2 on b.jpg"),
        ("annotations.1.keypoints.2", 0, "coordinates of joints that are not labelled, left out (1): nose of"),
        ("annotations.1.bbox", KeyError, "boxes absent, derived from the joints (1): annotation 2 on b.jpg"),
        ("annotations.1.bbox", [5, 5, 140, 50], "boxes that reach outside the image, kept (1)"),
        ("annotations.1.area", -3, "areas that are not positive, replaced by 0.53 of the box's (1)"),
        ("annotations.1.image_id", 1, "images without labelled joints, left out (1): b.jpg"),
        ("annotations.1.iscrowd", 1, "crowd regions, left out (1): annotation 2 on b.jpg"),
        ("annotations.1.id", KeyError, "annotations without an id, kept (1): position 1"),
    ],
)
def test_what_is_harmless_is_noted_with_its_count(read, place, value, note):
    dataset = read(changed(place, value))
    assert any(line.startswith(note) for line in dataset.notes), dataset.notes


def test_harmless_things_are_put_right(read):
    assert read(changed("annotations.1.bbox", KeyError)).frames[1].people[0].box.tolist() == [10, 10, 30, 40]
    for area in (None, KeyError, 0, 2000, 1e9):  # the box's area is what tools write that know no outline
        assert read(changed("annotations.1.area", area)).frames[1].people[0].area == pytest.approx(0.53 * 2000)
    assert read(changed("annotations.1.area", 1900)).frames[1].people[0].area == 1900
    outside = read(changed("annotations.1.keypoints.0", 104.0)).frames[1].people[0]
    assert outside.keypoints[0].tolist() == [104, 10] and outside.visibility[0] == 2
    unlabelled = read(changed("annotations.1.keypoints.2", 0)).frames[1].people[0]
    assert np.isnan(unlabelled.keypoints[0]).all()


def test_images_without_labels_are_dropped_or_kept_on_request(read):
    content = document()
    content["annotations"].pop()
    assert [frame.file_name for frame in read(content).frames] == ["a.jpg"]
    assert [frame.file_name for frame in read(content, keep_empty=True).frames] == ["a.jpg", "b.jpg"]
    content["annotations"] = []
    with pytest.raises(BadInput, match="labels nobody"):
        read(content)


def test_someone_without_joints_stays_beside_others_only(read):
    content = document()
    nobody = {**copy.deepcopy(content["annotations"][0]), "id": 3, "keypoints": [0] * 9, "num_keypoints": 0}
    content["annotations"].append(nobody)
    content["annotations"][1] |= {"keypoints": [0] * 9, "num_keypoints": 0}
    dataset = read(content)
    assert [frame.file_name for frame in dataset.frames] == ["a.jpg"]
    assert [person.labelled.sum() for person in dataset.frames[0].people] == [3, 0]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.sampled_from([0, 1, 2, "a.jpg"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "name"]), inner, max_size=2),
    max_leaves=4,
)


def places(node, before=()):
    """The way to every value in nested lists and dictionaries."""
    for key in range(len(node)) if isinstance(node, list) else list(node):
        yield (*before, key)
        if isinstance(node[key], list | dict):
            yield from places(node[key], (*before, key))


@settings(max_examples=300, deadline=None)
@given(
    changes=st.lists(st.tuples(st.sampled_from(list(places(document()))), anything), min_size=1, max_size=3),
    on_problem=st.sampled_from(["raise", "drop"]),
    skeleton=st.sampled_from([None, SKELETON]),
)
def test_whatever_a_file_holds_it_is_read_or_refused_in_words(tmp_path_factory, changes, on_problem, skeleton):
    content = document()
    for place, value in changes:
        node = content
        with contextlib.suppress(KeyError, IndexError, TypeError):
            for key in place[:-1]:
                node = node[key]
            node[place[-1]] = value
    path = tmp_path_factory.getbasetemp() / "fuzz.json"
    path.write_text(json.dumps(content))
    try:
        dataset = read_coco(path, skeleton, on_problem=on_problem)
    except BadInput as error:
        assert "fuzz.json" in str(error)
        return
    write_coco(dataset, path)
    assert len(read_coco(path, dataset.skeleton)) == len(dataset)
    for frame in dataset.frames:
        for person in frame.people:
            assert (np.isfinite(person.keypoints).all(axis=1) == person.labelled).all()
            assert np.isfinite(person.box).all() and (person.box[2:] > person.box[:2]).all() and person.area > 0


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "is empty"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "is a Git LFS pointer"),
        ("<annotations/>", "is not JSON"),
        ("[" * 100_000, "is JSON that no tool writes"),
        ('[{"bbox": [1, 2, 3, 4], "score": 0.9}]', "is a list"),
        ("7", "is JSON, but not a COCO file"),
        ('{"images": [], "annotations": []}', "has no list 'categories'"),
        ('{"images": {}, "annotations": [], "categories": []}', "has no list 'images'"),
    ],
)
def test_what_is_no_coco_file_is_refused(read, content, problem):
    with pytest.raises(BadInput, match=re.escape(problem)):
        read(content)


def test_a_byte_order_mark_does_no_harm(read):
    assert len(read("\ufeff" + json.dumps(document()))) == 2


def test_pictures_are_compared_with_the_labels(read, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (80, 100)).save(tmp_path / "a.jpg", exif=exif)
    with pytest.raises(BadInputs, match=r"image files that do not exist \(1.*b\.jpg"):
        read(document(), images=tmp_path)
    Image.new("RGB", (100, 81)).save(tmp_path / "b.jpg")
    with pytest.raises(BadInputs, match="is 100x81 as a file, but 100x80 in the labels"):
        read(document(), images=tmp_path)
    Image.new("RGB", (100, 80)).save(tmp_path / "b.jpg", exif=exif)
    with pytest.raises(BadInputs, match=r"80x100 as a file, but 100x80 in the labels \(turned: the labelling tool"):
        read(document(), images=tmp_path)
    Image.new("RGB", (100, 80)).save(tmp_path / "b.jpg")
    assert len(read(document(), images=tmp_path)) == 2
    (tmp_path / "b.jpg").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(BadInputs, match="is a Git LFS pointer"):
        read(document(), images=tmp_path)
    assert [f.file_name for f in read(document(), images=tmp_path, on_problem="drop").frames] == ["a.jpg"]
    with pytest.raises(BadInput, match="is not a folder"):
        read(document(), images=tmp_path / "none")


def test_absent_sizes_come_from_the_pictures(read, tmp_path):
    content = document()
    for image in content["images"]:
        del image["width"], image["height"]
        Image.new("RGB", (100, 80)).save(tmp_path / image["file_name"])
    with pytest.raises(BadInputs, match="has no width and height"):
        read(content)
    dataset = read(content, images=tmp_path)
    assert {(frame.width, frame.height) for frame in dataset.frames} == {(100, 80)}
    assert any(note.startswith("image sizes absent") for note in dataset.notes)


def test_a_merge_that_mixed_up_ids_is_refused_even_when_dropping(read):
    content = document()
    for number in range(3, 11):
        content["images"].append({"id": number, "file_name": f"{number}.jpg", "width": 100, "height": 80})
        annotation = {**copy.deepcopy(content["annotations"][0]), "id": number, "image_id": number}
        if number > 7:
            annotation["keypoints"] = [110, 90, 2, 120, 130, 2, 130, 140, 2]
            annotation["bbox"] = [100, 80, 50, 70]
        content["annotations"].append(annotation)
    with pytest.raises(BadInputs, match="mixed up by a merge") as caught:
        read(content, on_problem="drop")
    assert len(caught.value.problems) == 3


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("old")
    lost = Person(np.full((3, 2), np.nan), np.array([2, 2, 2], np.uint8), np.array([0.0, 0, 1, 1]), 1.0)
    with pytest.raises(ValueError):
        write_coco(Dataset(SKELETON, (Frame("a.jpg", 1, 1, (lost,)),)), path)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


FORMATS = Path("formats")
GYM = FORMATS / "cvat_coco_keypoints/finetune_gym"
TIGER = FORMATS / "cvat_coco_keypoints/keira_tiger"
DATUMARO = FORMATS / "cvat_coco_keypoints/datumaro_test"
MMPOSE = FORMATS / "mmpose_tests"
OUT, EMPTY = "joints outside the image, kept (", "images without labelled joints, left out ("
NOBODY = "people with a box but no labelled joint, kept beside others ("
LIES = "num_keypoints that lie, counted anew ("


@pytest.mark.real
@pytest.mark.parametrize(
    ("labels", "images", "frames", "people", "joints", "notes"),
    [
        ("flops/annotations.json", "flops/images", 27, 27, 14, []),
        ("lspe/annotations.json", "lspe/images", 2400, 2400, 14, ["boxes that reach outside the image, kept (1)"]),
        (GYM / "annotations_v1/correct_n2_3_7_100.json", GYM / "images", 102, 102, 17, [OUT + "67)", EMPTY + "477)"]),
        (GYM / "annotations_v1/lumbar_3_7_dell_111.json", GYM / "images", 108, 108, 17, [OUT + "79)", EMPTY + "356)"]),
        (GYM / "annotations_v1/merged_coco.json", GYM / "images", 210, 210, 17, [OUT + "146)"]),
        (GYM / "annotations_v1/split/train_coco.json", GYM / "images", 142, 142, 17, [OUT + "137)"]),
        (GYM / "annotations_v1/split/val_coco.json", GYM / "images", 29, 29, 17, [OUT + "4)"]),
        (GYM / "annotations_v1/split/test_coco.json", GYM / "images", 39, 39, 17, [OUT + "5)"]),
        (MMPOSE / "coco/test_coco.json", MMPOSE / "coco", 4, 14, 17, [NOBODY + "2)"]),
        (MMPOSE / "coco/test_coco_wholebody.json", MMPOSE / "coco", 4, 14, 17, [NOBODY + "2)"]),
        (MMPOSE / "crowdpose/test_crowdpose.json", MMPOSE / "crowdpose", 2, 5, 14, [LIES + "4)", NOBODY + "1)"]),
        (TIGER / "person_keypoints_default.json", None, 2, 2, 13, []),
    ],
)
def test_sound_real_files(shared, labels, images, frames, people, joints, notes):
    dataset = read_coco(shared / labels, images=None if images is None else shared / images)
    assert len(dataset) == frames
    assert sum(len(frame.people) for frame in dataset.frames) == people
    assert len(dataset.skeleton) == joints
    for note in notes:
        assert any(line.startswith(note) for line in dataset.notes), dataset.notes
    assert bool(dataset.notes) == bool(notes)


@pytest.mark.real
@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        (GYM / "annotations_v1/merged1_coco.json", "the image ids seem mixed up by a merge"),
        (DATUMARO / "annotations/person_keypoints_train.json", "category 'b' does not name them"),
        (DATUMARO / "annotations/person_keypoints_val.json", "category 'b' does not name them"),
        (MMPOSE / "coco/test_coco_det_AP_H_56.json", "is results of a model"),
        (MMPOSE / "crowdpose/test_crowdpose_det_AP_40.json", "is results of a model"),
        (FORMATS / "label_studio/sdk_test/data_keypoints.json", "is Label Studio's JSON"),
        (FORMATS / "cvat_video_xml/volleyball_phases/non_spike_regions.json", "has no list 'images'"),
        (FORMATS / "cvat_coco_keypoints/keira_tiger/data.yaml", "is YOLO pose labels .* bring it in with"),
        (FORMATS / "cvat_coco_keypoints/keira_tiger/tiger.zip", "holds YOLO's text labels"),
    ],
)
def test_bad_real_files(shared, labels, problem):
    with pytest.raises(BadInput, match=problem):
        read_coco(shared / labels)


@pytest.mark.real
def test_real_tool_names_reach_the_configured_skeleton(shared, skeletons):
    own = read_coco(shared / GYM / "annotations_v1/merged_coco.json")
    mapped = read_coco(shared / GYM / "annotations_v1/merged_coco.json", skeletons["coco17"])
    assert own.skeleton.joints[5] == "Left Shoulder" and mapped.skeleton.joints[5] == "left_shoulder"
    for first, second in zip(own.frames, mapped.frames, strict=True):
        same_frame(first, second)
    with pytest.raises(BadInputs, match="of the 14 joints of skeleton 'lsp14'"):
        read_coco(
            shared / FORMATS / "cvat_coco_keypoints/keira_tiger/person_keypoints_default.json", skeletons["lsp14"]
        )


@pytest.mark.real
@pytest.mark.parametrize("name", ["flops", "lspe"])
def test_real_sets_survive_a_round_trip(shared, skeletons, tmp_path, name):
    dataset = read_coco(shared / name / "annotations.json", skeletons["lsp14"])
    write_coco(dataset, tmp_path / "a.json")
    again = read_coco(tmp_path / "a.json", skeletons["lsp14"])
    by_name = {frame.file_name: frame for frame in dataset.frames}
    assert len(again) == len(dataset)
    for frame in again.frames:
        same_frame(by_name[frame.file_name], frame)


@pytest.mark.parametrize(
    ("legs", "visible", "box"),
    [
        ([40, 70, 1, 42, 90, 1], [2, 0, 0], [10, 5, 60, 45]),
        ([40, 30, 1, 42, 90, 1], [2, 2, 1], [10, 5, 60, 45]),
    ],
)
def test_labels_are_judged_by_all_their_joints_and_go_on_with_fewer(tmp_path, legs, visible, box):
    """An athlete whom the picture cuts at the hip, with the skeleton of the legs; and read again as it was written."""
    joints = ["nose", "left_eye", "right_eye", "left_hip", "left_knee", "left_ankle"]
    keypoints = [20, 10, 2, 22, 9, 2, 18, 9, 2, 30, 40, 2, *legs]
    content = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 64, "height": 48}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "keypoints": keypoints, "bbox": [10, 5, 50, 40]}],
        "categories": [{"id": 1, "name": "person", "keypoints": joints}],
    }
    (tmp_path / "labels.json").write_text(json.dumps(content))
    assert len(read_coco(tmp_path / "labels.json")) == 1
    lower = skeleton_of("legs", joints[3:])
    dataset = read_coco(tmp_path / "labels.json", lower)
    (person,) = dataset.frames[0].people
    assert (person.visibility > 0).tolist() == [v > 0 for v in visible]
    write_coco(dataset, tmp_path / "again.json")
    again = read_coco(tmp_path / "again.json", lower)
    assert again.frames[0].people[0].visibility.tolist() == person.visibility.tolist()


def test_a_box_that_holds_none_of_the_joints_that_are_left_is_widened(tmp_path):
    joints = ["nose", "left_eye", "right_eye", "left_hip", "left_knee"]
    keypoints = [20, 10, 2, 22, 9, 2, 18, 9, 2, 30, 40, 2, 30, 45, 2]
    content = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 64, "height": 48}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "keypoints": keypoints, "bbox": [15, 5, 10, 10]}],
        "categories": [{"id": 1, "name": "person", "keypoints": joints}],
    }
    (tmp_path / "labels.json").write_text(json.dumps(content))
    lower = skeleton_of("legs", joints[3:])
    dataset = read_coco(tmp_path / "labels.json", lower)
    assert dataset.frames[0].people[0].box.tolist() == [15, 5, 30, 45]
    assert any("widened" in note for note in dataset.notes)
    write_coco(dataset, tmp_path / "again.json")
    assert len(read_coco(tmp_path / "again.json", lower)) == 1
