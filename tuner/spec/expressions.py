"""Expressions in a spec: of an objective's metrics, and of parameters in conditions.

The grammar is `trainables.expressions`', as workers compute objectives, too.
"""

from __future__ import annotations

import re

from trainables.expressions import Expression, ExpressionError, as_expression, parse, with_value_of

__all__ = ["Expression", "ExpressionError", "as_expression", "canonical", "has_own_name", "parse", "with_value_of"]

_LIKE_A_NAME = re.compile(r"[\w.:/-]+")


def canonical(text: str) -> str:
    """An expression in the one form that all of its spellings have; other texts as they are."""
    found = as_expression(text)
    return text if found is None else found.text


def has_own_name(text: str) -> bool:
    """Whether a metric is an expression that is recorded as `objective`: it cannot be a metric's name."""
    return _LIKE_A_NAME.fullmatch(text) is None and as_expression(text) is not None
