"""How far a training is, and how long it will take: a bar on a terminal, in a log a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

from tqdm import tqdm

from fosbury.progress import FIRST_LINE, NEXT_LINE, duration


class Progress:
    """How far a training is, and how long it will take: a bar on a terminal, in a log a line now and then.

    Parameters
    ----------
    epochs, batches : int
        Epochs of the whole training, batches of each.
    done : int
        Epochs that a run before this one has finished.
    stream : text stream, optional
        stderr if not given.
    clock : callable
        Seconds of a clock that never goes back.
    """

    def __init__(
        self,
        epochs: int,
        batches: int,
        done: int = 0,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.epochs, self.batches, self.stream, self.clock = epochs, batches, stream or sys.stderr, clock
        self.skipped = self.count = done * batches
        self.error: float | None = None
        self.begin = clock()
        self.due = self.begin + FIRST_LINE
        self.bar = tqdm(total=epochs * batches, initial=self.count, file=self.stream, disable=None, unit="batch")

    def step(self, loss: float) -> None:
        """Count a batch; ``loss`` is the mean of its epoch so far."""
        epoch, batch = divmod(self.count, self.batches)
        self.count += 1
        title, shown = f"epoch {epoch + 1}/{self.epochs}", f"loss {loss:.4g}"
        if self.error is not None:
            shown += f", validation error {self.error:.0f} mm"
        if not self.bar.disable:
            self.bar.set_description(title, refresh=False)
            self.bar.set_postfix_str(shown, refresh=False)
            self.bar.update()
        elif self.clock() >= self.due:
            self.due = self.clock() + NEXT_LINE
            left = duration(self.seconds_left())
            print(
                f"{title}, batch {batch + 1}/{self.batches}, {shown}: about {left} left", file=self.stream, flush=True
            )

    def seconds_left(self) -> float:
        """Seconds until the end, at the pace of this run so far, validation included."""
        pace = (self.clock() - self.begin) / (self.count - self.skipped)
        return pace * (self.epochs * self.batches - self.count)

    def validated(self, error_mm: float) -> None:
        """Take note of the pose error on the validation frames."""
        self.error = error_mm

    def close(self) -> None:
        """Leave the bar as it is."""
        self.bar.close()
