"""Labels of every tool: how long 1,000 frames take, and what each real export gives.

python bench/formats.py --real ../shared/data/formats
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from fosbury.errors import BadInput, BadInputs
from fosbury.formats.coco.categories import skeleton_of
from fosbury.formats.importing import import_labels
from fosbury.formats.layout import find_label_files
from fosbury.formats.registry import FORMATS, label_format
from fosbury.formats.yolo_pose import COCO_JOINTS
from fosbury.pose import VISIBLE, Dataset, Frame, Person, body_area

FRAMES, SIZE = 1000, (320, 240)
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


def invented(count: int) -> Dataset:
    """Frames with one athlete of 17 joints each."""
    rng = np.random.default_rng(0)
    frames = []
    for number in range(count):
        keypoints = rng.uniform(20, 200, (17, 2)).round(2)
        box = np.concatenate([keypoints.min(axis=0) - 2, keypoints.max(axis=0) + 2])
        person = Person(keypoints, np.full(17, VISIBLE, np.uint8), box, body_area(box))
        frames.append(Frame(f"clip{number // 50}/{number:06d}.jpg", *SIZE, (person,)))
    return Dataset(skeleton_of("person", COCO_JOINTS), tuple(frames))


def timings(folder: Path) -> None:
    """Print seconds to read 1,000 frames of each format, and to import them with their pictures."""
    dataset = invented(FRAMES)
    print(f"\n| format | read {FRAMES:,} frames, s | imported with their pictures, s |\n|---|--:|--:|")
    for name in FORMATS:
        kind = label_format(name)
        if kind.write is None:
            continue
        made = folder / name
        for number, frame in enumerate(dataset.frames):
            picture = made / kind.pictures / frame.file_name
            picture.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", SIZE, (number % 256, number // 256, 90)).save(picture)
        kind.write(dataset, made)
        (file,) = find_label_files(kind, made)
        images = made if kind.names else made / kind.pictures
        took = []
        for _ in range(REPEATS):
            start = time.perf_counter()
            kind.read(file.path, None, lambda frame, at=images: at / frame.file_name)
            took.append(time.perf_counter() - start)
        start = time.perf_counter()
        import_labels(made, name=name, root=folder / "raw", format=name)
        print(f"| {name} | {min(took):.2f} | {time.perf_counter() - start:.2f} |", flush=True)


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
        print(f"| {name} | {said.replace(f'{folder}/', '').replace('|', ' ')[:230]} |", flush=True)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, help="folder of exports, as tests have it")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        timings(Path(work))
        if arguments.real is not None:
            real(arguments.real, Path(work) / "real")


if __name__ == "__main__":
    main()
