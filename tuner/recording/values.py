"""How names and values are written in MLflow, within its limits, so that it refuses no batch because of one of them."""

from __future__ import annotations

import math
import posixpath
import re
from decimal import Decimal

from tuner.events import Scalar

INACTIVE = "inactive"
"""The value of a conditional parameter that a trial does not have, so that every trial has the same set."""

_KEY_CHARS_MAX = 250
_PARAM_CHARS_MAX = 6000
_TAG_CHARS_MAX = 8000
_NOT_IN_KEYS = re.compile(r"[^/\w.\- :]")


def plain(value: Scalar) -> str:
    """A value as people write it: 0.00001 rather than 1e-05, true rather than True, no digit lost."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and math.isfinite(value):
        return format(Decimal(repr(value)), "f")
    return str(value)


def param_text(value: Scalar) -> str:
    return _shortened(plain(value), _PARAM_CHARS_MAX)


def tag_text(text: str) -> str:
    return _shortened(text, _TAG_CHARS_MAX)


def key_text(name: str) -> str:
    """The name as a key: what MLflow does not allow in keys becomes an underscore."""
    key = _NOT_IN_KEYS.sub("_", name) or "_"
    if posixpath.normpath(key) != key or key.startswith(("/", "..")):
        key = key.replace("/", "_").replace("..", "__").strip(".") or "_"
    return _shortened(key, _KEY_CHARS_MAX, "_")


def _shortened(text: str, chars_max: int, ellipsis: str = "…") -> str:
    return text if len(text) <= chars_max else text[: chars_max - len(ellipsis)] + ellipsis
