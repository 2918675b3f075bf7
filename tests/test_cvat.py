"""CVAT's XML of images and of videos."""

from __future__ import annotations

import json
import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fosbury.errors import BadInput, BadInputs
from fosbury.formats.coco import read_coco, skeleton_of
from fosbury.formats.cvat.document import elements
from fosbury.formats.cvat.images import read_cvat_images
from fosbury.formats.cvat.meta import Meta
from fosbury.formats.cvat.video import read_cvat_video
from fosbury.formats.cvat.video_writing import write_video_labels
from fosbury.formats.cvat.writing import cvat_labels, write_images
from fosbury.formats.importing import import_labels
from fosbury.formats.registry import all_formats
from fosbury.media.video import write_video
from fosbury.pose import Dataset, Frame, Person

HEAD = '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n'
META = """<meta><task><name>jump</name><mode>{mode}</mode><labels>
<label><name>athlete</name><type>skeleton</type><svg>{svg}</svg></label>
<label><name>left_hip</name><type>points</type><parent>athlete</parent></label>
<label><name>right_hip</name><type>points</type><parent>athlete</parent></label>
</labels><source>jump.mp4</source>{size}</task></meta>"""
SVG = (
    "&lt;line data-node-from=&quot;1&quot; data-node-to=&quot;2&quot;&gt;&lt;/line&gt;"
    "&lt;circle data-node-id=&quot;2&quot; data-label-name=&quot;right_hip&quot;&gt;"
    "&lt;circle data-node-id=&quot;1&quot; data-label-name=&quot;left_hip&quot;&gt;"
).replace("&quot;", '"')


def document(path: Path, body: str, mode: str = "annotation", size: str = "") -> Path:
    path.write_text(HEAD + META.format(mode=mode, svg=SVG, size=size) + body + "</annotations>", encoding="utf-8")
    return path


def point(name: str, x: float, y: float, **state: object) -> str:
    given = "".join(f' {key}="{value}"' for key, value in state.items())
    return f'<points label="{name}" points="{x},{y}"{given}></points>'


def test_skeletons_by_name_with_their_states_boxes_and_tags(tmp_path):
    joints = point("right_hip", 9, 8, occluded=1, outside=0) + point("left_hip", 5, 4, occluded=0, outside=0)
    other = point("left_hip", 1, 1, outside=1) + point("right_hip", 30, 21)
    body = (
        '<image id="0" name="a b/ü.png" width="40" height="30">'
        f'<skeleton label="athlete">{joints}<attribute name="phase">Arch</attribute></skeleton>'
        f'<skeleton label="athlete">{other}</skeleton>'
        '<box label="athlete" xtl="29" ytl="20" xbr="35" ybr="25"/>'
        '<box label="athlete" xtl="2" ytl="2" xbr="12" ybr="12"/>'
        '<tag label="lumbar"></tag></image>'
    )
    dataset = read_cvat_images(document(tmp_path / "a.xml", body))
    (frame,) = dataset.frames
    assert dataset.skeleton.joints == ("left_hip", "right_hip") and dataset.skeleton.bones == ((0, 1),)
    assert (frame.file_name, frame.phase, frame.label) == ("a b/ü.png", "arch", "lumbar")
    first, second = frame.people
    assert first.visibility.tolist() == [2, 1] and first.keypoints.tolist() == [[5, 4], [9, 8]]
    assert first.box.tolist() == [2, 2, 12, 12] and second.box.tolist() == [29, 20, 35, 25]
    assert second.visibility.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("states", "people"),
    [
        ([{"group_id": 1}, {"group_id": 1}, {"group_id": 2}, {"group_id": 2}], [[5, 9], [25, 29]]),
        ([{}, {}, {}, {}], [[5, 9], [25, 29]]),
    ],
)
def test_single_points_make_people_by_group_or_box(tmp_path, states, people):
    places = [("left_hip", 5, 5), ("right_hip", 9, 6), ("left_hip", 25, 5), ("right_hip", 29, 6)]
    points = "".join(point(*place, **state) for place, state in zip(places, states, strict=True))
    boxes = "".join(f'<box label="p" xtl="{x}" ytl="1" xbr="{x + 12}" ybr="20"/>' for x in (1, 21))
    body = f'<image name="a.png" width="40" height="30">{points}{boxes}</image>'
    (frame,) = read_cvat_images(document(tmp_path / "a.xml", body)).frames
    assert [person.keypoints[:, 0].tolist() for person in frame.people] == people


def track(frames: list[tuple[int, float, dict[str, object]]]) -> str:
    parts = [f'<skeleton frame="{number}"/>' for number, _, _ in frames]
    for name, shift in (("left_hip", 0), ("right_hip", 4)):
        points = [point(name, x + shift, 9 + shift, frame=number, **state) for number, x, state in frames]
        parts.append(f'<track label="{name}">{"".join(points)}</track>')
    return f'<track id="0" label="athlete">{"".join(parts)}</track>'


def nested(frames: list[tuple[int, float, dict[str, object]]], **of_track: object) -> str:
    """Track of a skeleton as CVAT writes it: the joints of each frame inside its skeleton."""
    parts = []
    for number, x, state in frames:
        joints = "".join(point(name, x + shift, 9 + shift, **state) for name, shift in JOINTS.items())
        parts.append(f'<skeleton frame="{number}" keyframe="{state["keyframe"]}" z_order="0">{joints}</skeleton>')
    stated = "".join(f' {key}="{value}"' for key, value in of_track.items())
    return f'<track id="0" label="athlete"{stated}>{"".join(parts)}</track>'


JOINTS = {"left_hip": 0, "right_hip": 4}
FRAMES: list[tuple[int, float, dict[str, object]]] = [
    (10, 3, {"keyframe": 1, "outside": 0, "occluded": 1}),
    (13, 5, {"keyframe": 0, "outside": 0}),
    (16, 7, {"keyframe": 1, "outside": 0}),
    (19, 7, {"keyframe": 1, "outside": 1}),
]
SIZE = "<original_size><width>40</width><height>30</height></original_size>"


@pytest.mark.parametrize("written", [track, nested], ids=["by Datumaro", "by CVAT"])
def test_tracks_give_keyframes_with_their_phases_and_the_clip(tmp_path, written):
    phases = '<track label="take-off"><box frame="16" outside="0" xtl="1" ytl="1" xbr="9" ybr="9"/></track>'
    path = document(tmp_path / "a.xml", written(FRAMES) + phases, "interpolation", SIZE)
    frames = read_cvat_video(path).frames
    assert [(f.video, f.frame, f.phase, f.file_name) for f in frames] == [
        ("jump.mp4", 10, None, "frame_000010.png"),
        ("jump.mp4", 16, "takeoff", "frame_000016.png"),
    ]
    assert frames[0].people[0].visibility.tolist() == [1, 1] and frames[1].people[0].keypoints[0, 0] == 7
    assert [frame.frame for frame in read_cvat_video(path, every=True).frames] == [10, 13, 16]


def box_shape(frame: int, outside: int, **state: object) -> str:
    given = "".join(f' {key}="{value}"' for key, value in state.items())
    return f'<box frame="{frame}" outside="{outside}"{given} xtl="1" ytl="1" xbr="39" ybr="29"></box>'


def test_a_phase_spans_the_frames_between_its_shapes(tmp_path):
    spans = "".join(
        f'<track label="{label}">{box_shape(first, 0)}{box_shape(last, 1)}</track>'
        for label, first, last in (("Run-up", 0, 12), ("land", 16, 20))
    )
    keyframes = [(number, 3, {"keyframe": 1, "outside": 0}) for number in (0, 11, 12, 16, 19, 20)]
    path = document(tmp_path / "a.xml", spans + nested(keyframes), "interpolation", SIZE)
    phases = {frame.frame: frame.phase for frame in read_cvat_video(path).frames}
    assert phases == {0: "approach", 11: "approach", 12: None, 16: "landing", 19: "landing", 20: None}


def test_several_tracks_are_several_people_and_attributes_are_of_the_frame(tmp_path):
    body = "".join(
        nested([(5, x, {"keyframe": 1, "outside": 0})], group_id=group).replace("</skeleton>", said + "</skeleton>")
        for x, group, said in ((3, 1, '<attribute name="phase">Arch</attribute>'), (20, 2, ""))
    )
    box = box_shape(5, 0, keyframe=1).replace('"39"', '"35"')
    body += f'<track label="athlete" group_id="2">{box}</track>'
    (frame,) = read_cvat_video(document(tmp_path / "a.xml", body, "interpolation", SIZE)).frames
    assert frame.phase == "arch"
    assert [person.keypoints[:, 0].tolist() for person in frame.people] == [[3, 7], [20, 24]]
    assert frame.people[0].box.tolist() == [3, 9, 7, 13] and frame.people[1].box.tolist() == [1, 1, 35, 29]


def test_tracks_of_single_points_make_a_person_by_their_group(tmp_path):
    def one(name: str, x: float, group: int, keyframe: int) -> str:
        return f'<track label="{name}" group_id="{group}">{point(name, x, 9 + x, frame=4, keyframe=keyframe)}</track>'

    body = one("right_hip", 9, 1, 0) + one("left_hip", 5, 1, 1) + one("left_hip", 15, 2, 0) + one("right_hip", 19, 2, 1)
    (frame,) = read_cvat_video(document(tmp_path / "a.xml", body, "interpolation", SIZE)).frames
    assert [person.keypoints[:, 0].tolist() for person in frame.people] == [[9, 5], [19, 15]]
    ungrouped = body.replace(' group_id="2"', "").replace(' group_id="1"', "")
    with pytest.raises(BadInputs, match="frame 4: left_hip, right_hip twice; a group or a box for each person"):
        read_cvat_video(document(tmp_path / "b.xml", ungrouped, "interpolation", SIZE))


TASKS = """<meta><project><name>club</name><tasks>
<task><id>7</id><name>first</name><size>4</size><mode>interpolation</mode><subset>train</subset>
<start_frame>10</start_frame><stop_frame>19</stop_frame><frame_filter>step=3</frame_filter>
<original_size><width>40</width><height>30</height></original_size><source>one.mp4</source></task>
<task><id>8</id><name>second</name><size>50</size><mode>interpolation</mode><subset>train</subset>
<start_frame>0</start_frame><stop_frame>49</stop_frame><frame_filter></frame_filter>
<original_size><width>50</width><height>30</height></original_size><source>two.mp4</source></task>
<task><id>9</id><name>third</name><size>50</size><mode>interpolation</mode><subset>test</subset>
<start_frame>0</start_frame><stop_frame>49</stop_frame><frame_filter></frame_filter>
<original_size><width>40</width><height>30</height></original_size><source>three.mp4</source></task>
</tasks></project></meta>"""
OF_TASKS = [(7, "train", 16, "one.mp4", 16), (8, "train", 22 + 5, "two.mp4", 5), (9, "test", 16, "three.mp4", 16)]
"""A project counts its frames through the tasks of a subset: the second begins at 10 + 4 * 3."""


def project(path: Path, body: str) -> Path:
    path.write_text(HEAD + TASKS + body + "</annotations>", encoding="utf-8")
    return path


def test_a_project_of_clips_as_videos(tmp_path):
    body = "".join(
        nested([(number, 3, {"keyframe": 1, "outside": 0})], task_id=task, subset=subset)
        for task, subset, number, _, _ in OF_TASKS
    )
    frames = read_cvat_video(project(tmp_path / "a.xml", body)).frames
    assert [(f.file_name, f.video, f.frame, f.width) for f in frames] == [
        (f"{subset}/frame_{number:06d}.png", clip, frame, 50 if task == 8 else 40)
        for task, subset, number, clip, frame in OF_TASKS
    ]
    wrong = nested([(23, 3, {"keyframe": 1, "outside": 0})], task_id=7, subset="train")
    with pytest.raises(BadInputs, match=r"frame 23: is none that its task can have of one\.mp4"):
        read_cvat_video(project(tmp_path / "b.xml", body + wrong))
    kept = read_cvat_video(project(tmp_path / "b.xml", body + wrong), on_problem="drop")
    assert len(kept) == 3 and kept.notes[0].startswith("left out for a problem: frame 23")


def test_clips_exported_as_images_keep_clip_and_frame(tmp_path):
    joints = point("left_hip", 5, 4) + point("right_hip", 9, 8)
    body = "".join(
        f'<image id="{number}" name="frame_{number:06d}" subset="{subset}" task_id="{task}" width="40" height="30">'
        f'<skeleton label="athlete">{joints}</skeleton></image>'
        for task, subset, number, _, _ in OF_TASKS
    )
    path = project(tmp_path / "a.xml", body)
    (tmp_path / "images/test").mkdir(parents=True)
    Image.new("RGB", (40, 30)).save(tmp_path / "images/test/frame_000016.PNG")
    places = [(frame.video, frame.frame) for frame in read_cvat_images(path).frames]
    assert places == [(clip, frame) for *_, clip, frame in OF_TASKS]

    def there(frame: Frame) -> Path | None:
        return tmp_path / "images" / frame.file_name if frame.video == "three.mp4" else None

    assert read_cvat_images(path, None, there).frames[2].file_name == "test/frame_000016.PNG"


def test_pictures_of_a_project_lie_by_subset_or_together(tmp_path):
    joints = point("left_hip", 5, 4) + point("right_hip", 9, 8)
    body = "".join(
        f'<image name="{name}" subset="train" task_id="1" width="40" height="30">'
        f'<skeleton label="athlete">{joints}</skeleton></image>'
        for name in ("sub/ü 1.png", "b.png")
    )
    path = document(tmp_path / "a.xml", body)
    for name, at in ((0, "images/train/sub/ü 1.png"), (40, "images/b.png")):
        (tmp_path / at).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30), (name, 0, 0)).save(tmp_path / at)
    done = import_labels(path, name="club", root=tmp_path / "raw")
    assert sorted(each.name for each in (done.folder / "images").rglob("*.png")) == ["b.png", "ü 1.png"]


def test_tracks_over_pictures_are_refused_for_they_do_not_name_them(tmp_path):
    path = (
        document(tmp_path / "a.xml", nested(FRAMES), "annotation").read_text().replace("<source>jump.mp4</source>", "")
    )
    (tmp_path / "a.xml").write_text(path)
    with pytest.raises(BadInput, match="of a task of pictures, which it does not name; export it as 'CVAT for images"):
        read_cvat_video(tmp_path / "a.xml")


def test_frames_of_a_track_come_from_the_clip_beside_it(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (20, 30, 40, 3), np.uint8)
    write_video(tmp_path / "jump.mp4", iter(pixels), 25)
    path = document(tmp_path / "a.xml", track(FRAMES), "interpolation", SIZE)
    done = import_labels(path, name="club", root=tmp_path / "raw")
    assert (done.format, done.frames, done.videos) == ("cvat_video", 2, 1)
    assert (done.folder / "videos/jump.mp4").is_file()


def test_an_export_of_cvat_as_it_comes_in_its_archive(tmp_path):
    joints = point("left_hip", 5, 4) + point("right_hip", 9, 8)
    body = f'<image name="b/ü 1.png" width="40" height="30"><skeleton label="athlete">{joints}</skeleton></image>'
    Image.new("RGB", (40, 30)).save(tmp_path / "1.png")
    with zipfile.ZipFile(tmp_path / "task_1.zip", "w") as archive:
        archive.write(document(tmp_path / "a.xml", body), "annotations.xml")
        archive.write(tmp_path / "1.png", "images/b/ü 1.png")
    done = import_labels(tmp_path / "task_1.zip", name="club", root=tmp_path / "raw")
    assert (done.format, done.frames) == ("cvat_images", 1) and (done.folder / "images/b/ü 1.png").is_file()


def test_a_clip_that_is_not_there_is_said(tmp_path):
    path = document(tmp_path / "a.xml", nested(FRAMES), "interpolation", SIZE)
    with pytest.raises(BadInput, match=r"frames of jump\.mp4, which is not there, nor are its frames, such as frame_"):
        import_labels(path, name="club", root=tmp_path / "raw")
    (tmp_path / "images").mkdir()
    for frame in (10, 16):
        Image.new("RGB", (40, 30), (frame, 0, 0)).save(tmp_path / f"images/frame_{frame:06d}.PNG")
    assert import_labels(path, name="club", root=tmp_path / "raw").frames == 2


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            HEAD.replace("<annotations>", BOMB + "<annotations>") + "<image name='&b;'/></annotations>",
            "declares entities",
        ),
        (
            HEAD.replace("<annotations>", '<!DOCTYPE x SYSTEM "file:///etc/passwd"><annotations>') + "<image/>",
            "cut off",
        ),
        (HEAD + "<image name='a'>", "cut off"),
        (HEAD + '<image name="a.png" width="9" height="9"/></annotations>', "holds no joints"),
        (HEAD + '<image><box xtl="1" ytl="1" xbr="3" ybr="3"/></image></annotations>', "holds 1 boxes and no joints"),
        (HEAD + '<image><points label="all" points="1,2;3,4"/></image></annotations>', "up to 2 of 'all' in one shape"),
        (HEAD + 30 * "<image>" + 30 * "</image>" + "</annotations>", "nests deeper than 20 levels"),
        (HEAD + f"<image>{200_000 * '<box/>'}</image></annotations>", "over 200000 elements in one"),
    ],
)
def test_files_that_hold_no_joints_or_attack(tmp_path, text, problem):
    (tmp_path / "a.xml").write_text(text)
    with pytest.raises(BadInput, match=problem):
        read_cvat_images(tmp_path / "a.xml")


def test_a_name_that_climbs_out_is_refused(tmp_path):
    joints = point("left_hip", 5, 4) + point("right_hip", 9, 8)
    body = f'<image name="../../a.png" width="40" height="30"><skeleton label="athlete">{joints}</skeleton></image>'
    with pytest.raises(BadInputs, match="climbs out"):
        read_cvat_images(document(tmp_path / "a.xml", body))


def test_a_doubtful_joint_is_marked_and_stays_visible(tmp_path):
    keypoints = np.array([[5.0, 4.0], [9.0, 8.0]])
    person = Person(keypoints, np.array([2, 2], np.uint8), np.array([4.0, 3, 10, 9]), 18.0, np.array([0.9, 0.2]))
    dataset = Dataset(skeleton_of("person", ["left_hip", "right_hip"]), (Frame("a.png", 40, 30, (person,)),))
    write_images(dataset, tmp_path)
    text = (tmp_path / "annotations.xml").read_text()
    assert text.count('<attribute name="doubtful">true</attribute>') == 1 and 'outside="1"' not in text
    assert read_cvat_images(tmp_path / "annotations.xml").frames[0].people[0].visibility.tolist() == [2, 2]


def test_videos_are_written_by_clip_and_a_person_who_is_gone_is_outside(tmp_path):
    def person(x: float) -> Person:
        keypoints = np.array([[x, 4.0], [x + 4, 8.0]])
        return Person(keypoints, np.array([2, 1], np.uint8), np.array([x - 1, 3, x + 5, 9]), 18.0)

    skeleton = skeleton_of("person", ["left_hip", "right_hip"])
    frames = [
        Frame("a.png", 40, 30, (person(5), person(20)), video="a.mp4", frame=3),
        Frame("b.png", 40, 30, (person(6),), video="a.mp4", frame=7, phase="arch"),
        Frame("c.png", 40, 30, (person(5),), video="a.mov", frame=0),
    ]
    write_video_labels(Dataset(skeleton, tuple(frames)), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mov.xml", "a.mp4.xml"]
    text = (tmp_path / "a.mp4.xml").read_text()
    assert text.count('outside="1"') == 3 and text.count("<track") == 4  # two joints and a box of who is gone
    (first, second) = read_cvat_video(tmp_path / "a.mp4.xml").frames
    assert [len(frame.people) for frame in (first, second)] == [2, 1] and second.phase == "arch"
    still = Dataset(skeleton, (Frame("d.png", 40, 30, (person(5),)),))
    with pytest.raises(BadInput, match="names no clip and frame of it; write pictures as 'cvat_images'"):
        write_video_labels(still, tmp_path / "other")
    larger = replace(frames[0], width=80, frame=9)
    with pytest.raises(BadInput, match="has frames of 40x30 and 80x30"):
        write_video_labels(Dataset(skeleton, (*frames, larger)), tmp_path)


def test_a_track_as_cvats_importer_wants_it(tmp_path):
    """Every attribute that CVAT's reader of tracks looks up without a default is there (its formats/cvat.py)."""
    keypoints = np.array([[5.0, 4.0], [np.nan, np.nan]])
    person = Person(keypoints, np.array([2, 0], np.uint8), np.array([4.0, 3, 10, 9]), 18.0)
    frame = Frame("a.png", 40, 30, (person,), video="a.mp4", frame=3)
    write_video_labels(Dataset(skeleton_of("person", ["left_hip", "right_hip"]), (frame,)), tmp_path)
    needed = {
        "skeleton": {"frame", "keyframe"},
        "box": {"frame", "keyframe", "xtl", "ytl", "xbr", "ybr"},
        "points": {"label", "occluded", "outside", "keyframe", "points"},
    }
    for around, element in elements(tmp_path / "a.xml", Meta()):
        for each in element.iter() if around else ():
            assert needed.get(each.tag, {"name"}) <= each.attrib.keys()
        assert all(parent.get("label") == "athlete" for parent in around)


def test_labels_to_paste_name_every_joint(tmp_path):
    skeleton = skeleton_of("legs", ["left_hip", "a & b"], [(0, 1)])
    athlete = json.loads(json.dumps(cvat_labels(skeleton)))[0]
    assert [joint["name"] for joint in athlete["sublabels"]] == ["left_hip", "a & b"]
    assert athlete["svg"].count("<circle") == 2 and 'data-label-name="a &amp; b"' in athlete["svg"]


def test_a_large_file_is_read_element_by_element(tmp_path):
    """Elements are gone once they are read; bench/formats.py measures it with 20,000 images."""
    image = '<image name="{0}.png" width="40" height="30"><skeleton label="athlete">{1}</skeleton></image>'
    joints = "".join(point(f"joint {n}", n, n, occluded=0, outside=0) for n in range(17))
    path = document(tmp_path / "a.xml", "".join(image.format(n, joints) for n in range(2_000)))
    assert path.stat().st_size > 2 * 2**20
    tracemalloc.start()
    count = sum(each.tag == "image" for _, each in elements(path, Meta()))
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 2_000 and held < 2**19, f"{held} bytes"


def test_cvats_own_samples(shared, tmp_path):
    train = shared / "formats/cvat_images_xml/datumaro_test/train.xml"
    frames = read_cvat_images(train).frames
    assert [person.visibility.tolist() for frame in frames for person in frame.people] == [[0, 2, 2, 2], [2, 2, 0, 2]]
    meta = Meta()
    assert sum(each.tag == "image" for _, each in elements(train, meta)) == 2 and meta.bones["skeleton"] == [
        ("3", "2"),
        ("1", "4"),
    ]
    video = shared / "formats/cvat_video_xml/datumaro_test/annotations.xml"
    with pytest.raises(BadInputs, match="4 of its 4 joints lie outside the image of 25x20"):
        read_cvat_video(video)
    keytool = shared / "formats/cvat_images_xml/keytool/annotations.xml"
    with pytest.raises(BadInput, match="up to 5 of 'keytool' in one shape"):
        read_cvat_images(keytool)
    with pytest.raises(BadInput, match="tracks of approach, jump, landing, swing and no joints"):
        read_cvat_video(shared / "formats/cvat_video_xml/volleyball_phases/annotations.xml")


def test_each_kind_of_file_is_taken_for_what_it_is(tmp_path):
    joints = point("left_hip", 5, 4) + point("right_hip", 9, 8)
    body = f'<image name="a.png" width="40" height="30"><skeleton label="athlete">{joints}</skeleton></image>'
    images = document(tmp_path / "images.xml", body)
    video = document(tmp_path / "video.xml", track(FRAMES), "interpolation", SIZE)
    found = [[kind.name for kind in all_formats() if kind.sniff(path)] for path in (images, video)]
    assert found == [["cvat_images"], ["cvat_video", "cvat_video_every"]]
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    assert import_labels(images, name="club", root=tmp_path / "raw").format == "cvat_images"


def test_shapes_that_are_no_joints_are_counted_and_a_joint_nowhere_is_said(tmp_path):
    joints = point("left_hip", 5, 4) + point("right_hip", 9, 8)
    others = (
        '<polyline label="bar" points="1,2;3,4"/><polyline label="bar" points="1,2;3,4"/><mask label="mat" rle="1"/>'
    )
    others += '<box label="athlete" xtl="1" ytl="1" xbr="20" ybr="20" rotation="30"/>'
    body = '<image id="0" name="a.png" width="40" height="30"><skeleton label="athlete">{}</skeleton>{}</image>'
    dataset = read_cvat_images(document(tmp_path / "a.xml", body.format(joints, others)))
    assert dataset.frames[0].people[0].box.tolist() == [5, 4, 9, 8]
    passed = "1 box 'athlete' that is turned, 1 mask 'mat', 2 polyline 'bar'"
    assert dataset.notes[0] == f"shapes that are no joints, passed over: {passed}"
    document(tmp_path / "a.xml", body.format(joints.replace("5,4", "5,0,4,0"), ""))
    with pytest.raises(BadInputs, match=r"a\.png: 'left_hip' of 'athlete' lies at '5,0,4,0'"):
        read_cvat_images(tmp_path / "a.xml")


def test_form_labels_of_attributes_and_tags_are_kept_by_an_import(tmp_path):
    """An attribute of the athlete, one of the box around it, a tag; what a track of a clip says goes the same way."""
    skeleton = f'<skeleton label="athlete">{point("left_hip", 5, 4)}{point("right_hip", 9, 8)}{{}}</skeleton>'
    said = '<attribute name="{}">{}</attribute>'
    box = '<box label="athlete" xtl="1" ytl="1" xbr="20" ybr="20">{}</box>'
    bodies = [
        skeleton.format(said.format("Form label", "lumbar")),
        skeleton.format("") + box.format(said.format("form", "correct")),
        skeleton.format("") + '<tag label="knee"/><tag label="Flight"/>',
        skeleton.format(said.format("label", "none")),
    ]
    names = [f"{number}.png" for number in range(len(bodies))]
    for seed, name in enumerate(names):
        Image.fromarray(np.random.default_rng(seed).integers(0, 255, (30, 40, 3), np.uint8)).save(tmp_path / name)
    images = [
        f'<image name="{name}" width="40" height="30">{body}</image>' for name, body in zip(names, bodies, strict=True)
    ]
    document(tmp_path / "annotations.xml", "".join(images))
    done = import_labels(tmp_path, name="club", root=tmp_path / "raw")
    frames = read_coco(done.folder / "annotations.json").frames
    assert [frame.label for frame in frames] == ["lumbar", "correct", "knee", None]
    assert [frame.phase for frame in frames] == [None, None, "flight", None]
    assert dict(done.labels) == {"correct": 1, "knee": 1, "lumbar": 1}
