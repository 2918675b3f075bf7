"""CVAT's XML of images and of videos."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fosbury.errors import BadInput, BadInputs
from fosbury.formats.coco import skeleton_of
from fosbury.formats.cvat.document import elements
from fosbury.formats.cvat.images import read_cvat_images
from fosbury.formats.cvat.meta import Meta
from fosbury.formats.cvat.video import read_cvat_video
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


FRAMES: list[tuple[int, float, dict[str, object]]] = [
    (10, 3, {"keyframe": 1, "outside": 0, "occluded": 1}),
    (13, 5, {"keyframe": 0, "outside": 0}),
    (16, 7, {"keyframe": 1, "outside": 0}),
    (19, 7, {"keyframe": 1, "outside": 1}),
]
SIZE = "<original_size><width>40</width><height>30</height></original_size>"


def test_tracks_give_keyframes_with_their_phases_and_the_clip(tmp_path):
    phases = '<track label="take-off"><box frame="16" outside="0" xtl="1" ytl="1" xbr="9" ybr="9"/></track>'
    path = document(tmp_path / "a.xml", track(FRAMES) + phases, "interpolation", SIZE)
    frames = read_cvat_video(path).frames
    assert [(f.video, f.frame, f.phase, f.file_name) for f in frames] == [
        ("jump.mp4", 10, None, "frame_000010.png"),
        ("jump.mp4", 16, "takeoff", "frame_000016.png"),
    ]
    assert frames[0].people[0].visibility.tolist() == [1, 1] and frames[1].people[0].keypoints[0, 0] == 7
    assert [frame.frame for frame in read_cvat_video(path, every=True).frames] == [10, 13, 16]


def test_frames_of_a_track_come_from_the_clip_beside_it(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (20, 30, 40, 3), np.uint8)
    write_video(tmp_path / "jump.mp4", iter(pixels), 25)
    path = document(tmp_path / "a.xml", track(FRAMES), "interpolation", SIZE)
    done = import_labels(path, name="club", root=tmp_path / "raw")
    assert (done.format, done.frames, done.videos) == ("cvat_video", 2, 1)
    assert (done.folder / "videos/jump.mp4").is_file()


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


def test_labels_to_paste_name_every_joint(tmp_path):
    skeleton = skeleton_of("legs", ["left_hip", "a & b"], [(0, 1)])
    athlete = json.loads(json.dumps(cvat_labels(skeleton)))[0]
    assert [joint["name"] for joint in athlete["sublabels"]] == ["left_hip", "a & b"]
    assert athlete["svg"].count("<circle") == 2 and 'data-label-name="a &amp; b"' in athlete["svg"]


def test_a_large_file_is_read_element_by_element(tmp_path):
    """The elements of 20,000 images are gone once they are read: what is held does not grow with the file."""
    image = '<image name="{0}.png" width="40" height="30"><skeleton label="athlete">{1}</skeleton></image>'
    joints = "".join(point(f"joint {n}", n, n, occluded=0, outside=0) for n in range(17))
    path = document(tmp_path / "a.xml", "".join(image.format(n, joints) for n in range(20_000)))
    code = (
        "import resource, sys; from pathlib import Path; from fosbury.formats.cvat.document import elements\n"
        "from fosbury.formats.cvat.meta import Meta\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "count = sum(each.tag == 'image' for _, each in elements(Path(sys.argv[1]), Meta()))\n"
        "print(count, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)"
    )
    out = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True).stdout
    count, grown = map(int, out.split())
    assert count == 20_000 and path.stat().st_size > 20 * 2**20
    assert grown < 10, f"{grown} MiB"


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
