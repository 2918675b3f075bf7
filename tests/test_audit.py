"""The audit finds material that came in twice, under any name, and is silent about scenes that only look alike."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from fosbury.dataset.audit import Audit, audit, fingerprint, hamming
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
    one = labelled(tmp_path, "one.png", picture(1))
    two = labelled(tmp_path, "two.png", picture(1).crop((3, 3, 157, 117)))
    bits = int(hamming(*(fingerprint(tmp_path / f.file_name).hash[None] for f in (one, two)))[0, 0])
    assert bits > 0
    assert found(tmp_path, [one], [two], distance=bits - 1) == []
    assert len(found(tmp_path, [one], [two], distance=bits)) == 1


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
    run = [Frame(f"broadcast/images/{n}", 640, 640) for n in names if n.startswith("athlete10_")]
    assert len(audit(parts(run[::2], run[1::2]), shared, allow=True).pairs) > 5
