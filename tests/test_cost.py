"""What labelling costs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from fosbury.errors import BadInput, BadInputs
from fosbury.labelling.cost import COSTS, estimate, next_frames, read_costs

ROOT = Path(__file__).parents[1]


def test_options_worked_by_hand():
    found = {each.name: each for each in estimate(read_costs(ROOT / COSTS), 500, 17)}
    assert found["yourself, with pre-labels"].dollars == (0, 0)
    assert found["yourself, with pre-labels"].hours == pytest.approx((500 * 30 / 3600, 500 * 60 / 3600))
    assert found["student"].dollars == pytest.approx((4 * 12, 8 * 15))
    assert found["offshore team"].dollars == pytest.approx((25, 75))
    assert found["crowd, once"].dollars == pytest.approx((500 * 0.1 * 1.2, 500 * 0.3 * 1.2))
    assert found["crowd, three times"].dollars == pytest.approx((180, 540))
    assert found["freelancer"].dollars == pytest.approx((65, 250))
    assert found["outsourced by the joint"].dollars == pytest.approx((425, 425))
    assert found["large vendor"].dollars == pytest.approx((100, 500))
    assert found["large vendor"].hours == pytest.approx((500 * 10 / 3600,) * 2)


def test_prices_are_proportional_to_frames_and_joints():
    costs = read_costs(ROOT / COSTS)
    whole = estimate(costs, 400, 34)
    half = estimate(costs, 400, 17)
    quarter = estimate(costs, 100, 34)
    for one, two, four in zip(half, whole, quarter, strict=True):
        assert two.dollars == pytest.approx([2 * value for value in one.dollars])
        assert two.dollars == pytest.approx([4 * value for value in four.dollars])


def test_every_problem_of_the_file_is_listed(tmp_path):
    values = yaml.safe_load((ROOT / COSTS).read_text())
    values["joints"] = 0
    values["options"][1]["dollars_per_joint"] = 1
    values["options"][2]["colour"] = "red"
    (tmp_path / "costs.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(BadInputs) as caught:
        read_costs(tmp_path / "costs.yaml")
    assert len(caught.value.problems) == 3 and "options.1: Value error, needs one of" in str(caught.value)


def test_more_frames_by_a_known_curve():
    points = {count: [900 - 50 * np.log2(count)] * 2 for count in (25, 50, 100, 200)}
    gain = next_frames(points, 100, 100)
    assert gain.millimetres == pytest.approx(50) and gain.ci == pytest.approx((50, 50)) and not gain.beyond
    assert next_frames(points, 400).beyond


def test_the_interval_holds_the_truth_of_noisy_curves():
    rng = np.random.default_rng(0)
    counts = (25, 50, 100, 200)
    held = 0
    for _ in range(400):
        points = {count: list(900 - 50 * np.log2(count) + rng.normal(0, 20, 3)) for count in counts}
        low, high = next_frames(points, 100, 100).ci
        held += low <= 50 <= high
    assert 0.92 <= held / 400 <= 0.98


def test_too_few_runs_give_no_curve():
    with pytest.raises(BadInput, match="of 2 numbers of frames in 4 runs"):
        next_frames({10: [3, 4], 20: [2, 3]}, 100)
