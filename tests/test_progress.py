"""How long a training will take is said on the way, and what a processor cannot do fast is said before."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from fosbury import machine
from fosbury.backends import rtmpose, yolo
from fosbury.machine import chosen_bfloat16, computes_bfloat16
from fosbury.progress import duration
from fosbury.recipe import Recipe
from fosbury.synth.stills import write_stills
from fosbury.training import progress
from fosbury.training.job import TrainingJob
from fosbury.training.progress import Progress
from fosbury.training.run import warn_of_bfloat16


class Clock:
    """A clock that is set by hand."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_says_after_the_first_batches_how_long_it_takes_and_then_once_a_minute():
    log, clock = io.StringIO(), Clock()
    shown = Progress(3, 10, stream=log, clock=clock)
    for _ in range(9):
        clock.seconds += 4.0
        shown.step(2.5)
    assert log.getvalue() == "epoch 1/3, batch 3/10, loss 2.5: about 2 min left\n"  # 12 s for 3 of 30 batches
    for _ in range(9):
        clock.seconds += 4.0
        shown.step(2.5)
    assert log.getvalue().splitlines()[1:] == ["epoch 2/3, batch 8/10, loss 2.5: about 48 s left"]


def test_a_run_that_goes_on_counts_the_pace_of_what_it_did_itself_and_shows_the_error():
    log, clock = io.StringIO(), Clock()
    shown = Progress(10, 10, done=8, stream=log, clock=clock)
    shown.validated(231.4)
    clock.seconds = 12.0
    shown.step(1.0)
    assert log.getvalue() == "epoch 9/10, batch 1/10, loss 1, validation error 231 mm: about 4 min left\n"


def test_a_terminal_has_a_bar_with_epoch_loss_and_error():
    terminal = Terminal()
    shown = Progress(2, 2, stream=terminal)
    shown.step(3.0)
    shown.step(2.0)
    shown.validated(180.0)
    shown.step(1.5)
    shown.bar.refresh()
    shown.close()
    last = terminal.getvalue().replace("\n", "\r").rstrip("\r").rpartition("\r")[2]
    assert "epoch 2/2" in last and "3/4" in last and "loss 1.5, validation error 180 mm" in last


@pytest.mark.parametrize("seconds, words", [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (7199, "2 h 0 min")])
def test_a_length_of_time_in_words(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize("backend, architecture", [(yolo, "yolo11n-pose"), (rtmpose, "rtmpose-t")])
def test_a_training_says_how_far_it_is(backend, architecture, skeletons, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(progress, "FIRST_LINE", 0.0)
    monkeypatch.setattr(progress, "NEXT_LINE", 0.0)
    stills = write_stills(tmp_path / "stills", 5, seed=3, size=(64, 64), skeleton=skeletons["coco17"])
    train = [index < 4 for index in range(5)]
    splits = {"train": stills.where(train), "val": stills.where([not shown for shown in train])}
    recipe = Recipe(epochs=2, batch=2, image_size=32, lr0=1e-3)
    job = TrainingJob(
        **splits,
        root=tmp_path / "stills",
        weights=None,
        architecture=architecture,
        recipe=recipe,
        out=tmp_path / "model.pt",
        curve=tmp_path / "curve.csv",
        work=tmp_path / "work",
    )
    backend.finetune(job)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("epoch ")]
    assert [line.partition(", loss")[0] for line in lines] == [
        f"epoch {epoch}/2, batch {batch}/2" for epoch in (1, 2) for batch in (1, 2)
    ]
    assert all("left" in line for line in lines)
    assert "validation error" in lines[2] and "validation error" not in lines[1]


def test_bfloat16_is_used_and_warned_of_by_what_the_processor_has(monkeypatch, capsys):
    recipe = Recipe(epochs=1, batch=1, image_size=32, lr0=1e-3)
    for able in (True, False):
        monkeypatch.setattr("torch.cpu.get_capabilities", lambda able=able: {"avx2": True, "avx512_bf16": able})
        assert computes_bfloat16("cpu") is able
        assert chosen_bfloat16("auto") is able
        assert f"train.bfloat16=auto: {str(able).lower()} on cpu" in capsys.readouterr().err
        assert chosen_bfloat16(True) is True and chosen_bfloat16(False) is False
        warn_of_bfloat16(recipe, "cpu")
        assert capsys.readouterr().err == ""
        warn_of_bfloat16(recipe.model_copy(update={"bfloat16": True}), "cpu")
        assert ("no instructions for it" in capsys.readouterr().err) is not able


@pytest.mark.skipif(not Path("/proc/cpuinfo").is_file(), reason="needs Linux")
def test_the_processor_is_asked_for_bfloat16():
    flags = set(Path("/proc/cpuinfo").read_text().replace(":", " ").split())
    assert machine.computes_bfloat16("cpu") is bool(flags & {"avx512_bf16", "amx_bf16", "bf16", "svebf16"})
