"""How far a long work is: a bar on a terminal, and in a log a line every so often."""

from __future__ import annotations

import io

import pytest

from fosbury.progress import Bar, progress


class Clock:
    """A clock that is set by hand."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_has_a_line_after_ten_seconds_and_then_once_a_minute():
    log, clock = io.StringIO(), Clock()
    with Bar("clips", "clip", 30, stream=log, clock=clock) as bar:
        for _ in range(4):
            clock.seconds += 4.0
            bar.update()
        assert log.getvalue() == "clips: 3 of 30 clips, about 2 min left\n"
        for _ in range(15):
            clock.seconds += 4.0
            bar.update()
    assert log.getvalue().splitlines()[1:] == ["clips: 18 of 30 clips, about 48 s left"]


def test_a_log_counts_what_has_no_known_end():
    log, clock = io.StringIO(), Clock()
    with Bar("jump.mp4", "frame", stream=log, clock=clock) as bar:
        clock.seconds = 11.0
        bar.update(25)
    assert log.getvalue() == "jump.mp4: 25 frames\n"


def test_a_terminal_has_a_bar():
    terminal = Terminal()
    with Bar("copying", "file", 2, stream=terminal) as bar:
        bar.update()
        bar.update()
    assert "copying: 100%" in terminal.getvalue() and "2/2" in terminal.getvalue()


@pytest.mark.parametrize("items", [range(3), iter(range(3))])
def test_items_go_through_as_they_are_and_a_short_work_says_nothing_in_a_log(items, capsys):
    assert list(progress(items, "work", "item")) == [0, 1, 2]
    assert capsys.readouterr().err == ""
