"""Clips come out upright, in order and timed; what is no clip is refused; extraction repeats no work."""

import json
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from typing import NamedTuple

import av
import numpy as np
import pytest

from fosbury.errors import BadInput
from fosbury.media.extract import extract, read_manifest
from fosbury.media.image import read_image
from fosbury.media.video import decode, probe, to_image, write_video

COLOURS = np.array([[220, 40, 40], [40, 200, 40], [40, 40, 220], [200, 200, 40]], np.uint8)


class Shown(NamedTuple):
    """A frame as a person sees it."""

    index: int
    timestamp_ms: float
    image: np.ndarray


def frames_of(path, **options):
    return (Shown(index, time_ms, to_image(frame)) for index, time_ms, frame in decode(path, **options))


def quarters(width=64, height=48):
    """Four colours: top left, top right, bottom left, bottom right."""
    rows, columns = np.arange(height)[:, None] * 2 // height, np.arange(width)[None] * 2 // width
    return COLOURS[rows * 2 + columns]


def counted(count, width=64, height=48):
    """Frames whose grey tells their number."""
    return [np.full((height, width, 3), 16 + 5 * index, np.uint8) for index in range(count)]


def numbers(path, **options):
    return [round((float(frame.image.mean()) - 16) / 5) for frame in frames_of(path, **options)]


def nearest_colours(image):
    height, width = image.shape[:2]
    corners = [image[y * height // 4, x * width // 4].astype(int) for y in (1, 3) for x in (1, 3)]
    return [int(np.abs(COLOURS - corner).sum(axis=1).argmin()) for corner in corners]


def encode(path, images, pts, rate=25, time_base=Fraction(1, 1000), **options):
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = time_base
        stream.options = {"crf": "1", "bf": "2"}
        for image, time_stamp in zip(images, pts, strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = time_stamp, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def with_matrix(path, a, b, c, d):
    """Patch the track header's matrix, as a phone writes it (ISO/IEC 14496-12, tkhd version 0)."""
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4 + 40
    matrix = np.array([[a, b, 0], [c, d, 0], [0, 0, 1]], float) * (2**16, 2**16, 2**30)
    data[start : start + 36] = matrix.astype(">i4").tobytes()
    path.write_bytes(data)
    return path


def test_what_is_written_is_read(tmp_path):
    write_video(tmp_path / "a.mp4", counted(30), 25)
    frames = list(frames_of(tmp_path / "a.mp4"))
    assert [frame.index for frame in frames] == list(range(30))
    assert [frame.timestamp_ms for frame in frames] == [40.0 * index for index in range(30)]
    assert numbers(tmp_path / "a.mp4") == list(range(30))
    info = probe(tmp_path / "a.mp4")
    assert (info.width, info.height, info.frames, info.codec, info.rotation) == (64, 48, 30, "h264", 0)
    assert info.fps == pytest.approx(25) and info.duration_s == pytest.approx(1.2)
    assert info.notes == ()


def test_colours_survive(tmp_path):
    write_video(tmp_path / "a.mp4", [quarters()] * 3, 25, crf=10)
    image = next(frames_of(tmp_path / "a.mp4")).image.astype(int)
    assert np.abs(image[12, 16] - COLOURS[0]).max() < 12
    assert np.abs(image[36, 48] - COLOURS[3]).max() < 12


def test_writing_twice_gives_the_same_bytes_without_a_date_or_a_leftover(tmp_path):
    rng = np.random.default_rng(0)
    scene = np.kron(rng.integers(0, 255, (40, 50, 3), dtype=np.uint8), np.ones((8, 8, 1), np.uint8))
    images = [np.ascontiguousarray(scene[n : n + 240, 2 * n : 2 * n + 320]) for n in range(30)]
    contents = set()
    for attempt in range(6):
        write_video(tmp_path / "a.mp4", images, Fraction(30000, 1001), preset="fast")
        contents.add((tmp_path / "a.mp4").read_bytes())
        dirt = [rng.integers(0, 255, (int(size), 640), dtype=np.uint8) for size in rng.integers(1, 900, 20)]
        del dirt
        assert len(list(frames_of(tmp_path / "a.mp4"))) == 30
        time.sleep(1.1 if attempt == 0 else 0)
    assert len(contents) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize("images", [[], counted(1, 64, 47), counted(1) + counted(1, 8, 8)])
def test_a_failed_write_leaves_nothing(tmp_path, images):
    with pytest.raises(ValueError):
        write_video(tmp_path / "a.mp4", images, 25)
    assert list(tmp_path.iterdir()) == []


def test_some_frames_can_be_chosen(tmp_path):
    write_video(tmp_path / "a.mp4", counted(30), 25)
    assert numbers(tmp_path / "a.mp4", every=7) == [0, 7, 14, 21, 28]
    assert numbers(tmp_path / "a.mp4", start=5, stop=12, every=3) == [5, 8, 11]
    assert numbers(tmp_path / "a.mp4", only=[3, 17, 400]) == [3, 17]
    assert numbers(tmp_path / "a.mp4", only=[]) == []
    with pytest.raises(ValueError):
        numbers(tmp_path / "a.mp4", every=0)


@pytest.mark.parametrize(
    ("matrix", "rotation", "shown"),
    [
        ((1, 0, 0, 1), 0, [0, 1, 2, 3]),
        ((0, 1, -1, 0), 90, [2, 0, 3, 1]),
        ((-1, 0, 0, -1), 180, [3, 2, 1, 0]),
        ((0, -1, 1, 0), 270, [1, 3, 0, 2]),
        ((-1, 0, 0, 1), 180, [1, 0, 3, 2]),
        ((1, 0, 0, -1), 0, [2, 3, 0, 1]),
        ((0, 1, 1, 0), 90, [0, 2, 1, 3]),
    ],
)
def test_rotation_and_mirroring_of_the_container_are_applied(tmp_path, matrix, rotation, shown):
    path = tmp_path / "a.mp4"
    write_video(path, [quarters()] * 3, 25, crf=5)
    image = next(frames_of(with_matrix(path, *matrix))).image
    info = probe(path)
    assert nearest_colours(image) == shown
    assert (info.height, info.width) == image.shape[:2] == ((64, 48) if matrix[0] == 0 else (48, 64))
    assert info.rotation == rotation


def test_a_matrix_of_odd_angles_is_not_applied(tmp_path):
    path = tmp_path / "a.mp4"
    write_video(path, [quarters()] * 3, 25, crf=5)
    assert nearest_colours(next(frames_of(with_matrix(path, 0.8, 0.6, -0.6, 0.8))).image) == [0, 1, 2, 3]


def test_variable_frame_rate_keeps_every_frame_at_its_own_time(tmp_path):
    pts = [0, 33, 66, 140, 150, 260, 300, 301, 500, 533]
    path = encode(tmp_path / "a.mkv", counted(10), pts)
    assert [frame.timestamp_ms for frame in frames_of(path)] == pts
    assert numbers(path) == list(range(10))
    assert probe(path).fps == pytest.approx(9 / 0.533)


@pytest.mark.parametrize(("suffix", "first"), [(".mkv", -80), (".ts", -80), (".mkv", 1400), (".ts", 1400)])
def test_time_counts_from_the_first_frame(tmp_path, suffix, first):
    pts = [first + 40 * index for index in range(10)]
    path = encode(tmp_path / f"a{suffix}", counted(10), pts, avoid_negative_ts="disabled")
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).pts != 0
    assert [frame.timestamp_ms for frame in frames_of(path)] == [40.0 * index for index in range(10)]
    assert numbers(path) == list(range(10))


def test_timestamps_in_decoding_order_are_put_right_and_noted(tmp_path):
    path = encode(tmp_path / "a.avi", counted(20), range(20), time_base=Fraction(1, 25))
    with av.open(str(path)) as container:
        raw = [frame.pts for frame in container.decode(video=0)]
    assert raw != sorted(set(raw))
    notes = []
    times = [frame.timestamp_ms for frame in frames_of(path, notes=notes)]
    assert times == sorted(set(times))
    assert np.abs(np.diff(times) - 40).max() <= 80
    assert numbers(path) == list(range(20))
    assert any("without a usable timestamp" in note for note in notes)


def test_a_raw_stream_without_timestamps_is_timed_by_its_rate(tmp_path):
    path = encode(tmp_path / "a.h264", counted(10), range(10), time_base=Fraction(1, 25))
    assert numbers(path) == list(range(10))
    times = [frame.timestamp_ms for frame in frames_of(path)]
    assert len(set(np.diff(times).round(3))) == 1 and times[0] == 0


def test_a_clip_that_is_cut_off_gives_what_decodes_and_says_so(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (40, 48, 64, 3), dtype=np.uint8)
    write_video(tmp_path / "a.mp4", noise, 25)
    data = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 2])
    info = probe(tmp_path / "cut.mp4")
    assert 5 < info.frames < 35
    assert info.declared_frames == 40
    assert any("header claims 40 frames" in note for note in info.notes)
    notes = []
    frames = list(frames_of(tmp_path / "cut.mp4", notes=notes))
    assert [frame.index for frame in frames] == list(range(info.frames))
    assert tuple(notes) == info.notes


def audio_only(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "is a Git LFS pointer"),
        (b"only some text\n" * 100, "is not a video"),
        (b"ffconcat version 1.0\nfile 'other.mp4'\n", "is not a video"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.mp4\n#EXT-X-ENDLIST\n", "is not a video"),
    ],
)
def test_what_is_no_clip_is_refused_by_name(tmp_path, content, problem):
    write_video(tmp_path / "other.mp4", counted(3), 25)
    path = tmp_path / "clip 1.MOV"
    path.write_bytes(content)
    for read in (probe, lambda path: list(frames_of(path))):
        with pytest.raises(BadInput, match=problem) as caught:
            read(path)
        assert "clip 1.MOV" in str(caught.value)


def test_a_clip_without_its_index_or_without_a_picture_is_refused(tmp_path):
    write_video(tmp_path / "a.mp4", counted(30), 25)
    data = (tmp_path / "a.mp4").read_bytes()
    index, content = data.index(b"moov") - 4, data.index(b"mdat") - 4
    assert index < content
    (tmp_path / "head.mp4").write_bytes(data[:200])
    (tmp_path / "tail.mp4").write_bytes(data[:index] + data[content:])
    (tmp_path / "index.mp4").write_bytes(data[: data.index(b"mdat") + 12])
    for name in ("head.mp4", "tail.mp4"):
        with pytest.raises(BadInput, match="cut off before its index"):
            probe(tmp_path / name)
    with pytest.raises(BadInput, match="without one frame"):
        probe(tmp_path / "index.mp4")
    with pytest.raises(BadInput, match="no video stream"):
        probe(audio_only(tmp_path / "voice.m4a"))


REAL = {
    "failedcoder12_main.mp4": (160, 256, 182, "h264"),
    "gebiro_video.MOV": (540, 960, 66, "h264"),
    "pose2sim_multi_cam02.mp4": (1088, 1920, 100, "h264"),
    "pose2sim_single_cam01.mp4": (1080, 1920, 100, "h264"),
    "replico_highjump.mp4": (320, 240, 132, "h264"),
    "torchcodec_av1_video.mkv": (640, 360, 125, "av1"),
    "torchcodec_bt709_full_range.mp4": (1280, 720, 30, "h264"),
    "torchcodec_h264_10bits.mp4": (200, 200, 30, "h264"),
    "torchcodec_h265_10bits.mp4": (200, 200, 30, "hevc"),
    "torchcodec_h265_video.mp4": (128, 128, 10, "hevc"),
}


@pytest.mark.real
@pytest.mark.parametrize("name", REAL)
def test_real_clips_decode_upright_and_whole(shared, name):
    info = probe(shared / "videos" / name)
    assert (info.width, info.height, info.frames, info.codec) == REAL[name]
    first = next(frames_of(shared / "videos" / name))
    assert first.image.shape == (info.height, info.width, 3)
    assert first.timestamp_ms == 0
    assert first.image.std() > 5


@pytest.mark.real
def test_the_real_phone_clip_is_turned_and_its_header_caught_lying(shared):
    info = probe(shared / "videos" / "gebiro_video.MOV")
    assert info.rotation == 90
    assert info.declared_frames == 67 and info.notes == ("the header claims 67 frames, 66 decode",)
    times = [frame.timestamp_ms for frame in frames_of(shared / "videos" / "gebiro_video.MOV")]
    assert times == sorted(set(times))


@pytest.mark.real
def test_every_real_clip_is_listed_here_or_refused(shared):
    for path in sorted((shared / "videos").iterdir()):
        if path.name not in REAL and path.suffix != ".txt":
            with pytest.raises(BadInput, match="Git LFS pointer"):
                probe(path)
    with pytest.raises(BadInput, match="is not a video"):
        probe(shared / "videos" / "SOURCES.txt")


class TestExtract:
    @pytest.fixture
    def clip(self, tmp_path):
        write_video(tmp_path / "jump.mp4", counted(20), 25, crf=5)
        return tmp_path / "jump.mp4"

    @staticmethod
    def state(folder):
        return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.iterdir()}

    def test_writes_frames_and_a_manifest(self, clip, tmp_path):
        manifest = extract(clip, tmp_path / "out" / "jump", every=6)
        assert manifest.frames == [0, 6, 12, 18]
        assert manifest.timestamps_ms == [0, 240, 480, 720]
        assert (manifest.width, manifest.height, manifest.video) == (64, 48, "jump.mp4")
        names = sorted(path.name for path in (tmp_path / "out" / "jump").iterdir())
        assert names == ["000000.jpg", "000006.jpg", "000012.jpg", "000018.jpg", "frames.json"]
        means = [read_image(tmp_path / "out" / "jump" / name).mean() for name in names[:4]]
        assert np.round((np.array(means) - 16) / 5).tolist() == manifest.frames
        assert read_manifest(tmp_path / "out" / "jump") == manifest
        assert str(tmp_path) not in (tmp_path / "out" / "jump" / "frames.json").read_text()

    def test_the_same_again_touches_nothing(self, clip, tmp_path):
        first = extract(clip, tmp_path / "jump", only=[3, 5])
        before = self.state(tmp_path / "jump")
        os.utime(clip)
        assert extract(clip, tmp_path / "jump", only=[5, 3, 3]) == first
        assert self.state(tmp_path / "jump") == before

    @pytest.mark.parametrize("change", [{"every": 2}, {"quality": 60}, {"only": [1]}])
    def test_other_parameters_make_it_anew(self, clip, tmp_path, change):
        extract(clip, tmp_path / "jump", every=5)
        before = self.state(tmp_path / "jump")
        extract(clip, tmp_path / "jump", **{"every": 5, **change})
        after = self.state(tmp_path / "jump")
        assert not set(before.values()) & set(after.values())
        assert not list(tmp_path.glob(".jump*"))

    def test_another_clip_under_the_same_name_makes_it_anew(self, clip, tmp_path):
        extract(clip, tmp_path / "jump", every=5)
        write_video(clip, counted(30), 25, crf=5)
        assert extract(clip, tmp_path / "jump", every=5).frames == [0, 5, 10, 15, 20, 25]

    def test_a_frame_that_is_lost_or_a_broken_manifest_makes_it_anew(self, clip, tmp_path):
        extract(clip, tmp_path / "jump", every=5)
        (tmp_path / "jump" / "000010.jpg").unlink()
        extract(clip, tmp_path / "jump", every=5)
        assert (tmp_path / "jump" / "000010.jpg").exists()
        (tmp_path / "jump" / "frames.json").write_text(json.dumps({"version": 1}))
        assert extract(clip, tmp_path / "jump", every=5).frames == [0, 5, 10, 15]

    def test_files_of_others_do_not_make_it_anew_and_are_kept_where_asked(self, clip, tmp_path):
        extract(clip, tmp_path / "jump", every=5)
        (tmp_path / "jump" / "labels.json").write_text("dear")
        before = self.state(tmp_path / "jump")
        extract(clip, tmp_path / "jump", every=5)
        with pytest.raises(BadInput, match=r"jump: is to be made anew and holds other files \(labels\.json\)"):
            extract(clip, tmp_path / "jump", every=4, keep_others=True)
        assert self.state(tmp_path / "jump") == before
        extract(clip, tmp_path / "jump", every=4)
        assert not (tmp_path / "jump" / "labels.json").exists()

    @pytest.mark.parametrize(
        "change",
        [{"frames": ["0"]}, {"frames": [0, 5]}, {"video": "../jump.mp4"}, {"timestamps_ms": [None] * 4}, {"video": 3}],
    )
    def test_a_manifest_that_says_nonsense_is_none(self, clip, tmp_path, change):
        extract(clip, tmp_path / "jump", every=5)
        path = tmp_path / "jump" / "frames.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | change))
        assert read_manifest(tmp_path / "jump") is None

    def test_a_frame_past_the_end_is_refused_and_the_old_frames_stay(self, clip, tmp_path):
        extract(clip, tmp_path / "jump", only=[1])
        before = self.state(tmp_path / "jump")
        with pytest.raises(BadInput, match=r"jump\.mp4: has no frame 20, 31, which the labels name"):
            extract(clip, tmp_path / "jump", only=[1, 20, 31])
        assert self.state(tmp_path / "jump") == before
        assert not list(tmp_path.glob(".jump*"))

    def test_a_kill_leaves_no_half_folder_and_the_next_run_completes(self, tmp_path):
        noise = np.random.default_rng(0).integers(0, 255, (4, 720, 1280, 3), dtype=np.uint8)
        write_video(tmp_path / "long.mp4", (noise[index % 4] for index in range(60)), 25, crf=40, preset="ultrafast")
        code = "import sys; from fosbury.media.extract import extract; extract(sys.argv[1], sys.argv[2], quality=100)"
        process = subprocess.Popen([sys.executable, "-c", code, tmp_path / "long.mp4", tmp_path / "out"])
        while not list(tmp_path.glob(".out.*.partial/frames/*.jpg")) and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert not (tmp_path / "out").exists()
        assert len(extract(tmp_path / "long.mp4", tmp_path / "out", every=20).frames) == 3
        assert len(list((tmp_path / "out").glob("*.jpg"))) == 3
        assert not list(tmp_path.glob(".out*"))
