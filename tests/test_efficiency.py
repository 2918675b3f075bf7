"""How the error falls with the number of labelled frames: what is drawn, and what is made of the experiments."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fosbury.dataset.split import draw_frames
from fosbury.errors import BadInput
from fosbury.pose import Dataset, Frame
from fosbury.report.efficiency import efficiency_page, learning_curve


def numbered(count: int) -> Dataset:
    return Dataset(None, tuple(Frame(f"{number:03d}.jpg", 9, 9) for number in range(count)))


def names(dataset: Dataset) -> list[str]:
    return [frame.file_name for frame in dataset.frames]


@given(st.integers(1, 60), st.integers(0, 5), st.data())
def test_a_draw_has_so_many_frames_in_order_and_holds_the_smaller_ones(count, draw, data):
    few = data.draw(st.integers(1, count))
    every = numbered(60)
    drawn, fewer = names(draw_frames(every, count, draw)), names(draw_frames(every, few, draw))
    assert len(drawn) == count and drawn == sorted(drawn) and set(fewer) <= set(drawn)
    assert drawn == names(draw_frames(every, count, draw))


def test_draws_differ_and_all_frames_stay_without_a_number():
    every = numbered(60)
    assert names(draw_frames(every, 10, 0)) != names(draw_frames(every, 10, 1))
    assert draw_frames(every, None, 0) is every
    with pytest.raises(BadInput, match="train_frames: is 61, and there are 60"):
        draw_frames(every, 61, 0)


def row(frames, draw, error, **more):
    figures = {"arch_error_mm": error, "arch_error_mm_baseline": 600.0, "test_frames": 40}
    return {"Experiment": "x", "split.train_frames": frames, "split.draw": draw, **figures, **more}


def test_experiments_are_sorted_by_hand():
    rows = [row(50, 0, 200.0), row(10, 1, 420.0), row(10, 0, 400.0), row(None, 0, 100.0), row(25, 0, "")]
    curve = learning_curve(rows)
    assert [(point.frames, point.errors, point.mean) for point in curve.points] == [
        (10, (400.0, 420.0), 410.0),
        (50, (200.0,), 200.0),
    ]
    assert curve.before == 600.0 and curve.focus == "arch"
    page = efficiency_page(curve)
    assert '>10</th><td role="cell" data-label="draws">2</td><td role="cell" data-label="mean mm">410.0</td>' in page
    assert "before fine-tuning, 600 mm" in page


def test_what_dvc_shows_in_place_of_a_number_is_left_out():
    """As `dvc.api.exp_show` of DVC 3.67 gives them: null as a word, '!' of a run that failed, names with their file."""
    rows = [
        row("None", 0.0, 263.4),
        row(200.0, 1.0, "!"),
        row(200.0, 2.0, None),
        row(200.0, 0.0, 355.55),
        row(10.0, 0.0, 572.0),
    ]
    rows += [row(200.0, 2.0, 263.4) | {"State": "Running"}]
    for each in rows:
        each["metrics/summary.json:test_frames"] = each.pop("test_frames")
    curve = learning_curve(rows)
    assert [(point.frames, point.errors) for point in curve.points] == [(10, (572.0,)), (200, (355.55,))]
    assert curve.before == 600.0
    other = row(25.0, 0.0, 500.0) | {"test_frames": None, "metrics/summary.json:test_frames": 41}
    with pytest.raises(BadInput, match="differ in model, recipe, data or test frames"):
        learning_curve([*rows, other])
    with pytest.raises(BadInput, match="differ in model"):
        learning_curve([*rows, rows[-2] | {"params.yaml:seed": 1.0, "split.draw": 1.0}])


def test_a_draw_that_was_run_twice_counts_once():
    curve = learning_curve([row(10, 0, 400.0), row(10, 0, 400.0), row(20, 0, 300.0)])
    assert curve.points[0].errors == (400.0,)


def test_the_error_is_that_of_the_phase_of_interest():
    of_landing = {"evaluate.phase": "landing", "landing_error_mm_baseline": 90.0}
    rows = [row(frames, 0, 400.0, landing_error_mm=80.0 - frames, **of_landing) for frames in (10, 20)]
    curve = learning_curve(rows)
    assert [point.errors for point in curve.points] == [(70.0,), (60.0,)]
    assert (curve.focus, curve.before) == ("landing", 90.0)
    assert "Error in the landing by the number of labelled frames" in efficiency_page(curve)
    with pytest.raises(BadInput, match="differ in"):
        learning_curve([rows[0], row(20, 0, 300.0)])


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(BadInput, match="two numbers"):
        learning_curve([row(10, 0, 400.0)])
    with pytest.raises(BadInput, match="differ in model"):
        learning_curve([row(10, 0, 400.0), row(20, 0, 300.0, **{"train.lr0": 0.1})])
    with pytest.raises(BadInput, match="differ in model"):
        learning_curve([row(10, 0, 400.0), row(20, 0, 300.0, arch_error_mm_baseline=500.0)])
