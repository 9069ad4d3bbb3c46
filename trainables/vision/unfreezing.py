"""Which layers of a base learn, and how fast: pure rules of their names."""

from __future__ import annotations

import difflib
from collections.abc import Sequence


def check(unfreeze_from: str | int | float) -> None:
    """Raises ValueError for what names no layers of any base."""
    if isinstance(unfreeze_from, bool):
        raise ValueError(f"must be a layer's name, a share or a number, but got {unfreeze_from}")
    if isinstance(unfreeze_from, str):
        return
    if unfreeze_from < 0 or (unfreeze_from > 1 and unfreeze_from != int(unfreeze_from)):
        rule = "must be a layer's name, a share of the layers from 0 to 1, or a whole number of them from 2 on"
        raise ValueError(f"{rule}, but got {unfreeze_from}")


def num_unfrozen(unfreeze_from: str | int | float, layers: Sequence[str]) -> int:
    """How many of a base's layers, from the top, learn.

    Args:
        layers: the names of those that have weights, from the input to the top.

    Raises:
        ValueError: there is no such layer, or there are not so many.
    """
    if isinstance(unfreeze_from, str):
        if unfreeze_from not in layers:
            near = difflib.get_close_matches(unfreeze_from, layers, n=1, cutoff=0.4)
            hint = f"; did you mean {near[0]}?" if near else ""
            known = f"{', '.join(layers[-8:])}"
            raise ValueError(
                f"must be a layer of the base with weights, such as {known}, but got {unfreeze_from}{hint}"
            )
        return len(layers) - layers.index(unfreeze_from)
    if unfreeze_from > len(layers):
        raise ValueError(f"must be at most the base's {len(layers)} layers with weights, but got {unfreeze_from}")
    if unfreeze_from > 1:
        return int(unfreeze_from)
    return max(1, round(unfreeze_from * len(layers))) if unfreeze_from else 0
