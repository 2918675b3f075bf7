"""What labelling costs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from fosbury.cli import app
from fosbury.errors import BadInput, BadInputs
from fosbury.labelling.cost import COSTS, estimate, next_frames, read_costs, read_runs

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


def power_law(count: float) -> float:
    return 2000 * count**-0.5 + 50


def test_more_frames_by_a_known_curve():
    points = {count: [power_law(count)] * 2 for count in (25, 50, 100, 200)}
    gain = next_frames(points, 100, 100)
    known = 2000 * (100**-0.5 - 200**-0.5)
    assert gain.millimetres == pytest.approx(known) and gain.ci == pytest.approx((known, known)) and not gain.beyond
    far = next_frames(points, 400, 500)
    assert far.beyond and far.millimetres == pytest.approx(2000 * (400**-0.5 - 900**-0.5))


@pytest.mark.parametrize(("factor", "power", "end"), [(2000, 0.5, 50), (400, 0.3, 0)])
def test_the_interval_holds_the_truth_of_noisy_curves(monkeypatch, factor, power, end):
    monkeypatch.setattr("fosbury.labelling.cost.RESAMPLES", 200)
    counts, rng = np.array([10.0, 25, 50, 100, 200]), np.random.default_rng(0)
    truth = factor * (200**-power - 300**-power)
    held = 0
    for _ in range(150):
        errors = (factor * counts**-power + end)[:, None] * np.exp(rng.normal(0, 0.03, (5, 3)))
        low, high = next_frames(dict(zip(counts.astype(int).tolist(), errors.tolist(), strict=True)), 200).ci
        held += low <= truth <= high
    assert 0.9 <= held / 150 <= 0.99


def test_too_few_runs_give_no_curve():
    with pytest.raises(BadInput, match="of 2 numbers of frames in 6 runs give no curve"):
        next_frames({10: [3, 4, 5], 20: [2, 3, 4]}, 100)
    with pytest.raises(BadInput, match="of 3 numbers of frames in 4 runs give no curve"):
        next_frames({10: [3, 4], 20: [2], 40: [1]}, 100)


def test_runs_that_say_nothing_are_refused():
    with pytest.raises(BadInput, match="do not tell whether 100 frames more help"):
        next_frames({10: [300, 200], 20: [190, 310], 40: [250, 260]}, 40)
    rising = {count: [500 - power_law(count)] * 2 for count in (25, 50, 100)}
    with pytest.raises(BadInput, match="do not tell"):
        next_frames(rising, 100)


def test_runs_of_a_table(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("draw,frames,error_mm\n0,10,600\n1,10,610.5\n0,20,400\n", encoding="utf-8")
    assert read_runs(path) == {10: [600, 610.5], 20: [400]}
    path.write_text("frames,mm\n10,600\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"runs\.csv: has no column error_mm"):
        read_runs(path)
    for row in ("10,-3", "1.5,300", "10,", "10"):
        path.write_text(f"frames,error_mm\n{row}\n", encoding="utf-8")
        with pytest.raises(BadInput, match=r"line 2 has no positive numbers|cannot be read"):
            read_runs(path)
    with pytest.raises(BadInput, match="absent"):
        read_runs(tmp_path / "absent.csv")


def test_the_next_frames_beside_their_price(tmp_path):
    rows = [f"{count},{power_law(count) * (1 + 0.01 * draw)}" for count in (25, 50, 100) for draw in (0, 1)]
    (tmp_path / "runs.csv").write_text("\n".join(["frames,error_mm", *rows]), encoding="utf-8")
    command = ["cost", "--frames", "100", "--more", "50", "--runs", str(tmp_path / "runs.csv")]
    done = CliRunner().invoke(app, [*command, "--json", str(tmp_path / "cost.json")])
    assert done.exit_code == 0, done.output
    known = json.loads((tmp_path / "cost.json").read_text(encoding="utf-8"))
    low, high = known["next"]["ci"]
    assert low <= 2000 * (100**-0.5 - 150**-0.5) <= high and known["next"]["beyond"]
    assert [2 * each["dollars"][1] for each in known["more"]] == pytest.approx(
        [each["dollars"][1] for each in known["options"]]
    )
    assert "50 frames more would lower the error in the phase of interest by" in done.output
