"""From a stranger's folder or archive to checked labels with pictures that exist."""

import io
import json
import os
import stat
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image

from fosbury.dataset.merge import merge
from fosbury.errors import BadInput, BadInputs
from fosbury.formats.coco import read_coco, skeleton_of
from fosbury.formats.importing import import_labels
from fosbury.formats.sets import annotations_of_sets, annotations_report, extract_sets, find_sets
from fosbury.media.extract import extract_clips
from fosbury.media.image import read_image
from fosbury.media.video import write_video
from fosbury.stages import annotations as annotations_stage
from fosbury.stages import frames as frames_stage
from fosbury.stages.running import run

ROOT = Path(__file__).parents[1]
JOINTS = ["Nose", "Left Hip", "Right Hip"]
SKELETON = skeleton_of("small", ["left_hip", "right_hip", "nose"])


def labels(names, size=(64, 48), joints=JOINTS, **extra):
    """A COCO file that labels one person in each of the images."""
    images, people = [], []
    for number, name in enumerate(names, 1):
        entry = {"id": number, "file_name": name, "width": size[0], "height": size[1]}
        images.append(entry | {key: value[number - 1] for key, value in extra.items()})
        keypoints = [number, 5, 2] + [10, 20, 1] * (len(joints) - 1)
        people.append(
            {"id": number, "image_id": number, "category_id": 1, "keypoints": keypoints, "bbox": [0, 0, 30, 30]}
        )
    return {"images": images, "annotations": people, "categories": [{"id": 1, "name": "p", "keypoints": list(joints)}]}


def picture(path, size=(64, 48), shade=100):
    """Write a picture, of another colour for each path: equal pictures are one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (shade, *zlib.crc32(str(path).encode()).to_bytes(4)[:2])).save(path)


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def clip(path, count=12):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(path, [np.full((48, 64, 3), 20 + 15 * index, np.uint8) for index in range(count)], 25, crf=5)
    return path


def stills(folder, names=("a.jpg", "b.jpg")):
    for shade, name in enumerate(names):
        picture(folder / "images" / name, shade=60 * shade)
    write(folder / "annotations.json", labels(names))
    return folder


def clips(folder, **frames):
    """A set of clips of 12 frames; ``jump=[3, 5]`` labels frames 3 and 5 of jump.mp4."""
    names = [(f"{stem}.mp4", number) for stem, numbers in frames.items() for number in numbers]
    for stem in frames:
        clip(folder / "videos" / f"{stem}.mp4")
    files = [f"{name[:-4]}/{number:06d}.jpg" for name, number in names]
    labelled = labels(files, video=[name for name, _ in names], frame=[number for _, number in names])
    write(folder / "annotations.json", labelled)
    return folder


def pack(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def everything(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def raw(tmp_path):
    return tmp_path / "repo" / "data" / "raw"


class TestImport:
    def test_stills_are_copied_with_canonical_labels(self, tmp_path, raw):
        source = stills(tmp_path / "mine")
        picture(source / "images" / "unlabelled.jpg")
        summary = import_labels(source, name="club", root=raw)
        assert everything(raw) == [
            "club/annotations.json", "club/images/a.jpg", "club/images/b.jpg", "club/notes.txt",
        ]  # fmt: skip
        assert (summary.frames, summary.people, summary.joints, summary.occluded) == (2, 2, 6, 4)
        assert summary.folder == raw / "club" and summary.joint_names == tuple(JOINTS)
        dataset = read_coco(raw / "club" / "annotations.json", images=raw / "club" / "images")
        assert dataset.skeleton.joints == tuple(JOINTS)
        assert dataset.frames[1].people[0].keypoints[0].tolist() == [2, 5]
        assert (raw / "club/images/a.jpg").stat().st_ino != (source / "images/a.jpg").stat().st_ino

    def test_importing_twice_gives_the_same_bytes(self, tmp_path, raw):
        source = stills(tmp_path / "mine")
        for name in ("one", "two"):
            import_labels(source, name=name, root=raw)
        for name in everything(raw / "one"):
            assert (raw / "one" / name).read_bytes() == (raw / "two" / name).read_bytes()

    def test_a_file_of_labels_with_its_images_elsewhere(self, tmp_path, raw):
        picture(tmp_path / "photos" / "a.jpg")
        path = write(tmp_path / "export" / "my labels.json", labels(["a.jpg"]))
        import_labels(path, tmp_path / "photos", "club", raw)
        assert "club/images/a.jpg" in everything(raw)

    def test_cvats_layout_with_equal_names_in_two_subsets(self, tmp_path, raw):
        for subset, shade in (("train", 10), ("val", 200)):
            picture(tmp_path / "cvat" / "images" / subset / "a.jpg", shade=shade)
            joints = JOINTS if subset == "train" else JOINTS[::-1]
            write(tmp_path / "cvat/annotations" / f"person_keypoints_{subset}.json", labels(["a.jpg"], joints=joints))
        write(tmp_path / "cvat/annotations/instances_train.json", {"no": "keypoints"})
        summary = import_labels(tmp_path / "cvat", name="club", root=raw)
        assert summary.frames == 2
        dataset = read_coco(raw / "club/annotations.json", images=raw / "club/images")
        assert [frame.file_name for frame in dataset.frames] == ["train/a.jpg", "val/a.jpg"]
        assert read_image(raw / "club/images/val/a.jpg")[0, 0, 0] > 190
        first, second = (frame.people[0].visibility for frame in dataset.frames)
        assert first.tolist() == [2, 1, 1] and second.tolist() == [1, 1, 2]

    def test_roboflows_layout(self, tmp_path, raw):
        for subset in ("train", "valid"):
            picture(tmp_path / "rf" / subset / f"{subset}.jpg")
            write(tmp_path / "rf" / subset / "_annotations.coco.json", labels([f"{subset}.jpg"]))
        import_labels(tmp_path / "rf", name="club", root=raw)
        assert {"club/images/train/train.jpg", "club/images/valid/valid.jpg"} <= set(everything(raw))

    def test_subsets_with_other_joints_are_refused(self, tmp_path, raw):
        for subset, joints in (("train", JOINTS), ("val", ["Nose", "Tail", "Ear"])):
            picture(tmp_path / "cvat/images" / subset / f"{subset}.jpg")
            content = labels([f"{subset}.jpg"], joints=joints)
            write(tmp_path / f"cvat/annotations/person_keypoints_{subset}.json", content)
        with pytest.raises(BadInput, match="has other joints"):
            import_labels(tmp_path / "cvat", name="club", root=raw)

    def test_an_archive_with_one_folder_around_it(self, tmp_path, raw):
        picture(tmp_path / "a.jpg")
        image = (tmp_path / "a.jpg").read_bytes()
        members = {
            "export/annotations/person_keypoints_default.json": json.dumps(labels(["a.jpg"])),
            "export/images/default/a.jpg": image,
            "export/readme.exe": "not wanted",
            "__MACOSX/export/images/default/._a.jpg": "junk",
        }
        import_labels(pack(tmp_path / "x.zip", members), name="club", root=raw)
        assert everything(raw) == ["club/annotations.json", "club/images/a.jpg", "club/notes.txt"]
        assert (raw / "club/images/a.jpg").read_bytes() == image

    def test_clips_come_along_and_their_frames_are_checked(self, tmp_path, raw):
        source = clips(tmp_path / "mine", jump=[3, 5], other=[0])
        clip(source / "videos" / "unlabelled.mp4")
        summary = import_labels(source, name="club", root=raw)
        assert (summary.frames, summary.videos) == (3, 2)
        assert everything(raw / "club") == ["annotations.json", "notes.txt", "videos/jump.mp4", "videos/other.mp4"]

    @pytest.mark.parametrize(
        ("change", "problem"),
        [
            ({"frame": 12}, r"jump\.mp4 has 12 frames, so none is number 12"),
            ({"height": 64}, r"jump\.mp4 is 64x48 upright, but 64x64 in the labels"),
            ({"video": "gone.mp4"}, "image files that do not exist"),
            ({"video": "sub/jump.mp4"}, "image files that do not exist|lies in a subfolder"),
        ],
    )
    def test_labels_that_do_not_fit_their_clip_are_refused(self, tmp_path, raw, change, problem):
        source = clips(tmp_path / "mine", jump=[3, 5])
        content = json.loads((source / "annotations.json").read_text())
        content["images"][0] |= change
        write(source / "annotations.json", content)
        with pytest.raises(BadInputs, match=problem):
            import_labels(source, name="club", root=raw)
        summary = import_labels(source, name="club", root=raw, drop_bad=True)
        assert summary.frames == 1 and len(summary.notes) > 0

    def test_a_picture_that_is_cut_off_is_refused_or_dropped(self, tmp_path, raw):
        source = stills(tmp_path / "mine")
        noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
        file = io.BytesIO()
        Image.fromarray(noise).save(file, "JPEG")
        (source / "images/b.jpg").write_bytes(file.getvalue()[:-400])
        with pytest.raises(BadInputs, match=r"b\.jpg: is cut off or damaged"):
            import_labels(source, name="club", root=raw)
        assert list(raw.iterdir()) == []
        assert import_labels(source, name="club", root=raw, drop_bad=True).frames == 1
        assert "images/b.jpg" not in everything(raw / "club")
        assert "b.jpg: is cut off or damaged" in (raw / "club/notes.txt").read_text()

    def test_bad_labels_are_refused_or_dropped_and_named(self, tmp_path, raw):
        source = stills(tmp_path / "mine")
        content = labels(["a.jpg", "b.jpg"])
        content["annotations"][1]["keypoints"][0] = "x"
        write(source / "annotations.json", content)
        with pytest.raises(BadInputs, match=r"annotation 2 on b\.jpg: Nose lies at 'x', 5"):
            import_labels(source, name="club", root=raw)
        summary = import_labels(source, name="club", root=raw, drop_bad=True)
        assert summary.frames == 1
        assert any("annotation 2 on b.jpg" in note for note in summary.notes)

    def test_a_taken_name_is_kept_as_it_was(self, tmp_path, raw):
        source = stills(tmp_path / "mine")
        import_labels(source, name="club", root=raw)
        before = {name: (raw / name).stat().st_mtime_ns for name in everything(raw)}
        with pytest.raises(BadInput, match="exists already; choose another --name"):
            import_labels(source, name="club", root=raw)
        assert {name: (raw / name).stat().st_mtime_ns for name in everything(raw)} == before

    @pytest.mark.parametrize("name", ["", "..", "../x", "a/b", ".hidden", "a b", "x" * 99, "a\n"])
    def test_a_name_that_is_no_folder_is_refused(self, tmp_path, raw, name):
        with pytest.raises(BadInput, match="--name"):
            import_labels(stills(tmp_path / "mine"), name=name, root=raw)

    def test_a_folder_without_labels_and_a_path_that_is_nowhere_are_refused(self, tmp_path, raw):
        (tmp_path / "empty").mkdir()
        with pytest.raises(BadInput, match="holds no labels"):
            import_labels(tmp_path / "empty", name="club", root=raw)
        with pytest.raises(BadInput, match="does not exist"):
            import_labels(tmp_path / "none", name="club", root=raw)
        with pytest.raises(BadInput, match="is not a folder"):
            import_labels(stills(tmp_path / "mine"), tmp_path / "none", "club", raw)


class TestClipsThatComeAsPictures:
    @staticmethod
    def units(raw, names=("club",)):
        return {name: read_coco(raw / name / "annotations.json").frames for name in names}

    @pytest.fixture
    def frames(self, tmp_path):
        videos = [clip(tmp_path / "clips" / f"{name}.mp4", count) for name, count in (("jump", 12), ("other", 8))]
        list(extract_clips(videos, tmp_path / "frames", every=4))
        return tmp_path / "frames"

    @pytest.mark.parametrize("flat", [False, True])
    def test_frames_of_ours_get_their_clip_and_time_back(self, tmp_path, raw, frames, flat):
        """From frames to data set as the README says it, though the tool's export knows file names alone."""
        names = [f"jump/{n:06d}.jpg" for n in (0, 4, 8)] + [f"other/{n:06d}.jpg" for n in (0, 4)]
        if flat:
            frames, names = frames / "jump", [name.removeprefix("jump/") for name in names[:3]]
        path = write(tmp_path / "export.json", labels(names))
        summary = import_labels(path, frames, "club", raw)
        assert summary.videos == (1 if flat else 2)
        assert "frames of" in summary.notes[0] and "jump.mp4" in summary.notes[0]
        found = read_coco(raw / "club/annotations.json", images=raw / "club/images").frames
        assert [(f.video, f.frame, f.timestamp_ms) for f in found[:3]] == [
            ("jump.mp4", 0, 0), ("jump.mp4", 4, 160), ("jump.mp4", 8, 320),
        ]  # fmt: skip
        extract_sets(raw, None, tmp_path / "out")
        assert everything(tmp_path / "out") == []
        (dataset,) = annotations_of_sets(raw, ".", None, "out", skeleton=SKELETON).values()
        assert {frame.unit for frame in dataset.frames} == ({"jump.mp4"} if flat else {"jump.mp4", "other.mp4"})
        assert [frame.timestamp_ms for frame in dataset.frames[:3]] == [0, 160, 320]
        assert read_image(raw / dataset.frames[2].file_name).mean() == pytest.approx(140, abs=3)

    def test_two_clips_of_one_name_stay_two_and_one_frame_twice_is_refused(self, tmp_path, raw):
        for day, count in (("mon", 12), ("tue", 8), ("wed", 8)):
            list(extract_clips([clip(tmp_path / day / "jump.mp4", count)], tmp_path / "frames" / day, every=4))
        names = ["mon/jump/000000.jpg", "tue/jump/000000.jpg"]
        import_labels(write(tmp_path / "a.json", labels(names)), tmp_path / "frames", "club", raw)
        assert len({frame.unit for frame in self.units(raw)["club"]}) == 2
        again = write(tmp_path / "b.json", labels(["tue/jump/000000.jpg", "wed/jump/000000.jpg"]))
        with pytest.raises(BadInputs, match=r"are both frame 0 of jump\.mp4"):
            import_labels(again, tmp_path / "frames", "bad", raw)

    @pytest.mark.parametrize(
        ("names", "groups"),
        [
            (["frame_000012.png", "frame_000013.png"], ["club", "club"]),
            (["a/frame_000012.png", "b/frame_000012_1.png"], ["club/a", "club/b"]),
            (["a_frame_000012.jpg", "b_frame_000012.jpg"], ["club/a", "club/b"]),
            (["a_mp4-0012_jpg.rf.0a1B.jpg", "b_mov-0012_jpg.rf.ff.jpg"], ["club/a", "club/b"]),
            (["jump/000012.jpg", "landing/000012.jpg"], ["club/jump", None]),
            (["im0001.jpg", "000000000785.jpg"], [None, None]),
        ],
    )
    def test_names_of_frames_tell_a_group(self, tmp_path, raw, names, groups):
        for name in names:
            picture(tmp_path / "x/images" / name)
        write(tmp_path / "x/annotations.json", labels(names))
        summary = import_labels(tmp_path / "x", name="club", root=raw)
        assert [frame.group for frame in self.units(raw)["club"]] == groups
        assert any("make" in note and "groups" in note for note in summary.notes) == any(groups)

    def test_roboflow_deals_the_frames_of_a_clip_over_its_subsets_and_cvat_does_not(self, tmp_path, raw):
        for subset in ("train", "valid"):
            name = f"jump_mp4-000{len(subset)}_jpg.rf.ab.jpg"
            picture(tmp_path / "rf" / subset / name)
            write(tmp_path / "rf" / subset / "_annotations.coco.json", labels([name]))
            picture(tmp_path / "cvat/images" / subset / "frame_000001.png")
            path = tmp_path / f"cvat/annotations/person_keypoints_{subset}.json"
            write(path, labels(["frame_000001.png"]))
        for name in ("rf", "cvat"):
            import_labels(tmp_path / name, name=name, root=raw)
        found = self.units(raw, ("rf", "cvat"))
        assert {frame.unit for frame in found["rf"]} == {"rf/jump"}
        assert {frame.unit for frame in found["cvat"]} == {"cvat/train", "cvat/valid"}

    def test_groups_of_two_sets_are_not_one(self, tmp_path, raw):
        picture(tmp_path / "x/images/frame_000012.png")
        write(tmp_path / "x/annotations.json", labels(["frame_000012.png"]))
        for name in ("one", "two"):
            import_labels(tmp_path / "x", name=name, root=raw)
        sets = {name: read_coco(raw / name / "annotations.json") for name in ("one", "two")}
        sets["two"] = replace(sets["two"], frames=(replace(sets["two"].frames[0], file_name="other.png"),))
        assert len({frame.unit for frame in merge(sets).frames}) == 2

    @pytest.mark.parametrize(("by", "units"), [("auto", 24), ("file", 24), ("folder", 3), ("set", 1)])
    def test_the_person_says_which_pictures_belong_together(self, tmp_path, raw, by, units):
        names = [f"{folder}/{letter}.jpg" for folder in ("a", "b", "c") for letter in "qrstuvwx"]
        stills(tmp_path / "mine", names)
        summary = import_labels(tmp_path / "mine", name="club", root=raw, group_by=by)
        assert len({frame.unit for frame in self.units(raw)["club"]}) == units
        assert any("its own group" in note for note in summary.notes) == (by == "auto")


class TestPicturesThatTrainersPassOver:
    def test_names_get_a_suffix_by_content(self, tmp_path, raw):
        names = ["a.jfif", "a.jpg", "b.gif", "c", "d.PNG"]
        folder = tmp_path / "mine"
        for shade, (name, kind) in enumerate(zip(names, ("JPEG", "JPEG", "GIF", "PNG", "PNG"), strict=True)):
            (folder / "images").mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (64, 48), (40 * shade, 0, 0)).save(folder / "images" / name, kind)
        write(folder / "annotations.json", labels(names))
        summary = import_labels(folder, name="club", root=raw)
        there = read_coco(raw / "club/annotations.json", images=raw / "club/images").frames
        assert sorted(frame.file_name for frame in there) == ["a.jpg", "a~.jpg", "b.png", "c.png", "d.PNG"]
        assert Image.open(raw / "club/images/b.png").format == "PNG"
        for frame in there:
            shade = read_image(raw / "club/images" / frame.file_name)[0, 0, 0]
            assert round(shade / 40) + 1 == frame.people[0].keypoints[0, 0], "the picture goes with its labels"
        assert any("b.gif is now b.png" in note for note in summary.notes)

    def test_pictures_that_are_too_small_are_refused(self, tmp_path, raw):
        picture(tmp_path / "mine/images/a.png", (64, 48))
        picture(tmp_path / "mine/images/b.png", (64, 9))
        content = labels(["a.png", "b.png"])
        content["images"][1]["height"] = 9
        content["annotations"][1] |= {"keypoints": [5, 5, 2, 10, 8, 2, 12, 8, 2]}
        write(tmp_path / "mine/annotations.json", content)
        with pytest.raises(BadInputs, match=r"b\.png: is 64x9: pictures under 10 pixels"):
            import_labels(tmp_path / "mine", name="club", root=raw)


class TestArchivesOfStrangers:
    @pytest.mark.parametrize(
        "name", ["../outside.json", "/etc/outside.json", "a/../../outside.json", "a\\outside.json", "C:/outside.json"]
    )
    def test_nothing_is_written_outside(self, tmp_path, raw, name):
        path = pack(tmp_path / "x.zip", {"annotations.json": json.dumps(labels(["a.jpg"])), name: "{}"})
        with pytest.raises(BadInputs, match=r"x\.zip: 1 problem"):
            import_labels(path, name="club", root=raw)
        assert everything(tmp_path) == ["x.zip"]

    def test_links_are_refused(self, tmp_path, raw):
        link = zipfile.ZipInfo("images/a.jpg")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
            archive.writestr(link, "/etc/passwd")
        with pytest.raises(BadInputs, match="is a link"):
            import_labels(tmp_path / "x.zip", name="club", root=raw)

    def test_bombs_are_refused_unopened(self, tmp_path, raw):
        with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            archive.writestr("annotations.json", b"0" * 30_000_000)
        with pytest.raises(BadInput, match="no labelled set needs"):
            import_labels(tmp_path / "x.zip", name="club", root=raw)

    def test_damage_is_named(self, tmp_path, raw):
        content = os.urandom(5000)
        path = pack(tmp_path / "x.zip", {"annotations.json": content})
        data = bytearray(path.read_bytes())
        data[2000] ^= 255
        path.write_bytes(data)
        with pytest.raises(BadInput, match="is a damaged archive"):
            import_labels(path, name="club", root=raw)

    def test_a_file_and_a_folder_of_one_name(self, tmp_path, raw):
        path = pack(tmp_path / "x.zip", {"a.json": "{}", "a.json/b.json": "{}"})
        with pytest.raises(BadInput, match="a file and a folder of one name"):
            import_labels(path, name="club", root=raw)

    def test_messages_name_the_archive_and_nothing_temporary(self, tmp_path, raw):
        path = pack(tmp_path / "x.zip", {"annotations.json": json.dumps(labels(["a.jpg"]))})
        with pytest.raises(BadInputs, match="do not exist") as caught:
            import_labels(path, name="club", root=raw)
        assert "partial" not in str(caught.value) and "x.zip" in str(caught.value)
        assert list(raw.iterdir()) == []


class TestFrames:
    def test_labelled_frames_only_and_every_nth_of_a_set_without_labels(self, tmp_path):
        clips(tmp_path / "src/club", jump=[3, 5])
        clip(tmp_path / "src/club/videos/unlabelled.mp4")
        clip(tmp_path / "src/fresh/videos/new.MP4")
        manifests = extract_sets(tmp_path / "src", None, tmp_path / "out", every=1)
        assert everything(tmp_path / "out/club") == ["jump/000003.jpg", "jump/000005.jpg", "jump/frames.json"]
        assert len(everything(tmp_path / "out/fresh/new")) == 13
        assert [manifest.video for manifest in manifests["club"]] == ["jump.mp4"]
        assert read_image(tmp_path / "out/club/jump/000005.jpg").mean() == pytest.approx(95, abs=3)
        extract_sets(tmp_path / "src", None, tmp_path / "out", every=5)
        assert everything(tmp_path / "out/fresh/new") == ["000000.jpg", "000005.jpg", "000010.jpg", "frames.json"]

    @pytest.mark.parametrize("every", [1, 2, 3])
    def test_the_frames_that_are_extracted_are_those_that_are_kept(self, tmp_path, every):
        source = clips(tmp_path / "src/club", jump=[9, 1, 4, 3, 7], other=[2, 8])
        content = json.loads((source / "annotations.json").read_text())
        content["annotations"][2]["keypoints"][3:] = [0] * 6
        content["annotations"].pop()
        write(source / "annotations.json", content)
        picture(source / "images/jump/000001.jpg")
        extract_sets(tmp_path / "src", None, tmp_path / "frames", every=every)
        hips = skeleton_of("hips", ["left_hip", "right_hip"])
        (dataset,) = annotations_of_sets(tmp_path, "src", None, "frames", skeleton=hips, every=every).values()
        used = {frame.file_name for frame in dataset.frames if frame.file_name.startswith("frames/")}
        made = {path.relative_to(tmp_path).as_posix() for path in (tmp_path / "frames").rglob("*.jpg")}
        assert used <= made
        assert made - used <= {"frames/club/jump/000004.jpg"}, "it has a nose, which this skeleton lacks"

    def test_one_more_clip_costs_one_more_clip_and_a_lost_one_goes(self, tmp_path):
        source, out = clips(tmp_path / "src/club", jump=[3], other=[1]).parent, tmp_path / "out"
        extract_sets(source, None, out)
        before = {name: (out / name).stat().st_ino for name in everything(out)}
        clips(tmp_path / "src/late", third=[2])
        extract_sets(source, None, out)
        after = {name: (out / name).stat().st_ino for name in everything(out)}
        assert before.items() < after.items()
        assert {name.split("/")[0] for name in after.keys() - before.keys()} == {"late"}
        (source / "club/videos/other.mp4").unlink()
        write(source / "club/annotations.json", labels(["jump/000003.jpg"], video=["jump.mp4"], frame=[3]))
        (out / "club/.jump.partial").mkdir()
        (out / "stray.txt").write_text("")
        extract_sets(source, ["club"], out)
        assert everything(out) == ["club/jump/000003.jpg", "club/jump/frames.json"]
        assert (out / "club/jump/000003.jpg").stat().st_ino == before["club/jump/000003.jpg"]
        assert not (out / "club/.jump.partial").exists()

    def test_every_bad_clip_of_every_set_is_named_and_the_sound_are_kept(self, tmp_path):
        clips(tmp_path / "src/a", jump=[3], bad=[1], short=[40])
        (tmp_path / "src/a/videos/bad.mp4").write_bytes(b"")
        clips(tmp_path / "src/b", gone=[1])
        (tmp_path / "src/b/videos/gone.mp4").unlink()
        with pytest.raises(BadInputs) as caught:
            extract_sets(tmp_path / "src", None, tmp_path / "out")
        message = str(caught.value)
        for part in ("bad.mp4: is empty", "short.mp4: has no frame 40", "names gone.mp4, which is not in"):
            assert part in message
        assert len(caught.value.problems) == 3
        assert everything(tmp_path / "out") == ["a/jump/000003.jpg", "a/jump/frames.json"]

    def test_two_clips_that_would_share_a_folder_are_refused(self, tmp_path):
        clips(tmp_path / "src/a", jump=[3])
        clip(tmp_path / "src/a/videos/Jump.mkv")
        with pytest.raises(BadInputs, match="but for the suffix or case"):
            extract_sets(tmp_path / "src", None, tmp_path / "out")

    def test_frames_that_are_there_as_stills_are_not_extracted(self, tmp_path):
        clips(tmp_path / "src/a", jump=[3, 5])
        picture(tmp_path / "src/a/images/jump/000003.jpg")
        extract_sets(tmp_path / "src", None, tmp_path / "out")
        assert everything(tmp_path / "out") == ["a/jump/000005.jpg", "a/jump/frames.json"]
        picture(tmp_path / "src/a/images/jump/000005.jpg")
        extract_sets(tmp_path / "src", None, tmp_path / "out")
        assert everything(tmp_path / "out") == []

    def test_sets_are_found_by_name(self, tmp_path):
        for name in ("b", "a", ".partial"):
            stills(tmp_path / "src" / name)
        (tmp_path / "src/notes").mkdir()
        assert [folder.name for folder in find_sets(tmp_path / "src")] == ["a", "b"]
        assert [folder.name for folder in find_sets(tmp_path / "src", ["b"])] == ["b"]
        with pytest.raises(BadInput, match=r"holds no set c; choose data\.sets from a, b"):
            find_sets(tmp_path / "src", ["a", "c"])
        for empty in (tmp_path / "src/notes", tmp_path / "none"):
            with pytest.raises(BadInput, match="holds no labelled set"):
                find_sets(empty)


class TestAnnotations:
    def test_pictures_are_named_from_the_root_and_joints_follow_the_skeleton(self, tmp_path):
        clips(tmp_path / "data/raw/club", jump=[3, 5])
        stills(tmp_path / "data/raw/park")
        extract_sets(tmp_path / "data/raw", None, tmp_path / "data/frames")
        sets = annotations_of_sets(tmp_path, "data/raw", None, "data/frames", skeleton=SKELETON)
        assert [frame.file_name for frame in sets["club"].frames] == [
            "data/frames/club/jump/000003.jpg", "data/frames/club/jump/000005.jpg",
        ]  # fmt: skip
        assert [frame.file_name for frame in sets["park"].frames] == [
            "data/raw/park/images/a.jpg", "data/raw/park/images/b.jpg",
        ]  # fmt: skip
        assert [frame.timestamp_ms for frame in sets["club"].frames] == [120, 200]
        for dataset in sets.values():
            assert dataset.skeleton is SKELETON
            for frame in dataset.frames:
                assert read_image(tmp_path / frame.file_name).shape == (frame.height, frame.width, 3)
                assert frame.people[0].visibility.tolist() == [1, 1, 2]

    def test_every_nth_labelled_frame_of_a_clip_is_kept_and_every_still(self, tmp_path):
        clips(tmp_path / "src/club", jump=[9, 1, 4, 3], other=[2])
        stills(tmp_path / "src/park")
        extract_sets(tmp_path / "src", None, tmp_path / "frames")
        sets = annotations_of_sets(tmp_path, "src", None, "frames", skeleton=SKELETON, every=3)
        assert sorted(frame.frame for frame in sets["club"].frames) == [1, 2, 9]
        assert len(sets["park"]) == 2
        assert "labelled frames of clips left out, for one in 3 is kept: 2" in sets["club"].notes

    def test_pictures_that_are_not_there_are_named_for_all_sets_at_once(self, tmp_path):
        clips(tmp_path / "src/club", jump=[3])
        stills(tmp_path / "src/park")
        (tmp_path / "src/park/images/b.jpg").unlink()
        with pytest.raises(BadInputs) as caught:
            annotations_of_sets(tmp_path, "src", None, "frames", skeleton=SKELETON)
        assert "frames/club/jump/000003.jpg" in str(caught.value) and "src/park/images/b.jpg" in str(caught.value)

    def test_a_skeleton_that_the_labels_do_not_have_is_refused(self, tmp_path):
        stills(tmp_path / "src/park")
        with pytest.raises(BadInputs, match="names 0 of the 2 joints of skeleton 'feet'"):
            annotations_of_sets(tmp_path, "src", None, "frames", skeleton=skeleton_of("feet", ["heel", "toe"]))

    def test_sets_without_labels_are_passed_over_but_not_all(self, tmp_path):
        clip(tmp_path / "src/new/videos/a.mp4")
        with pytest.raises(BadInput, match=r"holds no set with annotations\.json"):
            annotations_of_sets(tmp_path, "src", None, "frames", skeleton=SKELETON)
        stills(tmp_path / "src/park")
        assert list(annotations_of_sets(tmp_path, "src", None, "frames", skeleton=SKELETON)) == ["park"]

    def test_the_report_counts_and_lists(self, tmp_path):
        source = stills(tmp_path / "src/park")
        content = labels(["a.jpg", "b.jpg"])
        content["annotations"].pop()
        write(source / "annotations.json", content)
        report = annotations_report(annotations_of_sets(tmp_path, "src", None, "frames", skeleton=SKELETON))
        assert "| park | 1 | 0 | 1 | 3 | 2 |" in report
        assert "images without labelled joints, left out (1): b.jpg" in report


def left(stage):
    with pytest.raises(SystemExit) as exit:
        run(stage.main)
    return exit.value.code


def test_the_stages_run_from_params_and_answer_bad_input_in_words(tmp_path, monkeypatch, capsys):
    params = OmegaConf.load(ROOT / "params.yaml")
    params.data.source, params.data.sets, params.data.every = "data/raw", None, 1
    params.skeleton = OmegaConf.load(ROOT / "conf/skeleton/lsp14.yaml")
    OmegaConf.save(params, tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    assert left(frames_stage) == 2
    assert "data/raw: holds no labelled set" in capsys.readouterr().err
    joints = list(params.skeleton.joints)
    clips(tmp_path / "data/raw/club", jump=[3, 5])
    labelled = labels(["jump/000003.jpg", "jump/000005.jpg"], joints=joints, video=["jump.mp4"] * 2, frame=[3, 5])
    write(tmp_path / "data/raw/club/annotations.json", labelled)
    assert left(annotations_stage) == 2
    assert "data/frames/club/jump/000003.jpg" in capsys.readouterr().err
    assert left(frames_stage) == 0
    assert left(annotations_stage) == 0
    dataset = read_coco("data/annotations/club.json", images=".")
    assert len(dataset) == 2 and dataset.skeleton.joints == tuple(joints)
    assert "| club | 2 | 1 | 2 |" in Path("reports/annotations.md").read_text()
    first = Path("data/annotations/club.json").read_bytes()
    assert left(annotations_stage) == 0
    assert Path("data/annotations/club.json").read_bytes() == first


def test_a_set_put_in_by_hand_is_warned_of_where_its_labels_are_read(tmp_path, monkeypatch, capsys):
    params = OmegaConf.load(ROOT / "params.yaml")
    params.data.source, params.data.sets = "data/raw", None
    OmegaConf.save(params, tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    joints = list(params.skeleton.joints)
    names = ["jump1_0001.jpg", "jump1_0002.jpg", "jump2_0001.jpg", "jump2_0002.jpg"]
    for name in names:
        picture(tmp_path / "data/raw/club/images" / name)
    write(tmp_path / "data/raw/club/annotations.json", labels(names, joints=joints))
    assert left(annotations_stage) == 0
    said = capsys.readouterr().out
    assert "club: warning: each of 4 pictures is its own group" in said
    assert "4 are frames of 2 clips: jump1, jump2" in said
    assert "- warning: each of 4 pictures" in Path("reports/annotations.md").read_text()
    write(tmp_path / "data/raw/club/annotations.json", labels(names, joints=joints, group=["a", "a", "b", "b"]))
    assert left(annotations_stage) == 0
    assert "warning" not in capsys.readouterr().out


@pytest.mark.real
@pytest.mark.parametrize(("name", "frames", "joints"), [("flops", 27, 315), ("lspe", 2400, 32245)])
def test_real_sets_of_photographs_go_in_cleanly(shared, raw, name, frames, joints):
    summary = import_labels(shared / name, name=name, root=raw)
    assert (summary.frames, summary.people, summary.joints) == (frames, frames, joints)
    assert f"each of {frames} pictures is its own group" in summary.notes[0]
    assert len(summary.notes) == (1 if name == "flops" else 2)
    assert len(list((raw / name / "images").iterdir())) == frames


@pytest.mark.real
def test_real_exports_of_tools_go_in_or_are_refused(shared, raw):
    gym = shared / "formats/cvat_coco_keypoints/finetune_gym"
    summary = import_labels(gym / "annotations_v1/correct_n2_3_7_100.json", gym / "images", "gym", raw)
    assert (summary.frames, summary.joints, summary.occluded) == (102, 1734, 972)
    assert "52886_1_106.jpg" in (raw / "gym/notes.txt").read_text()
    for drop in (False, True):
        with pytest.raises(BadInputs, match="mixed up by a merge"):
            import_labels(gym / "annotations_v1/merged1_coco.json", gym / "images", "bad", raw, drop_bad=drop)
    coco = import_labels(shared / "formats/mmpose_tests/coco/test_coco.json", name="coco", root=raw)
    assert (coco.frames, coco.people) == (4, 14)
    refused = {
        "formats/cvat_coco_keypoints/datumaro_test": "category 'b' does not name them",
        "formats/cvat_coco_keypoints/keira_tiger": "image files that do not exist",
        "formats/cvat_coco_keypoints/keira_tiger/tiger.zip": "holds YOLO's text labels",
        "formats/label_studio/sdk_test/data_keypoints.json": "image files that do not exist",
        "videos/replico_highjump.mp4": "is not JSON",
        "videos/nemesisAb19_video_LFSPOINTER.MOV": "Git LFS pointer",
    }
    for path, problem in refused.items():
        with pytest.raises(BadInput, match=problem):
            import_labels(shared / path, name="bad", root=raw)
    assert sorted(path.name for path in raw.iterdir()) == ["coco", "gym"]
