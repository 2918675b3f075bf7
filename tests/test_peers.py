"""The table of peers: what is measured against what, another program's predictions, a run that goes on."""

from __future__ import annotations

import importlib
import json
import re
from argparse import ArgumentTypeError
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fosbury.errors import BadInput
from fosbury.metrics.evaluation import evaluate
from fosbury.pose import VISIBLE, Dataset, Frame, Person, Pose

ROOT = Path(__file__).parents[1]
BENCH, STARTER = ROOT / "bench", ROOT / "models/starter/yolo11n-pose.pt"


@pytest.fixture(autouse=True)
def bench(monkeypatch):
    monkeypatch.syspath_prepend(BENCH)


@pytest.fixture
def rows():
    return importlib.import_module("peer_rows")


@pytest.fixture
def table():
    return importlib.import_module("peer_table")


@pytest.fixture
def dataset(skeletons) -> Dataset:
    """Eight pictures of an upright body, 200 px from head to foot, each somewhere else."""
    skeleton, generator = skeletons["coco17"], np.random.default_rng(0)
    frames = []
    for index in range(8):
        points = generator.uniform(0, 200, (17, 2)) + 10 * index
        box = np.concatenate([points.min(axis=0), points.max(axis=0)])
        person = Person(points, np.full(17, VISIBLE, np.uint8), box, 1.0)
        frames.append(Frame(f"set/{index}.jpg", 400, 400, (person,)))
    return Dataset(skeleton, tuple(frames))


def shifted(dataset: Dataset, pixels: float) -> list[list[Pose]]:
    return [
        [Pose(person.keypoints + np.array([pixels, 0]), np.ones(17), person.box, 0.9) for person in frame.people]
        for frame in dataset.frames
    ]


def evaluations(dataset: Dataset, pixels: float) -> dict:
    return {
        protocol: evaluate(dataset, shifted(dataset, pixels), ap=False, unaided=least)
        for protocol, least in (("given", None), ("unaided", 0.25))
    }


def test_all_rows_are_compared_with_the_best_free_one(table, dataset):
    pixels = {"good, free": 4.0, "bad, free": 9.0, "ours": 3.0, "ours, once more": 4.0}
    about = {
        name: {"group": "free" if "free" in name else "this repository", "look": "-", "passes": 1, "milliseconds": 7.0}
        for name in pixels
    }
    found = table.figures(about, {name: evaluations(dataset, shift) for name, shift in pixels.items()})
    by_name = {row["name"]: row for row in found}
    for protocol in ("given", "unaided"):
        own = {name: row[protocol] for name, row in by_name.items()}
        assert own["good, free"]["best_free"] and "difference" not in own["good, free"]
        for name in ("bad, free", "ours", "ours, once more"):
            apart = own[name]["error_mm"] - own["good, free"]["error_mm"]
            assert own[name]["difference"]["mm"] == pytest.approx(apart, abs=0.02)
            assert own[name]["error_mm"] / own["good, free"]["error_mm"] == pytest.approx(pixels[name] / 4, rel=1e-3)
        # Of eight pictures that all say the same the exact test gives 2 / 2^8; three rows are compared.
        assert own["ours"]["difference"]["p_holm"] == pytest.approx(3 * 2 / 256, abs=1e-4)
        assert own["ours"]["difference"]["ci"][1] < 0 < own["bad, free"]["difference"]["ci"][0]
        assert own["ours, once more"]["difference"] == {"mm": 0.0, "ci": [0.0, 0.0], "p_holm": 1.0}
    lines = table.markdown({"rows": found}).splitlines()
    assert len({line.count("|") for line in lines}) == 1
    assert [line.split(" | ")[0].strip("| ") for line in lines[2:]] == [
        *("*free*", "good, free", "bad, free"),
        *("*this repository*", "ours", "ours, once more"),
    ]


def test_pck_in_boxes_counts_the_joints_that_the_errors_are_of(table, dataset):
    about = {"row": {"group": "this repository", "look": "-", "passes": None, "milliseconds": None}}
    side = [max(frame.people[0].box[2:] - frame.people[0].box[:2]) for frame in dataset.frames]
    (near,) = table.figures(about, {"row": evaluations(dataset, 0.059 * min(side))})
    (far,) = table.figures(about, {"row": evaluations(dataset, 0.061 * max(side))})
    assert near["given"]["box_pck05"] == 1.0 and far["given"]["box_pck05"] == 0.0
    assert "difference" not in near["given"]
    assert table.box_markdown({"rows": [near]}).splitlines()[2].startswith("| row | 100.0 | ")


def predictions(dataset: Dataset, **changes: object) -> dict:
    """What another program would write: joints in another order, one that the labels do not have, one not found."""
    joints = ["root", *reversed(dataset.skeleton.joints)]
    frames = {}
    for frame in dataset.frames:
        points = [[*point, 0.5] for point in reversed(frame.people[0].keypoints.tolist())]
        frames[Path(frame.file_name).name] = [{"keypoints": [[0, 0, 1], *points[:-1], None], "score": 0.8}]
    times = {name: 10.0 + index for index, name in enumerate(frames)}
    return {"model": "Vision", "joints": joints, "frames": frames, "milliseconds": times} | changes


def test_another_programs_predictions_are_read_by_name(rows, dataset, tmp_path):
    path = tmp_path / "vision.json"
    path.write_text(json.dumps(predictions(dataset)))
    name, found = rows.read_answer(path, dataset)
    assert name == "Vision" and found.milliseconds == 13.5 and found.passes is None
    for frame, (pose,) in zip(dataset.frames, found.poses["given"], strict=True):
        assert pose.keypoints[1:] == pytest.approx(frame.people[0].keypoints[1:]) and np.isnan(pose.keypoints[0]).all()
        assert pose.confidence.tolist() == [0.0, *[0.5] * 16] and pose.score == 0.8
    nobody = predictions(dataset)
    nobody["frames"]["3.jpg"] = []
    nobody["frames"]["4.jpg"][0]["keypoints"] = [None] * 18
    path.write_text(json.dumps(nobody))
    _, found = rows.read_answer(path, dataset)
    assert [len(poses) for poses in found.poses["unaided"]] == [1, 1, 1, 0, 0, 1, 1, 1]
    assert evaluate(dataset, found.poses["given"], ap=False).group_metrics().missed == pytest.approx(2 / 8)


def bad(dataset: Dataset) -> dict[str, str]:
    few, short, text = predictions(dataset), predictions(dataset), predictions(dataset)
    del few["frames"]["5.jpg"]
    short["frames"]["0.jpg"][0]["keypoints"].pop()
    text["frames"]["0.jpg"][0]["keypoints"][1] = "left"
    return {
        "5.jpg": json.dumps(few),
        "17 keypoints for 18 joints": json.dumps(short),
        "inhomogeneous|could not convert": json.dumps(text),
        "names no two joints": json.dumps(predictions(dataset, joints=["snout"] * 18)),
        "JSONDecodeError|RecursionError": "{" * 5000,
        "KeyError": '{"model": 1}',
    }


def test_what_is_no_such_file_is_said_in_a_sentence(rows, dataset, tmp_path):
    path = tmp_path / "vision.json"
    for why, content in bad(dataset).items():
        path.write_text(content)
        with pytest.raises(BadInput, match=why) as error:
            rows.read_answer(path, dataset)
        assert len(str(error.value).splitlines()) == 1
    with pytest.raises(BadInput, match="be read"):
        rows.read_answer(tmp_path / "absent.json", dataset)


@pytest.mark.parametrize(("record", "render"), [("flops", "markdown"), ("lspe", "box_markdown")])
def test_docs_quote_the_recorded_tables(table, record, render):
    content = json.loads((BENCH / f"results/{record}.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs/results.md").read_text(encoding="utf-8")
    block = page.split(f"<!-- table: bench/results/{record}.json -->")[1].split("<!-- end of table -->")[0]
    assert block.strip() == getattr(table, render)(content).strip()
    said = " ".join(page.split())
    assert f"on {content['pictures']} photographs" in said
    assert ", ".join(joint for joint in content["joints"]).replace("_", " ") not in ("", "none")


def test_the_script_for_a_mac_says_that_it_was_not_run_and_names_joints_as_labels_do(skeletons):
    text = (BENCH / "apple_vision.swift").read_text(encoding="utf-8")
    assert "NOT RUN HERE" in text.split("import")[0]
    named = re.findall(r'\(\.(\w+), "(\w+)"\)', text)
    assert {joint for _, joint in named} == {*skeletons["coco17"].joints, "neck"}
    for theirs, joint in named:
        assert re.sub(r"[A-Z]", lambda letter: "_" + letter[0].lower(), theirs) == joint


def test_models_are_named_on_the_command_line(rows, tmp_path):
    (tmp_path / "a=b@c.onnx").touch()
    read = rows.ModelFile.read
    assert read(str(STARTER)) == rows.ModelFile("yolo11n-pose", STARTER, None)
    assert read(f"mine, small={STARTER}@320") == rows.ModelFile("mine, small", STARTER, 320)
    with pytest.raises(ArgumentTypeError, match="is not there"):
        read("nothing.pt")


def run(monkeypatch, *arguments: object) -> dict:
    peers = importlib.import_module("peers")
    monkeypatch.setattr("sys.argv", ["peers.py", *map(str, arguments)])
    peers.main()
    return json.loads(Path(arguments[arguments.index("--json") + 1]).read_text())


def test_a_run_goes_on_where_it_was(monkeypatch, tmp_path, skeletons, capsys):
    from fosbury.formats.coco import write_coco
    from fosbury.media.image import write_image
    from fosbury.synth.clips import render_stills
    from fosbury.synth.stills import labelled_frame

    folder, frames = tmp_path / "set/images", []
    for index, (image, label) in enumerate(render_stills(3, 1, (128, 128), upright=True)):
        write_image(folder / f"{index}.png", image)
        frames.append(labelled_frame(f"{index}.png", label, (128, 128), skeletons["coco17"]))
    write_coco(Dataset(skeletons["coco17"], tuple(frames)), tmp_path / "set/annotations.json")
    asked = [tmp_path / "set", "--skeleton", "coco17", "--work", tmp_path / "work", "--json", tmp_path / "out.json"]
    asked += ["--timed", 1, "--free", f"starter={STARTER}@128"]
    first = run(monkeypatch, *asked)
    assert [row["name"] for row in first["rows"]] == ["starter, one look"]
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "work").iterdir()}
    assert len(kept) == 2  # given the athlete and unaided are one for a model that is handed no box
    second = run(monkeypatch, *asked, "--looked", f"starter={STARTER}@128", "--looks", "two upright looks")
    assert second["rows"][0]["given"]["error_mm"] == first["rows"][0]["given"]["error_mm"]
    assert second["rows"][1]["passes"] == 2 and second["rows"][1]["milliseconds"] > 0
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert len([*(tmp_path / "work").iterdir()]) == 6
    assert str(tmp_path) not in json.dumps(second)
    two = [f"{name}={STARTER}@128" for name in "ab"]
    votes = run(monkeypatch, *asked, "--looked", two[0], "--looks", "vote", "one upright look", "--together", *two)
    passes = {row["name"]: row["passes"] for row in votes["rows"]}
    assert passes["a and b, vote"] == pytest.approx(2 * passes["a, vote"], abs=0.11)
    assert passes["a, one upright look"] == passes["starter, one look"] == 1, "a given box takes the place of a look"
    # A row that was not finished has poses and no word of them: it is predicted again.
    (unfinished,) = [path for path in kept if path.suffix == ".json"]
    unfinished.unlink()
    assert run(monkeypatch, *asked)["rows"][0]["given"] == {**first["rows"][0]["given"]}
    assert "starter, one look" in capsys.readouterr().out


def test_people_are_not_missed_by_rounding_of_kept_poses(rows, dataset, tmp_path):
    """Kept poses are in float32: a thousandth of a pixel."""
    from fosbury.formats.predictions import read_predictions, write_predictions

    poses = shifted(replace(dataset), 3.3)
    write_predictions(tmp_path / "kept.npz", dataset, {"given": poses})
    back = read_predictions(tmp_path / "kept.npz").models["given"]
    errors = [evaluate(dataset, each, ap=False).group_metrics().error_mm for each in (poses, back)]
    assert errors[0] == pytest.approx(errors[1], rel=1e-5)


def trained(dataset: Dataset, seed: int, sides: tuple[float, float] = (2.0, 20.0)):
    """An evaluation of poses that are off by another distance in each picture."""
    chance = np.random.default_rng(seed)
    off = [shifted(dataset, pixels)[index] for index, pixels in enumerate(chance.uniform(*sides, len(dataset)))]
    return evaluate(dataset, off, ap=False)


def test_one_training_has_the_interval_of_its_pictures_and_several_that_of_trainings_too(dataset):
    trainings = importlib.import_module("trainings")
    one, other = trained(dataset, 0), trained(dataset, 0, (30.0, 60.0))
    everything = np.ones(len(one.joint), dtype=bool)
    mean, low, high = trainings.mean_interval([one], everything)
    assert mean == pytest.approx(one.error_mm.mean())
    assert [low, high] == pytest.approx(one.intervals([everything])[0]["error_mm"], abs=0.06)
    assert trainings.mean_interval([one, one], everything) == pytest.approx((mean, low, high), rel=1e-2)
    apart = trainings.mean_interval([one, other], everything)
    assert apart[0] == pytest.approx((one.error_mm.mean() + other.error_mm.mean()) / 2)
    assert np.log(apart[2] / apart[1]) > 2 * np.log(high / low)


def test_the_parts_of_an_error_make_up_the_whole(dataset):
    trainings = importlib.import_module("trainings")
    found = [trained(dataset, seed) for seed in (1, 2)]
    mean = np.mean([each.error_mm.mean() for each in found])
    for name, lines in trainings._where(found, dataset):
        parts = list(dict(lines).values())
        assert sum(part[2] for part in parts) == pytest.approx(mean, abs=0.1), name
        assert sum(part[0] for part in parts) == pytest.approx(1, abs=1e-3), name
