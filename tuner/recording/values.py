"""Formats values for MLflow within its limits, so that it never refuses a batch because of one of them."""

from __future__ import annotations

import math
import re
from decimal import Decimal

from tuner.base.words import Value, list_text
from tuner.recording.names import digest

INACTIVE = "inactive"
"""Recorded for an inactive conditional parameter, so that every trial has the same set."""

_PARAM_CHARS_MAX = 6000
_TAG_CHARS_MAX = 8000
_NAME_CHARS_MAX = 250
LEAST_CHARS_MAX = 500
"""Of a param on older servers."""
_REFUSED = re.compile("[\0\ud800-\udfff]")
"""PostgreSQL accepts no NUL, and no store accepts lone surrogates; a batch with one of them would always fail."""
_SHORTENED = re.compile(r"… \(\d+ characters, sha256 [0-9a-f]{12}\)\Z")


def value_text(value: Value) -> str:
    """A value as people write it: 0.00001 rather than 1e-05, true rather than True; without loss of digits."""
    if isinstance(value, list):
        return list_text(value, value_text)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and math.isfinite(value):
        return format(Decimal(repr(value)), "f")
    return str(value)


def param_text(value: Value) -> str:
    return _kept(value_text(value), _PARAM_CHARS_MAX)


def is_long(value: Value) -> bool:
    """Whether some store takes a value only shortened."""
    text = value_text(value)
    return len(text) > LEAST_CHARS_MAX or param_text(value) != text


def one_name(text: str) -> str:
    """The text as the name of a run."""
    return _kept(text, _NAME_CHARS_MAX)


def shortened(text: str, chars_max: int) -> str:
    """The text within fewer characters than `param_text` and `tag_text` allow, in the same way."""
    return _kept(text, chars_max)


def tag_text(text: str) -> str:
    return _kept(text, _TAG_CHARS_MAX)


def _kept(text: str, chars_max: int) -> str:
    """The text if every store accepts it; else the acceptable part of it and a digest of the whole.

    Different texts stay different. The journal holds them in full, and so does a run's params.json where it has params
    that some store shortens.
    """
    if len(text) <= chars_max and not _REFUSED.search(text) and not _SHORTENED.search(text):
        return text
    end = f"… ({len(text)} characters, sha256 {digest(text)})"
    return _REFUSED.sub("\ufffd", text[: chars_max - len(end)]) + end
