"""Bad and odd input through the command line: one sentence, exit code 2 (or 1), no traceback, nothing written."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from test_compare import commit, dataset, git
from typer.testing import CliRunner

from fosbury.cli import app
from fosbury.errors import BadInput
from fosbury.formats.predictions import read_predictions
from fosbury.media.image import write_image

ROOT = Path(__file__).parents[1]
RUNNER = CliRunner(env={"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"})


def refused(*words: str | Path, code: int = 2) -> str:
    """The sentence with which a command refuses; a traceback is raised."""
    result = RUNNER.invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    assert result.stderr.strip().endswith((".", "│", "╯")) or "\n  - " in result.stderr, result.stderr
    return result.stderr


@pytest.fixture
def repository(tmp_path: Path, monkeypatch) -> Path:
    for folder in ("conf", "hydra_plugins"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


# params.yaml and conf/

ALIASES = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
NO_PARAMS = {
    "a number": "3",
    "a list": "- 1",
    "nothing": "",
    "a deep nest": "[" * 50_000,
    "a tag": "seed: !!int foo",
    "a bad date": "seed: !!timestamp 2024-99-99",
    "an object": "seed: !!python/object/apply:os.getpid []",
    "an alias bomb": ALIASES,
    "an anchor in itself": "a: &a [*a]",
    "a key twice": "seed: 1\nseed: 2",
    "a huge number": "seed: 1" + "0" * 5000,
    "half a character": 'experiment: "\\udc00"',
    "no text": b"\xff\xfe\x00",
    "a picture": b"\x89PNG\r\n\x1a\n\x00",
    "a megabyte": "a: " + "x" * 2**20,
}


@pytest.mark.parametrize("content", NO_PARAMS.values(), ids=NO_PARAMS)
def test_params_that_are_none(repository, content):
    content = content if isinstance(content, bytes) else content.encode()
    (repository / "params.yaml").write_bytes(content)
    assert "params.yaml" in refused("config", "check")
    assert (repository / "params.yaml").read_bytes() == content


@pytest.mark.parametrize("content", NO_PARAMS.values(), ids=NO_PARAMS)
def test_a_file_of_conf_that_is_none(repository, content):
    path = repository / "conf" / "train" / "mine.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert "conf/train/mine.yaml" in refused("config", "show", "train=mine")


@pytest.mark.parametrize(
    "override",
    [
        "train.epochs=1" + "0" * 40,
        "train.epochs=1" + "0" * 5000,
        "train.lr0=nan",
        "train.lr0=[" + "[" * 300,
        "data.source=/srv",
        "data.source=''",
        "train=",
        "=",
        "train.epochs",
        "~train",
        "model={a:" * 50,
        "x" * 10_000,
        "seed=\x00",
        "seed=\udc80",
        "${oc.env:HOME}=1",
        "seed=${nothing:}",
        "seed=${seed}",
        "+a.b.c=${a}",
    ],
    ids=lambda text: repr(text[:20]),
)
def test_overrides_that_are_none(repository, override):
    before = (repository / "params.yaml").read_bytes()
    result = RUNNER.invoke(app, ["config", "compose", override])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 2, result.output
    assert (repository / "params.yaml").read_bytes() == before


# Revisions to compare


@pytest.fixture(scope="module")
def revisions(skeletons, tmp_path_factory) -> Path:
    """A repository of git and DVC with one commit that measured something."""
    root = tmp_path_factory.mktemp("bad revisions")
    git(root, "init", "-qb", "main")
    subprocess.run(["dvc", "init", "-q"], cwd=root, check=True, capture_output=True)
    commit(root, skeletons["coco17"], 4.0, dataset(skeletons["coco17"]), 0.001)
    return root


@pytest.fixture
def workspace(revisions, monkeypatch) -> Iterator[Path]:
    """The repository with a clean workspace, and the current folder in it."""
    monkeypatch.chdir(revisions)
    yield revisions
    git(revisions, "checkout", "-q", "--", ".")


@pytest.mark.parametrize(
    "revision",
    [
        "x" * 10_000,
        "a\x00b",
        "\udcff",
        "a b",
        "a..b",
        ":",
        ":onnx",
        "main:x",
        "main~9999",
        "@{-1}",
        "--",
        "é" * 150,
    ],
)
def test_revisions_that_are_none(workspace, revision):
    assert len(refused("compare", "--", "workspace", revision)) < 500


def test_one_revision_under_two_names(workspace):
    assert "twice (@ and HEAD" in refused("compare", "@", "HEAD")
    assert "main:finetuned" in refused("compare", "main", "main:finetuned")
    assert "twice (main)" in refused("compare", "main", "main")
    assert RUNNER.invoke(app, ["compare", "HEAD", "HEAD:baseline"]).exit_code == 0


@pytest.mark.parametrize("content", NO_PARAMS.values(), ids=NO_PARAMS)
def test_params_of_a_revision_that_are_none(workspace, content):
    (workspace / "params.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    assert "params.yaml of workspace" in refused("compare", "HEAD", "workspace")


@pytest.mark.parametrize("cap", ["high", [0.5], {"a": 1}, None, True, -1, 0, 7, float("nan"), float("inf"), "absent"])
def test_a_cap_that_is_none(workspace, cap):
    params = yaml.safe_load((workspace / "params.yaml").read_text())
    params["evaluate"] = {} if cap == "absent" else {"cap": cap}
    (workspace / "params.yaml").write_text(yaml.safe_dump(params))
    assert "evaluate.cap" in refused("compare", "workspace", "HEAD")
    assert "evaluate.cap" in refused("compare", "HEAD", "workspace")


def damaged(change: Callable[[dict[str, np.ndarray]], None]) -> Callable[[bytes], bytes]:
    """A file of predictions with its arrays changed."""

    def write(content: bytes) -> bytes:
        with np.load(io.BytesIO(content)) as arrays:
            held = {name: arrays[name] for name in arrays.files}
        change(held)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **held)
        return buffer.getvalue()

    return write


def bomb(_: bytes) -> bytes:
    """An archive of a few kilobytes whose directory names 4 GiB."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("files.npy", b"\0" * 2**20)
    content = buffer.getvalue()
    return content.replace((2**20).to_bytes(4, "little"), (2**32 - 2).to_bytes(4, "little"))


def giant(_: bytes) -> bytes:
    """An array whose header names more numbers than any machine holds."""
    header = b"{'descr': '<U9', 'fortran_order': False, 'shape': (99999999999999,), }"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("files.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    return buffer.getvalue()


KEYS = [
    "joints",
    "files",
    "models",
    *(f"finetuned/{part}" for part in ("frame", "keypoints", "confidence", "box", "score")),
]
WRONG = {
    "absent": None,
    "a scalar": np.array(1.0),
    "text": np.array(["x"]),
    "objects": np.array([{}], dtype=object),
    "complex": np.array([1j]),
    "empty": np.zeros(0),
    "deep": np.zeros((1, 1, 1, 1, 1)),
    "far": np.array([2**40]),
    "dates": np.array(["2024"], dtype="datetime64[Y]"),
}


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_predictions_with_a_wrong_array(revisions, key, wrong):
    def change(arrays: dict[str, np.ndarray]) -> None:
        if wrong is None:
            del arrays[key]
        else:
            arrays[key] = wrong

    content = (revisions / "metrics/predictions.npz").read_bytes()
    with pytest.raises(BadInput, match="does not hold predictions that can be read"):
        read_predictions(damaged(change)(content), "predictions.npz of x")


@pytest.mark.parametrize(
    "write",
    [bomb, giant, lambda content: content[:200], lambda _: b"", lambda _: b"PK\x03\x04", lambda content: content[::-1]],
)
def test_predictions_that_are_none(workspace, write):
    path = workspace / "metrics/predictions.npz"
    path.write_bytes(write(path.read_bytes()))
    assert "predictions.npz of workspace" in refused("compare", "HEAD", "workspace")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[" * 100_000, b'{"images": 3}', b"", b"\x00"])
def test_labels_of_a_revision_that_are_none(workspace, content):
    (workspace / "data/dataset/test.json").write_bytes(content)
    assert "test.json of workspace" in refused("compare", "HEAD", "workspace")


# Where a command writes, and where it runs


@pytest.mark.parametrize("name", ["", ".", "file/page.html"])
def test_an_output_that_cannot_be_written_is_refused_before_the_work(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    for words in (["compare", "a", "b", "--html"], ["efficiency", "--html"], ["agreement", "a", "b", "--json"]):
        assert words[-1] in refused(*words, name)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "words", [["efficiency"], ["compare", "a", "b"], ["config", "check"], ["import", "x", "--name", "y"]]
)
def test_outside_a_repository(tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    assert "repository" in refused(*words)


@pytest.mark.parametrize(
    "mirror",
    ["https://exam ple.org/w", "https://example.org/a b", "https://example.org/é", "no", "ftp://x", "https://a\tb"],
)
def test_a_mirror_that_is_no_address(repository, monkeypatch, mirror):
    monkeypatch.setenv("FOSBURY_WEIGHTS_MIRROR", mirror)
    assert "FOSBURY_WEIGHTS_MIRROR" in refused("fetch", "yolo11n")
    assert not (repository / "models").exists()


@pytest.mark.parametrize("mirror", ["https://[", "https://:x/", "file://nowhere/x", "http://127.0.0.1:1/"])
def test_a_mirror_that_does_not_answer(repository, monkeypatch, mirror):
    monkeypatch.setenv("FOSBURY_WEIGHTS_MIRROR", mirror)
    assert "could not be fetched" in refused("fetch", "yolo11n", code=1)
    assert not list((repository / "models").rglob("*.p*t"))


# Labels, archives, clips


@pytest.fixture
def export(repository) -> Path:
    """A labelled set of one picture."""
    folder = repository / "export"
    write_image(folder / "images" / "a.jpg", np.full((48, 64, 3), 90, np.uint8))
    person = {"id": 1, "image_id": 1, "category_id": 1, "keypoints": [9, 9, 2, 20, 30, 2], "bbox": [1, 1, 40, 40]}
    content = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 64, "height": 48}],
        "annotations": [person],
        "categories": [{"id": 1, "name": "person", "keypoints": ["left_hip", "right_hip"]}],
    }
    (folder / "annotations.json").write_text(json.dumps(content))
    return folder


NEST = json.loads("[" * 400 + "]" * 400)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        *(
            (("images", 0, "width"), value)
            for value in (10**19, 10**400, 1e300, -1, 0, "64", None, NEST, True, float("nan"))
        ),
        *((("categories", 0, "keypoints"), value) for value in (["\ud800", "b"], ["a", "a"], [1, 2], "ab", NEST, [""])),
        *((("categories", 0, "name"), value) for value in ("\udfff", NEST)),
        *(
            (("images", 0, "file_name"), value)
            for value in ("\ud800.jpg", "a/" * 5000 + "a.jpg", "../a.jpg", "a" * 300, NEST, 1)
        ),
        *((("images", 0, "group"), value) for value in ("\ud800", NEST)),
        *((("images", 0, "stature_mm"), value) for value in (10**400, NEST, "tall")),
        *((("annotations", 0, "keypoints"), value) for value in (NEST, [10**400] * 6, [], "x")),
        *((("annotations", 0, "bbox"), value) for value in (NEST, [10**400] * 4, [float("nan")] * 4)),
        *((("annotations", 0, "area"), value) for value in (NEST, 10**400)),
        *((("annotations", 0, key), NEST) for key in ("id", "image_id", "category_id")),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_labels_with_a_wrong_value(export, place, value):
    content = json.loads((export / "annotations.json").read_text())
    node = content
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = value
    (export / "annotations.json").write_text(json.dumps(content))
    result = RUNNER.invoke(app, ["import", str(export), "--name", "club"])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code in (0, 2), result.output
    assert (export.parent / "data/raw/club").exists() == (result.exit_code == 0)
    if place[-1] in ("width", "keypoints", "file_name"):
        assert result.exit_code == 2, result.output


def packed(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    "members",
    [
        {"a/" * 3000 + "annotations.json": b"{}"},
        {"a/" * 40 + "annotations.json": b"{}"},
        {"\ud7ff/" * 60 + "a.jpg": b""},
        {f"{'a/' * depth}x.json": b"{}" for depth in range(1, 2000, 50)},
        {"annotations.json": b"[" * 100_000},
        {"annotations.json/x.json": b"{}", "annotations.json": b"{}"},
        {},
    ],
    ids=["3000 folders", "40 folders", "long", "stairs", "nest", "file and folder", "empty"],
)
def test_archives_that_hold_no_set(repository, members):
    path = packed(repository / "export.zip", members)
    assert "export.zip" in refused("import", path, "--name", "club")
    assert [path.name for path in (repository / "data").rglob("*")] == ["raw"]


def test_an_archive_whose_directory_points_before_its_beginning(export):
    path = packed(export.parent / "export.zip", {"annotations.json": (export / "annotations.json").read_bytes()})
    content = bytearray(path.read_bytes())
    end = content.rindex(b"PK\x05\x06")
    content[end + 16 : end + 20] = (2**32 - 2).to_bytes(4, "little")  # offset of the directory
    path.write_bytes(content)
    assert "export.zip: is a damaged archive" in refused("import", path, "--name", "club")


@pytest.mark.parametrize(
    "content", [b"", b"\x00" * 5000, b"RIFF\xff\xff\xff\xffAVI LIST", b"\x1aE\xdf\xa3" + b"\xff" * 50]
)
def test_clips_that_are_none(repository, content):
    (repository / "jump.mp4").write_bytes(content)
    assert "jump.mp4" in refused("frames", "jump.mp4", "-o", "out")
    assert not (repository / "out").exists() or not list((repository / "out").iterdir())
