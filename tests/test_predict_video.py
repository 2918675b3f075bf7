"""`fosbury predict`: what is seen in a clip, the athlete in every frame, and the files that hold them."""

from __future__ import annotations

import importlib.util
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import jsonschema
import numpy as np
import pytest

from fosbury.config import named_skeleton
from fosbury.errors import BadInput
from fosbury.inference.answers import Asked
from fosbury.inference.predict import Predictor
from fosbury.inference.registry import load_model
from fosbury.media.video import decode, probe, to_image, write_video
from fosbury.pose import Pose
from fosbury.refinement import Refinement
from fosbury.synth.clips import render_clip
from fosbury.video.ahead import ahead
from fosbury.video.clip import How, predict_clip
from fosbury.video.clips import plan
from fosbury.video.encode import frame_of, partial_of, planes_of, settings_of, writing
from fosbury.video.look import Answer, Kept, Pace, look
from fosbury.video.outputs.json import SCHEMA
from fosbury.video.outputs.registry import OUTPUTS
from fosbury.video.planes import Colours, Planes, values_of
from fosbury.video.settle import Steps, settle
from fosbury.video.shots import CameraMotion, CutFinder

ROOT = Path(__file__).parents[1]
VIDEOS = ROOT.parent / "shared" / "data" / "videos"
COCO = named_skeleton("coco17")
SIZE = (96, 128)
needs_yolo = pytest.mark.skipif(importlib.util.find_spec("ultralytics") is None, reason="needs ultralytics")
STARTER = ROOT / "models" / "starter" / "yolo11n-pose.pt"


class Blob:
    """A model in earnest of a very simple body: its joints lie in a fixed pattern within the bright patch it sees."""

    skeleton, input_size, licence, needs_boxes, temperature = COCO, SIZE, "Apache-2.0", False, None
    pattern = np.random.default_rng(0).uniform(0.05, 0.95, (17, 2))

    def __init__(self) -> None:
        self.seen = 0

    def predict(self, images: Sequence[np.ndarray], boxes: Sequence[np.ndarray] | None = None) -> list[list[Pose]]:
        self.seen += len(images)
        return [self._one(image) for image in images]

    def _one(self, image: np.ndarray) -> list[Pose]:
        ys, xs = np.nonzero(image[..., 1] > 140)
        if len(xs) < 20:
            return []
        low, high = np.array([xs.min(), ys.min()], dtype=float), np.array([xs.max() + 1, ys.max() + 1], dtype=float)
        return [Pose(low + self.pattern * (high - low), np.full(17, 0.9), np.concatenate([low, high]), 0.9)]


def patch(x: float, y: float = 40, *, shade: int = 30) -> np.ndarray:
    """A bright body of 24 x 40 pixels."""
    image = np.full((*SIZE, 3), shade, dtype=np.uint8)
    image[round(y) : round(y) + 40, round(x) : round(x) + 24] = 230
    return image


def moving(count: int = 30) -> list[np.ndarray]:
    return [patch(4 + 2.5 * at) for at in range(count)]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    write_video(path, moving(), 25)
    return path


def asked(path: Path = ROOT / "pyproject.toml") -> How:
    return How(asked=Asked(model=path, boxes=None, refinement=Refinement()), pace=Pace(batch=4, depth=4))


def seen(clip: Path, folder: Path, pace: Pace, model: Blob, settings: str = "s") -> list[Answer]:
    with Kept(folder / "answers.jsonl", settings) as kept:
        return list(look(clip, Predictor(model), pace, kept))


def same(first: Sequence[Answer], second: Sequence[Answer]) -> None:
    assert [each.index for each in first] == [each.index for each in second]
    for one, other in zip(first, second, strict=True):
        assert (one.timestamp_ms, one.cut, one.size) == (other.timestamp_ms, other.cut, other.size)
        assert (one.poses is None) == (other.poses is None)
        for pose, twin in zip(one.poses or [], other.poses or [], strict=True):
            assert np.array_equal(pose.keypoints, twin.keypoints)


# Threads


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_ahead_keeps_the_order_and_raises_the_error_in_its_place(depth):
    def numbers():
        yield from range(5)
        raise BadInput("clip", "is cut off", "copy it again")

    got = []
    with pytest.raises(BadInput, match="cut off"):
        for number in ahead(numbers(), depth):
            got.append(number)
    assert got == list(range(5))


def test_ahead_is_never_further_ahead_than_its_depth_and_stops_with_its_consumer():
    made = []

    def numbers():
        for number in range(1000):
            made.append(number)
            yield number

    items = ahead(numbers(), 3)
    assert next(items) == 0
    time.sleep(0.3)
    assert len(made) <= 1 + 3 + 1  # taken, waiting, and one that finds no place
    items.close()
    count = len(made)
    time.sleep(0.3)
    assert len(made) == count


# What the model sees


def test_every_frame_is_looked_at_in_order_and_overlap_changes_nothing(clip, tmp_path):
    apart = seen(clip, tmp_path / "a", Pace(batch=4, depth=0), Blob())
    together = seen(clip, tmp_path / "b", Pace(batch=4, depth=8), Blob())
    assert [answer.index for answer in apart] == list(range(30))
    assert all(answer.poses for answer in apart)
    same(apart, together)


@pytest.mark.parametrize("stride", [1, 3])
def test_a_run_that_was_stopped_goes_on_bit_by_bit_the_same_wherever_it_was_cut(clip, tmp_path, stride):
    pace = Pace(batch=4, depth=2, stride=stride)
    whole = seen(clip, tmp_path, pace, Blob())
    file = tmp_path / "answers.jsonl"
    content = file.read_bytes()
    rng = np.random.default_rng(stride)
    for cut in sorted(rng.integers(0, len(content), 12).tolist()):
        file.write_bytes(content[:cut])
        model = Blob()
        same(seen(clip, tmp_path, pace, model), whole)
        assert file.read_bytes().count(b"\n") == content.count(b"\n")
    assert model.seen < 30


def test_answers_of_other_settings_are_not_taken(clip, tmp_path):
    pace = Pace(batch=4)
    seen(clip, tmp_path, pace, Blob(), "one")
    model = Blob()
    seen(clip, tmp_path, pace, model, "one")
    assert model.seen == 0
    seen(clip, tmp_path, pace, model, "another")
    assert model.seen == 30


def test_a_stride_looks_between_only_where_something_moves(tmp_path):
    still, quick = [patch(40)] * 24, [patch(40 + 6 * at) for at in range(7)]
    path = tmp_path / "clip.mp4"
    write_video(path, [*still, *quick, *[patch(76)] * 18], 25)
    model = Blob()
    answers = seen(path, tmp_path, Pace(batch=2, stride=6), model)
    assert model.seen < 30
    looked = {answer.index for answer in answers if answer.poses is not None}
    assert set(range(24, 31)) <= looked
    assert not looked & {1, 2, 3, 4, 5, 43, 44, 45, 46, 47}


def test_what_was_not_looked_at_is_interpolated_within_what_motion_allows(tmp_path):
    path = tmp_path / "clip.mp4"
    write_video(path, [patch(20 + 0.4 * at) for at in range(60)], 25)
    every = settle(seen(path, tmp_path / "a", Pace(), Blob()), COCO, Steps(repair=False, smooth=False))
    some = settle(seen(path, tmp_path / "b", Pace(stride=4), Blob()), COCO, Steps(repair=False, smooth=False))
    far, filled = [], 0
    for one, other in zip(every, some, strict=True):
        assert one.pose is not None and other.pose is not None
        filled += other.interpolated
        far.append(np.abs(one.pose.keypoints - other.pose.keypoints).max())
    assert filled > 30
    assert max(far) <= 0.05 * 40


# Shots


def test_a_cut_is_found_and_a_moving_camera_is_none():
    rng = np.random.default_rng(1)
    wide = rng.integers(0, 255, (36, 400)).astype(np.uint8)
    wide = np.repeat(np.repeat(wide[::6, ::8], 6, axis=0), 8, axis=1)[:, :400]
    pan = [wide[:, 3 * at : 3 * at + 64] for at in range(60)]
    other = [255 - wide[:, 100 + at : 164 + at] for at in range(20)]
    find = CutFinder()
    assert [at for at, luma in enumerate([*pan, *other]) if find(luma)] == [60]


def test_nobody_is_followed_across_a_cut(tmp_path):
    path = tmp_path / "clip.mp4"
    write_video(path, [*[patch(20)] * 12, *[patch(80, shade=110)] * 12], 25)
    settled = list(settle(seen(path, tmp_path, Pace(), Blob()), COCO, Steps()))
    assert [each.person_id for each in settled] == [1] * 12 + [2] * 12
    before, after = (settled[at].pose for at in (11, 12))
    assert before is not None and after is not None
    assert before.box[0] < 24 and after.box[0] > 76  # smoothing did not draw them together


def test_a_short_absence_is_filled_in_and_a_long_one_is_not(tmp_path):
    gone = np.full((*SIZE, 3), 30, dtype=np.uint8)
    path = tmp_path / "clip.mp4"
    write_video(path, [*[patch(20)] * 10, *[gone] * 4, *[patch(20)] * 10, *[gone] * 20, *[patch(20)] * 5], 25)
    settled = list(settle(seen(path, tmp_path, Pace(), Blob()), COCO, Steps()))
    assert all(each.interpolated for each in settled[10:14])
    assert [each.pose is None for each in settled[24:44]] == [True] * 20


# The clip with the joints drawn on it


def variable(path: Path, times: Sequence[int], *, sound: bool = False, late: int = 0) -> None:
    """A clip whose frames have times in milliseconds, with a tone under it, and the picture ``late`` milliseconds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = SIZE[1], SIZE[0], "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        voice = container.add_stream("aac", rate=44100) if sound else None
        for at, ms in enumerate(times):
            frame = av.VideoFrame.from_ndarray(patch(4 + at), format="rgb24")
            frame.pts, frame.time_base = ms + late, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if voice is not None:
            for at in range((times[-1] + late) * 44100 // 1000 // 1024):
                tone = np.sin(np.arange(at * 1024, (at + 1) * 1024) * 0.06).astype(np.float32)[None]
                heard = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
                heard.pts, heard.rate, heard.time_base = at * 1024, 44100, Fraction(1, 44100)
                container.mux(voice.encode(heard))
            container.mux(voice.encode(None))


def starts(path: Path) -> dict[str, float]:
    with av.open(str(path)) as container:
        return {each.type: float((each.start_time or 0) * each.time_base) for each in container.streams}


def pictured(image: np.ndarray) -> Planes:
    return planes_of(av.VideoFrame.from_ndarray(image, format="rgb24"))


def copied(source: Path, target: Path) -> None:
    with writing(target, source, "settings") as writer:
        for _, ms, frame in decode(source):
            writer.add(planes_of(frame), ms)


def test_times_of_the_frames_are_kept_whatever_their_rate(tmp_path):
    times = [0, 40, 80, 200, 210, 333, 900, 901, 1500]
    variable(tmp_path / "in.mp4", times)
    copied(tmp_path / "in.mp4", tmp_path / "out.mp4")
    assert [ms for _, ms, _ in decode(tmp_path / "out.mp4")] == times
    assert settings_of(tmp_path / "out.mp4") == "settings"


@pytest.mark.parametrize("late", [0, 500])
def test_sound_is_kept_and_stays_with_the_picture(tmp_path, late):
    variable(tmp_path / "in.mp4", list(range(0, 2000, 40)), sound=True, late=late)
    copied(tmp_path / "in.mp4", tmp_path / "out.mp4")
    before, after = starts(tmp_path / "in.mp4"), starts(tmp_path / "out.mp4")
    assert set(after) == {"video", "audio"}
    assert after["video"] - after["audio"] == pytest.approx(before["video"] - before["audio"], abs=0.03)
    with av.open(str(tmp_path / "in.mp4")) as one, av.open(str(tmp_path / "out.mp4")) as other:
        sums = [sum(frame.samples for frame in each.decode(audio=0)) for each in (one, other)]
    assert sums[0] == sums[1]


@pytest.mark.parametrize("rgb", [(255, 176, 0), (0, 114, 178), (255, 255, 255), (12, 200, 90)])
@pytest.mark.parametrize(("matrix", "span"), [("ITU709", "MPEG"), ("ITU601", "MPEG"), ("ITU709", "JPEG")])
def test_a_colour_is_drawn_as_ffmpeg_converts_it(rgb, matrix, span):
    flat = av.VideoFrame.from_ndarray(np.full((16, 16, 3), rgb, dtype=np.uint8), format="rgb24")
    expected = flat.reformat(format="yuv420p", dst_colorspace=matrix, dst_color_range=span).to_ndarray().reshape(-1)
    colours = Colours({"ITU709": 1, "ITU601": 6}[matrix], {"MPEG": 1, "JPEG": 2}[span])
    assert values_of(rgb, colours) == pytest.approx(tuple(map(int, expected[[0, 256, 320]])), abs=1)


def test_where_nothing_is_drawn_the_planes_are_those_that_were_decoded():
    noise = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    frame = av.VideoFrame.from_ndarray(noise, format="rgb24").reformat(format="yuv420p", width=99, height=75)
    stored = [np.frombuffer(each, np.uint8).reshape(-1, each.line_size)[:, : each.width] for each in frame.planes]
    planes = planes_of(frame)
    assert planes.luma.shape == (76, 100) and planes.chroma[0].shape == (38, 50)
    assert (planes.luma[:75, :99] == stored[0][:75]).all()
    for plane, original in zip(planes.chroma, stored[1:], strict=True):
        assert (plane == original[:38]).all()
    assert frame_of(planes).to_ndarray().tobytes() == planes.data.tobytes()


@pytest.mark.skipif(not VIDEOS.is_dir(), reason="needs the shared videos")
@pytest.mark.parametrize("name", ["torchcodec_bt709_full_range.mp4", "torchcodec_h265_10bits.mp4", "gebiro_video.MOV"])
def test_a_copied_clip_has_the_colours_of_the_original(tmp_path, name):
    copied(VIDEOS / name, tmp_path / "out.mp4")
    both = zip(decode(VIDEOS / name), decode(tmp_path / "out.mp4"), strict=True)
    for (_, _, before), (_, _, after) in both:
        one, other = (to_image(each).astype(float) for each in (before, after))
        height, width = one.shape[:2]
        assert np.abs((one - other[:height, :width]).mean(axis=(0, 1))).max() < 1.5


def test_an_odd_side_gets_one_more_pixel_and_the_rest_stays(tmp_path):
    variable(tmp_path / "in.mp4", [0, 40, 80])
    with writing(tmp_path / "out.mp4", tmp_path / "in.mp4") as writer:
        for ms in (0, 40, 80):
            writer.add(pictured(np.full((95, 127, 3), 128, dtype=np.uint8)), ms)
    info = probe(tmp_path / "out.mp4")
    assert (info.width, info.height, info.frames) == (128, 96, 3)


def test_an_error_leaves_a_partial_clip_that_plays_and_the_target_as_it_was(tmp_path):
    variable(tmp_path / "in.mp4", [0, 40, 80])
    target = tmp_path / "out.mp4"
    target.write_bytes(b"former")
    with pytest.raises(RuntimeError), writing(target, tmp_path / "in.mp4") as writer:
        for at in range(300):
            writer.add(pictured(patch(at % 90)), at * 40)
        raise RuntimeError
    assert target.read_bytes() == b"former"
    assert probe(partial_of(target)).frames > 200


def walkers(count: int, camera: float) -> list[Answer]:
    """Somebody large who stands in front, and somebody smaller who runs past behind."""
    result = []
    for at in range(count):
        poses = []
        for x, size in ((300 + camera * at, 120.0), (20 + (6 + camera) * at, 60.0)):
            corners = np.array([[x, 40], [x + size / 2, 40 + size]])
            points = corners[0] + Blob.pattern * (corners[1] - corners[0])
            poses.append(Pose(points, np.full(17, 0.9), corners.ravel(), 0.9))
        result.append(Answer(at, 40.0 * at, False, (camera if at else 0.0, 0.0), poses, 1.0, (640, 360)))
    return result


@needs_yolo
@pytest.mark.xdist_group("predict")
@pytest.mark.skipif(not VIDEOS.is_dir(), reason="needs the shared videos")
def test_a_real_jumper_is_followed_from_the_start_to_the_mat(tmp_path):
    """Spectators stand around her, the camera turns with her; boxes by eye, of the frames 10, 40, 60, 94 and 118."""
    target = tmp_path / "out.json"
    weights = VIDEOS.parent / "weights" / "yolo11n-pose-coco-approx.pt"
    model = load_model(weights, COCO, 320, 0.05)
    predict_clip(VIDEOS / "replico_highjump.mp4", {"json": target}, Predictor(model), asked())
    frames = json.loads(target.read_text(encoding="utf-8"))["frames"]
    places = {10: (160, 120), 40: (125, 130), 60: (110, 120), 94: (222, 80), 118: (242, 118)}
    for at, place in places.items():
        x1, y1, x2, y2 = frames[at]["box"]
        assert x1 < place[0] < x2 and y1 < place[1] < y2, at


@pytest.mark.parametrize("camera", [0.0, -6.0])
def test_the_one_who_moves_through_the_scene_is_the_athlete(camera):
    settled = list(settle(walkers(75, camera), COCO, Steps()))
    assert all(each.pose is not None and each.pose.box[3] == 100 for each in settled)


def test_the_camera_s_way_is_measured_by_what_stands_still():
    scene = np.random.default_rng(0).integers(0, 256, (60, 160), dtype=np.uint8)
    scene = cv2.normalize(cv2.GaussianBlur(scene, (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX)
    motion, found = CameraMotion(), []
    for at in range(12):
        view = scene[:, 40 - 3 * at : 40 - 3 * at + 64].copy()
        view[20:40, 28:36] = 150  # the athlete, whom the camera follows
        found.append(motion(view))
    assert found[0] == (0.0, 0.0)
    assert np.median(np.array(found[1:]) * [64, 60], axis=0) == pytest.approx([3.0, 0.0], abs=0.4)


# Files


def test_json_follows_its_schema_and_no_person_is_an_empty_list(tmp_path, clip):
    gone = np.full((*SIZE, 3), 30, dtype=np.uint8)
    write_video(clip, [*[gone] * 20, *moving(10)], 25)
    target = tmp_path / "out.json"
    predict_clip(clip, {"json": target}, Predictor(Blob()), asked())
    found = json.loads(target.read_text(encoding="utf-8"))
    jsonschema.validate(found, json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert found["meta"] == {"fps": 25.0, "width": SIZE[1], "height": SIZE[0], "frame_count": 30}
    assert found["keypoint_format"] == list(COCO.joints)
    assert [frame["frame_index"] for frame in found["frames"]] == list(range(30))
    assert found["frames"][3]["keypoints"] == [] and found["frames"][3]["pose_score"] == 0
    assert len(found["frames"][25]["keypoints"]) == 17
    assert found["frames"][25]["timestamp_ms"] == 1000


def test_the_other_files_say_the_same_in_their_own_words(tmp_path, clip):
    targets = {name: tmp_path / f"out{kind.suffix}" for name, kind in OUTPUTS.items()}
    predict_clip(clip, targets, Predictor(Blob()), asked())
    frame = json.loads(targets["json"].read_text(encoding="utf-8"))["frames"][7]
    nose = frame["keypoints"][0]
    row = targets["csv"].read_text(encoding="utf-8").splitlines()[1 + 7 * 17].split(",")
    assert (row[0], row[5], float(row[6]), float(row[7])) == ("7", "nose", nose["x"], nose["y"])
    trc = [line.split("\t") for line in targets["trc"].read_text(encoding="utf-8").splitlines()]
    assert len(trc) == 5 + 30 and trc[2][2:4] == ["30", "17"]
    cells = trc[5 + 7]
    assert float(cells[2]) == pytest.approx(nose["x"], abs=0.01)
    assert float(cells[3]) == pytest.approx(SIZE[0] - nose["y"], abs=0.01)  # y points up
    table = [line.split(",") for line in targets["movement"].read_text(encoding="utf-8").splitlines()]
    assert [line[0] for line in table[:3]] == ["scorer", "bodyparts", "coords"]
    assert table[1][1:4] == ["nose"] * 3 and float(table[3 + 7][1]) == pytest.approx(nose["x"], abs=0.01)
    files = sorted(targets["openpose"].iterdir())
    assert len(files) == 30
    triples = json.loads(files[7].read_text(encoding="utf-8"))["people"][0]["pose_keypoints_2d"]
    assert len(triples) == 3 * 17 and triples[0] == pytest.approx(nose["x"], abs=0.01)


def test_a_second_run_of_a_clip_replaces_its_files(tmp_path, clip):
    targets = {"json": tmp_path / "out.json", "openpose": tmp_path / "out_openpose"}
    for _ in range(2):
        predict_clip(clip, targets, Predictor(Blob()), asked())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "out.json", "out_openpose"]


def test_the_clip_itself_is_never_written_over(tmp_path, clip):
    content = clip.read_bytes()
    with pytest.raises(BadInput, match="the clip itself"):
        predict_clip(clip, {"video": clip}, Predictor(Blob()), asked())
    assert clip.read_bytes() == content


def test_many_clips_keep_their_folders_and_two_never_share_a_file(tmp_path):
    for name in ("a/jump.mp4", "b/jump.mov", "b/notes.txt"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    jobs = plan([tmp_path / "in"], tmp_path / "out", tmp_path / "json", ["trc"])
    assert [
        sorted(path.relative_to(tmp_path).as_posix() for path in targets.values()) for targets in jobs.values()
    ] == [
        ["json/a/jump.json", "out/a/jump.mp4", "out/a/jump.trc"],
        ["json/b/jump.json", "out/b/jump.mp4", "out/b/jump.trc"],
    ]
    (tmp_path / "in" / "b" / "jump.mp4").write_bytes(b"")
    with pytest.raises(BadInput, match="would be written of"):
        plan([tmp_path / "in"], tmp_path / "out", None, [])


def test_a_pattern_stands_for_the_clips_that_match_it(tmp_path):
    for name in ("a.mp4", "b.mov", "deep/c.mp4", "[1].mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    out = tmp_path / "out"
    assert list(plan([tmp_path / "?.mp4"], out, None, [])) == [tmp_path / "a.mp4"]
    assert list(plan([tmp_path / "**/c.*"], out, None, [])) == [tmp_path / "deep/c.mp4"]
    assert plan([tmp_path / "[1].mp4"], out, None, []) == {tmp_path / "[1].mp4": {"video": out}}, "a name that is there"
    with pytest.raises(BadInput, match="matches no file"):
        plan([tmp_path / "*.avi"], out, None, [])


# The command, with a real model


def command(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "fosbury.cli", "predict", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=False, **options)  # type: ignore[call-overload,no-any-return]


@pytest.fixture(scope="module")
def jump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("jump") / "jump.mp4"
    images, _ = render_clip(3, size=(160, 160), approach=6, landing=3)
    write_video(path, images, 25)
    return path


OPTIONS = ("--model", STARTER, "--image-size", 160, "--no-latency", "--no-rate")


@pytest.fixture(scope="module")
def whole(jump: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what an undisturbed run makes of the jump."""
    folder = tmp_path_factory.mktemp("whole")
    done = command(jump, *OPTIONS, "-o", folder / "out.mp4", "--json", folder / "out.json")
    assert done.returncode == 0, done.stderr
    return folder


@needs_yolo
@pytest.mark.xdist_group("predict")
def test_a_clip_gives_a_clip_as_long_and_joints_of_the_athlete(jump, whole):
    one, other = probe(jump), probe(whole / "out.mp4")
    assert (one.frames, one.width, one.height, one.fps) == (other.frames, other.width, other.height, other.fps)
    found = json.loads((whole / "out.json").read_text(encoding="utf-8"))
    jsonschema.validate(found, json.loads(SCHEMA.read_text(encoding="utf-8")))
    seen = [frame for frame in found["frames"] if frame["keypoints"]]
    assert len(seen) > 0.8 * one.frames
    assert {frame["person_id"] for frame in seen} == {1}
    assert {frame.get("phase") for frame in seen} >= {"approach"}  # this model knows upright people only
    again = command(jump, *OPTIONS, "-o", whole / "out.mp4", "--json", whole / "out.json")
    assert "was finished before" in again.stdout


@needs_yolo
@pytest.mark.xdist_group("predict")
def test_a_killed_run_goes_on_and_gives_the_same_files(jump, whole, tmp_path):
    words = [*map(str, (jump, *OPTIONS)), "-o", str(tmp_path / "out.mp4"), "--json", str(tmp_path / "out.json")]
    process = subprocess.Popen(
        [sys.executable, "-m", "fosbury.cli", "predict", *words],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    kept = tmp_path / ".out.mp4.predict.part" / "answers.jsonl"
    while process.poll() is None and not (kept.is_file() and kept.read_bytes().count(b"\n") > 8):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "out.json").exists()
    assert command(*words).returncode == 0
    for name in ("out.json", "out.mp4"):
        assert (whole / name).read_bytes() == (tmp_path / name).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.json", "out.mp4"]


@needs_yolo
@pytest.mark.xdist_group("predict")
def test_two_workers_do_what_one_does_and_a_broken_clip_stops_no_other(jump, whole, tmp_path):
    clips = tmp_path / "clips"
    clips.mkdir()
    for name in ("a", "b"):
        shutil.copyfile(jump, clips / f"{name}.mp4")
    (clips / "broken.mp4").write_bytes(jump.read_bytes()[:20])
    done = command(clips, *OPTIONS, "--json", tmp_path / "json", "--workers", 2)
    assert done.returncode == 2
    assert "broken.mp4: is not a video" in done.stderr and "1 of 3 clips failed" in done.stderr
    for name in ("a.json", "b.json"):
        assert (tmp_path / "json" / name).read_bytes() == (whole / "out.json").read_bytes()


@needs_yolo
@pytest.mark.skipif(sys.platform == "win32", reason="limits are Unix's")
def test_a_full_disk_is_said_in_one_sentence_and_the_former_file_stays(jump, tmp_path):
    import resource

    (tmp_path / "out.mp4").write_bytes(b"former")
    done = command(
        *(jump, *OPTIONS, "-o", tmp_path / "out.mp4"),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr and len(done.stderr.strip().splitlines()) <= 2
    assert (tmp_path / "out.mp4").read_bytes() == b"former"


@pytest.mark.skipif(not VIDEOS.is_dir(), reason="needs the shared videos")
@pytest.mark.parametrize("name", sorted(path.name for path in VIDEOS.glob("*.m*")) if VIDEOS.is_dir() else [])
def test_every_real_clip_is_answered_upright_and_at_its_own_times(name, tmp_path):
    clip, out = VIDEOS / name, tmp_path / "out.mp4"
    if "LFSPOINTER" in name or ("MOV" in name and clip.stat().st_size < 1000):
        with pytest.raises(BadInput, match="Git LFS"):
            predict_clip(clip, {"video": out}, Predictor(Blob()), asked())
        return
    before = probe(clip)
    done = predict_clip(clip, {"video": out, "json": tmp_path / "out.json"}, Predictor(Blob()), asked())
    after = probe(out)
    assert (after.width, after.height) == (before.width + before.width % 2, before.height + before.height % 2)
    assert after.frames == before.frames == done.frames
    assert after.duration_s == pytest.approx(before.duration_s, abs=1e-3)
    meta = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["meta"]
    assert (meta["width"], meta["height"], meta["frame_count"]) == (before.width, before.height, before.frames)
