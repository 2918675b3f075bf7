"""How far trainings with other seeds are apart: worked by hand, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from fosbury.config import flat, read_values
from fosbury.documents import parse_yaml
from fosbury.errors import BadInput
from fosbury.files import write_json
from fosbury.formats.predictions import Predictions
from fosbury.metrics.evaluation import Evaluation, evaluate
from fosbury.pose import Dataset, Frame, Person, Pose
from fosbury.report.compare_sides import Run, decisive
from fosbury.report.compare_training import Training
from fosbury.report.seeds import read_spread, recorded_spread, seed_spread, settings_digest, to_json
from fosbury.report.table import table_page

ROOT = Path(__file__).parents[1]
UP_TO_THE_EVALUATION = ("frames", "annotations", "dataset", "train", "evaluate")
SETTINGS = {"seed": 0, "conf_digest": "a", "data.stature_mm": 1000, "evaluate.cap": 0.5, "train.lr0": 0.1}


def side(skeleton, seed: int, pixels: float, **other) -> Run:
    """One athlete, 1000 px and 1000 mm tall: the upper arm is 186 px long; every joint is off by so many pixels."""
    points = np.full((len(skeleton), 2), 300.0)
    points[skeleton.joints.index("left_elbow")] += (186, 0)
    seen = np.zeros(len(skeleton), np.uint8)
    seen[[skeleton.joints.index("left_shoulder"), skeleton.joints.index("left_elbow")]] = 2
    box = np.array([290.0, 290.0, 500.0, 310.0])
    person = Person(points, seen, box, 1000.0)
    frames = tuple(Frame(f"{phase}.jpg", 600, 600, (person,), phase=phase) for phase in ("approach", "arch"))
    off = [[Pose(points + np.array([0, step]), np.ones(len(skeleton)), box, 0.9)] for step in (1.0, pixels)]
    test = Dataset(skeleton, frames)
    files = tuple(frame.file_name for frame in frames)
    predictions = Predictions(skeleton.joints, files, {"finetuned": off})
    return Run(f"seed{seed}", {**SETTINGS, "seed": seed, **other}, test, predictions, Training())


@pytest.fixture
def three(skeletons) -> list[Run]:
    return [side(skeletons["coco17"], seed, pixels) for seed, pixels in ((0, 10.0), (1, 20.0), (2, 60.0))]


def test_spread_of_three_seeds_by_hand(three):
    spread = seed_spread(three)
    assert spread.focus_error_mm == [10.0, 20.0, 60.0] and spread.upright_error_mm == [1.0, 1.0, 1.0]
    assert spread.sentence() == (
        "3 trainings that differ in the seed alone: 10 to 60 mm in the arch (mean 30.0, standard deviation 26.5), "
        "1.0 to 1.0 mm upright"
    )


def test_the_record_counts_for_the_same_parameters_only(three, tmp_path):
    spread, path = seed_spread(three), tmp_path / "seeds.json"
    write_json(path, to_json(spread))
    assert recorded_spread(path, {**SETTINGS, "seed": 7, "conf_digest": "b"}) == spread
    assert recorded_spread(path, {**SETTINGS, "train.lr0": 0.2}) is None
    assert settings_digest(SETTINGS) != settings_digest({**SETTINGS, "train.lr0": 0.2})
    drawn = {**SETTINGS, "versions.altair": "7", "versions.vl-convert-python": "2", "export.quantize": "none"}
    assert settings_digest(SETTINGS) == settings_digest(drawn)
    path.write_text('{"seeds": 3}')
    with pytest.raises(BadInput, match="does not hold the spread of seeds"):
        recorded_spread(path, SETTINGS)


def test_a_record_names_the_phase_of_interest_in_its_errors(three, tmp_path):
    values = to_json(seed_spread(three))
    assert list(values) == ["settings", "seeds", "arch_error_mm", "upright_error_mm"]
    runs = [replace(run, params={**run.params, "evaluate.phase": "approach"}) for run in three]
    spread, path = seed_spread(runs), tmp_path / "seeds.json"
    assert spread.focus_error_mm == [1.0, 1.0, 1.0] and "mm in the approach (mean 1.0" in spread.sentence()
    write_json(path, to_json(spread))
    assert recorded_spread(path, runs[0].params) == spread and recorded_spread(path, SETTINGS) is None
    write_json(path, values | {"approach_error_mm": values["arch_error_mm"]})
    with pytest.raises(BadInput, match="does not hold the spread of seeds"):
        read_spread(path)


def test_the_digest_leaves_out_what_no_stage_up_to_the_evaluation_reads():
    stages = parse_yaml((ROOT / "dvc.yaml").read_bytes(), "dvc.yaml", "")["stages"]
    read = set(chain.from_iterable(stages[name].get("params", ()) for name in UP_TO_THE_EVALUATION))
    params = flat(read_values(ROOT / "params.yaml"))
    left_out = params.keys() - decisive(params).keys()
    assert {"versions.altair", "versions.vl-convert-python", "conf_digest"} <= left_out
    for name in left_out:
        assert not any(name == key or name.startswith(f"{key}.") for key in read), name


def test_it_stands_beside_the_headline(three):
    (poses,) = three[0].predictions.models.values()
    measured: Evaluation = evaluate(three[0].test, poses, 1000)
    evaluations = {name: measured.to_json() for name in ("baseline", "finetuned")}
    sentence = seed_spread(three).sentence()
    assert f"\n{sentence}.\n" in table_page(evaluations, sentence)
    assert sentence not in table_page(evaluations)


def test_what_is_no_spread_of_seeds_is_refused(three, skeletons):
    with pytest.raises(BadInput, match="fewer than two"):
        seed_spread(three[:1])
    with pytest.raises(BadInput, match="one seed twice"):
        seed_spread([three[0], three[0]])
    other = side(skeletons["coco17"], 3, 5.0, **{"train.lr0": 0.2})
    with pytest.raises(BadInput, match=r"seed3: differs from seed0 in train\.lr0"):
        seed_spread([*three, other])
    fewer = replace(three[1], test=three[1].test.where([True, False]))
    with pytest.raises(BadInput, match="other frames"):
        seed_spread([three[0], fewer])
