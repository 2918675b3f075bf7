"""Reading checkpoints that hold tensors and plain values only."""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Iterator, Sequence
from typing import Any

import torch

# What torch raises at a file that it cannot read, or will not.
DAMAGED = (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError, TypeError, AttributeError)


@contextlib.contextmanager
def only_tensors(allowed: Sequence[Any] = ()) -> Iterator[None]:
    """Let torch's restricted unpickler take tensors, plain values and these, and nothing that another package allowed.

    Parameters
    ----------
    allowed : sequence
        Classes and functions, or pairs of one and the name it goes by, as ``torch.serialization.add_safe_globals``
        takes them.
    """
    before = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    torch.serialization.add_safe_globals(list(allowed))
    try:
        yield
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(before)
