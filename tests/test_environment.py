"""Which packages and which machine results were made with, and whether they are those at hand."""

from __future__ import annotations

import importlib.metadata
import json
from dataclasses import replace

import pytest

from fosbury.environment import (
    check_versions,
    differences,
    environment,
    installed,
    parse_cpuinfo,
    parse_sysctl,
    write_environment,
)
from fosbury.errors import BadInput
from fosbury.model_kinds import BACKENDS

NUMPY = importlib.metadata.version("numpy")
ABSENT = "a-package-that-nobody-has"


def test_the_packages_at_hand_are_accepted_whatever_build_or_python_they_are_for():
    for wanted in (NUMPY, f"0.0.1 or {NUMPY}", f"{NUMPY}+cu126", None):
        check_versions({"numpy": wanted}, "yolo")


def test_other_packages_are_refused_all_in_one_sentence():
    with pytest.raises(BadInput) as caught:
        check_versions({"numpy": "1.0", ABSENT: "2.0", "onnx": installed("onnx")}, "yolo")
    message = str(caught.value)
    assert f"numpy {NUMPY} is installed, not 1.0; {ABSENT} is not installed" in message
    assert "onnx" not in message
    assert "make setup" in message and len(message.splitlines()) == 1


def test_what_only_another_backend_needs_may_be_absent(monkeypatch):
    kind = replace(BACKENDS["rtmpose"], packages={"absent": ABSENT, "numpy": "numpy"})
    monkeypatch.setitem(BACKENDS, "rtmpose", kind)
    check_versions({ABSENT: "1.0"}, "yolo")
    with pytest.raises(BadInput, match=ABSENT):
        check_versions({ABSENT: "1.0"}, "rtmpose")
    with pytest.raises(BadInput, match="numpy"):
        check_versions({"numpy": "1.0"}, "yolo")


def test_the_record_is_the_same_twice_and_names_no_place_or_time(tmp_path, monkeypatch):
    monkeypatch.setenv("FOSBURY_THREADS", "3")
    for name in ("a", "b"):
        write_environment(tmp_path / name / "environment.json")
    first, second = ((tmp_path / name / "environment.json").read_bytes() for name in ("a", "b"))
    assert first == second
    record = json.loads(first)
    assert record == environment()
    assert record["threads"] == 3
    assert record["torch"].startswith(installed("torch"))
    assert set(record) == {
        *("architecture", "device", "instructions", "kernels", "processor", "python", "system", "threads", "torch"),
    }


def test_what_differs_is_said_and_nothing_else():
    here = environment()
    assert differences(here, here) == []
    assert differences({**here, "threads": 99, "kernels": "AVX1"}, here) == [
        f"kernels {here['kernels']} instead of AVX1",
        f"threads {here['threads']} instead of 99",
    ]
    assert differences({}, {"threads": 1}) == ["threads 1 instead of None"]


def test_processors_are_named_as_the_operating_system_does():
    amd = "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC 7B13\nflags\t\t: fpu avx2 fma\n\n"
    assert parse_cpuinfo(amd + amd.replace("EPYC", "other")) == (
        "AuthenticAMD, AMD EPYC 7B13",
        frozenset({"fpu", "avx2", "fma"}),
    )
    arm = "processor\t: 0\nFeatures\t: fp asimd bf16\nCPU implementer\t: 0x41\nCPU part\t: 0xd40\n"
    assert parse_cpuinfo(arm) == ("CPU implementer 0x41, CPU part 0xd40", frozenset({"fp", "asimd", "bf16"}))
    assert parse_cpuinfo("") == ("", frozenset())
    mac = "machdep.cpu.brand_string: Apple M1\nhw.optional.neon: 1\nhw.optional.arm.FEAT_BF16: 0\n"
    mac += "hw.optional.arm.FEAT_I8MM: 1\n"
    name, flags = parse_sysctl(mac)
    assert name == "Apple M1"
    assert {"neon", "i8mm"} <= flags and "bf16" not in flags
    assert parse_sysctl("") == ("", frozenset())
