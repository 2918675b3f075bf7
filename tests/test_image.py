"""Pictures come out as a person sees them, or are refused by name."""

import io
import shutil

import cv2
import numpy as np
import pytest
from PIL import Image

from fosbury.errors import BadInput
from fosbury.media.files import unsafe_name
from fosbury.media.image import image_size, read_image, readable_name, true_suffix, write_image

SCENE = np.zeros((48, 32, 3), np.uint8)
SCENE[:24, :16] = 255, 0, 0
SCENE[:24, 16:] = 0, 255, 0
SCENE[24:, :16] = 0, 0, 255
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0000\nsize 12345\n"

# How EXIF says a camera stored a scene (CIPA DC-008, table on orientation): the stored picture made from the upright.
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda a: np.rot90(a, -1),
}


def save(path, array, orientation=None, **options):
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(array)).save(path, exif=exif, **options)
    return path


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_all_eight_orientations_come_out_upright(tmp_path, orientation, suffix):
    path = save(tmp_path / f"a{suffix}", STORED[orientation](SCENE), orientation, quality=100, subsampling=0)
    assert image_size(path) == (32, 48)
    assert np.abs(read_image(path).astype(int) - SCENE).max() <= 3


@pytest.mark.real
@pytest.mark.parametrize("number", range(1, 9))
def test_real_photographs_of_one_scene_are_upright_whatever_their_tag(shared, number):
    folder = shared / "formats" / "exif_rotated_images"
    plain, turned = (read_image(folder / f"Portrait_{n}.jpg").astype(float) for n in (0, number))
    assert image_size(folder / f"Portrait_{number}.jpg") == (1200, 1800)
    assert turned.shape == plain.shape
    assert np.abs(turned - plain).mean() < 4
    assert np.abs(turned[::-1, ::-1] - plain).mean() > 20


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_out_of_range_is_taken_as_upright(tmp_path, orientation):
    path = save(tmp_path / "a.png", SCENE, orientation)
    assert (read_image(path) == SCENE).all()


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_a_broken_exif_block_does_not_hide_the_picture(tmp_path):
    path = tmp_path / "a.jpg"
    Image.fromarray(SCENE).save(path, exif=b"Exif\x00\x00MM\x00\x2a\xff\xff\xff\xff junk", quality=100, subsampling=0)
    assert image_size(path) == (32, 48)
    assert np.abs(read_image(path).astype(int) - SCENE).max() <= 3


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1"])
def test_every_colour_mode_becomes_rgb(tmp_path, mode):
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    Image.fromarray(np.full((6, 4, 3), 255, np.uint8)).convert(mode).save(path)
    image = read_image(path)
    assert image.shape == (6, 4, 3) and image.dtype == np.uint8
    assert (image == 255).all()


def test_sixteen_bits_keep_their_brightness(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.full((6, 4), 200 * 257, np.uint16))
    assert (read_image(tmp_path / "a.png") == 200).all()


def jpeg():
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "JPEG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (LFS, "is a Git LFS pointer"),
        (b"no picture at all", "is not a picture"),
        (jpeg()[: len(jpeg()) // 2], "is cut off or damaged"),
        (jpeg()[:30], "is not a picture|cannot be read"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "is not a picture"),
        (b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR" + b"\x00\x0f\xff\xff" * 2 + b"\x08\x02\x00\x00\x00", "."),
    ],
)
def test_what_is_no_whole_picture_is_refused_by_name(tmp_path, content, problem):
    path = tmp_path / "im0001.jpg"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=problem) as caught:
        read_image(path)
    assert "im0001.jpg" in str(caught.value)


def test_what_is_not_there_is_refused(tmp_path):
    for path, problem in ((tmp_path / "none.jpg", "does not exist"), (tmp_path, "is a folder")):
        for read in (read_image, image_size):
            with pytest.raises(BadInput, match=problem):
                read(path)


def test_written_pictures_read_back(tmp_path):
    write_image(tmp_path / "new" / "a.png", SCENE)
    write_image(tmp_path / "new" / "a.jpg", SCENE)
    assert (read_image(tmp_path / "new" / "a.png") == SCENE).all()
    flat = read_image(tmp_path / "new" / "a.jpg").astype(int)[4:20, 4:12]
    assert np.abs(flat - (255, 0, 0)).max() <= 3
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["a.jpg", "a.png"]
    with pytest.raises(BadInput, match="suffix"):
        write_image(tmp_path / "a.doc", SCENE)


def test_a_smaller_quality_makes_a_smaller_file(tmp_path, rng=np.random.default_rng(0)):  # noqa: B008
    noise = rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)
    for quality in (30, 95):
        write_image(tmp_path / f"{quality}.jpg", noise, quality)
    assert (tmp_path / "30.jpg").stat().st_size < 0.5 * (tmp_path / "95.jpg").stat().st_size


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "../a.jpg", "a/../../b.jpg", "a\\b.jpg", "C:/a.jpg", "c:a.jpg", "a\0.jpg", "", ".", "./", "~/a.jpg",
     "http://a/b.jpg", "a\n.jpg", "x" * 300],
)  # fmt: skip
def test_names_that_leave_their_folder_are_unsafe(name):
    assert unsafe_name(name)


@pytest.mark.parametrize("name", ["a.jpg", "train/a b.jpg", "..a.jpg", "ünï.png", "a..b/c.jpg", "./a.jpg"])
def test_ordinary_names_are_safe(name):
    assert unsafe_name(name) is None


@pytest.mark.real
def test_the_real_lfs_pointer_is_known_for_what_it_is(shared, tmp_path):
    shutil.copyfile(shared / "videos" / "nemesisAb19_video_LFSPOINTER.MOV", tmp_path / "a.jpg")
    with pytest.raises(BadInput, match="Git LFS pointer"):
        read_image(tmp_path / "a.jpg")


@pytest.mark.parametrize(
    ("name", "kind", "readable"),
    [
        ("a/im.jfif", "JPEG", "a/im.jpg"),
        ("im.jpe", "JPEG", "im.jpg"),
        ("photo", "JPEG", "photo.jpg"),
        ("im.17", "PNG", "im.17.png"),
        ("im.gif", "GIF", "im.png"),
        ("im.JPG", "GIF", "im.png"),
        ("im.png", "JPEG", "im.png"),
        ("IM.JPEG", "JPEG", "IM.JPEG"),
        ("im.dib", "BMP", "im.bmp"),
    ],
)
def test_names_get_a_suffix_that_trainers_read_by_what_the_picture_is(tmp_path, name, kind, readable):
    Image.new("RGB", (12, 12)).save(tmp_path / "x", kind)
    assert readable_name(name, true_suffix(tmp_path / "x")) == readable
