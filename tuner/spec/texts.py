"""Texts in a spec that look like values: warned of where text may be meant, refused where none can be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tuner.base.meant import advice, fix, meant
from tuner.base.words import shown
from tuner.spec.models import SweepSpec
from tuner.spec.space import AnyParameter, Choice, Constant, Repeated


def null_problems(spec: SweepSpec) -> list[str]:
    """Fields that hold the text `None` or `null` where there is nothing of that name, but YAML's null."""
    values = {
        "data": spec.data,
        "storage": spec.storage,
        "tracking.uri": spec.tracking.uri,
        "tracking.experiment": spec.tracking.experiment,
    }
    return [
        f"{path}: must not be the word for none, but got {shown(value)}{fix(value)}, or leave it out"
        for path, value in values.items()
        if (found := meant(value)) and found[0] == "null"
    ]


def text_warnings(spec: SweepSpec, words: Mapping[str, frozenset[str]] = {}) -> list[str]:
    """A line for each text in the space that looks like a value.

    Args:
        words: by parameter, texts that the trainable is known to take.
    """
    return [
        f"space.{name}{place}: {advice(text)}"
        for name, parameter in spec.space.items()
        for place, text in _texts(parameter)
        if meant(text) and text not in words.get(name, ())
    ]


def _texts(parameter: AnyParameter) -> Iterator[tuple[str, str]]:
    """The texts among a parameter's values, with where they stand."""
    if isinstance(parameter, Repeated):
        yield from _texts(parameter.element)
    elif isinstance(parameter, Choice):
        for index, value in enumerate(parameter.choices):
            yield from _within(f".choices[{index}]", value)
    elif isinstance(parameter, Constant):
        yield from _within("" if not isinstance(parameter.value, list) else ".value", parameter.value)


def _within(place: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _within(f"{place}[{index}]", item)
