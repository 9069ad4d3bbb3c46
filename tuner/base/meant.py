"""Text that looks like a value, such as `None` or "1e-4" in quotes, and the value that was probably meant."""

from __future__ import annotations

import ast
import re
from typing import Any

from tuner.base.words import shown

_NULL = ("none", "null", "nil", "~")
_TRUE, _FALSE = ("true", "yes", "on"), ("false", "no", "off")
_NUMBER = re.compile(r"[-+]?(\d[\d_]*(\.[\d_]*)?|\.\d[\d_]*)([eE][-+]?\d+)?")
_CHARS_MAX = 200


def meant(text: Any) -> tuple[str, str] | None:
    """What a text looks like, as (kind, how YAML writes it); None for what is no text, or any other one.

    Kinds are null, bool, number and list.
    """
    if not isinstance(text, str) or len(text) > _CHARS_MAX:
        return None
    word = text.strip().lower()
    if word in _NULL:
        return "null", "null"
    if word in _TRUE or word in _FALSE:
        return "bool", "true" if word in _TRUE else "false"
    if _NUMBER.fullmatch(word):
        return "number", word.replace("_", "").lstrip("+")
    if word[:1] in ("[", "(") and word[-1:] in ("]", ")"):
        return _list(text.strip())
    return None


def fix(text: Any, wanted: str = "") -> str:
    """`; it is text: …`, for the end of a message about a text that looks like a value; else empty.

    Args:
        wanted: the kind that is needed, if it is known; a value that may be absent may also be null.
    """
    found = meant(text)
    if found is None or (wanted and found[0] not in (wanted, "null")):
        return ""
    return f"; it is text: {_advice(text)}"


def advice(text: Any) -> str:
    """What to write in place of a text that looks like a value, and that it is text; empty for any other one."""
    return f"{shown(text)} is text; {_advice(text)}, unless text is meant" if meant(text) else ""


def _advice(text: str) -> str:
    kind, written = meant(text) or ("", "")
    is_quoted = written == text.strip()
    return f"write {written}{' without quotes' if is_quoted else ''}{' for none' if kind == 'null' else ''}"


def _list(text: str) -> tuple[str, str] | None:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    if not isinstance(value, list | tuple):
        return None
    return "list", str(list(value))
