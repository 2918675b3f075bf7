"""What belongs to a machine and not to an experiment: the device, and the number of threads."""

from __future__ import annotations

import os

from fosbury.errors import BadInput


def default_device() -> str:
    """Where to compute: ``FOSBURY_DEVICE`` (``cpu``, ``cuda:0``, ``mps``), the processor where it is not set."""
    return os.environ.get("FOSBURY_DEVICE") or "cpu"


def default_threads() -> int:
    """How many threads to compute with: ``FOSBURY_THREADS``, all cores where it is not set.

    Raises
    ------
    BadInput
        If it is set to anything but a number from 1 up.
    """
    text = os.environ.get("FOSBURY_THREADS") or str(os.cpu_count() or 1)
    if not text.isdecimal() or int(text) < 1:
        raise BadInput("FOSBURY_THREADS", f"is '{text}'", "set it to a number of threads from 1 up")
    return int(text)
