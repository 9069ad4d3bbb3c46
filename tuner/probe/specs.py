"""A probe's suggestions as a spec: the spec that was probed within new bounds, a comment at each of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tuner.base.words import shown
from tuner.probe.cost import Cost, sweep_cost
from tuner.probe.journal import NAME
from tuner.probe.suggestions import Suggestions
from tuner.spec import SweepSpec, spec_from_mapping
from tuner.spec.space import Choice, Space, completed
from tuner.spec.writing import commented

_OF_RANGES = ("low", "high", "scale", "step", "num", "choices", "value")
"""What a suggestion replaces of a parameter; its conditions and the like stay."""


class SuggestedSpec:
    """A spec with a probe's bounds.

    Args:
        base: the fields of the spec that was probed, as they were written; its paths are absolute.
    """

    def __init__(self, base: Mapping[str, Any], suggestions: Suggestions) -> None:
        self._base = dict(base)
        self._suggestions = suggestions
        self.comments: dict[str, list[str]] = {}
        """The lines above a field, by its name."""
        self.fields = self._fields()
        """As a YAML file has them."""

    def text(self, target: Path | None = None, head: Sequence[str] = ()) -> str:
        """The text of the spec, for a file at `target`."""
        told = self.cost.lines() if self.cost else []
        fields = self.fields if target is None else beside(self.fields, target)
        return commented(fields, {**self.comments, "": [*head, *told, *self.comments.get("", [])]})

    @cached_property
    def cost(self) -> Cost | None:
        """What the sweep costs; None where no epoch was measured."""
        batches = self._suggestions.batch_size
        sizes = batches.choices if batches else ()
        return sweep_cost(self.spec, self._suggestions.result, sizes)

    @cached_property
    def spec(self) -> SweepSpec:
        """The fields as a spec."""
        trainable = self.fields["trainable"]
        named = trainable if isinstance(trainable, str) else getattr(trainable, "__name__", "class")
        return spec_from_mapping({**self.fields, "trainable": named}, "probe")

    def _fields(self) -> dict[str, Any]:
        fields = dict(self._base)
        space = fields["space"] = dict(fields.get("space") or {})
        self._set_rate(space)
        self._set_batches(space)
        self._set_epochs(fields)
        self._set_search(fields)
        if weights := self._suggestions.class_weights:
            self.comments.setdefault("space", []).extend(weights.why)
        return fields

    def _set_rate(self, space: dict[str, Any]) -> None:
        name, result = self._name("learning_rate"), self._suggestions.result
        searched = _choices(space.get("optimizer"))
        rates = self._suggestions.rates_of(searched) if searched else None
        rates = rates or self._suggestions.learning_rate
        if rates is None or (result.is_compiled and name not in space):
            reasons = [one.reason for one in result.rates if one.reason] or ["no range test found one"]
            if name in space:
                self.comments[f"space.{name}"] = [f"not from the probe: {reasons[0]}"]
            elif rates is not None:
                told = (
                    f"the model sets its learning rate itself; good ones lie between {rates.low:g} and {rates.high:g}"
                )
                self.comments["space"] = [told, *rates.why]
            return
        space[name] = {**_kept(space.get(name)), "low": rates.low, "high": rates.high, "scale": "log"}
        self.comments[f"space.{name}"] = list(rates.why)
        probed = {one.optimizer for one in result.rates}
        if result.is_compiled or (not searched and len(probed) == 1 and "optimizer" not in space):
            return
        if not searched:
            space["optimizer"] = rates.optimizer
            of = ", ".join(sorted(probed))
            self.comments["space.optimizer"] = [f"of {of} the one whose loss fell furthest in its range test"]
        elif missing := [shown(other) for other in searched if other not in probed]:
            self.comments[f"space.{name}"].append(f"not measured with {', '.join(missing)}: tuner probe --optimizer")

    def _set_batches(self, space: dict[str, Any]) -> None:
        name, batches = self._name("batch_size"), self._suggestions.batch_size
        if batches is None:
            return
        space[name] = {**_kept(space.get(name)), "choices": list(batches.choices)}
        self.comments[f"space.{name}"] = list(batches.why)

    def _set_epochs(self, fields: dict[str, Any]) -> None:
        epochs = self._suggestions.epochs
        if epochs is not None and "epochs" not in fields["space"]:
            fields["epochs"] = {"min": epochs.min, "max": epochs.max}
            self.comments["epochs"] = list(epochs.why)

    def _set_search(self, fields: dict[str, Any]) -> None:
        """Begins with the probe's points; points of before that are outside of the new bounds are left out."""
        search = dict(fields.get("search") or {})
        space = _space(fields["space"])
        points = search.get("points") or []
        inside = [point for point in points if space is None or completed(space, point) is not None]
        comments = []
        if len(inside) < len(points):
            search["points"] = inside
            comments.append(
                f"{len(points) - len(inside)} of the points lie outside of the new bounds, and are left out"
            )
        if self._suggestions.points:
            search["warm_start"] = list(dict.fromkeys([*(search.get("warm_start") or []), NAME]))
            comments.append("warm_start: [probe] begins with the probe's best configurations, of the same storage root")
        if search:
            fields["search"] = search
        if comments:
            self.comments["search"] = comments

    def _name(self, name: str) -> str:
        return str((self._base.get("records") or {}).get(name, name))


def written_fields(spec: SweepSpec) -> dict[str, Any]:
    """The fields of a spec that are not at their defaults, as somebody would have written them."""
    dump = spec.model_dump(mode="json", exclude_defaults=True, exclude={"space"})
    space = spec.space.model_dump(mode="json", exclude_defaults=True)
    space = {name: _when_last(parameter) for name, parameter in space.items()}
    fields = {name: space if name == "space" else dump.get(name) for name in type(spec).model_fields}
    return {name: value for name, value in fields.items() if value not in (None, {}, [])}


def _when_last(parameter: Any) -> Any:
    """A parameter in the order in which people write it."""
    if not isinstance(parameter, dict) or "when" not in parameter:
        return parameter
    return {**{key: value for key, value in parameter.items() if key != "when"}, "when": parameter["when"]}


def beside(fields: Mapping[str, Any], target: Path) -> dict[str, Any]:
    """The fields with the paths of trainable and data as a file at `target` names them: by name what lies beside it."""
    found = dict(fields)
    folder = target.resolve().parent
    for name in ("trainable", "data"):
        text = found.get(name)
        file, separator, kind = text.rpartition(":") if isinstance(text, str) and ".py:" in text else (text, "", "")
        if isinstance(file, str) and os.path.isabs(file) and Path(file).parent == folder:
            found[name] = f"./{Path(file).name}{separator}{kind}"
    return found


def _space(written: Mapping[str, Any]) -> Space | None:
    try:
        return Space.model_validate(dict(written))
    except ValidationError:
        return None


def _kept(parameter: Any) -> dict[str, Any]:
    """What is written of a parameter besides its range."""
    return (
        {key: value for key, value in parameter.items() if key not in _OF_RANGES}
        if isinstance(parameter, Mapping)
        else {}
    )


def _choices(parameter: Any) -> list[str]:
    """The choices of a searched optimizer, also of one that was validated."""
    if isinstance(parameter, Choice):
        return list(map(str, parameter.choices))
    found = parameter.get("choices") if isinstance(parameter, Mapping) else None
    return [str(choice) for choice in found] if isinstance(found, list | tuple) else []
