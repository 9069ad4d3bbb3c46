"""The parameters of a trial, as a script gets them."""

from __future__ import annotations

import difflib
from typing import Any


class ScriptParams(dict[str, Any]):
    """A trial's parameters by name: `params["lr"]`, `params.lr`, `params.get("lr", 0.1)`, `**params`.

    Those whose condition (`when`) does not hold are not there.
    """

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            near = difflib.get_close_matches(name, self, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(self) or 'none'}"
            raise AttributeError(f"the trial has no parameter {name}; {hint}") from None
