"""KerasTuner's names, which may be any text, as names of a space: functions of the name alone."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainables.kerastuner.declared import Declared

_LONGEST = 100


def identifier(name: str) -> str:
    """Letters, digits and underscores, at most 100: `conv/units-1` is conv_units_1."""
    plain = re.sub(r"\W", "_", name) or "_"
    plain = f"p_{plain}" if plain[0].isdigit() else plain
    if not plain.isidentifier() or len(plain) > _LONGEST:
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        plain = f"{re.sub(r'[^A-Za-z0-9_]', '_', plain)[: _LONGEST - 11]}_{digest}"
        plain = plain if plain.isidentifier() else f"p_{plain}"
    return plain


def with_conditions(declared: Declared) -> str:
    """The name of one of several that share a name under different conditions."""
    if not declared.conditions:
        return identifier(declared.name)
    last = declared.conditions[-1]
    values = "_".join(map(str, last.values))
    return identifier(f"{declared.name}__{last.name}_{values}")
