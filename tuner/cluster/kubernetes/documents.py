"""Writes objects as YAML for kubectl, which reads YAML 1.1, where a plain `on` or `0o7` is not text."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_WORDS_OF_YAML_1_1 = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


def to_yaml(objects: Sequence[Any]) -> str:
    """Objects as the documents of one file, in their order, without anchors."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 2**20  # long text stays on its line
    yaml.representer.ignore_aliases = lambda _: True
    stream = io.StringIO()
    yaml.dump_all([_marked(one) for one in objects], stream)
    return stream.getvalue()


def _marked(value: Any) -> Any:
    """A copy whose texts are marked: several lines as a block, what YAML could misread in quotes."""
    if isinstance(value, dict):
        return {_quoted(key): _marked(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_marked(part) for part in value]
    if not isinstance(value, str):
        return value
    from ruamel.yaml.scalarstring import LiteralScalarString

    return LiteralScalarString(value) if _is_block(value) else _quoted(value)


def _quoted(text: str) -> str:
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    is_plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS_OF_YAML_1_1
    return text if is_plain else DoubleQuotedScalarString(text)


def _is_block(text: str) -> bool:
    """Whether a text can be a literal block: printable lines without blanks at their ends."""
    lines = text.split("\n")
    is_clean = all((line.isprintable() or not line) and line == line.rstrip() for line in lines)
    return len(lines) > 1 and is_clean and bool(lines[0]) and not lines[0].startswith(" ")
