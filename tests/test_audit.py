"""The audit finds material that came in twice, under any name, and is silent about scenes that only look alike."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from fosbury.dataset.audit import ALIGNED, Audit, align, audit, fingerprint, hamming, without_bars
from fosbury.dataset.split import split
from fosbury.dataset.summary import summarise
from fosbury.errors import BadInput, BadInputs
from fosbury.pose import Dataset, Frame, Person
from fosbury.skeleton import Skeleton

STICK = Skeleton("stick", ("hip", "neck"), ((0, 1),), (), np.array([0.1, 0.1]), (1,), (0,), ())
SIZE = (160, 120)


def picture(seed: int) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize(SIZE, Image.Resampling.BICUBIC)


def at(x: float, y: float) -> Person:
    box = np.array([x, y, x + 20, y + 50])
    return Person(np.array([[x + 10, y + 30], [x + 10, y + 10]]), np.array([2, 1], np.uint8), box, 1000.0)


def labelled(folder: Path, name: str, image: Image.Image, person: Person | None = None, **options) -> Frame:
    quality = options.pop("quality", 95)
    image.save(folder / name, **({"quality": quality} if name.endswith("jpg") else {}))
    return Frame(name, *image.size, (person,) if person else (), **options)


def parts(train, val, test=()) -> dict[str, Dataset]:
    return {n: Dataset(STICK, tuple(f)) for n, f in (("train", train), ("val", val), ("test", test))}


def found(folder: Path, *frames, **options) -> list[tuple[str, str, str]]:
    return [(p.first, p.second, p.kind) for p in audit(parts(*frames), folder, allow=True, **options).pairs]


def test_different_pictures_pass(tmp_path):
    frames = [labelled(tmp_path, f"{i}.jpg", picture(i)) for i in range(9)]
    result = audit(parts(frames[:3], frames[3:6], frames[6:]), tmp_path)
    assert result == Audit(9, 20, (), False)


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image.resize((80, 60)),
        lambda image: image.convert("L"),
        lambda image: image.point(lambda v: int(v * 0.85)),
    ],
)
def test_the_same_picture_recompressed_scaled_or_darkened_is_found(tmp_path, change):
    one = labelled(tmp_path, "one.png", picture(1))
    two = labelled(tmp_path, "two.jpg", change(picture(1)), quality=60)
    assert found(tmp_path, [one], [two]) == [("one.png", "two.jpg", "near-duplicate")]


def test_a_mirrored_picture_is_found(tmp_path):
    one = labelled(tmp_path, "one.jpg", picture(1), at(10, 20))
    two = labelled(tmp_path, "two.jpg", ImageOps.mirror(picture(1)), at(130, 20))
    assert found(tmp_path, [one], [], [two]) == [("one.jpg", "two.jpg", "mirrored near-duplicate")]


def test_a_picture_turned_by_exif_is_found(tmp_path):
    one = labelled(tmp_path, "one.jpg", picture(1))
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(1).rotate(90, expand=True).save(tmp_path / "two.jpg", quality=95, exif=exif)
    assert found(tmp_path, [one], [Frame("two.jpg", *SIZE)]) == [("one.jpg", "two.jpg", "near-duplicate")]


def test_one_scene_with_the_athlete_elsewhere_is_no_duplicate(tmp_path):
    scene = picture(1)
    left, right = at(10, 50), at(120, 50)
    frames = []
    for name, person in (("left.jpg", left), ("right.jpg", right)):
        image = scene.copy()
        image.paste((200, 30, 30), tuple(int(v) for v in (person.box[0] + 8, 80, person.box[0] + 11, 88)))
        frames.append(labelled(tmp_path, name, image, person))
    bits = hamming(*(fingerprint(tmp_path / f.file_name).hash[None] for f in frames))[0, 0]
    assert bits <= 20
    assert found(tmp_path, frames[:1], frames[1:]) == []


def test_within_one_split_only_the_same_file_counts(tmp_path):
    one = labelled(tmp_path, "one.jpg", picture(1))
    near = labelled(tmp_path, "near.jpg", picture(1), quality=70)
    shutil.copy(tmp_path / "one.jpg", tmp_path / "copy.jpg")
    copy = Frame("copy.jpg", *SIZE)
    other = labelled(tmp_path, "other.jpg", picture(2))
    assert found(tmp_path, [one, near, copy], [other]) == [("one.jpg", "copy.jpg", "same file")]


def test_a_clip_may_repeat_its_own_frames(tmp_path):
    first = labelled(tmp_path, "0.jpg", picture(1), video="clip.mp4", frame=0)
    shutil.copy(tmp_path / "0.jpg", tmp_path / "1.jpg")
    again = Frame("1.jpg", *SIZE, video="clip.mp4", frame=1)
    assert found(tmp_path, [first, again], [labelled(tmp_path, "other.jpg", picture(2))]) == []


def test_black_frames_are_no_evidence(tmp_path):
    black = [labelled(tmp_path, f"{i}.jpg", Image.new("RGB", SIZE, (i, i, i))) for i in range(2)]
    assert found(tmp_path, black[:1], black[1:]) == []


def test_the_pairs_are_named_and_the_rest_counted(tmp_path):
    train = [labelled(tmp_path, f"t{i:02d}.png", picture(i)) for i in range(23)]
    val = [labelled(tmp_path, f"v{i:02d}.jpg", picture(i)) for i in range(23)]
    with pytest.raises(BadInputs) as caught:
        audit(parts(train, val), tmp_path)
    assert len(caught.value.problems) == 21
    assert caught.value.problems[-1] == "and 3 more pairs"
    first = caught.value.problems[0]
    assert "train" in first and "val" in first and "bits" in first and first.split()[0][1:3] in first.split(" and ")[1]
    assert len(audit(parts(train, val), tmp_path, allow=True).pairs) == 23


def test_the_distance_decides(tmp_path):
    one = labelled(tmp_path, "one.png", picture(1), group="one")
    two = labelled(tmp_path, "two.png", picture(1).crop((3, 3, 157, 117)), group="two")
    bits = int(hamming(*(fingerprint(tmp_path / f.file_name).hash[None] for f in (one, two)))[0, 0])
    assert bits > 0
    assert found(tmp_path, [one], [two], distance=bits - 1) == []
    assert len(found(tmp_path, [one], [two], distance=bits)) == 1


def cropped(image: Image.Image, left: int, top: int, right: int, bottom: int) -> Image.Image:
    return image.crop((left, top, image.width - right, image.height - bottom))


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("edges", [(5, 4, 5, 4), (8, 6, 8, 6), (0, 0, 9, 0), (4, 0, 0, 7)])
def test_a_still_that_was_cropped_is_found_and_its_person_moved_with_it(tmp_path, edges, mirrored):
    """5 x 4 of 160 x 120 are 3 % on every side. The person is small: unmoved, the boxes would not meet."""
    inside = np.array([20.0, 30, 26, 36])
    person = Person(np.array([[23.0, 35], [23, 31]]), np.array([2, 2], np.uint8), inside, 36.0)
    one = labelled(tmp_path, "one.jpg", picture(1), person)
    part = cropped(picture(1), *edges)
    box = inside - [edges[0], edges[1]] * 2
    if mirrored:
        part, box = ImageOps.mirror(part), np.array([part.width - box[2], box[1], part.width - box[0], box[3]])
    there = labelled(tmp_path, "two.jpg", part, Person(person.keypoints, person.visibility, box, 36.0), quality=80)
    kind = "mirrored same scene" if mirrored else "same scene"
    assert found(tmp_path, [one], [], [there], distance=0) == [("one.jpg", "two.jpg", kind)]
    elsewhere = Person(person.keypoints, person.visibility, box + 40, 36.0)
    assert found(tmp_path, [one], [], [replace(there, people=(elsewhere,))], distance=0) == []


@pytest.mark.parametrize("size", [(160, 160), (214, 120), (200, 200)])
def test_a_letterboxed_copy_is_found_with_its_person_at_the_place(tmp_path, size):
    one = labelled(tmp_path, "one.png", picture(1), at(5, 5))
    left, top = (size[0] - 160) // 2, (size[1] - 120) // 2
    boxed = Image.new("RGB", size)
    boxed.paste(picture(1), (left, top))
    two = labelled(tmp_path, "two.jpg", boxed, at(5 + left, 5 + top), quality=95, group="mine")
    assert [pair[:2] for pair in found(tmp_path, [one], [two])] == [("one.png", "two.jpg")]
    elsewhere = replace(two, people=(at(60 + left, 60 + top),))
    assert found(tmp_path, [one], [elsewhere]) == []


def test_bars_are_cut_off_up_to_a_share_of_each_side(tmp_path):
    grey = np.full((40, 60), 120, np.uint8)
    assert without_bars(grey) == (0, 0, 60, 40)
    grey[:5], grey[:, 57:] = 3, 3
    assert without_bars(grey) == (0, 5, 57, 40)
    assert without_bars(np.zeros((40, 60), np.uint8)) == (24, 16, 36, 24)


def test_one_scene_in_two_clips_or_groups_is_no_finding_and_with_a_lone_still_it_is(tmp_path):
    one = labelled(tmp_path, "one.jpg", picture(1), video="a.mp4", frame=0)
    two = labelled(tmp_path, "two.jpg", cropped(picture(1), 5, 4, 5, 4), group="b")
    assert found(tmp_path, [one], [two], distance=0) == []
    assert found(tmp_path, [one], [replace(two, group=None)], distance=0) == [("one.jpg", "two.jpg", "same scene")]


def test_a_frame_is_aligned_with_a_few_others_however_many_there_are(tmp_path, monkeypatch):
    """24 x 24 stills of one scene: a frame of the test is tried with three of the training, either way round."""
    tried = []
    monkeypatch.setattr("fosbury.dataset.audit.align", lambda *pair: tried.append(pair) or (0.0, np.eye(2, 3)))
    stills = [labelled(tmp_path, f"{i}.jpg", cropped(picture(1), i % 7, i // 7, 0, 0)) for i in range(48)]
    assert found(tmp_path, stills[:24], [], stills[24:], distance=0) == []
    assert 24 * 3 <= len(tried) <= 2 * 24 * 3


@pytest.mark.parametrize("content", [None, b"", b"version https://git-lfs.github.com/spec/v1\n", "cut"])
def test_a_missing_or_broken_image_is_named(tmp_path, content):
    good = labelled(tmp_path, "good.jpg", picture(1))
    if content == "cut":
        content = (tmp_path / "good.jpg").read_bytes()[:2000]
    if content is not None:
        (tmp_path / "bad.jpg").write_bytes(content)
    with pytest.raises(BadInput, match=r"bad\.jpg"):
        audit(parts([good], [Frame("bad.jpg", *SIZE)]), tmp_path)


def test_hamming_counts_bits():
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2, (7, 256), dtype=np.uint8)
    expected = (bits[:3, None] != bits[None, 3:]).sum(axis=-1)
    packed = np.packbits(bits, axis=1)
    np.testing.assert_array_equal(hamming(packed[:3], packed[3:]), expected)


def test_the_summary_counts_and_is_the_same_every_time(tmp_path):
    frames = [
        labelled(tmp_path, f"{i}.jpg", picture(i), at(20, 20), phase="arch" if i % 2 else "approach", source="a")
        for i in range(8)
    ]
    ratios = {"train": 0.5, "val": 0.25, "test": 0.25}
    splits = split(Dataset(STICK, tuple(frames)), ratios)
    text = summarise(splits, ratios, audit(splits, tmp_path))
    assert "| train | 50.0% | 50.0% | 4 | 4 | 0 | 4 | 8 | 50% |" in text
    assert "| arch | 2 | 1 | 1 |" in text
    assert "| 0-30 | 4 | 2 | 2 |" in text
    assert "no file is there twice" in text
    assert str(tmp_path) not in text
    assert "To mind" not in text
    splits = split(Dataset(STICK, tuple(frames[::-1])), ratios)
    assert summarise(splits, ratios, audit(splits, tmp_path)) == text


def test_the_summary_warns_of_a_phase_that_a_split_lacks():
    splits = parts([Frame("a.jpg", 8, 8, phase="arch")], [Frame("b.jpg", 8, 8, phase="approach")], [])
    text = summarise(splits, {"train": 0.5, "val": 0.5, "test": 0.0})
    assert "`val` holds no frame of the phase *arch*" in text


@pytest.mark.real
def test_photographs_and_other_athletes_of_one_stadium_raise_no_alarm(shared):
    """Different athletes of one stadium pass; frames of one athlete, parted, are found."""
    names = sorted(path.name for path in (shared / "broadcast/images").glob("*.jpg"))
    frames = {n: Frame(f"broadcast/images/{n}", 640, 640, group=n.split("_mp4")[0]) for n in names[::3]}
    groups = sorted({frame.group for frame in frames.values()})
    whole = [[f for f in frames.values() if f.group in chosen] for chosen in (groups[:4], groups[4:])]
    photographs = json.loads((shared / "lspe/annotations.json").read_text())["images"][::12]
    stills = [Frame(f"lspe/images/{i['file_name']}", i["width"], i["height"]) for i in photographs]
    assert audit(parts(*whole, stills), shared).pairs == ()
    assert audit(parts(stills[::2], stills[1::2]), shared).pairs == ()
    run = [Frame(f"broadcast/images/{n}", 640, 640) for n in names if n.startswith("athlete10_")]
    assert len(audit(parts(run[::2], run[1::2]), shared, allow=True).pairs) > 5


@pytest.mark.real
def test_neighbouring_frames_of_a_clip_that_nobody_grouped_are_found(shared):
    """The hash alone finds a neighbour in the training of 9 of the 24 frames of the test."""
    names = sorted(path.name for path in (shared / "broadcast/images").glob("athlete10_*.jpg"))
    run = [Frame(f"broadcast/images/{name}", 640, 640) for name in names]
    pairs = audit(parts(run[::2], [], run[1::2]), shared, allow=True).pairs
    assert {pair.second for pair in pairs} == {frame.file_name for frame in run[1::2]}


@pytest.mark.real
def test_one_photograph_published_in_two_crops_is_found_among_photographs(shared):
    names = ["im00100.jpg", "im00147.jpg", "im00231.jpg", "im07354.jpg", "im08999.jpg"]
    stills = [Frame(f"lspe/images/{name}", 1, 1) for name in names]
    pairs = audit(parts(stills[:3], stills[3:]), shared, allow=True).pairs
    assert [(Path(p.first).name, Path(p.second).name, p.kind) for p in pairs] == [
        ("im00100.jpg", "im07354.jpg", "same scene")
    ]


@pytest.mark.real
def test_a_map_that_shrinks_a_picture_into_a_patch_of_the_other_makes_no_scene(shared):
    """These two correlate perfectly under a map that reduces the one to a few pixels of the other's sky."""
    one, two = (Image.open(shared / "lspe/images" / name).convert("L") for name in ("im03162.jpg", "im08218.jpg"))
    one = one.crop((0, 0, one.width, one.height - 6))
    thumbnails = [np.asarray(each.resize((64, 64), Image.Resampling.LANCZOS)) for each in (one, two)]
    assert align(*thumbnails)[0] < ALIGNED
    assert align(thumbnails[0], thumbnails[0])[0] == pytest.approx(1.0, abs=1e-3)
