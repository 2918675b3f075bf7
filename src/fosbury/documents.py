"""YAML and JSON that somebody else wrote: read within limits, or refused in one sentence.

A few hundred bytes of YAML can stand for gigabytes (aliases of aliases), and a tag or a deep nest ends in a traceback
of the library that reads it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from fosbury.errors import BadInput

MAX_YAML = 2**18
"""Bytes; params.yaml has 4 kB, dvc.lock 40."""
MAX_VALUES = 20_000
"""Keys and values of a YAML file, with those that its aliases repeat."""
MAX_DEPTH = 50
"""Levels of nesting; params.yaml has four, a COCO file five."""
_MAX_INTEGER = 2**63
_CORE = "tag:yaml.org,2002:"
_KNOWN = {f"{_CORE}{name}" for name in ("null", "bool", "int", "float", "str", "seq", "map", "merge")}


_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SafeLoader):
    """PyYAML's safe loader, the quick one where there is one, with numbers and dates as OmegaConf reads them."""


# As in omegaconf._utils.get_yaml_loader: 1e-3 is a number, a date is a text.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != f"{_CORE}timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    f"{_CORE}float", re.compile(r"[-+]?[0-9]+(?:_[0-9]+)*(?:\.[0-9_]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


class _Refused(ValueError):
    """What is wrong with a document."""


def parse_yaml(content: bytes, where: str | Path, hint: str) -> Any:
    """Read a YAML document of plain values.

    Parameters
    ----------
    content : bytes
        UTF-8.
    where : str or Path
        What a message calls it.
    hint : str
        What a message says to do about it.

    Raises
    ------
    BadInput
        If it is not YAML, names a key twice, has a tag that is not of YAML's core, a number beyond 64 bits, a lone
        surrogate, an anchor that contains itself, or more than ``MAX_YAML``, ``MAX_VALUES`` or ``MAX_DEPTH`` allow.
    """
    try:
        if len(content) > MAX_YAML:
            raise _Refused(f"it has more than {MAX_YAML} bytes")
        return _constructed(content.decode("utf-8-sig"))
    except (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # PyYAML lets out whatever its constructors raise on a text that its tag does not suit
        problem = " ".join(str(error).split())[:200]
        raise BadInput(where, f"is not readable YAML ({problem})", hint) from None


def read_yaml(path: str | Path, hint: str) -> Any:
    """Read a YAML file, as :func:`parse_yaml`.

    Raises
    ------
    BadInput
        Also if it is missing or cannot be opened.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_YAML + 1)
    except FileNotFoundError:
        raise BadInput(path, "is missing", hint) from None
    except OSError as error:
        raise BadInput(path, f"cannot be read ({error.strerror})", hint) from None
    return parse_yaml(content, path, hint)


def _constructed(text: str) -> Any:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):  # composing recurses: the depth is known before
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise _Refused(f"it nests deeper than {MAX_DEPTH} levels")
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _extent(node, {})
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _extent(node: yaml.Node, known: dict[int, tuple[int, int] | None]) -> tuple[int, int]:
    """Count the values and the depth of a node, with what its aliases repeat; refuses what a document may not hold."""
    if id(node) in known:
        extent = known[id(node)]
        if extent is None:
            raise _Refused("an anchor contains itself")
        return extent
    known[id(node)] = None
    if node.tag not in _KNOWN:
        raise _Refused(f"line {node.start_mark.line + 1} has the tag {node.tag.replace(_CORE, '!!')}")
    if isinstance(node, yaml.ScalarNode):
        _check_scalar(node)
    if isinstance(node, yaml.MappingNode):
        _check_keys(node)
        inner = [_extent(part, known) for entry in node.value for part in entry]
    else:
        inner = [_extent(part, known) for part in node.value] if isinstance(node, yaml.SequenceNode) else []
    values = 1 + sum(count for count, _ in inner)
    depth = 1 + max((below for _, below in inner), default=0)
    if values > MAX_VALUES or depth > MAX_DEPTH:
        raise _Refused(f"with what its aliases repeat it has more than {MAX_VALUES} values or {MAX_DEPTH} levels")
    known[id(node)] = values, depth
    return values, depth


def _check_scalar(node: yaml.ScalarNode) -> None:
    node.value.encode("utf-8")  # raises on a lone surrogate
    if node.tag == f"{_CORE}int" and abs(yaml.SafeLoader("").construct_yaml_int(node)) >= _MAX_INTEGER:
        raise _Refused(f"line {node.start_mark.line + 1} holds a number beyond 64 bits")


def _check_keys(node: yaml.MappingNode) -> None:
    seen = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _Refused(f"line {key.start_mark.line + 1} has a key that is not a name")
        if (key.tag, key.value) in seen:
            raise _Refused(f"line {key.start_mark.line + 1} names the key '{key.value[:80]}' a second time")
        seen.add((key.tag, key.value))


def parse_json(content: bytes, where: str | Path, hint: str) -> Any:
    """Read a JSON document.

    Parameters
    ----------
    content : bytes
        UTF-8, with or without a byte order mark.
    where : str or Path
        What a message calls it.
    hint : str
        What a message says to do about it.

    Raises
    ------
    BadInput
        If it is not JSON, nests deeper than ``MAX_DEPTH``, or holds a lone surrogate, which is no text.
    """
    try:
        text = content.decode("utf-8-sig")
        value = json.loads(text)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BadInput(where, f"is not JSON ({error})", hint) from None
    except (RecursionError, ValueError):  # nested too deep, or a number of thousands of digits
        raise BadInput(where, "is JSON that no tool writes", hint) from None
    level, depth = [value], 0
    while level := [v for v in level if isinstance(v, dict | list)]:
        depth += 1
        if depth > MAX_DEPTH:
            raise BadInput(where, f"nests deeper than {MAX_DEPTH} levels, as no tool writes it", hint)
        level = [inner for v in level for inner in (v.values() if isinstance(v, dict) else v)]
    if re.search(r"\\ud[89a-f]", text, re.IGNORECASE):
        try:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            raise BadInput(where, "holds half of a character (a lone surrogate)", hint) from None
    return value


def read_json(path: str | Path, hint: str = "run 'dvc repro' to make it") -> Any:
    """Read a JSON file that a stage wrote.

    Parameters
    ----------
    path : str or Path
    hint : str
        What a message says to do about a file that is missing.

    Raises
    ------
    BadInput
        If the file is missing or is not JSON.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise BadInput(path, "is missing", hint) from None
    return parse_json(content, path, "delete it and run 'dvc repro' to make it again")
