"""What belongs to a machine and not to an experiment: the device, and the number of threads."""

from __future__ import annotations

import ctypes
import os
import re
import sys

from fosbury.errors import BadInput


def default_device() -> str:
    """Where to compute: ``FOSBURY_DEVICE``, the processor where it is not set.

    Returns
    -------
    str
        ``cpu``, ``mps``, ``cuda:0`` and so on; a bare number stands for that CUDA device.

    Raises
    ------
    BadInput
        If it is set to anything else.
    """
    text = os.environ.get("FOSBURY_DEVICE") or "cpu"
    if text.isdecimal():
        return f"cuda:{text}"
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", text):
        raise BadInput("FOSBURY_DEVICE", f"is '{text}'", "set it to cpu, mps, or cuda:0")
    return text


def usable_device() -> str:
    """Return the device of ``default_device``, after making sure that torch has it.

    Raises
    ------
    BadInput
        If it has not.
    """
    import torch

    device = default_device()
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise BadInput(
            "FOSBURY_DEVICE", f"is '{device}', which torch cannot use here", "leave it out for cpu"
        ) from error
    return device


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


# Parameters of glibc's mallopt (malloc.h).
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4


def keep_freed_memory() -> bool:
    """Let this process keep memory that it has freed, for the next array of the same size.

    By default glibc gives large arrays back to the system and takes them again, one page fault for each 4 KiB: on a
    virtual machine a quarter of the time of a training on the processor. ``bench/memory.py`` measures it. No result
    depends on it.

    Returns
    -------
    bool
        Whether the C library has such settings: glibc alone.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        return False
    wanted = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, 2**31 - 1), (M_TOP_PAD, 64 << 20))
    answers = [mallopt(parameter, value) for parameter, value in wanted]
    return answers == [1] * len(wanted)


def computes_bfloat16(device: str) -> bool:
    """Whether a device has instructions for bfloat16; without them it is several times slower than float32.

    Parameters
    ----------
    device : str
        As ``usable_device`` gives it.
    """
    import torch

    if device.startswith("cuda"):
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device != "cpu":
        return False
    able = torch.cpu.get_capabilities()
    return any(able.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16"))


def chosen_bfloat16(asked: bool | str) -> bool:
    """Whether to train in bfloat16: as asked, or with ``auto`` where the device has instructions for it.

    What ``auto`` came to is said on stderr; the instructions of the processor are recorded beside the metrics.
    """
    if asked != "auto":
        return bool(asked)
    device = usable_device()
    chosen = computes_bfloat16(device)
    print(f"train.bfloat16=auto: {'true' if chosen else 'false'} on {device}", file=sys.stderr, flush=True)
    return chosen
