"""What results depend on beside code, data and parameters: the packages installed, and the machine."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fosbury.errors import BadInput
from fosbury.files import write_text
from fosbury.machine import default_device, default_threads
from fosbury.model_kinds import BACKENDS

# Instructions by which numerical libraries choose their kernels: x86 first, then Arm.
INSTRUCTIONS = (
    *("avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "amx_tile"),
    *("neon", "asimd", "asimddp", "bf16", "i8mm", "sve", "sve2"),
)
CPUINFO = Path("/proc/cpuinfo")


def installed(package: str) -> str | None:
    """Version of an installed distribution, None where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def check_versions(versions: Mapping[str, str | None], backend: str) -> None:
    """Refuse to compute with other packages than params.yaml records.

    A package that only another backend needs may be absent. What follows a plus sign in a version, such as ``+cu126``,
    is the kind of build, which belongs to the machine.

    Parameters
    ----------
    versions : mapping of str to (str or None)
        Version by distribution, ``A or B`` where either will do, None where any will.
    backend : str
        The backend in use, a key of ``BACKENDS``.

    Raises
    ------
    BadInput
        All packages that are absent or of another version, in one sentence.
    """
    needed = set(BACKENDS[backend].packages.values())
    optional = {package for kind in BACKENDS.values() for package in kind.packages.values()} - needed
    wrong = []
    for package, wanted in versions.items():
        found = installed(package)
        if wanted is None or (found is None and package in optional):
            continue
        if found is None:
            wrong.append(f"{package} is not installed")
        elif found.partition("+")[0] not in {each.partition("+")[0] for each in wanted.split(" or ")}:
            wrong.append(f"{package} {found} is installed, not {wanted}")
    if wrong:
        hint = "run `make setup`, or to stay with yours lock it and run `fosbury config compose`"
        raise BadInput("params.yaml: versions", "; ".join(wrong), hint)


def environment() -> dict[str, str | int]:
    """Describe the machine as far as it may decide the last digits of a result.

    Returns
    -------
    dict
        ``processor`` (vendor and model as the operating system says it), ``architecture``, ``system``,
        ``instructions`` (those of ``INSTRUCTIONS`` that it has), ``kernels`` (the instruction set that torch computes
        with), ``device``, ``threads``, ``python`` (without the last number) and ``torch`` with its kind of build.
        Nothing that tells one machine from another of its kind.
    """
    import torch

    processor, flags = _processor()
    device = default_device()
    return {
        "architecture": platform.machine(),
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else device,
        "instructions": " ".join(name for name in INSTRUCTIONS if name in flags),
        "kernels": torch.backends.cpu.get_cpu_capability(),
        "processor": processor,
        "python": ".".join(platform.python_version_tuple()[:2]),
        "system": platform.system(),
        "threads": default_threads(),
        "torch": str(torch.__version__),
    }


def write_environment(path: str | Path) -> None:
    """Write :func:`environment` as JSON."""
    write_text(path, json.dumps(environment(), indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def differences(recorded: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """List what of :func:`environment` is not as it was recorded, ``threads 2 instead of 1``."""
    keys = sorted(recorded.keys() | here.keys())
    return [
        f"{key} {here.get(key)} instead of {recorded.get(key)}" for key in keys if recorded.get(key) != here.get(key)
    ]


def _processor() -> tuple[str, frozenset[str]]:
    """Name of the processor and all its instruction sets, empty where the operating system does not say it."""
    if CPUINFO.is_file():
        return parse_cpuinfo(CPUINFO.read_text(encoding="utf-8", errors="replace"))
    if platform.system() == "Darwin":
        asked = ["sysctl", "machdep.cpu.brand_string", "hw.optional"]
        return parse_sysctl(subprocess.run(asked, capture_output=True, text=True, check=False).stdout)
    return platform.processor(), frozenset()


def parse_cpuinfo(text: str) -> tuple[str, frozenset[str]]:
    """Vendor and model, and the instruction sets, of the first processor of Linux' /proc/cpuinfo.

    A processor of Arm has no name there, but numbers of its maker and its kind.
    """
    fields: dict[str, str] = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), " ".join(value.split()))
    named = [fields[name] for name in ("vendor_id", "model name") if fields.get(name)]
    numbered = [f"{name} {fields[name]}" for name in ("CPU implementer", "CPU part") if fields.get(name)]
    flags = fields.get("flags", fields.get("Features", "")).split()
    return ", ".join(named or numbered), frozenset(flags)


def parse_sysctl(text: str) -> tuple[str, frozenset[str]]:
    """Model and instruction sets from what macOS' ``sysctl machdep.cpu.brand_string hw.optional`` prints."""
    fields = {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}
    there = {name.rpartition(".")[2].lower() for name, value in fields.items() if value == "1"}
    flags = {name.removeprefix("feat_").removesuffix("_0") for name in there}
    return fields.get("machdep.cpu.brand_string", ""), frozenset(flags)
