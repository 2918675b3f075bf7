"""Writers that meet: a file or folder appears whole, of one writer, and nobody's work is lost."""

from __future__ import annotations

import json
import multiprocessing
import signal
import subprocess
import sys
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from fosbury.errors import BadInput
from fosbury.files import draft, put_folder, replace_folder, work_folder, write_text
from fosbury.formats.importing import import_labels
from fosbury.media.extract import extract_clips, frame_name, read_manifest
from fosbury.media.image import image_size, write_image
from fosbury.media.video import write_video

RACES = 12
SPAWN = multiprocessing.get_context("spawn")


def filled(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def held(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def race(first, second, count: int = RACES) -> list[tuple[str | None, str | None]]:
    """Run two calls ``(function, *arguments)`` in two processes, ``count`` times at the same moment.

    Each function gets the number of the race before its arguments. Returns what each said of its bad input, None where
    it succeeded.
    """
    barrier, answers = SPAWN.Barrier(2), [SPAWN.Queue(), SPAWN.Queue()]
    racers = [
        SPAWN.Process(target=_racer, args=(barrier, queue, count, *call))
        for queue, call in zip(answers, (first, second), strict=True)
    ]
    for racer in racers:
        racer.start()
    said = [[queue.get() for _ in range(count)] for queue in answers]
    for racer in racers:
        racer.join()
    return list(zip(*said, strict=True))


def _racer(barrier, answers, count, work, *arguments) -> None:
    for number in range(count):
        barrier.wait()
        try:
            work(number, *arguments)
            answers.put(None)
        except BadInput as error:
            answers.put(f"BadInput {error}")
        except BaseException as error:
            answers.put(repr(error))


def _import(number: int, source: Path, raw: Path) -> None:
    import_labels(source, name=f"club{number}", root=raw)


def _extract(number: int, every: int, clip: Path, out: Path) -> None:
    list(extract_clips([clip], out / str(number), every=every))


def _write(number: int, path: Path, letter: str) -> None:
    write_text(path, letter * 200_000)


@pytest.fixture
def pictures(request) -> list[Path | None]:
    """Eight photographs where there are some, else None for noise."""
    folder = Path(__file__).parents[1] / "../shared/data/lspe/images"
    return sorted(folder.glob("*.jpg"))[:8] if folder.is_dir() else [None] * 8


def labelled(folder: Path, pictures: list[Path | None], prefix: str) -> Path:
    """A set of these pictures, one labelled person in each."""
    (folder / "images").mkdir(parents=True)
    images, people = [], []
    for number, picture in enumerate(pictures, 1):
        name = f"{prefix}{number}.jpg"
        if picture is None:
            noise = np.random.default_rng(number).integers(0, 255, (120, 160, 3), dtype=np.uint8)
            write_image(folder / "images" / name, noise)
        else:
            (folder / "images" / name).write_bytes(picture.read_bytes())
        width, height = image_size(folder / "images" / name)
        images.append({"id": number, "file_name": name, "width": width, "height": height})
        keypoints = [5, 5, 2, 20, 30, 2]
        people.append(
            {"id": number, "image_id": number, "category_id": 1, "keypoints": keypoints, "bbox": [1, 1, 40, 40]}
        )
    category = {"id": 1, "name": "person", "keypoints": ["left_hip", "right_hip"]}
    content = {"images": images, "annotations": people, "categories": [category]}
    (folder / "annotations.json").write_text(json.dumps(content))
    return folder


def test_two_imports_of_one_name_lose_no_picture(tmp_path, pictures):
    sources = [labelled(tmp_path / name, pictures, name) for name in ("anna", "ben")]
    raw = tmp_path / "raw"
    results = race(*((_import, source, raw) for source in sources))
    for number, said in enumerate(results):
        (winner,) = (source for source, answer in zip(sources, said, strict=True) if answer is None)
        (sentence,) = filter(None, said)
        assert sentence.startswith("BadInput") and len(sentence.splitlines()) == 1, sentence
        assert f"club{number}" in sentence
        there = {path.name: path.read_bytes() for path in (raw / f"club{number}" / "images").iterdir()}
        assert there == {path.name: path.read_bytes() for path in (winner / "images").iterdir()}
        listed = json.loads((raw / f"club{number}" / "annotations.json").read_text())["images"]
        assert sorted(image["file_name"] for image in listed) == sorted(there)
    assert sorted(path.name for path in raw.iterdir()) == sorted(f"club{number}" for number in range(RACES))


def test_two_extractions_into_one_folder_leave_one_of_them_whole(tmp_path):
    clip = tmp_path / "jump.mp4"
    write_video(clip, (np.full((48, 64, 3), 8 * index, np.uint8) for index in range(24)), 25)
    out = tmp_path / "frames"
    results = race((_extract, 1, clip, out), (_extract, 2, clip, out))
    for number, said in enumerate(results):
        for sentence in filter(None, said):
            assert sentence.startswith("BadInput") and len(sentence.splitlines()) == 1, sentence
        folder = out / str(number) / "jump"
        manifest = read_manifest(folder)
        assert said[manifest.every - 1] is None  # who is in place did not hear that it failed
        assert manifest.frames == list(range(0, 24, manifest.every))
        assert {path.name for path in folder.iterdir()} == {"frames.json", *map(frame_name, manifest.frames)}
        assert [path.name for path in folder.parent.iterdir()] == ["jump"]


def test_two_writers_of_one_file_never_mix(tmp_path):
    path = tmp_path / "out.json"
    results = race((_write, path, "a"), (_write, path, "b"), 100)
    assert set(chain(*results)) == {None}
    text = path.read_text()
    assert text in ("a" * 200_000, "b" * 200_000)
    assert list(tmp_path.iterdir()) == [path]


def test_a_draft_bears_the_name_of_the_file_and_is_gone_after_an_error(tmp_path):
    path = tmp_path / "deep" / f"{'x' * 250}.npz"
    with draft(path) as first, draft(path) as second:
        assert first != second and first.name == second.name == path.name
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"  # it was put in place last
    with pytest.raises(ZeroDivisionError), draft(path) as unfinished:
        unfinished.write_text("half")
        1 / 0  # noqa: B018
    assert held(path.parent) == {path.name: "first"}


def test_files_and_folders_get_the_permissions_of_any_other(tmp_path):
    write_text(tmp_path / "file", "x")
    (tmp_path / "plain").write_text("x")
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("way", ["empty", "full", "file", "link"])
def test_a_folder_is_put_only_where_nothing_is(tmp_path, way):
    target = tmp_path / "set"
    if way == "link":
        target.symlink_to(tmp_path / "nowhere")
    elif way == "file":
        target.write_text("mine")
    else:
        filled(target, **({"a": "mine"} if way == "full" else {}))
    with work_folder(target) as work:
        made = filled(work / "made", b="new")
        with pytest.raises(BadInput, match="another run"):
            put_folder(made, target)
    assert target.is_symlink() == (way == "link")
    assert way != "file" or target.read_text() == "mine"
    assert way not in ("empty", "full") or held(target) == ({"a": "mine"} if way == "full" else {})
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_that_changed_meanwhile_is_not_replaced(tmp_path):
    target = filled(tmp_path / "set", a="old")
    with work_folder(target) as work:
        made = filled(work / "made", b="new")
        with pytest.raises(BadInput, match="another run"):
            replace_folder(made, target, work / "before", lambda before: held(before) == {"a": "older"})
        assert held(target) == {"a": "old"}
        replace_folder(made, target, work / "before", lambda before: held(before) == {"a": "old"})
    assert held(target) == {"b": "new"}
    assert list(tmp_path.iterdir()) == [target]


def test_what_a_killed_run_left_is_cleared_and_what_a_living_one_makes_is_not(tmp_path):
    target = tmp_path / "set"
    code = (
        "import sys, time; from fosbury.files import work_folder\n"
        "with work_folder(sys.argv[1]) as work:\n"
        "    (work / 'a').write_text('half'); print(work, flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", code, str(target)]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    folders = [Path(run.stdout.readline().strip()) for run in runs]
    try:
        runs[0].kill()
        assert runs[0].wait() == -signal.SIGKILL
        assert held(folders[0]) == {"a": "half"}
        with work_folder(target) as work:
            assert sorted(tmp_path.iterdir()) == sorted([work, folders[1]])
            assert held(folders[1]) == {"a": "half"}
    finally:
        for run in runs:
            run.kill()
            run.wait()
            run.stdout.close()
    with work_folder(tmp_path / "another"):
        assert folders[1].exists()


def test_git_and_dvc_pass_over_what_a_killed_writer_left(tmp_path):
    patterns = (Path(__file__).parents[1] / ".dvcignore").read_text().split()
    with draft(tmp_path / "a.json") as unfinished, work_folder(tmp_path / "set") as work:
        unfinished.write_text("x")
        for folder in (unfinished.parent, work):
            assert any(Path(folder.name).match(pattern) for pattern in patterns), folder.name
            command = ["git", "check-ignore", "--no-index", f"data/{folder.name}/"]
            assert subprocess.run(command, cwd=Path(__file__).parents[1], check=False).returncode in (0, 128)
