"""Lists among a trial's parameters as MLflow shows them: whole, and each value as a parameter of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tuner.base.words import Params


def lengths(space: Mapping[str, Any]) -> dict[str, int]:
    """The lists with `repeat` of a resolved spec's space, and the most values that each has."""
    found = {}
    for name, written in space.items():
        if isinstance(written, dict) and "repeat" in written:
            repeat = written["repeat"]
            found[name] = repeat if isinstance(repeat, int) else _most(space.get(repeat))
    return found


def flat_names(name: str, length: int) -> Iterator[str]:
    """What the values of a list are called: units_0, units_1, …"""
    return (f"{name}_{index}" for index in range(length))


def flat_values(lists: Mapping[str, int], params: Params) -> Params:
    """The values of a configuration's lists, by these names."""
    values: Params = {}
    for name in lists:
        if isinstance(items := params.get(name), list):
            values |= dict(zip(flat_names(name, len(items)), items, strict=True))
    return values


def _most(written: Any) -> int:
    """The highest number that a parameter may have."""
    if not isinstance(written, dict):
        return int(written or 0)
    numbers = written.get("choices") or [written.get("high", written.get("value"))]
    return int(max(numbers))


def is_flat_name(key: str, lists: Iterable[str]) -> bool:
    """Whether a key is the name of one value of these lists, however long they are."""
    name, _, index = key.rpartition("_")
    return name in lists and index.isdecimal()
