"""Frames a second of `fosbury predict`, against what it replaces and against the model alone.

    python bench/video.py CLIP --model models/starter/rtmpose/rtmpose-t.pt --boxes track

Each way is a process of its own, in turns, and counts from the first frame to the whole file, without the start of
Python and of the model:

loop        OpenCV reads a frame, the model answers, lines are drawn, OpenCV writes the frame, and so on
ultralytics `yolo predict save=True` (with --ultralytics, for a model that it opens)
bare        the model, on frames that are decoded and in memory: no program around it can be faster
apart       `fosbury predict --no-overlap`
overlapped  `fosbury predict`
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from timing import positive

WAYS = ("loop", "ultralytics", "bare", "apart", "overlapped")


def main() -> None:
    """Time every way in turns and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--boxes", help="who finds people, as for `fosbury predict`")
    parser.add_argument("--skeleton", help="where the model does not name its joints")
    parser.add_argument("--image-size", type=positive)
    parser.add_argument("--batch", type=positive, default=4)
    parser.add_argument("--repeats", type=positive, default=3)
    parser.add_argument("--ultralytics", action="store_true")
    parser.add_argument("--json", type=Path, help="file for the seconds")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.way:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(globals()[f"_{asked.way}"](asked, Path(folder))))
        return
    ways = [way for way in WAYS if way != "ultralytics" or asked.ultralytics]
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    frames = 0
    for repeat in range(asked.repeats):
        for way in ways if repeat % 2 == 0 else ways[::-1]:
            taken, frames = _in_a_process(way)
            seconds[way].append(taken)
    print(f"{asked.clip.name}, {frames} frames, {asked.model.name}, {asked.repeats} repeats, {os.cpu_count()} cores")
    print("| way | frames/s | time against overlapped |\n|---|--:|--:|")
    for way in ways:
        ratios = [one / other for one, other in zip(seconds[way], seconds["overlapped"], strict=True)]
        rate = frames / statistics.median(seconds[way])
        print(f"| {way} | {rate:.1f} | {statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f}) |")
    if asked.json:
        asked.json.write_text(json.dumps(seconds, indent=2) + "\n", encoding="utf-8")


def _in_a_process(way: str) -> tuple[float, int]:
    command = [sys.executable, __file__, *sys.argv[1:], "--way", way]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    taken, frames = json.loads(done.stdout.splitlines()[-1])
    return taken, frames


def _predictor(asked: argparse.Namespace):
    from fosbury.config import named_skeleton
    from fosbury.inference.predict import Predictor
    from fosbury.inference.registry import load_model

    skeleton = named_skeleton(asked.skeleton) if asked.skeleton else None
    return Predictor(load_model(asked.model, skeleton, asked.image_size, 0.05), asked.boxes)


def _warm(predictor, picture, frame) -> None:
    for _ in range(2):
        predictor.predict([picture], [frame])
    if predictor.provider is not None:
        predictor.provider.video = predictor.provider.last = None


def _frame(index: int, time_ms: float, picture):
    from fosbury.pose import Frame

    return Frame("", picture.shape[1], picture.shape[0], video="clip", frame=index, timestamp_ms=time_ms)


def _loop(asked: argparse.Namespace, folder: Path) -> tuple[float, int]:
    import cv2
    import numpy as np

    predictor = _predictor(asked)
    reader = cv2.VideoCapture(str(asked.clip))
    rate, size = reader.get(cv2.CAP_PROP_FPS), [int(reader.get(which)) for which in (3, 4)]
    _warm(predictor, np.zeros((size[1], size[0], 3), np.uint8), _frame(0, 0.0, np.zeros((size[1], size[0]))))
    begin, index = time.perf_counter(), 0
    writer = cv2.VideoWriter(str(folder / "out.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), rate, size)
    while True:
        read, picture = reader.read()
        if not read:
            break
        colours = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        for pose in predictor.predict([colours], [_frame(index, 1000 * index / rate, colours)])[0]:
            points = np.round(np.nan_to_num(pose.keypoints)).astype(int).tolist()
            for first, second in predictor.model.skeleton.bones:
                if min(pose.confidence[first], pose.confidence[second]) >= 0.2:
                    cv2.line(picture, points[first], points[second], (0, 255, 0), 2, cv2.LINE_AA)
            for point, score in zip(points, pose.confidence, strict=True):
                if score >= 0.2:
                    cv2.circle(picture, point, 4, (0, 0, 255), -1, cv2.LINE_AA)
        writer.write(picture)
        index += 1
    writer.release()
    return time.perf_counter() - begin, index


def _ultralytics(asked: argparse.Namespace, folder: Path) -> tuple[float, int]:
    import numpy as np
    from ultralytics import YOLO

    model = YOLO(str(asked.model))
    usual = {"imgsz": asked.image_size or 640, "device": "cpu", "verbose": False}
    model.predict(np.zeros((64, 64, 3), np.uint8), **usual)
    model.predictor = None
    begin = time.perf_counter()
    answers = model.predict(str(asked.clip), stream=True, save=True, project=str(folder), name="out", **usual)
    frames = sum(1 for _ in answers)
    return time.perf_counter() - begin, frames


def _bare(asked: argparse.Namespace, folder: Path) -> tuple[float, int]:
    from fosbury.media.video import decode, to_image

    del folder
    predictor = _predictor(asked)
    shown = [(to_image(frame), time_ms) for _, time_ms, frame in decode(asked.clip)]
    frames = [_frame(index, time_ms, picture) for index, (picture, time_ms) in enumerate(shown)]
    pictures = [picture for picture, _ in shown]
    _warm(predictor, pictures[0], frames[0])
    begin = time.perf_counter()
    for start in range(0, len(frames), asked.batch):
        part = slice(start, start + asked.batch)
        predictor.predict(pictures[part], frames[part])
    return time.perf_counter() - begin, len(frames)


def _apart(asked: argparse.Namespace, folder: Path) -> tuple[float, int]:
    return _predict(asked, folder, depth=0)


def _overlapped(asked: argparse.Namespace, folder: Path) -> tuple[float, int]:
    return _predict(asked, folder, depth=16)


def _predict(asked: argparse.Namespace, folder: Path, depth: int) -> tuple[float, int]:
    import numpy as np

    from fosbury.inference.answers import Asked
    from fosbury.refinement import Refinement
    from fosbury.video.clip import How, predict_clip
    from fosbury.video.look import Pace

    predictor = _predictor(asked)
    blank = np.zeros((64, 64, 3), np.uint8)
    _warm(predictor, blank, _frame(0, 0.0, blank))
    how = How(
        asked=Asked(model=asked.model, boxes=asked.boxes, refinement=Refinement()),
        pace=Pace(batch=asked.batch, depth=depth),
    )
    targets = {"video": folder / "out.mp4", "json": folder / "out.json"}
    begin = time.perf_counter()
    done = predict_clip(asked.clip, targets, predictor, how)
    return time.perf_counter() - begin, done.frames


if __name__ == "__main__":
    main()
