"""Measure what `fosbury.machine.keep_freed_memory` saves: page faults and time of a convolution's training steps."""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

import torch
from timing import positive

from fosbury.machine import default_threads, keep_freed_memory


def steps(number: int) -> dict[str, float]:
    """Train a small stack of convolutions; return seconds of processor time, of the clock, and page faults, a step."""
    torch.set_num_threads(default_threads())
    torch.manual_seed(0)
    layers = [layer for _ in range(6) for layer in (torch.nn.Conv2d(32, 32, 3, padding=1), torch.nn.SiLU())]
    network, pictures = torch.nn.Sequential(*layers), torch.rand(16, 32, 128, 96)
    network(pictures).square().mean().backward()
    before, begun = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    for _ in range(number):
        network(pictures).square().mean().backward()
    after, elapsed = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter() - begun
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    faults = after.ru_minflt - before.ru_minflt
    return {"processor": processor / number, "clock": elapsed / number, "faults": faults / number}


def main() -> None:
    """Print both, and the ratio, of rounds that take turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=positive, default=10)
    parser.add_argument("--rounds", type=positive, default=3)
    parser.add_argument("--one", choices=("as-it-is", "kept"), help="one round, as JSON")
    arguments = parser.parse_args()
    if arguments.one:
        if arguments.one == "kept":
            keep_freed_memory()
        print(json.dumps(steps(arguments.steps)))
        return
    for _ in range(arguments.rounds):
        found = {}
        for way in ("as-it-is", "kept"):
            command = [sys.executable, __file__, "--one", way, "--steps", str(arguments.steps)]
            found[way] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        ratio = found["kept"]["processor"] / found["as-it-is"]["processor"]
        for way, figures in found.items():
            print(f"{way:9}", ", ".join(f"{name} {value:.3f}" for name, value in figures.items()))
        print(f"processor time with memory kept: {ratio:.2f} of what it was")


if __name__ == "__main__":
    main()
