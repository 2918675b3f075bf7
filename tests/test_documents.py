"""YAML and JSON of a stranger: the same values as Hydra and DVC read, and a sentence for what is none of it."""

from __future__ import annotations

import json

import pytest
import yaml
from omegaconf import OmegaConf

from fosbury.documents import MAX_DEPTH, MAX_VALUES, MAX_YAML, parse_json, parse_yaml, read_json, read_yaml
from fosbury.errors import BadInput
from fosbury.files import write_csv, write_json

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
PLAIN = """
numbers: [1, -1, 010, 0x1f, 1_000, 1e-3, 1.5e3, 1.e3, 2E5, .5, -.inf, 1:30]
words: [yes, no, null, ~, 2024-01-01, "1", '', 1e, e1, v1.2]
block: |
  text
? name
: value
shared: &it {a: 1}
again: [*it, *it]
merged: {<<: *it, b: 2}
"""


@pytest.mark.parametrize("text", [PLAIN, "3", "[]", "- 1\n- {a: {b: c}}"])
def test_yaml_is_read_as_hydra_and_dvc_read_it(text, tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    if isinstance(yaml.safe_load(text), int):
        assert read_yaml(path, "") == 3
    else:
        assert read_yaml(path, "") == OmegaConf.to_container(OmegaConf.load(path))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[", "flow node"),
        ("a: !!int foo", "foo"),
        ("a: !!int ''", "index"),
        ("a: !!float x", "x"),
        ("a: !!bool x", "x"),
        ("a: !!timestamp 2024-99-99", "tag !!timestamp"),
        ("a: !!binary x", "tag !!binary"),
        ("a: !!python/object/apply:os.system [true]", "tag !!python"),
        ("a: !!python/object/apply:pathlib.Path [x]", "tag !!python"),
        ("a: 1\nb: 2\na: 3", "line 3 names the key 'a' a second time"),
        ("a: {b: 1, b: 1}", "names the key 'b' a second time"),
        ("1: a\n1: b", "names the key '1' a second time"),
        ("? [1]\n: 2", "key that is not a name"),
        ("a: &a [*a]", "anchor contains itself"),
        (BOMB, f"more than {MAX_VALUES} values"),
        ("a: &a " + "[" * 40 + "]" * 40 + "\nb: " + "[" * 40 + "*a" + "]" * 40, f"{MAX_DEPTH} levels"),
        ("[" * 20_000, f"deeper than {MAX_DEPTH} levels"),
        ("- " * 20_000, f"deeper than {MAX_DEPTH} levels"),
        ("? " * 20_000, f"deeper than {MAX_DEPTH} levels"),
        ("a: 1" + "0" * 40, "beyond 64 bits"),
        ("a: 0x" + "f" * 10_000, "beyond 64 bits"),
        ("a: 1" + "0" * 5000, "limit"),
        ('a: "\\ud800"', "character"),
        ("a: \x00", "character"),
        ("---\n1\n---\n2", "single document"),
        ("a: " + "x" * MAX_YAML, f"more than {MAX_YAML} bytes"),
        ("<<: 3", "merg"),
        ("a: *b", "undefined alias"),
    ],
)
def test_yaml_that_is_refused_in_one_sentence(text, problem):
    with pytest.raises(BadInput) as caught:
        parse_yaml(text.encode(), "params.yaml", "compose again")
    sentence = str(caught.value)
    assert sentence.startswith("params.yaml: is not readable YAML (") and sentence.endswith("; compose again.")
    assert problem in sentence
    assert len(sentence.splitlines()) == 1 and len(sentence) < 300


def test_yaml_that_is_no_text_or_no_file(tmp_path):
    with pytest.raises(BadInput, match="utf-8"):
        parse_yaml(b"a: \xff", "p", "m")
    with pytest.raises(BadInput, match="is missing"):
        read_yaml(tmp_path / "no.yaml", "m")
    with pytest.raises(BadInput, match="cannot be read"):
        read_yaml(tmp_path, "m")
    with pytest.raises(BadInput, match="cannot be read"):
        read_yaml(tmp_path / ("x" * 5000), "m")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "is not JSON"),
        ("", "is not JSON"),
        ("1" * 5000, "no tool writes"),
        ("[" * 100_000, "no tool writes"),
        ("[" * 60 + "]" * 60, f"deeper than {MAX_DEPTH}"),
        ('{"a":' * 60 + "1" + "}" * 60, f"deeper than {MAX_DEPTH}"),
        ('{"a": "\\ud800"}', "surrogate"),
        ('{"\\uDFFF": 1}', "surrogate"),
    ],
)
def test_json_that_is_refused_in_one_sentence(text, problem):
    with pytest.raises(BadInput, match=problem) as caught:
        parse_json(text.encode(), "a.json", "export again")
    assert len(str(caught.value).splitlines()) == 1


def test_json_with_any_sound_text_is_read():
    value = {"é": ["\U0001f600", "\\ud800", None, 1.5, {"a": []}]}
    for ascii_only in (True, False):
        assert parse_json(json.dumps(value, ensure_ascii=ascii_only).encode("utf-8-sig"), "a", "m") == value


def test_json_files_come_back_and_faults_are_said(tmp_path):
    value = {"b": 1.0, "a": [None, "é"]}
    write_json(tmp_path / "metrics" / "evaluation.json", value)
    written = (tmp_path / "metrics" / "evaluation.json").read_bytes()
    assert written == b'{\n  "b": 1.0,\n  "a": [\n    null,\n    "\xc3\xa9"\n  ]\n}\n', (
        "stages do not depend on files.py"
    )
    assert read_json(tmp_path / "metrics" / "evaluation.json") == value
    assert [path.name for path in (tmp_path / "metrics").iterdir()] == ["evaluation.json"]
    with pytest.raises(BadInput, match=r"export\.json: is missing"):
        read_json(tmp_path / "export.json")
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(BadInput, match="is not JSON"):
        read_json(tmp_path / "broken.json")
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "nan.json", [float("nan")])
    assert not (tmp_path / "nan.json").exists()


def test_csv_is_written_whole_with_line_feeds_and_empty_cells(tmp_path):
    write_csv(tmp_path / "a" / "b.csv", [["x", "y"], [1, None], ["a,b", 0.5]])
    assert (tmp_path / "a" / "b.csv").read_bytes() == b'x,y\n1,\n"a,b",0.5\n', "stages do not depend on files.py"
