"""Names of pictures tell which are frames of one clip, and a set in which none is grouped is warned of."""

from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fosbury.formats.grouping import Still, groups_of_names, warnings_of_lone_pictures
from fosbury.pose import Frame


def groups(*names: str, part: str = "") -> list[str | None]:
    found = groups_of_names({name: Still(Path(name), name, part) for name in names})
    return [found.get(name) for name in names]


@pytest.mark.parametrize(
    ("one", "two", "group"),
    [
        ("jump1_0001.jpg", "jump1_0002.jpg", "jump1"),
        ("IMG_4711_012.jpg", "IMG_4711_013.jpg", "IMG_4711"),
        ("clip-3 (12).png", "clip-3 (13).png", "clip-3"),
        ("clip-3(12).png", "clip-3(7).png", "clip-3"),
        ("jump1_f12.jpg", "jump1_f101.jpg", "jump1"),
        ("jump 1.0001.png", "jump 1.0002.png", "jump 1"),
        ("jump1-12.jpg", "jump1-13.jpg", "jump1"),
        ("52701_11_14.jpg", "52701_11_9.jpg", "52701_11"),
        ("mon/jump_01.jpg", "mon/jump_02.jpg", "mon/jump"),
        ("arch/jump_01.jpg", "landing/jump_02.jpg", "jump"),
        ("GX010123_0001.jpg", "GX010123_0002.jpg", "GX010123"),
        ("20260524_101112_001.jpg", "20260524_101112_002.jpg", "20260524_101112"),
        ("day_(00012).jpg", "day_(00013).jpg", "day"),
        ("labeled-data/jump1/img0012.png", "labeled-data/jump1/img0100.png", "labeled-data/jump1"),
        ("jump1/0001.jpg", "jump1/0002.jpg", "jump1"),
        ("IMG_4711_JPG.rf.0a1b.jpg", "IMG_4711_JPG.rf.2c3d.jpg", "IMG_4711"),
        ("x_mov-0001_jpg.rf.0a.jpg", "x_mov-0001_jpg.rf.0b.jpg", "x"),
    ],
)
def test_two_frames_of_one_clip(one, two, group):
    assert groups(one, two) == [group, group]
    assert groups(one, "other.jpg", two) == [group, None, group]


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("IMG_4711.jpg", "IMG_4712.jpg"),
        ("_MG_0815.jpg", "_MG_0816.jpg"),
        ("DSC_0001.jpg", "DSC_0002.jpg"),
        ("photo 1.jpg", "photo 2.jpg"),
        ("image (1).jpg", "image (2).jpg"),
        ("IMG_20260524_101112.jpg", "IMG_20260524_101113.jpg"),
        ("20260524_101112.jpg", "20260524_101113.jpg"),
        ("PXL_20260524_101112123.jpg", "PXL_20260524_101113123.jpg"),
        ("IMG-20260524-WA0001.jpg", "IMG-20260524-WA0002.jpg"),
        ("Screenshot 2026-05-24 at 10.11.12.png", "Screenshot 2026-05-24 at 10.11.13.png"),
        ("me 2026-05-24.jpg", "me 2026-05-25.jpg"),
        ("jump1_0001.jpg", "jump2_0001.jpg"),
        ("im0001.jpg", "im0002.jpg"),
        ("000000000785.jpg", "000000040083.jpg"),
        ("COCO_val2014_000000000785.jpg", "COCO_val2014_000000040083.jpg"),
        ("train/0001.jpg", "train/0002.jpg"),
        ("jump1/0001.jpg", "jump2/0001.jpg"),
        ("a_jpg.rf.0a1b.jpg", "b_jpg.rf.0a1b.jpg"),
    ],
)
def test_two_pictures_of_their_own(one, two):
    first, second = groups(one, two)
    assert first is None or first != second


def test_frames_of_equal_names_in_two_subsets_of_cvat_are_two_clips():
    assert groups("jump_1.jpg", "jump_2.jpg", part="train") == ["train/jump"] * 2


@given(st.text(max_size=255))
def test_any_name_gives_an_answer(name):
    for group in groups(f"a{name}", f"{name}_1.jpg"):
        assert group is None or group.strip("/") == group


@pytest.mark.real
@pytest.mark.parametrize(
    ("folder", "clips"), [("broadcast", 8), ("form/correct", 28), ("form/lumbar", 17), ("lspe", 0), ("flops", 0)]
)
def test_real_names(shared, folder, clips):
    """The clip of a barbell row is the first number of the name; the photographs of lspe have none."""
    names = sorted(path.name for path in (shared / folder / "images").iterdir())
    found = groups_of_names({name: Still(Path(name), name) for name in names})
    assert len(set(found.values())) == clips
    assert len(found) in (0, len(names))
    first = defaultdict(set)
    for name, group in found.items():
        first[name.split("_")[0]].add(group)
    assert all(len(each) == 1 for each in first.values())
    assert len(first) == clips


def stills(*names: str, **options) -> list[Frame]:
    return [Frame(f"data/raw/club/images/{name}", 8, 8, **options) for name in names]


def test_pictures_without_a_group_are_warned_of_and_their_names_looked_at():
    (warning,) = warnings_of_lone_pictures(stills("jump1_1.jpg", "jump1_2.jpg", "jump2_1.jpg", "jump2_2.jpg"))
    assert warning.startswith("warning: each of 4 pictures is its own group")
    assert warning.endswith("By their names 4 are frames of 2 clips: jump1, jump2")
    (warning,) = warnings_of_lone_pictures(stills("IMG_1.jpg", "IMG_2.jpg"))
    assert "By their names" not in warning


def test_grouped_pictures_clips_and_a_few_lone_ones_are_not_warned_of():
    lone = stills(*(f"{i}.jpg" for i in range(21)))
    grouped = stills("a.jpg", "b.jpg", group="jump") + stills("c.jpg", video="jump.mp4", frame=3)
    assert warnings_of_lone_pictures(grouped) == []
    assert warnings_of_lone_pictures(lone[:1]) == []
    assert warnings_of_lone_pictures([*lone[:20], *grouped]) == []
    assert len(warnings_of_lone_pictures([*lone, *grouped])) == 1
