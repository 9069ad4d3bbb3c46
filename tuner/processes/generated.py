"""Files that TensorFlow writes for functions that AutoGraph converts, such as those of `Dataset.map`.

It removes them when Python ends in order, which processes that are killed or end at once do not.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

PREFIX = "__autograph_generated_file"
_removed: set[str] = set()


def remove_generated() -> None:
    """Removes those of this process that have been read."""
    for name in [name for name in list(sys.modules) if name.startswith(PREFIX) and name not in _removed]:
        _removed.add(name)
        with suppress(OSError, AttributeError, TypeError):
            os.remove(sys.modules[name].__file__ or "")
