"""Labels of every tool: how long 1,000 frames take, what memory a large file takes, and what each real export gives.

python bench/formats.py --real ../shared/data/formats
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from fosbury.errors import BadInput, BadInputs
from fosbury.formats.coco.categories import skeleton_of
from fosbury.formats.cvat.document import elements
from fosbury.formats.cvat.images import read_cvat_images
from fosbury.formats.cvat.meta import Meta
from fosbury.formats.cvat.writing import ANNOTATIONS, write_images
from fosbury.formats.importing import import_labels
from fosbury.formats.layout import find_label_files
from fosbury.formats.registry import FORMATS, label_format
from fosbury.formats.yolo_pose import COCO_JOINTS
from fosbury.pose import VISIBLE, Dataset, Frame, Person, body_area

FRAMES, SIZE = 1000, (320, 240)
LARGE = 20_000
"""Images of the file whose reading is measured in memory."""
ELSEWHERE = {
    "cvat_images_xml/keytool": "cvat_images_xml/keytool/bilder256",
    "cvat_ultralytics_yolo_pose/finetune_gym_v1/ultralytics_yolo_pose_1.0_210": (
        "cvat_coco_keypoints/finetune_gym/images"
    ),
    **{
        f"cvat_coco_keypoints/finetune_gym/annotations_v1/{name}.json": "cvat_coco_keypoints/finetune_gym/images"
        for name in ("correct_n2_3_7_100", "lumbar_3_7_dell_111", "merged_coco", "merged1_coco")
    },
}
"""Pictures of exports that lie in another folder."""
REAL = (
    "cvat_images_xml/datumaro_test",
    "cvat_images_xml/keytool",
    "cvat_video_xml/datumaro_test",
    "cvat_video_xml/volleyball_phases/annotations.xml",
    "cvat_video_xml/volleyball_phases/usa-hitting.xml",
    "cvat_video_xml/volleyball_phases/non_spike_regions.json",
    "cvat_ultralytics_yolo_pose/datumaro_test",
    "cvat_ultralytics_yolo_pose/finetune_gym_v1/ultralytics_yolo_pose_1.0_210",
    "cvat_ultralytics_yolo_pose/finetune_gym_v1/yolo_1.1_210",
    "roboflow_yolov8_pose/keira_humanpose/humanpose.v1i.yolov5pytorch.zip",
    "label_studio/sdk_test",
    "cvat_coco_keypoints/datumaro_test",
    "cvat_coco_keypoints/keira_tiger",
    "cvat_coco_keypoints/keira_tiger/tiger.zip",
    "cvat_coco_keypoints/keira_tiger/data.yaml",
    "cvat_coco_keypoints/finetune_gym/annotations_v1/correct_n2_3_7_100.json",
    "cvat_coco_keypoints/finetune_gym/annotations_v1/lumbar_3_7_dell_111.json",
    "cvat_coco_keypoints/finetune_gym/annotations_v1/merged_coco.json",
    "cvat_coco_keypoints/finetune_gym/annotations_v1/merged1_coco.json",
    "mmpose_tests/coco/test_coco.json",
    "mmpose_tests/crowdpose/test_crowdpose.json",
    "mmpose_tests/coco/test_coco_det_AP_H_56.json",
)
REPEATS = 3


def invented(count: int, of_clip: bool = False) -> Dataset:
    """Frames with one athlete of 17 joints each: pictures in folders, or one clip as CVAT names its frames."""
    rng = np.random.default_rng(0)
    frames = []
    for number in range(count):
        keypoints = rng.uniform(20, 200, (17, 2)).round(2)
        box = np.concatenate([keypoints.min(axis=0) - 2, keypoints.max(axis=0) + 2])
        person = Person(keypoints, np.full(17, VISIBLE, np.uint8), box, body_area(box))
        name = f"frame_{number:06d}.png" if of_clip else f"clip{number // 50}/{number:06d}.jpg"
        clip = ("clip.mp4", number) if of_clip else (None, None)
        frames.append(Frame(name, *SIZE, (person,), video=clip[0], frame=clip[1]))
    return Dataset(skeleton_of("person", COCO_JOINTS), tuple(frames))


def timed(function: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the clock and of the processor that a call takes."""
    start = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - start[0], time.process_time() - start[1]


def timings(folder: Path) -> None:
    """Print seconds to read 1,000 frames of each format, and to import them as `fosbury import` does.

    An import looks for the labels, reads them, decodes and hashes every picture, copies them and writes the set; the
    start of Python is not in it. Of both the fastest of some tries, on the clock and of all threads' processor time.
    """
    head = f"imported {FRAMES:,} frames"
    print(f"\n| format | read, s | of the processor, s | {head}, s | of the processor, s |\n|---|--:|--:|--:|--:|")
    for name in FORMATS:
        kind = label_format(name)
        if kind.write is None:
            continue
        dataset = invented(FRAMES, of_clip="file_name" in kind.loses)
        made = folder / name
        for number, frame in enumerate(dataset.frames):
            picture = made / kind.pictures / frame.file_name
            picture.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", SIZE, (number % 256, number // 256, 90)).save(picture)
        kind.write(dataset, made)
        (file,) = find_label_files(kind, made)
        images = made if kind.names else made / kind.pictures

        def read(read=kind.read, path=file.path, images=images) -> None:
            read(path, None, lambda one: images / one.file_name)

        took = min(timed(read) for _ in range(REPEATS))
        whole = min(
            timed(partial(import_labels, made, None, f"{name}{at}", folder / "raw", format=name))
            for at in range(REPEATS)
        )
        print(f"| {name} | {took[0]:.2f} | {took[1]:.2f} | {whole[0]:.2f} | {whole[1]:.2f} |", flush=True)


def peak() -> int:
    """Most memory that this process has held, in KiB; that of the process that started it does not count."""
    status = Path("/proc/self/status")
    if status.is_file():
        return int(status.read_text().split("VmHWM:")[1].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # which Linux hands on from parent to child


def growth(way: str, path: Path) -> int:
    """MiB by which this process grows at most as it goes through CVAT's XML of images."""
    before = peak()
    if way == "elements":
        assert sum(element.tag == "image" for _, element in elements(path, Meta())) > 0
    else:
        assert len(read_cvat_images(path)) > 0
    return (peak() - before) // 1024


def memory(folder: Path) -> None:
    """Print by how much memory grows as a large file of CVAT is gone through, and as it is read."""
    write_images(invented(LARGE), folder)
    path = folder / ANNOTATIONS
    print(f"\nCVAT's XML of {LARGE:,} images, {path.stat().st_size / 2**20:.0f} MiB, makes a process grow by", end=" ")
    command = [sys.executable, __file__, "--growth"]
    grown = [
        subprocess.run([*command, way, path], check=True, capture_output=True, text=True).stdout.strip()
        for way in ("elements", "read")
    ]
    print(f"{grown[0]} MiB for its elements alone, {grown[1]} MiB with the data set that is read.", flush=True)


def real(folder: Path, work: Path) -> None:
    """Print what each export gives, or the sentence that refuses it."""
    print("\n| export | what came of it |\n|---|---|")
    for number, name in enumerate(REAL):
        images = folder / ELSEWHERE[name] if name in ELSEWHERE else None
        try:
            done = import_labels(folder / name, images, f"set{number}", work)
            said = f"{done.format}: {done.frames} frames, {done.people} people, {done.joints} joints"
        except BadInputs as error:
            said = f"refused: {error.problems[0]}" + (" ..." if len(error.problems) > 1 else "")
        except BadInput as error:
            said = f"refused: {error.problem}"
        print(f"| {name} | {' '.join(said.split()).replace(f'{folder}/', '').replace('|', ' ')[:230]} |", flush=True)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, help="folder of exports, as tests have it")
    parser.add_argument("--growth", nargs=2, metavar=("WAY", "FILE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.growth:
        print(growth(arguments.growth[0], Path(arguments.growth[1])))
        return
    with tempfile.TemporaryDirectory() as work:
        timings(Path(work))
        memory(Path(work))
        if arguments.real is not None:
            real(arguments.real, Path(work) / "real")


if __name__ == "__main__":
    main()
