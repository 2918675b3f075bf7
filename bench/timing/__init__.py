"""Time two ways of doing the same, turn by turn, so that what else the machine does hits both."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping

from rich.console import Console
from rich.table import Table


def positive(text: str) -> int:
    """Read a whole number from 1 up, from the command line."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 1 up")
    return int(text)


def alternate(ways: Mapping[str, Callable[[], object]], repeats: int, warm_up: bool = True) -> dict[str, list[float]]:
    """Run every way once in each repeat, in turning order.

    Parameters
    ----------
    ways : mapping of str to callable
    repeats : int
    warm_up : bool
        Run each once before, uncounted.

    Returns
    -------
    dict of str to list of float
        Seconds of each repeat.
    """
    for way in ways.values() if warm_up else ():
        way()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(repeats):
        names = list(ways) if repeat % 2 == 0 else list(reversed(ways))
        for name in names:
            start = time.perf_counter()
            ways[name]()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def report(title: str, seconds: Mapping[str, list[float]], plain: str, count: int, unit: str) -> None:
    """Print the median and the range of each way, and its time against the plain way's of the same repeat.

    Parameters
    ----------
    title : str
    seconds : mapping of str to list of float
        As ``alternate`` returns it.
    plain : str
        The way that the others are compared with.
    count : int
        How many units one run goes through.
    unit : str
    """
    table = Table(title=title, title_justify="left")
    for column in ("", "median s", "range s", f"{unit}s/s", f"time / {plain}", "range"):
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    for name, times in seconds.items():
        ratios = [own / other for own, other in zip(times, seconds[plain], strict=True)]
        median = statistics.median(times)
        table.add_row(
            name,
            f"{median:.3f}",
            f"{min(times):.3f}-{max(times):.3f}",
            f"{count / median:.1f}",
            f"{statistics.median(ratios):.3f}",
            f"{min(ratios):.3f}-{max(ratios):.3f}",
        )
    Console(width=110).print(table)
