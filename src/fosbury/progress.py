"""How far a long work is: a bar on a terminal, in a log a line every so often."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from types import TracebackType
from typing import TextIO, TypeVar

from tqdm import tqdm

FIRST_LINE, NEXT_LINE = 10.0, 60.0
"""Seconds until a log has the first line, and between later ones."""
Item = TypeVar("Item")


class Bar:
    """Count what is done of a work; a context manager.

    Parameters
    ----------
    title, unit : str
        What is done, and what is counted.
    total : int, optional
        How many there are, if that is known.
    leave : bool
        Whether a terminal keeps the bar at the end.
    stream : text stream, optional
        stderr if not given.
    clock : callable
        Seconds of a clock that never goes back.
    """

    def __init__(
        self,
        title: str,
        unit: str,
        total: int | None = None,
        *,
        leave: bool = True,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.title, self.unit, self.total = title, unit, total
        self.stream, self.clock = stream or sys.stderr, clock
        self.count, self.begin = 0, clock()
        self.due = self.begin + FIRST_LINE
        self.bar = tqdm(total=total, desc=title, unit=unit, file=self.stream, disable=None, leave=leave)

    def update(self, count: int = 1) -> None:
        """Count so many more as done."""
        self.count += count
        if not self.bar.disable:
            self.bar.update(count)
        elif self.clock() >= self.due:
            self.due = self.clock() + NEXT_LINE
            print(self._line(), file=self.stream, flush=True)

    def _line(self) -> str:
        if not self.total:
            return f"{self.title}: {self.count} {self.unit}s"
        left = (self.clock() - self.begin) / self.count * (self.total - self.count)
        return f"{self.title}: {self.count} of {self.total} {self.unit}s, about {duration(left)} left"

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.close()


def progress(items: Iterable[Item], title: str, unit: str, total: int | None = None) -> Iterator[Item]:
    """Yield items, and show how many of them are done.

    Parameters
    ----------
    items : iterable
    title, unit, total
        As for `Bar`; the total is the items' length where they have one.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    with Bar(title, unit, total) as bar:
        for item in items:
            yield item
            bar.update()


def duration(seconds: float) -> str:
    """Say a length of time in words.

    Examples
    --------
    >>> duration(42), duration(1830), duration(9000)
    ('42 s', '30 min', '2 h 30 min')
    """
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{round(seconds)} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
