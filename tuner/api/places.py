"""Where a spec lies that is named in a few letters."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from tuner.base.errors import UsageError
from tuner.spec.reading import printable


def spec_path(spec: str) -> Path:
    """The file that a text means: a path, or the default sweep of a shipped trainable.

    Raises:
        UsageError: it is neither, and near a trainable's name.
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
