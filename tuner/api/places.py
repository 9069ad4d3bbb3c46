"""From what a user types for a spec to its file."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from tuner.base.errors import UsageError
from tuner.spec.reading import printable


def spec_path(spec: str) -> Path:
    """The file of a spec: a path, or the default sweep of a shipped trainable.

    Raises:
        UsageError: there is no such file, and the name is close to that of a trainable.
    """
    from trainables import registry

    if spec in registry.names() and not os.path.isfile(spec):
        return registry.default_sweep(spec)
    if os.path.exists(spec):
        return Path(spec)
    if near := difflib.get_close_matches(spec[:100], registry.names(), n=1):
        rule = "must be a YAML file or a shipped trainable's name, but there is neither"
        raise UsageError(f"{printable(spec)}: {rule}; did you mean {near[0]}?")
    return Path(spec)
